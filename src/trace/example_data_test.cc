// The recordings that come with the source can be read and replayed.
#include <gtest/gtest.h>

#include <filesystem>

#include "trace/check_recording.h"
#include "trace/read_recording.h"
#include "trace/test_replay.h"

namespace mortar::trace {
namespace {

TEST(ExampleDataTest, CanBeReplayed) {
  std::uintmax_t bytes = 0;
  for (const char* name : {"serve-periodic", "serve-busy", "train"}) {
    const std::string path = std::string(MORTAR_EXAMPLE_DATA) + "/" + name + ".mtr";
    bytes += std::filesystem::file_size(path);
    const auto recording = ReadRecording(path);
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_TRUE(CheckRecording(*recording).ok()) << name;
    EXPECT_EQ(recording->form, Form::kClosedLoop);
    EXPECT_GT(recording->ops.size(), 1000u);
    EXPECT_GT(recording->requests.size(), 50u);
    const Replayed replayed = ReplayAlone(*recording);
    for (Index i = 0; i < recording->calls.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(replayed.call_start_ns[i]),
                  static_cast<double>(recording->calls[i].start_ns), 1e6)
          << name << " call " << i;
    }
  }
  EXPECT_LT(bytes, 300'000u);
}

}  // namespace
}  // namespace mortar::trace
