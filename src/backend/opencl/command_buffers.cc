// Command buffers (cl_khr_command_buffer): recording passes through; what is recorded gives the buffer its
// identity, so that the same buffer is known again in the next run. Enqueueing one is one submit, with a
// duration of its own.
#include <cstdio>

#include "backend/opencl/commands.h"
#include "backend/opencl/extensions.h"

namespace mortar::opencl {
namespace {

// Recording is the program's to serialise; the fields are atomic all the same, as mistakes are the driver's
// to answer.
struct Recording {
  std::atomic<cl_command_queue> queue{nullptr};  // the first it was made for
  std::atomic<std::uint64_t> identity{0};
  std::atomic<std::uint64_t> commands{0};
};
constinit base::HandleMap<Recording> recordings;

void Add(cl_command_buffer_khr buffer, std::uint64_t command) {
  Recording* recording = buffer != nullptr ? recordings.Find(buffer) : nullptr;
  if (recording == nullptr) return;
  recording->identity.store(
      base::Combine(recording->identity.load(std::memory_order_relaxed), base::Mix(command)),
      std::memory_order_relaxed);
  recording->commands.fetch_add(1, std::memory_order_relaxed);
}

struct Create {
  using Function = clCreateCommandBufferKHR_fn;
  static constexpr std::string_view kName = "clCreateCommandBufferKHR";
  static cl_command_buffer_khr Call(Function real, cl_uint count, const cl_command_queue* queues,
                                    const cl_command_buffer_properties_khr* properties,
                                    cl_int* error) noexcept {
    cl_command_buffer_khr buffer = real(count, queues, properties, error);
    if (buffer == nullptr) return buffer;
    // A handle may be given out again: the entry is used again, so that programs that make a buffer for every
    // launch do not grow.
    Recording* recording = recordings.Find(buffer);
    const bool is_new = recording == nullptr;
    if (is_new) recording = new (std::nothrow) Recording;
    if (recording == nullptr) return buffer;
    recording->queue.store(count > 0 && queues != nullptr ? queues[0] : nullptr, std::memory_order_relaxed);
    recording->identity.store(0, std::memory_order_relaxed);
    recording->commands.store(0, std::memory_order_relaxed);
    if (is_new) recordings.Put(buffer, recording);
    return buffer;
  }
};

struct RecordKernel {
  using Function = clCommandNDRangeKernelKHR_fn;
  static constexpr std::string_view kName = "clCommandNDRangeKernelKHR";
  static cl_int Call(Function real, cl_command_buffer_khr buffer, cl_command_queue queue,
                     const cl_ndrange_kernel_command_properties_khr* properties, cl_kernel kernel,
                     cl_uint dimensions, const std::size_t* offset, const std::size_t* global,
                     const std::size_t* local, cl_uint count, const cl_sync_point_khr* list,
                     cl_sync_point_khr* point, cl_mutable_command_khr* handle) noexcept {
    const cl_int status = real(buffer, queue, properties, kernel, dimensions, offset, global, local, count,
                               list, point, handle);
    if (status != CL_SUCCESS) return status;
    const KernelInfo* info = FindKernelInfo(kernel);
    model::LaunchShape shape;
    for (cl_uint i = 0; i < dimensions && i < 3; ++i) {
      shape.grid[i] = global[i];
      if (local != nullptr) shape.block[i] = local[i];
    }
    Add(buffer, model::MakeKernelId(info != nullptr ? info->name_hash : 0, shape));
    return status;
  }
};

// Copies, fills and barriers: known by what they are and their sizes and offsets.
template <typename F, const Kind& kKind>
struct Record {
  using Function = F;
  static cl_int Call(F real, cl_command_buffer_khr buffer, auto... rest) noexcept {
    const cl_int status = real(buffer, rest...);
    if (status != CL_SUCCESS) return status;
    std::uint64_t command = kKind.hash;
    const auto mix = [&command](auto argument) {
      if constexpr (std::is_same_v<decltype(argument), std::size_t>) {
        command = base::Combine(command, argument);
      }
    };
    (mix(rest), ...);
    Add(buffer, command);
    return status;
  }
};

#define MORTAR_RECORD(name)                                     \
  constexpr Kind kKind##name(#name);                            \
  struct name : Record<cl##name##KHR_fn, kKind##name> {         \
    static constexpr std::string_view kName = "cl" #name "KHR"; \
  };
MORTAR_RECORD(CommandBarrierWithWaitList)
MORTAR_RECORD(CommandCopyBuffer)
MORTAR_RECORD(CommandCopyBufferRect)
MORTAR_RECORD(CommandCopyBufferToImage)
MORTAR_RECORD(CommandCopyImage)
MORTAR_RECORD(CommandCopyImageToBuffer)
MORTAR_RECORD(CommandFillBuffer)
MORTAR_RECORD(CommandFillImage)
#undef MORTAR_RECORD

struct EnqueueBuffer {
  using Function = clEnqueueCommandBufferKHR_fn;
  static constexpr std::string_view kName = "clEnqueueCommandBufferKHR";
  static cl_int Call(Function real, cl_uint count, cl_command_queue* queues, cl_command_buffer_khr buffer,
                     cl_uint waits, const cl_event* wait_list, cl_event* event) noexcept {
    const auto call = [&](cl_event* e) { return real(count, queues, buffer, waits, wait_list, e); };
    const Recording* recording = buffer != nullptr ? recordings.Find(buffer) : nullptr;
    if (recording == nullptr) return call(event);
    const bool given = count > 0 && queues != nullptr;
    cl_command_queue queue = given ? queues[0] : recording->queue.load(std::memory_order_relaxed);
    Queue* info = FindQueue(queue);
    client::Lane* lane = info != nullptr ? client::CurrentLane(info->device) : nullptr;
    if (lane == nullptr) return call(event);
    char name[64];
    const std::uint64_t commands = recording->commands.load(std::memory_order_relaxed);
    std::snprintf(name, sizeof name, "command buffer of %llu", static_cast<unsigned long long>(commands));
    static constexpr Kind kBuffer("command buffer");
    const model::KernelId id =
        base::Combine(kBuffer.hash, recording->identity.load(std::memory_order_relaxed));
    return Submit(queue, *info, lane, client::FindKernel(info->device, id, name), false, event, call);
  }
};

constexpr Extension kAll[] = {
    MakeExtension<Create>(),
    MakeExtension<RecordKernel>(),
    MakeExtension<CommandBarrierWithWaitList>(),
    MakeExtension<CommandCopyBuffer>(),
    MakeExtension<CommandCopyBufferRect>(),
    MakeExtension<CommandCopyBufferToImage>(),
    MakeExtension<CommandCopyImage>(),
    MakeExtension<CommandCopyImageToBuffer>(),
    MakeExtension<CommandFillBuffer>(),
    MakeExtension<CommandFillImage>(),
    MakeExtension<EnqueueBuffer>(),
};

}  // namespace

std::span<const Extension> CommandBufferExtensions() { return kAll; }

}  // namespace mortar::opencl
