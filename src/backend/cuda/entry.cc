// What the shared library is besides the driver's functions: a mark by which copies of it know each other,
// the word from the preload hook which driver a program has opened itself, and the end of the process.
#include "backend/cuda/driver.h"
#include "client/client.h"

namespace {

// Not a destructor of an object of ours: called by the loader when the process ends in order (exit, return of
// main).
__attribute__((destructor)) void OnProcessEnd() { mortar::client::Shutdown(); }

}  // namespace

#define MORTAR_EXPORT extern "C" __attribute__((visibility("default")))

MORTAR_EXPORT int mortar_cuda_shim() { return 1; }

MORTAR_EXPORT void mortar_cuda_use_driver(const char* path) {
  if (path != nullptr) mortar::cuda::UseDriver(path);
}
