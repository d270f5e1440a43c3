// Kernel launches: identity (name, sizes, small scalars where durations prove bimodal), and the gate.
#include <cstring>

#include "backend/opencl/programs.h"
#include "backend/opencl/slices.h"
#include "backend/opencl/submit.h"

namespace mortar::opencl {
namespace {

constinit base::HandleMap<KernelInfo> kernels;

// Handles are given out again after release: what a new one means must be looked up anew.
KernelInfo* Learn(cl_kernel kernel) {
  char name[256] = {};
  if (next.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name - 1, name, nullptr) != CL_SUCCESS) {
    std::strcpy(name, "kernel");
  }
  auto* info = new (std::nothrow) KernelInfo;
  if (info == nullptr) return nullptr;
  info->name_hash = model::HashName(name);
  std::memcpy(info->name, name, sizeof info->name - 1);
  kernels.Put(kernel, info);
  return info;
}

// A kernel's handle was made: an entry that stands under it belongs to a dead one. The entry is used again,
// so that programs which make a kernel for every launch do not grow.
void OnCreated(cl_kernel kernel) {
  KernelInfo* old = kernel != nullptr ? kernels.Find(kernel) : nullptr;
  if (old == nullptr) return;
  char name[256] = {};
  if (next.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name - 1, name, nullptr) != CL_SUCCESS)
    return;
  if (old->name_hash != model::HashName(name))
    Learn(kernel);
  else {
    old->arguments.store(0, std::memory_order_relaxed);
    for (auto& part : old->parts) part.store(0, std::memory_order_relaxed);
  }
}

void OnCreatedFrom(cl_program program, cl_kernel kernel) {
  OnCreated(kernel);
  if (client::SliceNs() == 0) return;
  if (KernelInfo* info = FindKernelInfo(kernel)) info->safety.store(SafetyOf(program, info->name_hash));
}

cl_kernel CL_API_CALL CreateKernel(cl_program program, const char* name, cl_int* error) noexcept {
  cl_kernel kernel = next.clCreateKernel(program, name, error);
  OnCreatedFrom(program, kernel);
  return kernel;
}

cl_int CL_API_CALL CreateKernelsInProgram(cl_program program, cl_uint count, cl_kernel* made,
                                          cl_uint* made_count) noexcept {
  cl_uint number = 0;
  const cl_int status = next.clCreateKernelsInProgram(program, count, made, &number);
  if (status == CL_SUCCESS && made_count != nullptr) *made_count = number;
  if (status == CL_SUCCESS && made != nullptr) {
    for (cl_uint i = 0; i < number && i < count; ++i) OnCreatedFrom(program, made[i]);
  }
  return status;
}

cl_kernel CL_API_CALL CloneKernel(cl_kernel source, cl_int* error) noexcept {
  cl_kernel kernel = next.clCloneKernel(source, error);
  OnCreated(kernel);
  // The clone starts with its source's argument values.
  const KernelInfo* from = kernel != nullptr ? kernels.Find(source) : nullptr;
  KernelInfo* to = from != nullptr ? FindKernelInfo(kernel) : nullptr;
  if (to == nullptr) return kernel;
  to->safety.store(from->safety.load());
  to->arguments.store(from->arguments.load(std::memory_order_relaxed), std::memory_order_relaxed);
  for (cl_uint i = 0; i < KernelInfo::kArguments; ++i) {
    to->parts[i].store(from->parts[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  return kernel;
}

cl_int CL_API_CALL SetKernelArg(cl_kernel kernel, cl_uint index, std::size_t size,
                                const void* value) noexcept {
  const cl_int status = next.clSetKernelArg(kernel, index, size, value);
  // Up to four bytes: a number, never a handle.
  if (status != CL_SUCCESS || value == nullptr || size == 0 || size > 4 || index >= KernelInfo::kArguments)
    return status;
  KernelInfo* info = FindKernelInfo(kernel);
  if (info == nullptr) return status;
  std::uint32_t word = 0;
  std::memcpy(&word, value, size);
  const std::uint64_t part = base::Mix((std::uint64_t{index + 1} << 32) | word);
  const std::uint64_t old = info->parts[index].exchange(part, std::memory_order_relaxed);
  info->arguments.fetch_xor(old ^ part, std::memory_order_relaxed);
  return status;
}

cl_int CL_API_CALL EnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                        const std::size_t* offset, const std::size_t* global,
                                        const std::size_t* local, cl_uint waits, const cl_event* wait_list,
                                        cl_event* event) noexcept {
  const auto call = [&](cl_event* e) {
    return next.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, waits, wait_list, e);
  };
  // A call that the driver will refuse goes straight to it.
  if (kernel == nullptr || global == nullptr || dimensions < 1 || dimensions > 3) return call(event);
  Queue* info = FindQueue(queue);
  client::Lane* lane = info != nullptr ? client::CurrentLane(info->device) : nullptr;
  const KernelInfo* kernel_info = lane != nullptr ? FindKernelInfo(kernel) : nullptr;
  if (kernel_info == nullptr) return call(event);
  model::LaunchShape shape;
  for (cl_uint i = 0; i < dimensions; ++i) {
    shape.grid[i] = global[i];
    if (local != nullptr) shape.block[i] = local[i];
  }
  if (kernel_info->safety.load(std::memory_order_relaxed) != slicing::Safety::kNever) [[unlikely]] {
    const Enqueue enqueue{queue, *info, lane, waits, wait_list, event};
    const RangeLaunch launch{kernel, *kernel_info, dimensions, offset, global, local};
    if (const std::optional<cl_int> status = LaunchInPieces(enqueue, launch)) return *status;
  }
  return Submit(queue, *info, lane, Identify(info->device, *kernel_info, shape), false, event, call);
}

cl_int CL_API_CALL EnqueueTask(cl_command_queue queue, cl_kernel kernel, cl_uint waits,
                               const cl_event* wait_list, cl_event* event) noexcept {
  const auto call = [&](cl_event* e) { return next.clEnqueueTask(queue, kernel, waits, wait_list, e); };
  if (kernel == nullptr) return call(event);
  Queue* info = FindQueue(queue);
  client::Lane* lane = info != nullptr ? client::CurrentLane(info->device) : nullptr;
  const KernelInfo* kernel_info = lane != nullptr ? FindKernelInfo(kernel) : nullptr;
  if (kernel_info == nullptr) return call(event);
  return Submit(queue, *info, lane, Identify(info->device, *kernel_info, {}), false, event, call);
}

}  // namespace

predict::Kernel* Identify(client::Device* device, const KernelInfo& info, const model::LaunchShape& shape) {
  predict::Kernel* kernel = client::FindKernel(device, model::MakeKernelId(info.name_hash, shape), info.name);
  if (kernel == nullptr || !kernel->split.load(std::memory_order_relaxed)) return kernel;
  const std::uint64_t arguments = info.arguments.load(std::memory_order_relaxed);
  return client::FindKernel(device, *kernel, arguments);
}

KernelInfo* FindKernelInfo(cl_kernel kernel) noexcept {
  if (kernel == nullptr) return nullptr;
  if (KernelInfo* known = kernels.Find(kernel)) return known;
  return Learn(kernel);
}

void InstallKernels(cl_icd_dispatch* table) {
  table->clCreateKernel = CreateKernel;
  table->clCreateKernelsInProgram = CreateKernelsInProgram;
  table->clCloneKernel = CloneKernel;
  table->clSetKernelArg = SetKernelArg;
  table->clEnqueueNDRangeKernel = EnqueueNDRangeKernel;
  table->clEnqueueTask = EnqueueTask;
}

}  // namespace mortar::opencl
