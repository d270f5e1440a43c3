// What the layer's tests share: the layer installed over the mock driver, once per process, on a board of its
// own. For tests alone.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "backend/opencl/layer.h"
#include "backend/opencl/mock_driver.h"
#include "board/test_support.h"
#include "board/view.h"
#include "client/test_support.h"

namespace mortar::opencl {

inline constexpr char kMockDevice[] = "Mock-device-0";  // as the layer names MockDriver::device()

class LayerTest : public testing::Test {
 protected:
  void SetUp() override { mock.Clear(); }

  // The layer's functions, as the loader gets them. The program's priority is 5.
  static const cl_icd_dispatch& Layer() {
    static const cl_icd_dispatch* table = [] {
      setenv("MORTAR_DIR", Directory().c_str(), 1);
      setenv("MORTAR_PROFILES", "", 1);
      setenv("MORTAR_NAME", "program", 1);
      setenv("MORTAR_PRIORITY", "5", 1);
      // Kernels of programs that a test makes from source are cut; all others are not.
      setenv("MORTAR_SLICE", "1000000", 1);
      return Install(MockDriver::Get().dispatch(), kTableSize);
    }();
    return *table;
  }
  static const std::string& Directory() {
    static const board::TemporaryDirectory directory;
    return directory.path();
  }

  cl_command_queue MakeQueue(cl_command_queue_properties properties = 0) {
    cl_int error = CL_SUCCESS;
    return Layer().clCreateCommandQueue(nullptr, mock.device(), properties, &error);
  }
  cl_kernel MakeKernel(const char* name = "kernel") { return Layer().clCreateKernel(nullptr, name, nullptr); }
  cl_int Launch(cl_command_queue queue, cl_kernel kernel, cl_event* event = nullptr,
                std::size_t global = 64) {
    return Layer().clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &global, nullptr, 0, nullptr, event);
  }
  // Launches until `kernel` is sampled no more than once in many launches.
  void WarmUp(cl_command_queue queue, cl_kernel kernel) {
    for (int i = 0; i < 1500; ++i) {
      Launch(queue, kernel);
      Layer().clFinish(queue);
    }
  }

  // This program's slot on the board of the mock device. REQUIRES: it has joined.
  static board::Slot& OwnSlot(const board::Board& board) {
    int own = 0;
    for (int i = 0; i < board::kSlots; ++i) {
      const board::Slot& slot = board.slot(i);
      // Peers that a test plays have this pid too.
      const bool mine = slot.state.load() == board::kActive && slot.pid.load() == getpid();
      if (mine && board::ReadText(slot.name).starts_with("program")) own = i;
    }
    return board.slot(own);
  }

  MockDriver& mock = MockDriver::Get();
};

}  // namespace mortar::opencl
