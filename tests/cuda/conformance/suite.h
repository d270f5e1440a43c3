// What the conformance suite's tests share: the driver's functions, obtained in two ways, a context, the
// kernels, and a few helpers. Compiled over the interface's declarations alone and linked with nothing of
// Mortar, so that it runs on any libcuda.so.1: a real one, the simulated one, and the shim over either.
//
// One thread sets up; CU(name) is for any thread.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "cuda/api/types.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) extern "C" CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// The CUDA function `name`, in the way of the test that runs.
#define CU(name) \
  (::mortar::conformance::ByLink() ? &::name : ::mortar::conformance::LookUp<decltype(&::name)>(#name))

namespace mortar::conformance {

// Of the running test: by the dynamic linker, or by cuGetProcAddress.
bool ByLink();
// The function that cuGetProcAddress answers for the exported symbol `name`; a failure of the test where
// none.
void* FindByDriver(const char* name);
template <typename Function>
Function LookUp(const char* name) {
  return reinterpret_cast<Function>(FindByDriver(name));
}

bool IsSimulated();

enum class Way { kLink, kGetProcAddress };

class SuiteTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override;
  void TearDown() override;

  CUfunction Function(const char* name) const;
  CUstream Stream(unsigned int flags = 0);
  CUdeviceptr Memory(std::size_t bytes);
  // Memory of `bytes` that begins with `value`; the legacy default stream is idle afterwards.
  CUdeviceptr Ints(std::vector<int> values);
  std::vector<int> Read(CUdeviceptr data, std::size_t count) const;
  int ReadOne(CUdeviceptr data) const { return Read(data, 1).at(0); }

  // Launches on `stream`: 20 ms and then *data = value; *data = *data * factor + term.
  CUresult SlowStore(CUdeviceptr data, int value, CUstream stream) const;
  CUresult ScaleAdd(CUdeviceptr data, int factor, int term, CUstream stream) const;
  CUresult AddOne(CUdeviceptr data, unsigned int count, CUstream stream) const;

  CUcontext context_ = nullptr;
  CUmodule module_ = nullptr;

 private:
  std::vector<CUstream> streams_;
  std::vector<CUdeviceptr> memory_;
};

// Holds a stream up until it is released, by a host function: so that what is behind it is not done, however
// long anything else takes.
class Plug {
 public:
  explicit Plug(CUstream stream);
  ~Plug() { Release(); }
  Plug(const Plug&) = delete;
  void Release() { released_.store(true); }

 private:
  std::atomic<bool> released_{false};
};

#define EXPECT_CU(call) EXPECT_EQ(call, CUDA_SUCCESS)
#define ASSERT_CU(call) ASSERT_EQ(call, CUDA_SUCCESS)
#define CONFORMANCE_BOTH_WAYS(suite)                                  \
  INSTANTIATE_TEST_SUITE_P(                                           \
      Ways, suite, testing::Values(Way::kLink, Way::kGetProcAddress), \
      [](const auto& way) { return std::string(way.param == Way::kLink ? "link" : "cuGetProcAddress"); })

// For programs of the suite's own (programs.cc): runs this executable again with `mode`; its exit code.
int RunSelf(const std::string& mode);

}  // namespace mortar::conformance
