// `mortar trace record` as its users call it. The traced programs are stand-ins that leave ready-made spools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mortar/test_support.h"
#include "trace/test_spool.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
namespace fs = std::filesystem;

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kZero = 1'000'000'000;

class TraceTest : public testing::Test {
 protected:
  // TMPDIR too, so that what is left behind can be seen; spools are small, so either place will do.
  Outcome Record(std::vector<std::string> words) const {
    words.insert(words.begin(), {"trace", "record"});
    return RunMortar(words, {{"MORTAR_DIR", directory_.path()}, {"TMPDIR", directory_.path()}});
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Spool(const std::string& name, const trace::TestSpool& spool) const {
    std::ofstream(Path(name), std::ios::binary) << spool.Bytes();
    return Path(name);
  }
  // A holder with one wait that was harmed, and a filler with one fill that was held.
  std::string Serve() const {
    trace::TestSpool spool("serve", 0);
    spool.Name(1, "gemm");
    spool.Submit(1, kZero, kZero + 100 * kUs, 100 * kUs);
    spool.Device(1, kZero, kZero, kZero + 100 * kUs);
    spool.Add(model::TraceKind::kWait, kZero + 10 * kUs, kZero + 101 * kUs).value_ns = 2 * kUs;
    return Spool("1-0.spool", spool);
  }
  std::string Train() const {
    trace::TestSpool spool("train", 5);
    spool.header.pid = 200;
    spool.Add(model::TraceKind::kGate, kZero + 50 * kUs, kZero + 110 * kUs).detail = 6;
    spool.Submit(1, kZero + 110 * kUs, kZero + 210 * kUs, 100 * kUs, /*fill=*/true);
    spool.Device(1, kZero + 110 * kUs, kZero + 115 * kUs, kZero + 210 * kUs);
    return Spool("2-0.spool", spool);
  }
  static nlohmann::json Read(const std::string& path) {
    std::ifstream file(path);
    return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  }
  void ExpectNoTimeline(const std::string& name) const {
    EXPECT_FALSE(fs::exists(Path(name)));
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      EXPECT_NE(entry.path().extension(), ".new");
      EXPECT_FALSE(entry.path().filename().string().starts_with("mortar-trace-"));
    }
  }
  board::TemporaryDirectory directory_;
};

TEST_F(TraceTest, AllProgramsOfTheCommandAreInTheTimeline) {
  const Outcome outcome = Record(
      {"-o", Path("t.json"), "--json", "--", "sh", "-c",
       "cp " + Serve() + " \"$MORTAR_TRACE\" & cp " + Train() + " \"$MORTAR_TRACE\"; wait; echo said"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("2 clients in 210 us: 2 kernels (all measured), 1 fill, 1 wait, 0 requests"));
  EXPECT_THAT(outcome.err, HasSubstr("harm 2 us (modelled)"));
  ASSERT_TRUE(outcome.out.starts_with("said\n{"));
  const auto summary = nlohmann::json::parse(outcome.out.substr(5));
  EXPECT_EQ(summary["fills"], 1);
  EXPECT_EQ(summary["harm_modelled_ns"], 2 * kUs);
  ASSERT_THAT(summary["clients"], SizeIs(2));
  EXPECT_EQ(summary["clients"][1]["name"], "train");
  EXPECT_EQ(summary["clients"][1]["held"], 1);
  EXPECT_EQ(summary["devices"][0]["overlaps"], 0);
  EXPECT_EQ(summary["output"], Path("t.json"));
  const auto trace = Read(Path("t.json"));
  ASSERT_TRUE(trace.contains("traceEvents"));
  bool held = false;
  for (const auto& event : trace["traceEvents"]) held |= event["name"] == "held: no gap";
  EXPECT_TRUE(held);  // policy's name for what the record says as a number
}

TEST_F(TraceTest, CommandsExitCodeIsKept) {
  const Outcome outcome =
      Record({"-o", Path("t.json.gz"), "--", "sh", "-c", "cp " + Serve() + " \"$MORTAR_TRACE\"; exit 41"});
  EXPECT_EQ(outcome.code, 41) << outcome.err;
  EXPECT_TRUE(fs::exists(Path("t.json.gz")));
}

TEST_F(TraceTest, CommandThatDiesOfASignalIsExportedAndGivesItsNumber) {
  const Outcome outcome =
      Record({"-o", Path("t.json"), "--", "sh", "-c", "cp " + Serve() + " \"$MORTAR_TRACE\"; kill -KILL $$"});
  EXPECT_EQ(outcome.code, 128 + 9) << outcome.err;
  EXPECT_TRUE(fs::exists(Path("t.json")));
}

TEST_F(TraceTest, SignalsGoOnToTheCommandAndTheRecordingIsExported) {
  // The command tells its parent, as a user's kill would, and ends by what comes back.
  const Outcome outcome = Record({"-o", Path("t.json"), "--", "sh", "-c",
                                  "trap 'echo got; exit 5' TERM; cp " + Serve() +
                                      " \"$MORTAR_TRACE\"; kill -TERM $PPID; while :; do sleep 0.01; done"});
  EXPECT_EQ(outcome.code, 5) << outcome.err;
  EXPECT_EQ(outcome.out, "got\n");
  EXPECT_TRUE(fs::exists(Path("t.json")));
}

TEST_F(TraceTest, NothingRecordedSaysWhyAndLeavesNoFile) {
  const Outcome outcome = Record({"-o", Path("t.json"), "--", "true"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("no program joined a board; start the programs with `mortar run`"));
  ExpectNoTimeline("t.json");
  EXPECT_EQ(Record({"-o", Path("t.json"), "--", "sh", "-c", "exit 3"}).code, 3);
}

TEST_F(TraceTest, ProgramsThatJoinedAndSubmittedNothingAreNamedAsTheCause) {
  const std::string idle = Spool("1-0.spool", trace::TestSpool("idle"));
  const Outcome outcome = Record({"-o", Path("t.json"), "--", "sh", "-c", "cp " + idle + " $MORTAR_TRACE"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("programs joined, but submitted nothing"));
  ExpectNoTimeline("t.json");
}

TEST_F(TraceTest, UnreadableSpoolsAreNamedAndTheOthersExported) {
  const Outcome outcome = Record({"-o", Path("t.json"), "--", "sh", "-c",
                                  "cp " + Serve() + " $MORTAR_TRACE; echo junk > $MORTAR_TRACE/9-0.spool"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("left out: trace spool "));
  EXPECT_THAT(outcome.err, HasSubstr("9-0.spool holds 5 bytes"));
  EXPECT_THAT(outcome.err, HasSubstr("1 client in "));
  const Outcome alone =
      Record({"-o", Path("u.json"), "--", "sh", "-c", "echo junk > $MORTAR_TRACE/9-0.spool"});
  EXPECT_EQ(alone.code, 1);
  EXPECT_THAT(alone.err, HasSubstr("nothing usable was recorded: trace spool "));
}

TEST_F(TraceTest, SpoolsAreRemovedUnlessKept) {
  const std::string copy = "cp " + Serve() + " $MORTAR_TRACE; echo $MORTAR_TRACE";
  Outcome outcome = Record({"-o", Path("t.json"), "--", "sh", "-c", copy});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(fs::exists(outcome.out.substr(0, outcome.out.find('\n'))));
  outcome = Record({"-o", Path("t.json"), "--keep-spools", "--", "sh", "-c", copy});
  const std::string kept = outcome.out.substr(0, outcome.out.find('\n'));
  EXPECT_THAT(outcome.err, HasSubstr("spools kept in " + kept));
  EXPECT_TRUE(fs::exists(kept + "/1-0.spool"));
  EXPECT_EQ(fs::status(kept).permissions(), fs::perms::owner_all);
  fs::remove_all(kept);
}

TEST_F(TraceTest, MistakesAreRefusedBeforeTheCommandRuns) {
  const std::string ran = Path("ran");
  const std::vector<std::string> command = {"--", "touch", ran};
  const auto refused = [&](std::vector<std::string> words, int code, const std::string& about) {
    const Outcome outcome = Record(std::move(words));
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(about));
    EXPECT_FALSE(fs::exists(ran));
  };
  refused({"--", "touch", ran}, 2, "--output is required");
  refused({"-o", Path("t.txt"), "--", "touch", ran}, 2, "ends in .json or .json.gz");
  refused({"-o", Path("missing/t.json"), "--", "touch", ran}, 1, "No such file or directory");
  refused({"-o", Path("t.json")}, 2, "no command given");
  refused({"-o", Path("t.json"), "--", "no-such-program"}, 127, "no such program");
  ExpectNoTimeline("t.json");
}

TEST_F(TraceTest, OldTimelineStaysWhereNothingWasRecorded) {
  std::ofstream(Path("t.json")) << "old";
  EXPECT_EQ(Record({"-o", Path("t.json"), "--", "true"}).code, 1);
  std::ifstream file(Path("t.json"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "old");
}

}  // namespace
}  // namespace mortar::cli
