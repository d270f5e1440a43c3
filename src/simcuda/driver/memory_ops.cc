// Streams that wait for a value in memory, and write one.
#include <atomic>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/memory.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

// CUstreamBatchMemOpType.
enum : int { kWait32 = 1, kWrite32 = 2, kFlush = 3, kWait64 = 4, kWrite64 = 5, kBarrier = 6 };
// CUstreamWaitValue_flags.
enum : unsigned int { kGreaterOrEqual = 0, kEqual = 1, kAnd = 2, kNor = 3, kFlushFlag = 1U << 30 };

template <typename Word>
std::function<bool()> Until(CUdeviceptr address, Word value, unsigned int how) {
  return [address, value, how] {
    const Word now = std::atomic_ref<Word>(*reinterpret_cast<Word*>(address)).load();
    switch (how) {
      case kGreaterOrEqual:
        return static_cast<std::make_signed_t<Word>>(now - value) >= 0;
      case kEqual:
        return now == value;
      case kAnd:
        return (now & value) != 0;
      default:
        return static_cast<Word>(~(now | value)) != 0;
    }
  };
}

template <typename Word>
std::function<void()> Writing(CUdeviceptr address, Word value) {
  return [address, value] { std::atomic_ref<Word>(*reinterpret_cast<Word*>(address)).store(value); };
}

CUresult Make(const CUstreamBatchMemOpParams& op, Operation* operation) {
  operation->type = NodeType::kMemoryOps;
  if (op.operation == kFlush || op.operation == kBarrier) return CUDA_SUCCESS;
  const bool wide = op.operation == kWait64 || op.operation == kWrite64;
  const bool waits = op.operation == kWait32 || op.operation == kWait64;
  if (!waits && op.operation != kWrite32 && op.operation != kWrite64) return CUDA_ERROR_INVALID_VALUE;
  const std::size_t bytes = wide ? 8 : 4;
  if (op.address % bytes != 0 || WhereIs(op.address, bytes) == Where::kPageable)
    return CUDA_ERROR_INVALID_VALUE;
  const auto narrow = static_cast<std::uint32_t>(op.value);
  const std::uint64_t value = op.value;
  if (!waits) {
    if (op.flags > 1) return CUDA_ERROR_INVALID_VALUE;
    operation->run = wide ? Writing(op.address, value) : Writing(op.address, narrow);
    return CUDA_SUCCESS;
  }
  const unsigned int how = op.flags & ~kFlushFlag;
  if (how > kNor) return CUDA_ERROR_INVALID_VALUE;
  operation->work.kind = WorkKind::kHost;
  operation->until = wide ? Until(op.address, value, how) : Until(op.address, narrow, how);
  return CUDA_SUCCESS;
}

CUresult Batch(CUstream handle, bool per_thread, const CUstreamBatchMemOpParams* ops, unsigned int count,
               unsigned int flags) {
  constexpr unsigned int kMost = 256;  // CUDA's own bound
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (count > kMost || flags != 0 || (ops == nullptr && count > 0)) return CUDA_ERROR_INVALID_VALUE;
  std::vector<Operation> operations(count);
  for (unsigned int i = 0; i < count; ++i) {
    if (const CUresult made = Make(ops[i], &operations[i]); made != CUDA_SUCCESS) return made;
  }
  for (const Operation& operation : operations) {
    if (const CUresult queued = Enqueue(*stream, operation); queued != CUDA_SUCCESS) return queued;
  }
  return CUDA_SUCCESS;
}

CUresult One(CUstream handle, bool per_thread, int operation, CUdeviceptr address, unsigned long long value,
             unsigned int flags) {
  const CUstreamBatchMemOpParams op{operation, address, value, flags, 0, 0};
  return Batch(handle, per_thread, &op, 1, 0);
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_VALUE_OP(name, operation, type)                                                   \
  MORTAR_SIMCUDA_PTSZ(name, (CUstream stream, CUdeviceptr addr, type value, unsigned int flags), \
                      One(stream, kPerThread, operation, addr, value, flags))
MORTAR_VALUE_OP(cuStreamWaitValue32, kWait32, unsigned int)
MORTAR_VALUE_OP(cuStreamWaitValue32_v2, kWait32, unsigned int)
MORTAR_VALUE_OP(cuStreamWaitValue64, kWait64, unsigned long long)
MORTAR_VALUE_OP(cuStreamWaitValue64_v2, kWait64, unsigned long long)
MORTAR_VALUE_OP(cuStreamWriteValue32, kWrite32, unsigned int)
MORTAR_VALUE_OP(cuStreamWriteValue32_v2, kWrite32, unsigned int)
MORTAR_VALUE_OP(cuStreamWriteValue64, kWrite64, unsigned long long)
MORTAR_VALUE_OP(cuStreamWriteValue64_v2, kWrite64, unsigned long long)
MORTAR_SIMCUDA_PTSZ(cuStreamBatchMemOp,
                    (CUstream stream, unsigned int count, void* paramArray, unsigned int flags),
                    Batch(stream, kPerThread, static_cast<const CUstreamBatchMemOpParams*>(paramArray), count,
                          flags))
MORTAR_SIMCUDA_PTSZ(cuStreamBatchMemOp_v2,
                    (CUstream stream, unsigned int count, void* paramArray, unsigned int flags),
                    Batch(stream, kPerThread, static_cast<const CUstreamBatchMemOpParams*>(paramArray), count,
                          flags))
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
