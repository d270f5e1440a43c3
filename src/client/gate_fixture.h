// For the tests of the gate alone: one client at its gate, its clock and sleeps played by the test, with a
// holder and another filler.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "board/fill_word.h"
#include "board/test_support.h"
#include "client/gate.h"
#include "client/test_support.h"
#include "policy/policy.h"

namespace mortar::client {

inline constexpr std::int64_t kUs = 1'000;
inline constexpr std::int64_t kMs = 1'000'000;
inline constexpr std::int64_t kStart = 1'000'000 * kMs;  // board time at which every test begins
inline constexpr char kGateDevice[] = "gate-test";

// Time stands still but for sleeps, and for what the test adds.
class FakeHost : public Gate::Host {
 public:
  std::int64_t NowNs() override {
    ++looks;
    if (on_look) on_look(looks);
    return now;
  }
  void Sleep(std::uint32_t, std::int64_t until_ns) override {
    EXPECT_GT(until_ns, now) << "a sleep into the past would spin";
    EXPECT_LE(until_ns, now + policy::kLongestSleepNs) << "every wait has a time-out";
    now = std::max(now + 1, until_ns);
    if (++sleeps == 100'000) {
      ADD_FAILURE() << "held for ever";
      release();
    }
    if (on_sleep) on_sleep();
  }

  void OnOverslept() override { ++overslept; }
  void OnHeldLong() override {
    if (on_held_long) on_held_long();
  }

  std::int64_t now = kStart;
  int overslept = 0;
  int looks = 0;
  int sleeps = 0;
  std::function<void(int)> on_look;  // which look at the clock this is, from 1
  std::function<void()> on_sleep;
  std::function<void()> on_held_long;
  std::function<void()> release;  // lets a thread go that would be held for ever
};

class GateTest : public testing::Test {
 protected:
  // A holder (priority 0), another filler (5) and the client under test (5), all joined.
  void SetUp() override {
    ASSERT_TRUE(holder.joined() && other.joined() && own.joined());
    holder.slot().idle_after_ns.store(20 * kMs);
    host.release = [this] {
      own.board().header().off.store(1);
      own.board().Bump();
    };
  }

  Admission Admit(std::int64_t length_ns) {
    LaneWriter lane = own.writer();
    return gate.Admit(&watch, &lane, {length_ns}, &shared);
  }
  // The holder is in the program: device free at `busy`, next submit foretold for `next`, slack until
  // `latest`.
  void HolderRuns(std::int64_t busy, std::int64_t next, std::int64_t latest = 0) {
    holder.writer().Publish(board::kLaneRunning, host.now,
                            {.busy_until_ns = busy, .next_submit_ns = next, .latest_free_ns = latest});
  }
  board::FillWord Claimed() { return board::UnpackFill(own.board().header().fill_until.load()); }
  void SetPolicy(model::PolicyId id) {
    own.board().header().policy.store(static_cast<std::uint32_t>(id));
    own.board().Bump();
  }

  board::TemporaryDirectory directory;
  FakePeer holder{directory.path(), kGateDevice, "holder", 0};
  FakePeer other{directory.path(), kGateDevice, "other", 5};
  FakePeer own{directory.path(), kGateDevice, "own", 5};
  FakeHost host;
  Gate gate{own.board(), host, own.index()};
  Watch watch;
  Gate::Shared shared;
};

}  // namespace mortar::client
