// The device by itself: what may run beside what, and what another program's kernels wait for.
#include "sim/device.h"

#include <gtest/gtest.h>

#include <map>

namespace mortar::sim {
namespace {

constexpr Ns kUs = 1000;

class DeviceTest : public testing::Test, public DeviceListener {
 protected:
  void OnStart(std::uint32_t tag, const Queued& /*queued*/, Ns /*ready*/, Ns start, Ns /*end*/) override {
    starts_[tag].push_back(start / kUs);
  }
  void OnDone(std::uint32_t /*tag*/, const Queued& /*queued*/, Ns /*start*/, Ns /*end*/) override {}

  // `us` long, submitted at `at_us`; `overlaps`: ran beside others when it was recorded.
  void Submit(std::uint32_t stream, Ns at_us, Ns us, bool overlaps = false) {
    RunUntil(at_us * kUs);
    ops_.push_back(std::make_unique<Op>());
    ops_.back()->duration_ns = us * kUs;
    ops_.back()->overlaps = overlaps;
    device_.Submit(stream, {.op = ops_.back().get(), .arrival_ns = at_us * kUs}, at_us * kUs);
  }
  void RunUntil(Ns end) {
    while (events_.top_at() <= end) device_.Run(static_cast<int>(events_.top()), events_.top_at());
  }
  std::vector<Ns> Starts(std::uint32_t stream) {
    RunUntil(1'000'000 * kUs);
    return starts_[stream];
  }

  EventTree events_{kEngines};
  Device device_{DeviceOptions{}, *this, events_, 0};
  std::uint32_t compute_ = device_.AddStream(0, 0);
  std::uint32_t collective_ = device_.AddStream(0, 1);
  std::uint32_t other_ = device_.AddStream(1, 2);
  std::vector<std::unique_ptr<Op>> ops_;
  std::map<std::uint32_t, std::vector<Ns>> starts_;
};

TEST_F(DeviceTest, FirstComeFirstServed) {
  Submit(compute_, 0, 100);
  Submit(other_, 10, 50);
  Submit(collective_, 20, 100);
  EXPECT_EQ(Starts(compute_), (std::vector<Ns>{0}));
  EXPECT_EQ(Starts(other_), (std::vector<Ns>{100}));
  EXPECT_EQ(Starts(collective_), (std::vector<Ns>{150}));
}

TEST_F(DeviceTest, WhatLeavesRoomDoesSoWhicheverOfTheTwoBeginsFirst) {
  Submit(collective_, 0, 1000, true);
  Submit(compute_, 10, 50);
  EXPECT_EQ(Starts(compute_), (std::vector<Ns>{10}));
}

// A short kernel of another program behind a long collective: the program's own go on beside it.
TEST_F(DeviceTest, WhatWaitsForAnotherProgramKeepsItFromNothing) {
  Submit(collective_, 0, 1000, true);
  Submit(other_, 10, 5);
  Submit(compute_, 20, 50);
  EXPECT_EQ(Starts(compute_), (std::vector<Ns>{20}));
  EXPECT_EQ(Starts(other_), (std::vector<Ns>{1000}));
}

}  // namespace
}  // namespace mortar::sim
