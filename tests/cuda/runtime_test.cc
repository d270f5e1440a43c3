// Programs of the CUDA runtime on the simulated device, over our own libcudart.so.13: bare and under the shim
// with every policy they do and compute the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
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

// One by any compiler, the others by nvcc where there is one (runtime/NAME.cu).
struct RuntimeProgram {
  const char* name;
  unsigned least_submits;
  bool by_nvcc = true;
  std::string path() const {
    const std::string folder = RUNTIME_NVCC;
    return !by_nvcc ? RUNTIME_PREBUILT : folder.empty() ? "" : folder + "/runtime_" + name;
  }
};
constexpr RuntimeProgram kPrebuilt{"prebuilt", 105, false};

class CudaRuntimeTest : public testing::TestWithParam<RuntimeProgram> {
 protected:
  void SetUp() override {
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

  std::vector<std::string> Run(const RuntimeProgram& which) {
    Program program(which.path(), {}, environment);
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
  if (GetParam().path().empty()) GTEST_SKIP() << "no CUDA toolkit on this machine";
  const std::vector<std::string> bare = Run(GetParam());
  EXPECT_EQ(status, 0) << errors;
  EXPECT_EQ(errors, "");
  ASSERT_GT(bare.size(), 20U);
  EXPECT_EQ(bare.back(), "wrong: 0");
  EXPECT_EQ(Counted(), 0U);
  Schedule();
  for (const model::PolicyId policy : model::kPolicies) {
    SetPolicy(policy);
    EXPECT_EQ(Run(GetParam()), bare) << model::PolicyName(policy);
    EXPECT_EQ(status, 0) << errors;
    EXPECT_GE(Counted(), GetParam().least_submits)
        << model::PolicyName(policy) << ": launches and copies that came to the gate";
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, CudaRuntimeTest,
                         testing::Values(kPrebuilt, RuntimeProgram{"saxpy", 105},
                                         RuntimeProgram{"streams", 40}, RuntimeProgram{"pools", 200},
                                         RuntimeProgram{"mixed", 22}),
                         [](const auto& program) { return std::string(program.param.name); });

class CudaBadProgramTest : public CudaRuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Prebuilt, CudaBadProgramTest, testing::Values(kPrebuilt));

// NVIDIA's own runtime inside: told why, on one line, and no more.
TEST_P(CudaBadProgramTest, StaticRuntimeIsToldWhatItNeeds) {
  const RuntimeProgram linked_statically{"static", 0};
  if (linked_statically.path().empty()) GTEST_SKIP() << "no CUDA toolkit on this machine";
  for (const bool scheduled : {false, true}) {
    if (scheduled) Schedule();
    const std::vector<std::string> lines = Run(linked_statically);
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines[0], "count: 801");  // cudaErrorNotSupported
    EXPECT_NE(errors.find("build it with nvcc -cudart shared"), std::string::npos) << errors;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
}

// Kernels are missing then; the program gets error codes, whatever the bytes are, and goes on to its end.
TEST_P(CudaBadProgramTest, CorruptFatbinIsAnErrorCode) {
  std::ifstream in(RUNTIME_IMAGE, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(good.size(), 1000U);
  const auto run = [&](const std::string& image) {
    environment["RUNTIME_IMAGE"] = boards.path() + "/image.fatbin";
    std::ofstream(environment["RUNTIME_IMAGE"], std::ios::binary) << image;
    return Run(kPrebuilt);
  };
  EXPECT_EQ(run(good).back(), "wrong: 0");
  for (const std::size_t from : {std::size_t{0}, std::size_t{16}, std::size_t{80}, good.size() / 2}) {
    std::string bad = good;
    for (std::size_t at = from; at < std::min(from + 600, bad.size()); ++at)
      bad[at] = static_cast<char>(bad[at] ^ 0x55);
    const std::vector<std::string> lines = run(bad);
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines.back().substr(0, 7), "wrong: ") << "it reaches its end, corrupt from " << from;
    EXPECT_LE(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
}

TEST_P(CudaBadProgramTest, BrokenDescriptionIsNoDeviceAfterOneLine) {
  std::ofstream(environment["MORTAR_SIM_DEVICE"]) << "[device]\nmemory_mib = -1\n";
  for (const bool scheduled : {false, true}) {
    if (scheduled) Schedule();
    const std::vector<std::string> lines = Run(kPrebuilt);
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines[0], "count: 100");  // cudaErrorNoDevice
    EXPECT_NE(errors.find("gpu.toml:2: 'memory_mib'"), std::string::npos) << errors;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
}

TEST_P(CudaBadProgramTest, WithoutADriverAProgramIsToldSo) {
  // The runtime finds the driver beside itself: so it stands alone here.
  const std::string alone = boards.path() + "/alone";
  std::filesystem::create_directories(alone);
  std::filesystem::copy_file(FolderOf(SIMULATED_DRIVER) + "/libcudart.so.13", alone + "/libcudart.so.13");
  environment["LD_LIBRARY_PATH"] = alone;
  const std::vector<std::string> lines = Run(kPrebuilt);
  if (lines.empty() || lines[0] == "count: 0") GTEST_SKIP() << "this machine has a driver of its own";
  EXPECT_EQ(lines[0], "count: 35");  // cudaErrorInsufficientDriver
  EXPECT_NE(errors.find("libcuda.so.1"), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
}

}  // namespace
}  // namespace mortar::tests
