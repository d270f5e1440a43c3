// Every entry point that submits reaches the gate, those that only put others in order do not, and all pass
// what they were given and what the driver said: one table of cases, of the dispatch table and of extensions
// alike.
#include "backend/opencl/commands.h"

#include <CL/cl_egl.h>
#include <CL/cl_ext.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "backend/opencl/test_world.h"
#include "board/view.h"

namespace mortar::opencl {
namespace {

enum class Sort { kSubmit, kBlockingSubmit, kOrder };

struct Case {
  const char* name;
  Sort sort;
  std::vector<std::uint64_t> words;  // as given, but for the event's address, which comes last
  std::function<cl_int(cl_event*)> call;
};

template <typename T>
T Token(std::uintptr_t number) {
  return reinterpret_cast<T>(0x10000 + number * 64);
}

class CommandsTest : public LayerTest {
 protected:
  using D = cl_icd_dispatch;

  template <typename Member, typename... Arguments>
  static Case Of(const char* name, Sort sort, Member member, Arguments... arguments) {
    return {name, sort, {Word(arguments)...}, [=](cl_event* event) {
              return (Layer().*member)(arguments..., event);
            }};
  }
  // Found as programs find them.
  template <typename Function, typename... Arguments>
  static Case OfExtension(const char* name, Sort sort, Arguments... arguments) {
    auto function =
        reinterpret_cast<Function>(Layer().clGetExtensionFunctionAddressForPlatform(nullptr, name));
    EXPECT_NE(function, nullptr) << name;
    EXPECT_NE(reinterpret_cast<void*>(function),
              MockDriver::Get().dispatch().clGetExtensionFunctionAddress(name))
        << name << " is not handled";
    return {name, sort, {Word(arguments)...}, [=](cl_event* event) { return function(arguments..., event); }};
  }

  std::vector<Case> Images() {
    const auto at = +offset;
    const auto size = +region;
    return {
        Of("clEnqueueReadImage", Sort::kSubmit, &D::clEnqueueReadImage, queue, a, no, at, size, n, n, to, two,
           waits),
        Of("clEnqueueReadImage", Sort::kBlockingSubmit, &D::clEnqueueReadImage, queue, a, yes, at, size, n, n,
           to, two, waits),
        Of("clEnqueueWriteImage", Sort::kSubmit, &D::clEnqueueWriteImage, queue, a, no, at, size, n, n, from,
           two, waits),
        Of("clEnqueueWriteImage", Sort::kBlockingSubmit, &D::clEnqueueWriteImage, queue, a, yes, at, size, n,
           n, from, two, waits),
        Of("clEnqueueCopyImage", Sort::kSubmit, &D::clEnqueueCopyImage, queue, a, b, at, at, size, two,
           waits),
        Of("clEnqueueCopyImageToBuffer", Sort::kSubmit, &D::clEnqueueCopyImageToBuffer, queue, a, b, at, size,
           n, two, waits),
        Of("clEnqueueCopyBufferToImage", Sort::kSubmit, &D::clEnqueueCopyBufferToImage, queue, a, b, n, at,
           size, two, waits),
        Of("clEnqueueFillImage", Sort::kSubmit, &D::clEnqueueFillImage, queue, a, from, at, size, two, waits),
    };
  }

  std::vector<Case> Buffers() {
    const auto at = +offset;
    const auto size = +region;
    return {
        Of("clEnqueueReadBuffer", Sort::kSubmit, &D::clEnqueueReadBuffer, queue, a, no, n, n, to, two, waits),
        Of("clEnqueueWriteBuffer", Sort::kBlockingSubmit, &D::clEnqueueWriteBuffer, queue, a, yes, n, n, from,
           two, waits),
        Of("clEnqueueReadBufferRect", Sort::kSubmit, &D::clEnqueueReadBufferRect, queue, a, no, at, at, size,
           n, n, n, n, to, two, waits),
        Of("clEnqueueWriteBufferRect", Sort::kBlockingSubmit, &D::clEnqueueWriteBufferRect, queue, a, yes, at,
           at, size, n, n, n, n, from, two, waits),
        Of("clEnqueueCopyBuffer", Sort::kSubmit, &D::clEnqueueCopyBuffer, queue, a, b, n, n, n, two, waits),
        Of("clEnqueueCopyBufferRect", Sort::kSubmit, &D::clEnqueueCopyBufferRect, queue, a, b, at, at, size,
           n, n, n, n, two, waits),
        Of("clEnqueueFillBuffer", Sort::kSubmit, &D::clEnqueueFillBuffer, queue, a, from, n, n, n, two,
           waits),
        Of("clEnqueueUnmapMemObject", Sort::kSubmit, &D::clEnqueueUnmapMemObject, queue, a, to, two, waits),
        Of("clEnqueueMigrateMemObjects", Sort::kSubmit, &D::clEnqueueMigrateMemObjects, queue, cl_uint{2},
           objects, cl_mem_migration_flags{1}, two, waits),
        Of("clEnqueueAcquireGLObjects", Sort::kSubmit, &D::clEnqueueAcquireGLObjects, queue, cl_uint{2},
           objects, two, waits),
        Of("clEnqueueReleaseGLObjects", Sort::kSubmit, &D::clEnqueueReleaseGLObjects, queue, cl_uint{2},
           objects, two, waits),
        Of("clEnqueueAcquireEGLObjectsKHR", Sort::kSubmit, &D::clEnqueueAcquireEGLObjectsKHR, queue,
           cl_uint{2}, objects, two, waits),
        Of("clEnqueueReleaseEGLObjectsKHR", Sort::kSubmit, &D::clEnqueueReleaseEGLObjectsKHR, queue,
           cl_uint{2}, objects, two, waits),
    };
  }

  std::vector<Case> SharedMemoryAndOrders() {
    return {
        Of("clEnqueueSVMMemcpy", Sort::kSubmit, &D::clEnqueueSVMMemcpy, queue, no, to, from, n, two, waits),
        Of("clEnqueueSVMMemcpy", Sort::kBlockingSubmit, &D::clEnqueueSVMMemcpy, queue, yes, to, from, n, two,
           waits),
        Of("clEnqueueSVMMemFill", Sort::kSubmit, &D::clEnqueueSVMMemFill, queue, to, from, n, n, two, waits),
        Of("clEnqueueSVMMap", Sort::kSubmit, &D::clEnqueueSVMMap, queue, no, cl_map_flags{CL_MAP_READ}, to, n,
           two, waits),
        Of("clEnqueueSVMMap", Sort::kBlockingSubmit, &D::clEnqueueSVMMap, queue, yes,
           cl_map_flags{CL_MAP_WRITE}, to, n, two, waits),
        Of("clEnqueueSVMUnmap", Sort::kSubmit, &D::clEnqueueSVMUnmap, queue, to, two, waits),
        Of("clEnqueueSVMMigrateMem", Sort::kSubmit, &D::clEnqueueSVMMigrateMem, queue, cl_uint{1}, pointers,
           sizes, cl_mem_migration_flags{1}, two, waits),
        Of("clEnqueueNativeKernel", Sort::kSubmit, &D::clEnqueueNativeKernel, queue, no_function,
           static_cast<void*>(nullptr), std::size_t{0}, cl_uint{0}, static_cast<const cl_mem*>(nullptr),
           static_cast<const void**>(nullptr), two, waits),
        Of("clEnqueueMarker", Sort::kOrder, &D::clEnqueueMarker, queue),
        Of("clEnqueueMarkerWithWaitList", Sort::kOrder, &D::clEnqueueMarkerWithWaitList, queue, two, waits),
        Of("clEnqueueBarrierWithWaitList", Sort::kOrder, &D::clEnqueueBarrierWithWaitList, queue, two, waits),
    };
  }

  std::vector<Case> Extensions() {
    std::vector<Case> all = {
        OfExtension<clEnqueueMemcpyINTEL_fn>("clEnqueueMemcpyINTEL", Sort::kSubmit, queue, no, to, from, n,
                                             two, waits),
        OfExtension<clEnqueueMemcpyINTEL_fn>("clEnqueueMemcpyINTEL", Sort::kBlockingSubmit, queue, yes, to,
                                             from, n, two, waits),
        OfExtension<clEnqueueMemFillINTEL_fn>("clEnqueueMemFillINTEL", Sort::kSubmit, queue, to, from, n, n,
                                              two, waits),
        OfExtension<clEnqueueMemsetINTEL_fn>("clEnqueueMemsetINTEL", Sort::kSubmit, queue, to, cl_int{7}, n,
                                             two, waits),
        OfExtension<clEnqueueMigrateMemINTEL_fn>("clEnqueueMigrateMemINTEL", Sort::kSubmit, queue, from, n,
                                                 cl_mem_migration_flags{1}, two, waits),
        OfExtension<clEnqueueMemAdviseINTEL_fn>("clEnqueueMemAdviseINTEL", Sort::kOrder, queue, from, n,
                                                cl_mem_advice_intel{3}, two, waits),
        OfExtension<decltype(&clEnqueueSVMMemcpyARM)>("clEnqueueSVMMemcpyARM", Sort::kBlockingSubmit, queue,
                                                      yes, to, from, n, two, waits),
        OfExtension<decltype(&clEnqueueSVMMemFillARM)>("clEnqueueSVMMemFillARM", Sort::kSubmit, queue, to,
                                                       from, n, n, two, waits),
        OfExtension<decltype(&clEnqueueSVMMapARM)>("clEnqueueSVMMapARM", Sort::kSubmit, queue, no,
                                                   cl_map_flags{1}, to, n, two, waits),
        OfExtension<decltype(&clEnqueueSVMUnmapARM)>("clEnqueueSVMUnmapARM", Sort::kSubmit, queue, to, two,
                                                     waits),
        OfExtension<clEnqueueMigrateMemObjectEXT_fn>("clEnqueueMigrateMemObjectEXT", Sort::kSubmit, queue,
                                                     cl_uint{2}, objects, cl_mem_migration_flags_ext{1}, two,
                                                     waits),
        OfExtension<clEnqueueWaitSemaphoresKHR_fn>("clEnqueueWaitSemaphoresKHR", Sort::kOrder, queue,
                                                   cl_uint{0}, static_cast<const cl_semaphore_khr*>(nullptr),
                                                   static_cast<const cl_semaphore_payload_khr*>(nullptr), two,
                                                   waits),
        OfExtension<clEnqueueSignalSemaphoresKHR_fn>(
            "clEnqueueSignalSemaphoresKHR", Sort::kOrder, queue, cl_uint{0},
            static_cast<const cl_semaphore_khr*>(nullptr),
            static_cast<const cl_semaphore_payload_khr*>(nullptr), two, waits),
    };
    for (const char* name :
         {"clEnqueueAcquireExternalMemObjectsKHR", "clEnqueueReleaseExternalMemObjectsKHR",
          "clEnqueueAcquireVA_APIMediaSurfacesINTEL", "clEnqueueReleaseVA_APIMediaSurfacesINTEL",
          "clEnqueueAcquireEGLObjectsKHR", "clEnqueueReleaseEGLObjectsKHR"}) {
      all.push_back(OfExtension<clEnqueueAcquireExternalMemObjectsKHR_fn>(name, Sort::kSubmit, queue,
                                                                          cl_uint{2}, objects, two, waits));
    }
    return all;
  }

  std::vector<Case> All() {
    std::vector<Case> all;
    for (auto&& cases : {Images(), Buffers(), SharedMemoryAndOrders(), Extensions()}) {
      all.insert(all.end(), cases.begin(), cases.end());
    }
    return all;
  }

  board::ClientView Own(board::Board& board) {
    Layer().clFinish(queue);  // sums reach the board at waits
    for (const auto& view : board::ReadClients(board)) {
      if (view.name == "program") return view;
    }
    ADD_FAILURE() << "not joined";
    return {};
  }

  cl_command_queue queue = MakeQueue(CL_QUEUE_PROFILING_ENABLE);
  cl_event done = [this] {
    cl_event event = mock.MakeUserEvent();
    event->status.store(CL_COMPLETE);
    return event;
  }();
  cl_event list[2] = {done, done};
  const cl_event* waits = list;
  cl_uint two = 2;
  cl_mem a = Token<cl_mem>(1);
  cl_mem b = Token<cl_mem>(2);
  cl_mem both[2] = {a, b};
  const cl_mem* objects = both;
  cl_bool no = CL_FALSE;
  cl_bool yes = CL_TRUE;
  std::size_t n = 48;
  std::size_t offset[3] = {1, 2, 3};
  std::size_t region[3] = {64, 2, 2};
  char bytes[64] = {};
  void* to = bytes;
  const void* from = bytes;
  const void* pointer_list[1] = {bytes};
  const void** pointers = pointer_list;
  const std::size_t* sizes = &n;
  void(CL_CALLBACK* no_function)(void*) = nullptr;
};

TEST_F(CommandsTest, PassArgumentsAndAnswers) {
  for (const Case& each : All()) {
    for (const cl_int answer : {CL_SUCCESS, CL_INVALID_VALUE, CL_OUT_OF_RESOURCES, CL_INVALID_EVENT, -1234}) {
      mock.Clear();
      mock.answer.store(answer);
      cl_event event = nullptr;
      EXPECT_EQ(each.call(&event), answer) << each.name;
      ASSERT_EQ(mock.recorded(), 1U) << each.name;
      EXPECT_STREQ(mock.last().name, each.name);
      auto given = each.words;
      given.push_back(Word(&event));
      const std::vector<std::uint64_t> arrived(mock.last().words.begin(),
                                               mock.last().words.begin() + mock.last().count);
      EXPECT_EQ(arrived, given) << each.name;
      EXPECT_EQ(event != nullptr, answer == CL_SUCCESS) << each.name;
      if (event != nullptr) Layer().clReleaseEvent(event);
    }
  }
}

TEST_F(CommandsTest, SubmitsReachTheGateAndOrdersDoNot) {
  const std::vector<Case> all = All();  // joins none
  ASSERT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS);
  client::FakePeer holder(Directory(), kMockDevice, "holder", 0);
  ASSERT_TRUE(holder.joined());
  for (const Case& each : all) {
    if (std::string_view(each.name) == "clEnqueueNativeKernel") continue;  // without a function: refused
    const std::int64_t now = holder.board().NowNs();
    // A gap as long as one can be: what is held at the gate at all is admitted as a fill.
    holder.writer().Publish(board::kLaneRunning, now,
                            {.busy_until_ns = now, .next_submit_ns = now + 5'000'000'000});
    const auto before = Own(holder.board());
    cl_event event = nullptr;
    ASSERT_EQ(each.call(&event), CL_SUCCESS);
    const auto after = Own(holder.board());
    const bool submits = each.sort != Sort::kOrder;
    EXPECT_EQ(after.submits - before.submits, submits ? 1U : 0U) << each.name;
    EXPECT_EQ(after.fills - before.fills, submits ? 1U : 0U) << each.name;
    // Own() waits too.
    EXPECT_EQ(after.waits - before.waits, each.sort == Sort::kBlockingSubmit ? 2U : 1U) << each.name;
    Layer().clReleaseEvent(event);
  }
}

// A marker's event stands for everything before it: else a program that waits for markers would be one whose
// waits cannot be told.
TEST_F(CommandsTest, OrdersCoverWhatStandsBeforeThem) {
  for (const Case& each : All()) {
    if (each.sort != Sort::kOrder) continue;
    ASSERT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS);
    cl_event kernel = nullptr;
    ASSERT_EQ(Launch(queue, MakeKernel(), &kernel), CL_SUCCESS);
    const client::Lane* lane = client::LaneIfJoined(FindQueue(queue)->device);
    const std::uint64_t last = SequenceOf(kernel, lane);
    EXPECT_GT(last, 0U);
    cl_event order = nullptr;
    ASSERT_EQ(each.call(&order), CL_SUCCESS);
    EXPECT_EQ(SequenceOf(order, lane), last) << each.name;
  }
}

TEST_F(CommandsTest, OrdersOnOutOfOrderQueuesCoverTheirList) {
  cl_command_queue any = MakeQueue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
  cl_event first = nullptr;
  cl_event second = nullptr;
  Launch(any, MakeKernel(), &first);
  Launch(any, MakeKernel(), &second);
  const client::Lane* lane = client::LaneIfJoined(FindQueue(any)->device);
  cl_event marker = nullptr;
  ASSERT_EQ(Layer().clEnqueueMarkerWithWaitList(any, 1, &first, &marker), CL_SUCCESS);
  EXPECT_EQ(SequenceOf(marker, lane), SequenceOf(first, lane));
  ASSERT_EQ(Layer().clEnqueueMarkerWithWaitList(any, 0, nullptr, &marker), CL_SUCCESS);
  EXPECT_EQ(SequenceOf(marker, lane), SequenceOf(second, lane));
}

TEST_F(CommandsTest, EachKindHasADurationOfItsOwn) {
  region[0] = 61;  // as no other test has
  mock.duration_ns.store(200'000);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Layer().clEnqueueCopyImage(queue, a, b, offset, offset, region, 0, nullptr, nullptr),
              CL_SUCCESS);
    Layer().clFinish(queue);
  }
  mock.duration_ns.store(900'000);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Layer().clEnqueueSVMMemcpy(queue, CL_TRUE, to, from, 257, 0, nullptr, nullptr), CL_SUCCESS);
  }
  Layer().clFinish(queue);
  const auto learned = [&](const char* name, std::uint64_t amount) {
    const model::KernelId id = model::MakeKernelId(HashLiteral(name), {.shared_bytes = amount});
    return client::FindKernel(FindQueue(queue)->device, id, "")->duration_ns.load();
  };
  EXPECT_NEAR(static_cast<double>(learned("copy image", 61 * 2 * 2)), 200'000, 20'000);
  EXPECT_NEAR(static_cast<double>(learned("copy SVM", 257)), 900'000, 90'000);
}

// A region that the driver will refuse is not read.
TEST_F(CommandsTest, NoRegionGoesStraightToTheDriver) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);  // would hold it for ever
  ASSERT_TRUE(holder.joined());
  mock.answer.store(CL_INVALID_VALUE);
  EXPECT_EQ(Layer().clEnqueueReadImage(queue, a, CL_TRUE, offset, nullptr, 0, 0, to, 0, nullptr, nullptr),
            CL_INVALID_VALUE);
  cl_int error = 0;
  EXPECT_EQ(Layer().clEnqueueMapImage(queue, a, CL_TRUE, CL_MAP_READ, offset, nullptr, &n, nullptr, 0,
                                      nullptr, nullptr, &error),
            nullptr);
  EXPECT_EQ(error, CL_INVALID_VALUE);
  holder.Stop();
}

TEST_F(CommandsTest, MapImageAnswersPointerAndError) {
  cl_event event = nullptr;
  cl_int error = 1;
  std::size_t slice = 0;
  EXPECT_EQ(Layer().clEnqueueMapImage(queue, a, CL_TRUE, CL_MAP_READ, offset, region, &n, &slice, 2, list,
                                      &event, &error),
            &mock);
  EXPECT_EQ(error, CL_SUCCESS);
  const std::uint64_t given[] = {Word(queue),   Word(a),  CL_TRUE,      CL_MAP_READ, Word(+offset),
                                 Word(+region), Word(&n), Word(&slice), 2,           Word(+list),
                                 Word(&event)};
  for (std::size_t i = 0; i < std::size(given); ++i) EXPECT_EQ(mock.last().words[i], given[i]) << i;
  mock.answer.store(CL_MAP_FAILURE);
  EXPECT_EQ(Layer().clEnqueueMapImage(queue, a, CL_FALSE, CL_MAP_READ, offset, region, &n, &slice, 0, nullptr,
                                      nullptr, nullptr),
            nullptr);
}

TEST_F(CommandsTest, BlockingFreeIsAWait) {
  ASSERT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS);
  auto board = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
  ASSERT_TRUE(board.ok());
  auto free = reinterpret_cast<clMemBlockingFreeINTEL_fn>(
      Layer().clGetExtensionFunctionAddress("clMemBlockingFreeINTEL"));
  ASSERT_NE(free, nullptr);
  const auto before = Own(*board);
  auto* context = Token<cl_context>(9);
  mock.answer.store(CL_INVALID_VALUE);
  EXPECT_EQ(free(context, to), CL_INVALID_VALUE);
  EXPECT_STREQ(mock.last().name, "clMemBlockingFreeINTEL");
  EXPECT_EQ(mock.last().words[0], Word(context));
  EXPECT_EQ(mock.last().words[1], Word(to));
  EXPECT_EQ(Own(*board).waits - before.waits, 2U);
}

}  // namespace
}  // namespace mortar::opencl
