// What the shared library is besides the driver's functions: a mark by which copies of it know each other,
// the word from the preload hook which driver a program has opened itself, what the simulated device has
// beyond a driver's functions, and the end of the process.
#include "backend/cuda/driver.h"
#include "client/client.h"
#include "client/hints.h"

namespace {

// Not a destructor of an object of ours: called by the loader when the process ends in order (exit,
// return of main).
__attribute__((destructor)) void OnProcessEnd() { mortar::client::Shutdown(); }

}  // namespace

#define MORTAR_EXPORT extern "C" __attribute__((visibility("default")))

MORTAR_EXPORT int mortar_cuda_shim() { return 1; }

// Programs that compute on the simulated device look this up in the driver that they opened, which is ours.
// On a real one it does nothing: kernels run on the device.
MORTAR_EXPORT void mortar_simcuda_register(const char* name, void* kernel) {
  using Register = void (*)(const char*, void*);
  auto* real = reinterpret_cast<Register>(mortar::cuda::FindInSimulation("mortar_simcuda_register"));
  if (real != nullptr) real(name, kernel);
}

MORTAR_EXPORT void mortar_cuda_use_driver(const char* path) {
  if (path != nullptr) mortar::cuda::UseDriver(path);
}

// include/mortar/mortar.h
MORTAR_EXPORT int mortar_hint(unsigned hint, long long value) {
  return mortar::client::TakeHint(hint, value);
}
