// Identity of launches: names that follow handles, scalar arguments that make a hash.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

class KernelsTest : public LayerTest {
 protected:
  template <typename T>
  void Set(cl_kernel kernel, cl_uint index, T value) {
    EXPECT_EQ(Layer().clSetKernelArg(kernel, index, sizeof value, &value), CL_SUCCESS);
  }
  static std::uint64_t Hash(cl_kernel kernel) { return FindKernelInfo(kernel)->arguments.load(); }
};

TEST_F(KernelsTest, ArgumentsMakeAHashThatForgetsNothingAndNoOrder) {
  cl_kernel one = MakeKernel("one");
  cl_kernel two = MakeKernel("two");
  Set(one, 0, cl_int{7});
  Set(one, 1, 2.5F);
  Set(two, 1, 2.5F);
  Set(two, 0, cl_int{7});
  EXPECT_EQ(Hash(one), Hash(two));
  const std::uint64_t before = Hash(one);
  Set(one, 0, cl_int{8});
  EXPECT_NE(Hash(one), before);
  Set(one, 0, cl_int{7});
  EXPECT_EQ(Hash(one), before);
  // The same values in other places are other arguments.
  cl_kernel three = MakeKernel("three");
  Set(three, 1, cl_int{7});
  Set(three, 0, 2.5F);
  EXPECT_NE(Hash(three), before);
}

TEST_F(KernelsTest, OnlySmallScalarsCount) {
  cl_kernel kernel = MakeKernel();
  Set(kernel, 3, cl_uchar{1});
  const std::uint64_t before = Hash(kernel);
  Set(kernel, 0, reinterpret_cast<cl_mem>(0x1000));  // a handle: differs from run to run
  Set(kernel, 1, cl_ulong{5});
  Set(kernel, 32, cl_int{5});
  Set(kernel, 4'000'000'000U, cl_int{5});
  EXPECT_EQ(Layer().clSetKernelArg(kernel, 2, 4, nullptr), CL_SUCCESS);  // local memory
  EXPECT_EQ(Layer().clSetKernelArg(kernel, 2, 0, &kernel), CL_SUCCESS);
  EXPECT_EQ(Hash(kernel), before);
  mock.answer.store(CL_INVALID_ARG_VALUE);
  const cl_int refused = 9;
  EXPECT_EQ(Layer().clSetKernelArg(kernel, 5, sizeof refused, &refused), CL_INVALID_ARG_VALUE);
  EXPECT_EQ(Hash(kernel), before);
}

TEST_F(KernelsTest, ReusedHandleGetsTheNewName) {
  cl_kernel kernel = MakeKernel("old");
  Set(kernel, 0, cl_int{1});
  EXPECT_STREQ(FindKernelInfo(kernel)->name, "old");
  const std::uint64_t old_hash = FindKernelInfo(kernel)->name_hash;
  mock.ReuseKernel(kernel);
  ASSERT_EQ(MakeKernel("new"), kernel);
  EXPECT_STREQ(FindKernelInfo(kernel)->name, "new");
  EXPECT_NE(FindKernelInfo(kernel)->name_hash, old_hash);
  EXPECT_EQ(Hash(kernel), 0U);
  // The same name again: nothing of the dead kernel's arguments may stay.
  Set(kernel, 0, cl_int{1});
  mock.ReuseKernel(kernel);
  ASSERT_EQ(MakeKernel("new"), kernel);
  EXPECT_EQ(Hash(kernel), 0U);
  Set(kernel, 0, cl_int{2});
  cl_kernel fresh = MakeKernel("new");
  Set(fresh, 0, cl_int{2});
  EXPECT_EQ(Hash(kernel), Hash(fresh));
}

TEST_F(KernelsTest, ReusedHandlesOfTheOtherCreations) {
  cl_kernel kernel = MakeKernel("old");
  ASSERT_STREQ(FindKernelInfo(kernel)->name, "old");
  mock.ReuseKernel(kernel);
  cl_kernel made[2] = {};
  cl_uint count = 0;
  ASSERT_EQ(Layer().clCreateKernelsInProgram(nullptr, 2, made, &count), CL_SUCCESS);
  EXPECT_EQ(count, 2U);
  ASSERT_EQ(made[0], kernel);
  EXPECT_STREQ(FindKernelInfo(made[0])->name, "first");
  EXPECT_STREQ(FindKernelInfo(made[1])->name, "second");

  cl_kernel source = MakeKernel("source");
  mock.ReuseKernel(made[0]);
  cl_int error = 1;
  ASSERT_EQ(Layer().clCloneKernel(source, &error), made[0]);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_STREQ(FindKernelInfo(made[0])->name, "source");
}

// A clone starts with its source's argument values, so it starts with their hash.
TEST_F(KernelsTest, CloneHasItsSourcesArguments) {
  cl_kernel source = MakeKernel("source");
  Set(source, 0, cl_int{4});
  Set(source, 1, cl_int{5});
  cl_kernel clone = Layer().clCloneKernel(source, nullptr);
  EXPECT_EQ(Hash(clone), Hash(source));
  Set(clone, 0, cl_int{6});
  Set(source, 0, cl_int{6});
  EXPECT_EQ(Hash(clone), Hash(source));
}

TEST_F(KernelsTest, QueriesForCountsAndTooLittleRoomPass) {
  cl_uint count = 0;
  EXPECT_EQ(Layer().clCreateKernelsInProgram(nullptr, 0, nullptr, &count), CL_SUCCESS);
  EXPECT_EQ(count, 2U);
  cl_kernel one = nullptr;
  EXPECT_EQ(Layer().clCreateKernelsInProgram(nullptr, 1, &one, nullptr), CL_INVALID_VALUE);
}

TEST_F(KernelsTest, LongNamesAreCutButNotConfused) {
  const std::string name(200, 'x');
  cl_kernel a = MakeKernel((name + "a").c_str());
  cl_kernel b = MakeKernel((name + "b").c_str());
  EXPECT_EQ(std::strlen(FindKernelInfo(a)->name), sizeof(KernelInfo::name) - 1);
  EXPECT_NE(FindKernelInfo(a)->name_hash, FindKernelInfo(b)->name_hash);
}

}  // namespace
}  // namespace mortar::opencl
