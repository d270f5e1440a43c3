// What the program calls reaches the driver as it is, and the driver's answers the program.
#include "backend/opencl/layer.h"

#include <CL/cl_ext.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/opencl/test_world.h"
#include "board/view.h"

namespace mortar::opencl {
namespace {

// A distinct pointer for each argument that neither layer nor mock looks through.
template <typename T>
T Token(std::uintptr_t number) {
  return reinterpret_cast<T>(0x10000 + number * 64);
}

TEST_F(LayerTest, ReplacesOnlyWhatItHandles) {
#define MORTAR_ENTRY(name) \
  { #name, offsetof(cl_icd_dispatch, name) / sizeof(void*) }
  const std::map<std::string, std::size_t> handled = {MORTAR_ENTRY(clCreateCommandQueue),
                                                      MORTAR_ENTRY(clCreateCommandQueueWithProperties),
                                                      MORTAR_ENTRY(clGetCommandQueueInfo),
                                                      MORTAR_ENTRY(clSetCommandQueueProperty),
                                                      MORTAR_ENTRY(clCreateKernel),
                                                      MORTAR_ENTRY(clCreateKernelsInProgram),
                                                      MORTAR_ENTRY(clCloneKernel),
                                                      MORTAR_ENTRY(clSetKernelArg),
                                                      MORTAR_ENTRY(clEnqueueNDRangeKernel),
                                                      MORTAR_ENTRY(clEnqueueTask),
                                                      MORTAR_ENTRY(clEnqueueReadBuffer),
                                                      MORTAR_ENTRY(clEnqueueWriteBuffer),
                                                      MORTAR_ENTRY(clEnqueueReadBufferRect),
                                                      MORTAR_ENTRY(clEnqueueWriteBufferRect),
                                                      MORTAR_ENTRY(clEnqueueCopyBuffer),
                                                      MORTAR_ENTRY(clEnqueueCopyBufferRect),
                                                      MORTAR_ENTRY(clEnqueueFillBuffer),
                                                      MORTAR_ENTRY(clEnqueueMapBuffer),
                                                      MORTAR_ENTRY(clEnqueueUnmapMemObject),
                                                      MORTAR_ENTRY(clEnqueueReadImage),
                                                      MORTAR_ENTRY(clEnqueueWriteImage),
                                                      MORTAR_ENTRY(clEnqueueCopyImage),
                                                      MORTAR_ENTRY(clEnqueueCopyImageToBuffer),
                                                      MORTAR_ENTRY(clEnqueueCopyBufferToImage),
                                                      MORTAR_ENTRY(clEnqueueFillImage),
                                                      MORTAR_ENTRY(clEnqueueMapImage),
                                                      MORTAR_ENTRY(clEnqueueSVMMemcpy),
                                                      MORTAR_ENTRY(clEnqueueSVMMemFill),
                                                      MORTAR_ENTRY(clEnqueueSVMMap),
                                                      MORTAR_ENTRY(clEnqueueSVMUnmap),
                                                      MORTAR_ENTRY(clEnqueueSVMMigrateMem),
                                                      MORTAR_ENTRY(clEnqueueSVMFree),
                                                      MORTAR_ENTRY(clEnqueueMigrateMemObjects),
                                                      MORTAR_ENTRY(clEnqueueNativeKernel),
                                                      MORTAR_ENTRY(clEnqueueAcquireGLObjects),
                                                      MORTAR_ENTRY(clEnqueueReleaseGLObjects),
                                                      MORTAR_ENTRY(clEnqueueAcquireEGLObjectsKHR),
                                                      MORTAR_ENTRY(clEnqueueReleaseEGLObjectsKHR),
                                                      MORTAR_ENTRY(clEnqueueMarker),
                                                      MORTAR_ENTRY(clEnqueueMarkerWithWaitList),
                                                      MORTAR_ENTRY(clEnqueueBarrierWithWaitList),
                                                      MORTAR_ENTRY(clFinish),
                                                      MORTAR_ENTRY(clWaitForEvents),
                                                      MORTAR_ENTRY(clGetEventInfo),
                                                      MORTAR_ENTRY(clGetEventProfilingInfo),
                                                      MORTAR_ENTRY(clSetEventCallback),
                                                      MORTAR_ENTRY(clSetMemObjectDestructorCallback),
                                                      MORTAR_ENTRY(clCreateProgramWithSource),
                                                      MORTAR_ENTRY(clCreateProgramWithIL),
                                                      MORTAR_ENTRY(clCreateProgramWithBinary),
                                                      MORTAR_ENTRY(clCreateProgramWithBuiltInKernels),
                                                      MORTAR_ENTRY(clLinkProgram),
                                                      MORTAR_ENTRY(clBuildProgram),
                                                      MORTAR_ENTRY(clCompileProgram),
                                                      MORTAR_ENTRY(clReleaseEvent),
                                                      MORTAR_ENTRY(clCreateBuffer),
                                                      MORTAR_ENTRY(clCreateBufferWithProperties),
                                                      MORTAR_ENTRY(clCreateImage),
                                                      MORTAR_ENTRY(clCreateImageWithProperties),
                                                      MORTAR_ENTRY(clCreateImage2D),
                                                      MORTAR_ENTRY(clCreateImage3D),
                                                      MORTAR_ENTRY(clCreatePipe),
                                                      MORTAR_ENTRY(clSVMAlloc),
                                                      MORTAR_ENTRY(clSVMFree),
                                                      MORTAR_ENTRY(clGetDeviceInfo),
                                                      MORTAR_ENTRY(clGetExtensionFunctionAddress),
                                                      MORTAR_ENTRY(clGetExtensionFunctionAddressForPlatform)};
#undef MORTAR_ENTRY
  std::set<std::size_t> expected;
  for (const auto& [name, place] : handled) expected.insert(place);
  for (std::size_t i = 0; i < kTableSize; ++i) {
    EXPECT_EQ(TableWords(Layer())[i] != TableWords(mock.dispatch())[i], expected.contains(i))
        << "entry " << i;
  }
  EXPECT_EQ(Layer().clCreateSubBuffer, mock.dispatch().clCreateSubBuffer);
  EXPECT_EQ(Layer().clFlush, mock.dispatch().clFlush);
  EXPECT_EQ(Layer().clRetainEvent, mock.dispatch().clRetainEvent);
  EXPECT_NE(Layer().clEnqueueNDRangeKernel, mock.dispatch().clEnqueueNDRangeKernel);
}

class PassingTest : public LayerTest {
 protected:
  // Calls `member` of the layer with `arguments` for every answer of the driver: what arrives is what was
  // given, and what returns is what the driver said.
  template <typename Function, typename... Arguments>
  void ExpectPassed(const char* name, Function cl_icd_dispatch::*member, Arguments... arguments) {
    for (const cl_int answer : {CL_SUCCESS, CL_INVALID_VALUE, CL_OUT_OF_RESOURCES, CL_INVALID_EVENT, -1234}) {
      mock.Clear();
      mock.answer.store(answer);
      EXPECT_EQ((Layer().*member)(arguments...), answer) << name;
      ASSERT_EQ(mock.recorded(), 1U) << name;
      EXPECT_STREQ(mock.last().name, name);
      ASSERT_EQ(mock.last().count, static_cast<int>(sizeof...(Arguments))) << name;
      const std::vector<std::uint64_t> given = {Word(arguments)...};
      const std::vector<std::uint64_t> arrived(mock.last().words.begin(),
                                               mock.last().words.begin() + mock.last().count);
      EXPECT_EQ(arrived, given) << name;
    }
    mock.Clear();
  }

  cl_command_queue queue = MakeQueue(CL_QUEUE_PROFILING_ENABLE);
  cl_kernel kernel = MakeKernel();
  cl_mem a = Token<cl_mem>(1);
  cl_mem b = Token<cl_mem>(2);
  cl_event user = mock.MakeUserEvent();
  cl_event list[2] = {user, user};
  cl_event event = nullptr;
  char bytes[64] = {};
  std::size_t offset[3] = {1, 2, 3};
  std::size_t global[3] = {64, 2, 2};
  std::size_t local[3] = {8, 1, 1};
};

TEST_F(PassingTest, KernelLaunches) {
  using D = cl_icd_dispatch;
  const cl_event* waits = list;
  const std::size_t* none = nullptr;
  for (cl_uint dimensions = 1; dimensions <= 3; ++dimensions) {
    ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, queue, kernel, dimensions, +offset,
                 +global, +local, cl_uint{2}, waits, &event);
  }
  ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, queue, kernel, cl_uint{1}, none, +global,
               none, cl_uint{0}, static_cast<const cl_event*>(nullptr), &event);
  ExpectPassed("clEnqueueTask", &D::clEnqueueTask, queue, kernel, cl_uint{1}, waits, &event);
}

TEST_F(PassingTest, Transfers) {
  using D = cl_icd_dispatch;
  const cl_event* waits = list;
  const std::size_t size = 48;
  const std::size_t at = 16;
  for (const cl_bool blocking : {cl_bool{CL_FALSE}, cl_bool{CL_TRUE}}) {
    ExpectPassed("clEnqueueReadBuffer", &D::clEnqueueReadBuffer, queue, a, blocking, at, size,
                 static_cast<void*>(bytes), cl_uint{2}, waits, &event);
    ExpectPassed("clEnqueueWriteBuffer", &D::clEnqueueWriteBuffer, queue, a, blocking, at, size,
                 static_cast<const void*>(bytes), cl_uint{1}, waits, &event);
    ExpectPassed("clEnqueueReadBufferRect", &D::clEnqueueReadBufferRect, queue, a, blocking, +offset, +local,
                 +global, at, size, size, at, static_cast<void*>(bytes), cl_uint{2}, waits, &event);
    ExpectPassed("clEnqueueWriteBufferRect", &D::clEnqueueWriteBufferRect, queue, a, blocking, +offset,
                 +local, +global, at, size, size, at, static_cast<const void*>(bytes), cl_uint{2}, waits,
                 &event);
  }
  ExpectPassed("clEnqueueCopyBuffer", &D::clEnqueueCopyBuffer, queue, a, b, at, at, size, cl_uint{2}, waits,
               &event);
  ExpectPassed("clEnqueueCopyBufferRect", &D::clEnqueueCopyBufferRect, queue, a, b, +offset, +local, +global,
               at, size, size, at, cl_uint{2}, waits, &event);
  ExpectPassed("clEnqueueFillBuffer", &D::clEnqueueFillBuffer, queue, a, static_cast<const void*>(bytes), at,
               at, size, cl_uint{2}, waits, &event);
  ExpectPassed("clEnqueueUnmapMemObject", &D::clEnqueueUnmapMemObject, queue, a, static_cast<void*>(bytes),
               cl_uint{2}, waits, &event);
}

TEST_F(PassingTest, WaitsAndArguments) {
  using D = cl_icd_dispatch;
  user->status.store(CL_COMPLETE);
  ExpectPassed("clFinish", &D::clFinish, queue);
  ASSERT_EQ(Launch(queue, kernel, &event), CL_SUCCESS);
  const cl_event events[2] = {event, user};
  ExpectPassed("clWaitForEvents", &D::clWaitForEvents, cl_uint{2}, +events);
  ExpectPassed("clWaitForEvents", &D::clWaitForEvents, cl_uint{0}, static_cast<const cl_event*>(nullptr));
  const cl_int number = 7;
  ExpectPassed("clSetKernelArg", &D::clSetKernelArg, kernel, cl_uint{0}, sizeof number,
               static_cast<const void*>(&number));
  ExpectPassed("clSetKernelArg", &D::clSetKernelArg, kernel, cl_uint{77}, sizeof number,
               static_cast<const void*>(&number));
}

TEST_F(PassingTest, MapAnswersPointerAndError) {
  cl_int error = 1;
  void* mapped = Layer().clEnqueueMapBuffer(queue, a, CL_TRUE, CL_MAP_READ, 4, 8, 2, list, &event, &error);
  EXPECT_EQ(mapped, &mock);
  EXPECT_EQ(error, CL_SUCCESS);
  const std::uint64_t given[] = {Word(queue), Word(a), CL_TRUE,     CL_MAP_READ, 4,
                                 8,           2,       Word(+list), Word(&event)};
  for (std::size_t i = 0; i < std::size(given); ++i) EXPECT_EQ(mock.last().words[i], given[i]) << i;
  mock.answer.store(CL_MAP_FAILURE);
  EXPECT_EQ(Layer().clEnqueueMapBuffer(queue, a, CL_FALSE, CL_MAP_READ, 4, 8, 0, nullptr, nullptr, &error),
            nullptr);
  EXPECT_EQ(error, CL_MAP_FAILURE);
  EXPECT_EQ(Layer().clEnqueueMapBuffer(queue, a, CL_FALSE, CL_MAP_READ, 4, 8, 0, nullptr, nullptr, nullptr),
            nullptr);
}

// A call that the driver refuses must not be held, learned or counted.
TEST_F(PassingTest, CallsThatCannotSucceedGoStraightToTheDriver) {
  using D = cl_icd_dispatch;
  ASSERT_EQ(Launch(queue, kernel), CL_SUCCESS);  // joins
  auto board = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
  ASSERT_TRUE(board.ok());
  const auto gated = [&] {
    Layer().clFinish(queue);  // sums reach the board at waits
    std::uint64_t sum = 0;
    for (const auto& view : board::ReadClients(*board)) sum += view.name == "program" ? view.gated : 0;
    return sum;
  };
  const std::uint64_t gated_before = gated();
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  const cl_event* no_waits = nullptr;
  const std::size_t* no_sizes = nullptr;
  const auto no_queue = static_cast<cl_command_queue>(nullptr);
  const auto no_kernel = static_cast<cl_kernel>(nullptr);
  // Each would be held for ever, were it gated.
  ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, no_queue, kernel, cl_uint{1}, no_sizes,
               +global, no_sizes, cl_uint{0}, no_waits, &event);
  ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, queue, no_kernel, cl_uint{1}, no_sizes,
               +global, no_sizes, cl_uint{0}, no_waits, &event);
  ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, queue, kernel, cl_uint{1}, no_sizes,
               no_sizes, no_sizes, cl_uint{0}, no_waits, &event);
  for (const cl_uint dimensions : {0U, 4U, 1000U}) {
    ExpectPassed("clEnqueueNDRangeKernel", &D::clEnqueueNDRangeKernel, queue, kernel, dimensions, no_sizes,
                 +global, no_sizes, cl_uint{0}, no_waits, &event);
  }
  ExpectPassed("clEnqueueTask", &D::clEnqueueTask, no_queue, kernel, cl_uint{0}, no_waits, &event);
  ExpectPassed("clEnqueueTask", &D::clEnqueueTask, queue, no_kernel, cl_uint{0}, no_waits, &event);
  ExpectPassed("clEnqueueReadBuffer", &D::clEnqueueReadBuffer, no_queue, a, cl_bool{CL_TRUE}, std::size_t{0},
               std::size_t{1}, static_cast<void*>(bytes), cl_uint{0}, no_waits, &event);
  ExpectPassed("clEnqueueWriteBufferRect", &D::clEnqueueWriteBufferRect, no_queue, a, cl_bool{CL_TRUE},
               +offset, +local, no_sizes, std::size_t{0}, std::size_t{0}, std::size_t{0}, std::size_t{0},
               static_cast<const void*>(bytes), cl_uint{0}, no_waits, &event);
  ExpectPassed("clFinish", &D::clFinish, no_queue);
  const cl_event with_null[2] = {user, nullptr};
  user->status.store(CL_COMPLETE);
  ExpectPassed("clWaitForEvents", &D::clWaitForEvents, cl_uint{2}, +with_null);
  holder.Stop();
  EXPECT_EQ(gated(), gated_before);
}

TEST_F(PassingTest, ExtensionLookUps) {
  EXPECT_EQ(Layer().clGetExtensionFunctionAddress("clUnknown"), nullptr);
  EXPECT_EQ(Layer().clGetExtensionFunctionAddress("clKnownToTheDriver"),
            mock.dispatch().clGetExtensionFunctionAddress("clKnownToTheDriver"));
  EXPECT_EQ(Layer().clGetExtensionFunctionAddressForPlatform(nullptr, "clKnownToTheDriver"),
            mock.dispatch().clGetExtensionFunctionAddress("clKnownToTheDriver"));
  void* create =
      Layer().clGetExtensionFunctionAddressForPlatform(nullptr, "clCreateCommandQueueWithPropertiesKHR");
  EXPECT_NE(create, nullptr);
  EXPECT_NE(create, mock.dispatch().clGetExtensionFunctionAddress("clCreateCommandQueueWithPropertiesKHR"));
}

// Each in a process of its own (a threadsafe death test starts the binary anew): Install and the environment
// are read once per process.
class FreshProcessTest : public testing::Test {
 protected:
  static constexpr const char* kVariables[] = {"MORTAR_DIR", "MORTAR_STRICT", "MORTAR_PRIORITY",
                                               "MORTAR_DISABLE", "MORTAR_SLICE"};
  FreshProcessTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    for (const char* variable : kVariables) {
      const char* value = getenv(variable);
      before_.push_back(value != nullptr ? value : "");
    }
  }
  ~FreshProcessTest() override {
    for (std::size_t i = 0; i < before_.size(); ++i) {
      unsetenv(kVariables[i]);
      if (!before_[i].empty()) setenv(kVariables[i], before_[i].c_str(), 1);
    }
  }
  static const cl_icd_dispatch& Driver() { return MockDriver::Get().dispatch(); }
  static const cl_icd_dispatch& Fresh(const cl_icd_dispatch& target = Driver(),
                                      cl_uint entries = kTableSize) {
    setenv("MORTAR_PROFILES", "", 1);
    return *Install(target, entries);
  }
  static bool SameTable(const cl_icd_dispatch& x, const cl_icd_dispatch& y) {
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  static int MakesQueue() {
    cl_int error = 1;
    const bool made = Fresh().clCreateCommandQueue(nullptr, MockDriver::Get().device(), 0, &error) != nullptr;
    return made ? (error == CL_SUCCESS ? 10 : 11) : (error == CL_OUT_OF_RESOURCES ? 20 : 21);
  }

 private:
  std::vector<std::string> before_;
};
using testing::ExitedWithCode;

// What only slicing needs is not there where nobody asked for it.
TEST_F(FreshProcessTest, WithoutSlicingProgramsAndEventsAreNotLookedAt) {
  unsetenv("MORTAR_SLICE");
  const auto run = [] {
    const cl_icd_dispatch& table = Fresh();
    if (table.clReleaseEvent != Driver().clReleaseEvent) return 1;
    if (table.clBuildProgram != Driver().clBuildProgram) return 2;
    return table.clCreateProgramWithSource == Driver().clCreateProgramWithSource ? 0 : 3;
  };
  EXPECT_EXIT(_exit(run()), ExitedWithCode(0), "");
}

TEST_F(FreshProcessTest, BadSliceLeavesTheTableAlone) {
  setenv("MORTAR_SLICE", "9999", 1);
  EXPECT_EXIT(_exit(SameTable(Fresh(), Driver()) ? 0 : 1), ExitedWithCode(0), "MORTAR_SLICE=9999");
}

// A loader of an older OpenCL has a shorter table: what it does not know must not be called into.
TEST_F(FreshProcessTest, ShorterTableStaysShort) {
  const auto run = [] {
    const auto* first = reinterpret_cast<const char*>(&Driver());
    const auto* cut = reinterpret_cast<const char*>(&Driver().clCloneKernel);
    const auto entries = static_cast<cl_uint>((cut - first) / static_cast<std::ptrdiff_t>(sizeof(void*)));
    const cl_icd_dispatch& table = Fresh(Driver(), entries);
    if (table.clCloneKernel != nullptr) return 1;
    if (table.clEnqueueNDRangeKernel == Driver().clEnqueueNDRangeKernel) return 2;
    return table.clEnqueueNDRangeKernel == nullptr ? 3 : 0;
  };
  EXPECT_EXIT(_exit(run()), ExitedWithCode(0), "");
}

// An entry that the driver's table leaves empty stays empty: a program that asks first must see that.
TEST_F(FreshProcessTest, EmptyEntriesStayEmpty) {
  const auto run = [] {
    cl_icd_dispatch sparse = Driver();
    sparse.clEnqueueFillBuffer = nullptr;
    const cl_icd_dispatch& table = Fresh(sparse);
    if (table.clEnqueueFillBuffer != nullptr) return 1;
    return table.clEnqueueCopyBuffer == sparse.clEnqueueCopyBuffer ? 2 : 0;
  };
  EXPECT_EXIT(_exit(run()), ExitedWithCode(0), "");
}

TEST_F(FreshProcessTest, StrictWithBadEnvironmentShowsNoPlatform) {
  setenv("MORTAR_PRIORITY", "10", 1);
  setenv("MORTAR_STRICT", "1", 1);
  const auto run = [] {
    cl_uint count = 99;
    if (Fresh().clGetPlatformIDs(0, nullptr, &count) == CL_SUCCESS) return 1;
    return count == 0 ? 0 : 2;
  };
  EXPECT_EXIT(_exit(run()), ExitedWithCode(0), "MORTAR_PRIORITY=10: not a whole number from 0 to 9");
}

TEST_F(FreshProcessTest, BadEnvironmentLeavesTheTableAlone) {
  setenv("MORTAR_PRIORITY", "10", 1);
  EXPECT_EXIT(_exit(SameTable(Fresh(), Driver()) ? 0 : 1), ExitedWithCode(0), "runs unscheduled");
}

TEST_F(FreshProcessTest, StrictWithoutBoardGivesNoQueue) {
  setenv("MORTAR_DIR", "/nonexistent/mortar", 1);
  setenv("MORTAR_STRICT", "1", 1);
  EXPECT_EXIT(_exit(MakesQueue()), ExitedWithCode(20), "/nonexistent/mortar");
}

TEST_F(FreshProcessTest, WithoutBoardTheProgramRunsUngated) {
  setenv("MORTAR_DIR", "/nonexistent/mortar", 1);
  const auto run = [] {
    if (MakesQueue() != 10) return 1;
    cl_command_queue queue = Fresh().clCreateCommandQueue(nullptr, MockDriver::Get().device(), 0, nullptr);
    const std::size_t global = 1;
    for (int i = 0; i < 100; ++i) {
      if (Fresh().clEnqueueNDRangeKernel(queue, Fresh().clCreateKernel(nullptr, "k", nullptr), 1, nullptr,
                                         &global, nullptr, 0, nullptr, nullptr) != CL_SUCCESS)
        return 2;
    }
    return MockDriver::Get().enqueues.load() == 100 ? 0 : 3;
  };
  // One line, not a hundred.
  EXPECT_EXIT(_exit(run()), ExitedWithCode(0), "^[^\n]*mortar: [^\n]*/nonexistent/mortar[^\n]*\n$");
}

TEST_F(FreshProcessTest, DisabledLeavesTheTableAlone) {
  setenv("MORTAR_DISABLE", "1", 1);
  EXPECT_EXIT(_exit(SameTable(Fresh(), Driver()) ? 0 : 1), ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace mortar::opencl
