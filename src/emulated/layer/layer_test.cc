// The layer's functions over a fake driver and a fake clock. Durations: kernel "k" 100 us, launch latency 5
// us, transfers 8 us plus 1 us for each 1,000 bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

#include "emulated/layer/fake_driver.h"
#include "emulated/layer/state.h"

namespace mortar::emulated {
namespace {

constexpr std::int64_t kUs = 1'000;
constexpr std::int64_t kStart = 1'000'000'000;

class FakeClock final : public Clock {
 public:
  std::int64_t NowNs() override { return now.load(); }
  void WaitUntil(std::int64_t instant_ns) override {
    if (now.load() < instant_ns) now.store(instant_ns);
  }
  std::atomic<std::int64_t> now{kStart};
};

Table TestTable() { return Table::Parse("copy 1 8\nkernel k 100\nkernel long 3000000\n", "t").value(); }

class LayerTest : public testing::Test {
 protected:
  LayerTest() {
    std::string pattern = testing::TempDir() + "/layer_XXXXXX";
    directory_ = mkdtemp(pattern.data());
    // Never freed, as in a program: the timer's thread goes on using it.
    state_ = new State(TestTable(), *new FakeClock, directory_);
    clock_ = static_cast<FakeClock*>(&state_->clock);
    state_->driver = driver_.dispatch();
    SetCurrent(state_);
    FillDispatch(state_->driver, &cl_);
  }
  ~LayerTest() override {
    SetCurrent(nullptr);
    std::filesystem::remove_all(directory_);
  }

  cl_int Launch(cl_command_queue queue, cl_event* event = nullptr, std::vector<cl_event> waits = {},
                cl_kernel kernel = nullptr) {
    const std::size_t items = 64;
    return cl_.clEnqueueNDRangeKernel(queue, kernel == nullptr ? &kernel_ : kernel, 1, nullptr, &items,
                                      nullptr, static_cast<cl_uint>(waits.size()),
                                      waits.empty() ? nullptr : waits.data(), event);
  }
  cl_int StatusOf(cl_event event) {
    cl_int status = 99;
    EXPECT_EQ(cl_.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr),
              CL_SUCCESS);
    return status;
  }
  std::int64_t Elapsed() const { return clock_->now.load() - kStart; }
  TimelineReport Report() { return state_->timelines.Find(0)->Report(); }

  FakeDriver driver_;
  std::string directory_;
  State* state_;
  FakeClock* clock_;
  cl_icd_dispatch cl_{};
  _cl_command_queue in_order_;
  _cl_command_queue out_of_order_{CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE};
  _cl_command_queue profiled_{CL_QUEUE_PROFILING_ENABLE};
  _cl_kernel kernel_{"k"};
  _cl_kernel long_kernel_{"long"};
};

TEST_F(LayerTest, FinishReturnsAtTheModelledEnd) {
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 0);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 205 * kUs);  // 5 + 100 + 100
  EXPECT_EQ(driver_.waited, 1);
  EXPECT_EQ(Report().total.busy_ns, 200U * kUs);
  EXPECT_EQ(Report().total.late, 0U);
}

TEST_F(LayerTest, WaitReturnsAtTheLatestOfItsEvents) {
  cl_event events[3];
  for (auto& event : events) ASSERT_EQ(Launch(&out_of_order_, &event), CL_SUCCESS);
  EXPECT_EQ(cl_.clWaitForEvents(2, events), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 205 * kUs);
  EXPECT_EQ(StatusOf(events[1]), CL_COMPLETE);
  EXPECT_EQ(StatusOf(events[2]), CL_RUNNING);
}

TEST_F(LayerTest, BlockingTransferReturnsAtItsEnd) {
  char bytes[1'000];
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  ASSERT_EQ(
      cl_.clEnqueueReadBuffer(&in_order_, nullptr, CL_TRUE, 0, sizeof bytes, bytes, 0, nullptr, nullptr),
      CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 114 * kUs);  // 5 + 100, then 8 + 1
  ASSERT_EQ(
      cl_.clEnqueueReadBuffer(&in_order_, nullptr, CL_FALSE, 0, sizeof bytes, bytes, 0, nullptr, nullptr),
      CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 114 * kUs);
  cl_int error = 99;
  EXPECT_NE(cl_.clEnqueueMapBuffer(&in_order_, nullptr, CL_TRUE, CL_MAP_READ, 0, 2'000, 0, nullptr, nullptr,
                                   &error),
            nullptr);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 133 * kUs);  // and 9, and 8 + 2
}

TEST_F(LayerTest, RealComputingThatOutlivesTheModelIsLate) {
  state_->driver.clFinish = [](cl_command_queue) -> cl_int {
    static_cast<FakeClock&>(Current().clock).now += 500 * kUs;
    return CL_SUCCESS;
  };
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 500 * kUs);
  EXPECT_EQ(Report().total.late, 1U);
  EXPECT_EQ(Report().total.late_ns, 395U * kUs);  // 500 - 105
}

TEST_F(LayerTest, EveryErrorPassesAndTakesNoTime) {
  driver_.refuse = CL_INVALID_KERNEL_ARGS;
  cl_event event = nullptr;
  EXPECT_EQ(Launch(&in_order_, &event), CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(Launch(nullptr, &event), CL_INVALID_COMMAND_QUEUE);
  EXPECT_EQ(event, nullptr);
  EXPECT_EQ(cl_.clEnqueueWriteBuffer(&in_order_, nullptr, CL_TRUE, 0, 4, &event, 0, nullptr, nullptr),
            CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(cl_.clEnqueueMarker(&in_order_, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clEnqueueBarrier(&in_order_), CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(cl_.clWaitForEvents(0, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clFinish(nullptr), CL_INVALID_COMMAND_QUEUE);
  EXPECT_EQ(Elapsed(), 0);
  EXPECT_EQ(Report().total.commands, 0U);
  EXPECT_EQ(state_->timelines.Find(0)->AheadNs(kStart), 0);
}

// One row for each function that enqueues: it reaches the driver once, its event ends on the timeline, and
// its error is the driver's.
TEST_F(LayerTest, EveryEnqueueIsModelled) {
  const std::size_t one[3] = {1, 1, 1};
  char data[16] = {};
  void* pointers[1] = {data};
  cl_mem mem = nullptr;
  cl_command_queue q = &in_order_;
  using Call = std::function<cl_int(cl_event*)>;
  const auto map = [](auto&& call) {
    return [call](cl_event* event) {
      cl_int error = 99;
      const bool mapped = call(event, &error) != nullptr;
      EXPECT_EQ(mapped, error == CL_SUCCESS);
      return error;
    };
  };
  const std::pair<const char*, Call> calls[] = {
      {"NDRangeKernel", [&](cl_event* e) { return Launch(q, e); }},
      {"Task", [&](cl_event* e) { return cl_.clEnqueueTask(q, &kernel_, 0, nullptr, e); }},
      {"NativeKernel",
       [&](cl_event* e) {
         return cl_.clEnqueueNativeKernel(q, nullptr, nullptr, 0, 0, nullptr, nullptr, 0, nullptr, e);
       }},
      {"ReadBuffer",
       [&](cl_event* e) { return cl_.clEnqueueReadBuffer(q, mem, 0, 0, 1, data, 0, nullptr, e); }},
      {"WriteBuffer",
       [&](cl_event* e) { return cl_.clEnqueueWriteBuffer(q, mem, 0, 0, 1, data, 0, nullptr, e); }},
      {"ReadBufferRect",
       [&](cl_event* e) {
         return cl_.clEnqueueReadBufferRect(q, mem, 0, one, one, one, 0, 0, 0, 0, data, 0, nullptr, e);
       }},
      {"WriteBufferRect",
       [&](cl_event* e) {
         return cl_.clEnqueueWriteBufferRect(q, mem, 0, one, one, one, 0, 0, 0, 0, data, 0, nullptr, e);
       }},
      {"CopyBuffer",
       [&](cl_event* e) { return cl_.clEnqueueCopyBuffer(q, mem, mem, 0, 0, 1, 0, nullptr, e); }},
      {"CopyBufferRect",
       [&](cl_event* e) {
         return cl_.clEnqueueCopyBufferRect(q, mem, mem, one, one, one, 0, 0, 0, 0, 0, nullptr, e);
       }},
      {"FillBuffer",
       [&](cl_event* e) { return cl_.clEnqueueFillBuffer(q, mem, data, 1, 0, 1, 0, nullptr, e); }},
      {"MapBuffer", map([&](cl_event* e, cl_int* error) {
         return cl_.clEnqueueMapBuffer(q, mem, 0, CL_MAP_WRITE, 0, 1, 0, nullptr, e, error);
       })},
      {"Unmap", [&](cl_event* e) { return cl_.clEnqueueUnmapMemObject(q, mem, data, 0, nullptr, e); }},
      {"Migrate", [&](cl_event* e) { return cl_.clEnqueueMigrateMemObjects(q, 1, &mem, 0, 0, nullptr, e); }},
      {"ReadImage",
       [&](cl_event* e) { return cl_.clEnqueueReadImage(q, mem, 0, one, one, 0, 0, data, 0, nullptr, e); }},
      {"WriteImage",
       [&](cl_event* e) { return cl_.clEnqueueWriteImage(q, mem, 0, one, one, 0, 0, data, 0, nullptr, e); }},
      {"CopyImage",
       [&](cl_event* e) { return cl_.clEnqueueCopyImage(q, mem, mem, one, one, one, 0, nullptr, e); }},
      {"ImageToBuffer",
       [&](cl_event* e) { return cl_.clEnqueueCopyImageToBuffer(q, mem, mem, one, one, 0, 0, nullptr, e); }},
      {"BufferToImage",
       [&](cl_event* e) { return cl_.clEnqueueCopyBufferToImage(q, mem, mem, 0, one, one, 0, nullptr, e); }},
      {"FillImage",
       [&](cl_event* e) { return cl_.clEnqueueFillImage(q, mem, data, one, one, 0, nullptr, e); }},
      {"MapImage", map([&](cl_event* e, cl_int* error) {
         std::size_t pitch = 0;
         return cl_.clEnqueueMapImage(q, mem, 0, CL_MAP_READ, one, one, &pitch, nullptr, 0, nullptr, e,
                                      error);
       })},
      {"SVMFree",
       [&](cl_event* e) { return cl_.clEnqueueSVMFree(q, 1, pointers, nullptr, nullptr, 0, nullptr, e); }},
      {"SVMMemcpy", [&](cl_event* e) { return cl_.clEnqueueSVMMemcpy(q, 0, data, data, 1, 0, nullptr, e); }},
      {"SVMMemFill",
       [&](cl_event* e) { return cl_.clEnqueueSVMMemFill(q, data, data, 1, 1, 0, nullptr, e); }},
      {"SVMMap", [&](cl_event* e) { return cl_.clEnqueueSVMMap(q, 0, CL_MAP_READ, data, 1, 0, nullptr, e); }},
      {"SVMUnmap", [&](cl_event* e) { return cl_.clEnqueueSVMUnmap(q, data, 0, nullptr, e); }},
      {"SVMMigrate",
       [&](cl_event* e) {
         return cl_.clEnqueueSVMMigrateMem(q, 1, const_cast<const void**>(pointers), nullptr, 0, 0, nullptr,
                                           e);
       }},
      {"Marker", [&](cl_event* e) { return cl_.clEnqueueMarker(q, e); }},
      {"MarkerWithWaitList", [&](cl_event* e) { return cl_.clEnqueueMarkerWithWaitList(q, 0, nullptr, e); }},
      {"BarrierWithWaitList",
       [&](cl_event* e) { return cl_.clEnqueueBarrierWithWaitList(q, 0, nullptr, e); }},
  };
  for (const auto& [name, call] : calls) {
    SCOPED_TRACE(name);
    ASSERT_EQ(Launch(q), CL_SUCCESS);  // 100 us that all have to wait for
    driver_.enqueued = 0;
    cl_event event = nullptr;
    ASSERT_EQ(call(&event), CL_SUCCESS);
    EXPECT_EQ(driver_.enqueued, 1);
    ASSERT_NE(event, nullptr);
    EXPECT_EQ(event->status, CL_COMPLETE);  // in truth
    EXPECT_NE(StatusOf(event), CL_COMPLETE);
    EXPECT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
    EXPECT_EQ(StatusOf(event), CL_COMPLETE);
    EXPECT_EQ(cl_.clFinish(q), CL_SUCCESS);
    EXPECT_EQ(cl_.clReleaseEvent(event), CL_SUCCESS);
    driver_.refuse = CL_OUT_OF_RESOURCES;
    EXPECT_EQ(call(&event), CL_OUT_OF_RESOURCES);
    driver_.refuse = CL_SUCCESS;
    EXPECT_EQ(state_->timelines.Find(0)->AheadNs(clock_->now), 0);
  }
  EXPECT_EQ(driver_.alive, 0);
}

TEST_F(LayerTest, ProfilingTellsTheModelledTimes) {
  cl_event first;
  cl_event event;
  ASSERT_EQ(Launch(&profiled_, &first), CL_SUCCESS);
  clock_->now += 10 * kUs;
  ASSERT_EQ(Launch(&profiled_, &event), CL_SUCCESS);
  cl_ulong value = 0;
  const auto ask = [&](cl_profiling_info name) {
    return cl_.clGetEventProfilingInfo(event, name, sizeof value, &value, nullptr);
  };
  EXPECT_EQ(ask(CL_PROFILING_COMMAND_START), CL_PROFILING_INFO_NOT_AVAILABLE);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  const std::pair<cl_profiling_info, std::int64_t> expected[] = {{CL_PROFILING_COMMAND_QUEUED, 10 * kUs},
                                                                 {CL_PROFILING_COMMAND_SUBMIT, 10 * kUs},
                                                                 {CL_PROFILING_COMMAND_START, 105 * kUs},
                                                                 {CL_PROFILING_COMMAND_END, 205 * kUs},
                                                                 {CL_PROFILING_COMMAND_COMPLETE, 205 * kUs}};
  for (const auto& [name, at] : expected) {
    ASSERT_EQ(ask(name), CL_SUCCESS);
    EXPECT_EQ(static_cast<std::int64_t>(value) - kStart, at);
  }
  EXPECT_EQ(ask(0x9999), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 1, &value, nullptr),
            CL_INVALID_VALUE);
}

TEST_F(LayerTest, WithoutProfilingTheErrorIsTheDrivers) {
  cl_event event;
  cl_ulong value = 0;
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(cl_.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof value, &value, nullptr),
            CL_PROFILING_INFO_NOT_AVAILABLE);
}

TEST_F(LayerTest, UserEventHoldsTheKernelOffTheTimeline) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(Launch(&in_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);  // no event of the program's: the layer asks for one
  clock_->now += 1'000 * kUs;
  EXPECT_EQ(StatusOf(event), CL_SUBMITTED);
  EXPECT_EQ(Report().total.commands, 0U);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_SUCCESS);
  EXPECT_EQ(Report().total.commands, 2U);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'100 * kUs);
  ASSERT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'200 * kUs);
  cl_.clReleaseEvent(event);
  cl_.clReleaseEvent(user);
  EXPECT_EQ(driver_.alive, 0);
}

TEST_F(LayerTest, FailedUserEventFailsItsCommands) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(Launch(&out_of_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, -7), CL_SUCCESS);
  EXPECT_EQ(StatusOf(event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(cl_.clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(Elapsed(), 0);
  EXPECT_EQ(Report().total.commands, 0U);
  EXPECT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_INVALID_OPERATION);
}

TEST_F(LayerTest, OldBarrierOrdersWithoutAnEvent) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(cl_.clEnqueueWaitForEvents(&in_order_, 1, &user), CL_SUCCESS);
  ASSERT_EQ(cl_.clEnqueueBarrier(&in_order_), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  EXPECT_EQ(Report().total.commands, 0U);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_SUCCESS);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 100 * kUs);
}

TEST_F(LayerTest, FullDeviceMakesTheEnqueueWait) {
  ASSERT_EQ(Launch(&in_order_, nullptr, {}, &long_kernel_), CL_SUCCESS);  // 3 s
  EXPECT_EQ(Elapsed(), 0);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'000'005 * kUs);  // until no more than 2 s are ahead
}

// Waits for a callback from whatever thread it comes.
struct Called {
  static void CL_CALLBACK Function(cl_event event, cl_int status, void* user_data) {
    auto* self = static_cast<Called*>(user_data);
    const std::lock_guard lock(self->mutex);
    self->event = event;
    self->status = status;
    self->at_ns = Current().clock.NowNs();
    self->condition.notify_all();
  }
  void Await() {
    std::unique_lock lock(mutex);
    condition.wait(lock, [&] { return event != nullptr; });
  }
  bool IsCalled() {
    const std::lock_guard lock(mutex);
    return event != nullptr;
  }
  std::mutex mutex;
  std::condition_variable condition;
  cl_event event = nullptr;
  cl_int status = 99;
  std::int64_t at_ns = 0;
};

TEST_F(LayerTest, CallbackComesAtTheModelledEnd) {
  cl_event event;
  Called complete;
  Called running;
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &complete), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_RUNNING, Called::Function, &running), CL_SUCCESS);
  cl_uint references = 0;
  ASSERT_EQ(cl_.clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof references, &references, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(references, 1U);
  cl_.clReleaseEvent(event);  // as programs do: the callback still gets a live event
  EXPECT_FALSE(complete.IsCalled());
  EXPECT_EQ(driver_.alive, 1);
  clock_->now = kStart + 300 * kUs;
  complete.Await();
  running.Await();
  EXPECT_EQ(complete.event, event);
  EXPECT_EQ(complete.status, CL_COMPLETE);
  EXPECT_EQ(running.status, CL_RUNNING);
}

TEST_F(LayerTest, CallbackAfterTheEndIsCalledAtOnce) {
  cl_event event;
  Called called;
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &called), CL_SUCCESS);
  EXPECT_TRUE(called.IsCalled());
  EXPECT_EQ(called.status, CL_COMPLETE);
  cl_.clReleaseEvent(event);
  EXPECT_EQ(driver_.alive, 0);
}

TEST_F(LayerTest, CallbackOfAFailureCarriesIt) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  Called called;
  ASSERT_EQ(Launch(&in_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &called), CL_SUCCESS);
  EXPECT_FALSE(called.IsCalled());
  ASSERT_EQ(cl_.clSetUserEventStatus(user, -3), CL_SUCCESS);
  EXPECT_TRUE(called.IsCalled());
  EXPECT_EQ(called.status, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, nullptr, nullptr), CL_INVALID_VALUE);
}

TEST_F(LayerTest, OnlyWhatTheDriverHasIsWrapped) {
  cl_icd_dispatch driver{};
  cl_icd_dispatch layer{};
  driver.clFinish = state_->driver.clFinish;
  FillDispatch(driver, &layer);
  EXPECT_NE(layer.clFinish, nullptr);
  layer.clFinish = nullptr;
  const cl_icd_dispatch none{};
  EXPECT_EQ(memcmp(&layer, &none, sizeof none), 0);
  EXPECT_EQ(cl_.clGetExtensionFunctionAddressForPlatform, nullptr);
}

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
