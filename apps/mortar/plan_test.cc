// `mortar plan` and `mortar profiles` as their users call them, above all with what they get wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr char kHead[] = "device,workload,role,batch,mhz,time_ms,power_w\n";
// At 200 MHz all is twice as fast and draws twice as much.
constexpr char kRows[] =
    "d,net,infer,1,100,20,10\nd,net,infer,1,200,10,20\nd,net,infer,4,100,40,11\nd,net,infer,4,200,20,22\n"
    "d,bg,infer,1,100,8,10\nd,bg,infer,1,200,4,20\nd,job,train,16,100,30,12\nd,job,train,16,200,15,24\n";

class PlanCommandTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string Profile() const { return Write("p.csv", std::string(kHead) + kRows); }
  Outcome Run(Words words) const { return RunMortar(words, {{"MORTAR_DIR", directory_.path()}}); }
  // `mortar plan` on the profile above.
  Outcome Plan(Words words) const {
    words.insert(words.begin(), {"plan", "--profiles", Profile()});
    return Run(words);
  }
  void ExpectRefused(const Outcome& outcome, const std::string& why) const {
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
    EXPECT_EQ(outcome.out, "");
  }
  board::TemporaryDirectory directory_;
};

TEST_F(PlanCommandTest, APlanSaysWhatItIsWorth) {
  // 10 requests/s at batch 1: windows of 100 ms. At 200 MHz 10 ms of inference leave room for 6 times 15 ms.
  const Words words{"--train", "job",       "--infer", "net",     "--rate",
                    "10/s",    "--latency", "50ms",    "--power", "25W"};
  const Outcome text = Plan(words);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("mode       mhz=200"));
  EXPECT_THAT(text.out, HasSubstr("batch      1, then 6 of the background: 60.000 training minibatches/s"));
  EXPECT_THAT(text.out, HasSubstr("binding"));
  Words json = words;
  json.push_back("--json");
  const auto answer = nlohmann::json::parse(Plan(json).out);
  EXPECT_EQ(answer["mode"]["mhz"], 200);
  EXPECT_EQ(answer["tau"], 6);
  EXPECT_EQ(answer["latency_ms"], 10);
  EXPECT_EQ(answer["power_w"], 24);
}

TEST_F(PlanCommandTest, EveryProblemHasAForm) {
  const auto plan = [&](Words words) {
    words.insert(words.end(), {"--power", "30W", "--json"});
    const Outcome outcome = Plan(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, false);
  };
  EXPECT_NEAR(plan({"--train", "job"})["throughput"].get<double>(), 1000.0 / 15, 1e-9);
  EXPECT_EQ(plan({"--infer", "net", "--rate", "600/min", "--latency", "50ms"})["latency_ms"], 10);
  // 90 ms are left of each window of 100: 22 background requests of 4 ms.
  EXPECT_EQ(plan({"--infer", "urgent=net", "--infer", "background=bg", "--rate", "10/s", "--latency",
                  "50ms"})["tau"],
            22);
  // One request's inter-arrival time more: 100 ms + 10 ms.
  EXPECT_EQ(
      plan({"--infer", "net", "--rate", "10/s", "--latency", "150ms", "--latency-rule", "b"})["latency_ms"],
      110);
  // Least energy for a minibatch: 30 ms at 12 W or 15 ms at 24 W, 0.36 J either way.
  EXPECT_NEAR(plan({"--train", "job", "--objective", "energy"})["energy_mj"].get<double>(), 360, 1e-9);
}

TEST_F(PlanCommandTest, WhereNothingFitsItSaysHowFarAwayAPlanIs) {
  const Words words{"--infer", "net", "--rate", "10/s", "--latency", "15ms", "--power", "15W"};
  const Outcome none = Plan(words);
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.out, HasSubstr("none found in"));
  EXPECT_THAT(none.out, HasSubstr("power budget 20.00 W (+5.00 W, measured)"));
  EXPECT_THAT(none.out, HasSubstr("latency budget 20.0 ms (+5.0 ms, measured)"));
  Words all = words;
  all.insert(all.end(), {"--strategy", "oracle"});
  const Outcome never = Plan(all);
  EXPECT_EQ(never.code, 3);
  EXPECT_THAT(never.out, HasSubstr("infeasible"));
}

TEST_F(PlanCommandTest, WhatCannotBeAskedIsRefused) {
  const Words budgets{"--latency", "50ms", "--power", "25W"};
  const auto refused = [&](Words words, const std::string& why) {
    words.insert(words.end(), budgets.begin(), budgets.end());
    ExpectRefused(Plan(words), why);
  };
  refused({"--infer", "net", "--rate", "0/s"}, "--rate: rate '0/s'");
  refused({"--infer", "net"}, "--rate: an inference needs its arrival rate");
  refused({"--infer", "net", "--arrivals", "back-to-back"}, "--rate: an inference needs its arrival rate");
  refused({"--infer", "cat", "--rate", "1/s"}, "workload 'cat' has no infer rows");
  refused({"--train", "net"}, "workload 'net' has no train rows in the profile of d; those with: job");
  refused({"--infer", "net", "--rate", "1/s", "--strategy", "best"}, "--strategy best");
  refused({"--infer", "net", "--rate", "1/s", "--probes", "-1"}, "--probes");
  refused({"--infer", "net", "--rate", "1/s", "--noise-sigma", "7"}, "--noise-sigma");
  refused({"--infer", "net", "--rate", "1/s", "--arrivals", "now and then"}, "--arrivals");
  refused({"--infer", "net", "--arrivals", "file:/none"}, "--arrivals: open /none");
  refused({"--infer", "net", "--rate", "1/s", "--html", "/none/x.html"}, "write /none/x.html");
  refused({}, "name a workload");
  ExpectRefused(Plan({"--infer", "net", "--rate", "1/s", "--latency", "50"}), "its unit");
  ExpectRefused(Plan({"--infer", "net", "--rate", "1/s", "--power", "50ms"}), "--power: '50ms'");
  ExpectRefused(Run({"plan", "--profiles", "/none.csv", "--train", "a"}), "open /none.csv");
}

TEST_F(PlanCommandTest, BadProfilesAreNamedByLine) {
  std::string wide = "device,workload,role,batch";
  for (int k = 0; k < 3000; ++k) wide += ",k" + std::to_string(k);
  wide += ",time_ms,power_w\n";
  const std::string head = kHead;
  const std::pair<std::string, const char*> cases[] = {
      {"", ":1: the file is empty"},
      {"device,workload,batch,mhz,time_ms,power_w\n", ":1: column 3 must be 'role'"},
      {head + "d,n,infer,1,100,nan,5\n", ":2: time_ms 'nan'"},
      {head + "d,n,infer,1,100,-1,5\n", ":2: time_ms '-1'"},
      {head + "d,n,infer,1,100,3,5\nd,n,infer,1,100,4,5\n", ":3: the same workload"},
      {head + "d,n,infer,1,100,3,30000\n", ":2: power_w 30000"},
      {wide, ":1: 3000 knob columns"}};
  for (const auto& [text, why] : cases) {
    const std::string path = Write("bad.csv", text);
    ExpectRefused(Run({"profiles", "check", path}), path + why);
    ExpectRefused(Run({"profiles", "show", path}), path + why);
    ExpectRefused(Run({"plan", "--profiles", path, "--train", "n"}), path + why);
  }
}

TEST_F(PlanCommandTest, ABatchNeverProfiledIsAHoleAndNoGuess) {
  const std::string path =
      Write("holes.csv", std::string(kHead) + "d,n,infer,1,100,30,5\nd,n,infer,4,200,30,9\n");
  const Outcome check = Run({"profiles", "check", path});
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.err, HasSubstr("n (infer): 2 of 4 (mode, batch) were not profiled"));
  // Batch 1 at 200 MHz might do 100 requests/s within 20 ms; nobody knows.
  for (const char* strategy : {"auto", "gmd", "als", "random", "max", "oracle"}) {
    const Outcome outcome = Run({"plan", "--profiles", path, "--infer", "n", "--rate", "100/s", "--latency",
                                 "20ms", "--power", "20W", "--strategy", strategy});
    EXPECT_EQ(outcome.code, 3) << strategy << outcome.err;
  }
}

TEST_F(PlanCommandTest, OneBadQueryOfABatchKeepsTheOthers) {
  Profile();
  const std::string queries =
      Write("q.jsonl",
            "{\"id\":1,\"problem\":\"train\",\"profile\":\"p.csv\",\"train\":\"job\",\"power_w\":30}\n"
            "{nonsense\n"
            "{\"id\":3,\"problem\":\"infer\",\"profile\":\"p.csv\",\"infer\":\"net\",\"rate\":0,\"latency_"
            "ms\":9,\"power_w\":9}\n"
            "{\"id\":4,\"problem\":\"train\",\"profile\":\"../p.csv\",\"train\":\"job\",\"power_w\":30}\n"
            "{\"id\":5,\"problem\":\"train\",\"profile\":\"p.csv\",\"train\":\"job\",\"power_w\":1}\n"
            "{\"id\":6,\"problem\":\"dynamic\",\"profile\":\"p.csv\",\"infer\":\"net\",\"rates\":[10,20],"
            "\"latency_ms\":90,"
            "\"power_w\":30}\n");
  const Outcome outcome = Run({"plan", "batch", queries, "--profiles", directory_.path()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.lines(), 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("q.jsonl:2: not JSON"));
  EXPECT_THAT(outcome.err, HasSubstr("q.jsonl:3: query 3: the arrival rate"));
  EXPECT_THAT(outcome.err, HasSubstr("q.jsonl:4: profile '../p.csv' must be a file name"));
  std::istringstream lines(outcome.out);
  std::vector<nlohmann::json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0]["mode"]["mhz"], 200);
  EXPECT_EQ(answers[0]["power_w"], 24);
  EXPECT_EQ(answers[1]["feasible"], false);
  EXPECT_EQ(answers[2]["unserved"], 0);
  ExpectRefused(Run({"plan", "batch", "/none", "--profiles", "."}), "open /none");
}

TEST_F(PlanCommandTest, ASuiteIsCountedRunAndReported) {
  Profile();
  const std::string suite = Write("s.toml",
                                  "name = \"small\"\n[[set]]\nname = \"t\"\nprofile = \"p.csv\"\n"
                                  "problem = \"train\"\npower = [0.1, 1.0]\n");
  const Words words{"plan", "eval", "--suite", suite, "--profiles", directory_.path()};
  Words count = words;
  count.emplace_back("--count");
  EXPECT_EQ(Run(count).out, "2\n");
  Words json = words;
  const std::string html = directory_.path() + "/r.html";
  json.insert(json.end(), {"--json", "--html", html, "--strategies", "oracle,auto"});
  const auto rows = nlohmann::json::parse(Run(json).out, nullptr, false);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1]["strategy"], "auto");
  for (const char* key : {"solved", "violating", "loss_median", "loss_mean", "loss_p95", "points_mean"}) {
    EXPECT_TRUE(rows[1].contains(key)) << key;
  }
  EXPECT_GT(std::filesystem::file_size(html), 500u);
  ExpectRefused(Run({"plan", "eval", "--suite", "/none"}), "open /none");
}

TEST_F(PlanCommandTest, ARecordedDayBecomesASchedule) {
  std::string instants;  // two minutes: one request a second, then three
  for (int i = 0; i < 60; ++i) instants += std::to_string(i) + "\n";
  for (int i = 0; i < 180; ++i) instants += std::to_string(60 + i / 3.0) + "\n";
  const Words words{"--train",  "job",     "--infer", "net",        "--latency",
                    "90ms",     "--power", "25W",     "--arrivals", "file:" + Write("day.csv", instants),
                    "--window", "60s"};
  const Outcome outcome = Plan(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("0 s  1.00/s"));
  EXPECT_THAT(outcome.out, HasSubstr("60 s  3.00/s"));
  EXPECT_THAT(outcome.out, HasSubstr("0 windows without a plan"));
}

TEST_F(PlanCommandTest, VerifyShowsWhereTheFormulaBreaksAndKeepPlansForIt) {
  const Words words{"--train", "job",       "--infer", "net",     "--rate",
                    "40/s",    "--latency", "40ms",    "--power", "25W"};
  Words verify = words;
  verify.push_back("--verify");
  const Outcome formula = Plan(verify);
  EXPECT_THAT(formula.out,
              HasSubstr("missed 0 (0.00 %), 40.00 background minibatches/s"));  // periodic: τ = 1
  EXPECT_THAT(formula.out, HasSubstr("is not kept at p99 under poisson arrivals"));
  Words keep = words;
  keep.insert(keep.end(), {"--keep", "p99", "--json"});
  const auto kept = nlohmann::json::parse(Plan(keep).out, nullptr, false);
  ASSERT_TRUE(kept.contains("kept_p99"));
  EXPECT_LE(kept["kept_p99"]["p99_ms"].get<double>(), 40);
}

TEST_F(PlanCommandTest, ExplainAndPageTellWhatWasRuledOut) {
  const std::string page = directory_.path() + "/plan.html";
  const Outcome outcome = Plan({"--train", "job", "--power", "15W", "--explain", "--html", page});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("power 24.00 of 15.00 W"));
  EXPECT_THAT(outcome.out, HasSubstr("Pareto front"));
  std::stringstream html;
  html << std::ifstream(page).rdbuf();
  EXPECT_THAT(html.str(), HasSubstr("power 24.00 of 15.00 W"));
}

TEST_F(PlanCommandTest, NoiseIsMetWithAMarginThatIsStated) {
  const Outcome outcome = Plan({"--train", "job", "--power", "30W", "--noise-sigma", "0.03"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("confidence each budget is kept at 99 %"));
}

TEST_F(PlanCommandTest, ProfilesAreShownImportedAndSimulated) {
  const Outcome show = Run({"profiles", "show", Profile(), "--json"});
  EXPECT_EQ(nlohmann::json::parse(show.out)["series"].size(), 4u);  // net 1 and 4, bg, job
  const std::string perseus = Write(
      "s.csv", "stage,instruction,frequency,time,energy\n0,forward,1410,0.05,20\n0,backward,1410,0.1,40\n");
  const Outcome imported =
      Run({"profiles", "import", "perseus", perseus, "--device", "a", "--workload", "m"});
  EXPECT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("a,m-s0,infer,1,1410,50,400\n"));
  ExpectRefused(Run({"profiles", "import", "zeus", perseus}), perseus + ":1: the header must be");
  ExpectRefused(Run({"profiles", "import", "excel", perseus}), "format 'excel'");
  const Outcome simulated = Run({"profiles", "simulate"});
  EXPECT_THAT(simulated.out, HasSubstr("simulated"));
  const Outcome again = Run({"profiles", "check", Write("sim.csv", simulated.out)});
  EXPECT_EQ(again.code, 0) << again.err;
}

}  // namespace
}  // namespace mortar::cli
