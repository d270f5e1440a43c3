// The part of what `mortar doctor` collects that concerns drivers. Drivers are tried in child processes: they
// may crash, hang or leave threads.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/owner.h"
#include "cuda/api/find_driver.h"
#include "mortar/cuda_setup.h"
#include "mortar/doctor.h"
#include "mortar/small_files.h"

namespace mortar::cli {
namespace {

constexpr int kPatienceMs = 20'000;  // for one driver, as in ProbeOpenCl
constexpr char kVendors[] = "/etc/OpenCL/vendors";

bool Loads(const std::string& library) {
  const pid_t child = fork();
  if (child < 0) return true;  // not known: nothing is said
  if (child == 0) {
    const base::Fd nowhere(open("/dev/null", O_RDWR | O_CLOEXEC));
    dup2(nowhere.get(), STDERR_FILENO);
    dup2(nowhere.get(), STDOUT_FILENO);
    alarm(kPatienceMs / 1000);
    _exit(dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue…" → "535.54.03".
std::string VersionIn(const std::string& line) {
  for (std::size_t i = 0; i < line.size();) {
    const std::size_t end = std::min(line.find(' ', i), line.size());
    std::string word = line.substr(i, end - i);
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos)
      return word;
    i = end + 1;
  }
  return "";
}

// "/usr/lib/…/libcuda.so.535.54.03" → "535.54.03", following links.
std::string VersionOfLibrary(const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).filename();
  constexpr std::string_view kStart = "libcuda.so.";
  if (error || !real.starts_with(kStart)) return "";
  const std::string version = real.substr(kStart.size());
  return version.find('.') == std::string::npos ? "" : version;
}

void CollectMps(System& system) {
  MpsFacts& mps = system.mps;
  mps.directory = Value(system, "CUDA_MPS_PIPE_DIRECTORY");
  mps.directory_set = !mps.directory.empty();
  if (!mps.directory_set) mps.directory = "/tmp/nvidia-mps";
  mps.pipe = Exists(mps.directory + "/control");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    // The kernel keeps 15 letters of a program's name.
    mps.daemon = mps.daemon || FirstLine(entry.path().string() + "/comm") == "nvidia-cuda-mps";
  }
}

}  // namespace

void CollectOpenCl(System& system) {
  system.scheduling = FindLibrary(kSchedulingLayer);
  system.emulated = FindLibrary(kEmulatedLayer);
  system.probe =
      ProbeOpenCl(ComposeLayers(Value(system, "OPENCL_LAYERS"), system.scheduling, ""), system.scheduling);
  std::string vendors = Value(system, "OCL_ICD_VENDORS");
  if (vendors.empty()) vendors = Value(system, "OPENCL_VENDOR_PATH");
  std::error_code error;
  if (vendors.empty() || !std::filesystem::is_directory(vendors, error)) vendors = kVendors;
  for (const auto& path : FilesIn(vendors)) {
    if (!path.ends_with(".icd")) continue;
    IcdFile icd{path, FirstLine(path), false};
    icd.loads = !icd.library.empty() && Loads(icd.library);
    system.icds.push_back(std::move(icd));
  }
}

void CollectCuda(System& system) {
  const CudaSetup setup = SetUpCuda(ReadCudaSurroundings(""), "");
  system.shim = setup.shim;
  system.drivers = cuda::DriverCandidates(setup.shim);
  if (!setup.shim.empty()) {
    const std::string ours = setup.shim.substr(0, setup.shim.rfind('/'));
    const auto path = Parts(Value(system, "LD_LIBRARY_PATH"));
    for (auto folder = path.begin(); folder != std::find(path.begin(), path.end(), ours); ++folder) {
      if (Exists(*folder + "/libcuda.so.1")) system.shadowing.push_back(*folder);
    }
  }
  system.nvidia_node = Exists("/dev/nvidiactl");
  system.nvidia_node_allowed = access("/dev/nvidiactl", R_OK | W_OK) == 0;
  system.module_version = VersionIn(FirstLine("/proc/driver/nvidia/version"));
  if (!system.drivers.empty()) system.library_version = VersionOfLibrary(system.drivers.front());
  for (const auto& folder : FilesIn("/proc/driver/nvidia/gpus"))
    system.nvidia_devices.insert(NormalPciAddress(std::filesystem::path(folder).filename().string()));
  CollectMps(system);
  const DriverWatch driver;
  system.modes = driver.ComputeModes();
  system.users = ReadProc("/proc");
  driver.AddProcesses("/proc", system.users);
}

}  // namespace mortar::cli
