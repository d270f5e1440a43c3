#include <gtest/gtest.h>

#include <cerrno>

#include "base/clock.h"
#include "base/hash.h"
#include "base/owner.h"
#include "base/random.h"
#include "base/result.h"

namespace mortar::base {
namespace {

TEST(ResultTest, CarriesValueOrError) {
  Result<int> good = 3;
  Result<int> bad = Error{Code::kFull, "no room"};
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 3);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message, "no room");
}

TEST(ResultTest, SystemErrorNamesOperationAndCause) {
  const Error error = SystemError("open /x", EACCES);
  EXPECT_EQ(error.code, Code::kDenied);
  EXPECT_EQ(error.message, "open /x: Permission denied");
}

TEST(ClockTest, MeasuredScaleAgreesWithMonotonic) {
  const ClockScale scale = MeasureClock();
  const std::int64_t start = scale.NowNs();
  const std::int64_t mono = MonotonicNs();
  while (MonotonicNs() - mono < 20'000'000) {
  }
  const std::int64_t elapsed = scale.NowNs() - start;
  EXPECT_NEAR(static_cast<double>(elapsed), static_cast<double>(MonotonicNs() - mono), 1e6);
  EXPECT_GT(start, 0);
}

TEST(ClockTest, ScaleConvertsByMultiplierAndShift) {
  // 3 GHz: 3e9 ticks a second; multiplier = 2^32 / 3.
  const ClockScale scale{ClockKind::kCounter, 32, (std::uint64_t{1} << 32) / 3, 100};
  EXPECT_NEAR(static_cast<double>(scale.ToNs(100 + 3'000'000'000ULL)), 1e9, 2);
}

TEST(FdTest, MovedFromOwnsNothing) {
  Fd a(dup(0));
  const int raw = a.get();
  Fd b = std::move(a);
  EXPECT_EQ(b.get(), raw);
  EXPECT_FALSE(static_cast<bool>(a));  // NOLINT(bugprone-use-after-move): that is what is tested
}

TEST(RandomTest, SameSeedSameSequence) {
  Random a(5);
  Random b(5);
  EXPECT_EQ(a.Next(), b.Next());
  const double u = a.Uniform();
  EXPECT_GE(u, 0);
  EXPECT_LT(u, 1);
}

}  // namespace
}  // namespace mortar::base
