// How the layer starts: its table, its answers to the loader.
#include <algorithm>
#include <fstream>

#include "emulated/layer/fixture.h"

namespace mortar::emulated {
namespace {

class InitLayerTest : public testing::Test {
 protected:
  InitLayerTest() { SetCurrent(nullptr); }
  ~InitLayerTest() override {
    unsetenv("MORTAR_EMULATED");
    SetCurrent(nullptr);
  }
  // What the layer says on stderr while it is made; true if it wraps anything.
  std::string Init(bool* wraps, cl_int* status) {
    const cl_icd_dispatch* dispatch = nullptr;
    cl_uint entries = 0;
    testing::internal::CaptureStderr();
    *status = InitLayer(sizeof(cl_icd_dispatch) / sizeof(void*), &driver_.dispatch(), &entries, &dispatch);
    EXPECT_EQ(entries, sizeof(cl_icd_dispatch) / sizeof(void*));
    *wraps = dispatch != nullptr && dispatch->clFinish != nullptr;
    return testing::internal::GetCapturedStderr();
  }
  FakeDriver driver_;
};

TEST_F(InitLayerTest, WithoutOrWithABadTableItPassesThrough) {
  bool wraps = true;
  cl_int status = 99;
  unsetenv("MORTAR_EMULATED");
  EXPECT_THAT(Init(&wraps, &status), testing::HasSubstr("MORTAR_EMULATED is not set: nothing is emulated"));
  EXPECT_EQ(status, CL_SUCCESS);
  EXPECT_FALSE(wraps);
  const std::string path = testing::TempDir() + "/init_layer_test.txt";
  std::ofstream(path) << "\nkernel a b\n";
  setenv("MORTAR_EMULATED", path.c_str(), 1);
  const std::string said = Init(&wraps, &status);
  EXPECT_THAT(said, testing::HasSubstr(path + ":2: 'b' is not a valid duration"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  EXPECT_FALSE(wraps);
  std::filesystem::remove(path);
}

TEST_F(InitLayerTest, AnswersTheLoader) {
  cl_uint version = 0;
  std::size_t size = 0;
  EXPECT_EQ(LayerInfo(0x4240, sizeof version, &version, &size), CL_SUCCESS);
  EXPECT_EQ(version, 100U);
  EXPECT_EQ(size, sizeof version);
  char name[64];
  EXPECT_EQ(LayerInfo(0x4241, sizeof name, name, nullptr), CL_SUCCESS);
  EXPECT_STREQ(name, "mortar emulated device");
  EXPECT_EQ(LayerInfo(0x4241, 3, name, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(LayerInfo(1, sizeof name, name, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(InitLayer(1, nullptr, nullptr, nullptr), CL_INVALID_VALUE);
}

}  // namespace
}  // namespace mortar::emulated
