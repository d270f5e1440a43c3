// Every function of the driver's interface that no other file of this folder defines:
// CUDA_ERROR_NOT_SUPPORTED, counted by name (mortar_simcuda_refused), and said once on stderr.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/owner.h"
#include "cuda/api/symbols.h"
#include "cuda/api/types.h"
#include "simcuda/driver/report.h"

namespace mortar::simcuda {
namespace {

constinit std::atomic<std::uint32_t> refused[cuda::kSymbols];

CUresult Refuse(cuda::Symbol symbol) {
  if (refused[cuda::Index(symbol)].fetch_add(1, std::memory_order_relaxed) == 0) {
    const char* name = cuda::NameOf(symbol);
    const char* advice = symbol == cuda::Symbol::cuGetExportTable
                             ? "this program carries NVIDIA's own CUDA runtime or libraries, which ask for "
                               "the driver's private "
                               "tables; build it with nvcc -cudart shared, or run it on a real GPU"
                             : "what needs it must run on a real GPU";
    base::LogOnce(name, std::string("simulated CUDA device: ") + name +
                            " is not simulated and answers CUDA_ERROR_NOT_SUPPORTED; " + advice);
  }
  return CUDA_ERROR_NOT_SUPPORTED;
}

void WriteReport() {
  const char* where = getenv("MORTAR_SIM_DEVICE_REPORT");
  if (where == nullptr || *where == '\0') return;
  const bool to_stderr = std::string(where) == "-";
  base::Fd file;
  if (!to_stderr) file = base::Fd(open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  std::string text;
  for (int i = 0; i < cuda::kSymbols; ++i) {
    const std::uint32_t count = refused[i].load();
    if (count == 0) continue;
    text += "refused " + std::to_string(count) + " " + cuda::NameOf(static_cast<cuda::Symbol>(i)) + "\n";
  }
  if (text.empty()) text = "refused nothing\n";
  const int fd = to_stderr ? STDERR_FILENO : file.get();
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    base::Log(std::string("simulated CUDA device: cannot write the report that MORTAR_SIM_DEVICE_REPORT=") +
              where + " asks for");
  }
}

}  // namespace

void StartReport() {
  if (getenv("MORTAR_SIM_DEVICE_REPORT") != nullptr) atexit(&WriteReport);
}

}  // namespace mortar::simcuda

// The mark by which others know that this is no real driver (cuda/api/device_name.h).
extern "C" __attribute__((visibility("default"))) const int mortar_simulated_cuda;
const int mortar_simulated_cuda = 1;

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments)                      \
  extern "C" __attribute__((visibility("default"), weak)) CUresult symbol parameters; \
  CUresult symbol parameters {                                                        \
    const auto ignore = [](auto...) {};                                               \
    ignore arguments;                                                                 \
    return mortar::simcuda::Refuse(mortar::cuda::Symbol::symbol);                     \
  }
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// How often `name` was called and refused; of all functions, where it is null.
extern "C" __attribute__((visibility("default"))) std::uint64_t mortar_simcuda_refused(const char* name) {
  using mortar::simcuda::refused;
  if (name != nullptr) {
    const auto symbol = mortar::cuda::FindSymbol(name);
    return symbol == mortar::cuda::Symbol::kEnd ? 0 : refused[mortar::cuda::Index(symbol)].load();
  }
  std::uint64_t all = 0;
  for (const auto& count : refused) all += count.load();
  return all;
}
