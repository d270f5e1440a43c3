// Scenarios run from files: what each client has beside what it had alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "sim/scenario.h"

namespace mortar::sim {
namespace {

class ScenarioRunTest : public testing::Test {
 protected:
  ScenarioRunTest() : folder_(testing::TempDir() + "scenario" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~ScenarioRunTest() override { std::filesystem::remove_all(folder_); }

  // A recording of one request: `launches` kernels of 100 us, 500 us apart, each waited for.
  void Record(const std::string& name, int launches = 4) {
    std::string text;
    int correlation = 0;
    for (int i = 0; i < launches; ++i) {
      const int at = 1000 + i * 500;
      const auto event = [&](const char* category, const char* what, int start, int duration, int number) {
        text += (text.empty() ? "" : ",\n") + std::string(R"({"ph":"X","cat":")") + category +
                R"(","name":")" + what + R"(","pid":1,"tid":1,"ts":)" + std::to_string(start) +
                ",\"dur\":" + std::to_string(duration) + R"(,"args":{"device":0,"stream":7,"correlation":)" +
                std::to_string(number) + "}}";
      };
      event("cuda_runtime", "cudaLaunchKernel", at, 5, ++correlation);
      event("kernel", "k", at + 10, 100, correlation);
      event("cuda_runtime", "cudaDeviceSynchronize", at + 6, 106, ++correlation);
    }
    Write(name, "{\"traceEvents\":[" + text + "]}");
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  base::Result<ScenarioResult> Run(const std::string& text) {
    const auto scenario = ReadScenario(text, "mix.toml");
    if (!scenario) return scenario.error();
    return RunScenario(*scenario, folder_, false);
  }

  std::string folder_;
};

TEST_F(ScenarioRunTest, FewArrivalsEndTheRunAndAreNamed) {
  Record("one.json");
  Write("few.txt", "0\n0.1\n0.2\n");
  for (const char* arrivals : {"file:few.txt", "periodic:0.2/s"}) {
    const auto result = Run("for = \"1s\"\n[[client]]\nrecording = \"one.json\"\narrivals = \"" +
                            std::string(arrivals) + "\"\n[[client]]\nrecording = \"one.json\"\n");
    ASSERT_FALSE(result.ok()) << arrivals;
    EXPECT_NE(result.error().message.find("one.json"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("arrivals"), std::string::npos) << result.error().message;
  }
}

TEST_F(ScenarioRunTest, ArrivalFilesLieInTheScenariosFolder) {
  Record("one.json");
  std::string instants;
  for (int i = 0; i < 200; ++i) instants += std::to_string(i * 0.01) + "\n";
  Write("many.txt", instants);
  const auto result =
      Run("for = \"200ms\"\n[[client]]\nrecording = \"one.json\"\narrivals = \"file:many.txt\"\n");
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_NEAR(static_cast<double>(result->clients[0].row.requests), 20, 1);
}

TEST_F(ScenarioRunTest, AHolderOfAnotherDeviceIsKnownThereToYardsticks) {
  Record("one.json");
  const auto result =
      Run("policy = \"oracle-gap\"\nfor = \"200ms\"\n[[client]]\nrecording = \"one.json\"\ndevice = 1\n"
          "[[client]]\nrecording = \"one.json\"\nname = \"filler\"\ndevice = 1\n");
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_DOUBLE_EQ(result->clients[0].row.max_x, 1);
  EXPECT_GT(result->clients[1].work_vs_alone, 0.3);
}

// Requests of a filler come every 10 ms, and all of them have run alone as well, whenever judging begins.
TEST_F(ScenarioRunTest, NoRequestOfAFillerIsLost) {
  Record("one.json");
  const auto result =
      Run("for = \"1s\"\n[[client]]\nrecording = \"one.json\"\narrivals = \"periodic:50/s\"\n"
          "[[client]]\nrecording = \"one.json\"\nname = \"filler\"\narrivals = \"periodic:100/s\"\n");
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_NEAR(static_cast<double>(result->clients[1].row.requests), 100, 1);
  EXPECT_TRUE(std::isfinite(result->clients[1].row.mean_x));
  EXPECT_NEAR(result->clients[1].work_vs_alone, 1, 0.02);
}

// The slow one learns for 20 requests, 200 ms; the fast one is judged in the same time.
TEST_F(ScenarioRunTest, ClientsJudgedTogetherKeepTheirRequests) {
  Record("fast.json", 1);
  Record("slow.json", 20);
  const auto result =
      Run("policy = \"share\"\nfor = \"100ms\"\n[[client]]\nrecording = \"fast.json\"\npriority = 0\n"
          "[[client]]\nrecording = \"slow.json\"\npriority = 0\n");
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_GT(result->clients[0].row.requests, 300U);
  EXPECT_TRUE(std::isfinite(result->clients[0].row.mean_x));
}

}  // namespace
}  // namespace mortar::sim
