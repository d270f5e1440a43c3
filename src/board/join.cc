#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "board/board.h"
#include "board/slot_states.h"
#include "board/view.h"

namespace mortar::board {
namespace {

using base::Code;
using base::Error;

// Joiners take turns, so that two cannot take one name; but nobody waits for a stopped joiner longer than
// this.
constexpr std::int64_t kLongestTurnNs = 200'000'000;
constexpr std::uint32_t kLargestSlowdownPpm = 10'000'000;  // chosen: 1000 %
constexpr std::uint32_t kLargestWeightPermille = 1'000'000;
constexpr std::uint32_t kWholePpm = 1'000'000;

// Everything but generation and state. Word by word: others may be reading.
void ZeroFields(Slot& slot) {
  using Word __attribute__((may_alias)) = std::uint64_t;
  static_assert(offsetof(Slot, pid) == sizeof(Word) && sizeof(Slot) % sizeof(Word) == 0);
  auto* words = reinterpret_cast<Word*>(&slot);
  for (std::size_t i = 1; i < sizeof(Slot) / sizeof(Word); ++i)
    __atomic_store_n(words + i, 0, __ATOMIC_RELAXED);
}

std::string DefaultName() {
  return std::string(program_invocation_short_name) + "-" + std::to_string(getpid());
}

Error NameTaken(const std::string& path, const std::string& name, int pid) {
  return {Code::kExists, "join board " + path + ": the name \"" + name + "\" is in use by process " +
                             std::to_string(pid) + "; choose another with --name"};
}

base::Status CheckRequest(const JoinRequest& request, const std::string& path) {
  if (request.priority > 9) {
    return Error{Code::kInvalid, "join board " + path + ": priority " + std::to_string(request.priority) +
                                     " is not within 0 (highest) to 9 (lowest)"};
  }
  if (request.max_slowdown_ppm > kLargestSlowdownPpm) {
    return Error{Code::kInvalid,
                 "join board " + path + ": the largest slowdown that can be allowed is 1000 %"};
  }
  if (request.weight_permille == 0 || request.weight_permille > kLargestWeightPermille) {
    return Error{Code::kInvalid, "join board " + path + ": a weight lies above 0 and up to 1000"};
  }
  if (request.min_share_ppm > kWholePpm) {
    return Error{Code::kInvalid, "join board " + path + ": a floor lies above 0 and up to 100 %"};
  }
  return {};
}

void FillSlot(Slot& slot, const JoinRequest& request, const std::string& name, std::int64_t now_ns) {
  constexpr std::int64_t kFirstIdleAfterNs =
      50'000'000;  // design: within 5…50 ms; cautious until gaps are known
  slot.pid.store(getpid());
  slot.priority.store(request.priority);
  slot.max_slowdown_ppm.store(request.max_slowdown_ppm);
  slot.weight_permille.store(request.weight_permille);
  slot.min_share_ppm.store(request.min_share_ppm);
  slot.flags.store(request.floor_first != 0 ? std::uint32_t{kSlotFloorFirst} : 0U);
  slot.memory_limit.store(request.memory_limit);
  slot.allowed_in_flight_us.store(0);
  slot.idle_after_ns.store(kFirstIdleAfterNs);
  slot.joined_at_ns.store(now_ns);
  slot.report.measured_slowdown_ppm.store(INT32_MIN);
  WriteText(slot.name, name);
}

}  // namespace

base::Result<SlotRef> Board::Join(const JoinRequest& request) {
  if (auto status = CheckRequest(request, path_); !status.ok()) return status.error();
  if (lock_.HeldHere()) return Error{Code::kInvalid, "join board " + path_ + ": joined already; leave first"};
  if (std::string why; !StillInPlace(&why)) return Error{Code::kMismatch, "join " + why + "; open it again"};
  auto file = LockFile::Open(path_, device_, inode_);
  if (!file.ok()) return file.error();
  file->LockWithin(kJoinByte, kLongestTurnNs);
  const std::string name =
      CutText(request.name.empty() ? DefaultName() : request.name, sizeof(Slot::name) - 1);
  for (int i = 0; i < kSlots; ++i) {
    const Slot& other = slot(i);
    const bool taken = other.state.load() == kActive && ReadText(other.name) == CleanText(name);
    if (taken && file->HeldElsewhere(i)) return NameTaken(path_, name, other.pid.load());
  }
  for (int i = 0; i < kSlots; ++i) {
    if (!file->TryLock(i)) continue;
    auto holder = LockHolder::Keep(*file);
    if (!holder.ok()) return holder.error();
    // From here on nobody else writes to this slot. A dead owner's remains are overwritten.
    Slot& mine = slot(i);
    const std::uint32_t generation = TakeSlot<base::MachineMemory>(header(), mine, i, [&] {
      ZeroFields(mine);
      FillSlot(mine, request, name, NowNs());
    });
    file->Unlock(kJoinByte);
    lock_ = std::move(*holder);
    joined_ = {i, generation};
    Bump();
    return joined_;
  }
  return Error{Code::kFull,
               "join board " + path_ + ": " + std::to_string(kSlots) +
                   " clients share this device already; end one of them (mortar status lists them)"};
}

void Board::Leave(SlotRef ref) {
  if (!lock_.HeldHere() || ref != joined_) return;
  Slot& mine = slot(ref.index);
  // Somebody else's generation (bytes overwritten): the slot is not ours to clear, the lock still is ours to
  // drop.
  if (mine.generation.load() == ref.generation) ClearSlot(header(), mine, ref.index);
  lock_.Release();
  Bump();
}

bool Board::IsCurrent(SlotRef ref) const {
  if (ref.index < 0 || ref.index >= kSlots) return false;
  return board::IsCurrent(slot(ref.index), ref.generation);
}

std::uint64_t Board::SumOfFloors(int but_slot) const {
  std::uint64_t sum = 0;
  for (int i = 0; i < kSlots; ++i) {
    if (i == but_slot || (header().active.load() & BitOf(i)) == 0) continue;
    sum += std::min(slot(i).min_share_ppm.load(), kWholePpm);
  }
  return sum;
}

bool Board::OwnerAlive(int index) const {
  if (index < 0 || index >= kSlots) return false;
  const auto file = LockFile::Open(path_, device_, inode_);
  // Removed or replaced: nobody can tell any more, and calling the living dead would be worse.
  return file.ok() ? file->HeldElsewhere(index) : InUse(header(), slot(index), index);
}

int Board::ClearStale() {
  auto file = LockFile::Open(path_, device_, inode_);
  if (!file.ok()) return 0;
  int cleared = 0;
  for (int i = 0; i < kSlots; ++i) cleared += ClearIfStale(header(), slot(i), i, *file) ? 1 : 0;
  if (cleared > 0) Bump();
  return cleared;
}

}  // namespace mortar::board
