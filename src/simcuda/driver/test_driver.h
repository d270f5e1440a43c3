// For this folder's tests alone: the simulated driver as programs see it, by its exported functions, with two
// devices in a folder of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cuda/api/types.h"
#include "simcuda/driver/host_kernels.h"

extern "C" std::uint64_t mortar_simcuda_refused(const char* name);
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) extern "C" CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace mortar::simcuda {
inline constexpr const char* kPtx = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry add_one(.param .u64 p, .param .u32 n) { ret; }
.visible .entry slow() { ret; }
.visible .entry fault() { ret; }
)";

// add_one takes 50 µs, slow 3 ms; copies 10 µs and a little; fault ends with an error.
class DriverTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!directory.empty()) return;
    char path[] = "/tmp/simcuda_driver_test-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory = path;
    const std::string file = std::string(path) + "/gpu.toml";
    std::ofstream(file) << "[device]\nname = \"Test GPU\"\nmemory_mib = 64\n[time]\ncopy_latency_us = 10\n"
                           "[default]\nus = 50\n[[kernel]]\nname = \"slow\"\nus = 3000\n"
                           "[[kernel]]\nname = \"fault\"\nerror = 700\n";
    const std::string other = std::string(path) + "/other.toml";
    std::ofstream(other)
        << "[device]\nname = \"Other GPU\"\nmemory_mib = 32\npci_address = \"0000:02:00.0\"\n"
           "compute_capability = \"8.6\"\n";
    atexit([] { std::filesystem::remove_all(directory); });
    setenv("MORTAR_DIR", path, 1);
    setenv("MORTAR_SIM_DEVICE", (file + ":" + other).c_str(), 1);
    ASSERT_EQ(cuInit(0), CUDA_SUCCESS);
    mortar_simcuda_register("add_one", [](const void* const* p, const unsigned int*, const unsigned int*) {
      auto* data = reinterpret_cast<int*>(*static_cast<const std::uint64_t*>(p[0]));
      const auto count = *static_cast<const std::uint32_t*>(p[1]);
      for (std::uint32_t i = 0; i < count; ++i) ++data[i];
    });
  }
  void SetUp() override {
    ASSERT_EQ(cuCtxCreate_v2(&context_, 0, 0), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleLoadData(&module_, kPtx), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleGetFunction(&add_one_, module_, "add_one"), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleGetFunction(&slow_, module_, "slow"), CUDA_SUCCESS);
  }
  void TearDown() override { EXPECT_EQ(cuCtxDestroy_v2(context_), CUDA_SUCCESS); }

  CUresult AddOne(CUdeviceptr data, std::uint32_t count, CUstream stream) {
    void* parameters[] = {&data, &count};
    return cuLaunchKernel(add_one_, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr);
  }
  CUresult Slow(CUstream stream) {
    return cuLaunchKernel(slow_, 1, 1, 1, 32, 1, 1, 0, stream, nullptr, nullptr);
  }
  CUstream NewStream(unsigned int flags = 0) {
    CUstream stream = nullptr;
    EXPECT_EQ(cuStreamCreate(&stream, flags), CUDA_SUCCESS);
    return stream;
  }

  static inline std::string directory;
  CUcontext context_ = nullptr;
  CUmodule module_ = nullptr;
  CUfunction add_one_ = nullptr;
  CUfunction slow_ = nullptr;
};

}  // namespace mortar::simcuda
