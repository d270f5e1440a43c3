// Every shared trace: imported whole, replayed alone to the nanosecond, kept through a .mtr file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/shared_data.h"
#include "trace/check_recording.h"
#include "trace/mtr.h"
#include "trace/read_recording.h"
#include "trace/test_replay.h"

namespace mortar::trace {
namespace {

struct Expected {
  const char* file;
  std::size_t ops;       // kernels, copies and fills, counted by another JSON reader
  std::size_t unpaired;  // of them
  std::size_t streams, threads, requests;
};

constexpr Expected kTraces[] = {
    {"HolisticTraceAnalysis/a100_ddp_cnn_train.json.gz", 3774, 0, 2, 2, 3},
    {"HolisticTraceAnalysis/v100_ddp_cnn_train_saturated.json.gz", 6095, 0, 1, 2, 5},
    {"TraceLens/h100_bert_small_b1.json.gz", 61, 0, 1, 1, 1},
    {"TraceLens/h100_qwen1.5_0.5b_b16_forward.json.gz", 1707, 509, 1, 1, 1},
    {"TraceLens/mi300x_resnet_train_checkpoint.json.gz", 3653, 968, 2, 2, 3},
    {"TraceLens/mi300x_vllm_decode_graphs.json.gz", 434, 0, 1, 1, 0},
    {"kineto/v100_resnet50_train_workers0.json.gz", 9096, 0, 1, 2, 6},
    {"kineto/v100_resnet50_train_workers4.json.gz", 9258, 0, 1, 2, 6},
    {"param/rtx2080ti_linear_train.json.gz", 10356, 0, 1, 2, 0},
    {"param/v100_dlrm_rank0.json.gz", 261, 0, 4, 2, 1},
};

TEST(SharedTracesTest, AreImportedWhole) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  const std::string folder = *root + "/traces";
  for (const Expected& expected : kTraces) {
    const auto r = ReadRecording(folder + "/" + expected.file);
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_TRUE(CheckRecording(*r).ok()) << expected.file << CheckRecording(*r).error().message;
    EXPECT_EQ(r->ops.size(), expected.ops) << expected.file;
    EXPECT_EQ(static_cast<std::size_t>(
                  std::count_if(r->ops.begin(), r->ops.end(), [](const Op& op) { return op.call == kNone; })),
              expected.unpaired)
        << expected.file;
    EXPECT_EQ(r->streams.size(), expected.streams) << expected.file;
    EXPECT_EQ(r->threads.size(), expected.threads) << expected.file;
    EXPECT_EQ(r->requests.size(), expected.requests) << expected.file;
  }
}

TEST(SharedTracesTest, ReplayedAloneEverythingComesAsRecorded) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  const std::string folder = *root + "/traces";
  for (const Expected& expected : kTraces) {
    const auto r = ReadRecording(folder + "/" + expected.file);
    ASSERT_TRUE(r) << r.error().message;
    const Replayed replayed = ReplayAlone(*r);
    std::size_t off = 0;
    for (Index i = 0; i < r->ops.size(); ++i) off += replayed.op_start_ns[i] == r->ops[i].start_ns ? 0 : 1;
    for (Index i = 0; i < r->calls.size(); ++i)
      off += replayed.call_start_ns[i] == r->calls[i].start_ns ? 0 : 1;
    EXPECT_EQ(off, 0u) << expected.file;
  }
}

TEST(SharedTracesTest, AreKeptInCompactFiles) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  const std::string folder = *root + "/traces";
  for (const Expected& expected : kTraces) {
    const std::string path = folder + "/" + expected.file;
    const auto r = ReadRecording(path);
    ASSERT_TRUE(r) << r.error().message;
    const std::string bytes = EncodeMtr(*r);
    EXPECT_LT(bytes.size(), std::filesystem::file_size(path)) << expected.file;
    const auto back = DecodeMtr(bytes, "m");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(EncodeMtr(*back), bytes) << expected.file;
  }
}

TEST(SharedTracesTest, KernelListsAreImported) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  const std::string folder = *root + "/kernel_profiles/orion";
  const std::pair<const char*, std::size_t> kLists[] = {
      {"bert_2_fwd", 572},      {"bert_8_fb1", 4777},    {"mobilenetv2_4_fwd", 152},
      {"resnet50_32_fb1", 946}, {"resnet50_4_fwd", 175}, {"transformer_xl_8_fb1", 4354}};
  for (const auto& [file, kernels] : kLists) {
    const auto r = ReadRecording(folder + "/" + file);
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_EQ(r->ops.size(), kernels) << file;
  }
}

}  // namespace
}  // namespace mortar::trace
