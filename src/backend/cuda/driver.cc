#include "backend/cuda/driver.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "backend/cuda/stream_use.h"
#include "base/log.h"
#include "client/client.h"
#include "cuda/api/device_name.h"
#include "cuda/api/find_driver.h"

namespace mortar::cuda {

constinit std::atomic<Mode> current_mode{Mode::kUnknown};

namespace {

constexpr int kOldestDriver = 12000;  // issue D: older ones lack cuGetProcAddress_v2 and names of kernels
constexpr char kMarkOfShim[] = "mortar_cuda_shim";

struct Driver {
  std::mutex mutex;  // opening
  std::atomic<bool> tried{false};
  std::atomic<void*> library{nullptr};
  std::string path;
};
Driver& TheDriver() {
  static auto* driver = new Driver;  // never destroyed: threads may call until the very end
  return *driver;
}

std::string OwnPath() {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(&mortar_cuda_resolve), &info) != 0 && info.dli_fname != nullptr
             ? info.dli_fname
             : "";
}

void* Open(const std::string& path, std::string* why) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* error = dlerror();
    *why = error != nullptr ? error : "unknown error";
    return nullptr;
  }
  // Another copy of ours would send us round in circles.
  if (dlsym(library, kMarkOfShim) == nullptr && dlsym(library, "cuInit") != nullptr) return library;
  *why = path + " is not a driver";
  dlclose(library);
  return nullptr;
}

void* Library() {
  Driver& driver = TheDriver();
  if (driver.tried.load(std::memory_order_acquire)) return driver.library.load(std::memory_order_relaxed);
  const std::lock_guard lock(driver.mutex);
  if (driver.tried.load(std::memory_order_relaxed)) return driver.library.load(std::memory_order_relaxed);
  const char* named = std::getenv("MORTAR_CUDA_DRIVER");
  std::string why =
      named != nullptr && *named != '\0'
          ? std::string("MORTAR_CUDA_DRIVER=") + named + ": no such file; correct it or leave it out"
          : "none found; install NVIDIA's driver, or name its libcuda.so.1 in MORTAR_CUDA_DRIVER";
  const std::vector<std::string> candidates =
      driver.path.empty() ? DriverCandidates(OwnPath()) : std::vector<std::string>{driver.path};
  void* library = nullptr;
  for (const std::string& path : candidates) {
    if ((library = Open(path, &why)) == nullptr) continue;
    driver.path = path;
    break;
  }
  if (library == nullptr)
    base::LogOnce("cuda driver", "open the CUDA driver: " + why + "; CUDA calls will fail");
  driver.library.store(library, std::memory_order_relaxed);
  driver.tried.store(true, std::memory_order_release);
  return library;
}

// What slots hold where there is nothing to call. Arguments are the caller's to clear away: none
// is looked at.
CUresult NoDriver() { return CUDA_ERROR_NO_DEVICE; }
CUresult NoFunction() { return CUDA_ERROR_NOT_SUPPORTED; }

bool NewEnough() {
  auto* ask =
      reinterpret_cast<Signature<Symbol::cuDriverGetVersion>::Type*>(FindReal(Symbol::cuDriverGetVersion));
  int version = 0;
  if (ask != nullptr && ask(&version) == CUDA_SUCCESS && version >= kOldestDriver) return true;
  base::LogOnce("cuda version", "the CUDA driver " + TheDriver().path + " is of CUDA " +
                                    std::to_string(version / 1000) + "." +
                                    std::to_string(version % 1000 / 10) +
                                    ", older than 12.0; this program runs unscheduled; update the driver");
  return false;
}

}  // namespace

void* FindReal(Symbol symbol) {
  void* library = Library();
  return library != nullptr ? dlsym(library, NameOf(symbol)) : nullptr;
}

void* FindInSimulation(const char* name) {
  void* library = Library();
  return library != nullptr ? dlsym(library, name) : nullptr;
}

bool DriverIsSimulated() { return FindInSimulation(kMarkOfSimulation) != nullptr; }

void UseDriver(const char* path) {
  Driver& driver = TheDriver();
  const std::lock_guard lock(driver.mutex);
  if (!driver.tried.load()) driver.path = path;
}

Mode DecideMode() {
  static constinit std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (const Mode decided = current_mode.load(); decided != Mode::kUnknown) return decided;
  Mode decided = Mode::kPassing;
  bool refuse = false;
  if (Library() != nullptr && client::Start(&refuse) && NewEnough()) decided = Mode::kActive;
  if (decided == Mode::kActive && client::SliceNs() > 0) cuts_copies.store(true);
  if (refuse) decided = Mode::kRefusing;
  current_mode.store(decided, std::memory_order_release);
  return decided;
}

}  // namespace mortar::cuda

void* mortar_cuda_resolve(int index) noexcept {
  using mortar::cuda::Symbol;
  void* found = mortar::cuda::FindReal(static_cast<Symbol>(index));
  if (found == nullptr) {
    found = mortar::cuda::Library() == nullptr ? reinterpret_cast<void*>(&mortar::cuda::NoDriver)
                                               : reinterpret_cast<void*>(&mortar::cuda::NoFunction);
  }
  __atomic_store_n(&mortar_cuda_slots[index], found, __ATOMIC_RELEASE);
  return found;
}
