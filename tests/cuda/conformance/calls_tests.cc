// Launches of every form, modules, errors, objects destroyed while they are busy, contexts, many threads.
#include <cstring>
#include <thread>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr unsigned int kNonBlocking = 1;

class CallTest : public SuiteTest {};

TEST_P(CallTest, ArgumentsArriveInTheirPlaces) {
  struct Pair {
    int first;
    long long second;
  };
  CUdeviceptr out = Memory(sizeof(long long));
  char a = 1;
  short b = 20;
  long long c = 300;
  Pair pair{4000, 50000};
  void* parameters[] = {&a, &b, &c, &pair, &out};
  CUfunction function = Function("sum_all");
  const auto sum = [&] {
    long long value = 0;
    EXPECT_CU(CU(cuMemcpyDtoH_v2)(&value, out, sizeof value));
    return value;
  };
  EXPECT_CU(CU(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr));
  EXPECT_EQ(sum(), 54321);
  // The same as one buffer: offsets as the kernel has them.
  alignas(8) char buffer[48] = {};
  const std::size_t offsets[] = {0, 2, 8, 16, 32};
  const std::size_t sizes[] = {1, 2, 8, 16, 8};
  c = 600;
  for (int i = 0; i < 5; ++i) {
    std::size_t offset = 0;
    std::size_t size = 0;
    EXPECT_CU(CU(cuFuncGetParamInfo)(function, static_cast<std::size_t>(i), &offset, &size));
    EXPECT_EQ(offset, offsets[i]);
    EXPECT_EQ(size, sizes[i]);
    std::memcpy(buffer + offset, parameters[i], size);
  }
  std::size_t bytes = 40;
  void* extra[] = {reinterpret_cast<void*>(1), buffer, reinterpret_cast<void*>(2), &bytes, nullptr};
  EXPECT_CU(CU(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra));
  EXPECT_EQ(sum(), 54621);
}

TEST_P(CallTest, LaunchWithAttributes) {
  CUstream stream = Stream();
  CUdeviceptr data = Ints({1});
  int factor = 10;
  int term = 6;
  void* parameters[] = {&data, &factor, &term};
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
  attribute.value.number = 0;
  const CUlaunchConfig config{1, 1, 1, 1, 1, 1, 0, stream, &attribute, 1};
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_CU(CU(cuLaunchKernelEx)(&config, Function("scale_add"), parameters, nullptr));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 26);
}

TEST_P(CallTest, LibrariesKernelsAndTheirNames) {
  CUlibrary library = nullptr;
  CUdeviceptr data = Ints({1});
  const char* name = nullptr;
  EXPECT_CU(CU(cuFuncGetName)(&name, Function("add_one")));
  EXPECT_STREQ(name, "add_one");
  ASSERT_CU(CU(cuLibraryLoadFromFile)(&library, CONFORMANCE_PTX, nullptr, nullptr, 0, nullptr, nullptr, 0));
  CUkernel kernel = nullptr;
  ASSERT_CU(CU(cuLibraryGetKernel)(&kernel, library, "add_one"));
  EXPECT_CU(CU(cuKernelGetName)(&name, kernel));
  EXPECT_STREQ(name, "add_one");
  CUfunction function = nullptr;
  EXPECT_CU(CU(cuKernelGetFunction)(&function, kernel));
  unsigned int count = 1;
  void* parameters[] = {&data, &count};
  EXPECT_CU(CU(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr));
  // A kernel may be launched where a function is asked for.
  EXPECT_CU(CU(cuLaunchKernel)(reinterpret_cast<CUfunction>(kernel), 1, 1, 1, 1, 1, 1, 0, nullptr, parameters,
                               nullptr));
  EXPECT_EQ(ReadOne(data), 3);
  EXPECT_CU(CU(cuLibraryUnload)(library));
}

TEST_P(CallTest, MistakesAreAnsweredAndLeaveNothing) {
  CUfunction function = nullptr;
  EXPECT_EQ(CU(cuModuleGetFunction)(&function, module_, "no_such_kernel"), CUDA_ERROR_NOT_FOUND);
  CUdeviceptr data = Ints({1});
  unsigned int count = 1;
  void* parameters[] = {&data, &count};
  function = Function("add_one");
  EXPECT_EQ(CU(cuLaunchKernel)(function, 0, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuLaunchKernel)(function, 1, 1, 1, 2048, 1, 1, 0, nullptr, parameters, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuLaunchKernel)(nullptr, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(CU(cuStreamCreate)(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemAlloc_v2)(&data, 0), CUDA_ERROR_INVALID_VALUE);
  int device = -1;
  EXPECT_EQ(CU(cuDeviceGet)(&device, 1000), CUDA_ERROR_INVALID_DEVICE);
  CUmodule module = nullptr;
  EXPECT_NE(CU(cuModuleLoadData)(&module, "this is no module"), CUDA_SUCCESS);
  EXPECT_CU(CU(cuCtxSynchronize)());
  const char* text = nullptr;
  EXPECT_CU(CU(cuGetErrorName)(CUDA_ERROR_NOT_READY, &text));
  EXPECT_STREQ(text, "CUDA_ERROR_NOT_READY");
  EXPECT_EQ(CU(cuGetErrorString)(static_cast<CUresult>(98765), &text), CUDA_ERROR_INVALID_VALUE);
}

TEST_P(CallTest, ObjectsDestroyedWhileTheyAreBusy) {
  CUstream stream = nullptr;
  CUevent event = nullptr;
  ASSERT_CU(CU(cuStreamCreate)(&stream, kNonBlocking));
  ASSERT_CU(CU(cuEventCreate)(&event, 0));
  const CUdeviceptr data = Ints({1});
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_CU(CU(cuEventRecord)(event, stream));
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(CU(cuEventDestroy_v2)(event));
  EXPECT_CU(CU(cuStreamDestroy_v2)(stream)) << "what is in it still runs";
  EXPECT_CU(CU(cuCtxSynchronize)());
  EXPECT_EQ(ReadOne(data), 21);
  CUdeviceptr other = 0;
  ASSERT_CU(CU(cuMemAlloc_v2)(&other, 4));
  EXPECT_CU(SlowStore(other, 1, nullptr));
  EXPECT_CU(CU(cuMemFree_v2)(other)) << "waits for the kernel that uses it";
  EXPECT_CU(CU(cuStreamQuery)(nullptr));
}

TEST_P(CallTest, ContextsAreToldApart) {
  CUcontext other = nullptr;
  ASSERT_CU(CU(cuCtxCreate_v2)(&other, 0, 0));
  CUcontext now = nullptr;
  EXPECT_CU(CU(cuCtxGetCurrent)(&now));
  EXPECT_EQ(now, other);
  CUstream stream = nullptr;
  EXPECT_CU(CU(cuStreamCreate)(&stream, 0));
  CUcontext popped = nullptr;
  EXPECT_CU(CU(cuCtxPopCurrent_v2)(&popped));
  EXPECT_EQ(popped, other);
  EXPECT_CU(CU(cuCtxGetCurrent)(&now));
  EXPECT_EQ(now, context_);
  EXPECT_CU(CU(cuCtxPushCurrent_v2)(other));
  EXPECT_CU(CU(cuCtxDestroy_v2)(other)) << "with a stream in it";
  EXPECT_CU(CU(cuCtxGetCurrent)(&now));
  EXPECT_EQ(now, context_);
  CUcontext primary = nullptr;
  EXPECT_CU(CU(cuDevicePrimaryCtxRetain)(&primary, 0));
  unsigned int flags = 0;
  int active = 0;
  EXPECT_CU(CU(cuDevicePrimaryCtxGetState)(0, &flags, &active));
  EXPECT_EQ(active, 1);
  EXPECT_CU(CU(cuDevicePrimaryCtxRelease_v2)(0));
}

TEST_P(CallTest, LookUpsHeedVersionsAndStreams) {
  void* newest = nullptr;
  void* per_thread = nullptr;
  void* none = nullptr;
  int status = -1;
  EXPECT_CU(CU(cuGetProcAddress_v2)("cuLaunchKernel", &newest, 12000, 0, &status));
  EXPECT_EQ(status, 0);
  EXPECT_CU(CU(cuGetProcAddress_v2)("cuLaunchKernel", &per_thread, 12000, 2, &status));
  EXPECT_NE(newest, per_thread);
  EXPECT_NE(CU(cuGetProcAddress_v2)("cuNoSuchFunction", &none, 12000, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(status, 1);
  EXPECT_NE(CU(cuGetProcAddress_v2)("cuGraphLaunch", &none, 8000, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(status, 2) << "newer than what was asked for";
}

// 32 threads with two streams each: every thread's own sum must come out, whatever the order.
TEST_P(CallTest, ManyThreadsAndStreams) {
  constexpr int kThreads = 32;
  constexpr int kRounds = 40;
  const CUdeviceptr data = Ints(std::vector<int>(2 * kThreads, 0));
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      EXPECT_CU(CU(cuCtxSetCurrent)(context_));
      CUstream streams[2] = {};
      for (CUstream& stream : streams) EXPECT_CU(CU(cuStreamCreate)(&stream, kNonBlocking));
      for (int round = 0; round < kRounds; ++round) {
        for (int s = 0; s < 2; ++s) {
          const CUdeviceptr own = data + static_cast<CUdeviceptr>(2 * i + s) * sizeof(int);
          EXPECT_CU(AddOne(own, 1, streams[s]));
          if (round % 10 != 9) continue;
          int value = -1;
          EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(&value, own, sizeof value, streams[s]));
          EXPECT_EQ(value, round + 1);
        }
      }
      for (CUstream stream : streams) {
        EXPECT_CU(CU(cuStreamSynchronize)(stream));
        EXPECT_CU(CU(cuStreamDestroy_v2)(stream));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Read(data, 2 * kThreads), std::vector<int>(2 * kThreads, kRounds));
}

TEST_P(CallTest, OccupancyIsPlausible) {
  int blocks = 0;
  EXPECT_CU(CU(cuOccupancyMaxActiveBlocksPerMultiprocessor)(&blocks, Function("add_one"), 256, 0));
  EXPECT_GE(blocks, 1);
  int grid = 0;
  int block = 0;
  EXPECT_CU(CU(cuOccupancyMaxPotentialBlockSize)(&grid, &block, Function("add_one"), nullptr, 0, 0));
  EXPECT_GE(grid, 1);
  EXPECT_GE(block, 32);
}

CONFORMANCE_BOTH_WAYS(CallTest);

// Programs of their own, since they leave their process as it should not be for others (main.cc).
TEST(ProgramTest, ForkBeforeUse) { EXPECT_EQ(RunSelf("fork-before-use"), 0); }
TEST(ProgramTest, ChildOfAProcessThatUsedCudaIsTold) { EXPECT_EQ(RunSelf("fork-after-use"), 0); }
TEST(ProgramTest, AsynchronousErrorsStick) { EXPECT_EQ(RunSelf("fault"), 0); }

}  // namespace
}  // namespace mortar::conformance
