#include "mortar/arguments.h"

#include <gtest/gtest.h>

namespace mortar::cli {
namespace {

TEST(ParsePercentTest, ReadsPartsPerMillion) {
  EXPECT_EQ(*ParsePercent("2%"), 20'000U);
  EXPECT_EQ(*ParsePercent("0.25 %"), 2'500U);
  EXPECT_EQ(*ParsePercent("0%"), 0U);
  EXPECT_EQ(*ParsePercent("1000%"), 10'000'000U);
}

TEST(ParsePercentTest, RefusesWhatIsNotAPercentage) {
  for (const char* text : {"", "%", "2", "0.02", "-2%", "+2%", "2 percent", "two%", "2%%", "1e3%", "nan%",
                           "inf%", "1000.1%", "2,5%", "99999999999999999999999999%", "0x2%"}) {
    const auto result = ParsePercent(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().message.find(text), std::string::npos) << text;
  }
}

TEST(ParseDurationTest, ReadsNanoseconds) {
  EXPECT_EQ(*ParseDuration("200ns"), 200);
  EXPECT_EQ(*ParseDuration("20us"), 20'000);
  EXPECT_EQ(*ParseDuration("20\u00b5s"), 20'000);
  EXPECT_EQ(*ParseDuration("1.5 ms"), 1'500'000);
  EXPECT_EQ(*ParseDuration("1s"), 1'000'000'000);
  EXPECT_EQ(*ParseDuration("0"), 0);
}

TEST(ParseDurationTest, RefusesWhatIsNotADuration) {
  for (const char* text : {"", "20", "us", "-20us", "20 u", "2m", "1.1s", "1e3ms", "nan", "20us 5ns"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseWeightTest, ReadsPermille) {
  EXPECT_EQ(*ParseWeight("2"), 2000U);
  EXPECT_EQ(*ParseWeight("0.5"), 500U);
  EXPECT_EQ(*ParseWeight("1000"), 1'000'000U);
  for (const char* text : {"", "0", "0.0001", "1001", "-1", "2x", "1e30", "99999999999999999999"}) {
    EXPECT_FALSE(ParseWeight(text).ok()) << text;
  }
}

TEST(ParseShareTest, IsAPartOfTheDevice) {
  EXPECT_EQ(*ParseShare("10%"), 100'000U);
  EXPECT_EQ(*ParseShare("0.5 %"), 5'000U);
  EXPECT_EQ(*ParseShare("100%"), 1'000'000U);
  EXPECT_EQ(*ParseShareOrNone("none"), 0U);
  for (const char* text : {"", "%", "0%", "0.00001%", "101%", "100.01%", "10", "0.1", "-10%", "ten%", "nan%",
                           "inf%", "1e1%", "none", "99999999999999999999%"}) {
    const auto result = ParseShare(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().message.find(text), std::string::npos) << text;
  }
}

TEST(ParseBytesTest, ReadsBothKindsOfUnits) {
  EXPECT_EQ(*ParseBytes("4GiB"), std::uint64_t{4} << 30);
  EXPECT_EQ(*ParseBytes("1.5 MiB"), 1'572'864U);
  EXPECT_EQ(*ParseBytes("2GB"), 2'000'000'000U);
  EXPECT_EQ(*ParseBytes("1B"), 1U);
  EXPECT_EQ(*ParseBytesOrNone("none"), 0U);
  for (const char* text : {"", "4", "4G", "GiB", "0GiB", "-1GiB", "0.1B", "4 gib", "1e3MiB", "nanGiB",
                           "5000TiB", "99999999999999999999999GiB", "none"}) {
    EXPECT_FALSE(ParseBytes(text).ok()) << text;
  }
}

TEST(ParsePriorityTest, ReadsOneDigit) {
  EXPECT_EQ(*ParsePriority("0"), 0U);
  EXPECT_EQ(*ParsePriority("9"), 9U);
  for (const char* text : {"", "10", "-1", "a", "5.0", " 5"}) EXPECT_FALSE(ParsePriority(text).ok()) << text;
}

TEST(ParseNameTest, RefusesWhatWouldSpoilAList) {
  EXPECT_EQ(*ParseName("serve \u00fc"), "serve \u00fc");
  EXPECT_EQ(ParseName(std::string(63, 'a'))->size(), 63U);
  EXPECT_FALSE(ParseName("").ok());
  EXPECT_FALSE(ParseName(std::string(64, 'a')).ok());
  EXPECT_FALSE(ParseName("a\nb").ok());
  const auto result = ParseName("\xff\x1b");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message.find('\x1b'), std::string::npos);  // not echoed to the terminal
}

TEST(ParsePolicyTest, KnowsAllPoliciesAndListsThem) {
  for (const auto id : model::kPolicies) EXPECT_EQ(*ParsePolicy(model::PolicyName(id)), id);
  const auto result = ParsePolicy("frob");
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("share, exclusive, priority, fikit, fill"), std::string::npos);
}

TEST(ParseDeviceModeTest, KnowsAllModes) {
  EXPECT_EQ(*ParseDeviceMode("fifo"), model::DeviceMode::kFifo);
  EXPECT_EQ(*ParseDeviceMode("sliced"), model::DeviceMode::kSliced);
  EXPECT_EQ(*ParseDeviceMode("merged"), model::DeviceMode::kMerged);
  EXPECT_FALSE(ParseDeviceMode("fifo ").ok());
}

}  // namespace
}  // namespace mortar::cli
