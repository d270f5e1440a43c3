#include "emulated/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace mortar::emulated {
namespace {

constexpr std::int64_t kMs = 1'000'000;

class TimelineTest : public testing::Test {
 protected:
  TimelineTest() {
    std::string pattern = testing::TempDir() + "/timeline_XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~TimelineTest() override { std::filesystem::remove_all(directory_); }
  Timeline Open(const std::string& name = "a") {
    auto timeline = Timeline::Open(directory_, name);
    EXPECT_TRUE(timeline.ok()) << (timeline.ok() ? "" : timeline.error().message);
    return std::move(timeline).value();
  }
  std::string directory_;
};

TEST_F(TimelineTest, OneAfterAnotherInOrderOfPlacing) {
  Timeline timeline = Open();
  const Placement first = timeline.Place(1'000, 1'500, 100);
  const Placement second = timeline.Place(1'010, 1'510, 50);  // ready while the first runs
  const Placement third = timeline.Place(1'020, 5'000, 10);   // ready after a pause
  EXPECT_EQ(first.start_ns, 1'500);
  EXPECT_EQ(first.end_ns, 1'600);
  EXPECT_EQ(second.start_ns, 1'600);
  EXPECT_EQ(second.end_ns, 1'650);
  EXPECT_EQ(third.start_ns, 5'000);
  EXPECT_EQ(timeline.AheadNs(4'000), 1'010);
  EXPECT_EQ(timeline.AheadNs(6'000), 0);
}

TEST_F(TimelineTest, UndoGivesTimeBackOnlyFromTheEnd) {
  Timeline timeline = Open();
  const Placement first = timeline.Place(0, 0, 100);
  const Placement second = timeline.Place(0, 0, 50);
  timeline.Undo(first);  // the second stands behind it: the time passes
  EXPECT_EQ(timeline.AheadNs(0), 150);
  timeline.Undo(second);
  EXPECT_EQ(timeline.AheadNs(0), 100);
}

TEST_F(TimelineTest, GarbageCountsAsAbsent) {
  Timeline timeline = Open();
  for (const std::int64_t garbage : {std::int64_t{-5}, INT64_MIN, INT64_MAX, 20'000 * kMs}) {
    timeline.file().busy_until_ns.store(garbage);
    EXPECT_EQ(timeline.AheadNs(5'000 * kMs), 0) << garbage;
    EXPECT_EQ(timeline.Place(5'000 * kMs, 5'001 * kMs, kMs).start_ns, 5'001 * kMs) << garbage;
  }
}

TEST_F(TimelineTest, SharedByAllWhoOpenTheName) {
  Timeline one = Open();
  Timeline other = Open();
  Timeline apart = Open("b");
  one.Place(0, 0, 100);
  EXPECT_EQ(other.Place(0, 0, 100).start_ns, 100);
  EXPECT_EQ(apart.Place(0, 0, 100).start_ns, 0);
}

TEST_F(TimelineTest, SumsByDeviceAndProcess) {
  Timeline timeline = Open();
  timeline.Count(100);
  timeline.Count(50);
  timeline.CountLate(7);
  const pid_t child = fork();
  if (child == 0) {
    timeline.Forget();
    timeline.Count(1'000);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  const TimelineReport report = timeline.Report();
  EXPECT_EQ(report.total.busy_ns, 1'150U);
  EXPECT_EQ(report.total.commands, 3U);
  EXPECT_EQ(report.total.late, 1U);
  EXPECT_EQ(report.total.late_ns, 7U);
  ASSERT_EQ(report.processes.size(), 2U);
  EXPECT_EQ(report.processes[0].pid, getpid());
  EXPECT_EQ(report.processes[0].busy_ns, 150U);
  EXPECT_EQ(report.processes[0].late, 1U);
  EXPECT_EQ(report.processes[0].late_ns, 7U);
  EXPECT_THAT(report.processes[0].program, testing::StartsWith("emulated_test"));
  EXPECT_EQ(report.processes[1].pid, child);
  EXPECT_EQ(report.processes[1].busy_ns, 1'000U);
}

TEST_F(TimelineTest, LinesOfTheDeadAreTakenOver) {
  Timeline timeline = Open();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);  // its number now names nobody
  for (auto& line : timeline.file().process) line.pid.store(getppid());
  timeline.file().process[5].pid.store(child);
  timeline.file().process[5].busy_ns.store(99);
  timeline.Count(10);
  EXPECT_EQ(timeline.file().process[5].pid.load(), getpid());
  EXPECT_EQ(timeline.file().process[5].busy_ns.load(), 10U);
}

TEST_F(TimelineTest, WithoutAFreeLineTheDeviceStillCounts) {
  Timeline timeline = Open();
  for (auto& line : timeline.file().process) line.pid.store(getppid());
  timeline.Count(10);
  EXPECT_EQ(timeline.Report().total.busy_ns, 10U);
}

TEST_F(TimelineTest, ForeignFileIsRefused) {
  std::ofstream(directory_ + "/short.timeline") << "x";
  std::ofstream(directory_ + "/zero.timeline").close();
  { Timeline sized = Open("magic"); }
  std::ofstream(directory_ + "/magic.timeline", std::ios::in | std::ios::binary) << "WRONG";
  for (const char* name : {"short", "zero", "magic"}) {
    const auto timeline = Timeline::Open(directory_, name);
    ASSERT_FALSE(timeline.ok()) << name;
    EXPECT_EQ(timeline.error().code, base::Code::kCorrupt);
    EXPECT_THAT(timeline.error().message, testing::HasSubstr("remove it"));
  }
}

TEST_F(TimelineTest, AbsentDirectoryIsAnError) {
  const auto timeline = Timeline::Open(directory_ + "/absent", "a");
  ASSERT_FALSE(timeline.ok());
  EXPECT_EQ(timeline.error().code, base::Code::kNotFound);
}

TEST_F(TimelineTest, CreationLeavesOnlyTheTimeline) {
  Open("x");
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) ++files;
  EXPECT_EQ(files, 1);
}

TEST_F(TimelineTest, DirectoryFollowsMortarDir) {
  setenv("MORTAR_DIR", directory_.c_str(), 1);
  const auto found = Timeline::FindDirectory();
  unsetenv("MORTAR_DIR");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, directory_ + "/emulated");
  EXPECT_TRUE(std::filesystem::is_directory(*found));
}

// Stress: what several threads place never overlaps and leaves no hole.
TEST_F(TimelineTest, ConcurrentPlacementsNeitherOverlapNorLeaveHoles) {
  Timeline timeline = Open();
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  std::vector<Placement> placed[kThreads];
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        placed[t].push_back(timeline.Place(0, 0, 1 + (i + t) % 7));
        timeline.Count(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (const auto& list : placed) {
    for (const Placement& p : list) all.emplace_back(p.start_ns, p.end_ns);
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 1; i < all.size(); ++i) ASSERT_EQ(all[i].first, all[i - 1].second);
  EXPECT_EQ(timeline.Report().total.commands, static_cast<std::uint64_t>(kThreads * kEach));
}

}  // namespace
}  // namespace mortar::emulated
