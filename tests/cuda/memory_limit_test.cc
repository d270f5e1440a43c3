// --memory on the simulated CUDA device: a program takes memory through the shim, and sees what it may hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "board/test_support.h"
#include "support/program.h"

namespace mortar::tests {
namespace {

class CudaMemoryTest : public testing::Test {
 protected:
  std::vector<std::string> Run(bool scheduled, const std::string& limit) {
    std::ofstream(boards_.path() + "/gpu.toml") << "[device]\nmemory_mib = 1024\n[default]\nus = 20\n";
    Program::Environment environment = {{"MORTAR_DIR", boards_.path()},
                                        {"MORTAR_PROFILES", ""},
                                        {"MORTAR_NAME", "program"},
                                        {"MORTAR_MEMORY", limit},
                                        {"MORTAR_SIM_DEVICE", boards_.path() + "/gpu.toml"},
                                        {"MORTAR_CUDA_DRIVER", SIMULATED_DRIVER},
                                        {"LD_LIBRARY_PATH", FolderOf(scheduled ? SHIM : SIMULATED_DRIVER) +
                                                                ":" + FolderOf(SIMULATED_DRIVER)}};
    Program program(CUDA_PROGRAM, {"libcuda.so.1", "memory"}, environment);
    std::vector<std::string> lines;
    for (std::string line = program.ReadLine(); line != "(ended)" && line != "(hangs)";
         line = program.ReadLine())
      lines.push_back(line);
    EXPECT_EQ(program.Wait(), 0) << program.Errors();
    errors_ = program.Errors();
    return lines;
  }
  board::TemporaryDirectory boards_;
  std::string errors_;
};

TEST_F(CudaMemoryTest, TheLimitIsTheDevicesMemoryToTheProgram) {
  // 40 and 16 of 64 MiB leave 8.
  EXPECT_THAT(Run(true, std::to_string(64 << 20)),
              testing::ElementsAre("total 64 MiB", "alloc: 0", "free 24 of 64 MiB", "managed: 0", "beyond: 2",
                                   "free: 0", "twice: 1", "stream-ordered: 0", "beyond: 2", "given back: 0",
                                   "wait: 0", "free 48 of 64 MiB", "again: 0", "free 64 of 64 MiB"));
  EXPECT_EQ(Lines(errors_), 1) << errors_;
  EXPECT_NE(errors_.find("was refused"), std::string::npos) << errors_;
}

TEST_F(CudaMemoryTest, WithoutALimitTheDriverAnswersAsEver) {
  const std::vector<std::string> bare = Run(false, "");
  EXPECT_EQ(Run(true, ""), bare);
  EXPECT_EQ(bare.front(), "total 1024 MiB");
  EXPECT_EQ(errors_, "");
}

}  // namespace
}  // namespace mortar::tests
