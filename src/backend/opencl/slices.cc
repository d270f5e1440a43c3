#include "backend/opencl/slices.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "backend/opencl/samples.h"
#include "backend/opencl/submit.h"
#include "client/pieces.h"

namespace mortar::opencl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int kWaitsForPieces = 1000;  // chosen: of 100 us each; then time has healed it (principle 4)

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
  Pieces(const Enqueue& enqueue, const Cuttable& command)
      : enqueue_(enqueue), command_(command), size_(client::FindPieceSize(command.Id())) {}

  // How many units the next piece is to have; all of them: there is no need to cut.
  std::size_t Choose() {
    return client::ChoosePiece(size_, command_.units, client::SliceNs(), [&](std::size_t units) {
      const predict::Kernel* kernel = command_.Identified(0, units);
      return kernel != nullptr ? kernel->length_ns.load(kRelaxed) : 0;
    });
  }

  cl_int EnqueueAll() {
    std::size_t end = command_.units;
    if (command_.last_first) {
      const std::size_t units = std::min(Choose(), end - 1);
      end -= units;
      if (const cl_int status = Submit(end, units, false); status != CL_SUCCESS) return status;
    }
    for (std::size_t at = 0; at < end;) {
      CollectSamples(enqueue_.lane);
      std::size_t units = enqueue_.queue.several_threads.load() ? end - at : std::min(Choose(), end - at);
      cl_int status = Submit(at, units, at + units == end);
      if (status != CL_SUCCESS && begun_ && at + units < end) {
        units = end - at;
        status = Submit(at, units, true);
      }
      if (status != CL_SUCCESS) {
        if (first_ != nullptr) next.clReleaseEvent(first_);
        // The program takes it that nothing of its memory is in use.
        if (begun_ && enqueue_.blocking) next.clFinish(enqueue_.handle);
        return status;
      }
      at += units;
    }
    if (first_ != nullptr) SetFirst(*enqueue_.event, first_);
    return CL_SUCCESS;
  }

 private:
  cl_int Submit(std::size_t at, std::size_t units, bool is_last) {
    const bool is_first = !begun_;
    const bool profiles = is_first && !is_last && enqueue_.event != nullptr && enqueue_.queue.profiling;
    Enqueue piece = enqueue_;
    piece.blocking = enqueue_.blocking && is_last;
    // A call that blocks tells that what it waited for failed.
    if (!is_first && !piece.blocking) {
      piece.waits = 0;
      piece.wait_list = nullptr;
    }
    const auto call = [&](cl_event* event) {
      piece.event = event;
      return command_.Call(at, units, piece);
    };
    cl_event* event = is_last ? enqueue_.event : profiles ? &first_ : nullptr;
    // Another thread waits for the rest: it is not held.
    const cl_int status =
        opencl::Submit(enqueue_.handle, enqueue_.queue, enqueue_.lane, command_.Identified(at, units),
                       piece.blocking, event, call, !enqueue_.queue.several_threads.load());
    begun_ |= status == CL_SUCCESS;
    return status;
  }

  const Enqueue& enqueue_;
  const Cuttable& command_;
  client::PieceSize* size_;
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

bool MayCut(const Enqueue& enqueue) noexcept {
  return enqueue.queue.ordered && !client::InCallback() && enqueue.lane->HasRivals();
}

std::optional<cl_int> EnqueueInPieces(const Enqueue& enqueue, const Cuttable& command) noexcept {
  if (command.units < 2) return std::nullopt;
  Pieces pieces(enqueue, command);
  if (pieces.Choose() >= command.units || !Begin(enqueue.queue, enqueue.lane)) return std::nullopt;
  const cl_int status = pieces.EnqueueAll();
  enqueue.queue.in_pieces.store(nullptr);
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
