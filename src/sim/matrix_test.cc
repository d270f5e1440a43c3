#include "sim/matrix.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/slowdown.h"
#include "sim/test_recordings.h"

namespace mortar::sim {
namespace {

Source Sketch(const std::string& name, const RecordingSketch& sketch) {
  return {name, name, std::make_shared<const trace::Recording>(Draw(sketch, name))};
}

std::vector<Row> Measure(unsigned threads, const PairOptions& options) {
  const std::vector<Source> holders{Sketch("a", {}), Sketch("b", {.launches = 9, .apart = 90 * kUs})};
  const std::vector<Source> fillers{Sketch("c", {.apart = 8 * kUs, .duration = 15 * kUs}),
                                    Sketch("d", {.apart = 8 * kUs, .duration = 40 * kUs})};
  Bench bench(options);
  std::vector<Row> rows;
  const auto status = MeasureMatrix(
      bench, holders, fillers, {Policy::kFill, Policy::kPriority, Policy::kFikit}, threads,
      [&](const MatrixCell&, const Row& row) { rows.push_back(row); }, [](std::size_t, std::size_t) {});
  EXPECT_TRUE(status.ok());
  return rows;
}

PairOptions Short() {
  PairOptions options;
  options.for_ns = 30 * kMs;
  return options;
}

TEST(MatrixTest, AnyNumberOfThreadsMakesTheSameRows) {
  const std::vector<Row> one = Measure(1, Short());
  const std::vector<Row> four = Measure(4, Short());
  ASSERT_EQ(one.size(), 12U);
  ASSERT_EQ(four.size(), one.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].holder, four[i].holder);
    EXPECT_EQ(one[i].policy, four[i].policy);
    EXPECT_EQ(one[i].mean_x, four[i].mean_x);
    EXPECT_EQ(one[i].filler_work_ns, four[i].filler_work_ns);
    EXPECT_EQ(one[i].slack_work_ns, four[i].slack_work_ns);
    EXPECT_EQ(one[i].run.events, four[i].run.events);
  }
}

TEST(MatrixTest, TotalsAddUpByPolicy) {
  const std::vector<Row> rows = Measure(1, Short());
  const std::vector<Total> totals = Totals(rows);
  ASSERT_EQ(totals.size(), 3U);
  EXPECT_EQ(totals[0].policy, Policy::kFill);
  EXPECT_EQ(totals[0].pairs, 4U);
  double work = 0;
  for (const Row& row : rows) work += row.policy == Policy::kFill ? row.filler_work_ns : 0;
  EXPECT_DOUBLE_EQ(totals[0].work, work);
  EXPECT_GT(work, 0);
}

// Both copy to the device: the holder 20 us of every 200, the filler for 2 ms at a time.
TEST(MatrixTest, CopiesInPiecesFitBetweenTheHoldersCopies) {
  const auto copies = [](const std::string& name, const RecordingSketch& sketch) {
    trace::Recording r = Draw(sketch, name);
    r.identities[0].kind = trace::OpKind::kCopy;
    r.identities[0].path = trace::CopyPath::kHostToDevice;
    return Source{name, name, std::make_shared<const trace::Recording>(std::move(r))};
  };
  const std::vector<Source> holders{copies("holder", {.launches = 20, .apart = 200 * kUs})};
  const std::vector<Source> fillers{copies("filler", {.launches = 3, .apart = 8 * kUs, .duration = 2 * kMs})};
  for (const Ns split : {Ns{0}, 50 * kUs}) {
    PairOptions options;
    options.for_ns = 200 * kMs;
    options.blocking = true;
    options.split_ns = split;
    Bench bench(options);
    const auto status = MeasureMatrix(
        bench, holders, fillers, {Policy::kFill}, 1,
        [&](const MatrixCell&, const Row& row) {
          if (split == 0) {
            EXPECT_EQ(row.filler_work_ns, 0);
            EXPECT_EQ(row.gap_work_ns, 0);
            EXPECT_EQ(row.slack_work_ns, 0);
          } else {
            EXPECT_LT(row.mean_x, 1.02);
            EXPECT_GT(row.gap_work_ns, 0.7e9);  // three pieces and more in each gap of 180 us
            EXPECT_GE(row.slack_work_ns, row.gap_work_ns);
            EXPECT_GT(row.filler_work_ns, 0.6e9);
          }
        },
        [](std::size_t, std::size_t) {});
    EXPECT_TRUE(status.ok());
  }
}

TEST(MatrixTest, HalfLoadLeavesHalfOfTheTimeToWait) {
  PairOptions options = Short();
  options.arrivals = *trace::ParseArrivals("periodic:50%");
  Bench bench(options);
  const auto alone = bench.HolderAlone(Sketch("a", {}));
  ASSERT_TRUE(alone.ok()) << alone.error().message;
  // Back to back a request takes 280 us at most (see CompileTest); at half load it comes every 560.
  const std::vector<Ns>& arrivals = *(*alone)->arrivals;
  ASSERT_GT(arrivals.size(), 2U);
  EXPECT_NEAR(static_cast<double>(arrivals[1] - arrivals[0]), 2e9 / (*alone)->rate, 1);
}

TEST(MatrixTest, HolderWithoutARequestInTheTimeSimulatedLeavesARow) {
  PairOptions options;
  options.for_ns = kMs;  // its request lasts longer
  Bench bench(options);
  const Source holder = Sketch("long", {.launches = 40, .apart = 90 * kUs});
  const auto row = bench.Measure(holder, Sketch("other", {}), Policy::kFill);
  ASSERT_TRUE(row.ok());
  EXPECT_EQ(row->requests, 0U);
  EXPECT_EQ(row->alone_requests, 0U);
  EXPECT_TRUE(std::isnan(row->mean_x));
}

TEST(MatrixTest, TheSoloRateIsKnownOfRequestsThatOutlastTheRun) {
  PairOptions options;
  options.for_ns = kMs;
  options.arrivals = *trace::ParseArrivals("periodic:50%");
  Bench bench(options);
  const auto alone = bench.HolderAlone(Sketch("long", {.launches = 40, .apart = 90 * kUs}));
  ASSERT_FALSE(alone.ok());
  EXPECT_NE(alone.error().message.find("simulate longer"), std::string::npos) << alone.error().message;
}

TEST(MatrixTest, UnknownFileIsNamed) {
  const auto read = ReadSources({"/nowhere/a.json"}, 2);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("/nowhere/a.json"), std::string::npos);
}

TEST(SlowdownTest, IsEachRequestsTimeOverItsOwnAlone) {
  ClientResult holder;
  std::vector<double> alone;
  for (std::uint64_t i = 0; i < 200; ++i) {
    alone.push_back(100 * kUs);
    const Ns end = 1000 * kUs * static_cast<Ns>(i) + (i < 100 ? 100 : 110) * kUs;
    holder.requests.push_back({i, 1000 * kUs * static_cast<Ns>(i), end});
  }
  Row row;
  Judge(holder, alone, 0.05, &row);
  EXPECT_EQ(row.requests, 200U);
  EXPECT_NEAR(row.mean_x, 1.05, 1e-12);
  EXPECT_DOUBLE_EQ(row.p50_x, 1.0);
  EXPECT_DOUBLE_EQ(row.max_x, 1.1);
  // Fewer than 1,000 requests have no p99.
  EXPECT_TRUE(std::isnan(row.p99_x));
  EXPECT_TRUE(std::isnan(row.holder_p99_ns));
  EXPECT_DOUBLE_EQ(row.holder_p50_ns, 100e3);
  // Windows of 100 after 20: the first has 20 slow ones of 100 (2 %), the last 100 (10 %): 81 windows, and
  // those with more than 50 slow ones are over 5 %: 50 of them.
  EXPECT_EQ(row.windows, 81U);
  EXPECT_NEAR(row.windows_over, 50.0 / 81, 1e-12);
}

TEST(SlowdownTest, WhatWasNotMeasuredIsNoNumber) {
  ClientResult holder;
  Row none;
  Judge(holder, {}, 0.05, &none);
  holder.requests.push_back({0, 0, 100 * kUs});
  Row one;
  Judge(holder, {100e3}, 0.05, &one);
  for (const double value :
       {none.holder_mean_ns, none.holder_p50_ns, none.holder_p99_ns, none.holder_max_ns, none.alone_mean_ns,
        none.worst_window, none.windows_over, one.holder_p99_ns, one.worst_window, one.windows_over}) {
    EXPECT_TRUE(std::isnan(value));
  }
  EXPECT_DOUBLE_EQ(one.holder_max_ns, 100e3);
}

TEST(SlowdownTest, AP99IsGivenFromAThousandRequestsOn) {
  ClientResult holder;
  for (std::uint64_t i = 0; i < 1000; ++i) holder.requests.push_back({i, 0, 100 * kUs});
  Row row;
  Judge(holder, std::vector<double>(1000, 100e3), 0.05, &row);
  EXPECT_DOUBLE_EQ(row.p99_x, 1);
  EXPECT_DOUBLE_EQ(row.holder_p99_ns, 100e3);
}

TEST(SlowdownTest, QuantileIsTheNearestRank) {
  EXPECT_EQ(QuantileOf({1, 2, 3, 4}, 0.5), 2);
  EXPECT_EQ(QuantileOf({1, 2, 3, 4}, 0.99), 4);
  EXPECT_EQ(QuantileOf({1}, 0), 1);
}

}  // namespace
}  // namespace mortar::sim
