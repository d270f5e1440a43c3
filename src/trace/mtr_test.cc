#include "trace/mtr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "trace/check_recording.h"
#include "trace/read_recording.h"
#include "trace/test_trace.h"

namespace mortar::trace {
namespace {

using ::testing::HasSubstr;

Recording Sample() {
  TestTrace trace;
  trace.Event("user_annotation", "ProfilerStep#3", "100", "1", "1", "90", "");
  for (int i = 1; i <= 20; ++i) {
    trace.Call("cudaLaunchKernel", std::to_string(i * 4), "2.125", i, 1 + i / 10);
    trace.Kernel(i % 2 == 0 ? "even" : "odd", std::to_string(i * 9 + 200), "8.5", i, 7 + i % 2);
  }
  trace.Call("cudaDeviceSynchronize", "100", "400", 99, 1);
  trace.Kernel("early", "3", "1", 777, 8);
  auto recording = trace.Read();
  EXPECT_TRUE(recording) << recording.error().message;
  return std::move(recording).value();
}

void ExpectSame(const Recording& a, const Recording& b) {
  EXPECT_EQ(EncodeMtr(a), EncodeMtr(b));
  ASSERT_EQ(a.ops.size(), b.ops.size());
  for (std::size_t i = 0; i < a.ops.size(); ++i) {
    EXPECT_EQ(a.ops[i].start_ns, b.ops[i].start_ns);
    EXPECT_EQ(a.ops[i].latency_ns, b.ops[i].latency_ns);
    EXPECT_EQ(a.ops[i].call, b.ops[i].call);
    EXPECT_EQ(a.identities[a.ops[i].identity].id, b.identities[b.ops[i].identity].id);
  }
  ASSERT_EQ(a.calls.size(), b.calls.size());
  for (std::size_t i = 0; i < a.calls.size(); ++i) {
    EXPECT_EQ(a.calls[i].think_ns, b.calls[i].think_ns);
    EXPECT_EQ(a.calls[i].tail_ns, b.calls[i].tail_ns);
    EXPECT_EQ(a.calls[i].waits.count, b.calls[i].waits.count);
    EXPECT_EQ(a.calls[i].kind, b.calls[i].kind);
    EXPECT_EQ(a.calls[i].request, b.calls[i].request);
  }
  ASSERT_EQ(a.notes.size(), b.notes.size());
  for (std::size_t i = 0; i < a.notes.size(); ++i) EXPECT_EQ(a.notes[i].what, b.notes[i].what);
  EXPECT_EQ(a.form, b.form);
  EXPECT_EQ(a.zero_ns, b.zero_ns);
  EXPECT_EQ(a.requests.size(), b.requests.size());
}

TEST(MtrTest, WhatIsWrittenComesBack) {
  const Recording before = Sample();
  const auto after = DecodeMtr(EncodeMtr(before), "f.mtr");
  ASSERT_TRUE(after) << after.error().message;
  ExpectSame(before, *after);
  EXPECT_EQ(after->source, "f.mtr");
}

TEST(MtrTest, FilesAreWholeOrNotThere) {
  const std::string folder = testing::TempDir() + "mtr_test";
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/a.mtr";
  const Recording before = Sample();
  ASSERT_TRUE(WriteMtr(before, path).ok());
  const auto after = ReadRecording(path);
  ASSERT_TRUE(after) << after.error().message;
  ExpectSame(before, *after);
  EXPECT_FALSE(WriteMtr(before, folder + "/no/such/folder.mtr").ok());
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++files;
  EXPECT_EQ(files, 1u);
  std::filesystem::remove_all(folder);
}

TEST(MtrTest, DamageIsSeen) {
  const std::string whole = EncodeMtr(Sample());
  for (const std::size_t size : {std::size_t{8}, std::size_t{39}, std::size_t{40}, whole.size() - 1}) {
    const auto cut = DecodeMtr(std::string_view(whole).substr(0, size), "f");
    ASSERT_FALSE(cut) << size;
    EXPECT_THAT(cut.error().message, HasSubstr("read f: byte " + std::to_string(size) + ": cut short"));
  }
  EXPECT_THAT(DecodeMtr(whole + "x", "f").error().message, HasSubstr("something follows the end"));
  for (std::size_t i = 12; i < whole.size(); ++i) {
    std::string bent = whole;
    bent[i] = static_cast<char>(bent[i] ^ 4);
    ASSERT_FALSE(DecodeMtr(bent, "f")) << i;
  }
  std::string newer = whole;
  newer[8] = 2;
  const auto other = DecodeMtr(newer, "f");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, base::Code::kMismatch);
  EXPECT_THAT(other.error().message, HasSubstr("version 2, this mortar reads 1; import the trace again"));
}

TEST(MtrTest, ContradictionsAreRefused) {
  using Change = void (*)(Recording&);
  const Change kChanges[] = {
      [](Recording& r) { r.ops[0].stream = 9; },
      [](Recording& r) { r.ops[0].identity = 99; },
      [](Recording& r) { r.ops[0].call = 5; },
      [](Recording& r) { r.ops[0].duration_ns = -1; },
      [](Recording& r) { r.calls[1].after = 1; },
      [](Recording& r) { r.calls[0].after = 3; },
      [](Recording& r) { r.calls[0].ops.count = 1000; },
      [](Recording& r) { r.calls[0].think_ns = INT64_MAX; },
      [](Recording& r) { r.calls[1].start_ns = 0; },
      [](Recording& r) { r.waited[0] = 1000; },
      [](Recording& r) { std::swap(r.stream_ops[0], r.stream_ops[1]); },
      [](Recording& r) { r.stream_ops[0] = r.stream_ops[1]; },
      [](Recording& r) { r.threads[0].calls.count -= 1; },
      [](Recording& r) {
        r.dependencies.push_back({0, 0});
      },
      [](Recording& r) { r.requests[0].thread = 7; },
      [](Recording& r) { r.ops.clear(); },
  };
  for (std::size_t i = 0; i < std::size(kChanges); ++i) {
    Recording recording = Sample();
    ASSERT_TRUE(CheckRecording(recording).ok());
    kChanges[i](recording);
    EXPECT_FALSE(CheckRecording(recording).ok()) << i;
    const auto read = DecodeMtr(EncodeMtr(recording), "f");
    ASSERT_FALSE(read) << i;
    EXPECT_EQ(read.error().code, base::Code::kCorrupt) << i;
  }
}

}  // namespace
}  // namespace mortar::trace
