// Profiling that the layer asks for is hidden from every query; queues are learned however they came about.
#include <CL/cl_ext.h>
#include <gtest/gtest.h>

#include <vector>

#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

class QueuesTest : public LayerTest {
 protected:
  static constexpr cl_command_queue_properties kOutOfOrder = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
  static constexpr cl_command_queue_properties kProfiling = CL_QUEUE_PROFILING_ENABLE;

  cl_command_queue Make(const std::vector<cl_queue_properties>& list, cl_int* error) {
    return Layer().clCreateCommandQueueWithProperties(nullptr, mock.device(),
                                                      list.empty() ? nullptr : list.data(), error);
  }
  cl_command_queue_properties Seen(cl_command_queue queue) {
    cl_command_queue_properties seen = ~cl_command_queue_properties{0};
    EXPECT_EQ(Layer().clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof seen, &seen, nullptr),
              CL_SUCCESS);
    return seen;
  }
  std::vector<cl_queue_properties> SeenList(cl_command_queue queue) {
    std::size_t size = 99;
    EXPECT_EQ(Layer().clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, 0, nullptr, &size), CL_SUCCESS);
    std::vector<cl_queue_properties> list(size / sizeof(cl_queue_properties));
    EXPECT_EQ(Layer().clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, size, list.data(), nullptr),
              CL_SUCCESS);
    return list;
  }
  cl_int ProfilingOf(cl_command_queue queue) {
    cl_event event = nullptr;
    EXPECT_EQ(Launch(queue, MakeKernel(), &event), CL_SUCCESS);
    cl_ulong ns = 0;
    return Layer().clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof ns, &ns, nullptr);
  }
};

TEST_F(QueuesTest, ForcedProfilingIsHidden) {
  for (const cl_command_queue_properties asked : {cl_command_queue_properties{0}, kOutOfOrder}) {
    cl_command_queue queue = MakeQueue(asked);
    ASSERT_NE(queue, nullptr);
    EXPECT_EQ(queue->properties, asked | kProfiling);  // the driver's queue does profile
    EXPECT_EQ(Seen(queue), asked);
    EXPECT_EQ(ProfilingOf(queue), CL_PROFILING_INFO_NOT_AVAILABLE);
  }
}

TEST_F(QueuesTest, ProfilingThatTheProgramAskedForIsItsOwn) {
  cl_command_queue queue = MakeQueue(kProfiling);
  EXPECT_EQ(Seen(queue), kProfiling);
  EXPECT_EQ(ProfilingOf(queue), CL_SUCCESS);
  cl_int error = 1;
  queue = Make({CL_QUEUE_PROPERTIES, kProfiling | kOutOfOrder, 0}, &error);
  EXPECT_EQ(Seen(queue), kProfiling | kOutOfOrder);
  EXPECT_EQ(ProfilingOf(queue), CL_SUCCESS);
}

TEST_F(QueuesTest, PropertyListIsTheProgramsOwn) {
  cl_int error = 1;
  cl_command_queue queue = Make({}, &error);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(queue->properties, kProfiling);
  EXPECT_EQ(Seen(queue), 0U);
  EXPECT_TRUE(SeenList(queue).empty());

  constexpr cl_queue_properties kPriority = 0x1096;  // CL_QUEUE_PRIORITY_KHR: any key that is not ours
  const std::vector<cl_queue_properties> lists[] = {
      {0},
      {CL_QUEUE_PROPERTIES, 0, 0},
      {CL_QUEUE_PROPERTIES, kOutOfOrder, 0},
      {kPriority, 4, 0},
      {kPriority, 4, CL_QUEUE_PROPERTIES, kOutOfOrder, 0},
  };
  for (const auto& list : lists) {
    queue = Make(list, &error);
    ASSERT_NE(queue, nullptr);
    EXPECT_EQ(error, CL_SUCCESS);
    EXPECT_NE(queue->properties & kProfiling, 0U);
    EXPECT_EQ(Seen(queue) & kProfiling, 0U);
    EXPECT_EQ(SeenList(queue), list);
    EXPECT_EQ(ProfilingOf(queue), CL_PROFILING_INFO_NOT_AVAILABLE);
  }
  cl_queue_properties small = 0;
  EXPECT_EQ(Layer().clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, sizeof small, &small, nullptr),
            CL_INVALID_VALUE);
}

TEST_F(QueuesTest, PropertyListOfAnOlderDriverIsUnknown) {
  cl_int error = 1;
  cl_command_queue queue = Make({CL_QUEUE_PROPERTIES, kOutOfOrder, 0}, &error);
  mock.has_properties_array.store(false);
  std::size_t size = 99;
  EXPECT_EQ(Layer().clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, 0, nullptr, &size),
            CL_INVALID_VALUE);
}

TEST_F(QueuesTest, DriverWithoutProfilingGivesThePlainQueue) {
  mock.refuse_profiling.store(CL_INVALID_QUEUE_PROPERTIES);
  cl_int error = 1;
  cl_command_queue queue = MakeQueue();
  ASSERT_NE(queue, nullptr);
  EXPECT_EQ(queue->properties, 0U);
  EXPECT_EQ(Seen(queue), 0U);
  queue = Make({CL_QUEUE_PROPERTIES, kOutOfOrder, 0}, &error);
  ASSERT_NE(queue, nullptr);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(Seen(queue), kOutOfOrder);
  EXPECT_EQ(ProfilingOf(queue), CL_PROFILING_INFO_NOT_AVAILABLE);  // the driver's own word
  // What the program itself asks for and the driver refuses, the program is told.
  EXPECT_EQ(Layer().clCreateCommandQueue(nullptr, mock.device(), kProfiling, &error), nullptr);
  EXPECT_EQ(error, CL_INVALID_QUEUE_PROPERTIES);
  error = 1;
  EXPECT_EQ(Make({CL_QUEUE_PROPERTIES, kProfiling, 0}, &error), nullptr);
  EXPECT_EQ(error, CL_INVALID_QUEUE_PROPERTIES);
}

TEST_F(QueuesTest, DeviceSideQueuesAreLeftAlone) {
  constexpr cl_command_queue_properties kOnDevice = CL_QUEUE_ON_DEVICE | kOutOfOrder;
  cl_int error = 1;
  cl_command_queue queue = Make({CL_QUEUE_PROPERTIES, kOnDevice, 0}, &error);
  EXPECT_EQ(queue->properties, kOnDevice);
  EXPECT_EQ(Seen(queue), kOnDevice);
}

TEST_F(QueuesTest, OverlongPropertyListsPassUnread) {
  std::vector<cl_queue_properties> list;
  for (cl_queue_properties i = 0; i < 100; ++i) list.insert(list.end(), {0x5000 + i, 1});
  list.insert(list.end(), {CL_QUEUE_PROPERTIES, kOutOfOrder, 0});
  cl_int error = 1;
  cl_command_queue queue = Make(list, &error);
  ASSERT_NE(queue, nullptr);
  EXPECT_EQ(queue->properties, kOutOfOrder);
  ASSERT_NE(FindQueue(queue), nullptr);
  EXPECT_FALSE(FindQueue(queue)->ordered);
}

TEST_F(QueuesTest, ExtensionCreationIsHandledToo) {
  using Create =
      cl_command_queue(CL_API_CALL*)(cl_context, cl_device_id, const cl_queue_properties*, cl_int*);
  auto* create = reinterpret_cast<Create>(
      Layer().clGetExtensionFunctionAddress("clCreateCommandQueueWithPropertiesKHR"));
  const cl_queue_properties list[] = {CL_QUEUE_PROPERTIES, kOutOfOrder, 0};
  cl_int error = 1;
  cl_command_queue queue = create(nullptr, mock.device(), list, &error);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(queue->properties, kOutOfOrder | kProfiling);
  EXPECT_EQ(Seen(queue), kOutOfOrder);
  EXPECT_EQ(ProfilingOf(queue), CL_PROFILING_INFO_NOT_AVAILABLE);
}

// A queue made before the layer was there, or by a way that it does not know.
TEST_F(QueuesTest, UnknownQueueIsLearnedAsItIs) {
  _cl_command_queue unseen;
  unseen.properties = kProfiling | kOutOfOrder;
  EXPECT_EQ(Launch(&unseen, MakeKernel()), CL_SUCCESS);
  EXPECT_EQ(Seen(&unseen), kProfiling | kOutOfOrder);
  EXPECT_EQ(ProfilingOf(&unseen), CL_SUCCESS);
  const Queue* known = FindQueue(&unseen);
  ASSERT_NE(known, nullptr);
  EXPECT_FALSE(known->ordered);
  EXPECT_FALSE(known->forced);
}

// The driver gives a released queue's handle to a new one.
TEST_F(QueuesTest, ReusedHandleMeansTheNewQueue) {
  cl_command_queue queue = MakeQueue(kOutOfOrder);
  const Queue* before = FindQueue(queue);
  ASSERT_FALSE(before->ordered);
  // As a second creation that answers with the same handle.
  static cl_command_queue reused;
  reused = queue;
  const auto original = next.clCreateCommandQueue;
  next.clCreateCommandQueue = [](cl_context, cl_device_id, cl_command_queue_properties properties,
                                 cl_int* error) {
    reused->properties = properties;
    *error = CL_SUCCESS;
    return reused;
  };
  EXPECT_EQ(MakeQueue(kProfiling), queue);
  next.clCreateCommandQueue = original;
  const Queue* after = FindQueue(queue);
  EXPECT_TRUE(after->ordered);
  EXPECT_FALSE(after->forced);
  EXPECT_NE(after->stream, before->stream);
}

TEST_F(QueuesTest, InvalidQueueGetsTheDriversAnswer) {
  std::size_t size = 0;
  EXPECT_EQ(Layer().clGetCommandQueueInfo(nullptr, CL_QUEUE_PROPERTIES, 0, nullptr, &size),
            CL_INVALID_COMMAND_QUEUE);
  cl_uint unknown = 0;
  EXPECT_EQ(Layer().clGetCommandQueueInfo(MakeQueue(), 0x9999, sizeof unknown, &unknown, nullptr),
            CL_INVALID_VALUE);
}

// OpenCL 1.0's way of changing a queue.
TEST_F(QueuesTest, ProfilingSwitchedLaterIsSeenAsAsked) {
  cl_command_queue queue = MakeQueue();
  cl_command_queue_properties old = ~cl_command_queue_properties{0};
  EXPECT_EQ(Layer().clSetCommandQueueProperty(queue, kProfiling, CL_FALSE, &old), CL_SUCCESS);
  EXPECT_EQ(old, 0U);
  EXPECT_EQ(queue->properties, kProfiling) << "still sampled";
  EXPECT_EQ(ProfilingOf(queue), CL_PROFILING_INFO_NOT_AVAILABLE);
  EXPECT_EQ(Layer().clSetCommandQueueProperty(queue, kProfiling | kOutOfOrder, CL_TRUE, &old), CL_SUCCESS);
  EXPECT_EQ(old, 0U);
  EXPECT_EQ(Seen(queue), kProfiling | kOutOfOrder);
  EXPECT_EQ(ProfilingOf(queue), CL_SUCCESS);
  EXPECT_FALSE(FindQueue(queue)->ordered);
  EXPECT_EQ(Layer().clSetCommandQueueProperty(queue, kProfiling, CL_FALSE, &old), CL_SUCCESS);
  EXPECT_EQ(old, kProfiling | kOutOfOrder);
  EXPECT_EQ(Seen(queue), kOutOfOrder);
}

TEST_F(QueuesTest, PartsOfADeviceShareItsBoard) {
  cl_int error = 1;
  cl_command_queue whole = MakeQueue();
  cl_command_queue part = Layer().clCreateCommandQueue(nullptr, mock.sub_device(), 0, &error);
  cl_command_queue other = Layer().clCreateCommandQueue(nullptr, mock.second_device(), 0, &error);
  EXPECT_EQ(FindQueue(part)->device, FindQueue(whole)->device);
  EXPECT_NE(FindQueue(other)->device, FindQueue(whole)->device);
}

}  // namespace
}  // namespace mortar::opencl
