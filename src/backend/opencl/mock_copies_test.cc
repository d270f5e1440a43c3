// The mock driver's copies of buffers, which take as long as they have bytes.
#include "backend/opencl/mock_recorded.h"

namespace mortar::opencl {
namespace {

cl_int Copy(std::size_t bytes, cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event) {
  MockDriver& mock = MockDriver::Get();
  if (mock.copies_left.load() == 0) return CL_OUT_OF_RESOURCES;
  if (mock.copies_left.load() > 0) mock.copies_left.fetch_sub(1);
  const std::int64_t length = mock.ns_per_kib.load() * static_cast<std::int64_t>(bytes / 1024);
  return mock.Enqueue(queue, count, list, event, length != 0 ? length : mock.duration_ns.load());
}

cl_int CL_API_CALL ReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                              std::size_t bytes, void* to, cl_uint count, const cl_event* list,
                              cl_event* event) {
  MockDriver::Get().Record("clEnqueueReadBuffer", queue, buffer, blocking, offset, bytes, to, count, list,
                           event);
  return Copy(bytes, queue, count, list, event);
}

cl_int CL_API_CALL WriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                               std::size_t bytes, const void* from, cl_uint count, const cl_event* list,
                               cl_event* event) {
  MockDriver::Get().Record("clEnqueueWriteBuffer", queue, buffer, blocking, offset, bytes, from, count, list,
                           event);
  return Copy(bytes, queue, count, list, event);
}

cl_int CL_API_CALL CopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t from_offset,
                              std::size_t to_offset, std::size_t bytes, cl_uint count, const cl_event* list,
                              cl_event* event) {
  MockDriver::Get().Record("clEnqueueCopyBuffer", queue, from, to, from_offset, to_offset, bytes, count, list,
                           event);
  return Copy(bytes, queue, count, list, event);
}

cl_int CL_API_CALL GetMemObjectInfo(cl_mem, cl_mem_info what, std::size_t room, void* out, std::size_t*) {
  const cl_mem parent = MockDriver::Get().parent.load();
  if (what != CL_MEM_ASSOCIATED_MEMOBJECT || room < sizeof parent) return CL_INVALID_VALUE;
  std::memcpy(out, &parent, sizeof parent);
  return CL_SUCCESS;
}

}  // namespace

void InstallMockCopies(cl_icd_dispatch* table) {
  table->clEnqueueReadBuffer = ReadBuffer;
  table->clEnqueueWriteBuffer = WriteBuffer;
  table->clEnqueueCopyBuffer = CopyBuffer;
  table->clGetMemObjectInfo = GetMemObjectInfo;
}

}  // namespace mortar::opencl
