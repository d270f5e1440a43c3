// Copies and fills. When each returns to the program is CUDA's documented behaviour:
//
//   host to device    pageable: the bytes are taken during the call, which then returns (the synchronous call
//   waits
//                     for the device as well where there are more than 64 KiB); pinned: taken when the copy
//                     ends
//   device to host    pageable: every call returns when the copy is done; pinned: the asynchronous one at
//   once device to device  and fills: every call returns at once host to host      every call returns when it
//   is done
#include <algorithm>
#include <cstring>

#include "simcuda/driver/memory.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constexpr std::size_t kStagedBytes = 64 << 10;  // CUDA driver API, "API synchronization behavior"

void Move(std::uintptr_t to, std::uintptr_t from, std::size_t bytes) {
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
}

CUresult Copy(std::uintptr_t to, std::uintptr_t from, std::size_t bytes, CUstream handle, bool per_thread,
              bool asynchronous) {
  const SimStream* stream = FindStream(handle, per_thread);
  if (stream == nullptr) return Current() == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_INVALID_HANDLE;
  if (bytes == 0) return CUDA_SUCCESS;
  const Where source = WhereIs(from, bytes);
  const Where target = WhereIs(to, bytes);
  const bool up = target == Where::kDevice && source != Where::kDevice;
  const bool down = source == Where::kDevice && target != Where::kDevice;
  const bool inside = source == Where::kDevice && target == Where::kDevice;
  Work work;
  work.kind = up || down ? WorkKind::kCopy : WorkKind::kKernel;
  work.engine = down ? 1 : 0;
  work.duration_ns = TheWorld()->description.CopyNs(up     ? CopyDirection::kHostToDevice
                                                    : down ? CopyDirection::kDeviceToHost
                                                           : CopyDirection::kDeviceToDevice,
                                                    bytes);
  std::function<void()> run = [=] { Move(to, from, bytes); };
  if (up && source == Where::kPageable) {
    auto staged = std::make_shared<std::vector<char>>(bytes);
    std::memcpy(staged->data(), reinterpret_cast<const void*>(from), bytes);
    run = [=] { std::memcpy(reinterpret_cast<void*>(to), staged->data(), bytes); };
  }
  const CommandId id = SubmitWork(*stream, work, std::move(run));
  bool returns_at_once = asynchronous || inside;
  if (down && target == Where::kPageable) returns_at_once = false;
  if (up && source == Where::kPageable && bytes <= kStagedBytes) returns_at_once = true;
  if (!up && !down && !inside) returns_at_once = false;
  if (!returns_at_once) WaitDone(*stream->context, id);
  return CUDA_SUCCESS;
}

template <typename Word>
CUresult Fill(CUdeviceptr to, Word value, std::size_t count, CUstream handle, bool per_thread) {
  const SimStream* stream = FindStream(handle, per_thread);
  if (stream == nullptr) return Current() == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_INVALID_HANDLE;
  if (count == 0) return CUDA_SUCCESS;
  if (count > SIZE_MAX / sizeof(Word) || to % sizeof(Word) != 0) return CUDA_ERROR_INVALID_VALUE;
  if (WhereIs(to, count * sizeof(Word)) == Where::kPageable) return CUDA_ERROR_INVALID_VALUE;
  Work work;
  work.kind = WorkKind::kKernel;
  work.duration_ns = TheWorld()->description.CopyNs(CopyDirection::kDeviceToDevice, count * sizeof(Word));
  SubmitWork(*stream, work, [=] { std::fill_n(reinterpret_cast<Word*>(to), count, value); });
  return CUDA_SUCCESS;
}

std::uintptr_t Host(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

CUresult UpTo(CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream, bool per_thread,
              bool async) {
  if (bytes > 0 && WhereIs(to, bytes) != Where::kDevice) return CUDA_ERROR_INVALID_VALUE;
  return Copy(to, Host(from), bytes, stream, per_thread, async);
}
CUresult DownTo(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream, bool per_thread, bool async) {
  if (bytes > 0 && WhereIs(from, bytes) != Where::kDevice) return CUDA_ERROR_INVALID_VALUE;
  return Copy(Host(to), from, bytes, stream, per_thread, async);
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_SYNC(name, parameters, call)               \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters {        \
    constexpr bool kPerThread = false;                    \
    return call;                                          \
  }                                                       \
  MORTAR_SIMCUDA_EXPORT CUresult name##_ptds parameters { \
    constexpr bool kPerThread = true;                     \
    return call;                                          \
  }
#define MORTAR_ASYNC(name, parameters, call)              \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters {        \
    constexpr bool kPerThread = false;                    \
    return call;                                          \
  }                                                       \
  MORTAR_SIMCUDA_EXPORT CUresult name##_ptsz parameters { \
    constexpr bool kPerThread = true;                     \
    return call;                                          \
  }

MORTAR_SYNC(cuMemcpyHtoD_v2, (CUdeviceptr to, const void* from, std::size_t bytes),
            UpTo(to, from, bytes, nullptr, kPerThread, false))
MORTAR_ASYNC(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream),
             UpTo(to, from, bytes, stream, kPerThread, true))
MORTAR_SYNC(cuMemcpyDtoH_v2, (void* to, CUdeviceptr from, std::size_t bytes),
            DownTo(to, from, bytes, nullptr, kPerThread, false))
MORTAR_ASYNC(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, std::size_t bytes, CUstream stream),
             DownTo(to, from, bytes, stream, kPerThread, true))
MORTAR_SYNC(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
            Copy(to, from, bytes, nullptr, kPerThread, false))
MORTAR_ASYNC(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
             Copy(to, from, bytes, stream, kPerThread, true))
MORTAR_SYNC(cuMemcpy, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
            Copy(to, from, bytes, nullptr, kPerThread, false))
MORTAR_ASYNC(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
             Copy(to, from, bytes, stream, kPerThread, true))
MORTAR_SYNC(cuMemsetD8_v2, (CUdeviceptr to, unsigned char value, std::size_t count),
            Fill(to, value, count, nullptr, kPerThread))
MORTAR_ASYNC(cuMemsetD8Async, (CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream),
             Fill(to, value, count, stream, kPerThread))
MORTAR_SYNC(cuMemsetD32_v2, (CUdeviceptr to, unsigned int value, std::size_t count),
            Fill(to, value, count, nullptr, kPerThread))
MORTAR_ASYNC(cuMemsetD32Async, (CUdeviceptr to, unsigned int value, std::size_t count, CUstream stream),
             Fill(to, value, count, stream, kPerThread))
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
