// The suite, and the programs that some of its tests run as processes of their own.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "cuda/conformance/kernels.h"
#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr int kSkipped = 0;

#define REQUIRE(condition)                                                         \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      return 1;                                                                    \
    }                                                                              \
  } while (false)

// A context with the suite's kernels; their text must stay.
CUresult Begin(CUcontext* context, CUmodule* module) {
  std::ifstream file(CONFORMANCE_PTX);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (const CUresult initialised = cuInit(0); initialised != CUDA_SUCCESS) return initialised;
  RegisterKernels();
  if (const CUresult made = cuCtxCreate_v2(context, 0, 0); made != CUDA_SUCCESS) return made;
  return cuModuleLoadData(module, text.c_str());
}

int Count() {
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  const CUresult begun = Begin(&context, &module);
  if (begun == CUDA_ERROR_NO_DEVICE) return kSkipped;
  REQUIRE(begun == CUDA_SUCCESS);
  CUfunction function = nullptr;
  REQUIRE(cuModuleGetFunction(&function, module, "add_one") == CUDA_SUCCESS);
  CUdeviceptr data = 0;
  REQUIRE(cuMemAlloc_v2(&data, 4) == CUDA_SUCCESS);
  REQUIRE(cuMemsetD32_v2(data, 0, 1) == CUDA_SUCCESS);
  unsigned int one = 1;
  void* parameters[] = {&data, &one};
  for (int i = 0; i < 100; ++i) {
    REQUIRE(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr) == CUDA_SUCCESS);
  }
  int value = -1;
  REQUIRE(cuMemcpyDtoH_v2(&value, data, 4) == CUDA_SUCCESS);
  REQUIRE(value == 100);
  REQUIRE(cuCtxDestroy_v2(context) == CUDA_SUCCESS);
  return 0;
}

// Waits for the child; both must have ended well.
int Both(pid_t child, int own) {
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return own;
}

int ForkBeforeUse() {
  const pid_t child = fork();
  if (child == 0) _exit(Count());
  return Both(child, Count());
}

int ForkAfterUse() {
  const int own = Count();
  const pid_t child = fork();
  if (child == 0) _exit(cuInit(0) == CUDA_ERROR_NOT_INITIALIZED || cuInit(0) == CUDA_ERROR_NO_DEVICE ? 0 : 1);
  return Both(child, own);
}

int Fault() {
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  const CUresult begun = Begin(&context, &module);
  if (begun == CUDA_ERROR_NO_DEVICE) return kSkipped;
  REQUIRE(begun == CUDA_SUCCESS);
  CUfunction function = nullptr;
  CUstream stream = nullptr;
  REQUIRE(cuModuleGetFunction(&function, module, "fault") == CUDA_SUCCESS);
  REQUIRE(cuStreamCreate(&stream, 1) == CUDA_SUCCESS);
  REQUIRE(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr) == CUDA_SUCCESS);
  REQUIRE(cuStreamSynchronize(stream) == CUDA_ERROR_ILLEGAL_ADDRESS);
  REQUIRE(cuStreamSynchronize(stream) == CUDA_ERROR_ILLEGAL_ADDRESS);
  CUdeviceptr data = 0;
  REQUIRE(cuMemAlloc_v2(&data, 4) == CUDA_ERROR_ILLEGAL_ADDRESS);
  REQUIRE(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr) ==
          CUDA_ERROR_ILLEGAL_ADDRESS);
  REQUIRE(cuCtxSynchronize() == CUDA_ERROR_ILLEGAL_ADDRESS);
  return 0;
}

// Busy with small requests until its input ends; then its sum must be right. Company for a suite that is a
// filler.
int Holder() {
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  REQUIRE(Begin(&context, &module) == CUDA_SUCCESS);
  CUfunction function = nullptr;
  REQUIRE(cuModuleGetFunction(&function, module, "add_one") == CUDA_SUCCESS);
  CUdeviceptr data = 0;
  REQUIRE(cuMemAlloc_v2(&data, 4) == CUDA_SUCCESS);
  REQUIRE(cuMemsetD32_v2(data, 0, 1) == CUDA_SUCCESS);
  unsigned int one = 1;
  void* parameters[] = {&data, &one};
  int expected = 0;
  for (pollfd input{0, POLLIN, 0}; poll(&input, 1, 1) == 0;) {
    for (int i = 0; i < 5; ++i) {
      REQUIRE(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr) == CUDA_SUCCESS);
    }
    REQUIRE(cuCtxSynchronize() == CUDA_SUCCESS);
    if (expected == 0) {
      std::puts("at work");
      std::fflush(stdout);
    }
    expected += 5;
  }
  int value = -1;
  REQUIRE(cuMemcpyDtoH_v2(&value, data, 4) == CUDA_SUCCESS);
  std::puts(value == expected ? "right" : "wrong");
  return value == expected ? 0 : 1;
}

}  // namespace
}  // namespace mortar::conformance

int main(int count, char** words) {
  using namespace mortar::conformance;
  const std::string mode = count > 1 ? words[1] : "";
  if (mode == "fork-before-use") return ForkBeforeUse();
  if (mode == "fork-after-use") return ForkAfterUse();
  if (mode == "fault") return Fault();
  if (mode == "holder") return Holder();
  testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
