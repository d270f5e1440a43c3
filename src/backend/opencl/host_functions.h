// Functions of the program's that the driver calls when a command runs. Whatever they submit is never held:
// the thread is the driver's own.
#pragma once

#include <CL/cl_icd.h>

#include <cstddef>

namespace mortar::opencl {

using NativeFunction = void(CL_CALLBACK*)(void*);
using SvmFreeFunction = void(CL_CALLBACK*)(cl_command_queue, cl_uint, void**, void*);
using SvmFreeCall = cl_int(CL_API_CALL*)(cl_command_queue, cl_uint, void**, SvmFreeFunction, void*, cl_uint,
                                         const cl_event*, cl_event*);

// clEnqueueSVMFree, or an extension's: takes no time on the device, so it is not held. `real` makes the call.
cl_int FreeThrough(SvmFreeCall real, cl_command_queue queue, cl_uint count, void** pointers,
                   SvmFreeFunction function, void* data, cl_uint waits, const cl_event* wait_list,
                   cl_event* event) noexcept;

}  // namespace mortar::opencl
