#include "trace/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shared_data.h"
#include "trace/arrivals_disb.h"

namespace mortar::trace {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ArrivalsTest, GrammarReadsItsFourForms) {
  EXPECT_EQ(ParseArrivals("back-to-back")->kind, ArrivalKind::kBackToBack);
  const auto periodic = ParseArrivals("periodic:20/s");
  ASSERT_TRUE(periodic);
  EXPECT_EQ(periodic->kind, ArrivalKind::kPeriodic);
  EXPECT_DOUBLE_EQ(periodic->rate, 20);
  EXPECT_DOUBLE_EQ(ParseArrivals("poisson:90/min")->rate, 1.5);
  EXPECT_EQ(ParseArrivals("file:a:b.csv")->path, "a:b.csv");
  for (const char* bad : {"", "poisson", "poisson:", "poisson:0/s", "poisson:-1/s", "poisson:x/s",
                          "periodic:1/d", "file:", "uniform:3/s", "periodic:nan/s", "periodic:inf/s"}) {
    EXPECT_FALSE(ParseArrivals(bad)) << bad;
  }
}

TEST(ArrivalsTest, PeriodicInstantsFillTheTime) {
  const auto instants = MakeArrivals({ArrivalKind::kPeriodic, 4, ""}, 1.0, 1);
  ASSERT_TRUE(instants);
  EXPECT_THAT(*instants, ElementsAre(0, 0.25, 0.5, 0.75));
}

TEST(ArrivalsTest, PoissonHasItsRateAndIsItsSeedsAlone) {
  const auto a = MakeArrivals({ArrivalKind::kPoisson, 50, ""}, 1000, 7);
  const auto b = MakeArrivals({ArrivalKind::kPoisson, 50, ""}, 1000, 7);
  const auto c = MakeArrivals({ArrivalKind::kPoisson, 50, ""}, 1000, 8);
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(*a, *b);
  EXPECT_NE(*a, *c);
  EXPECT_NEAR(static_cast<double>(a->size()), 50000, 1000);  // four and a half standard deviations
  EXPECT_TRUE(std::is_sorted(a->begin(), a->end()));
}

TEST(ArrivalsTest, FilesOfSecondsAndOfDates) {
  const auto plain = ParseArrivalFile("# recorded\n10.5\n10\n\n12\n", "f");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_THAT(*plain, ElementsAre(0, 0.5, 2));
  const auto dates = ParseArrivalFile(
      "TIMESTAMP,ContextTokens\n2023-11-16 23:59:59.5,9\n2023-11-17 "
      "00:00:01.25,4\r\n2024-02-29T00:00:00Z,1\n",
      "f");
  ASSERT_TRUE(dates) << dates.error().message;
  // From 2023-11-16 to 2024-02-29 are 105 days.
  EXPECT_THAT(*dates, ElementsAre(DoubleEq(0), DoubleEq(1.75), DoubleEq(105 * 86400 - 86399.5)));
  const auto column = ParseArrivalFile("app,end_timestamp,duration\nx,3,1\ny,5,1\n", "f");
  ASSERT_TRUE(column) << column.error().message;
  EXPECT_THAT(*column, ElementsAre(0, 2));
}

TEST(ArrivalsTest, BadLinesAreNamed) {
  const auto bad = ParseArrivalFile("1\n2\nsoon\n", "f");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("f:3: 'soon'"));
  EXPECT_FALSE(ParseArrivalFile("", "f"));
  EXPECT_FALSE(ParseArrivalFile("time\n", "f"));
  EXPECT_FALSE(ParseArrivalFile("1\n2023-13-40 00:00:00\n", "f"));
  EXPECT_FALSE(ReadArrivalFile("/nonexistent/arrivals"));
}

TEST(ArrivalsTest, PartsOfTheSoloRateWaitForIt) {
  const auto spec = ParseArrivals("poisson:50%");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_DOUBLE_EQ(spec->share, 0.5);
  EXPECT_FALSE(MakeArrivals(*spec, 1, 1));
  EXPECT_FALSE(ResolveArrivals(*spec, 0));
  const auto resolved = ResolveArrivals(*spec, 40);
  ASSERT_TRUE(resolved);
  EXPECT_DOUBLE_EQ(resolved->rate, 20);
  EXPECT_EQ(MakeArrivals(*ResolveArrivals(*ParseArrivals("periodic:25%"), 8), 1.0, 1)->size(), 2u);
  EXPECT_DOUBLE_EQ(ResolveArrivals(*ParseArrivals("periodic:3/s"), 0)->rate, 3);  // no share, nothing to do
  for (const char* bad :
       {"poisson:%", "poisson:0%", "poisson:-5%", "poisson:1001%", "poisson:x%", "poisson:50%/s"}) {
    EXPECT_FALSE(ParseArrivals(bad)) << bad;
  }
}

constexpr const char* kMix = R"({"time": 2, "tasks": [
  {"id": "rt", "load": {"type": "trace", "trace": [250, 0, 1500]}},
  {"id": "p", "load": {"type": "periodic", "frequency": 2}},
  {"id": "be", "load": {"type": "continuous"}}]})";

TEST(ArrivalsTest, MixesHoldTasks) {
  const auto tasks = ParseDisb(kMix, "m");
  ASSERT_TRUE(tasks) << tasks.error().message;
  EXPECT_THAT(ChooseDisbTask(*tasks, "rt", "m")->instants, ElementsAre(0, 0.25, 1.5));
  EXPECT_EQ(ChooseDisbTask(*tasks, "p", "m")->spec.kind, ArrivalKind::kPeriodic);
  EXPECT_EQ(ChooseDisbTask(*tasks, "be", "m")->spec.kind, ArrivalKind::kBackToBack);
  EXPECT_THAT(ChooseDisbTask(*tasks, "", "m").error().message, HasSubstr("file:m#TASK, of rt, p, be"));
  EXPECT_THAT(ChooseDisbTask(*tasks, "x", "m").error().message, HasSubstr("no single task 'x'"));
}

TEST(ArrivalsTest, BadMixesAreNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{", "read m: "},
      {"{\"a\":1}", "no list 'tasks'"},
      {"{\"tasks\":[]}", "'tasks' is empty"},
      {"{\"tasks\":[{}]}", "task 0: no 'load'"},
      {"{\"tasks\":[{\"load\":{\"type\":\"x\"}}]}", "task 0: load type \"x\""},
      {"{\"tasks\":[{\"load\":{\"type\":\"poisson\",\"frequency\":0}}]}",
       "'frequency' is no positive number"},
      {"{\"tasks\":[{\"load\":{\"type\":\"trace\",\"trace\":[1,-2]}}]}", "entry 1 of 'trace'"},
      {"{\"tasks\":[{\"load\":{\"type\":\"trace\",\"trace\":[]}}]}", "'trace' is empty"},
  };
  for (const auto& [text, error] : kCases) {
    const auto tasks = ParseDisb(text, "m");
    ASSERT_FALSE(tasks) << text;
    EXPECT_THAT(tasks.error().message, HasSubstr(error)) << text;
  }
}

TEST(ArrivalsTest, SharedArrivalsRead) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  const std::string folder = *root + "/arrivals";
  const auto azure = ReadArrivalFile(folder + "/azure/AzureLLMInferenceTrace_conv.csv");
  ASSERT_TRUE(azure) << azure.error().message;
  EXPECT_EQ(azure->size(), 19366u);
  const auto real = ReadArrivalFile(folder + "/disb/REAL.json#vgg19_rt");
  ASSERT_TRUE(real) << real.error().message;
  EXPECT_EQ(real->size(), 560u);
  EXPECT_DOUBLE_EQ(real->front(), 0.009);
  const auto poisson = MakeArrivals(*ParseArrivals("file:" + folder + "/disb/E.json#resnet152_rt"), 100, 1);
  ASSERT_TRUE(poisson) << poisson.error().message;
  EXPECT_NEAR(static_cast<double>(poisson->size()), 2000, 200);  // 20/s; four and a half standard deviations
  EXPECT_FALSE(MakeArrivals(*ParseArrivals("file:" + folder + "/disb/A.json#resnet152_be"), 1, 1));
  EXPECT_EQ(MakeArrivals(*ParseArrivals("file:" + folder + "/disb/A.json"), 1, 1)->size(), 100u);
}

TEST(ArrivalsTest, RatesByWindowCountRequests) {
  EXPECT_THAT(RatesByWindow({0, 0.5, 1.5, 3.9}, 1), ElementsAre(2, 1, 0, 1));
  EXPECT_TRUE(RatesByWindow({}, 1).empty());
  EXPECT_EQ(RatesByWindow({0, 1e300}, 1).size(), 1'000'000u);  // the rest is left out
}

}  // namespace
}  // namespace mortar::trace
