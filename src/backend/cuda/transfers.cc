// Copies, sets and moves of memory, identified by kind and size; the blocking ones wait too. And what only
// occupies a stream: counted, remembered, never held. The handlers are made from the generated rows.
#include <string_view>

#include "backend/cuda/functions.h"
#include "backend/cuda/memory.h"
#include "backend/cuda/pieces.h"
#include "backend/cuda/submit.h"
#include "model/kernel_id.h"

namespace mortar::cuda {
namespace {

constexpr std::uint64_t HashLiteral(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return base::Mix(hash);
}

// When the call itself waits for the device.
enum Waits { kNever, kAlways, kIfPageable };

template <typename Size, typename Pointer>
std::size_t BytesOf(const CudaCopy2D<Size, Pointer>* copy) {
  return copy != nullptr ? std::size_t{copy->WidthInBytes} * copy->Height : 0;
}
template <typename Size, typename Pointer>
std::size_t BytesOf(const CudaCopy3D<Size, Pointer>* copy) {
  return copy != nullptr ? std::size_t{copy->WidthInBytes} * copy->Height * copy->Depth : 0;
}

std::size_t SumOf(const std::size_t* sizes, std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t i = 0; sizes != nullptr && i < count; ++i) sum += sizes[i];
  return sum;
}

template <typename Copy>
const void* HostOf(const Copy* copy) {
  if (copy == nullptr) return nullptr;
  if (copy->dstMemoryType == CU_MEMORYTYPE_HOST) return copy->dstHost;
  return copy->srcMemoryType == CU_MEMORYTYPE_HOST ? copy->srcHost : nullptr;
}

// Memory that the driver does not know: an asynchronous copy of it waits.
bool IsPageable(const void* host) {
  if (host == nullptr) return false;
  unsigned int type = 0;
  return Real<Symbol::cuPointerGetAttribute>()(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                               std::bit_cast<std::uintptr_t>(host)) != CUDA_SUCCESS;
}

struct Row {
  std::string_view kind;
  std::uint64_t hash;
  bool occupies;
  bool per_thread;
  Waits waits;
  model::Copies copies;
  bool is_copy;
};

// CUDA devices have engines for copies to and from the host; where a copy goes is not always told.
constexpr model::Copies CopiesOf(std::string_view kind) {
  if (kind == "copy to device") return model::CopiesOf(model::Engine::kCopyIn);
  if (kind == "copy to host") return model::CopiesOf(model::Engine::kCopyOut);
  const bool anywhere = kind == "copy" || kind == "batch of copies" || kind == "prefetch";
  return anywhere ? model::kAnyCopies : model::kNoCopies;
}

// `bytes` and `host` look into what the program passed: only for calls that Mortar handles.
template <typename Part, typename Bytes, typename Host, typename Call, typename Linear, typename CallWith>
CUresult Transfer(const Row& row, CUstream stream, Bytes&& bytes, Host&& host, Call&& call, Linear&& linear,
                  const CallWith& call_with) noexcept {
  const Caller caller = FindCaller(stream, row.per_thread);
  if (!caller) return call();
  const model::LaunchShape shape{.shared_bytes = bytes()};
  predict::Kernel* kernel = client::FindKernel(caller.device, model::MakeKernelId(row.hash, shape), row.kind);
  if (!row.occupies) LearnAsEmpty(caller.lane, kernel);
  const bool waits = row.waits == kAlways || (row.waits == kIfPageable && IsPageable(host()));
  if (CutsCopies() && row.is_copy) [[unlikely]] {
    const auto call_part = [](const void* context, std::size_t at, std::size_t count) {
      return (*static_cast<const CallWith*>(context))(Part{at, count});
    };
    if (const auto status =
            CopyInPieces(caller, linear(), {row.hash, row.kind, row.copies, waits, call_part, &call_with}))
      return *status;
  }
  return Submit(caller,
                {.kernel = kernel,
                 .occupies = row.occupies,
                 .may_sample = row.occupies,
                 .waits = waits,
                 .copies = row.copies},
                call);
}

// The driver's function; for memory, with what it counts for.
template <Symbol kSymbol, bool kPerThread>
struct Driver {
  template <typename... Arguments>
  static CUresult Call(Arguments... arguments) noexcept {
    return Real<kSymbol>()(arguments...);
  }
};

template <Symbol kSymbol, bool kPerThread>
struct PoolAllocation {
  static CUresult Call(CUdeviceptr* out, std::size_t bytes, CUstream stream) noexcept {
    return Counted({out, bytes, nullptr, Explicit(stream, kPerThread)},
                   [&] { return Real<kSymbol>()(out, bytes, stream); });
  }
  static CUresult Call(CUdeviceptr* out, std::size_t bytes, CUmemoryPool pool, CUstream stream) noexcept {
    return Counted({out, bytes, pool, Explicit(stream, kPerThread)},
                   [&] { return Real<kSymbol>()(out, bytes, pool, stream); });
  }

 private:
  template <typename Make>
  static CUresult Counted(const PoolRequest& request, Make&& make) noexcept {
    const PoolTake take = BeforePoolAllocation(request);
    return take.refused ? CUDA_ERROR_OUT_OF_MEMORY : AfterPoolAllocation(request, take, make());
  }
};
template <bool kPerThread>
struct Driver<Symbol::cuMemAllocAsync, kPerThread> : PoolAllocation<Symbol::cuMemAllocAsync, kPerThread> {};
template <bool kPerThread>
struct Driver<Symbol::cuMemAllocAsync_ptsz, kPerThread>
    : PoolAllocation<Symbol::cuMemAllocAsync_ptsz, kPerThread> {};
template <bool kPerThread>
struct Driver<Symbol::cuMemAllocFromPoolAsync, kPerThread>
    : PoolAllocation<Symbol::cuMemAllocFromPoolAsync, kPerThread> {};
template <bool kPerThread>
struct Driver<Symbol::cuMemAllocFromPoolAsync_ptsz, kPerThread>
    : PoolAllocation<Symbol::cuMemAllocFromPoolAsync_ptsz, kPerThread> {};

template <Symbol kSymbol, bool kPerThread>
struct StreamOrderedFree {
  static CUresult Call(CUdeviceptr address, CUstream stream) noexcept {
    const auto call = [&] { return Real<kSymbol>()(address, stream); };
    if (AnyCapture() && IsCaptured(Explicit(stream, kPerThread))) return call();
    return FreeMemory(address, call);
  }
};
template <bool kPerThread>
struct Driver<Symbol::cuMemFreeAsync, kPerThread> : StreamOrderedFree<Symbol::cuMemFreeAsync, kPerThread> {};
template <bool kPerThread>
struct Driver<Symbol::cuMemFreeAsync_ptsz, kPerThread>
    : StreamOrderedFree<Symbol::cuMemFreeAsync_ptsz, kPerThread> {};

constexpr bool kTransfer = true;
constexpr bool kOrder = false;

}  // namespace

#define MORTAR_CUDA_TRANSFER(symbol, class, kind, per_thread, stream, bytes, waits, host, parameters, \
                             arguments)                                                               \
  MORTAR_CUDA_HANDLER(symbol) parameters noexcept {                                                   \
    static constexpr Row kRow{kind,                                                                   \
                              HashLiteral(kind),                                                      \
                              k##class,                                                               \
                              (per_thread) != 0,                                                      \
                              waits,                                                                  \
                              CopiesOf(kind),                                                         \
                              std::string_view(kind).starts_with("copy")};                            \
    return Transfer<CallPart<Symbol::symbol>>(                                                        \
        kRow, stream, [&]() -> std::size_t { return bytes; }, [&]() -> const void* { return host; },  \
        [&] { return Driver<Symbol::symbol, (per_thread) != 0>::Call arguments; },                    \
        [&] { return kReadLinear arguments; },                                                        \
        [&](const CallPart<Symbol::symbol>& part) { return part arguments; });                        \
  }
#include "cuda/generated/transfers.def"
#undef MORTAR_CUDA_TRANSFER

}  // namespace mortar::cuda
