// What the shim's tests share: the handlers over the mock driver, on a board of their own. For tests alone.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "backend/cuda/handlers.h"
#include "backend/cuda/mock/mock_driver.h"
#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"
#include "client/test_support.h"

namespace mortar::cuda {

inline constexpr char kMockDevice[] = "0000:0a:00.0";  // as the shim names the mock's first device

class CudaTest : public testing::Test {
 protected:
  void SetUp() override {
    mock.Clear();
    ASSERT_EQ(mortar_cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(mortar_cuStreamCreate(&stream, 0), CUDA_SUCCESS);
    function = MakeFunction("kernel");
    // Joins; whatever was submitted before is on the board.
    ASSERT_EQ(Launch(), CUDA_SUCCESS);
    ASSERT_EQ(mortar_cuCtxSynchronize(), CUDA_SUCCESS);
    auto opened = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    board = std::move(*opened);
  }

  static MockCuda& Mock() {
    static MockCuda* mock = [] {
      setenv("MORTAR_DIR", Directory().c_str(), 1);
      setenv("MORTAR_PROFILES", "", 1);
      setenv("MORTAR_NAME", "program", 1);
      setenv("MORTAR_PRIORITY", "5", 1);
      setenv("MORTAR_SLICE", "1000000", 1);
      setenv("MORTAR_CUDA_DRIVER", MOCK_DRIVER, 1);
      void* library = dlopen(MOCK_DRIVER, RTLD_NOW | RTLD_LOCAL);
      return reinterpret_cast<MockCuda* (*)()>(dlsym(library, "mortar_mock_cuda"))();
    }();
    return *mock;
  }
  static const std::string& Directory() {
    static const board::TemporaryDirectory directory;
    return directory.path();
  }

  static CUfunction MakeFunction(const char* name) {
    CUfunction made = nullptr;
    mortar_cuModuleGetFunction(&made, nullptr, name);
    return made;
  }
  CUresult Launch(unsigned int grid = 1) { return Launch(function, stream, grid); }
  static CUresult Launch(CUfunction f, CUstream s, unsigned int grid = 1) {
    return mortar_cuLaunchKernel(f, grid, 1, 1, 32, 1, 1, 0, s, nullptr, nullptr);
  }
  // Submits that the gate has counted. A wait hands the counts in.
  std::uint64_t Counted() {
    mortar_cuCtxSynchronize();
    return OwnSlot().counters.submits.load();
  }
  // This program's slot.
  board::Slot& OwnSlot() {
    int own = 0;
    for (int i = 0; i < board::kSlots; ++i) {
      const board::Slot& slot = board.slot(i);
      // Peers that a test plays have this pid too.
      const bool mine = slot.state.load() == board::kActive && slot.pid.load() == getpid();
      if (mine && board::ReadText(slot.name).starts_with("program")) own = i;
    }
    return board.slot(own);
  }

  MockCuda& mock = Mock();
  CUstream stream = nullptr;
  CUfunction function = nullptr;
  board::Board board;
};

}  // namespace mortar::cuda
