// Extension functions of the mock driver.
#include <CL/cl_egl.h>
#include <CL/cl_ext.h>

#include "backend/opencl/mock_recorded.h"

namespace mortar::opencl {
namespace {

template <typename F>
void* Address(F* function) {
  return reinterpret_cast<void*>(function);
}

// Two buffers, whose handles come round again.
cl_command_buffer_khr CL_API_CALL CreateBuffer(cl_uint count, const cl_command_queue* queues,
                                               const cl_command_buffer_properties_khr* properties,
                                               cl_int* error) {
  static char buffers[2];
  static std::size_t made = 0;
  MockDriver::Get().Record("clCreateCommandBufferKHR", count, queues, properties, error);
  if (error != nullptr) *error = MockDriver::Get().answer.load();
  if (MockDriver::Get().answer.load() != CL_SUCCESS) return nullptr;
  return reinterpret_cast<cl_command_buffer_khr>(&buffers[made++ % 2]);
}

cl_int CL_API_CALL EnqueueBuffer(cl_uint count, cl_command_queue* queues, cl_command_buffer_khr buffer,
                                 cl_uint waits, const cl_event* list, cl_event* event) {
  MockDriver::Get().Record("clEnqueueCommandBufferKHR", count, queues, buffer, waits, list, event);
  return MockDriver::Get().Enqueue(count > 0 ? queues[0] : nullptr, waits, list, event);
}

struct Entry {
  const char* name;
  void* function;
};
#define MORTAR_SUBMIT(name, type) \
  Entry { #name, Address(Recorded <#name, type>::Submit) }
#define MORTAR_CALL(name, type) \
  Entry { #name, Address(Recorded <#name, type>::Call) }

}  // namespace

void* MockExtension(const char* name) {
  static const Entry kEntries[] = {
      MORTAR_SUBMIT(clEnqueueMemcpyINTEL, clEnqueueMemcpyINTEL_fn),
      MORTAR_SUBMIT(clEnqueueMemFillINTEL, clEnqueueMemFillINTEL_fn),
      MORTAR_SUBMIT(clEnqueueMemsetINTEL, clEnqueueMemsetINTEL_fn),
      MORTAR_SUBMIT(clEnqueueMigrateMemINTEL, clEnqueueMigrateMemINTEL_fn),
      MORTAR_SUBMIT(clEnqueueMemAdviseINTEL, clEnqueueMemAdviseINTEL_fn),
      MORTAR_CALL(clMemBlockingFreeINTEL, clMemBlockingFreeINTEL_fn),
      MORTAR_SUBMIT(clEnqueueSVMMemcpyARM, decltype(&clEnqueueSVMMemcpyARM)),
      MORTAR_SUBMIT(clEnqueueSVMMemFillARM, decltype(&clEnqueueSVMMemFillARM)),
      MORTAR_SUBMIT(clEnqueueSVMMapARM, decltype(&clEnqueueSVMMapARM)),
      MORTAR_SUBMIT(clEnqueueSVMUnmapARM, decltype(&clEnqueueSVMUnmapARM)),
      MORTAR_SUBMIT(clEnqueueMigrateMemObjectEXT, clEnqueueMigrateMemObjectEXT_fn),
      MORTAR_SUBMIT(clEnqueueAcquireExternalMemObjectsKHR, clEnqueueAcquireExternalMemObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueReleaseExternalMemObjectsKHR, clEnqueueReleaseExternalMemObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueAcquireVA_APIMediaSurfacesINTEL, clEnqueueAcquireExternalMemObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueReleaseVA_APIMediaSurfacesINTEL, clEnqueueReleaseExternalMemObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueAcquireEGLObjectsKHR, clEnqueueAcquireEGLObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueReleaseEGLObjectsKHR, clEnqueueReleaseEGLObjectsKHR_fn),
      MORTAR_SUBMIT(clEnqueueWaitSemaphoresKHR, clEnqueueWaitSemaphoresKHR_fn),
      MORTAR_SUBMIT(clEnqueueSignalSemaphoresKHR, clEnqueueSignalSemaphoresKHR_fn),
      {"clCreateCommandBufferKHR", Address(CreateBuffer)},
      MORTAR_CALL(clFinalizeCommandBufferKHR, clFinalizeCommandBufferKHR_fn),
      MORTAR_CALL(clCommandNDRangeKernelKHR, clCommandNDRangeKernelKHR_fn),
      MORTAR_CALL(clCommandBarrierWithWaitListKHR, clCommandBarrierWithWaitListKHR_fn),
      MORTAR_CALL(clCommandCopyBufferKHR, clCommandCopyBufferKHR_fn),
      MORTAR_CALL(clCommandCopyBufferRectKHR, clCommandCopyBufferRectKHR_fn),
      MORTAR_CALL(clCommandCopyBufferToImageKHR, clCommandCopyBufferToImageKHR_fn),
      MORTAR_CALL(clCommandCopyImageKHR, clCommandCopyImageKHR_fn),
      MORTAR_CALL(clCommandCopyImageToBufferKHR, clCommandCopyImageToBufferKHR_fn),
      MORTAR_CALL(clCommandFillBufferKHR, clCommandFillBufferKHR_fn),
      MORTAR_CALL(clCommandFillImageKHR, clCommandFillImageKHR_fn),
      {"clEnqueueCommandBufferKHR", Address(EnqueueBuffer)},
  };
  for (const Entry& entry : kEntries) {
    if (std::strcmp(entry.name, name) == 0) return entry.function;
  }
  return nullptr;
}

}  // namespace mortar::opencl
