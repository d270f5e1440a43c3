#include "emulated/layer/state.h"

#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/log.h"
#include "emulated/layer/functions.h"

namespace mortar::emulated {
namespace {

constinit State* current = nullptr;
constinit cl_icd_dispatch functions{};

constexpr cl_uint kEntries = sizeof(cl_icd_dispatch) / sizeof(void*);
// OPENCL_LAYERS' interface (CL/cl_layer.h); repeated here, as that header declares the exported functions
// with the visibility of whoever includes it.
constexpr cl_uint kLayerApiVersion = 0x4240;
constexpr cl_uint kLayerName = 0x4241;
constexpr cl_uint kApiVersion100 = 100;

// Locks are taken in one order and given back in the parent; the child starts clean.
void BeforeFork() {
  current->kernels.BeforeFork();
  current->timelines.BeforeFork();
  current->ledger.BeforeFork();
  current->timer.BeforeFork();
}
void AfterForkInParent() {
  current->timer.AfterForkInParent();
  current->ledger.AfterForkInParent();
  current->timelines.AfterForkInParent();
  current->kernels.AfterForkInParent();
}
void AfterForkInChild() {
  current->timer.AfterForkInChild();
  current->ledger.AfterForkInChild();
  current->timelines.AfterForkInChild();
  current->kernels.AfterForkInChild();
}

// Null, after one line on stderr, where nothing is to be emulated.
State* MakeState() {
  const char* path = getenv("MORTAR_EMULATED");
  if (path == nullptr || *path == '\0') {
    base::Log(
        "emulated device: MORTAR_EMULATED is not set: nothing is emulated; set it to a duration table's "
        "path");
    return nullptr;
  }
  auto table = Table::Read(path);
  if (!table) {
    base::Log("emulated device: " + table.error().message + ": nothing is emulated");
    return nullptr;
  }
  return new (std::nothrow) State(*std::move(table), RealClock(), "");
}

}  // namespace

State& Current() { return *current; }
void SetCurrent(State* state) { current = state; }

cl_int InitLayer(cl_uint entries, const cl_icd_dispatch* target, cl_uint* entries_ret,
                 const cl_icd_dispatch** dispatch_ret) noexcept {
  if (target == nullptr || entries_ret == nullptr || dispatch_ret == nullptr) return CL_INVALID_VALUE;
  *entries_ret = kEntries;
  *dispatch_ret = &functions;
  if (current != nullptr) return CL_SUCCESS;
  State* state = MakeState();
  if (state == nullptr) return CL_SUCCESS;
  std::memcpy(&state->driver, target, std::min(entries, kEntries) * sizeof(void*));
  current = state;
  FillDispatch(state->driver, &functions);
  pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild);
  return CL_SUCCESS;
}

cl_int LayerInfo(cl_uint name, std::size_t size, void* value, std::size_t* size_ret) noexcept {
  static constexpr char kName[] = "mortar emulated device";
  const void* answer = kName;
  std::size_t answer_size = sizeof kName;
  if (name == kLayerApiVersion) {
    answer = &kApiVersion100;
    answer_size = sizeof kApiVersion100;
  } else if (name != kLayerName) {
    return CL_INVALID_VALUE;
  }
  if (value != nullptr && size < answer_size) return CL_INVALID_VALUE;
  if (value != nullptr) std::memcpy(value, answer, answer_size);
  if (size_ret != nullptr) *size_ret = answer_size;
  return CL_SUCCESS;
}

void FillDispatch(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  FillCommands(driver, dispatch);
  FillTransfers(driver, dispatch);
  FillSvmAndImages(driver, dispatch);
  FillWaits(driver, dispatch);
  FillObjects(driver, dispatch);
}

}  // namespace mortar::emulated
