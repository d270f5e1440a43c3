// libmortar-emulated.so: the two functions that an OpenCL loader asks a layer for (OPENCL_LAYERS). Below
// Mortar's own layer it must be named first: loaders put later names above earlier ones.
#include "emulated/layer/state.h"

#define MORTAR_EXPORT extern "C" __attribute__((visibility("default")))

MORTAR_EXPORT cl_int CL_API_CALL clGetLayerInfo(cl_uint name, std::size_t size, void* value,
                                                std::size_t* size_ret) noexcept {
  return mortar::emulated::LayerInfo(name, size, value, size_ret);
}

MORTAR_EXPORT cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch* target,
                                             cl_uint* entries_ret,
                                             const cl_icd_dispatch** dispatch_ret) noexcept {
  return mortar::emulated::InitLayer(entries, target, entries_ret, dispatch_ret);
}
