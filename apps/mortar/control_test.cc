// `mortar status`, `set`, `off` and `on` on boards with clients of this process.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "board/board.h"
#include "board/view.h"
#include "mortar/status_report.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class ControlTest : public testing::Test {
 protected:
  board::Board Open(const std::string& device) const {
    auto board = board::Board::Open(directory_.path(), device, true);
    EXPECT_TRUE(board.ok()) << board.error().message;
    return board.ok() ? std::move(*board) : board::Board();
  }
  Outcome Call(const std::vector<std::string>& words) const {
    return RunMortar(words, {{"MORTAR_DIR", directory_.path()}});
  }
  void ExpectError(const std::vector<std::string>& words, int code, const std::string& about) const {
    const auto outcome = Call(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(about), std::string::npos) << outcome.err;
  }
  nlohmann::json StatusJson() const { return nlohmann::json::parse(Call({"status", "--json"}).out); }
  board::TemporaryDirectory directory_;
};

TEST_F(ControlTest, StatusOfNothing) {
  const auto outcome = Call({"status"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find(directory_.path()), std::string::npos);
  EXPECT_TRUE(StatusJson()["clients"].empty());
}

TEST_F(ControlTest, StatusTellsWhatTheBoardSays) {
  board::Board board = Open("0000:3b:00.0");
  const auto ref = board.Join({"serve", 1, 10'000, 2000});
  ASSERT_TRUE(ref.ok());
  auto& slot = board.slot(ref->index);
  slot.counters.submits = 7;
  slot.counters.fills = 3;
  slot.counters.request_ns = 102'000'000;
  slot.counters.harm_ns = 2'000'000;
  slot.counters.gated_ns = 5'000'000;
  slot.report.measured_slowdown_ppm = 15'000;
  slot.report.measured_low_ppm = 10'000;
  slot.report.measured_high_ppm = 20'000;
  slot.report.period_ns = 3'000'000;
  const auto status = StatusJson();
  EXPECT_EQ(status["devices"][0]["device"], "0000:3b:00.0");
  EXPECT_EQ(status["devices"][0]["policy"], "fill");
  EXPECT_EQ(status["devices"][0]["mode"], "fifo");
  EXPECT_EQ(status["devices"][0]["off"], false);
  EXPECT_EQ(status["devices"][0]["bound_us"], 200.0);
  const auto client = status["clients"][0];
  EXPECT_EQ(client["name"], "serve");
  EXPECT_EQ(client["pid"], getpid());
  EXPECT_EQ(client["priority"], 1);
  EXPECT_EQ(client["alive"], true);
  EXPECT_EQ(client["state"], "unused");
  EXPECT_DOUBLE_EQ(client["max_slowdown"], 0.01);
  EXPECT_DOUBLE_EQ(client["weight"], 2);
  EXPECT_EQ(client["submits"], 7);
  EXPECT_EQ(client["fills"], 3);
  EXPECT_DOUBLE_EQ(client["harm_modelled"], 0.02);  // 2 ms over the 100 ms that it would have been
  EXPECT_DOUBLE_EQ(client["harm_measured"]["mean"], 0.015);
  EXPECT_DOUBLE_EQ(client["harm_measured"]["low"], 0.01);
  EXPECT_DOUBLE_EQ(client["held_ms"], 5);
  const auto table = Call({"status"});
  for (const char* text : {"0000:3b:00.0: on, policy fill", "serve", "1.5 % (1 \u2026 2)", "3 ms", "2 %"}) {
    EXPECT_NE(table.out.find(text), std::string::npos) << text << "\n" << table.out;
  }
}

TEST_F(ControlTest, StatusWithoutFiguresSaysSo) {
  board::Board board = Open("gpu");
  ASSERT_TRUE(board.Join({"serve"}).ok());
  const auto client = StatusJson()["clients"][0];
  EXPECT_TRUE(client["harm_modelled"].is_null());
  EXPECT_TRUE(client["harm_measured"].is_null());
}

TEST_F(ControlTest, StatusShowsTheDeadOnceAndClearsThem) {
  board::Board board = Open("gpu");
  {
    board::Board other = Open("gpu");
    ASSERT_TRUE(other.Join({"gone"}).ok());
  }
  const auto status = Call({"status"});
  EXPECT_NE(status.out.find("dead, cleared"), std::string::npos) << status.out;
  EXPECT_TRUE(StatusJson()["clients"].empty());
}

TEST_F(ControlTest, StatusWithABoardThatCannotBeRead) {
  const board::Board board = Open("gpu");
  std::ofstream(directory_.path() + "/junk") << "not a board";
  const auto outcome = Call({"status", "--json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  const auto status = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(status["devices"].size(), 1U);
  EXPECT_EQ(status["errors"].size(), 1U);
}

TEST_F(ControlTest, StatusOfSpoiledNamesStaysJson) {
  board::Board board = Open("gpu");
  const auto ref = board.Join({"a"});
  ASSERT_TRUE(ref.ok());
  for (auto& c : board.slot(ref->index).name) c = '\xff';
  board.slot(ref->index).counters.harm_ns = UINT64_MAX;
  board.slot(ref->index).priority = 77;
  EXPECT_EQ(StatusJson()["clients"][0]["name"], std::string(64, '?'));
}

TEST_F(ControlTest, StateFollowsTheLanes) {
  board::ClientView client;
  client.idle_after_ns = 5'000'000;
  const std::int64_t now = 1'000'000'000;
  EXPECT_EQ(StateOf(client, now), "unused");
  board::LaneView lane;
  lane.state = board::kLaneRunning;
  lane.last_activity_ns = now - 6'000'000;
  client.lanes = {lane};
  EXPECT_EQ(StateOf(client, now), "idle");
  client.lanes[0].last_activity_ns = now - 4'000'000;
  EXPECT_EQ(StateOf(client, now), "running");
  client.lanes[0].state = board::kLaneWaiting;
  EXPECT_EQ(StateOf(client, now), "waiting");
  lane.state = board::kLaneGated;
  client.lanes.push_back(lane);
  EXPECT_EQ(StateOf(client, now), "held");
}

TEST_F(ControlTest, SetChangesAClientOnAllBoardsAndBumps) {
  board::Board one = Open("one");
  board::Board two = Open("two");
  const auto first = one.Join({"serve"});
  const auto second = two.Join({"serve"});
  board::Board bystander = Open("one");
  const auto third = bystander.Join({"other"});
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  const auto version = two.header().version.load();
  const auto outcome = Call({"set", "serve", "--priority", "1", "--max-slowdown", "1%", "--weight", "2"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  for (const auto& [board, ref] : {std::pair{&one, *first}, std::pair{&two, *second}}) {
    const auto client = board::ReadClient(*board, ref.index);
    EXPECT_EQ(client->priority, 1U);
    EXPECT_EQ(client->max_slowdown_ppm, 10'000U);
    EXPECT_EQ(client->weight_permille, 2000U);
  }
  EXPECT_NE(two.header().version.load(), version);
  EXPECT_EQ(board::ReadClient(one, third->index)->priority, 5U);
}

TEST_F(ControlTest, SetChangesFloorsAndMemory) {
  board::Board board = Open("gpu");
  const auto ref = board.Join({"train"});
  ASSERT_TRUE(ref.ok());
  const auto set = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"set", "train"});
    const auto outcome = Call(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return *board::ReadClient(board, ref->index);
  };
  const auto all = set({"--min-share", "10%", "--floor-first", "--memory", "4GiB"});
  EXPECT_EQ(all.min_share_ppm, 100'000U);
  EXPECT_TRUE(all.floor_first);
  EXPECT_EQ(all.memory_limit, std::uint64_t{4} << 30);
  const auto status = StatusJson()["clients"][0];
  EXPECT_DOUBLE_EQ(status["min_share"], 0.1);
  EXPECT_EQ(status["floor_first"], true);
  EXPECT_EQ(status["memory_limit"], std::uint64_t{4} << 30);
  board.slot(ref->index).report.memory = 1U << 30;
  EXPECT_NE(Call({"status"}).out.find("10 % first"), std::string::npos);
  EXPECT_NE(Call({"status"}).out.find("1 GiB of 4 GiB"), std::string::npos);
  EXPECT_TRUE(set({"--min-share", "20%"}).floor_first) << "what is not named stays";
  EXPECT_FALSE(set({"--no-floor-first"}).floor_first);
  const auto none = set({"--min-share", "none", "--memory", "none"});
  EXPECT_EQ(none.min_share_ppm, 0U);
  EXPECT_EQ(none.memory_limit, 0U);
  EXPECT_TRUE(StatusJson()["clients"][0]["min_share"].is_null());
}

TEST_F(ControlTest, FloorsBeyondTheWholeDeviceAreRefused) {
  board::Board one = Open("gpu");
  board::Board two = Open("gpu");
  board::Board elsewhere = Open("another");
  ASSERT_TRUE(one.Join({"a"}).ok() && two.Join({.name = "b", .min_share_ppm = 600'000}).ok());
  ASSERT_TRUE(elsewhere.Join({.name = "c", .min_share_ppm = 900'000}).ok());
  ExpectError({"set", "a", "--min-share", "50%"}, 2, "leave 40 % of the device");
  EXPECT_EQ(Call({"set", "a", "--min-share", "40%"}).code, 0);
  EXPECT_EQ(Call({"set", "b", "--min-share", "60%"}).code, 0) << "its own does not count twice";
}

TEST_F(ControlTest, SetKeepsWhatIsNotNamed) {
  board::Board board = Open("gpu");
  const auto ref = board.Join({"serve", 3, 30'000, 1500});
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(Call({"set", "serve", "--weight", "4"}).code, 0);
  const auto client = board::ReadClient(board, ref->index);
  EXPECT_EQ(client->priority, 3U);
  EXPECT_EQ(client->max_slowdown_ppm, 30'000U);
  EXPECT_EQ(client->weight_permille, 4000U);
}

TEST_F(ControlTest, SetChangesBoards) {
  const board::Board one = Open("one");
  const board::Board two = Open("two");
  EXPECT_EQ(Call({"set", "--policy", "priority", "--mode", "sliced", "--switch-cost", "20us", "--bound",
                  "1ms", "--margin", "5us", "--device", "two"})
                .code,
            0);
  const auto changed = board::ReadSettings(two.header());
  EXPECT_EQ(changed.policy, model::PolicyId::kPriority);
  EXPECT_EQ(changed.mode, model::DeviceMode::kSliced);
  EXPECT_EQ(changed.switch_cost_ns, 20'000);
  EXPECT_EQ(changed.in_flight_bound_ns, 1'000'000);
  EXPECT_EQ(changed.margin_ns, 5'000);
  EXPECT_EQ(board::ReadSettings(one.header()).policy, model::PolicyId::kFill);
  EXPECT_TRUE(board::Board::OpenFile(two.path()).ok());  // what can be set can be opened again
}

TEST_F(ControlTest, OffAndOnBumpEveryBoard) {
  const board::Board one = Open("one");
  const board::Board two = Open("two");
  const auto version = one.header().version.load();
  EXPECT_EQ(Call({"off"}).code, 0);
  EXPECT_TRUE(board::ReadSettings(one.header()).off);
  EXPECT_TRUE(board::ReadSettings(two.header()).off);
  EXPECT_NE(one.header().version.load(), version);
  EXPECT_NE(Call({"status"}).out.find("OFF"), std::string::npos);
  EXPECT_EQ(Call({"on", "--device", "two"}).code, 0);
  EXPECT_TRUE(board::ReadSettings(one.header()).off);
  EXPECT_FALSE(board::ReadSettings(two.header()).off);
}

TEST_F(ControlTest, BadInput) {
  ExpectError({"set", "serve", "--priority", "1"}, 1, "there is none");
  ExpectError({"off"}, 1, "there is none");
  board::Board board = Open("gpu");
  ASSERT_TRUE(board.Join({"serve"}).ok());
  ExpectError({"set"}, 2, "nothing to set");
  ExpectError({"set", "serve"}, 2, "nothing to set");
  ExpectError({"set", "--priority", "1"}, 2, "name of a client");
  ExpectError({"set", "serve", "--policy", "fill"}, 2, "leave out \"serve\"");
  ExpectError({"set", "serve", "--priority", "11"}, 2, "--priority");
  ExpectError({"set", "serve", "--max-slowdown", "5"}, 2, "--max-slowdown");
  ExpectError({"set", "serve", "--min-share", "0%"}, 2, "--min-share");
  ExpectError({"set", "serve", "--min-share", "101%"}, 2, "--min-share");
  ExpectError({"set", "serve", "--memory", "lots"}, 2, "--memory");
  ExpectError({"set", "--floor-first"}, 2, "name of a client");
  ExpectError({"set", "serve", "--floor-first", "--no-floor-first"}, 2, "--no-floor-first");
  ExpectError({"set", "--policy", "frob"}, 2, "fikit");
  ExpectError({"set", "--mode", "frob"}, 2, "merged");
  ExpectError({"set", "--bound", "200"}, 2, "--bound");
  ExpectError({"set", "--frob", "1"}, 2, "--frob");
  ExpectError({"set", "nobody", "--priority", "1"}, 1, "nobody");
  ExpectError({"set", "--policy", "fill", "--device", "other"}, 1, "choose one of: gpu");
  ExpectError({"status", "--", "true"}, 2, "--");
  ExpectError({"status", "frob"}, 2, "frob");
  ExpectError({"frob"}, 2, "frob");
  ExpectError({}, 2, "subcommand");
}

TEST_F(ControlTest, DirectoryByFlag) {
  board::Board board = Open("gpu");
  const auto outcome = RunMortar({"status", "--dir", directory_.path()}, {{"MORTAR_DIR", "/proc"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto denied = RunMortar({"status"}, {{"MORTAR_DIR", "/proc"}});
  EXPECT_EQ(denied.code, 1);
  EXPECT_NE(denied.err.find("tmpfs"), std::string::npos);
}

TEST_F(ControlTest, HelpShowsExamplesAndExitCodes) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--help"}, {"run", "--help"}, {"status", "--help"}, {"set", "--help"}}) {
    const auto outcome = Call(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_NE(outcome.out.find("Examples:"), std::string::npos);
  }
  EXPECT_NE(Call({"--help"}).out.find("Exit codes: 0 done, 1 failed, 2 bad input"), std::string::npos);
}

}  // namespace
}  // namespace mortar::cli
