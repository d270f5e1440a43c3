#include "plan/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/csv.h"
#include "plan/evaluate.h"
#include "plan/report.h"

namespace mortar::plan {
namespace {

using ::testing::HasSubstr;

constexpr char kProfile[] =
    "device,workload,role,batch,f,time_ms,power_w\n"
    "d,net,infer,1,1,20,5\nd,net,infer,1,2,10,9\nd,net,infer,4,1,50,6\nd,net,infer,4,2,25,11\n"
    "d,job,train,8,1,40,7\nd,job,train,8,2,20,14\n";

constexpr char kSuite[] =
    "name = \"small\"\n[[set]]\nname = \"a\"\nprofile = \"p\"\nmeasured = true\nload = [0.2, 0.4]\nlatency = "
    "[2, 8]\n"
    "power = [0.3, 0.6, 1.0]\n[[set]]\nname = \"b\"\nprofile = \"p\"\nproblem = \"dynamic\"\nlatency = "
    "[20]\n";

TableSource Source() {
  return [](const std::string&) -> base::Result<std::shared_ptr<const Table>> {
    auto table = ParseProfiles(kProfile, "p");
    if (!table) return table.error();
    return std::shared_ptr<const Table>(std::make_shared<const Table>(std::move(table).value()));
  };
}

TEST(SuiteTest, BudgetsAreRelativeToThePair) {
  const auto suite = ParseSuite(kSuite, "s");
  ASSERT_TRUE(suite) << suite.error().message;
  const auto table = Source()("p");
  ASSERT_TRUE(table);
  const auto pairs = PairsOf(suite->sets[0], **table);
  ASSERT_EQ(pairs.size(), 1u);
  const auto queries = QueriesOf(suite->sets[0], **table, pairs[0], 1);
  ASSERT_EQ(queries.size(), 12u);
  // 4 requests in 25 ms are 160/s; the shortest batch-1 inference lasts 10 ms; power is between 5 and 14 W.
  EXPECT_DOUBLE_EQ(queries[0].rate, 32);
  EXPECT_DOUBLE_EQ(queries[0].latency_ms, 20);
  EXPECT_DOUBLE_EQ(queries[0].power_w, 5 + 0.3 * 9);
  EXPECT_DOUBLE_EQ(queries[11].power_w, 14);
}

TEST(SuiteTest, EvaluationIsTheSameForAnyNumberOfThreads) {
  const auto suite = ParseSuite(kSuite, "s");
  ASSERT_TRUE(suite);
  const auto contenders = ParseContenders("oracle,gmd,auto,als5");
  ASSERT_TRUE(contenders);
  const auto one = Evaluate(*suite, *contenders, Source(), 1);
  const auto three = Evaluate(*suite, *contenders, Source(), 3);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(one->configurations, 24);  // twelve queries and twelve windows
  EXPECT_EQ(*CountConfigurations(*suite, Source()), 24);
  ASSERT_EQ(one->rows.size(), 8u);
  for (std::size_t r = 0; r < one->rows.size(); ++r) {
    EXPECT_EQ(one->rows[r].tally.solved(), three->rows[r].tally.solved());
    EXPECT_EQ(one->rows[r].tally.LossMean(), three->rows[r].tally.LossMean());
    EXPECT_EQ(one->rows[r].tally.PointsMean(), three->rows[r].tally.PointsMean());
  }
  EXPECT_EQ(one->rows[0].tally.solved(), 1);  // the oracle
  EXPECT_EQ(one->rows[0].tally.LossMean(), 0);
}

TEST(SuiteTest, ReportsPutMeasuredFirstAndNameTheSynthetic) {
  auto suite = ParseSuite(kSuite, "s");
  ASSERT_TRUE(suite);
  std::swap(suite->sets[0], suite->sets[1]);
  const auto evaluation = Evaluate(*suite, *ParseContenders("oracle"), Source(), 1);
  ASSERT_TRUE(evaluation);
  for (const std::string& text : {EvaluationText(*evaluation), EvaluationHtml(*evaluation)}) {
    EXPECT_LT(text.find("measured, replayed"),
              text.find("synthetic: ranks strategies, says nothing of a real device"));
    EXPECT_NE(text.find("synthetic: ranks"), std::string::npos);
  }
  EXPECT_THAT(EvaluationJson(*evaluation), HasSubstr("\"loss_p95\""));
}

TEST(SuiteTest, BadSuitesNameTheKey) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no [[set]]"},
      {"[[set]\n", "s:1"},
      {"set = 3\n", "no [[set]]"},
      {"[[set]]\nprofile = \"p\"\n", "name"},
      {"[[set]]\nname = \"a\"\n", "profile"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\nproblem = \"x\"\n", "problem"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\nload = []\n", "load"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\npower = [0]\n", "power"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\nlatency = [\"x\"]\n", "latency"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\nevery = 0\n", "every"},
      {"[[set]]\nname = \"a\"\nprofile = \"p\"\nnoise = 2.0\n", "noise"},
  };
  for (const auto& [text, expected] : cases) {
    const auto suite = ParseSuite(text, "s");
    ASSERT_FALSE(suite) << text;
    EXPECT_THAT(suite.error().message, HasSubstr(expected)) << text;
  }
  EXPECT_FALSE(ParseContenders("gmd,bogus"));
  EXPECT_FALSE(ParseContenders("als1x"));
  EXPECT_FALSE(ParseContenders(""));
}

}  // namespace
}  // namespace mortar::plan
