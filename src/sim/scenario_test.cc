#include "sim/scenario.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace mortar::sim {
namespace {

constexpr char kGood[] = R"(policy = "priority"
for = "2s"
seed = 7
[device]
mode = "sliced"
slice = "1ms"
[[client]]
recording = "a.json"
arrivals = "poisson:20/s"
max_slowdown = "1%"
[[client]]
recording = "/b.json"
name = "train"
priority = 4
split_us = 50
min_share = "10%"
floor_first = true
)";

TEST(ScenarioTest, ReadsWhatIsWritten) {
  const auto scenario = ReadScenario(kGood, "mix.toml");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message;
  EXPECT_EQ(scenario->policy, Policy::kPriority);
  EXPECT_EQ(scenario->for_ns, 2'000'000'000);
  EXPECT_EQ(scenario->seed, 7U);
  EXPECT_EQ(scenario->device.kind, DeviceKind::kSliced);
  EXPECT_EQ(scenario->device.slice_ns, 1'000'000);
  ASSERT_EQ(scenario->clients.size(), 2U);
  EXPECT_EQ(scenario->clients[0].name, "a");
  EXPECT_EQ(scenario->clients[0].priority, 0);
  EXPECT_DOUBLE_EQ(scenario->clients[0].max_slowdown, 0.01);
  EXPECT_EQ(scenario->clients[0].arrivals.kind, trace::ArrivalKind::kPoisson);
  EXPECT_EQ(scenario->clients[1].name, "train");
  EXPECT_EQ(scenario->clients[1].priority, 4);
  EXPECT_EQ(scenario->clients[1].split_ns, 50'000);
  EXPECT_DOUBLE_EQ(scenario->clients[1].min_share, 0.1);
  EXPECT_TRUE(scenario->clients[1].floor_first);
}

struct Bad {
  const char* text;
  const char* says;
};

class BadScenarioTest : public testing::TestWithParam<Bad> {};

TEST_P(BadScenarioTest, IsRefusedWithFileAndCause) {
  const auto scenario = ReadScenario(GetParam().text, "mix.toml");
  ASSERT_FALSE(scenario.ok());
  EXPECT_EQ(scenario.error().message.rfind("mix.toml:", 0), 0U) << scenario.error().message;
  EXPECT_NE(scenario.error().message.find(GetParam().says), std::string::npos) << scenario.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadScenarioTest,
    testing::Values(
        Bad{"policy = ", "mix.toml:1"}, Bad{"policy = \"fil\"\n", "no policy 'fil'"},
        Bad{"polcy = \"fill\"\n", "polcy: is not known here"}, Bad{"", "1 to 64 [[client]]"},
        Bad{"client = 3\n", "1 to 64 [[client]]"},
        Bad{"[[client]]\npriority = 1\n", "mix.toml:1: client 1 names no recording"},
        Bad{"[[client]]\nrecording = \"a\"\npriority = 11\n", "mix.toml:3: client 1: priority: takes"},
        Bad{"[[client]]\nrecording = \"a\"\narrivals = \"sometimes\"\n", "mix.toml:3: client 1: arrivals"},
        Bad{"[[client]]\nrecording = \"a\"\narrivals = \"poisson:-1/s\"\n", "arrivals"},
        Bad{"[[client]]\nrecording = \"a\"\nmax_slowdown = \"2\"\n", "as 2%"},
        Bad{"[[client]]\nrecording = \"a\"\nmin_share = \"0%\"\n", "min_share: takes a percentage above 0%"},
        Bad{"[[client]]\nrecording = \"a\"\nmin_share = \"101%\"\n", "up to 100%"},
        Bad{"[[client]]\nrecording = \"a\"\nmin_share = \"nan%\"\n", "up to 100%"},
        Bad{"[[client]]\nrecording = \"a\"\nfloor_first = 1\n", "takes true or false"},
        Bad{"[[client]]\nrecording = \"a\"\nmin_share = \"60%\"\n[[client]]\nrecording = \"b\"\nmin_share = "
            "\"50%\"\n",
            "together are above 100%"},
        Bad{"for = \"\"\n[[client]]\nrecording = \"a\"\n", "mix.toml:1: for: is empty"},
        Bad{"policy = \"\"\n[[client]]\nrecording = \"a\"\n", "policy: is empty"},
        Bad{"[[client]]\nrecording = \"a\"\nmax_slowdown = \"\"\n", "client 1: max_slowdown: is empty"},
        Bad{"[[client]]\nrecording = \"a\"\narrivals = \"\"\n", "client 1: arrivals: is empty"},
        Bad{"for = \"5\"\n[[client]]\nrecording = \"a\"\n", "for: takes a time"},
        Bad{"[device]\nmode = \"merged\"\n[[client]]\nrecording = \"a\"\n", "fifo or sliced"},
        Bad{"policy = \"oracle-gap\"\n[[client]]\nrecording = \"a\"\n", "somebody to fill"}));

TEST(ScenarioTest, UnknownFileIsNamed) {
  const auto scenario = ReadScenario("[[client]]\nrecording = \"no such file\"\n", "mix.toml");
  ASSERT_TRUE(scenario.ok());
  const auto result = RunScenario(*scenario, "/nowhere", false);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("/nowhere/no such file"), std::string::npos)
      << result.error().message;
}

TEST(ScenarioTest, RandomBytesAreRefusedOrRead) {
  base::Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string text = kGood;
    for (int k = 0; k < 5; ++k) text[random.Next() % text.size()] = static_cast<char>(random.Next());
    const auto scenario = ReadScenario(text, "mix.toml");
    if (scenario.ok()) continue;
    EXPECT_EQ(scenario.error().message.rfind("mix.toml:", 0), 0U);
  }
}

}  // namespace
}  // namespace mortar::sim
