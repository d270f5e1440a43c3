// NVML by its C interface, as its documentation gives it; opened at run time, since most machines have none.
#include <dlfcn.h>

#include <array>
#include <fstream>

#include "board/view.h"
#include "mortar/device_users.h"

namespace mortar::cli {
namespace {

using Handle = void*;
constexpr int kSuccess = 0;
constexpr unsigned kMostProcesses = 256;  // of one device; chosen
constexpr unsigned kMostDevices = 64;

struct PciInfo {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char address[32];
};
static_assert(sizeof(PciInfo) == 68);

struct ProcessInfo {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};
static_assert(sizeof(ProcessInfo) == 24);

struct Utilization {
  unsigned gpu, memory;
};

constexpr unsigned long long kNotAvailable = ~0ULL;

}  // namespace

struct DriverWatch::Library {
  void* handle = nullptr;
  int (*shutdown)() = nullptr;
  int (*utilization)(Handle, Utilization*) = nullptr;
  int (*compute)(Handle, unsigned*, ProcessInfo*) = nullptr;
  int (*graphics)(Handle, unsigned*, ProcessInfo*) = nullptr;
  int (*mode)(Handle, int*) = nullptr;
  std::map<std::string, Handle> devices;  // by PCI address
};

namespace {

template <typename Function>
void Load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

DriverWatch::DriverWatch() {
  void* handle = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return;
  int (*init)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*by_index)(unsigned, Handle*) = nullptr;
  int (*pci)(Handle, PciInfo*) = nullptr;
  Load(handle, "nvmlInit_v2", init);
  Load(handle, "nvmlDeviceGetCount_v2", count);
  Load(handle, "nvmlDeviceGetHandleByIndex_v2", by_index);
  Load(handle, "nvmlDeviceGetPciInfo_v3", pci);
  unsigned devices = 0;
  if (init == nullptr || count == nullptr || by_index == nullptr || pci == nullptr || init() != kSuccess) {
    dlclose(handle);
    return;
  }
  library_ = new Library;
  library_->handle = handle;
  Load(handle, "nvmlShutdown", library_->shutdown);
  Load(handle, "nvmlDeviceGetUtilizationRates", library_->utilization);
  Load(handle, "nvmlDeviceGetComputeRunningProcesses_v3", library_->compute);
  Load(handle, "nvmlDeviceGetGraphicsRunningProcesses_v3", library_->graphics);
  Load(handle, "nvmlDeviceGetComputeMode", library_->mode);
  if (count(&devices) != kSuccess) devices = 0;
  for (unsigned i = 0; i < std::min(devices, kMostDevices); ++i) {
    Handle device = nullptr;
    PciInfo info{};
    if (by_index(i, &device) != kSuccess || pci(device, &info) != kSuccess) continue;
    info.address[sizeof info.address - 1] = '\0';
    library_->devices.emplace(NormalPciAddress(info.address), device);
  }
}

DriverWatch::~DriverWatch() {
  if (library_ == nullptr) return;
  if (library_->shutdown != nullptr) library_->shutdown();
  dlclose(library_->handle);
  delete library_;
}

void DriverWatch::AddProcesses(const std::string& proc, DeviceUsers& users) const {
  if (library_ == nullptr) return;
  for (const auto& [address, device] : library_->devices) {
    for (auto* list : {library_->compute, library_->graphics}) {
      std::array<ProcessInfo, kMostProcesses> processes{};
      unsigned count = kMostProcesses;
      if (list == nullptr || list(device, &count, processes.data()) != kSuccess) continue;
      for (unsigned i = 0; i < std::min(count, kMostProcesses); ++i) {
        const int pid = static_cast<int>(processes[i].pid);
        std::optional<std::uint64_t> memory;
        if (processes[i].memory != kNotAvailable) memory = processes[i].memory;
        const auto known = std::find_if(users.users.begin(), users.users.end(), [&](const DeviceUser& user) {
          return user.pid == pid && (user.device == address || user.device.empty());
        });
        if (known != users.users.end()) {
          if (memory) known->memory_bytes = memory;
          continue;
        }
        DeviceUser user;
        user.pid = pid;
        user.device = address;
        user.through = "NVML";
        user.memory_bytes = memory;
        std::ifstream comm(proc + "/" + std::to_string(pid) + "/comm");
        std::string name;
        std::getline(comm, name);
        user.program = board::CleanText(name);
        users.users.push_back(std::move(user));
      }
    }
  }
}

void DriverWatch::ReadBusy(std::map<std::string, double>& busy) const {
  if (library_ == nullptr || library_->utilization == nullptr) return;
  for (const auto& [address, device] : library_->devices) {
    Utilization rates{};
    if (library_->utilization(device, &rates) == kSuccess && rates.gpu <= 100)
      busy[address] = rates.gpu / 100.0;
  }
}

std::map<std::string, std::string> DriverWatch::ComputeModes() const {
  constexpr int kExclusiveThread = 1;
  constexpr int kProhibited = 2;
  constexpr int kExclusiveProcess = 3;
  std::map<std::string, std::string> modes;
  if (library_ == nullptr || library_->mode == nullptr) return modes;
  for (const auto& [address, device] : library_->devices) {
    int mode = 0;
    if (library_->mode(device, &mode) != kSuccess) continue;
    if (mode == kExclusiveThread || mode == kExclusiveProcess) modes[address] = "exclusive";
    if (mode == kProhibited) modes[address] = "prohibited";
  }
  return modes;
}

}  // namespace mortar::cli
