// Programs of the CUDA runtime on the simulated device, over our own libcudart.so.13: bare and under the shim
// with every policy they do and compute the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "model/model.h"
#include "support/program.h"

namespace mortar::tests {
namespace {

#ifndef RUNTIME_NVCC
#define RUNTIME_NVCC ""
#endif

std::string FolderOf(const char* path) { return std::filesystem::path(path).parent_path().string(); }

class CudaRuntimeTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()).empty()) GTEST_SKIP() << "no CUDA toolkit on this machine";
    std::ofstream(boards.path() + "/gpu.toml") << "[device]\n[default]\nus = 20\n";
    environment = {{"MORTAR_DIR", boards.path()},
                   {"MORTAR_PROFILES", ""},
                   {"MORTAR_SIM_DEVICE", boards.path() + "/gpu.toml"},
                   {"MORTAR_NAME", "program"},
                   {"LD_LIBRARY_PATH", FolderOf(SIMULATED_DRIVER)}};
  }
  void Schedule() {
    environment["LD_LIBRARY_PATH"] = FolderOf(SHIM) + ":" + FolderOf(SIMULATED_DRIVER);
    environment["MORTAR_CUDA_DRIVER"] = SIMULATED_DRIVER;
  }

  std::vector<std::string> Run() {
    Program program(GetParam(), {}, environment);
    std::vector<std::string> lines;
    for (std::string line = program.ReadLine(); line != "(ended)" && line != "(hangs)";
         line = program.ReadLine())
      lines.push_back(line);
    status = program.Wait();
    errors = program.Errors();
    return lines;
  }
  // Launches and copies that clients of the board have had counted, dead ones included.
  std::uint64_t Counted() {
    auto board = board::Board::Open(boards.path(), kBoard, /*create=*/false);
    std::uint64_t sum = 0;
    for (int i = 0; board.ok() && i < board::kSlots; ++i) sum += board->slot(i).counters.submits.load();
    return sum;
  }
  void SetPolicy(model::PolicyId policy) {
    auto board = board::Board::Open(boards.path(), kBoard, /*create=*/true);
    ASSERT_TRUE(board.ok());
    board->header().policy.store(static_cast<std::uint32_t>(policy));
    board->Bump();
  }

  static constexpr char kBoard[] = "simulated 0000:01:00.0";
  board::TemporaryDirectory boards;
  Program::Environment environment;
  int status = 0;
  std::string errors;
};

TEST_P(CudaRuntimeTest, ProgramsComputeBareAndScheduledAlike) {
  const std::vector<std::string> bare = Run();
  EXPECT_EQ(status, 0) << errors;
  ASSERT_GT(bare.size(), 40U);
  EXPECT_EQ(bare.back(), "wrong: 0");
  EXPECT_EQ(Counted(), 0U);
  Schedule();
  for (const model::PolicyId policy : model::kPolicies) {
    SetPolicy(policy);
    EXPECT_EQ(Run(), bare) << model::PolicyName(policy);
    EXPECT_EQ(status, 0) << errors;
    EXPECT_GE(Counted(), 105U) << model::PolicyName(policy) << ": launches and copies that came to the gate";
  }
}

TEST_P(CudaRuntimeTest, WithoutADriverAProgramIsToldSo) {
  // The runtime finds the driver beside itself: so it stands alone here.
  const std::string alone = boards.path() + "/alone";
  std::filesystem::create_directories(alone);
  std::filesystem::copy_file(FolderOf(SIMULATED_DRIVER) + "/libcudart.so.13", alone + "/libcudart.so.13");
  environment["LD_LIBRARY_PATH"] = alone;
  const std::vector<std::string> lines = Run();
  if (lines.empty() || lines[0] == "count: 0") GTEST_SKIP() << "this machine has a driver of its own";
  EXPECT_EQ(lines[0], "count: 35");  // cudaErrorInsufficientDriver
  EXPECT_NE(errors.find("libcuda.so.1"), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
}

INSTANTIATE_TEST_SUITE_P(Programs, CudaRuntimeTest, testing::Values(RUNTIME_PREBUILT, RUNTIME_NVCC),
                         [](const auto& program) {
                           return std::string(program.index == 0 ? "prebuilt" : "nvcc");
                         });

}  // namespace
}  // namespace mortar::tests
