#include "trace/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "trace/test_spool.h"

namespace mortar::trace {
namespace {

using model::TraceKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "mortar-spool-XXXXXX") {
    std::string text = path_;
    EXPECT_NE(mkdtemp(text.data()), nullptr);
    path_ = text;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = path_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(SpoolTest, WholeSpoolIsReadAsWritten) {
  TestSpool spool("serve", 3);
  spool.Name(7, "gemm");
  spool.Submit(7, 1000, 5000, 4000, /*fill=*/true);
  spool.Add(TraceKind::kWait, 2000, 5000).value_ns = 30;
  const Client client = spool.Read();
  EXPECT_EQ(client.name, "serve");
  EXPECT_EQ(client.device, "gpu");
  EXPECT_EQ(client.policy, "fill");
  EXPECT_EQ(client.pid, 100);
  EXPECT_EQ(client.priority, 3);
  EXPECT_EQ(client.kernels.at(7), "gemm");
  ASSERT_THAT(client.records, SizeIs(2));
  EXPECT_EQ(client.records[0].detail, 1u);
  EXPECT_EQ(client.records[1].value_ns, 30);
  EXPECT_EQ(client.unusable.records(), 0u);
  EXPECT_EQ(Describe(client.unusable), "");
}

TEST(SpoolTest, EveryUnusableRecordIsLeftOutAndCountedByCause) {
  TestSpool spool;
  spool.Add(TraceKind::kWait, 1000, 2000);
  spool.Add(TraceKind::kEmpty, 1000, 2000);
  spool.Add(static_cast<TraceKind>(99), 1000, 2000);
  spool.Add(TraceKind::kWait, 1000, 2000).lane = kMostLanes;
  spool.Add(TraceKind::kWait, 2000, 1000);
  spool.Add(TraceKind::kWait, 0, 1000);
  spool.Add(TraceKind::kWait, -5, 1000);
  spool.Add(TraceKind::kWait, 1, 1 + kLongestNs + 1);
  spool.Add(TraceKind::kDevice, INT64_MAX - 1, INT64_MAX);
  spool.Add(TraceKind::kWait, 1000, 2000).value_ns = -1;
  spool.header.records += 4;  // claimed beyond what the file holds
  const Client client = spool.Read();
  EXPECT_THAT(client.records, SizeIs(1));
  EXPECT_EQ(client.unusable.unwritten, 1u);
  EXPECT_EQ(client.unusable.bad_kind, 1u);
  EXPECT_EQ(client.unusable.bad_lane, 1u);
  EXPECT_EQ(client.unusable.bad_time, 6u);
  EXPECT_EQ(client.unusable.cut, 4u);
  EXPECT_EQ(client.unusable.records(), 13u);
  EXPECT_EQ(
      Describe(client.unusable),
      "1 record unfinished, 4 records beyond the end of the spool, 1 record of unknown kind, 1 record of an "
      "impossible thread, 6 records with impossible times");
}

TEST(SpoolTest, SubmitWithoutForeseenEndEndsWhereItBegins) {
  TestSpool spool;
  spool.Submit(7, 1000, 0, 0);
  const Client client = spool.Read();
  ASSERT_THAT(client.records, SizeIs(1));
  EXPECT_EQ(client.records[0].end_ns, 1000);
}

TEST(SpoolTest, CountsBeyondCapacityAreDropped) {
  TestSpool spool;
  spool.Name(7, "gemm");
  spool.header.names = model::kSpoolNames + 5;
  spool.header.records = model::kSpoolRecords + std::uint64_t{9};
  const Client client = spool.Read();
  EXPECT_EQ(client.unusable.dropped_records, 9u);
  EXPECT_EQ(client.unusable.cut, model::kSpoolRecords);
  EXPECT_EQ(client.unusable.dropped_names, model::kSpoolNames + 4);
  EXPECT_EQ(client.kernels.size(), 1u);
}

TEST(SpoolTest, TextThatFillsItsFieldEndsWithIt) {
  TestSpool spool(std::string(64, 'x'));
  spool.Name(7, std::string(56, 'y'));
  spool.header.priority = 4'000'000'000;
  const Client client = spool.Read();
  EXPECT_EQ(client.name, std::string(64, 'x'));
  EXPECT_EQ(client.kernels.at(7), std::string(56, 'y'));
  EXPECT_EQ(client.priority, 9);
}

TEST(SpoolTest, ClocksAreTakenOnlyTogetherAndInRange) {
  TestSpool spool;
  spool.header.board_ns = 5;
  EXPECT_EQ(spool.Read().board_ns, 0);
  spool.header.monotonic_ns = INT64_MAX;
  EXPECT_EQ(spool.Read().board_ns, 0);
  spool.header.monotonic_ns = 7;
  EXPECT_EQ(spool.Read().board_ns, 5);
  EXPECT_EQ(spool.Read().monotonic_ns, 7);
}

TEST(SpoolTest, WhatIsNoSpoolIsRefused) {
  TestSpool spool;
  EXPECT_EQ(ParseSpool({}, {}, {}).error().code, base::Code::kCorrupt);
  spool.header.version = 9;
  const auto other = spool.Parse();
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, base::Code::kMismatch);
  EXPECT_THAT(other.error().message, HasSubstr("version 9"));
  spool.header.magic = 0;  // as left by a process that was killed while it made the file
  EXPECT_EQ(spool.Parse().error().code, base::Code::kCorrupt);
}

TEST(SpoolTest, FolderIsReadInOrderOfPriorityAndBadFilesAreNamed) {
  Folder folder;
  TestSpool train("train", 5);
  train.Add(TraceKind::kWait, 1000, 2000);
  TestSpool serve("serve", 0);
  serve.Add(TraceKind::kWait, 1000, 2000);
  folder.Write("1-0.spool", train.Bytes());
  folder.Write("2-0.spool", serve.Bytes());
  folder.Write("3-0.spool", "not a spool");
  folder.Write("notes.txt", "left alone");
  const auto recording = ReadSpools(folder.path());
  ASSERT_TRUE(recording.ok()) << recording.error().message;
  ASSERT_THAT(recording->clients, SizeIs(2));
  EXPECT_EQ(recording->clients[0].name, "serve");
  EXPECT_EQ(recording->clients[1].name, "train");
  EXPECT_THAT(recording->clients[1].records, SizeIs(1));
  EXPECT_THAT(recording->unreadable, ElementsAre(HasSubstr("3-0.spool holds 11 bytes")));
}

TEST(SpoolTest, FileCutInARecordKeepsTheWholeOnes) {
  Folder folder;
  TestSpool spool;
  spool.Name(7, "gemm");
  spool.Add(TraceKind::kWait, 1000, 2000);
  spool.Add(TraceKind::kWait, 3000, 4000);
  const std::string bytes = spool.Bytes();
  const auto client = ReadSpool(folder.Write("1-0.spool", bytes.substr(0, bytes.size() - 1)));
  ASSERT_TRUE(client.ok()) << client.error().message;
  EXPECT_THAT(client->records, SizeIs(1));
  EXPECT_EQ(client->unusable.cut, 1u);
  EXPECT_EQ(client->kernels.at(7), "gemm");
}

TEST(SpoolTest, MissingFolderAndFileAreErrors) {
  EXPECT_EQ(ReadSpools("/nonexistent").error().code, base::Code::kNotFound);
  EXPECT_EQ(ReadSpool("/nonexistent/1-0.spool").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace mortar::trace
