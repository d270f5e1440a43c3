// Thin owners over the OpenCL C API for the two example programs. One thread at a time. Errors are
// exceptions.
//
// The examples are ordinary OpenCL programs: nothing here or elsewhere under examples/ knows of Mortar.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace examples {

// Thrown where there is no OpenCL platform or no device to use; main turns it into exit code kNoDevice.
struct NoDevice : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 77: what CTest and automake take for "skipped".
inline constexpr int kNoDevice = 77;

// Throws std::runtime_error naming the operation and the OpenCL status, unless it is CL_SUCCESS.
void Check(cl_int status, const char* operation);

template <auto Release>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    Release(object);
  }
};
template <typename Handle, auto Release>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Releaser<Release>>;

using Context = Owner<cl_context, clReleaseContext>;
using Queue = Owner<cl_command_queue, clReleaseCommandQueue>;
using Buffer = Owner<cl_mem, clReleaseMemObject>;
using Program = Owner<cl_program, clReleaseProgram>;
using Kernel = Owner<cl_kernel, clReleaseKernel>;

// A device with one in-order queue.
class Device {
 public:
  // Picks the first device whose platform or device name contains `wanted` (case matters; empty: a GPU if
  // there is one, else anything). Throws NoDevice.
  explicit Device(const std::string& wanted);

  const std::string& name() const { return name_; }
  cl_context context() const { return context_.get(); }
  cl_command_queue queue() const { return queue_.get(); }

  Buffer MakeBuffer(std::size_t bytes) const;
  // A buffer filled with `values`; blocks until they are there.
  Buffer MakeBuffer(const std::vector<float>& values) const;
  Program Build(const char* source) const;
  void Finish() const { Check(clFinish(queue()), "clFinish"); }

 private:
  std::string name_;
  cl_device_id id_ = nullptr;
  Context context_;
  Queue queue_;
};

Kernel MakeKernel(const Program& program, const char* name);

// Sets the arguments in order (cl_mem, float or cl_int) and enqueues `items` work-items.
template <typename... Args>
void Launch(const Device& device, const Kernel& kernel, std::size_t items, const Args&... args) {
  static_assert(
      ((std::is_same_v<Args, cl_mem> || std::is_same_v<Args, float> || std::is_same_v<Args, cl_int>)&&...),
      "only these types match an argument of an OpenCL kernel here");
  cl_uint index = 0;
  (Check(clSetKernelArg(kernel.get(), index++, sizeof(args), &args), "clSetKernelArg"), ...);
  Check(
      clEnqueueNDRangeKernel(device.queue(), kernel.get(), 1, nullptr, &items, nullptr, 0, nullptr, nullptr),
      "clEnqueueNDRangeKernel");
}

}  // namespace examples
