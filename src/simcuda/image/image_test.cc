#include "simcuda/image/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mortar::simcuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  const auto& list = kernels.value();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].name, "_Z3addPfS_i");
  EXPECT_THAT(list[0].parameter_bytes, ElementsAre(8, 8, 4));
  EXPECT_EQ(list[1].name, "big");
  EXPECT_THAT(list[1].parameter_bytes, ElementsAre(24));
  EXPECT_TRUE(list[2].parameter_bytes.empty());
}

TEST(PtxTest, CutOffTextIsRefusedByName) {
  const auto kernels = ReadPtx(kTwo.substr(0, kTwo.find(".maxntid") - 4));
  ASSERT_FALSE(kernels);
  EXPECT_THAT(kernels.error().message, HasSubstr("_Z3addPfS_i"));
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
