// The checks of CUDA: driver, shim, MPS. Pure.
#include <fmt/format.h>

#include <algorithm>

#include "mortar/doctor.h"

namespace mortar::cli {
namespace {

constexpr char kCudaArea[] = "CUDA";

void CheckDriver(const System& system, std::vector<Finding>& findings) {
  const std::string named = Value(system, "MORTAR_CUDA_DRIVER");
  if (!named.empty() && system.missing.count(named) != 0) {
    findings.push_back({kCudaArea, "driver", Level::kWrong, "MORTAR_CUDA_DRIVER=" + named + " names no file",
                        "CUDA is left alone: no CUDA program is scheduled", "unset MORTAR_CUDA_DRIVER"});
    return;
  }
  if (system.drivers.empty() && !system.nvidia_node && system.module_version.empty()) {
    findings.push_back({kCudaArea, "driver", Level::kOk, "no NVIDIA driver here: nothing to schedule"});
    return;
  }
  if (system.drivers.empty()) {
    findings.push_back({kCudaArea, "driver", Level::kWrong, "an NVIDIA device is here, but no libcuda.so.1",
                        "no CUDA program can start",
                        system.container.empty()
                            ? "sudo apt-get install libcuda1"
                            : "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …   # "
                              "start the container so"});
    return;
  }
  const std::string& driver = system.drivers.front();
  if (driver.find("/stubs/") != std::string::npos) {
    findings.push_back({kCudaArea, "driver", Level::kWrong,
                        driver + " is the toolkit's stub, for linking alone",
                        "CUDA programs fail with CUDA_ERROR_STUB_LIBRARY",
                        "export LD_LIBRARY_PATH=$(printf %s \"$LD_LIBRARY_PATH\" | tr : '\\n' | grep -v "
                        "/stubs | paste -sd:)"});
    return;
  }
  if (driver.find("simcuda") != std::string::npos) {
    findings.push_back({kCudaArea, "driver", Level::kNote, driver + " is the simulated device's",
                        "speeds say nothing about a real device",
                        "unset MORTAR_CUDA_DRIVER MORTAR_SIM_DEVICE LD_LIBRARY_PATH"});
    return;
  }
  if (!system.nvidia_node || system.module_version.empty()) {
    findings.push_back({kCudaArea, "driver", Level::kWrong,
                        driver + " is installed, but " +
                            (system.module_version.empty() ? "its kernel module is not loaded"
                                                           : "there is no /dev/nvidiactl"),
                        "CUDA programs find no device",
                        system.container.empty() ? "sudo modprobe nvidia && sudo nvidia-modprobe -u -c 0"
                                                 : "docker run --gpus all …   # start the container so"});
    return;
  }
  if (!system.nvidia_node_allowed) {
    findings.push_back({kCudaArea, "driver", Level::kWrong, "/dev/nvidiactl may not be opened by this user",
                        "CUDA programs find no device",
                        "ls -l /dev/nvidia*; sudo usermod -aG video \"$USER\""});
    return;
  }
  if (!system.library_version.empty() && system.library_version != system.module_version) {
    findings.push_back(
        {kCudaArea, "driver", Level::kWrong,
         fmt::format("{} is of version {}, the kernel module of {}", driver, system.library_version,
                     system.module_version),
         "CUDA programs fail with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
         "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia   # or restart"});
    return;
  }
  findings.push_back({kCudaArea, "driver", Level::kOk, driver + ", version " + system.module_version});
}

void CheckShim(const System& system, std::vector<Finding>& findings) {
  if (system.drivers.empty()) return;
  if (system.shim.empty()) {
    findings.push_back({kCudaArea, "shim", Level::kWrong, "Mortar's cuda/libcuda.so.1 is not installed",
                        "no CUDA program is scheduled",
                        "export MORTAR_LIB=/path/to/lib/mortar   # where it lies"});
    return;
  }
  const std::string folder = system.shim.substr(0, system.shim.rfind('/'));
  const auto path = Parts(Value(system, "LD_LIBRARY_PATH"));
  if (system.shim.find_first_of(": ") != std::string::npos) {
    findings.push_back({kCudaArea, "shim", Level::kWrong, system.shim + ": a path with a colon or a space",
                        "LD_LIBRARY_PATH cannot express it: no CUDA program is scheduled",
                        "cmake --install build/release --prefix /usr/local   # installs Mortar elsewhere"});
  } else if (std::find(path.begin(), path.end(), folder) != path.end() && !system.shadowing.empty()) {
    findings.push_back(
        {kCudaArea, "shim", Level::kWrong,
         system.shadowing.front() + " comes before Mortar's folder in LD_LIBRARY_PATH and has a libcuda.so.1",
         "CUDA programs load that one: they are not scheduled",
         "export LD_LIBRARY_PATH=" + Quoted(folder) + ":$LD_LIBRARY_PATH"});
  } else {
    findings.push_back({kCudaArea, "shim", Level::kOk, system.shim});
  }
}

void CheckComputeModes(const System& system, std::vector<Finding>& findings) {
  for (const auto& [address, mode] : system.modes) {
    if (mode == "exclusive" && (system.mps.daemon || system.mps.pipe)) continue;  // as MPS recommends
    findings.push_back({kCudaArea, "mode", Level::kWrong,
                        fmt::format("device {} has compute mode {}", address, mode),
                        mode == "exclusive" ? "a second program cannot use it: there is nothing to share"
                                            : "no CUDA program can use it",
                        fmt::format("sudo nvidia-smi -i {} -c DEFAULT", address)});
  }
}

void CheckBoardMode(const System& system, const BoardFacts& board, std::vector<Finding>& findings) {
  const bool mps = system.mps.daemon && system.mps.pipe;
  const auto mode = board.settings.mode;
  const std::string says = fmt::format("board {} says {}", board.device, model::DeviceModeName(mode));
  const std::string device = "mortar set --device " + Quoted(board.device) + " --mode ";
  if (mode == model::DeviceMode::kMerged && !mps) {
    findings.push_back({kCudaArea, "mps", Level::kWrong, says + ", but there is no MPS",
                        "changing over between programs is not charged: fills come late and harm the holder",
                        "mortar calibrate   # or: " + device + "sliced"});
  } else if (mode == model::DeviceMode::kSliced && mps) {
    findings.push_back(
        {kCudaArea, "mps", Level::kWrong, says + ", but MPS is running",
         "every fill is charged for changing over and waits for an idle device: less is filled",
         "mortar calibrate   # or: " + device + "merged"});
  } else if (mode == model::DeviceMode::kFifo) {
    findings.push_back({kCudaArea, "mps", Level::kNote,
                        says + ", as boards do at first: it was never calibrated",
                        "what changing over between programs costs is taken as nothing", "mortar calibrate"});
  }
}

}  // namespace

std::vector<Finding> CheckCuda(const System& system) {
  std::vector<Finding> findings;
  CheckDriver(system, findings);
  CheckShim(system, findings);
  CheckComputeModes(system, findings);
  return findings;
}

std::vector<Finding> CheckMps(const System& system) {
  std::vector<Finding> findings;
  const MpsFacts& mps = system.mps;
  if (mps.directory_set && !mps.pipe) {
    findings.push_back({kCudaArea, "mps", Level::kWrong,
                        "CUDA_MPS_PIPE_DIRECTORY=" + mps.directory + " has no daemon's pipe",
                        "CUDA programs started here run without MPS: their kernels do not overlap",
                        mps.daemon ? "unset CUDA_MPS_PIPE_DIRECTORY" : "nvidia-cuda-mps-control -d"});
  } else if (mps.daemon && !mps.pipe) {
    findings.push_back(
        {kCudaArea, "mps", Level::kWrong, "an MPS daemon is running, but its pipe is not in " + mps.directory,
         "CUDA programs started here run without MPS, beside those that run with it",
         "export CUDA_MPS_PIPE_DIRECTORY=/path/to/its/pipes   # see: sudo tr '\\0' '\\n' < /proc/$(pgrep -of "
         "mps-control)/environ"});
  } else if (mps.pipe && !mps.daemon && system.namespaces.count("pid") == 0) {
    findings.push_back(
        {kCudaArea, "mps", Level::kWrong, mps.directory + " holds the pipe of an MPS daemon that is gone",
         "CUDA programs wait for it in vain or fail with CUDA_ERROR_MPS_CONNECTION_FAILED",
         "rm -r " + Quoted(mps.directory) + "   # or start it again: nvidia-cuda-mps-control -d"});
  }
  for (const auto& board : system.boards) {
    if (board.problem.empty() && system.nvidia_devices.count(board.device) != 0)
      CheckBoardMode(system, board, findings);
  }
  if (findings.empty() && !system.drivers.empty()) {
    findings.push_back(
        {kCudaArea, "mps", Level::kOk, mps.pipe ? "running, pipe in " + mps.directory : "not in use"});
  }
  return findings;
}

}  // namespace mortar::cli
