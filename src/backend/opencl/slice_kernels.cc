// Kernels in pieces: the same kernel over parts of its range.
#include "backend/opencl/slices.h"

namespace mortar::opencl {
namespace {

model::LaunchShape ShapeOf(const slicing::Range& range) {
  model::LaunchShape shape;
  for (unsigned i = 0; i < range.dimensions; ++i) {
    shape.grid[i] = range.global[i];
    if (range.has_local) shape.block[i] = range.local[i];
  }
  return shape;
}

slicing::Range RangeOf(const RangeLaunch& launch) {
  slicing::Range range;
  range.dimensions = launch.dimensions;
  range.has_local = launch.local != nullptr;
  for (unsigned i = 0; i < launch.dimensions; ++i) {
    range.global[i] = launch.global[i];
    if (launch.offset != nullptr) range.offset[i] = launch.offset[i];
    if (launch.local != nullptr) range.local[i] = launch.local[i];
  }
  return range;
}

class CutKernel final : public Cuttable {
 public:
  CutKernel(client::Device* device, const RangeLaunch& launch)
      : device_(device),
        launch_(launch),
        range_(RangeOf(launch)),
        cutting_(slicing::FindCutting(range_, launch.info.safety.load(std::memory_order_relaxed))) {
    units = cutting_.units;
    // If the driver takes no ragged ranges, nothing is enqueued yet.
    last_first = cutting_.ragged;
  }

  model::KernelId Id() const override { return model::MakeKernelId(launch_.info.name_hash, ShapeOf(range_)); }
  predict::Kernel* Identified(std::size_t first, std::size_t count) const override {
    return Identify(device_, launch_.info, ShapeOf(slicing::PieceOf(range_, cutting_, first, count)));
  }
  cl_int Call(std::size_t first, std::size_t count, const Enqueue& enqueue) const override {
    const slicing::Range piece = slicing::PieceOf(range_, cutting_, first, count);
    return next.clEnqueueNDRangeKernel(enqueue.handle, launch_.kernel, launch_.dimensions,
                                       piece.offset.data(), piece.global.data(), launch_.local, enqueue.waits,
                                       enqueue.wait_list, enqueue.event);
  }

 private:
  client::Device* device_;
  const RangeLaunch& launch_;
  slicing::Range range_;
  slicing::Cutting cutting_;
};

}  // namespace

std::optional<cl_int> LaunchInPieces(const Enqueue& enqueue, const RangeLaunch& launch) noexcept {
  if (!MayCut(enqueue)) return std::nullopt;
  return EnqueueInPieces(enqueue, CutKernel(enqueue.queue.device, launch));
}

}  // namespace mortar::opencl
