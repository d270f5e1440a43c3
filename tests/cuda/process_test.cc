// Programs that open the driver by name or by path, with and without Mortar's help, and what can be
// wrong with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"
#include "support/program.h"
#include "trace/spool.h"

namespace mortar::tests {
namespace {

class CudaProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    environment = {{"MORTAR_DIR", boards.path()},
                   {"MORTAR_PROFILES", ""},
                   {"LD_LIBRARY_PATH", std::filesystem::path(SHIM).parent_path().string()},
                   {"MORTAR_CUDA_DRIVER", MOCK_DRIVER},
                   {"MORTAR_NAME", "program"}};
    // A driver under the name that programs know, in a folder of its own.
    std::filesystem::create_directories(boards.path() + "/driver");
    driver = boards.path() + "/driver/libcuda.so.1";
    std::filesystem::copy_file(MOCK_DRIVER, driver);
  }

  std::vector<std::string> Run(const std::vector<std::string>& arguments) {
    Program program(CUDA_PROGRAM, arguments, environment);
    std::vector<std::string> lines;
    for (std::string line = program.ReadLine(); line != "(ended)" && line != "(hangs)";
         line = program.ReadLine())
      lines.push_back(line);
    status = program.Wait();
    errors = program.Errors();
    return lines;
  }
  // Launches that any client of the board has had counted, dead ones included.
  std::uint64_t Counted(const std::string& device = "0000:0a:00.0") {
    auto board = board::Board::Open(boards.path(), device, /*create=*/false);
    if (!board.ok()) return 0;
    std::uint64_t sum = 0;
    for (int i = 0; i < board::kSlots; ++i) sum += board->slot(i).counters.submits.load();
    return sum;
  }

  board::TemporaryDirectory boards;
  Program::Environment environment;
  std::string driver;
  int status = 0;
  std::string errors;
};

std::vector<std::string> Expected(const std::string& from, int result, int context) {
  const std::string number = std::to_string(result);
  return {"launch from: " + from, "unknown: as before",
          "init: " + number,      "context: " + std::to_string(context),
          "launch: " + number,    "wait: " + number};
}

TEST_F(CudaProcessTest, OpenedByNameIsScheduled) {
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  EXPECT_EQ(status, 0);
  EXPECT_EQ(errors, "");
  EXPECT_EQ(Counted(), 100U);
}

TEST_F(CudaProcessTest, OpenedByPathIsScheduledWithTheHookAlone) {
  environment.erase("MORTAR_CUDA_DRIVER");
  EXPECT_EQ(Run({driver}), Expected(driver, 0, 0));
  EXPECT_EQ(Counted(), 0U) << "LD_LIBRARY_PATH has no say where a program names a path";
  environment["LD_PRELOAD"] = HOOK;
  EXPECT_EQ(Run({driver}), Expected(SHIM, 0, 0));
  EXPECT_EQ(errors, "");
  EXPECT_EQ(Counted(), 100U) << "over the very driver that the program opened: no other is on this machine";
}

TEST_F(CudaProcessTest, HookLeavesOthersAlone) {
  environment["LD_PRELOAD"] = HOOK;
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  // A library that is no driver: its functions stay its own.
  EXPECT_EQ(Run({MOCK_DRIVER}), Expected(MOCK_DRIVER, 0, 0));
}

TEST_F(CudaProcessTest, ForkBeforeUseMakesTwoClients) {
  const std::vector<std::string> lines = Run({"libcuda.so.1", "fork"});
  EXPECT_EQ(lines.size(), 12U);
  EXPECT_EQ(status, 0) << errors;
  EXPECT_EQ(Counted(), 200U);
}

TEST_F(CudaProcessTest, EachDeviceHasABoardOfItsOwn) {
  environment["MOCK_CUDA_DEVICES"] = "2";
  EXPECT_EQ(Run({"libcuda.so.1", "two"}), Expected(SHIM, 0, 0));
  EXPECT_EQ(status, 0) << errors;
  EXPECT_EQ(Counted("0000:0a:00.0"), 100U);
  EXPECT_EQ(Counted("0000:0b:00.0"), 50U) << "30 by the current context, 20 by their stream";
}

TEST_F(CudaProcessTest, EveryLaunchOfATracedProgramIsTimed) {
  environment["MORTAR_TRACE"] = boards.path();
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  std::vector<std::string> spools;
  for (const auto& file : std::filesystem::directory_iterator(boards.path())) {
    if (file.path().extension() == ".spool") spools.push_back(file.path());
  }
  ASSERT_EQ(spools.size(), 1U);
  const auto spool = trace::ReadSpool(spools.front());
  ASSERT_TRUE(spool.ok()) << spool.error().message;
  int submits = 0;
  int timed = 0;
  for (const model::TraceRecord& record : spool->records) {
    submits += record.kind == static_cast<std::uint32_t>(model::TraceKind::kSubmit) ? 1 : 0;
    if (record.kind != static_cast<std::uint32_t>(model::TraceKind::kDevice)) continue;
    ++timed;
    EXPECT_GE(record.begin_ns, record.value_ns) << "not before it was submitted";
    EXPECT_EQ(spool->kernels.at(record.id), "kernel");
  }
  EXPECT_EQ(submits, 100);
  EXPECT_EQ(timed, 100);
}

TEST_F(CudaProcessTest, NoDriverIsOneLineAndAnErrorAsWithoutADevice) {
  environment["MORTAR_CUDA_DRIVER"] = "/nowhere/libcuda.so.1";
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 100, 100));
  EXPECT_EQ(Lines(errors), 1) << errors;
  EXPECT_NE(errors.find("MORTAR_CUDA_DRIVER=/nowhere/libcuda.so.1: no such file"), std::string::npos)
      << errors;
}

TEST_F(CudaProcessTest, AFileThatIsNoDriverIsOneLine) {
  environment["MORTAR_CUDA_DRIVER"] = HOOK;
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 100, 100));
  EXPECT_EQ(Lines(errors), 1) << errors;
  EXPECT_NE(errors.find("is not a driver"), std::string::npos) << errors;
  // Ourselves, even.
  environment["MORTAR_CUDA_DRIVER"] = SHIM;
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 100, 100));
  EXPECT_EQ(Lines(errors), 1) << errors;
}

TEST_F(CudaProcessTest, AnOldDriverRunsUnscheduledAfterOneLine) {
  environment["MOCK_CUDA_VERSION"] = "11080";
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  EXPECT_EQ(Lines(errors), 1) << errors;
  EXPECT_NE(errors.find("is of CUDA 11.8, older than 12.0"), std::string::npos) << errors;
  EXPECT_EQ(Counted(), 0U);
}

TEST_F(CudaProcessTest, DisabledPassesEverythingThrough) {
  environment["MORTAR_DISABLE"] = "1";
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  EXPECT_EQ(errors, "");
  EXPECT_EQ(Counted(), 0U);
}

TEST_F(CudaProcessTest, WithoutABoardItRunsAndStrictlyItDoesNot) {
  environment["MORTAR_DIR"] = "/proc/nowhere";
  EXPECT_EQ(Run({"libcuda.so.1"}), Expected(SHIM, 0, 0));
  EXPECT_EQ(Lines(errors), 1) << errors;
  environment["MORTAR_STRICT"] = "1";
  const std::vector<std::string> lines = Run({"libcuda.so.1"});
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[3], "context: 802") << "no context: the system is not ready";
  environment["MORTAR_PRIORITY"] = "many";
  EXPECT_EQ(Run({"libcuda.so.1"}).at(2), "init: 802");
}

}  // namespace
}  // namespace mortar::tests
