#include "plan/query_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/space.h"

namespace mortar::plan {
namespace {

using ::testing::HasSubstr;

TEST(QueryJsonTest, ReadsEveryFieldAndTakesNullForAbsent) {
  const auto query = ParseQuery(
      R"({"id": 7, "problem": "multi_infer", "profile": "p.csv", "train": null, "infer": "a", "infer2": "b",
          "rate": 34.5, "latency_ms": 120, "power_w": 30, "latency_rule": "b", "objective": "headroom"})");
  ASSERT_TRUE(query) << query.error().message;
  EXPECT_EQ(query->id, 7);
  EXPECT_EQ(query->problem, Problem::kMultiInfer);
  EXPECT_EQ(query->train, "");
  EXPECT_EQ(query->infer2, "b");
  EXPECT_DOUBLE_EQ(query->rate, 34.5);
  EXPECT_EQ(query->rule, LatencyRule::kB);
  EXPECT_EQ(query->objective, Objective::kHeadroom);
}

TEST(QueryJsonTest, BadLinesNameTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "not JSON"},
      {"[]", "not a JSON object"},
      {R"({"problem": "best"})", "'problem'"},
      {R"({"problem": 3})", "'problem'"},
      {R"({"problem": "train", "rate": "fast"})", "'rate'"},
      {R"({"problem": "train", "latency_rule": "c"})", "'latency_rule'"},
      {R"({"problem": "train", "objective": "joy"})", "'objective'"},
      {R"({"problem": "dynamic", "rates": [1, "x"]})", "'rates'"},
      {R"({"problem": "train", "id": "x"})", "'id'"},
  };
  for (const auto& [line, expected] : cases) {
    const auto query = ParseQuery(line);
    ASSERT_FALSE(query) << line;
    EXPECT_THAT(query.error().message, HasSubstr(expected)) << line;
  }
}

TEST(QueryJsonTest, QueriesThatNoTableCanAnswerAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"problem": "concurrent", "train": "t", "infer": "i", "rate": 0, "latency_ms": 9, "power_w": 9})",
       "rate"},
      {R"({"problem": "concurrent", "train": "t", "rate": 5, "latency_ms": 9, "power_w": 9})", "(infer)"},
      {R"({"problem": "concurrent", "infer": "t", "rate": 5, "latency_ms": 9, "power_w": 9})", "(train)"},
      {R"({"problem": "infer", "infer": "i", "rate": 5, "latency_ms": -1, "power_w": 9})", "latency"},
      {R"({"problem": "train", "train": "t", "power_w": 0})", "power"},
      {R"({"problem": "dynamic", "train": "t", "infer": "i", "rates": [], "latency_ms": 9, "power_w": 9})",
       "rates"},
      {R"({"problem": "dynamic", "train": "t", "infer": "i", "rates": [5, -1], "latency_ms": 9, "power_w": 9})",
       "every rate"},
  };
  for (const auto& [line, expected] : cases) {
    const auto query = ParseQuery(line);
    ASSERT_TRUE(query) << line;
    const auto status = CheckQuery(*query);
    ASSERT_FALSE(status) << line;
    EXPECT_THAT(status.error().message, HasSubstr(expected)) << line;
  }
}

}  // namespace
}  // namespace mortar::plan
