#include "mortar/cuda_setup.h"

#include <elf.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "board/view.h"
#include "cuda/api/find_driver.h"
#include "mortar/layers.h"
#include "simcuda/device/description.h"

namespace mortar::cli {
namespace {

constexpr char kShim[] = "cuda/libcuda.so.1";
constexpr char kSimulated[] = "simcuda/libcuda.so.1";
constexpr char kHook[] = "libmortar-cuda-hook.so";

std::string Find(const std::string& name) {
  const std::string installed = FindLibrary(name);
  return installed.empty() ? FindLibrary("mortar/" + name) : installed;  // of a build tree
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool Is32Bit(const std::string& program) {
  std::array<char, EI_NIDENT> start{};
  std::ifstream(program, std::ios::binary).read(start.data(), start.size());
  return start[0] == ELFMAG0 && start[1] == ELFMAG1 && start[2] == ELFMAG2 && start[3] == ELFMAG3 &&
         start[EI_CLASS] == ELFCLASS32;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool IsLikelyFiller(const std::string& priority) {
  constexpr int kDefault = 5;  // as clients without a word of their own have it
  return (priority.empty() ? kDefault : std::atoi(priority.c_str())) >= kDefault;
}

}  // namespace

std::string PutFirst(const std::string& list, const std::string& entry) {
  std::string result = entry;
  for (std::size_t start = 0; start < list.size();) {
    const std::size_t end = std::min(list.find(':', start), list.size());
    const std::string one = list.substr(start, end - start);
    if (!one.empty() && one != entry) result += ":" + one;
    start = end + 1;
  }
  return result;
}

CudaSurroundings ReadCudaSurroundings(const std::string& priority) {
  return {Variable("LD_LIBRARY_PATH"), Variable("LD_PRELOAD"), Variable("CUDA_MPS_CLIENT_PRIORITY"),
          priority.empty() ? Variable("MORTAR_PRIORITY") : priority};
}

base::Status UseSimDevice(const std::string& description) {
  if (const auto read = simcuda::Description::Read(description); !read.ok()) {
    return base::Error{read.error().code, "--sim-device: " + read.error().message};
  }
  const std::string driver = Find(kSimulated);
  if (driver.empty()) {
    return base::Error{base::Code::kNotFound, std::string("--sim-device: ") + kSimulated +
                                                  " is not installed; build it, or set MORTAR_LIB"};
  }
  if (driver.find(':') != std::string::npos) {
    return base::Error{base::Code::kInvalid, "--sim-device: the path " + driver +
                                                 " contains a colon, which LD_LIBRARY_PATH cannot express; "
                                                 "install Mortar elsewhere"};
  }
  char* real = realpath(description.c_str(), nullptr);  // the program may change its folder before it reads
  setenv("MORTAR_SIM_DEVICE", real != nullptr ? real : description.c_str(), 1);
  std::free(real);
  setenv("MORTAR_CUDA_DRIVER", driver.c_str(), 1);
  const std::string path = PutFirst(Variable("LD_LIBRARY_PATH"), FolderOf(driver));
  setenv("LD_LIBRARY_PATH", path.c_str(), 1);
  return {};
}

CudaSetup SetUpCuda(const CudaSurroundings& now, const std::string& program) {
  CudaSetup setup;
  setup.shim = Find(kShim);
  const auto candidates = cuda::DriverCandidates(setup.shim);
  if (candidates.empty()) return setup;
  setup.driver = candidates.front();
  const std::string hook = Find(kHook);
  if (setup.shim.empty()) {
    setup.problem =
        std::string(kShim) + " is not installed: CUDA calls are not scheduled; build it, or set MORTAR_LIB";
  } else if (Is32Bit(program)) {
    setup.problem = board::CleanText(program) +
                    " is a 32-bit program: its CUDA calls are not scheduled; run a 64-bit build of it";
  } else if ((setup.shim + hook).find_first_of(": ") != std::string::npos) {
    setup.problem =
        "the path " + setup.shim +
        " contains a colon or a space, which LD_LIBRARY_PATH or LD_PRELOAD cannot express: CUDA calls are "
        "not scheduled; install Mortar elsewhere";
  } else {
    setup.environment["LD_LIBRARY_PATH"] = PutFirst(now.library_path, FolderOf(setup.shim));
    if (!hook.empty()) setup.environment["LD_PRELOAD"] = PutFirst(now.preload, hook);
    // Heeded under MPS only: kernels of such a client give way where those of several overlap.
    if (now.mps_priority.empty() && IsLikelyFiller(now.priority))
      setup.environment.emplace("CUDA_MPS_CLIENT_PRIORITY", "1");
  }
  return setup;
}

}  // namespace mortar::cli
