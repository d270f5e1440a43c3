// Copies, fills, maps and migrations of buffers, images and shared virtual memory: submits like kernels,
// identified by kind and size; the blocking ones wait too.
#include "backend/opencl/commands.h"

namespace mortar::opencl {
namespace {

constexpr Kind kFill("fill buffer");
constexpr Kind kMap("map buffer");
constexpr Kind kUnmap("unmap");
constexpr Kind kReadImage("read image");
constexpr Kind kWriteImage("write image");
constexpr Kind kCopyImage("copy image");
constexpr Kind kImageToBuffer("copy image to buffer");
constexpr Kind kBufferToImage("copy buffer to image");
constexpr Kind kFillImage("fill image");
constexpr Kind kMapImage("map image");
constexpr Kind kSvmCopy("copy SVM");
constexpr Kind kSvmFill("fill SVM");
constexpr Kind kSvmMap("map SVM");
constexpr Kind kSvmUnmap("unmap SVM");
constexpr Kind kMigrate("migrate");
constexpr Kind kSvmMigrate("migrate SVM");
constexpr Kind kAcquire("acquire shared objects");
constexpr Kind kRelease("release shared objects");

void* CL_API_CALL MapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags,
                            std::size_t offset, std::size_t size, cl_uint waits, const cl_event* wait_list,
                            cl_event* event, cl_int* error) noexcept {
  void* mapped = nullptr;
  SubmitCommand(queue, kMap, size, blocking != CL_FALSE, event, [&](cl_event* e) {
    cl_int status = CL_SUCCESS;
    mapped =
        next.clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, waits, wait_list, e, &status);
    if (error != nullptr) *error = status;
    return status;
  });
  return mapped;
}

void* CL_API_CALL MapImage(cl_command_queue queue, cl_mem image, cl_bool blocking, cl_map_flags flags,
                           const std::size_t* origin, const std::size_t* region, std::size_t* row,
                           std::size_t* slice, cl_uint waits, const cl_event* wait_list, cl_event* event,
                           cl_int* error) noexcept {
  void* mapped = nullptr;
  const auto call = [&](cl_event* e) {
    cl_int status = CL_SUCCESS;
    mapped = next.clEnqueueMapImage(queue, image, blocking, flags, origin, region, row, slice, waits,
                                    wait_list, e, &status);
    if (error != nullptr) *error = status;
    return status;
  };
  if (const auto pixels = AmountOf(region)) {
    SubmitCommand(queue, kMapImage, *pixels, blocking != CL_FALSE, event, call);
  } else {
    call(event);
  }
  return mapped;
}

void InstallBuffers(cl_icd_dispatch* table) {
  using D = cl_icd_dispatch;
  // Handler, kind, which argument tells the amount, which whether it blocks.
  InstallSubmit<&D::clEnqueueReadBuffer, kRead, 4, 2>(table);
  InstallSubmit<&D::clEnqueueWriteBuffer, kWrite, 4, 2>(table);
  InstallSubmit<&D::clEnqueueReadBufferRect, kRead, 5, 2>(table);
  InstallSubmit<&D::clEnqueueWriteBufferRect, kWrite, 5, 2>(table);
  InstallSubmit<&D::clEnqueueCopyBuffer, kCopy, 5>(table);
  InstallSubmit<&D::clEnqueueCopyBufferRect, kCopy, 5>(table);
  InstallSubmit<&D::clEnqueueFillBuffer, kFill, 5>(table);
  InstallSubmit<&D::clEnqueueUnmapMemObject, kUnmap>(table);
  table->clEnqueueMapBuffer = MapBuffer;
  InstallSubmit<&D::clEnqueueMigrateMemObjects, kMigrate, 1>(table);
  InstallSubmit<&D::clEnqueueAcquireGLObjects, kAcquire, 1>(table);
  InstallSubmit<&D::clEnqueueReleaseGLObjects, kRelease, 1>(table);
  InstallSubmit<&D::clEnqueueAcquireEGLObjectsKHR, kAcquire, 1>(table);
  InstallSubmit<&D::clEnqueueReleaseEGLObjectsKHR, kRelease, 1>(table);
}

}  // namespace

void InstallTransfers(cl_icd_dispatch* table) {
  using D = cl_icd_dispatch;
  InstallBuffers(table);
  InstallSubmit<&D::clEnqueueReadImage, kReadImage, 4, 2>(table);
  InstallSubmit<&D::clEnqueueWriteImage, kWriteImage, 4, 2>(table);
  InstallSubmit<&D::clEnqueueCopyImage, kCopyImage, 5>(table);
  InstallSubmit<&D::clEnqueueCopyImageToBuffer, kImageToBuffer, 4>(table);
  InstallSubmit<&D::clEnqueueCopyBufferToImage, kBufferToImage, 5>(table);
  InstallSubmit<&D::clEnqueueFillImage, kFillImage, 4>(table);
  table->clEnqueueMapImage = MapImage;
  InstallSubmit<&D::clEnqueueSVMMemcpy, kSvmCopy, 4, 1>(table);
  InstallSubmit<&D::clEnqueueSVMMemFill, kSvmFill, 4>(table);
  InstallSubmit<&D::clEnqueueSVMMap, kSvmMap, 4, 1>(table);
  InstallSubmit<&D::clEnqueueSVMUnmap, kSvmUnmap>(table);
  InstallSubmit<&D::clEnqueueSVMMigrateMem, kSvmMigrate, 1>(table);
}

}  // namespace mortar::opencl
