#include "trace/kernel_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/check_recording.h"
#include "trace/test_replay.h"

namespace mortar::trace {
namespace {

using ::testing::HasSubstr;

constexpr const char* kList =
    "Name,Profile,Memory_footprint,SM_usage,Duration\nConv,1,0,49,26688\nvoid f<int, 4>(int, "
    "float),-1,0,1,300\r\nConv,1,0,49,20000\n";

TEST(KernelListTest, KernelsFollowOneAnother) {
  EXPECT_TRUE(IsKernelList(kList));
  EXPECT_FALSE(IsKernelList("{\"Name,Duration\":1}"));
  const auto r = ParseKernelList(kList, "l");
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_TRUE(CheckRecording(*r).ok());
  EXPECT_EQ(r->form, Form::kDurations);
  ASSERT_EQ(r->ops.size(), 3u);
  EXPECT_EQ(r->identities.size(), 2u);
  EXPECT_EQ(r->identities[1].name, "void f<int, 4>(int, float)");  // commas belong to the name
  EXPECT_EQ(r->ops[2].start_ns, 26988);
  EXPECT_EQ(r->end_ns, 46988);
}

TEST(KernelListTest, BadLinesAreNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"Name,X\n", "read l:1: no header"},
      {"Name,Duration\n", "read l:2: no kernels"},
      {"Name,Duration\nk,1\nk,-1\n", "read l:3: \"k,-1\""},
      {"Name,Duration\nk,1.5\n", "read l:2: \"k,1.5\""},
      {"Name,Duration\nk\n", "read l:2: \"k\""},
      {"Name,Duration\nk,600000000001\n", "read l:2: "},
  };
  for (const auto& [text, error] : kCases) {
    const auto r = ParseKernelList(text, "l");
    ASSERT_FALSE(r) << text;
    EXPECT_THAT(r.error().message, HasSubstr(error)) << text;
  }
}

TEST(KernelListTest, AssumedHostLaunchesOneAfterAnother) {
  auto r = ParseKernelList(kList, "l");
  ASSERT_TRUE(r);
  AssumeHost(&*r, {2000, 3000});
  ASSERT_TRUE(CheckRecording(*r).ok()) << CheckRecording(*r).error().message;
  EXPECT_EQ(r->form, Form::kClosedLoop);
  const Replayed replayed = ReplayAlone(*r);
  // Launches at 0, 2 and 4 µs; the first kernel comes at 3 µs, the others when those before them end.
  EXPECT_EQ(replayed.op_start_ns[0], 3000);
  EXPECT_EQ(replayed.op_start_ns[1], 3000 + 26688);
  EXPECT_EQ(replayed.call_end_ns[3], 3000 + 46988);
  EXPECT_THAT(r->notes.back().what, HasSubstr("assumed, not recorded"));
}

}  // namespace
}  // namespace mortar::trace
