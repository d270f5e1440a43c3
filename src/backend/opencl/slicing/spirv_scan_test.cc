#include "backend/opencl/slicing/spirv_scan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace mortar::slicing {
namespace {

// A module put together by hand: the header of a compiler's and as many ids as a test may use.
class Assembly {
 public:
  Assembly& Op(std::uint32_t op, std::initializer_list<std::uint32_t> operands = {}) {
    words_.push_back(static_cast<std::uint32_t>(operands.size() + 1) << 16 | op);
    words_.insert(words_.end(), operands);
    return *this;
  }
  // With a text after the first `before` operands, and `after` it.
  Assembly& Text(std::uint32_t op, std::initializer_list<std::uint32_t> before, std::string_view text,
                 std::initializer_list<std::uint32_t> after = {}) {
    std::vector<std::uint32_t> packed(text.size() / 4 + 1, 0);
    std::memcpy(packed.data(), text.data(), text.size());
    words_.push_back(static_cast<std::uint32_t>(1 + before.size() + packed.size() + after.size()) << 16 | op);
    words_.insert(words_.end(), before);
    words_.insert(words_.end(), packed.begin(), packed.end());
    words_.insert(words_.end(), after);
    return *this;
  }
  Safety Scan() const { return ScanSpirv(words_.data(), words_.size() * 4); }
  std::vector<std::uint32_t>& words() { return words_; }

 private:
  std::vector<std::uint32_t> words_ = {0x07230203, 0x00010000, 0, 30, 0};
};

// Entry point, OpenCL.std, get_global_id as compilers write it, and an instruction of arithmetic.
Assembly Plain() {
  Assembly module;
  module.Op(17, {6}).Op(17, {4});
  module.Text(11, {1}, "OpenCL.std");
  module.Op(14, {2, 2});
  module.Text(15, {6, 2}, "kernel", {3});
  module.Op(16, {2, 31});  // ContractionOff
  module.Op(71, {3, 11, 28}).Op(71, {3, 22});
  module.Text(71, {3, 41}, "__spirv_BuiltInGlobalInvocationId", {1});
  module.Op(43, {4, 5, 0x110}).Op(43, {4, 6, 0x210});
  module.Op(32, {7, 5, 4}).Op(59, {7, 3, 1});
  module.Op(61, {4, 8, 3, 2, 4}).Op(12, {4, 9, 1, 76, 8}).Op(128, {4, 10, 8, 9}).Op(62, {3, 10});
  return module;
}

TEST(SpirvScanTest, PlainModuleIsSafe) {
  EXPECT_EQ(Plain().Scan(), Safety::kAlways);
  // A branch onward, as of an `if`.
  EXPECT_EQ(Plain().Op(248, {11}).Op(250, {8, 12, 13}).Op(248, {12}).Op(249, {13}).Op(248, {13}).Scan(),
            Safety::kAlways);
  // A loop by itself.
  EXPECT_EQ(Plain().Op(248, {11}).Op(249, {11}).Scan(), Safety::kAlways);
  // Names for debuggers.
  EXPECT_EQ(Plain().Text(11, {14}, "OpenCL.DebugInfo.100").Op(12, {4, 15, 14, 1}).Scan(), Safety::kAlways);
}

TEST(SpirvScanTest, BuiltInsThatAPieceAnswersOtherwiseForbid) {
  for (const std::uint32_t built_in : {24U, 26U, 31U, 33U, 34U, 0U, 35U, 4416U, ~0U}) {
    EXPECT_EQ(Plain().Op(71, {8, 11, built_in}).Scan(), Safety::kNever) << built_in;
    EXPECT_EQ(Plain().Op(72, {8, 0, 11, built_in}).Scan(), Safety::kNever) << built_in;
  }
  for (const char* name :
       {"__spirv_BuiltInWorkgroupId", "__spirv_BuiltInGlobalSize", "__spirv_BuiltIn", "_Z12get_group_idj"}) {
    EXPECT_EQ(Plain().Text(71, {8, 41}, name, {1}).Scan(), Safety::kNever) << name;
  }
  EXPECT_EQ(Plain().Text(71, {8, 41}, "exported", {0}).Scan(), Safety::kAlways);
}

TEST(SpirvScanTest, TheGroupsOwnBusinessNeedsALocalSize) {
  for (const std::uint32_t built_in : {25U, 27U, 29U, 32U, 36U, 41U}) {
    EXPECT_EQ(Plain().Op(71, {8, 11, built_in}).Scan(), Safety::kWithLocalSize) << built_in;
  }
  EXPECT_EQ(Plain().Op(59, {7, 8, 4}).Scan(), Safety::kWithLocalSize);
  EXPECT_EQ(Plain().Op(32, {8, 4, 4}).Scan(), Safety::kWithLocalSize);
  EXPECT_EQ(Plain().Op(16, {2, 17, 8, 8, 1}).Scan(), Safety::kWithLocalSize);
  EXPECT_EQ(Plain().Op(259, {4, 8, 9}).Scan(), Safety::kWithLocalSize);
  EXPECT_EQ(Plain().Op(248, {11}).Op(224, {5, 5, 5}).Op(249, {11}).Scan(), Safety::kWithLocalSize);
}

TEST(SpirvScanTest, WaitingForAnotherGroupForbids) {
  struct Case {
    std::uint32_t op;
    std::initializer_list<std::uint32_t> operands;
  };
  const Case orderings[] = {{234, {4, 8, 3, 5, 5, 9}},  // OpAtomicIAdd
                            {318, {4, 8, 3, 5, 5}},     // OpAtomicFlagTestAndSet
                            {225, {5, 5}},              // OpMemoryBarrier
                            {224, {5, 5, 6}},           // OpControlBarrier of memory beyond the group
                            {224, {5, 5, 9}},           // of what is not known
                            {61, {4, 8, 3, 1}},         // OpLoad, volatile
                            {62, {3, 8, 1}},            // OpStore, volatile
                            {71, {3, 21}}};             // Volatile
  for (const Case& each : orderings) {
    EXPECT_NE(Plain().Op(each.op, each.operands).Scan(), Safety::kNever) << each.op;
    EXPECT_EQ(Plain().Op(248, {11}).Op(each.op, each.operands).Op(249, {11}).Scan(), Safety::kNever)
        << each.op;
    EXPECT_EQ(Plain().Op(248, {11}).Op(each.op, each.operands).Op(250, {8, 12, 11}).Scan(), Safety::kNever);
    EXPECT_EQ(Plain().Op(248, {11}).Op(each.op, each.operands).Op(251, {8, 12, 1, 11}).Scan(),
              Safety::kNever);
  }
}

TEST(SpirvScanTest, WhatIsNotKnownForbids) {
  EXPECT_EQ(Plain().Text(11, {14}, "Vendor.std").Scan(), Safety::kNever);
  EXPECT_EQ(Plain().Op(12, {4, 8, 14, 3}).Scan(), Safety::kNever);      // of a set never imported
  EXPECT_EQ(Plain().Op(12, {4, 8, 1, 184, 9}).Scan(), Safety::kNever);  // printf
  EXPECT_EQ(Plain().Op(5609, {4, 8}).Scan(), Safety::kNever);           // an extension's
  EXPECT_EQ(Plain().Op(274, {4, 8}).Op(292, {4}).Scan(),
            Safety::kNever);  // pipes, kernels that kernels enqueue
  EXPECT_EQ(Plain().Op(16, {2, 5000}).Scan(), Safety::kNever);
}

TEST(SpirvScanTest, DamagedModulesForbid) {
  Assembly good = Plain();
  const auto& words = good.words();
  EXPECT_EQ(ScanSpirv(nullptr, 0), Safety::kNever);
  EXPECT_EQ(ScanSpirv(words.data(), 0), Safety::kNever);
  EXPECT_EQ(ScanSpirv(words.data(), 16), Safety::kNever);
  EXPECT_EQ(ScanSpirv(words.data(), words.size() * 4 - 1), Safety::kNever);
  EXPECT_EQ(ScanSpirv(words.data(), words.size() * 4 - 4), Safety::kNever)
      << "breaks off inside an instruction";
  for (const auto& [at, value] :
       {std::pair{0U, 0x03022307U}, std::pair{3U, 1000U}, std::pair{5U, 0x00000011U}}) {
    Assembly bad = Plain();
    bad.words()[at] = value;
    EXPECT_EQ(bad.Scan(), Safety::kNever) << at;
  }
  for (const std::uint32_t op : {71U, 72U, 11U, 16U, 248U}) {
    EXPECT_EQ(Plain().Op(op).Scan(), Safety::kNever) << op;
  }
  EXPECT_EQ(Plain().Op(248, {31}).Scan(), Safety::kNever);
}

}  // namespace
}  // namespace mortar::slicing
