// An OpenCL driver for tests of the layer: no platform, no device, no threads. Records what reaches it, in
// fixed memory, so that tests may count allocations around it. Any thread; made once per process and never
// destroyed.
//
// A command takes `duration_ns` of one simulated device timeline (default 0: done at once), starts when all
// that it waits for and, on an in-order queue, the command before it are done. Not an emulation: see
// src/emulated for that.
#pragma once

#include <CL/cl.h>
#include <CL/cl_icd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

// What the opaque handles point to.
struct _cl_event {
  std::atomic<int> references{1};
  std::atomic<cl_int> status{CL_QUEUED};  // user events: as set; others: cached once complete
  bool user = false;
  cl_command_queue queue = nullptr;
  std::array<cl_event, 4> waits{};
  std::int64_t queued_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t duration_ns = 0;
  void(CL_CALLBACK* callback)(cl_event, cl_int, void*) = nullptr;
  void* callback_data = nullptr;
};
struct _cl_command_queue {
  cl_command_queue_properties properties = 0;
  cl_event last = nullptr;
};
struct _cl_kernel {
  std::string name;
};

namespace mortar::opencl {

// One argument or result as a word, whatever its type.
template <typename T>
std::uint64_t Word(T value) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

struct MockCall {
  const char* name = "";
  int count = 0;
  std::array<std::uint64_t, 16> words{};
};

// One enqueued range, with what its pointers pointed to.
struct MockRange {
  cl_uint dimensions = 0;
  std::array<std::size_t, 3> offset{}, global{}, local{};
  bool has_local = false;
  cl_uint waits = 0;
  bool has_event = false;
};

class MockDriver {
 public:
  static MockDriver& Get();

  const cl_icd_dispatch& dispatch() const { return dispatch_; }

  // What enqueues, waits and settings return; queries and creations are not refused by it.
  std::atomic<cl_int> answer{CL_SUCCESS};
  // Queues with profiling are refused with this, where it is not CL_SUCCESS.
  std::atomic<cl_int> refuse_profiling{CL_SUCCESS};
  // The answer to CL_QUEUE_PROPERTIES_ARRAY: an OpenCL 2 driver says CL_INVALID_VALUE.
  std::atomic<bool> has_properties_array{true};
  std::atomic<std::int64_t> duration_ns{0};
  // A kernel's duration by its work-items, where it is not 0.
  std::atomic<std::int64_t> ns_per_item{0};
  // So many more kernels are taken, and then CL_OUT_OF_RESOURCES; below 0: all.
  std::atomic<int> kernels_left{-1};
  // The same of copies of buffers.
  std::atomic<std::int64_t> ns_per_kib{0};
  std::atomic<int> copies_left{-1};
  std::atomic<cl_mem> parent{nullptr};  // every buffer is a part of it
  std::atomic<int> flushes{0};
  std::atomic<int> enqueues{0};
  std::atomic<int> alive{0};  // references to events of commands that are held by anyone

  // The newest call that was recorded, and how many there were since Clear. REQUIRES: no call is under way.
  const MockCall& last() const { return calls_[(recorded_.load() + kCalls - 1) % kCalls]; }
  const MockCall& call(std::size_t index) const { return calls_[index % kCalls]; }
  std::size_t recorded() const { return recorded_.load(); }
  // The kernels enqueued since Clear, up to kCalls of them. REQUIRES: no call is under way.
  std::size_t ranges() const { return ranges_made_.load(); }
  const MockRange& range(std::size_t index) const { return ranges_[index % kCalls]; }
  void Clear();

  // Handles of a driver's own objects; those of kernels and queues may be given out again after release.
  cl_device_id device() { return reinterpret_cast<cl_device_id>(&devices_[0]); }
  cl_device_id second_device() { return reinterpret_cast<cl_device_id>(&devices_[1]); }
  cl_device_id sub_device() { return reinterpret_cast<cl_device_id>(&devices_[2]); }  // of device()
  cl_event MakeUserEvent();
  // The next kernel made gets this handle.
  void ReuseKernel(cl_kernel handle) { reuse_kernel_.store(handle); }

  // Used by the functions in `dispatch`.
  template <typename... Arguments>
  void Record(const char* name, Arguments... arguments) {
    MockCall& call = calls_[recorded_.fetch_add(1) % kCalls];
    call.name = name;
    call.count = sizeof...(Arguments);
    call.words = {Word(arguments)...};
  }
  cl_int Enqueue(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event) {
    return Enqueue(queue, count, list, event, duration_ns.load());
  }
  cl_int Enqueue(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event,
                 std::int64_t length);
  cl_int EnqueueRange(cl_command_queue queue, const MockRange& range, const cl_event* list, cl_event* event);
  bool IsComplete(cl_event event);
  void CompleteUserEvent(cl_event event, cl_int status);
  void RunCallbacks();
  cl_kernel MakeKernel(const char* name);
  static void Release(cl_event event);

 private:
  MockDriver();
  cl_event NewEvent();

  static constexpr std::size_t kCalls = 256;
  static constexpr std::size_t kEvents = 1 << 16;
  cl_icd_dispatch dispatch_{};
  std::array<MockCall, kCalls> calls_;
  std::atomic<std::size_t> recorded_{0};
  std::array<MockRange, kCalls> ranges_;
  std::atomic<std::size_t> ranges_made_{0};
  std::array<char, 3> devices_{};
  std::atomic<cl_kernel> reuse_kernel_{nullptr};
  std::mutex mutex_;  // the device's timeline, queues' last commands, callbacks
  std::int64_t device_free_ns_ = 0;
  std::array<_cl_event, kEvents> events_;
  std::atomic<std::size_t> events_made_{0};
};

// Every member of the dispatch table as a word, for comparing tables.
inline const std::uint64_t* TableWords(const cl_icd_dispatch& table) {
  return reinterpret_cast<const std::uint64_t*>(&table);
}
inline constexpr std::size_t kTableSize = sizeof(cl_icd_dispatch) / sizeof(void*);

}  // namespace mortar::opencl
