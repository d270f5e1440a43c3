// The extension functions of the common form (commands.h), and the look-ups by which programs find all that
// we handle: unified memory of Intel's, shared virtual memory of Arm's, migrations, objects shared with other
// interfaces, semaphores.
#include "backend/opencl/extensions.h"

#include <CL/cl_egl.h>

#include <algorithm>

#include "backend/opencl/commands.h"
#include "backend/opencl/host_functions.h"

namespace mortar::opencl {
namespace {

constexpr Kind kUsmCopy("copy USM");
constexpr Kind kUsmFill("fill USM");
constexpr Kind kUsmMigrate("migrate USM");
constexpr Kind kSvmCopy("copy SVM");
constexpr Kind kSvmFill("fill SVM");
constexpr Kind kSvmMap("map SVM");
constexpr Kind kSvmUnmap("unmap SVM");
constexpr Kind kMigrate("migrate");
constexpr Kind kAcquire("acquire shared objects");
constexpr Kind kRelease("release shared objects");

template <std::size_t N>
struct Name {
  char text[N] = {};
  constexpr Name(const char (&literal)[N]) { std::copy_n(literal, N, text); }
};

template <Name kText, typename F, const Kind& kKind, int kAmount = -1, int kBlocking = -1>
struct SubmitExtension {
  using Function = F;
  static constexpr std::string_view kName = kText.text;
  static cl_int Call(F real, auto... arguments) noexcept {
    return SubmitThrough<kKind, kAmount, kBlocking>(real, arguments...);
  }
};

template <Name kText, typename F>
struct OrderExtension {
  using Function = F;
  static constexpr std::string_view kName = kText.text;
  static cl_int Call(F real, auto... arguments) noexcept { return OrderThrough(real, arguments...); }
};

struct FreeArm {
  using Function = SvmFreeCall;
  static constexpr std::string_view kName = "clEnqueueSVMFreeARM";
  static cl_int Call(Function real, auto... arguments) noexcept { return FreeThrough(real, arguments...); }
};

// Waits for all commands that use the memory.
struct BlockingFreeIntel {
  using Function = clMemBlockingFreeINTEL_fn;
  static constexpr std::string_view kName = "clMemBlockingFreeINTEL";
  static cl_int Call(Function real, cl_context context, void* pointer) noexcept {
    client::Lane* lane = LaneOfContext(context);
    if (lane == nullptr) return real(context, pointer);
    lane->EnterWait();
    const cl_int status = real(context, pointer);
    lane->LeaveWait(0);  // which submits used the memory is not known
    return status;
  }
};

constexpr Extension kCommon[] = {
    // cl_intel_unified_shared_memory
    MakeExtension<SubmitExtension<"clEnqueueMemcpyINTEL", clEnqueueMemcpyINTEL_fn, kUsmCopy, 4, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueMemFillINTEL", clEnqueueMemFillINTEL_fn, kUsmFill, 4>>(),
    MakeExtension<SubmitExtension<"clEnqueueMemsetINTEL", clEnqueueMemsetINTEL_fn, kUsmFill, 3>>(),
    MakeExtension<SubmitExtension<"clEnqueueMigrateMemINTEL", clEnqueueMigrateMemINTEL_fn, kUsmMigrate, 2>>(),
    MakeExtension<OrderExtension<"clEnqueueMemAdviseINTEL", clEnqueueMemAdviseINTEL_fn>>(),
    MakeExtension<BlockingFreeIntel>(),
    // cl_arm_shared_virtual_memory
    MakeExtension<
        SubmitExtension<"clEnqueueSVMMemcpyARM", decltype(&clEnqueueSVMMemcpyARM), kSvmCopy, 4, 1>>(),
    MakeExtension<
        SubmitExtension<"clEnqueueSVMMemFillARM", decltype(&clEnqueueSVMMemFillARM), kSvmFill, 4>>(),
    MakeExtension<SubmitExtension<"clEnqueueSVMMapARM", decltype(&clEnqueueSVMMapARM), kSvmMap, 4, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueSVMUnmapARM", decltype(&clEnqueueSVMUnmapARM), kSvmUnmap>>(),
    MakeExtension<FreeArm>(),
    // cl_ext_migrate_memobject
    MakeExtension<
        SubmitExtension<"clEnqueueMigrateMemObjectEXT", clEnqueueMigrateMemObjectEXT_fn, kMigrate, 1>>(),
    // Objects of other interfaces: handing them over may cost a copy.
    MakeExtension<SubmitExtension<"clEnqueueAcquireExternalMemObjectsKHR",
                                  clEnqueueAcquireExternalMemObjectsKHR_fn, kAcquire, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueReleaseExternalMemObjectsKHR",
                                  clEnqueueReleaseExternalMemObjectsKHR_fn, kRelease, 1>>(),
    // Of the same form; its own header wants libva's.
    MakeExtension<SubmitExtension<"clEnqueueAcquireVA_APIMediaSurfacesINTEL",
                                  clEnqueueAcquireExternalMemObjectsKHR_fn, kAcquire, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueReleaseVA_APIMediaSurfacesINTEL",
                                  clEnqueueReleaseExternalMemObjectsKHR_fn, kRelease, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueAcquireGLObjects",
                                  decltype(cl_icd_dispatch::clEnqueueAcquireGLObjects), kAcquire, 1>>(),
    MakeExtension<SubmitExtension<"clEnqueueReleaseGLObjects",
                                  decltype(cl_icd_dispatch::clEnqueueReleaseGLObjects), kRelease, 1>>(),
    MakeExtension<
        SubmitExtension<"clEnqueueAcquireEGLObjectsKHR", clEnqueueAcquireEGLObjectsKHR_fn, kAcquire, 1>>(),
    MakeExtension<
        SubmitExtension<"clEnqueueReleaseEGLObjectsKHR", clEnqueueReleaseEGLObjectsKHR_fn, kRelease, 1>>(),
    // cl_khr_semaphore
    MakeExtension<OrderExtension<"clEnqueueWaitSemaphoresKHR", clEnqueueWaitSemaphoresKHR_fn>>(),
    MakeExtension<OrderExtension<"clEnqueueSignalSemaphoresKHR", clEnqueueSignalSemaphoresKHR_fn>>(),
};

void* Wrapped(const char* name, void* function) {
  if (function == nullptr || name == nullptr) return function;
  for (const auto& extensions : {std::span<const Extension>(kCommon), QueueExtensions(),
                                 CommandBufferExtensions(), ProgramExtensions()}) {
    for (const Extension& extension : extensions) {
      if (extension.name == name) return extension.wrap(function);
    }
  }
  return function;
}

void* CL_API_CALL GetExtensionFunctionAddress(const char* name) noexcept {
  return Wrapped(name, next.clGetExtensionFunctionAddress(name));
}
void* CL_API_CALL GetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char* name) noexcept {
  return Wrapped(name, next.clGetExtensionFunctionAddressForPlatform(platform, name));
}

}  // namespace

void InstallExtensions(cl_icd_dispatch* table) {
  table->clGetExtensionFunctionAddress = GetExtensionFunctionAddress;
  table->clGetExtensionFunctionAddressForPlatform = GetExtensionFunctionAddressForPlatform;
}

}  // namespace mortar::opencl
