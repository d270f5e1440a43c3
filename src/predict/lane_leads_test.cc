// From a submit to its start: learned where the device was idle, counted from by the models, published so
// that nobody overtakes.
#include <gtest/gtest.h>

#include "predict/lane.h"

namespace mortar::predict {
namespace {

constexpr std::int64_t kUs = 1000;

// A program that waits for each of its kernels of 40 us; a launch takes `lead` to reach the device.
class LeadTest : public testing::Test {
 protected:
  Forecast Round(std::int64_t lead_ns, std::int64_t gap_ns = 500 * kUs,
                 model::Copies copies = model::kNoCopies) {
    const std::int64_t at = now_;
    const Forecast f = lane_.OnSubmit({.kernel = kernel_, .now_ns = now_, .stream = 1, .copies = copies});
    if (lane_.WantsDuration()) lane_.OnSampled(*kernel_, at, 40 * kUs, at + lead_ns);
    lane_.OnWaitEnter(now_);
    now_ += lead_ns + 40 * kUs;
    waited_ = lane_.OnWaitReturn(now_, lane_.last_sequence());
    now_ += gap_ns;
    return f;
  }
  Kernel* MakeKernel() {
    Kernel* kernel = kernels_.FindOrAdd(7, "k");
    for (int i = 0; i < 3; ++i) kernels_.AddSample(*kernel, 40 * kUs, false);
    return kernel;
  }

  KernelTable kernels_;
  LanePredictor lane_{kernels_, 1};
  Kernel* kernel_ = MakeKernel();
  std::int64_t now_ = 1'000'000'000;
  Forecast waited_;
};

TEST_F(LeadTest, TheModelsCountFromTheStartOnTheDevice) {
  for (int i = 0; i < 40; ++i) Round(8 * kUs);
  const std::int64_t at = now_;
  const Forecast f = Round(8 * kUs);
  EXPECT_EQ(f.busy_until_ns, at + 48 * kUs);
  // The next submit comes 500 us after the wait, and needs the device 8 us later.
  EXPECT_EQ(waited_.next_submit_ns, at + 48 * kUs + 508 * kUs);
  EXPECT_EQ(f.arrived_ns, at + 8 * kUs + 2 * kUs + kUs) << "a quarter and a microsecond of allowance";
}

// Without instants, as from CUDA's events: what a launch on an idle device takes longer than one behind
// others.
TEST_F(LeadTest, IsLearnedFromLooseSamples) {
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(lane_.LessLead(*kernel_, 44 * kUs), 44 * kUs) << "nothing to compare with";
  EXPECT_EQ(lane_.lead_ns(), 0);
  for (int i = 0; i < 4; ++i) kernels_.AddSample(*kernel_, 40 * kUs, false);
  // Now and then contexts are switched in between.
  for (int i = 0; i < 16; ++i) lane_.LessLead(*kernel_, (i % 4 == 0 ? 64 : 44) * kUs);
  EXPECT_EQ(lane_.lead_ns(), 4 * kUs);
  EXPECT_EQ(lane_.LessLead(*kernel_, 44 * kUs), 40 * kUs);
  const Forecast f = lane_.OnSubmit({.kernel = kernel_, .now_ns = now_, .stream = 1});
  EXPECT_LE(f.arrived_ns, now_ + 8 * kUs) << "nor does anybody wait for such a launch to arrive";
}

TEST_F(LeadTest, WhatTakesTooLongIsNoLead) {
  for (int i = 0; i < 40; ++i) Round(3'000 * kUs);
  EXPECT_EQ(lane_.lead_ns(), 0);
}

TEST_F(LeadTest, ASubmitBehindOthersWorkTeachesNoLead) {
  for (int i = 0; i < 40; ++i) {
    const std::int64_t at = now_;
    lane_.OnSubmit({.kernel = kernel_, .now_ns = now_, .not_before_ns = now_ + 30 * kUs, .stream = 1});
    lane_.OnSampled(*kernel_, at, 40 * kUs, at + 30 * kUs);
    lane_.OnWaitEnter(now_);
    now_ += 70 * kUs;
    lane_.OnWaitReturn(now_, lane_.last_sequence());
    now_ += 500 * kUs;
  }
  EXPECT_EQ(lane_.lead_ns(), 0);
}

TEST_F(LeadTest, WhereLeadsDifferArrivalIsLater) {
  for (int i = 0; i < 40; ++i) Round(8 * kUs);
  Round(28 * kUs);
  std::int64_t at = now_;
  const std::int64_t late = Round(8 * kUs).arrived_ns - at;
  EXPECT_NEAR(static_cast<double>(late), 8 * kUs + 20 * kUs + kUs, Step::kSpreadNs);
  EXPECT_EQ(waited_.busy_until_ns, at + 48 * kUs) << "the models count from the usual start";
  for (int i = 0; i < 40; ++i) Round(8 * kUs);
  at = now_;
  EXPECT_EQ(Round(8 * kUs).arrived_ns, at + 8 * kUs + 2 * kUs + kUs) << "it fades";
}

TEST_F(LeadTest, TheModelsOwnErrorIsNoLead) {
  // Ten kernels a request, each 15 us after the one before is done; then a wait.
  const auto request = [&](std::int64_t stall_ns) {
    std::int64_t busy_for = 0;
    for (int i = 0; i < 10; ++i) {
      const std::int64_t at = now_;
      busy_for = lane_.OnSubmit({.kernel = kernel_, .now_ns = at, .stream = 1}).busy_until_ns - at;
      lane_.OnSampled(*kernel_, at, 40 * kUs, at + 5 * kUs + (i == 9 ? stall_ns : 0));
      now_ += 60 * kUs;
    }
    lane_.OnWaitEnter(now_);
    now_ += stall_ns;
    lane_.OnWaitReturn(now_, lane_.last_sequence());
    now_ += 500 * kUs;
    return busy_for;
  };
  for (int i = 0; i < 40; ++i) EXPECT_LE(request(0), 45 * kUs);
  request(200 * kUs);  // the device was behind, and no model knew
  EXPECT_EQ(request(0), 45 * kUs);
}

TEST_F(LeadTest, CopiesAreRememberedForAWhile) {
  EXPECT_EQ(Round(kUs).copies, model::kNoCopies);
  EXPECT_EQ(Round(kUs, 500 * kUs, model::CopiesOf(model::Engine::kCopyIn)).copies, 0b010);
  EXPECT_EQ(Round(kUs).copies, 0b010);
  EXPECT_EQ(Round(kUs, 3'000'000 * kUs, model::kAnyCopies).copies, 0b110);
  EXPECT_EQ(Round(kUs).copies, model::kNoCopies);
}

}  // namespace
}  // namespace mortar::predict
