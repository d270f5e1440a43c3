// Shared virtual memory and images: transfers like those of buffers.
#include <CL/cl.h>

#include "emulated/layer/functions.h"
#include "emulated/layer/submit.h"

namespace mortar::emulated {
namespace {

Work Pixels(cl_mem image, const std::size_t* region) {
  std::size_t element = 0;
  const auto& driver = Current().driver;
  if (image == nullptr || region == nullptr || driver.clGetImageInfo == nullptr ||
      driver.clGetImageInfo(image, CL_IMAGE_ELEMENT_SIZE, sizeof element, &element, nullptr) != CL_SUCCESS) {
    return Transfer(0);
  }
  std::uint64_t bytes = element;
  for (int d = 0; d < 3; ++d) {
    if (__builtin_mul_overflow(bytes, region[d], &bytes)) return Transfer(0);
  }
  return Transfer(bytes);
}

cl_int CL_API_CALL clEnqueueReadImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
                                      const std::size_t* origin, const std::size_t* region, std::size_t row,
                                      std::size_t slice, void* host, cl_uint count, const cl_event* list,
                                      cl_event* event) {
  Enqueue enqueue(queue, Pixels(image, region), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueReadImage(queue, image, blocking, origin, region, row,
                                                            slice, host, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueWriteImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
                                       const std::size_t* origin, const std::size_t* region, std::size_t row,
                                       std::size_t slice, const void* host, cl_uint count,
                                       const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Pixels(image, region), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueWriteImage(queue, image, blocking, origin, region, row,
                                                             slice, host, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueCopyImage(cl_command_queue queue, cl_mem from, cl_mem to,
                                      const std::size_t* from_origin, const std::size_t* to_origin,
                                      const std::size_t* region, cl_uint count, const cl_event* list,
                                      cl_event* event) {
  Enqueue enqueue(queue, Pixels(from, region), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueCopyImage(queue, from, to, from_origin, to_origin, region,
                                                            count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem from, cl_mem to,
                                              const std::size_t* origin, const std::size_t* region,
                                              std::size_t offset, cl_uint count, const cl_event* list,
                                              cl_event* event) {
  Enqueue enqueue(queue, Pixels(from, region), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueCopyImageToBuffer(queue, from, to, origin, region, offset,
                                                                    count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueCopyBufferToImage(cl_command_queue queue, cl_mem from, cl_mem to,
                                              std::size_t offset, const std::size_t* origin,
                                              const std::size_t* region, cl_uint count, const cl_event* list,
                                              cl_event* event) {
  Enqueue enqueue(queue, Pixels(to, region), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueCopyBufferToImage(queue, from, to, offset, origin, region,
                                                                    count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void* color,
                                      const std::size_t* origin, const std::size_t* region, cl_uint count,
                                      const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Pixels(image, region), false, {count, list}, event);
  return enqueue.Finish(
      Current().driver.clEnqueueFillImage(queue, image, color, origin, region, count, list, enqueue.event()));
}

void* CL_API_CALL clEnqueueMapImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
                                    cl_map_flags flags, const std::size_t* origin, const std::size_t* region,
                                    std::size_t* row, std::size_t* slice, cl_uint count, const cl_event* list,
                                    cl_event* event, cl_int* error) {
  const Work work = (flags & CL_MAP_READ) != 0 ? Pixels(image, region) : Transfer(0);
  Enqueue enqueue(queue, work, blocking != CL_FALSE, {count, list}, event);
  cl_int status = CL_SUCCESS;
  void* mapped = Current().driver.clEnqueueMapImage(queue, image, blocking, flags, origin, region, row, slice,
                                                    count, list, enqueue.event(), &status);
  enqueue.Finish(status);
  if (error != nullptr) *error = status;
  return mapped;
}

cl_int CL_API_CALL clEnqueueSVMFree(cl_command_queue queue, cl_uint pointers, void* pointer_list[],
                                    void(CL_CALLBACK* free_function)(cl_command_queue, cl_uint, void*[],
                                                                     void*),
                                    void* user_data, cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, {Kind::kMarker}, false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueSVMFree(queue, pointers, pointer_list, free_function,
                                                          user_data, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueSVMMemcpy(cl_command_queue queue, cl_bool blocking, void* to, const void* from,
                                      std::size_t size, cl_uint count, const cl_event* list,
                                      cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(
      Current().driver.clEnqueueSVMMemcpy(queue, blocking, to, from, size, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueSVMMemFill(cl_command_queue queue, void* pointer, const void* pattern,
                                       std::size_t pattern_size, std::size_t size, cl_uint count,
                                       const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(size), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueSVMMemFill(queue, pointer, pattern, pattern_size, size,
                                                             count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueSVMMap(cl_command_queue queue, cl_bool blocking, cl_map_flags flags,
                                   void* pointer, std::size_t size, cl_uint count, const cl_event* list,
                                   cl_event* event) {
  const std::uint64_t bytes = (flags & CL_MAP_READ) != 0 ? size : 0;
  Enqueue enqueue(queue, Transfer(bytes), blocking != CL_FALSE, {count, list}, event);
  return enqueue.Finish(
      Current().driver.clEnqueueSVMMap(queue, blocking, flags, pointer, size, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueSVMUnmap(cl_command_queue queue, void* pointer, cl_uint count,
                                     const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(0), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueSVMUnmap(queue, pointer, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueSVMMigrateMem(cl_command_queue queue, cl_uint pointers, const void** pointer_list,
                                          const std::size_t* sizes, cl_mem_migration_flags flags,
                                          cl_uint count, const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, Transfer(0), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueSVMMigrateMem(queue, pointers, pointer_list, sizes, flags,
                                                                count, list, enqueue.event()));
}

}  // namespace

void FillSvmAndImages(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  MORTAR_WRAP(clEnqueueReadImage);
  MORTAR_WRAP(clEnqueueWriteImage);
  MORTAR_WRAP(clEnqueueCopyImage);
  MORTAR_WRAP(clEnqueueCopyImageToBuffer);
  MORTAR_WRAP(clEnqueueCopyBufferToImage);
  MORTAR_WRAP(clEnqueueFillImage);
  MORTAR_WRAP(clEnqueueMapImage);
  MORTAR_WRAP(clEnqueueSVMFree);
  MORTAR_WRAP(clEnqueueSVMMemcpy);
  MORTAR_WRAP(clEnqueueSVMMemFill);
  MORTAR_WRAP(clEnqueueSVMMap);
  MORTAR_WRAP(clEnqueueSVMUnmap);
  MORTAR_WRAP(clEnqueueSVMMigrateMem);
}

}  // namespace mortar::emulated
