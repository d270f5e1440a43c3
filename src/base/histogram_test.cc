#include "base/histogram.h"

#include <gtest/gtest.h>

namespace mortar::base {
namespace {

TEST(HistogramTest, BucketBoundsContainTheirValues) {
  for (std::int64_t ns = 300; ns < 10'000'000'000; ns = ns * 21 / 20) {
    const int bucket = Histogram::BucketOf(ns);
    EXPECT_LE(Histogram::LowerBound(bucket), ns);
    EXPECT_GT(Histogram::LowerBound(bucket + 1), ns);
  }
}

TEST(HistogramTest, QuantileIsWithinABucketOfTheTruth) {
  Histogram h;
  for (int i = 1; i <= 1000; ++i) h.Add(i * 1000);  // 1 … 1000 us
  EXPECT_NEAR(static_cast<double>(h.Quantile(0.5)), 500e3, 500e3 * 0.1);
  EXPECT_NEAR(static_cast<double>(h.Quantile(0.99)), 990e3, 990e3 * 0.1);
}

TEST(HistogramTest, ConditionalQuantileIgnoresShorterSamples) {
  Histogram h;
  for (int i = 0; i < 95; ++i) h.Add(2'000'000);
  for (int i = 0; i < 5; ++i) h.Add(300'000'000);
  EXPECT_LT(h.Quantile(0.5), 3'000'000);
  EXPECT_GT(h.Quantile(0.5, 5'000'000), 250'000'000);
}

TEST(HistogramTest, EmptyGivesFallback) { EXPECT_EQ(Histogram().Quantile(0.5, 0, 7), 7); }

TEST(HistogramTest, OldSamplesFade) {
  Histogram h;
  for (int i = 0; i < 5000; ++i) h.Add(1'000'000);
  for (int i = 0; i < 8000; ++i) h.Add(10'000);
  EXPECT_LT(h.Quantile(0.7), 12'000);
}

}  // namespace
}  // namespace mortar::base
