// Copies, fills and maps of buffers: submits like kernels, identified by kind and size; the blocking ones
// wait too.
#include <string_view>

#include "backend/opencl/layer.h"
#include "backend/opencl/submit.h"
#include "model/kernel_id.h"

namespace mortar::opencl {
namespace {

constexpr std::uint64_t HashLiteral(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return base::Mix(hash);
}

struct Kind {
  std::string_view name;
  std::uint64_t hash;
  constexpr explicit Kind(std::string_view n) : name(n), hash(HashLiteral(n)) {}
};
constexpr Kind kRead("read buffer");
constexpr Kind kWrite("write buffer");
constexpr Kind kCopy("copy buffer");
constexpr Kind kFill("fill buffer");
constexpr Kind kMap("map buffer");
constexpr Kind kUnmap("unmap");

template <typename Call>
cl_int Transfer(cl_command_queue queue, const Kind& kind, std::size_t bytes, bool blocking, cl_event* event,
                Call&& call) {
  Queue* info = FindQueue(queue);
  client::Lane* lane = info != nullptr ? client::CurrentLane(info->device) : nullptr;
  if (lane == nullptr) return call(event);
  const model::LaunchShape shape{.shared_bytes = bytes};
  predict::Kernel* kernel =
      client::FindKernel(info->device, model::MakeKernelId(kind.hash, shape), kind.name);
  return Submit(queue, *info, lane, kernel, blocking, event, call);
}

std::size_t Volume(const std::size_t* region) {
  return region != nullptr ? region[0] * region[1] * region[2] : 0;
}

cl_int CL_API_CALL ReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                              std::size_t size, void* out, cl_uint waits, const cl_event* wait_list,
                              cl_event* event) noexcept {
  return Transfer(queue, kRead, size, blocking != CL_FALSE, event, [&](cl_event* e) {
    return next.clEnqueueReadBuffer(queue, buffer, blocking, offset, size, out, waits, wait_list, e);
  });
}

cl_int CL_API_CALL WriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                               std::size_t size, const void* in, cl_uint waits, const cl_event* wait_list,
                               cl_event* event) noexcept {
  return Transfer(queue, kWrite, size, blocking != CL_FALSE, event, [&](cl_event* e) {
    return next.clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, in, waits, wait_list, e);
  });
}

cl_int CL_API_CALL ReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                  const std::size_t* origin, const std::size_t* host_origin,
                                  const std::size_t* region, std::size_t row, std::size_t slice,
                                  std::size_t host_row, std::size_t host_slice, void* out, cl_uint waits,
                                  const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kRead, Volume(region), blocking != CL_FALSE, event, [&](cl_event* e) {
    return next.clEnqueueReadBufferRect(queue, buffer, blocking, origin, host_origin, region, row, slice,
                                        host_row, host_slice, out, waits, wait_list, e);
  });
}

cl_int CL_API_CALL WriteBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                   const std::size_t* origin, const std::size_t* host_origin,
                                   const std::size_t* region, std::size_t row, std::size_t slice,
                                   std::size_t host_row, std::size_t host_slice, const void* in,
                                   cl_uint waits, const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kWrite, Volume(region), blocking != CL_FALSE, event, [&](cl_event* e) {
    return next.clEnqueueWriteBufferRect(queue, buffer, blocking, origin, host_origin, region, row, slice,
                                         host_row, host_slice, in, waits, wait_list, e);
  });
}

cl_int CL_API_CALL CopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t from_offset,
                              std::size_t to_offset, std::size_t size, cl_uint waits,
                              const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kCopy, size, false, event, [&](cl_event* e) {
    return next.clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, size, waits, wait_list, e);
  });
}

cl_int CL_API_CALL CopyBufferRect(cl_command_queue queue, cl_mem from, cl_mem to,
                                  const std::size_t* from_origin, const std::size_t* to_origin,
                                  const std::size_t* region, std::size_t from_row, std::size_t from_slice,
                                  std::size_t to_row, std::size_t to_slice, cl_uint waits,
                                  const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kCopy, Volume(region), false, event, [&](cl_event* e) {
    return next.clEnqueueCopyBufferRect(queue, from, to, from_origin, to_origin, region, from_row, from_slice,
                                        to_row, to_slice, waits, wait_list, e);
  });
}

cl_int CL_API_CALL FillBuffer(cl_command_queue queue, cl_mem buffer, const void* pattern,
                              std::size_t pattern_size, std::size_t offset, std::size_t size, cl_uint waits,
                              const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kFill, size, false, event, [&](cl_event* e) {
    return next.clEnqueueFillBuffer(queue, buffer, pattern, pattern_size, offset, size, waits, wait_list, e);
  });
}

void* CL_API_CALL MapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags,
                            std::size_t offset, std::size_t size, cl_uint waits, const cl_event* wait_list,
                            cl_event* event, cl_int* error) noexcept {
  void* mapped = nullptr;
  Transfer(queue, kMap, size, blocking != CL_FALSE, event, [&](cl_event* e) {
    cl_int status = CL_SUCCESS;
    mapped =
        next.clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, waits, wait_list, e, &status);
    if (error != nullptr) *error = status;
    return status;
  });
  return mapped;
}

cl_int CL_API_CALL Unmap(cl_command_queue queue, cl_mem object, void* mapped, cl_uint waits,
                         const cl_event* wait_list, cl_event* event) noexcept {
  return Transfer(queue, kUnmap, 0, false, event, [&](cl_event* e) {
    return next.clEnqueueUnmapMemObject(queue, object, mapped, waits, wait_list, e);
  });
}

}  // namespace

void InstallTransfers(cl_icd_dispatch* table) {
  table->clEnqueueReadBuffer = ReadBuffer;
  table->clEnqueueWriteBuffer = WriteBuffer;
  table->clEnqueueReadBufferRect = ReadBufferRect;
  table->clEnqueueWriteBufferRect = WriteBufferRect;
  table->clEnqueueCopyBuffer = CopyBuffer;
  table->clEnqueueCopyBufferRect = CopyBufferRect;
  table->clEnqueueFillBuffer = FillBuffer;
  table->clEnqueueMapBuffer = MapBuffer;
  table->clEnqueueUnmapMemObject = Unmap;
}

}  // namespace mortar::opencl
