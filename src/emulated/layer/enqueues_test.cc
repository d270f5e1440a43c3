// Every function that enqueues: it reaches the driver once, its event ends on the timeline, its error is the
// driver's.
#include <functional>

#include "emulated/layer/fixture.h"

namespace mortar::emulated {
namespace {

using Call = std::function<cl_int(cl_event*)>;

struct Row {
  const char* name;
  Call call;
};

class EnqueuesTest : public LayerTest {
 protected:
  // A map returns a pointer, and its error by reference.
  template <typename Map>
  static Call Mapping(Map map) {
    return [map](cl_event* event) {
      cl_int error = 99;
      const bool mapped = map(event, &error) != nullptr;
      EXPECT_EQ(mapped, error == CL_SUCCESS);
      return error;
    };
  }

  std::vector<Row> Kernels() {
    return {
        {"NDRangeKernel", [&](cl_event* e) { return Launch(q_, e); }},
        {"Task", [&](cl_event* e) { return cl_.clEnqueueTask(q_, &kernel_, 0, nullptr, e); }},
        {"NativeKernel",
         [&](cl_event* e) {
           return cl_.clEnqueueNativeKernel(q_, nullptr, nullptr, 0, 0, nullptr, nullptr, 0, nullptr, e);
         }},
        {"Marker", [&](cl_event* e) { return cl_.clEnqueueMarker(q_, e); }},
        {"MarkerWithWaitList",
         [&](cl_event* e) { return cl_.clEnqueueMarkerWithWaitList(q_, 0, nullptr, e); }},
        {"BarrierWithWaitList",
         [&](cl_event* e) { return cl_.clEnqueueBarrierWithWaitList(q_, 0, nullptr, e); }},
    };
  }

  std::vector<Row> Buffers() {
    return {
        {"ReadBuffer",
         [&](cl_event* e) { return cl_.clEnqueueReadBuffer(q_, mem_, 0, 0, 1, data_, 0, nullptr, e); }},
        {"WriteBuffer",
         [&](cl_event* e) { return cl_.clEnqueueWriteBuffer(q_, mem_, 0, 0, 1, data_, 0, nullptr, e); }},
        {"ReadBufferRect",
         [&](cl_event* e) {
           return cl_.clEnqueueReadBufferRect(q_, mem_, 0, one_, one_, one_, 0, 0, 0, 0, data_, 0, nullptr,
                                              e);
         }},
        {"WriteBufferRect",
         [&](cl_event* e) {
           return cl_.clEnqueueWriteBufferRect(q_, mem_, 0, one_, one_, one_, 0, 0, 0, 0, data_, 0, nullptr,
                                               e);
         }},
        {"CopyBuffer",
         [&](cl_event* e) { return cl_.clEnqueueCopyBuffer(q_, mem_, mem_, 0, 0, 1, 0, nullptr, e); }},
        {"CopyBufferRect",
         [&](cl_event* e) {
           return cl_.clEnqueueCopyBufferRect(q_, mem_, mem_, one_, one_, one_, 0, 0, 0, 0, 0, nullptr, e);
         }},
        {"FillBuffer",
         [&](cl_event* e) { return cl_.clEnqueueFillBuffer(q_, mem_, data_, 1, 0, 1, 0, nullptr, e); }},
        {"MapBuffer", Mapping([&](cl_event* e, cl_int* error) {
           return cl_.clEnqueueMapBuffer(q_, mem_, 0, CL_MAP_WRITE, 0, 1, 0, nullptr, e, error);
         })},
        {"Unmap", [&](cl_event* e) { return cl_.clEnqueueUnmapMemObject(q_, mem_, data_, 0, nullptr, e); }},
        {"Migrate",
         [&](cl_event* e) { return cl_.clEnqueueMigrateMemObjects(q_, 1, &mem_, 0, 0, nullptr, e); }},
    };
  }

  std::vector<Row> Images() {
    return {
        {"ReadImage",
         [&](cl_event* e) {
           return cl_.clEnqueueReadImage(q_, mem_, 0, one_, one_, 0, 0, data_, 0, nullptr, e);
         }},
        {"WriteImage",
         [&](cl_event* e) {
           return cl_.clEnqueueWriteImage(q_, mem_, 0, one_, one_, 0, 0, data_, 0, nullptr, e);
         }},
        {"CopyImage",
         [&](cl_event* e) {
           return cl_.clEnqueueCopyImage(q_, mem_, mem_, one_, one_, one_, 0, nullptr, e);
         }},
        {"ImageToBuffer",
         [&](cl_event* e) {
           return cl_.clEnqueueCopyImageToBuffer(q_, mem_, mem_, one_, one_, 0, 0, nullptr, e);
         }},
        {"BufferToImage",
         [&](cl_event* e) {
           return cl_.clEnqueueCopyBufferToImage(q_, mem_, mem_, 0, one_, one_, 0, nullptr, e);
         }},
        {"FillImage",
         [&](cl_event* e) { return cl_.clEnqueueFillImage(q_, mem_, data_, one_, one_, 0, nullptr, e); }},
        {"MapImage", Mapping([&](cl_event* e, cl_int* error) {
           std::size_t pitch = 0;
           return cl_.clEnqueueMapImage(q_, mem_, 0, CL_MAP_READ, one_, one_, &pitch, nullptr, 0, nullptr, e,
                                        error);
         })},
    };
  }

  std::vector<Row> SharedMemory() {
    return {
        {"SVMFree",
         [&](cl_event* e) {
           return cl_.clEnqueueSVMFree(q_, 1, pointers_, nullptr, nullptr, 0, nullptr, e);
         }},
        {"SVMMemcpy",
         [&](cl_event* e) { return cl_.clEnqueueSVMMemcpy(q_, 0, data_, data_, 1, 0, nullptr, e); }},
        {"SVMMemFill",
         [&](cl_event* e) { return cl_.clEnqueueSVMMemFill(q_, data_, data_, 1, 1, 0, nullptr, e); }},
        {"SVMMap",
         [&](cl_event* e) { return cl_.clEnqueueSVMMap(q_, 0, CL_MAP_READ, data_, 1, 0, nullptr, e); }},
        {"SVMUnmap", [&](cl_event* e) { return cl_.clEnqueueSVMUnmap(q_, data_, 0, nullptr, e); }},
        {"SVMMigrate",
         [&](cl_event* e) {
           return cl_.clEnqueueSVMMigrateMem(q_, 1, const_cast<const void**>(pointers_), nullptr, 0, 0,
                                             nullptr, e);
         }},
    };
  }

  void Check(const std::vector<Row>& rows) {
    for (const auto& [name, call] : rows) {
      SCOPED_TRACE(name);
      ASSERT_EQ(Launch(q_), CL_SUCCESS);  // 100 us that all have to wait for
      driver_.enqueued = 0;
      cl_event event = nullptr;
      ASSERT_EQ(call(&event), CL_SUCCESS);
      EXPECT_EQ(driver_.enqueued, 1);
      ASSERT_NE(event, nullptr);
      EXPECT_EQ(event->status, CL_COMPLETE);  // in truth
      EXPECT_NE(StatusOf(event), CL_COMPLETE);
      EXPECT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
      EXPECT_EQ(StatusOf(event), CL_COMPLETE);
      EXPECT_EQ(cl_.clFinish(q_), CL_SUCCESS);
      EXPECT_EQ(cl_.clReleaseEvent(event), CL_SUCCESS);
      driver_.refuse = CL_OUT_OF_RESOURCES;
      EXPECT_EQ(call(&event), CL_OUT_OF_RESOURCES);
      driver_.refuse = CL_SUCCESS;
      EXPECT_EQ(state_->timelines.Find(0)->AheadNs(clock_->now), 0);
    }
    EXPECT_EQ(driver_.alive, 0);
  }

  const std::size_t one_[3] = {1, 1, 1};
  char data_[16] = {};
  void* pointers_[1] = {data_};
  cl_mem mem_ = nullptr;
  cl_command_queue q_ = &in_order_;
};

TEST_F(EnqueuesTest, KernelsMarkersAndBarriers) { Check(Kernels()); }
TEST_F(EnqueuesTest, Buffers) { Check(Buffers()); }
TEST_F(EnqueuesTest, Images) { Check(Images()); }
TEST_F(EnqueuesTest, SharedMemory) { Check(SharedMemory()); }

}  // namespace
}  // namespace mortar::emulated
