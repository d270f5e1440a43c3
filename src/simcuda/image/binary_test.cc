// Cubins and fat binaries as NVIDIA's compilers made them (testdata/make.sh), whole and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr int kHopper = 90;
constexpr int kAmpere = 86;
constexpr int kBlackwell = 100;  // runs no cubin of these, but their PTX

std::string Read(const std::string& name) {
  std::ifstream file(std::string(TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const KernelImage* Find(const ModuleImage& image, const std::string& name) {
  for (const KernelImage& kernel : image.kernels) {
    if (kernel.name == name) return &kernel;
  }
  return nullptr;
}

std::vector<std::uint32_t> Offsets(const KernelImage& kernel) {
  std::vector<std::uint32_t> offsets;
  for (const auto& parameter : kernel.parameters) offsets.push_back(parameter.offset);
  return offsets;
}
std::vector<std::uint32_t> Sizes(const KernelImage& kernel) {
  std::vector<std::uint32_t> sizes;
  for (const auto& parameter : kernel.parameters) sizes.push_back(parameter.bytes);
  return sizes;
}

// kernels.cu: mixed(char, double, short, struct of 5 doubles and a char, float*).
void ExpectKernels(const ModuleImage& image) {
  ASSERT_EQ(image.kernels.size(), 3U);
  const KernelImage* mixed = Find(image, "mixed");
  ASSERT_NE(mixed, nullptr);
  EXPECT_THAT(Sizes(*mixed), ElementsAre(1, 8, 2, 48, 8));
  EXPECT_THAT(Offsets(*mixed), ElementsAre(0, 8, 16, 24, 72));
  ASSERT_NE(Find(image, "add_one"), nullptr);
  EXPECT_THAT(Sizes(*Find(image, "add_one")), ElementsAre(8, 4));
  ASSERT_NE(Find(image, "nothing"), nullptr);
  EXPECT_TRUE(Find(image, "nothing")->parameters.empty());
}

TEST(ElfTest, KernelsParametersAndGlobals) {
  const auto image = ReadElf(Read("sm90.cubin"));
  ASSERT_TRUE(image) << image.error().message;
  ExpectKernels(*image);
  EXPECT_GE(Find(*image, "mixed")->shared_bytes, 256U);  // 64 floats, and what the compiler reserves
  std::vector<std::string> names;
  for (const GlobalImage& global : image->globals) {
    names.push_back(global.name);
    if (global.name == "counter") {
      EXPECT_EQ(global.start, std::string("\7\0\0\0", 4));
    }
    if (global.name == "table") {
      EXPECT_EQ(global.bytes, 400U);
    }
  }
  EXPECT_THAT(names, UnorderedElementsAre("counter", "table", "scale"));
}

TEST(ElfTest, MoreThan4KibOfParameters) {
  const auto image = ReadElf(Read("large.cubin"));
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_EQ(image->kernels.size(), 1U);
  EXPECT_THAT(Sizes(image->kernels[0]), ElementsAre(20000, 4, 8));
  EXPECT_THAT(Offsets(image->kernels[0]), ElementsAre(0, 20000, 20008));
}

class FatbinTest : public ::testing::TestWithParam<const char*> {};

TEST_P(FatbinTest, CubinOfTheDeviceElsePtx) {
  const std::string bytes = Read(GetParam());
  for (const int capability : {kHopper, kAmpere, kBlackwell}) {
    const auto image = ReadFatbin(bytes, capability);
    ASSERT_TRUE(image) << capability << ": " << image.error().message;
    ExpectKernels(*image);
  }
  const auto older = ReadFatbin(bytes, 75);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, base::Code::kNotFound);
  EXPECT_THAT(older.error().message, HasSubstr("compute capability 7.5"));
}

// Cut off anywhere, or with any byte of its headers changed: an error or another image, never a crash.
TEST_P(FatbinTest, DamageIsRefusedOrHarmless) {
  const std::string bytes = Read(GetParam());
  for (std::size_t length = 0; length < bytes.size(); length += 1 + length / 50) {
    const auto image = ReadFatbin(std::string_view(bytes).substr(0, length), kHopper);
    EXPECT_FALSE(image) << length;
    if (!image) {
      EXPECT_THAT(image.error().message, Not(HasSubstr("\n")));
    }
  }
  for (std::size_t at = 0; at < 16 + 64 * 2; ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    const auto image = ReadFatbin(changed, kHopper);
    if (!image) {
      EXPECT_THAT(image.error().message, Not(HasSubstr("\n")));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Packings, FatbinTest, ::testing::Values("none.fatbin", "lz4.fatbin", "zstd.fatbin"),
                         [](const auto& file) {
                           return std::string(file.param).substr(0, std::string(file.param).find('.'));
                         });

TEST(ImageTest, LengthIsTheHeadersOwn) {
  for (const char* name : {"none.fatbin", "zstd.fatbin", "sm90.cubin"}) {
    const std::string bytes = Read(name);
    const void* image = bytes.data();
    EXPECT_EQ(LengthOf(&image), bytes.size()) << name;
    EXPECT_EQ(image, bytes.data());
  }
  // What compilers put into programs: a mark, a version, a pointer.
  const std::string bytes = Read("none.fatbin");
  struct {
    std::uint32_t magic = 0x466243b1;
    std::uint32_t version = 1;
    const void* data = nullptr;
    const void* rest = nullptr;
  } pointer;
  pointer.data = bytes.data();
  const void* image = &pointer;
  EXPECT_EQ(LengthOf(&image), bytes.size());
  EXPECT_EQ(image, bytes.data());
}

TEST(ImageTest, OtherFilesAreRefused) {
  EXPECT_THAT(ReadImage("hello", kHopper).error().message, HasSubstr("neither PTX nor"));
  std::string own = Read("sm90.cubin");
  own[18] = 62;  // e_machine of x86-64
  EXPECT_THAT(ReadImage(own, kHopper).error().message, HasSubstr("not of a CUDA device"));
}

}  // namespace
}  // namespace mortar::simcuda
