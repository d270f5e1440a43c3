// Markers and barriers, and the two commands in which the driver runs a function of the program's: native
// kernels and frees of shared virtual memory.
#include "backend/opencl/commands.h"

#include <cstring>
#include <memory>
#include <new>

#include "backend/opencl/host_functions.h"

namespace mortar::opencl {
namespace {

constexpr Kind kNative("native kernel");

cl_int CL_API_CALL Marker(cl_command_queue queue, cl_event* event) noexcept {
  const cl_int status = next.clEnqueueMarker(queue, event);
  if (status == CL_SUCCESS && event != nullptr) RememberOrder(queue, 0, nullptr, *event);
  return status;
}

// What stands before the program's arguments in those of a wrapped native kernel. As large as the strictest
// alignment, so that the program's lie where they would.
struct alignas(16) NativeHeader {
  NativeFunction function;
};
constexpr std::size_t kMostNative = 4096;  // chosen: bytes of arguments, more than anybody passes
constexpr cl_uint kMostObjects = 64;

void CL_CALLBACK OnNative(void* arguments) {
  NativeHeader header;
  std::memcpy(&header, arguments, sizeof header);
  // A thread of the driver: what the program submits from here must not be held.
  const client::CallbackScope scope;
  header.function(static_cast<char*>(arguments) + sizeof header);
}

struct NativeCall {
  NativeFunction function;
  void* arguments;
  std::size_t size;
  cl_uint objects;
  const cl_mem* list;
  const void** places;
};

// Is this what the driver will accept, and small enough to be wrapped?
bool CanWrap(const NativeCall& native) {
  if (native.function == nullptr || native.arguments == nullptr || native.size > kMostNative ||
      native.objects > kMostObjects ||
      (native.objects > 0 && (native.list == nullptr || native.places == nullptr))) {
    return false;
  }
  const auto* begin = static_cast<const char*>(native.arguments);
  for (cl_uint i = 0; i < native.objects; ++i) {
    const auto* place = static_cast<const char*>(native.places[i]);
    if (place < begin || place + sizeof(cl_mem) > begin + native.size) return false;
  }
  return true;
}

// `call(function, arguments, size, places)` with the program's function inside a scope of ours. The driver
// copies the arguments before it returns.
template <typename Call>
cl_int WithScope(const NativeCall& native, Call&& call) {
  alignas(16) char copy[sizeof(NativeHeader) + kMostNative];
  const void* places[kMostObjects];
  const NativeHeader header{native.function};
  std::memcpy(copy, &header, sizeof header);
  std::memcpy(copy + sizeof header, native.arguments, native.size);
  for (cl_uint i = 0; i < native.objects; ++i) {
    places[i] = copy + sizeof header +
                (static_cast<const char*>(native.places[i]) - static_cast<const char*>(native.arguments));
  }
  return call(OnNative, static_cast<void*>(copy), sizeof header + native.size,
              native.objects > 0 ? places : native.places);
}

cl_int CL_API_CALL NativeKernel(cl_command_queue queue, NativeFunction function, void* arguments,
                                std::size_t size, cl_uint objects, const cl_mem* list, const void** places,
                                cl_uint waits, const cl_event* wait_list, cl_event* event) noexcept {
  const NativeCall native{function, arguments, size, objects, list, places};
  const auto call = [&](cl_event* e) {
    const auto enqueue = [&](NativeFunction f, void* a, std::size_t s, const void** p) {
      return next.clEnqueueNativeKernel(queue, f, a, s, objects, list, p, waits, wait_list, e);
    };
    return CanWrap(native) ? WithScope(native, enqueue) : enqueue(function, arguments, size, places);
  };
  if (function == nullptr) return call(event);
  return SubmitCommand(queue, kNative, size, false, event, call);
}

cl_int CL_API_CALL SvmFree(cl_command_queue queue, cl_uint count, void** pointers, SvmFreeFunction function,
                           void* data, cl_uint waits, const cl_event* wait_list, cl_event* event) noexcept {
  return FreeThrough(next.clEnqueueSVMFree, queue, count, pointers, function, data, waits, wait_list, event);
}

struct WrappedFree {
  SvmFreeFunction function;
  void* data;
};

void CL_CALLBACK OnFree(cl_command_queue queue, cl_uint count, void** pointers, void* data) {
  const std::unique_ptr<WrappedFree> wrapped(static_cast<WrappedFree*>(data));
  const client::CallbackScope scope;
  wrapped->function(queue, count, pointers, wrapped->data);
}

}  // namespace

void RememberOrder(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event event) noexcept {
  const Queue* info = FindQueue(queue);
  const client::Lane* lane = info != nullptr ? client::LaneIfJoined(info->device) : nullptr;
  if (lane == nullptr) return;
  std::uint64_t covered = 0;
  for (cl_uint i = 0; list != nullptr && i < count; ++i) {
    covered = std::max(covered, SequenceOf(list[i], lane));
  }
  // Without a list it waits for everything before it, on any queue. Pairs with Submit: the number is not
  // older than the lane.
  const std::uint64_t last = info->last_sequence.load(std::memory_order_acquire);
  if ((info->ordered || count == 0) && info->last_lane.load(std::memory_order_relaxed) == lane) {
    covered = std::max(covered, last);
  }
  RememberEvent(event, lane, covered);
}

cl_int FreeThrough(SvmFreeCall real, cl_command_queue queue, cl_uint count, void** pointers,
                   SvmFreeFunction function, void* data, cl_uint waits, const cl_event* wait_list,
                   cl_event* event) noexcept {
  auto* wrapped = function != nullptr ? new (std::nothrow) WrappedFree{function, data} : nullptr;
  if (wrapped == nullptr) {
    return OrderThrough(real, queue, count, pointers, function, data, waits, wait_list, event);
  }
  const cl_int status = OrderThrough(real, queue, count, pointers, OnFree, wrapped, waits, wait_list, event);
  if (status != CL_SUCCESS) delete wrapped;
  return status;
}

void InstallCommands(cl_icd_dispatch* table) {
  using D = cl_icd_dispatch;
  table->clEnqueueMarker = Marker;
  InstallOrder<&D::clEnqueueMarkerWithWaitList>(table);
  InstallOrder<&D::clEnqueueBarrierWithWaitList>(table);
  table->clEnqueueNativeKernel = NativeKernel;
  table->clEnqueueSVMFree = SvmFree;
}

}  // namespace mortar::opencl
