// The layer over a fake driver and a fake clock: what its tests share. Durations: kernel "k" 100 us, "long" 3
// s, launch latency 5 us, transfers 8 us plus 1 us for each 1,000 bytes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "emulated/layer/fake_driver.h"
#include "emulated/layer/state.h"

namespace mortar::emulated {

inline constexpr std::int64_t kUs = 1'000;
inline constexpr std::int64_t kStart = 1'000'000'000;

class FakeClock final : public Clock {
 public:
  std::int64_t NowNs() override { return now.load(); }
  void WaitUntil(std::int64_t instant_ns) override {
    if (now.load() < instant_ns) now.store(instant_ns);
  }
  std::atomic<std::int64_t> now{kStart};
};

inline Table TestTable() {
  return Table::Parse("copy 1 8\nkernel k 100\nkernel long 3000000\n", "t").value();
}

class LayerTest : public testing::Test {
 protected:
  LayerTest() {
    std::string pattern = testing::TempDir() + "/layer_XXXXXX";
    directory_ = mkdtemp(pattern.data());
    // Never freed, as in a program: the timer's thread goes on using it.
    static auto* const kept = new std::vector<std::pair<State*, FakeClock*>>;
    clock_ = new FakeClock;
    state_ = new State(TestTable(), *clock_, directory_);
    kept->emplace_back(state_, clock_);
    state_->driver = driver_.dispatch();
    SetCurrent(state_);
    FillDispatch(state_->driver, &cl_);
  }
  ~LayerTest() override {
    SetCurrent(nullptr);
    std::filesystem::remove_all(directory_);
  }

  cl_int Launch(cl_command_queue queue, cl_event* event = nullptr, std::vector<cl_event> waits = {},
                cl_kernel kernel = nullptr) {
    const std::size_t items = 64;
    return cl_.clEnqueueNDRangeKernel(queue, kernel == nullptr ? &kernel_ : kernel, 1, nullptr, &items,
                                      nullptr, static_cast<cl_uint>(waits.size()),
                                      waits.empty() ? nullptr : waits.data(), event);
  }
  cl_int StatusOf(cl_event event) {
    cl_int status = 99;
    EXPECT_EQ(cl_.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr),
              CL_SUCCESS);
    return status;
  }
  std::int64_t Elapsed() const { return clock_->now.load() - kStart; }
  TimelineReport Report() { return state_->timelines.Find(0)->Report(); }

  FakeDriver driver_;
  std::string directory_;
  State* state_;
  FakeClock* clock_;
  cl_icd_dispatch cl_{};
  _cl_command_queue in_order_;
  _cl_command_queue out_of_order_{CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE};
  _cl_command_queue profiled_{CL_QUEUE_PROFILING_ENABLE};
  _cl_kernel kernel_{"k"};
  _cl_kernel long_kernel_{"long"};
};

}  // namespace mortar::emulated
