#include "backend/opencl/slices.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "backend/opencl/samples.h"
#include "backend/opencl/submit.h"

namespace mortar::opencl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::size_t kProbe = 64;     // chosen: a kernel never timed is begun with a 64th of it
constexpr int kWaitsForPieces = 1000;  // chosen: of 100 us each; then time has healed it (principle 4)

// How many units a piece of a launch had last. Fixed size; launches beyond that many are submitted whole.
struct Size {
  std::atomic<model::KernelId> whole{0};
  std::atomic<std::size_t> units{0};  // 0: none yet
};
constexpr std::size_t kSizes = 1024;
constinit std::array<Size, kSizes> sizes = {};

Size* FindSize(model::KernelId whole) {
  for (std::size_t i = 0; i < 16; ++i) {
    Size& size = sizes[(whole + i) % kSizes];
    model::KernelId seen = size.whole.load(kRelaxed);
    if (seen == whole) return &size;
    if (seen == 0 && (size.whole.compare_exchange_strong(seen, whole) || seen == whole)) return &size;
  }
  return nullptr;
}

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

// First pieces' events, kept for the profiling of the last's. Only of queues that the program profiles. Fixed
// size: the oldest is forgotten, whose command then seems to begin with its last piece.
struct FirstEvents {
  struct Entry {
    cl_event last = nullptr;
    cl_event first = nullptr;
  };
  static constexpr std::size_t kMost = 1024;

  std::mutex mutex;
  std::array<Entry, kMost> entries{};
  std::size_t newest = 0;
  std::atomic<int> count{0};  // readable without the mutex
};
constinit FirstEvents first_events = {};

// Takes over the reference to `first`. `first` null: forgets.
void SetFirst(cl_event last, cl_event first) {
  cl_event dropped = nullptr;
  cl_event oldest = nullptr;
  {
    const std::lock_guard lock(first_events.mutex);
    for (FirstEvents::Entry& entry : first_events.entries) {
      if (entry.last != last) continue;
      dropped = std::exchange(entry.first, nullptr);
      entry.last = nullptr;
      first_events.count.fetch_sub(1);
    }
    if (first != nullptr) {
      FirstEvents::Entry& entry = first_events.entries[first_events.newest++ % FirstEvents::kMost];
      oldest = std::exchange(entry.first, first);
      if (oldest == nullptr) first_events.count.fetch_add(1);
      entry.last = last;
    }
  }
  for (cl_event event : {dropped, oldest}) {
    if (event != nullptr) next.clReleaseEvent(event);
  }
}

// The program's last reference: nobody will ask any more.
cl_int CL_API_CALL ReleaseEvent(cl_event event) noexcept {
  if (event != nullptr && FirstPieceOf(event) != event) {
    cl_uint references = 0;
    next.clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof references, &references, nullptr);
    if (references <= 1 + OurReferences(event)) SetFirst(event, nullptr);
  }
  return next.clReleaseEvent(event);
}

class Pieces {
 public:
  Pieces(const RangeLaunch& launch, const slicing::Range& range, const slicing::Cutting& cutting)
      : launch_(launch),
        range_(range),
        cutting_(cutting),
        limit_ns_(client::SliceNs()),
        size_(FindSize(model::MakeKernelId(launch.info.name_hash, ShapeOf(range)))) {}

  // How many units the next piece is to have, from what pieces of that size are known to take; all of them:
  // there is no need to cut.
  std::size_t Choose() {
    if (size_ == nullptr) return cutting_.units;
    std::size_t units = size_->units.load(kRelaxed);
    if (units == 0) units = std::max<std::size_t>(1, cutting_.units / kProbe);
    std::int64_t length = LengthOf(units);
    // Learned while there was nobody to wait for, or before it was cut.
    if (const std::int64_t whole = LengthOf(cutting_.units); whole > 0 && length <= 0) {
      units = whole <= limit_ns_ ? cutting_.units : slicing::UnitsWithin(limit_ns_, cutting_.units, whole);
      length = LengthOf(units);
    }
    const bool too_long = length > limit_ns_ + limit_ns_ / 8;
    const bool too_short = length > 0 && length * 2 <= limit_ns_;
    if (too_long || too_short) units = slicing::UnitsWithin(limit_ns_, units, length);
    units = std::min(units, cutting_.units);
    size_->units.store(units, kRelaxed);
    return units;
  }

  cl_int Enqueue() {
    std::size_t end = cutting_.units;
    // A ragged piece first: if the driver takes no such ranges, nothing is enqueued yet.
    if (cutting_.ragged) {
      const std::size_t units = std::min(Choose(), end - 1);
      end -= units;
      if (const cl_int status = Submit(end, units, false); status != CL_SUCCESS) return status;
    }
    for (std::size_t at = 0; at < end;) {
      CollectSamples(launch_.lane);
      std::size_t units = launch_.queue.several_threads.load() ? end - at : std::min(Choose(), end - at);
      cl_int status = Submit(at, units, at + units == end);
      if (status != CL_SUCCESS && begun_ && at + units < end) {
        units = end - at;
        status = Submit(at, units, true);
      }
      if (status != CL_SUCCESS) {
        if (first_ != nullptr) next.clReleaseEvent(first_);
        return status;
      }
      at += units;
    }
    if (first_ != nullptr) SetFirst(*launch_.event, first_);
    return CL_SUCCESS;
  }

 private:
  std::int64_t LengthOf(std::size_t units) {
    const predict::Kernel* kernel = Identified(slicing::PieceOf(range_, cutting_, 0, units));
    return kernel != nullptr ? kernel->length_ns.load(kRelaxed) : 0;
  }

  predict::Kernel* Identified(const slicing::Range& piece) {
    return Identify(launch_.queue.device, launch_.info, ShapeOf(piece));
  }

  cl_int Submit(std::size_t at, std::size_t units, bool is_last) {
    const slicing::Range piece = slicing::PieceOf(range_, cutting_, at, units);
    const bool is_first = !begun_;
    const bool profiles = is_first && !is_last && launch_.event != nullptr && launch_.queue.profiling;
    const auto call = [&](cl_event* event) {
      return next.clEnqueueNDRangeKernel(
          launch_.handle, launch_.kernel, launch_.dimensions, piece.offset.data(), piece.global.data(),
          launch_.local, is_first ? launch_.waits : 0, is_first ? launch_.wait_list : nullptr, event);
    };
    cl_event* event = is_last ? launch_.event : profiles ? &first_ : nullptr;
    // Another thread waits for the rest: it is not held.
    const cl_int status = opencl::Submit(launch_.handle, launch_.queue, launch_.lane, Identified(piece),
                                         false, event, call, !launch_.queue.several_threads.load());
    begun_ |= status == CL_SUCCESS;
    return status;
  }

  const RangeLaunch& launch_;
  const slicing::Range& range_;
  const slicing::Cutting& cutting_;
  std::int64_t limit_ns_;
  Size* size_;
  bool begun_ = false;
  cl_event first_ = nullptr;
};

// False: other threads use the queue too.
bool Begin(Queue& queue, const client::Lane* lane) {
  ArriveAt(queue, lane);
  queue.in_pieces.store(lane);  // pairs with ArriveAt: one of the two sees the other
  if (!queue.several_threads.load()) return true;
  queue.in_pieces.store(nullptr);
  return false;
}

}  // namespace

void ArriveAt(Queue& queue, const client::Lane* lane) noexcept {
  const client::Lane* before = queue.last_lane.exchange(lane);
  if (before == nullptr || before == lane) return;
  queue.several_threads.store(true);
  for (int i = 0; i < kWaitsForPieces; ++i) {
    const client::Lane* other = queue.in_pieces.load();
    if (other == nullptr || other == lane) return;
    usleep(100);
  }
}

std::optional<cl_int> EnqueueInPieces(const RangeLaunch& launch) noexcept {
  if (!launch.queue.ordered || client::InCallback() || !launch.lane->HasRivals()) return std::nullopt;
  const slicing::Range range = RangeOf(launch);
  const slicing::Cutting cutting = slicing::FindCutting(range, launch.info.safety.load(kRelaxed));
  if (cutting.units < 2) return std::nullopt;
  Pieces pieces(launch, range, cutting);
  if (pieces.Choose() >= cutting.units || !Begin(launch.queue, launch.lane)) return std::nullopt;
  const cl_int status = pieces.Enqueue();
  launch.queue.in_pieces.store(nullptr);
  return status;
}

cl_event FirstPieceOf(cl_event event) noexcept {
  if (first_events.count.load(kRelaxed) == 0) return event;
  const std::lock_guard lock(first_events.mutex);
  for (const FirstEvents::Entry& entry : first_events.entries) {
    if (entry.last == event && entry.first != nullptr) return entry.first;
  }
  return event;
}

void InstallSlices(cl_icd_dispatch* table) { table->clReleaseEvent = ReleaseEvent; }

}  // namespace mortar::opencl
