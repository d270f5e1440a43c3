#include "cuda/conformance/suite.h"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <numeric>

#include "cuda/conformance/kernels.h"

namespace mortar::conformance {
namespace {

std::atomic<bool> by_link{true};

// What cuGetProcAddress is to be asked for an exported symbol.
struct Asked {
  const char* symbol;
  const char* name;
  unsigned long long flags;
  int version;
};
constexpr Asked kAsked[] = {
#define MORTAR_CUDA_VERSION(name, per_thread, version, symbol)                                            \
  {#symbol, #name,                                                                                        \
   (per_thread) != 0 ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : CU_GET_PROC_ADDRESS_LEGACY_STREAM, \
   version},
#include "cuda/generated/versions.def"
#undef MORTAR_CUDA_VERSION
};

std::string Kernels() {
  std::ifstream file(CONFORMANCE_PTX);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

bool ByLink() { return by_link.load(); }

bool IsSimulated() { return dlsym(RTLD_DEFAULT, "mortar_simcuda_register") != nullptr; }

// Asked as a program is that was built with the version that brought this symbol.
void* FindByDriver(const char* name) {
  static std::mutex mutex;
  static std::map<std::string, void*> known;
  const std::lock_guard lock(mutex);
  auto [found, is_new] = known.try_emplace(name, nullptr);
  if (!is_new) return found->second;
  for (const Asked& asked : kAsked) {
    int status = 0;
    if (std::strcmp(asked.symbol, name) == 0)
      cuGetProcAddress_v2(asked.name, &found->second, asked.version, asked.flags, &status);
  }
  EXPECT_NE(found->second, nullptr) << "cuGetProcAddress knows no " << name;
  return found->second;
}

void SuiteTest::SetUp() {
  by_link = GetParam() == Way::kLink;
  const CUresult initialised = CU(cuInit)(0);
  if (initialised == CUDA_ERROR_NO_DEVICE) GTEST_SKIP() << "no CUDA device";
  ASSERT_CU(initialised);
  RegisterKernels();
  ASSERT_CU(CU(cuCtxCreate_v2)(&context_, 0, 0));
  static const std::string kernels = Kernels();
  ASSERT_CU(CU(cuModuleLoadData)(&module_, kernels.c_str())) << CONFORMANCE_PTX;
}

void SuiteTest::TearDown() {
  if (context_ == nullptr) return;
  EXPECT_CU(CU(cuCtxSynchronize)());
  for (const CUdeviceptr data : memory_) EXPECT_CU(CU(cuMemFree_v2)(data));
  for (CUstream stream : streams_) EXPECT_CU(CU(cuStreamDestroy_v2)(stream));
  EXPECT_CU(CU(cuModuleUnload)(module_));
  EXPECT_CU(CU(cuCtxDestroy_v2)(context_));
}

CUfunction SuiteTest::Function(const char* name) const {
  CUfunction function = nullptr;
  EXPECT_CU(CU(cuModuleGetFunction)(&function, module_, name)) << name;
  return function;
}

CUstream SuiteTest::Stream(unsigned int flags) {
  CUstream stream = nullptr;
  EXPECT_CU(CU(cuStreamCreate)(&stream, flags));
  streams_.push_back(stream);
  return stream;
}

CUdeviceptr SuiteTest::Memory(std::size_t bytes) {
  CUdeviceptr data = 0;
  EXPECT_CU(CU(cuMemAlloc_v2)(&data, bytes));
  memory_.push_back(data);
  return data;
}

CUdeviceptr SuiteTest::Ints(std::vector<int> values) {
  const CUdeviceptr data = Memory(values.size() * sizeof(int));
  EXPECT_CU(CU(cuMemcpyHtoD_v2)(data, values.data(), values.size() * sizeof(int)));
  EXPECT_CU(CU(cuStreamSynchronize)(nullptr));
  return data;
}

std::vector<int> SuiteTest::Read(CUdeviceptr data, std::size_t count) const {
  std::vector<int> values(count, -1);
  EXPECT_CU(CU(cuMemcpyDtoH_v2)(values.data(), data, count * sizeof(int)));
  return values;
}

CUresult SuiteTest::SlowStore(CUdeviceptr data, int value, CUstream stream) const {
  void* parameters[] = {&data, &value};
  return CU(cuLaunchKernel)(Function("slow_store"), 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr);
}
CUresult SuiteTest::ScaleAdd(CUdeviceptr data, int factor, int term, CUstream stream) const {
  void* parameters[] = {&data, &factor, &term};
  return CU(cuLaunchKernel)(Function("scale_add"), 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr);
}
CUresult SuiteTest::AddOne(CUdeviceptr data, unsigned int count, CUstream stream) const {
  void* parameters[] = {&data, &count};
  return CU(cuLaunchKernel)(Function("add_one"), (count + 255) / 256, 1, 1, 256, 1, 1, 0, stream, parameters,
                            nullptr);
}

Plug::Plug(CUstream stream) {
  EXPECT_CU(CU(cuLaunchHostFunc)(
      stream,
      [](void* released) {
        while (!static_cast<std::atomic<bool>*>(released)->load()) usleep(100);
      },
      &released_));
}

int RunSelf(const std::string& mode) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "conformance", mode.c_str(), nullptr);
    _exit(98);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace mortar::conformance
