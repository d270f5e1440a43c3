// `mortar profile` as its users call it. Recording real launches needs an OpenCL platform; what is tested of
// it here is what comes before and after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "client/profile_store.h"
#include "mortar/profile_report.h"
#include "mortar/test_support.h"
#include "predict/kernels.h"
#include "predict/profile_file.h"

namespace mortar::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class ProfileTest : public testing::Test {
 protected:
  Outcome Run(std::vector<std::string> words) const {
    words.insert(words.begin(), "profile");
    return RunMortar(words, {{"MORTAR_DIR", directory_.path()}, {"MORTAR_PROFILES", directory_.path()}});
  }
  std::string Path(const std::string& file) const { return directory_.path() + "/" + file; }
  // "short" was recorded, 10 launches of 100 us, a gap of 50 us after each; "long" was sampled, 4 of 1 ms.
  std::string Write(const std::string& name) const {
    predict::KernelTable table;
    predict::Kernel* brief = table.FindOrAdd(0x11, "short");
    for (int i = 0; i < 10; ++i) {
      table.AddSample(*brief, 100'000, /*record=*/true);
      table.AddRecordedGap(*brief, 50'000);
    }
    predict::Kernel* lengthy = table.FindOrAdd(0x22, "long");
    for (int i = 0; i < 4; ++i) table.AddSample(*lengthy, 1'000'000, /*record=*/false);
    const std::string path = client::ProfilePath(directory_.path(), name, "gpu");
    EXPECT_TRUE(client::SaveProfile(path, "gpu", "server", table).ok());
    return path;
  }
  static std::string ReadText(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  board::TemporaryDirectory directory_;
};

TEST_F(ProfileTest, ShownByDeviceTimeWithQuantilesAndOfflineMeans) {
  const auto report = ReadProfileReport(Write("serve-server"));
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->device, "gpu");
  EXPECT_EQ(report->program, "server");
  EXPECT_EQ(report->recorded, 1u);
  ASSERT_THAT(report->kernels, SizeIs(2));
  const KernelRow& first = report->kernels[0];
  EXPECT_EQ(first.name, "long");  // 4 × 1 ms is more than 10 × 100 us
  EXPECT_EQ(first.count, 4u);
  EXPECT_NEAR(static_cast<double>(first.median_ns), 1e6, 0.09e6);  // a bucket is 9 % wide
  EXPECT_EQ(first.offline_duration_ns, 0);
  const KernelRow& second = report->kernels[1];
  EXPECT_EQ(second.count, 10u);
  EXPECT_NEAR(static_cast<double>(second.p90_ns), 1e5, 0.09e5);
  EXPECT_EQ(second.offline_duration_ns, 100'000);
  EXPECT_EQ(second.offline_gap_ns, 50'000);
}

TEST_F(ProfileTest, TableAndJsonSayTheSame) {
  Write("serve-server");
  const Outcome table = Run({"show", "serve"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("program server, device gpu, 2 kernels, 1 with offline means"));
  EXPECT_THAT(table.out, HasSubstr("100 us        50 us"));
  const Outcome outcome = Run({"show", "--json", "serve"});
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["kernels"][1]["id"], "0000000000000011");
  EXPECT_EQ(json["kernels"][1]["offline_gap_ns"], 50'000);
  EXPECT_EQ(json["kernels"][0]["offline_gap_ns"], nullptr);
}

TEST_F(ProfileTest, NamesMeanFilesThenWholeNamesThenBeginnings) {
  const std::string serve = Write("serve-server");
  const std::string other = Write("serve-client");
  const std::string whole = Write("serve");  // serve-gpu.mprof
  const auto found = [&](const std::string& name) { return FindProfiles(directory_.path(), name).value(); };
  EXPECT_THAT(found(serve), ElementsAre(serve));
  EXPECT_THAT(found("serve-gpu"), ElementsAre(whole));
  EXPECT_THAT(found("serve-gpu.mprof"), ElementsAre(whole));
  EXPECT_THAT(found("serve"), ElementsAre(other, whole, serve));
  EXPECT_THAT(found("serve-client"), ElementsAre(other));
}

TEST_F(ProfileTest, UnknownNameSaysWhatThereIs) {
  Outcome outcome = Run({"show", "serve"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("there are none; make one with mortar profile record"));
  Write("train");
  outcome = Run({"show", "serve"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("there are train-gpu"));
}

TEST_F(ProfileTest, BadFilesAreRefusedByCause) {
  const std::string good = ReadText(Write("serve"));
  const auto refused = [&](const std::string& text, const std::string& about) {
    std::ofstream(Path("bad.mprof"), std::ios::binary) << text;
    const Outcome outcome = Run({"show", Path("bad.mprof")});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(about));
    EXPECT_EQ(outcome.out, "");
  };
  refused("", "not a Mortar profile");
  refused("mortar-profile 99\n", "version 99");
  refused(good.substr(0, good.size() / 2), "delete it and record it again");
  std::string changed = good;
  changed[changed.find("kernel ") + 30] ^= 1;
  refused(changed, "checksum does not match");
  EXPECT_THAT(Run({"show", directory_.path() + "/none.mprof"}).err, HasSubstr("no profile"));
  std::filesystem::create_directory(Path("folder.mprof"));
  EXPECT_EQ(Run({"show", Path("folder.mprof")}).code, 1);
}

TEST_F(ProfileTest, OneBadFileAmongSeveralLeavesTheOthersShown) {
  Write("serve-a");
  std::ofstream(Path("serve-b.mprof")) << "junk";
  const Outcome outcome = Run({"show", "serve"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("program server"));
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
}

TEST_F(ProfileTest, MistakesInRecordingAreRefused) {
  EXPECT_EQ(Run({"record"}).code, 2);
  EXPECT_EQ(Run({"record", "--priority", "12", "--", "true"}).code, 2);
  EXPECT_EQ(Run({"record", "--", "no-such-program"}).code, 127);
  EXPECT_EQ(Run({"show"}).code, 2);
  const Outcome off = RunMortar({"profile", "record", "--", "true"}, {{"MORTAR_PROFILES", " "}});
  EXPECT_NE(off.code, 0);
}

}  // namespace
}  // namespace mortar::cli
