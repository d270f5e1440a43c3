// What is counted, refused and shown of device memory, over a driver of a few lines.
#include "backend/opencl/memory_limit.h"

#include <CL/cl_ext.h>

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/opencl/test_world.h"
#include "client/client.h"
#include "client/memory.h"

namespace mortar::opencl {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Memory objects with references and destructor callbacks; everything else is the mock driver's.
struct Object {
  int references = 1;
  std::size_t size = 0;
  std::vector<std::pair<void(CL_CALLBACK*)(cl_mem, void*), void*>> callbacks;
};

struct Memory {
  std::mutex mutex;
  std::map<std::uintptr_t, Object> objects;
  std::uintptr_t next = 0x1000;
  cl_int answer = CL_SUCCESS;  // of creations
  std::size_t pad = 0;         // what images take more than reckoned
  int devices = 1;
  bool callbacks = true;
  std::uint64_t device_bytes = 16 * 1024 * kMiB;
  std::uint64_t most = 0, now = 0;  // bytes of living objects
  cl_int free_answer = CL_SUCCESS;
};
Memory* memory = nullptr;

cl_mem NewObject(std::size_t size, cl_int* error) {
  const std::lock_guard lock(memory->mutex);
  if (error != nullptr) *error = memory->answer;
  if (memory->answer != CL_SUCCESS) return nullptr;
  const std::uintptr_t handle = memory->next += 16;
  memory->objects[handle].size = size;
  memory->now += size;
  memory->most = std::max(memory->most, memory->now);
  return reinterpret_cast<cl_mem>(handle);
}

cl_int CL_API_CALL ReleaseObject(cl_mem object) {
  std::vector<std::pair<void(CL_CALLBACK*)(cl_mem, void*), void*>> callbacks;
  {
    const std::lock_guard lock(memory->mutex);
    const auto found = memory->objects.find(reinterpret_cast<std::uintptr_t>(object));
    if (found == memory->objects.end()) return CL_INVALID_MEM_OBJECT;
    if (--found->second.references > 0) return CL_SUCCESS;
    memory->now -= found->second.size;
    callbacks = found->second.callbacks;
    memory->objects.erase(found);
  }
  for (auto i = callbacks.rbegin(); i != callbacks.rend(); ++i) i->first(object, i->second);
  return CL_SUCCESS;
}

// The functions that this test's driver has beside the mock's.
void AddMemoryFunctions(cl_icd_dispatch* table) {
  table->clGetContextInfo = [](cl_context, cl_context_info what, std::size_t room, void* out,
                               std::size_t* out_size) -> cl_int {
    if (what != CL_CONTEXT_DEVICES || room < 2 * sizeof(cl_device_id)) return CL_INVALID_VALUE;
    auto* devices = static_cast<cl_device_id*>(out);
    devices[0] = MockDriver::Get().device();
    devices[1] = MockDriver::Get().second_device();
    *out_size = static_cast<std::size_t>(memory->devices) * sizeof(cl_device_id);
    return CL_SUCCESS;
  };
  table->clCreateBuffer = [](cl_context, cl_mem_flags, std::size_t size, void*, cl_int* error) -> cl_mem {
    return NewObject(size, error);
  };
  table->clCreateImage = [](cl_context, cl_mem_flags, const cl_image_format*, const cl_image_desc* d, void*,
                            cl_int* error) -> cl_mem {
    return NewObject(d->buffer != nullptr ? 0 : d->image_width * d->image_height * 4 + memory->pad, error);
  };
  table->clCreatePipe = [](cl_context, cl_mem_flags, cl_uint packet, cl_uint packets,
                           const cl_pipe_properties*, cl_int* error) -> cl_mem {
    return NewObject(std::size_t{packet} * packets, error);
  };
  table->clRetainMemObject = [](cl_mem object) -> cl_int {
    const std::lock_guard lock(memory->mutex);
    ++memory->objects.at(reinterpret_cast<std::uintptr_t>(object)).references;
    return CL_SUCCESS;
  };
  table->clReleaseMemObject = ReleaseObject;
  table->clSetMemObjectDestructorCallback = [](cl_mem object, void(CL_CALLBACK * function)(cl_mem, void*),
                                               void* data) -> cl_int {
    const std::lock_guard lock(memory->mutex);
    if (!memory->callbacks) return CL_INVALID_OPERATION;
    memory->objects.at(reinterpret_cast<std::uintptr_t>(object)).callbacks.emplace_back(function, data);
    return CL_SUCCESS;
  };
  table->clGetMemObjectInfo = [](cl_mem object, cl_mem_info, std::size_t, void* out, std::size_t*) -> cl_int {
    const std::lock_guard lock(memory->mutex);
    *static_cast<std::size_t*>(out) = memory->objects.at(reinterpret_cast<std::uintptr_t>(object)).size;
    return CL_SUCCESS;
  };
  table->clGetDeviceInfo = [](cl_device_id device, cl_device_info what, std::size_t room, void* out,
                              std::size_t* out_size) -> cl_int {
    if (what != CL_DEVICE_GLOBAL_MEM_SIZE && what != CL_DEVICE_MAX_MEM_ALLOC_SIZE)
      return MockDriver::Get().dispatch().clGetDeviceInfo(device, what, room, out, out_size);
    if (out_size != nullptr) *out_size = sizeof(cl_ulong);
    if (out != nullptr)
      *static_cast<cl_ulong*>(out) = memory->device_bytes / (what == CL_DEVICE_GLOBAL_MEM_SIZE ? 1 : 4);
    return CL_SUCCESS;
  };
  table->clSVMAlloc = [](cl_context, cl_svm_mem_flags, std::size_t size, cl_uint) -> void* {
    return reinterpret_cast<void*>(NewObject(size, nullptr));
  };
  table->clSVMFree = [](cl_context, void* pointer) {
    if (pointer != nullptr) ReleaseObject(static_cast<cl_mem>(pointer));
  };
  table->clEnqueueSVMFree = [](cl_command_queue, cl_uint count, void* pointers[],
                               void(CL_CALLBACK * free)(cl_command_queue, cl_uint, void*[], void*), void*,
                               cl_uint, const cl_event*, cl_event* event) -> cl_int {
    if (memory->free_answer != CL_SUCCESS) return memory->free_answer;
    for (cl_uint i = 0; free == nullptr && i < count; ++i) ReleaseObject(static_cast<cl_mem>(pointers[i]));
    if (event != nullptr) *event = MockDriver::Get().MakeUserEvent();
    return CL_SUCCESS;
  };
}

class MemoryLimitTest : public LayerTest {
 protected:
  void SetUp() override {
    LayerTest::SetUp();
    memory = &state_;
    Launch(MakeQueue(), MakeKernel());  // joins
    ASSERT_TRUE(peer_.joined());
    table_ = MockDriver::Get().dispatch();
    AddMemoryFunctions(&table_);
    InstallMemoryLimit(&table_);
    slot().memory_limit.store(0);
    held_before_ = slot().report.memory.load();
    ASSERT_EQ(held_before_, 0U) << "every test gives back what it took";
  }
  void TearDown() override {
    slot().memory_limit.store(0);
    EXPECT_EQ(Held(), state_.now) << "what is counted is what is there";
    while (!state_.objects.empty())
      table_.clReleaseMemObject(reinterpret_cast<cl_mem>(state_.objects.begin()->first));
    EXPECT_EQ(Held(), 0U);
  }
  board::Slot& slot() { return OwnSlot(peer_.board()); }
  std::uint64_t Held() { return slot().report.memory.load(); }
  cl_mem Buffer(std::uint64_t bytes, cl_int* error = nullptr) {
    return table_.clCreateBuffer(nullptr_context(), 0, bytes, nullptr, error);
  }
  cl_mem Image(std::size_t width, std::size_t height, cl_int* error = nullptr, cl_mem from = nullptr) {
    const cl_image_format format{CL_RGBA, CL_UNORM_INT8};
    cl_image_desc description{};
    description.image_type = CL_MEM_OBJECT_IMAGE2D;
    description.image_width = width;
    description.image_height = height;
    description.buffer = from;
    return table_.clCreateImage(nullptr_context(), 0, &format, &description, nullptr, error);
  }
  static cl_context nullptr_context() { return reinterpret_cast<cl_context>(0x10); }

  Memory state_;
  cl_icd_dispatch table_{};
  client::FakePeer peer_{Directory(), kMockDevice, "watcher", 9};
  std::uint64_t held_before_ = 0;
};

TEST_F(MemoryLimitTest, EverythingThatAllocatesIsCounted) {
  cl_mem buffer = Buffer(3 * kMiB);
  EXPECT_EQ(Held(), 3 * kMiB);
  cl_mem image = Image(1024, 512);
  EXPECT_EQ(Held(), 5 * kMiB);
  cl_mem pipe = table_.clCreatePipe(nullptr_context(), 0, 64, 16384, nullptr, nullptr);
  EXPECT_EQ(Held(), 6 * kMiB);
  void* shared = table_.clSVMAlloc(nullptr_context(), 0, 4 * kMiB, 0);
  EXPECT_EQ(Held(), 10 * kMiB);
  cl_mem view = Image(1024, 1024, nullptr, buffer);
  EXPECT_EQ(Held(), 10 * kMiB) << "a view of a buffer takes nothing";
  for (cl_mem one : {buffer, image, pipe, view}) table_.clReleaseMemObject(one);
  table_.clSVMFree(nullptr_context(), shared);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryLimitTest, OnlyTheLastReferenceFrees) {
  cl_mem buffer = Buffer(kMiB);
  table_.clRetainMemObject(buffer);
  table_.clReleaseMemObject(buffer);
  EXPECT_EQ(Held(), kMiB);
  table_.clReleaseMemObject(buffer);
  EXPECT_EQ(Held(), 0U);
  EXPECT_EQ(table_.clReleaseMemObject(buffer), CL_INVALID_MEM_OBJECT) << "once more: the driver's answer";
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryLimitTest, BeyondTheLimitIsTheDriversOwnError) {
  slot().memory_limit.store(4 * kMiB);
  const auto refused = slot().counters.refused.load();
  cl_int error = 1;
  EXPECT_NE(Buffer(4 * kMiB, &error), nullptr) << "exactly the limit";
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(Buffer(1, &error), nullptr);
  EXPECT_EQ(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_EQ(Image(1, 1, &error), nullptr);
  EXPECT_EQ(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_EQ(table_.clSVMAlloc(nullptr_context(), 0, 1, 0), nullptr);
  EXPECT_EQ(Buffer(1), nullptr) << "a program that does not ask for the error";
  EXPECT_EQ(slot().counters.refused.load(), refused + 4);
  EXPECT_EQ(state_.objects.size(), 1U);
}

TEST_F(MemoryLimitTest, SizesThatOverflowAreBeyondAnyLimit) {
  slot().memory_limit.store(4 * kMiB);
  cl_int error = 0;
  EXPECT_EQ(Buffer(UINT64_MAX, &error), nullptr);
  EXPECT_EQ(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_EQ(Image(SIZE_MAX / 2, SIZE_MAX / 2, &error), nullptr);
  EXPECT_EQ(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
}

TEST_F(MemoryLimitTest, WhatTheDriverRefusesIsGivenBack) {
  state_.answer = CL_OUT_OF_HOST_MEMORY;
  cl_int error = 0;
  EXPECT_EQ(Buffer(kMiB, &error), nullptr);
  EXPECT_EQ(error, CL_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(table_.clSVMAlloc(nullptr_context(), 0, kMiB, 0), nullptr);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryLimitTest, LoweredBelowUseTakesNothingNew) {
  cl_mem buffer = Buffer(8 * kMiB);
  slot().memory_limit.store(4 * kMiB);
  EXPECT_EQ(Buffer(1), nullptr);
  EXPECT_EQ(Held(), 8 * kMiB) << "what it has it keeps";
  table_.clReleaseMemObject(buffer);
  EXPECT_NE(Buffer(4 * kMiB), nullptr);
}

// An image larger than reckoned (pitch): beyond the limit it is not kept.
TEST_F(MemoryLimitTest, SettlesWhatTheDriverMadeOfIt) {
  state_.pad = kMiB;
  cl_mem image = Image(1024, 256);
  EXPECT_EQ(Held(), 2 * kMiB);
  table_.clReleaseMemObject(image);
  slot().memory_limit.store(kMiB);
  cl_int error = 0;
  EXPECT_EQ(Image(1024, 256, &error), nullptr);
  EXPECT_EQ(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
  EXPECT_TRUE(state_.objects.empty());
}

TEST_F(MemoryLimitTest, ThreadsRacingAtTheLimitNeverGetMore) {
  constexpr std::uint64_t kLimit = 10 * kMiB;
  slot().memory_limit.store(kLimit);
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 2000; ++k) {
        cl_mem one = Buffer(3 * kMiB);
        cl_mem two = Buffer(2 * kMiB);
        made += (one != nullptr) + (two != nullptr);
        if (one != nullptr) table_.clReleaseMemObject(one);
        if (two != nullptr) table_.clReleaseMemObject(two);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(state_.most, kLimit);
  EXPECT_GT(made.load(), 0);
}

TEST_F(MemoryLimitTest, SharedMemoryIsFreedWhenTheDeviceGetsThere) {
  void* pointers[] = {table_.clSVMAlloc(nullptr_context(), 0, kMiB, 0),
                      table_.clSVMAlloc(nullptr_context(), 0, kMiB, 0)};
  state_.free_answer = CL_INVALID_COMMAND_QUEUE;
  EXPECT_EQ(table_.clEnqueueSVMFree(nullptr, 2, pointers, nullptr, nullptr, 0, nullptr, nullptr),
            CL_INVALID_COMMAND_QUEUE);
  EXPECT_EQ(Held(), 2 * kMiB) << "nothing was freed";
  state_.free_answer = CL_SUCCESS;
  cl_event event = nullptr;
  EXPECT_EQ(table_.clEnqueueSVMFree(nullptr, 2, pointers, nullptr, nullptr, 0, nullptr, &event), CL_SUCCESS);
  EXPECT_EQ(Held(), 2 * kMiB) << "not yet";
  mock.CompleteUserEvent(event, CL_COMPLETE);
  mock.RunCallbacks();
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryLimitTest, UnknownPointersPassThrough) {
  int own = 0;
  table_.clSVMFree(nullptr_context(), nullptr);
  table_.clSVMFree(nullptr_context(), &own);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryLimitTest, WithoutWordOfTheEndNothingIsCounted) {
  state_.callbacks = false;
  cl_mem buffer = Buffer(kMiB);
  EXPECT_NE(buffer, nullptr);
  EXPECT_EQ(Held(), 0U);
  table_.clReleaseMemObject(buffer);
}

TEST_F(MemoryLimitTest, ContextsOfSeveralDevicesCountOnEach) {
  state_.devices = 2;
  slot().memory_limit.store(4 * kMiB);
  cl_mem buffer = Buffer(3 * kMiB);
  EXPECT_EQ(Held(), 3 * kMiB);
  EXPECT_EQ(Buffer(2 * kMiB), nullptr);
  table_.clReleaseMemObject(buffer);
  state_.devices = 1;
}

TEST_F(MemoryLimitTest, TheLimitIsWhatTheProgramSees) {
  const auto ask = [&](cl_device_info what) {
    cl_ulong bytes = 0;
    std::size_t size = 0;
    EXPECT_EQ(table_.clGetDeviceInfo(mock.device(), what, sizeof bytes, &bytes, &size), CL_SUCCESS);
    EXPECT_EQ(size, sizeof bytes);
    return bytes;
  };
  EXPECT_EQ(ask(CL_DEVICE_GLOBAL_MEM_SIZE), 16 * 1024 * kMiB);
  EXPECT_EQ(ask(CL_DEVICE_MAX_MEM_ALLOC_SIZE), 4 * 1024 * kMiB);
  slot().memory_limit.store(8 * 1024 * kMiB);
  EXPECT_EQ(ask(CL_DEVICE_GLOBAL_MEM_SIZE), 8 * 1024 * kMiB);
  EXPECT_EQ(ask(CL_DEVICE_MAX_MEM_ALLOC_SIZE), 4 * 1024 * kMiB) << "the driver's own, where that is less";
  slot().memory_limit.store(kMiB);
  EXPECT_EQ(ask(CL_DEVICE_MAX_MEM_ALLOC_SIZE), kMiB);
  std::size_t size = 0;
  EXPECT_EQ(table_.clGetDeviceInfo(mock.device(), CL_DEVICE_GLOBAL_MEM_SIZE, 0, nullptr, &size), CL_SUCCESS);
  slot().memory_limit.store(UINT64_MAX);  // garbage
  EXPECT_EQ(ask(CL_DEVICE_GLOBAL_MEM_SIZE), 16 * 1024 * kMiB);
}

}  // namespace
}  // namespace mortar::opencl
