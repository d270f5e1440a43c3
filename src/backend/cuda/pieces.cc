#include "backend/cuda/pieces.h"

#include <algorithm>

#include "client/pieces.h"

namespace mortar::cuda {
namespace {

// Pieces of it do the same as the whole: there is nothing that the driver would refuse, or move within
// itself.
bool MayCut(const LinearCopy& copy) {
  if (copy.bytes < 2 * client::kCopyUnit || copy.to == 0 || copy.from == 0) return false;
  if (copy.to + copy.bytes < copy.to || copy.from + copy.bytes < copy.from) return false;
  return copy.to < copy.from ? copy.from - copy.to >= copy.bytes : copy.to - copy.from >= copy.bytes;
}

class Pieces {
 public:
  Pieces(const Caller& caller, const LinearCopy& copy, const CutCopy& cut)
      : caller_(caller),
        cut_(cut),
        bytes_(copy.bytes),
        size_(client::FindPieceSize(model::MakeKernelId(cut.hash, {.shared_bytes = bytes_}))) {}

  std::size_t units() const { return units_; }
  std::size_t Choose() {
    return client::ChoosePiece(size_, units_, client::SliceNs(), [&](std::size_t count) {
      const predict::Kernel* kernel = Identified(BytesOf(0, count));
      return kernel != nullptr ? kernel->length_ns.load(std::memory_order_relaxed) : 0;
    });
  }

  CUresult SubmitAll(const StreamUse& use) {
    std::size_t end = units_;
    std::size_t count = std::min(Choose(), end - 1);
    end -= count;
    CUresult status = SubmitPart(end, count, true);
    for (std::size_t at = 0; at < end && status == CUDA_SUCCESS; at += count) {
      CollectSamples(caller_.lane);
      const bool awaited = use.awaited();
      count = awaited ? end - at : std::min(Choose(), end - at);
      status = SubmitPart(at, count, !awaited);
    }
    return status;
  }

 private:
  // What is over goes with the last unit.
  std::size_t BytesOf(std::size_t first, std::size_t count) const {
    return first + count == units_ ? bytes_ - first * client::kCopyUnit : count * client::kCopyUnit;
  }
  predict::Kernel* Identified(std::size_t bytes) const {
    return client::FindKernel(caller_.device, model::MakeKernelId(cut_.hash, {.shared_bytes = bytes}),
                              cut_.kind);
  }
  CUresult SubmitPart(std::size_t first, std::size_t count, bool held) {
    const std::size_t bytes = BytesOf(first, count);
    return Submit(caller_,
                  {.kernel = Identified(bytes), .waits = cut_.waits, .held = held, .copies = cut_.copies},
                  [&] { return cut_.call(cut_.context, first * client::kCopyUnit, bytes); });
  }

  const Caller& caller_;
  const CutCopy& cut_;
  std::size_t bytes_;
  std::size_t units_ = bytes_ / client::kCopyUnit;
  client::PieceSize* size_;
};

}  // namespace

std::optional<CUresult> CopyInPieces(const Caller& caller, const LinearCopy& copy,
                                     const CutCopy& cut) noexcept {
  // While a capture is open anywhere, a thread may be forbidden what one call would be allowed.
  if (!MayCut(copy) || AnyCapture() || client::InCallback() || !caller.lane->HasRivals()) return std::nullopt;
  Pieces pieces(caller, copy, cut);
  if (pieces.Choose() >= pieces.units()) return std::nullopt;
  StreamUse& use = StreamUse::Of(caller.stream, caller.lane);
  if (!use.BeginPieces(caller.lane)) return std::nullopt;
  const CUresult status = pieces.SubmitAll(use);
  use.EndPieces(caller.lane);
  return status;
}

}  // namespace mortar::cuda
