#include "client/session.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "board/view.h"
#include "client/lane_reader.h"
#include "client/profile_store.h"

namespace mortar::client {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kWholePpm = 1'000'000;

// Floors beyond the whole device could not all be kept: who comes last goes without one, and is told so.
void FitFloor(board::Board& board, board::JoinRequest* request) {
  if (request->min_share_ppm == 0 || board.SumOfFloors(-1) + request->min_share_ppm <= kWholePpm) return;
  board.ClearStale();
  const std::uint64_t sum = board.SumOfFloors(-1);
  if (sum + request->min_share_ppm <= kWholePpm) return;
  base::LogOnce("floors", "join board " + board.path() + ": the floors of its clients come to " +
                              std::to_string(sum / 10'000) + " % of the device, so this program's of " +
                              std::to_string(request->min_share_ppm / 10'000) +
                              " % cannot be kept; it runs without one (mortar set NAME --min-share)");
  request->min_share_ppm = 0;
}

}  // namespace

base::Result<std::unique_ptr<Session>> Session::Open(const std::string& device, const Options& options,
                                                     predict::KernelTable& kernels) {
  auto directory = board::FindDirectory();
  if (!directory.ok()) return directory.error();
  auto board = board::Board::Open(*directory, device, /*create=*/true);
  if (!board.ok()) return board.error();
  board::JoinRequest request = options.join;
  FitFloor(*board, &request);
  auto ref = board->Join(request);
  if (!ref.ok() && ref.error().code == base::Code::kExists) {
    // A second process of the same program: `mortar run` has seen that the name was free for the first.
    board::JoinRequest second = request;
    second.name = board::CutText(second.name, 48) + "-" + std::to_string(getpid());
    ref = board->Join(second);
  }
  if (!ref.ok()) return ref.error();
  return std::make_unique<Session>(std::move(*board), *ref, options, kernels);
}

Session::Session(board::Board board, board::SlotRef ref, const Options& options,
                 predict::KernelTable& kernels)
    : board_(std::move(board)),
      ref_(ref),
      kernels_(kernels),
      recording_(options.record_profile),
      host_(*this) {
  if (options.trace_directory.empty()) return;
  const std::string name = board::ReadText(slot().name);
  auto trace = TraceWriter::Create(
      options.trace_directory, name, board::ReadText(board_.header().device), slot().priority.load(kRelaxed),
      model::PolicyName(board::ReadSettings(board_.header()).policy), board_.NowNs());
  if (trace.ok()) {
    trace_ = std::move(*trace);
    for (std::size_t i = 0; i < kernels_.size(); ++i) trace_->Name(kernels_.at(i).id, kernels_.at(i).name);
  } else {
    base::Log(trace.error().message + "; this program is not traced");
  }
}

Lane* Session::Attach() {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < board::kLanes; ++i) {
    const bool last = i == board::kLanes - 1;
    auto& lane = lanes_[static_cast<std::size_t>(i)];
    const std::uint32_t bit = 1U << i;
    if ((lanes_used_.load(kRelaxed) & bit) != 0 && !last) continue;
    if (lane == nullptr) {
      const auto seed = static_cast<std::uint64_t>(board_.NowNs()) + static_cast<std::uint64_t>(i);
      lane = std::make_unique<Lane>(*this, i, seed);
    }
    lanes_used_.fetch_or(bit, kRelaxed);
    slot().lanes_used.store(lanes_used_.load(kRelaxed), kRelaxed);
    return lane.get();
  }
  return nullptr;
}

void Session::Detach(Lane* lane) {
  if (lane->index() == board::kLanes - 1) return;  // shared: others may be in it
  const std::lock_guard lock(mutex_);
  lane->Retire();
  lanes_used_.fetch_and(~(1U << lane->index()), kRelaxed);
  slot().lanes_used.store(lanes_used_.load(kRelaxed), kRelaxed);
}

void Session::CheckInPlace(bool rivals) {
  std::string why;
  if (lost()) return;
  if (board_.StillInPlace(&why)) {
    if (rivals) board_.ClearStale();
    return;
  }
  set_lost();
  base::LogOnce("board gone", "board no longer in place: " + why + "; joining a new one");
}

bool Session::HasOfflineMeans() const {
  for (std::size_t i = 0; i < kernels_.size(); ++i) {
    if (kernels_.at(i).offline_duration_ns.load(kRelaxed) != 0) return true;
  }
  return false;
}

void Session::AllowInFlight(int index, std::int64_t ns) {
  if (allowed_in_flight_[static_cast<std::size_t>(index)].exchange(ns, kRelaxed) == ns) return;
  std::int64_t least = INT64_MAX;
  for (const auto& allowed : allowed_in_flight_) {
    if (const std::int64_t known = allowed.load(kRelaxed); known != 0) least = std::min(least, known);
  }
  const std::int64_t us = least == INT64_MAX ? 0 : least / 1000;
  slot().allowed_in_flight_us.store(static_cast<std::uint32_t>(std::min<std::int64_t>(us, UINT32_MAX)),
                                    kRelaxed);
}

void Session::AddServed(std::uint64_t device_ns) {
  const std::uint64_t weight = std::max<std::uint32_t>(1, slot().weight_permille.load(kRelaxed));
  served_.fetch_add(device_ns * 1000 / weight, kRelaxed);
  PublishServed();
}

void Session::ForgiveServed(std::uint64_t ns) {
  std::uint64_t old = served_.load(kRelaxed);
  while (ns != 0 && !served_.compare_exchange_weak(old, old - std::min(old, ns), kRelaxed)) continue;
}

void Session::CatchUpTurns() {
  // Equals that are at it now set the pace.
  const std::uint32_t priority = slot().priority.load(kRelaxed);
  const std::int64_t now = board_.NowNs();
  std::uint64_t least = UINT64_MAX;
  for (std::uint64_t left = board_.header().active.load(kRelaxed); left != 0; left &= left - 1) {
    const int index = std::countr_zero(left);
    if (index == ref_.index) continue;
    const board::Slot& other = board_.slot(index);
    if (other.priority.load(kRelaxed) != priority) continue;
    bool recent = false;
    for (const board::Lane& lane : other.lanes) {
      const std::int64_t heard = CheckedInstant(lane.last_activity_ns.load(kRelaxed), now);
      recent |= heard + 2 * policy::kStandstillNs > now;
    }
    if (recent) least = std::min(least, other.counters.served_ns.load(kRelaxed));
  }
  if (least != UINT64_MAX && served_.load(kRelaxed) < least) served_.store(least, kRelaxed);
}

void Session::Leave() {
  set_lost();
  board_.Leave(ref_);  // the sums of lanes go with the slot; other threads may be in theirs
}

}  // namespace mortar::client
