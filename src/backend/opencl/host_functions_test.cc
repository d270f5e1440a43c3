// Functions of the program's that the driver calls: they see their arguments, and what they submit is not
// held.
#include "backend/opencl/host_functions.h"

#include <gtest/gtest.h>

#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

struct Arguments {
  int number;
  cl_mem object;
  double more;
};
struct Told {
  bool in_callback = false;
  int number = 0;
  cl_mem object = nullptr;
  double more = 0;
  std::uintptr_t at = 1;
};
constinit Told seen = {};

void CL_CALLBACK Native(void* arguments) {
  const auto* given = static_cast<Arguments*>(arguments);
  seen = {client::InCallback(), given->number, given->object, given->more, Word(arguments)};
}

class HostFunctionsTest : public LayerTest {
 protected:
  void SetUp() override {
    LayerTest::SetUp();
    seen = {};
  }
  cl_command_queue queue = MakeQueue();
  cl_mem object = reinterpret_cast<cl_mem>(0x7700);
};

TEST_F(HostFunctionsTest, NativeKernelSeesItsArguments) {
  Arguments arguments{41, nullptr, 2.5};
  const void* place = &arguments.object;
  EXPECT_EQ(Layer().clEnqueueNativeKernel(queue, Native, &arguments, sizeof arguments, 1, &object, &place, 0,
                                          nullptr, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(seen.number, 41);
  EXPECT_EQ(seen.object, object);
  EXPECT_EQ(seen.more, 2.5);
  EXPECT_EQ(seen.at % 16, 0U);
  EXPECT_TRUE(seen.in_callback);
  EXPECT_EQ(arguments.object, nullptr) << "the driver's copy is changed, not the program's";
  EXPECT_FALSE(client::InCallback());
}

TEST_F(HostFunctionsTest, NativeKernelThatCannotBeWrappedPassesAsItIs) {
  std::vector<char> large(8192);
  EXPECT_EQ(Layer().clEnqueueNativeKernel(queue, Native, large.data(), large.size(), 0, nullptr, nullptr, 0,
                                          nullptr, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(mock.last().words[1], Word(&Native));
  EXPECT_EQ(mock.last().words[2], Word(static_cast<void*>(large.data())));
  EXPECT_EQ(mock.last().words[3], large.size());
  // What a driver refuses: objects without a list, a place outside of the arguments, no arguments.
  mock.answer.store(CL_INVALID_VALUE);
  Arguments arguments{1, nullptr, 0};
  const void* outside = &arguments + 1;
  for (const void** places : {static_cast<const void**>(nullptr), &outside}) {
    EXPECT_EQ(Layer().clEnqueueNativeKernel(queue, Native, &arguments, sizeof arguments, 1, &object, places,
                                            0, nullptr, nullptr),
              CL_INVALID_VALUE);
    EXPECT_EQ(mock.last().words[1], Word(&Native));
    EXPECT_EQ(mock.last().words[6], Word(places));
  }
  EXPECT_EQ(
      Layer().clEnqueueNativeKernel(queue, nullptr, nullptr, 0, 0, nullptr, nullptr, 0, nullptr, nullptr),
      CL_INVALID_VALUE);
  EXPECT_EQ(seen.number, 0);
}

struct Freed {
  bool in_callback = false;
  cl_command_queue queue = nullptr;
  cl_uint count = 0;
  void** pointers = nullptr;
};
void CL_CALLBACK OnFree(cl_command_queue queue, cl_uint count, void** pointers, void* data) {
  *static_cast<Freed*>(data) = {client::InCallback(), queue, count, pointers};
}

TEST_F(HostFunctionsTest, SvmFreeCallsTheProgramInAScope) {
  void* pointers[2] = {&object, &queue};
  Freed freed;
  EXPECT_EQ(Layer().clEnqueueSVMFree(queue, 2, pointers, OnFree, &freed, 0, nullptr, nullptr), CL_SUCCESS);
  EXPECT_TRUE(freed.in_callback);
  EXPECT_EQ(freed.queue, queue);
  EXPECT_EQ(freed.count, 2U);
  EXPECT_EQ(freed.pointers, pointers);
  // Refused: not called, and nothing kept.
  freed = {};
  mock.answer.store(CL_INVALID_VALUE);
  EXPECT_EQ(Layer().clEnqueueSVMFree(queue, 2, pointers, OnFree, &freed, 0, nullptr, nullptr),
            CL_INVALID_VALUE);
  EXPECT_EQ(freed.queue, nullptr);
  // Without a function of the program's nothing is put in its place.
  Layer().clEnqueueSVMFree(queue, 2, pointers, nullptr, &freed, 0, nullptr, nullptr);
  EXPECT_EQ(mock.last().words[3], 0U);
  EXPECT_EQ(mock.last().words[4], Word(&freed));
}

}  // namespace
}  // namespace mortar::opencl
