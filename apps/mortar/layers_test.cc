#include "mortar/layers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "board/test_support.h"

namespace mortar::cli {
namespace {

constexpr char kOurs[] = "/m/lib/libmortar-opencl.so";
constexpr char kEmulated[] = "/m/lib/libmortar-emulated.so";

TEST(ComposeLayersTest, OursIsLastAndSoCalledFirst) {
  EXPECT_EQ(ComposeLayers("", kOurs, ""), kOurs);
  EXPECT_EQ(ComposeLayers("/a.so:/b.so", kOurs, ""), std::string("/a.so:/b.so:") + kOurs);
}

TEST(ComposeLayersTest, EmulatedDeviceIsBelowEverything) {
  EXPECT_EQ(ComposeLayers("/a.so", kOurs, kEmulated), std::string(kEmulated) + ":/a.so:" + kOurs);
}

TEST(ComposeLayersTest, OursIsNeverThereTwice) {
  EXPECT_EQ(ComposeLayers(std::string("/old/libmortar-opencl.so:/a.so:") + kOurs, kOurs, ""),
            std::string("/a.so:") + kOurs);
  EXPECT_EQ(ComposeLayers(kEmulated, kOurs, "/new/libmortar-emulated.so"),
            std::string("/new/libmortar-emulated.so:") + kOurs);
}

TEST(ComposeLayersTest, EmulatedLayerOfTheUserStays) {
  EXPECT_EQ(ComposeLayers(kEmulated, kOurs, ""), std::string(kEmulated) + ":" + kOurs);
}

TEST(ComposeLayersTest, EmptyEntriesVanish) {
  EXPECT_EQ(ComposeLayers(":/a.so::", kOurs, ""), std::string("/a.so:") + kOurs);
}

TEST(FindLibraryTest, LooksInTheVariableAlone) {
  const board::TemporaryDirectory directory;
  setenv("MORTAR_LIB", directory.path().c_str(), 1);
  EXPECT_EQ(FindLibrary(kSchedulingLayer), "");
  std::ofstream(directory.path() + "/" + kSchedulingLayer) << "x";
  EXPECT_EQ(FindLibrary(kSchedulingLayer), directory.path() + "/" + kSchedulingLayer);
  unsetenv("MORTAR_LIB");
}

TEST(VerdictTest, NamesTheFirstThingThatIsWrong) {
  Probe probe;
  EXPECT_NE(Verdict(probe).find("no OpenCL loader"), std::string::npos);
  probe.loader = true;
  probe.loader_path = "/x/libOpenCL.so.1";
  EXPECT_NE(Verdict(probe).find("did not answer"), std::string::npos);
  probe.answered = true;
  EXPECT_NE(Verdict(probe).find("no OpenCL platform"), std::string::npos);
  probe.platforms = 1;
  EXPECT_NE(Verdict(probe).find("ignores layers"), std::string::npos);
  EXPECT_NE(Verdict(probe).find("/x/libOpenCL.so.1"), std::string::npos);
  probe.layer = true;
  EXPECT_EQ(Verdict(probe), "");
}

}  // namespace
}  // namespace mortar::cli
