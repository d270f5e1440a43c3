// Reading what may be anything.
#include "board/view.h"

#include <gtest/gtest.h>

namespace mortar::board {
namespace {

TEST(ViewTest, CleanTextKeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(CleanText("serve \u00fc \u4e2d \U0001f600"), "serve \u00fc \u4e2d \U0001f600");
  EXPECT_EQ(CleanText("a\x1b[31m\n\x7f"), "a?[31m??");
  EXPECT_EQ(CleanText("\xff\xc3"), "??");            // no lead byte; cut short
  EXPECT_EQ(CleanText("\xc0\xaf"), "??");            // overlong '/'
  EXPECT_EQ(CleanText("\xe0\x80\xaf"), "???");       // overlong
  EXPECT_EQ(CleanText("\xed\xa0\x80"), "???");       // surrogate
  EXPECT_EQ(CleanText("\xf4\x90\x80\x80"), "????");  // above U+10FFFF
}

TEST(ViewTest, CutTextEndsBetweenCharactersAndAtNul) {
  EXPECT_EQ(CutText("abc", 3), "abc");
  EXPECT_EQ(CutText("abcd", 3), "abc");
  EXPECT_EQ(CutText("ab\u00fc", 3), "ab");
  EXPECT_EQ(CutText(std::string_view("ab\0cd", 5), 9), "ab");
}

TEST(ViewTest, UnterminatedTextIsReadToItsEnd) {
  Atomic<char> field[4];
  for (auto& c : field) c = 'x';
  EXPECT_EQ(ReadText(field), "xxxx");
  WriteText(field, "abcdef");
  EXPECT_EQ(ReadText(field), "abc");
}

TEST(ViewTest, UnknownSettingsAreHarmless) {
  Header header{};
  header.policy = 1234;
  header.device_mode = 77;
  header.off = 5;
  header.switch_cost_ns = -1;
  header.margin_ns = INT64_MAX;
  const Settings settings = ReadSettings(header);
  EXPECT_EQ(settings.policy, model::PolicyId::kShare);
  EXPECT_EQ(settings.mode, model::DeviceMode::kFifo);
  EXPECT_TRUE(settings.off);
  EXPECT_EQ(settings.switch_cost_ns, 0);
  EXPECT_EQ(settings.margin_ns, kFarAheadNs);
}

TEST(ViewTest, LaneInstantsFarAheadAreAbsent) {
  Lane lane{};
  lane.busy_until_ns = 1'000 + kFarAheadNs + 1;
  lane.next_submit_ns = 1'000 + kFarAheadNs;
  lane.latest_free_ns = -3;
  lane.flags = kLaneGated | kLaneWithheld | (0xffU << kLaneLadderShift);
  const auto view = ReadLane(lane, 1'000);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->busy_until_ns, 0);
  EXPECT_EQ(view->next_submit_ns, 1'000 + kFarAheadNs);
  EXPECT_EQ(view->latest_free_ns, 0);
  EXPECT_EQ(view->state, static_cast<std::uint32_t>(kLaneGated));
  EXPECT_TRUE(view->withheld);
  EXPECT_LT(view->ladder, kLadders);
}

TEST(ViewTest, LaneBeingWrittenIsAbsent) {
  Lane lane{};
  lane.sequence = 7;
  EXPECT_FALSE(ReadLane(lane, 1'000).has_value());
}

}  // namespace
}  // namespace mortar::board
