#include "mortar/cuda_setup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class CudaSetupTest : public testing::Test {
 protected:
  // A folder that passes for Mortar's libraries, and a driver in another.
  void SetUp() override {
    folder = directory.path();
    for (const char* name : {"/lib/cuda", "/lib/simcuda", "/driver"})
      std::filesystem::create_directories(folder + name);
    for (const char* name : {"/lib/cuda/libcuda.so.1", "/lib/simcuda/libcuda.so.1",
                             "/lib/libmortar-cuda-hook.so", "/driver/libcuda.so.1"})
      std::ofstream(folder + name) << name;
    setenv("MORTAR_LIB", (folder + "/lib").c_str(), 1);
    setenv("MORTAR_CUDA_DRIVER", (folder + "/driver/libcuda.so.1").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("MORTAR_LIB");
    unsetenv("MORTAR_CUDA_DRIVER");
  }
  board::TemporaryDirectory directory;
  std::string folder;
};

TEST_F(CudaSetupTest, OursComesFirstAndOnce) {
  const CudaSetup setup = SetUpCuda({.library_path = "/users:" + folder + "/lib/cuda"}, "/bin/true");
  EXPECT_EQ(setup.problem, "");
  EXPECT_EQ(setup.driver, folder + "/driver/libcuda.so.1");
  EXPECT_EQ(setup.environment.at("LD_LIBRARY_PATH"), folder + "/lib/cuda:/users");
  EXPECT_EQ(setup.environment.at("LD_PRELOAD"), folder + "/lib/libmortar-cuda-hook.so");
  EXPECT_EQ(PutFirst("a:b:a::c", "c"), "c:a:b:a");
  EXPECT_EQ(PutFirst("", "c"), "c");
}

TEST_F(CudaSetupTest, FillersGiveWayUnderMps) {
  const auto priority = [](const CudaSurroundings& now) {
    const CudaSetup setup = SetUpCuda(now, "");
    const auto set = setup.environment.find("CUDA_MPS_CLIENT_PRIORITY");
    return set != setup.environment.end() ? set->second : "(as it is)";
  };
  EXPECT_EQ(priority({}), "1");
  EXPECT_EQ(priority({.priority = "9"}), "1");
  EXPECT_EQ(priority({.priority = "0"}), "(as it is)");
  EXPECT_EQ(priority({.mps_priority = "0", .priority = "9"}), "(as it is)");
}

TEST_F(CudaSetupTest, WithoutADriverNothingIsSet) {
  setenv("MORTAR_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  const CudaSetup setup = SetUpCuda({}, "/bin/true");
  EXPECT_TRUE(setup.environment.empty());
  EXPECT_EQ(setup.problem, "") << "the machine has no CUDA, and that is no problem";
  setenv("MORTAR_CUDA_DRIVER", (folder + "/lib/cuda/libcuda.so.1").c_str(), 1);
  EXPECT_TRUE(SetUpCuda({}, "/bin/true").environment.empty()) << "Mortar's own is no driver";
}

TEST_F(CudaSetupTest, A32BitProgramIsNamed) {
  const std::string program = folder + "/old";
  std::ofstream(program) << "\x7f"
                            "ELF\x01"
                            "rest of it, of no interest";
  const CudaSetup setup = SetUpCuda({}, program);
  EXPECT_TRUE(setup.environment.empty());
  EXPECT_NE(setup.problem.find("32-bit"), std::string::npos) << setup.problem;
}

TEST_F(CudaSetupTest, LibrariesThatAreMissingOrCannotBeNamedAreSaid) {
  setenv("MORTAR_LIB", "/nowhere", 1);
  EXPECT_NE(SetUpCuda({}, "").problem.find("is not installed"), std::string::npos);
  std::filesystem::create_directories(folder + "/with space");
  std::filesystem::rename(folder + "/lib/cuda", folder + "/with space/cuda");
  setenv("MORTAR_LIB", (folder + "/with space").c_str(), 1);
  const CudaSetup setup = SetUpCuda({}, "");
  EXPECT_TRUE(setup.environment.empty());
  EXPECT_NE(setup.problem.find("a colon or a space"), std::string::npos) << setup.problem;
}

TEST_F(CudaSetupTest, TheProgramGetsIt) {
  const Outcome outcome = RunMortar(
      {"run", "--", "env"}, {{"MORTAR_DIR", folder}, {"LD_PRELOAD", ""}, {"LD_LIBRARY_PATH", "/users"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("LD_LIBRARY_PATH=" + folder + "/lib/cuda:/users\n"), std::string::npos)
      << outcome.out;
  const Outcome checked = RunMortar({"run", "--check"}, {{"MORTAR_DIR", folder}});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_NE(checked.out.find("CUDA programs would be scheduled by " + folder +
                             "/lib/cuda/libcuda.so.1 over " + folder + "/driver/libcuda.so.1\n"),
            std::string::npos)
      << checked.out;
}

TEST_F(CudaSetupTest, SimulatedDeviceIsTheDriverUnderTheShim) {
  const std::string file = folder + "/gpu.toml";
  std::ofstream(file) << "[device]\nname = \"GPU\"\n";
  const std::map<std::string, std::string> changes = {
      {"MORTAR_DIR", folder}, {"LD_PRELOAD", ""}, {"LD_LIBRARY_PATH", "/users"}};
  const Outcome outcome = RunMortar({"run", "--sim-device", file, "--", "env"}, changes);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string& line :
       {"MORTAR_SIM_DEVICE=" + file, "MORTAR_CUDA_DRIVER=" + folder + "/lib/simcuda/libcuda.so.1",
        "LD_LIBRARY_PATH=" + folder + "/lib/cuda:" + folder + "/lib/simcuda:/users",
        "LD_PRELOAD=" + folder + "/lib/libmortar-cuda-hook.so"}) {
    EXPECT_NE(outcome.out.find(line + "\n"), std::string::npos) << line << "\n" << outcome.out;
  }
  const Outcome bare = RunMortar({"run", "--sim-device", file, "--unscheduled", "--", "env"}, changes);
  EXPECT_EQ(bare.code, 0) << bare.err;
  EXPECT_NE(bare.out.find("LD_LIBRARY_PATH=" + folder + "/lib/simcuda:/users\n"), std::string::npos);
  EXPECT_EQ(bare.out.find("LD_PRELOAD"), std::string::npos);
}

TEST_F(CudaSetupTest, SimulatedDeviceThatIsBrokenIsOneLine) {
  const auto refused = [&](const std::string& file, const std::string& about) {
    const Outcome outcome = RunMortar({"run", "--sim-device", file, "--", "true"}, {{"MORTAR_DIR", folder}});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(about), std::string::npos) << outcome.err;
  };
  const std::string file = folder + "/gpu.toml";
  std::ofstream(file) << "[device]\nspeed = 3\n";
  refused(file, "gpu.toml:2: 'speed' is unknown");
  refused("/nowhere/gpu.toml", "/nowhere/gpu.toml");
  std::ofstream(file, std::ios::trunc) << "[device]\n";
  std::filesystem::remove(folder + "/lib/simcuda/libcuda.so.1");
  refused(file, "simcuda/libcuda.so.1 is not installed");
  const Outcome alone = RunMortar({"run", "--unscheduled", "--", "true"}, {{"MORTAR_DIR", folder}});
  EXPECT_EQ(alone.code, 2);
  EXPECT_NE(alone.err.find("--sim-device"), std::string::npos) << alone.err;
}

}  // namespace
}  // namespace mortar::cli
