// Buffers: reads, writes, copies, fills, maps, migrations.
#include <CL/cl.h>

#include "emulated/layer/functions.h"
#include "emulated/layer/submit.h"

namespace mortar::emulated {
namespace {

std::uint64_t Bytes(const std::size_t* region) {
  std::uint64_t bytes = 0;
  if (region == nullptr || __builtin_mul_overflow(region[0], region[1], &bytes) ||
      __builtin_mul_overflow(bytes, region[2], &bytes)) {
    return 0;
  }
  return bytes;
}

cl_int CL_API_CALL clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                       std::size_t offset, std::size_t size, void* host, cl_uint count,
                                       const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueReadBuffer(queue, buffer, blocking, offset, size, host,
                                                             count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                        std::size_t offset, std::size_t size, const void* host, cl_uint count,
                                        const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, host,
                                                              count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                           const std::size_t* buffer_origin, const std::size_t* host_origin,
                                           const std::size_t* region, std::size_t buffer_row,
                                           std::size_t buffer_slice, std::size_t host_row,
                                           std::size_t host_slice, void* host, cl_uint count,
                                           const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(Bytes(region)), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueReadBufferRect(
      queue, buffer, blocking, buffer_origin, host_origin, region, buffer_row, buffer_slice, host_row,
      host_slice, host, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueWriteBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                            const std::size_t* buffer_origin, const std::size_t* host_origin,
                                            const std::size_t* region, std::size_t buffer_row,
                                            std::size_t buffer_slice, std::size_t host_row,
                                            std::size_t host_slice, const void* host, cl_uint count,
                                            const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(Bytes(region)), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueWriteBufferRect(
      queue, buffer, blocking, buffer_origin, host_origin, region, buffer_row, buffer_slice, host_row,
      host_slice, host, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to,
                                       std::size_t from_offset, std::size_t to_offset, std::size_t size,
                                       cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, size,
                                                             count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem from, cl_mem to,
                                           const std::size_t* from_origin, const std::size_t* to_origin,
                                           const std::size_t* region, std::size_t from_row,
                                           std::size_t from_slice, std::size_t to_row, std::size_t to_slice,
                                           cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(Bytes(region)), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueCopyBufferRect(queue, from, to, from_origin, to_origin,
                                                                 region, from_row, from_slice, to_row,
                                                                 to_slice, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void* pattern,
                                       std::size_t pattern_size, std::size_t offset, std::size_t size,
                                       cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueFillBuffer(queue, buffer, pattern, pattern_size, offset,
                                                             size, count, list, enqueue.event()));
}

// A map that reads is a transfer; one that only overwrites, and every unmap, costs the latency alone: a
// device that shares memory with the host (as most that map do) moves nothing.
void* CL_API_CALL clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                     cl_map_flags flags, std::size_t offset, std::size_t size, cl_uint count,
                                     const cl_event* list, cl_event* event, cl_int* error) {
  const std::uint64_t bytes = (flags & CL_MAP_READ) != 0 ? size : 0;
  Enqueue enqueue(queue, Transfer(bytes), blocking != CL_FALSE, {count, list}, event);
  cl_int status = CL_SUCCESS;
  void* mapped = Current().driver.clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, count,
                                                     list, enqueue.event(), &status);
  enqueue.Finish(status);
  if (error != nullptr) *error = status;
  return mapped;
}

cl_int CL_API_CALL clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem object, void* mapped, cl_uint count,
                                           const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(0), false, {count, list}, event);
  return enqueue.Finish(
      Current().driver.clEnqueueUnmapMemObject(queue, object, mapped, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueMigrateMemObjects(cl_command_queue queue, cl_uint objects,
                                              const cl_mem* object_list, cl_mem_migration_flags flags,
                                              cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(0), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueMigrateMemObjects(queue, objects, object_list, flags, count,
                                                                    list, enqueue.event()));
}

}  // namespace

void FillTransfers(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  MORTAR_WRAP(clEnqueueReadBuffer);
  MORTAR_WRAP(clEnqueueWriteBuffer);
  MORTAR_WRAP(clEnqueueReadBufferRect);
  MORTAR_WRAP(clEnqueueWriteBufferRect);
  MORTAR_WRAP(clEnqueueCopyBuffer);
  MORTAR_WRAP(clEnqueueCopyBufferRect);
  MORTAR_WRAP(clEnqueueFillBuffer);
  MORTAR_WRAP(clEnqueueMapBuffer);
  MORTAR_WRAP(clEnqueueUnmapMemObject);
  MORTAR_WRAP(clEnqueueMigrateMemObjects);
}

}  // namespace mortar::emulated
