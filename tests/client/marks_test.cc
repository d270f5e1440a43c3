// What a program says of itself (include/mortar/mortar.h), as others see it on the board.
#include <mortar/mortar.h>

#include "client_fixture.h"

namespace mortar::tests {
namespace {

using MarksTest = ClientTest;

TEST_F(MarksTest, RequestsAreThoseMarkedAndSettingsAreTheProgramsOwn) {
  Program program = StartJoined("program", 5, {"marked", "40"});
  EXPECT_EQ(program.ReadLine(), "answers 0 -1 -1");
  const board::Slot* slot = Find("program");
  ASSERT_NE(slot, nullptr);
  // Some are controls, and before each of those one that counts for nothing.
  const auto requests = slot->counters.requests.load();
  const auto controls = slot->counters.controls.load();
  EXPECT_LE(requests + 2 * controls, 40U);
  EXPECT_GE(requests + 2 * controls, 39U) << "a pair may be open at the end";
  EXPECT_GE(slot->counters.request_ns.load(), requests * 3'300'000) << "the silence inside is part of each";
  // 2 % of 3.3 ms, less at most the caution that it begins with.
  EXPECT_GE(slot->allowed_in_flight_us.load(), 46U);
  EXPECT_EQ(slot->report.minibatches.load(), 40U);
  EXPECT_GE(slot->report.minibatch_ns.load(), 40U * 200'000);
  EXPECT_EQ(slot->priority.load(), 2U);
  EXPECT_EQ(slot->max_slowdown_ppm.load(), 50'000U);
  EXPECT_EQ(slot->weight_permille.load(), 3'000U);
  program.Write();
  EXPECT_EQ(program.Wait(), 0);
}

// The request that a fork happened in is the parent's: the child's own are found from what it submits.
TEST_F(MarksTest, ForkedInsideARequestTheChildHasNoneOpen) {
  Program program = StartJoined("program", 5, {"fork-marked", "60"});
  const std::string line = program.ReadLine();
  ASSERT_TRUE(line.starts_with("child ")) << line;
  const board::Slot* slot = Find("program-" + line.substr(6));
  ASSERT_NE(slot, nullptr);
  const auto found = slot->counters.requests.load() + 2 * slot->counters.controls.load();
  EXPECT_GE(found, 2U) << "unmarked requests end after 20 waits";
  EXPECT_EQ(slot->report.minibatches.load(), 0U);
  EXPECT_EQ(Find("program")->report.minibatches.load(), 0U) << "still open";
  program.Write();
  program.Write();
  EXPECT_EQ(program.Wait(), 0);
}

// Bad values are refused all the same.
TEST_F(MarksTest, DisabledProgramsAreToldSo) {
  Program program = Start("program", 5, {"marked", "2"}, {{"MORTAR_DISABLE", "1"}});
  EXPECT_EQ(program.ReadLine(), "slot none");
  EXPECT_EQ(program.ReadLine(), "answers 1 -1 -1");
  program.Write();
  EXPECT_EQ(program.Wait(), 0);
}

TEST(MarksHeaderTest, WithoutMortarNothingHappens) {
  EXPECT_EQ(mortar_request_begin(), MORTAR_NOT_THERE);
  EXPECT_EQ(mortar_minibatch_end(), MORTAR_NOT_THERE);
  EXPECT_EQ(mortar_set_priority(0), MORTAR_NOT_THERE);
  EXPECT_EQ(mortar_set_max_slowdown(-1), MORTAR_INVALID);
  EXPECT_EQ(mortar_set_weight(0), MORTAR_INVALID);
}

}  // namespace
}  // namespace mortar::tests
