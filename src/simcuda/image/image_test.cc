#include "simcuda/image/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mortar::simcuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::uint32_t> Sizes(const KernelImage& kernel) {
  std::vector<std::uint32_t> sizes;
  for (const KernelParameter& parameter : kernel.parameters) sizes.push_back(parameter.bytes);
  return sizes;
}
std::vector<std::uint32_t> Offsets(const KernelImage& kernel) {
  std::vector<std::uint32_t> offsets;
  for (const KernelParameter& parameter : kernel.parameters) offsets.push_back(parameter.offset);
  return offsets;
}

constexpr std::string_view kTwo = R"(// made by hand
.version 8.0
.target sm_80
.address_size 64
/* .entry not_this( */
.visible .entry _Z3addPfS_i(
  .param .u64 _Z3addPfS_i_param_0,
  .param .u64 .ptr .align 4 _Z3addPfS_i_param_1,
  .param .u32 _Z3addPfS_i_param_2
)
.maxntid 256, 1, 1
{ ret; }
.func helper(.param .u64 x) { ret; }
.entry big(.param .align 8 .b8 s[24]) { ret; }
.entry none() { ret; }
)";

TEST(PtxTest, EveryEntryWithItsParameters) {
  const auto kernels = ReadPtx(kTwo);
  ASSERT_TRUE(kernels);
  const auto& list = kernels->kernels;
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].name, "_Z3addPfS_i");
  EXPECT_THAT(Sizes(list[0]), ElementsAre(8, 8, 4));
  EXPECT_EQ(list[1].name, "big");
  EXPECT_THAT(Sizes(list[1]), ElementsAre(24));
  EXPECT_TRUE(list[2].parameters.empty());
}

TEST(PtxTest, ParametersLieWhereTheirAlignmentPutsThem) {
  const auto image = ReadPtx(
      ".global .align 8 .b8 table[24] = {1, 2};\n.const .f32 scale;\n"
      ".entry k(.param .u8 a, .param .u32 b, .param .align 16 .b8 c[20], .param .u16 d) { .global x; }");
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_EQ(image->kernels.size(), 1U);
  EXPECT_THAT(Offsets(image->kernels[0]), ElementsAre(0, 4, 16, 36));
  ASSERT_EQ(image->globals.size(), 2U);
  EXPECT_EQ(image->globals[0].name, "table");
  EXPECT_EQ(image->globals[0].bytes, 24U);
  EXPECT_EQ(image->globals[1].bytes, 4U);
}

TEST(PtxTest, CutOffTextIsRefusedByName) {
  const auto kernels = ReadPtx(kTwo.substr(0, kTwo.find(".maxntid") - 4));
  ASSERT_FALSE(kernels);
  EXPECT_THAT(kernels.error().message, HasSubstr("_Z3addPfS_i"));
}

TEST(PtxTest, NameThatIsNoneIsQuotedOnOneLine) {
  const auto kernels = ReadPtx(".entry \"a\n\x07z\" (");
  ASSERT_FALSE(kernels);
  EXPECT_THAT(kernels.error().message, HasSubstr("kernel '\"a??z\"'"));
}

TEST(PtxTest, ParametersBeyondCudasBoundAreRefused) {
  EXPECT_FALSE(ReadPtx(".entry a(.param .b8 x[32765]) {}"));
  EXPECT_TRUE(ReadPtx(".entry a(.param .b8 x[32764]) {}"));
}

TEST(PtxTest, OnlyTextThatBeginsWithAVersionLooksLikePtx) {
  EXPECT_TRUE(LooksLikePtx(kTwo));
  EXPECT_FALSE(
      LooksLikePtx("\x7f"
                   "ELF"));
  EXPECT_FALSE(LooksLikePtx(""));
}

}  // namespace
}  // namespace mortar::simcuda
