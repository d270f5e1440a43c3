// The shared library's exported functions: the layer's handshake with the OpenCL loader, and the end of the
// process.
#include <CL/cl_layer.h>

#include <cstring>

#include "backend/opencl/layer.h"
#include "client/client.h"
#include "client/hints.h"

namespace {

constexpr char kName[] = "mortar";

template <typename T>
cl_int Answer(const T& value, std::size_t size, std::size_t room, void* out, std::size_t* out_size) {
  if (out != nullptr && room < size) return CL_INVALID_VALUE;
  if (out != nullptr) std::memcpy(out, &value, size);
  if (out_size != nullptr) *out_size = size;
  return CL_SUCCESS;
}

// Not a destructor of an object of ours: called by the loader when the process ends in order (exit, return of
// main).
__attribute__((destructor)) void OnProcessEnd() { mortar::client::Shutdown(); }

bool initialised = false;

}  // namespace

#define MORTAR_EXPORT extern "C" __attribute__((visibility("default")))

MORTAR_EXPORT cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, std::size_t room, void* out,
                                                std::size_t* out_size) {
  const cl_uint version = CL_LAYER_API_VERSION_100;
  if (what == CL_LAYER_API_VERSION) return Answer(version, sizeof version, room, out, out_size);
  if (what == CL_LAYER_NAME) return Answer(kName, sizeof kName, room, out, out_size);
  return CL_INVALID_VALUE;
}

MORTAR_EXPORT cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch* target,
                                             cl_uint* entries_out, const cl_icd_dispatch** table_out) {
  if (target == nullptr || entries_out == nullptr || table_out == nullptr) return CL_INVALID_VALUE;
  *table_out = mortar::opencl::Install(*target, entries);
  *entries_out = sizeof(cl_icd_dispatch) / sizeof(void*);
  initialised = true;
  return CL_SUCCESS;
}

// For `mortar run --check`: 1 once an OpenCL loader has taken this layer in.
MORTAR_EXPORT int mortar_opencl_loaded() { return initialised ? 1 : 0; }

// include/mortar/mortar.h
MORTAR_EXPORT int mortar_hint(unsigned hint, long long value) {
  return mortar::client::TakeHint(hint, value);
}
