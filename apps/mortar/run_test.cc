// `mortar run` as its users call it: what reaches the program, and what each mistake is answered with.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "board/board.h"
#include "mortar/layers.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class RunTest : public testing::Test {
 protected:
  // Without the OpenCL loader being tried; tests of that say --check.
  Outcome Start(std::vector<std::string> words, std::map<std::string, std::string> changes = {}) const {
    for (const char* name : {"MORTAR_NAME", "MORTAR_PRIORITY", "MORTAR_MAX_SLOWDOWN", "MORTAR_WEIGHT",
                             "MORTAR_SLICE", "MORTAR_STRICT", "MORTAR_EMULATED", "OPENCL_LAYERS"}) {
      changes.emplace(name, "");
    }
    changes.emplace("MORTAR_DIR", directory_.path());
    words.insert(words.begin(), "run");
    return RunMortar(words, changes);
  }
  void ExpectRefused(const Outcome& outcome, int code, const std::string& about) const {
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(about), std::string::npos) << outcome.err;
  }
  // A folder with files that pass for our layers, where none is built.
  std::string FakeLibraries() const {
    std::string folder = directory_.path() + "/lib";
    std::filesystem::create_directory(folder);
    for (const char* name : {kSchedulingLayer, kEmulatedLayer}) std::ofstream(folder + "/" + name) << "x";
    return folder;
  }
  std::string Table() const {
    std::string path = directory_.path() + "/table";
    std::ofstream(path) << "device test\n";
    return path;
  }
  board::TemporaryDirectory directory_;
};

TEST_F(RunTest, FlagsReachTheProgramAsVariables) {
  const std::string folder = FakeLibraries();
  const auto outcome = Start({"--no-check",  "--name",   "serve",
                              "--priority",  "0",        "--max-slowdown",
                              "0.5%",        "--weight", "1.5",
                              "--min-share", "10%",      "--floor-first",
                              "--memory",    "4GiB",     "--slice",
                              "150us",       "--strict", "--emulate",
                              Table(),       "--dir",    directory_.path(),
                              "--",          "env"},
                             {{"MORTAR_LIB", folder}, {"MORTAR_DIR", ""}, {"OPENCL_LAYERS", "/users.so"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const std::string& line :
       {std::string("MORTAR_NAME=serve"), std::string("MORTAR_PRIORITY=0"),
        std::string("MORTAR_MAX_SLOWDOWN=5000"), std::string("MORTAR_WEIGHT=1500"),
        std::string("MORTAR_MIN_SHARE=100000"), std::string("MORTAR_FLOOR_FIRST=1"),
        std::string("MORTAR_MEMORY=4294967296"), std::string("MORTAR_STRICT=1"),
        std::string("MORTAR_SLICE=150000"), "MORTAR_DIR=" + directory_.path(), "MORTAR_EMULATED=" + Table(),
        "OPENCL_LAYERS=" + folder + "/" + kEmulatedLayer + ":/users.so:" + folder + "/" + kSchedulingLayer}) {
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << "\n" << outcome.out;
  }
}

TEST_F(RunTest, WithoutFlagsTheEnvironmentStays) {
  const auto outcome =
      Start({"--no-check", "--", "env"}, {{"MORTAR_PRIORITY", "3"}, {"MORTAR_LIB", FakeLibraries()}});
  EXPECT_NE(outcome.out.find("MORTAR_PRIORITY=3\n"), std::string::npos);
  EXPECT_EQ(outcome.out.find("MORTAR_NAME"), std::string::npos);
  EXPECT_EQ(outcome.out.find("MORTAR_STRICT"), std::string::npos);
}

TEST_F(RunTest, ProgramsWordsAndExitCodeAreItsOwn) {
  const auto outcome = Start(
      {"--no-check", "--", "sh", "-c", "printf '[%s]' \"$@\"; exit 41", "sh", "--name", "--", "a b", ""},
      {{"MORTAR_LIB", FakeLibraries()}});
  EXPECT_EQ(outcome.code, 41);
  EXPECT_EQ(outcome.out, "[--name][--][a b][]");
}

TEST_F(RunTest, BadFlags) {
  ExpectRefused(Start({"--frob", "--", "true"}), 2, "--frob");
  ExpectRefused(Start({"--priority", "10", "--", "true"}), 2, "--priority");
  ExpectRefused(Start({"--priority", "-1", "--", "true"}), 2, "--priority");
  ExpectRefused(Start({"--max-slowdown", "2", "--", "true"}), 2, "--max-slowdown");
  ExpectRefused(Start({"--max-slowdown", "lots", "--", "true"}), 2, "--max-slowdown");
  ExpectRefused(Start({"--weight", "0", "--", "true"}), 2, "--weight");
  ExpectRefused(Start({"--min-share", "0%", "--", "true"}), 2, "--min-share");
  ExpectRefused(Start({"--min-share", "101%", "--", "true"}), 2, "--min-share");
  ExpectRefused(Start({"--min-share", "some", "--", "true"}), 2, "--min-share");
  ExpectRefused(Start({"--floor-first", "--", "true"}), 2, "--min-share");
  ExpectRefused(Start({"--memory", "4", "--", "true"}), 2, "--memory");
  ExpectRefused(Start({"--memory", "0GiB", "--", "true"}), 2, "--memory");
  ExpectRefused(Start({"--slice", "9us", "--", "true"}), 2, "--slice");
  ExpectRefused(Start({"--slice", "2s", "--", "true"}), 2, "--slice");
  ExpectRefused(Start({"--slice", "150", "--", "true"}), 2, "--slice");
  ExpectRefused(Start({"--name", "", "--", "true"}), 2, "--name");
  ExpectRefused(Start({"--name", std::string(70, 'x'), "--", "true"}), 2, "--name");
  ExpectRefused(Start({"--name"}), 2, "--name");
  ExpectRefused(Start({"--check", "--no-check"}), 2, "--no-check");
  ExpectRefused(Start({"true"}), 2, "put -- before it");
  ExpectRefused(Start({}), 2, "no program given");
  ExpectRefused(Start({"--"}), 2, "no program given");
}

TEST_F(RunTest, FloorsBeyondTheWholeDevice) {
  auto board = board::Board::Open(directory_.path(), "gpu", true);
  ASSERT_TRUE(board.ok());
  ASSERT_TRUE(board->Join({.name = "other", .min_share_ppm = 950'000}).ok());
  const auto outcome =
      Start({"--no-check", "--min-share", "10%", "--", "true"}, {{"MORTAR_LIB", FakeLibraries()}});
  ExpectRefused(outcome, 2, "leave 5 % of the device");
  EXPECT_EQ(Start({"--no-check", "--min-share", "5%", "--", "true"}, {{"MORTAR_LIB", FakeLibraries()}}).code,
            0);
}

TEST_F(RunTest, ProgramNotFoundOrNotExecutable) {
  ExpectRefused(Start({"--", "no-such-program-here"}), 127, "no-such-program-here");
  ExpectRefused(Start({"--", "./no/such/file"}), 127, "./no/such/file");
  ExpectRefused(Start({"--", ""}), 127, "PATH");
  const std::string file = directory_.path() + "/file";
  std::ofstream(file) << "x";
  chmod(file.c_str(), 0644);
  ExpectRefused(Start({"--", file}), 126, "not an executable");
  ExpectRefused(Start({"--", directory_.path()}), 126, "not an executable");
  ExpectRefused(Start({"--", "file"}, {{"PATH", directory_.path()}}), 126, "not an executable");
}

TEST_F(RunTest, ProgramWithoutItsInterpreter) {
  const std::string file = directory_.path() + "/file";
  std::ofstream(file) << "#!/nowhere/interpreter\n";
  chmod(file.c_str(), 0755);
  ExpectRefused(Start({"--no-check", "--", file}, {{"MORTAR_LIB", FakeLibraries()}}), 126, "interpreter");
}

TEST_F(RunTest, NameInUse) {
  auto board = board::Board::Open(directory_.path(), "gpu", true);
  ASSERT_TRUE(board.ok());
  ASSERT_TRUE(board->Join({"serve"}).ok());
  ExpectRefused(Start({"--no-check", "--name", "serve", "--", "true"}), 2,
                "process " + std::to_string(getpid()));
  board->Leave({0, board->slot(0).generation.load()});
  EXPECT_EQ(Start({"--no-check", "--name", "serve", "--", "true"}, {{"MORTAR_LIB", FakeLibraries()}}).code,
            0);
}

TEST_F(RunTest, NameOfTheDeadIsFree) {
  {
    auto board = board::Board::Open(directory_.path(), "gpu", true);
    ASSERT_TRUE(board.ok());
    ASSERT_TRUE(board->Join({"serve"}).ok());
  }
  EXPECT_EQ(Start({"--no-check", "--name", "serve", "--", "true"}, {{"MORTAR_LIB", FakeLibraries()}}).code,
            0);
}

TEST_F(RunTest, UnusableDirectoryRunsUnscheduledUnlessStrict) {
  const std::map<std::string, std::string> changes = {{"MORTAR_DIR", "/proc"},
                                                      {"MORTAR_LIB", FakeLibraries()}};
  const auto outcome = Start({"--no-check", "--", "echo", "ran"}, changes);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "ran\n");
  EXPECT_EQ(outcome.lines(), 1);
  EXPECT_NE(outcome.err.find("tmpfs"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("runs unscheduled"), std::string::npos) << outcome.err;
  ExpectRefused(Start({"--no-check", "--strict", "--", "echo", "ran"}, changes), 1, "--strict");
}

TEST_F(RunTest, LayerNotInstalledRunsUnscheduledUnlessStrict) {
  const std::map<std::string, std::string> changes = {{"MORTAR_LIB", "/nowhere"}};
  const auto outcome = Start({"--", "env"}, changes);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out.find("OPENCL_LAYERS"), std::string::npos);
  EXPECT_NE(outcome.err.find("nothing would be scheduled"), std::string::npos) << outcome.err;
  ExpectRefused(Start({"--strict", "--", "echo", "ran"}, changes), 1, "--strict");
  ExpectRefused(Start({"--emulate", Table(), "--", "echo", "ran"}, changes), 2, "libmortar-emulated.so");
}

TEST_F(RunTest, EmulationTableMustBeSound) {
  ExpectRefused(Start({"--emulate", "/nowhere/table", "--", "true"}), 2, "/nowhere/table");
  const std::string path = directory_.path() + "/bad";
  std::ofstream(path) << "frobnicate\n";
  ExpectRefused(Start({"--emulate", path, "--", "true"}), 2, path);
}

TEST_F(RunTest, LoaderThatIgnoresLayersIsNamed) {
  const std::map<std::string, std::string> changes = {{"LD_LIBRARY_PATH", DEAF_LOADER_DIR},
                                                      {"MORTAR_LIB", FakeLibraries()}};
  const auto outcome = Start({"--", "echo", "ran"}, changes);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "ran\n");
  EXPECT_NE(outcome.err.find(DEAF_LOADER_DIR), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("ignores layers: nothing would be scheduled"), std::string::npos) << outcome.err;
  ExpectRefused(Start({"--check"}, changes), 1, "ignores layers");
  ExpectRefused(Start({"--strict", "--", "echo", "ran"}, changes), 1, "ignores layers");
}

// The rest needs the machine's own loader, which must know layers, and our layer, built.
class RunWithLoaderTest : public RunTest {
 protected:
  void SetUp() override {
    if (FindLibrary(kSchedulingLayer).empty()) GTEST_SKIP() << "libmortar-opencl.so is not built";
    if (!ProbeOpenCl("", "").loader) GTEST_SKIP() << "no libOpenCL.so.1 here";
  }
};

TEST_F(RunWithLoaderTest, NoPlatformIsSaid) {
  const auto outcome =
      Start({"--", "echo", "ran"}, {{"OCL_ICD_VENDORS", "/nowhere"}, {"OCL_ICD_FILENAMES", ""}});
  EXPECT_EQ(outcome.out, "ran\n");
  EXPECT_NE(outcome.err.find("no OpenCL platform"), std::string::npos) << outcome.err;
}

TEST_F(RunWithLoaderTest, CheckSaysThatAllIsWell) {
  if (ProbeOpenCl("", "").platforms == 0) GTEST_SKIP() << "no OpenCL platform here";
  const auto outcome = Start({"--check"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(kSchedulingLayer), std::string::npos);
  EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace mortar::cli
