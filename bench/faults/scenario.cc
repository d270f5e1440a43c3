#include "bench/faults/scenario.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>

#include "board/board.h"
#include "board/fill_word.h"
#include "board/test_support.h"
#include "board/view.h"

namespace mortar::faults {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kWarmUpNs = 20 * kMs;  // chosen: a few requests
constexpr std::int64_t kRandomNs = 10 * kMs;  // the fault comes within that, after warm-up
constexpr std::int64_t kRoleNs = 200 * kMs;   // at most so long for the victim to be in its role
constexpr std::int64_t kWindowNs = 60 * kMs;  // stalls that begin within this count, however long they last
constexpr std::int64_t kHangNs = 5'000 * kMs;
constexpr std::int64_t kStartNs = 20'000 * kMs;  // for a program to begin, with gigabytes to write to
constexpr int kVictimPlace = 0;
constexpr int kControlPlace = 1;
constexpr int kFirstSurvivorPlace = 2;

// Under `fikit` only programs with offline means do, which these have not.
bool SomebodyFills(model::PolicyId policy) {
  return policy == model::PolicyId::kFill || policy == model::PolicyId::kPriority;
}

// Programs on one board, one of which has it coming.
class Field {
 public:
  Field(const Scenario& scenario, Arena& arena, base::Random& random)
      : scenario_(scenario), arena_(arena), random_(random) {}
  ~Field() { arena_.window_ns.store(0); }

  base::Result<bool> Begin() {
    auto board = board::Board::Open(directory_.path(), kDevice, /*create=*/true);
    if (!board.ok()) return board.error();
    board_ = std::move(*board);
    board_.header().policy.store(static_cast<std::uint32_t>(scenario_.policy));
    control_ = Start({.does = Does::kControl, .name = "control", .place = kControlPlace});
    for (const ProgramOptions& survivor : Survivors()) survivors_.push_back(Start(survivor));
    return true;
  }
  // One fault, and what came of it. The victim is gone afterwards.
  void Round(Outcome* outcome);
  std::vector<double> stalls_ms;

 private:
  Program Start(const ProgramOptions& options) { return {arena_, directory_.path(), options}; }
  std::vector<ProgramOptions> Survivors() const;
  ProgramOptions Victim() const;
  bool AwaitMark(int place, std::int64_t after_ns, std::int64_t patience_ns) const;
  bool VictimInRole();
  bool AwaitRole();
  void Inject();
  void Judge(Outcome* outcome);

  const Scenario& scenario_;
  Arena& arena_;
  base::Random& random_;
  board::TemporaryDirectory directory_;
  board::Board board_;
  Program control_, victim_;
  std::vector<Program> survivors_;
  int victims_ = 0;
};

std::vector<ProgramOptions> Field::Survivors() const {
  const ProgramOptions holder{
      .does = Does::kHolds, .name = "holder", .priority = 0, .place = kFirstSurvivorPlace};
  const ProgramOptions filler{
      .does = Does::kFills, .name = "filler", .priority = 5, .place = kFirstSurvivorPlace + 1};
  ProgramOptions equal = filler;
  equal.name = "equal";
  equal.place = kFirstSurvivorPlace + 2;
  if (scenario_.fault == Fault::kBytes) return {holder, filler, equal};
  if (scenario_.victim == Role::kHolder) return {filler, equal};
  // The holder, which lives, keeps a filler waiting where nobody fills: rightly.
  if (!SomebodyFills(scenario_.policy)) return {holder};
  return {holder, filler};
}

ProgramOptions Field::Victim() const {
  ProgramOptions victim{.name = "victim" + std::to_string(victims_), .place = kVictimPlace};
  victim.memory = scenario_.memory;
  victim.dumps_core = scenario_.fault == Fault::kCore;
  switch (scenario_.victim) {
    case Role::kHolder:
      victim.does = Does::kHolds;
      victim.priority = 0;
      break;
    case Role::kWaiter:
      victim.does = Does::kWaits;
      victim.priority = 3;
      break;
    case Role::kClaimant:
      victim.does = Does::kFills;
      victim.priority = 3;
      break;
  }
  return victim;
}

bool Field::AwaitMark(int place, std::int64_t after_ns, std::int64_t patience_ns) const {
  const std::int64_t deadline = base::MonotonicNs() + patience_ns;
  while (arena_.programs[place].last_ns.load() <= after_ns) {
    if (base::MonotonicNs() > deadline) return false;
    usleep(500);
  }
  return true;
}

bool Field::VictimInRole() {
  for (int i = 0; i < board::kSlots; ++i) {
    const board::Slot& slot = board_.slot(i);
    if (slot.state.load() != board::kActive || board::ReadText(slot.name) != victim_.options().name) continue;
    if (scenario_.victim == Role::kHolder) return true;
    if (scenario_.victim == Role::kWaiter) {
      return (slot.lanes[0].flags.load() & board::kLaneStateMask) == board::kLaneGated;
    }
    const board::FillWord claim = board::UnpackFill(board_.header().fill_until.load());
    return claim.slot == i && claim.until_ns > board_.NowNs();
  }
  return false;
}

bool Field::AwaitRole() {
  usleep(
      static_cast<useconds_t>((kWarmUpNs + static_cast<std::int64_t>(random_.Uniform() * kRandomNs)) / 1000));
  const std::int64_t deadline = base::MonotonicNs() + kRoleNs;
  while (!VictimInRole()) {
    if (base::MonotonicNs() > deadline) return false;
  }
  return true;
}

// Bytes of the board, anywhere; one in four times a whole page of them.
void Overwrite(board::Board& board, base::Random& random) {
  auto* bytes = reinterpret_cast<volatile unsigned char*>(&board.header());
  const auto any = [&](std::size_t count) { return static_cast<std::size_t>(random.Next() % count); };
  if (any(4) == 0) {
    const std::size_t page = any(sizeof(board::Layout) / 4096) * 4096;
    for (std::size_t i = 0; i < 4096; ++i) bytes[page + i] = static_cast<unsigned char>(random.Next());
    return;
  }
  const std::size_t count = 1 + any(256);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[any(sizeof(board::Layout))] = static_cast<unsigned char>(random.Next());
  }
}

void Field::Inject() {
  switch (scenario_.fault) {
    case Fault::kNone:
      break;
    case Fault::kKill:
      victim_.Signal(SIGKILL);
      break;
    case Fault::kStop:
      victim_.Signal(SIGSTOP);
      break;
    case Fault::kCore:
      victim_.Signal(SIGABRT);
      break;
    case Fault::kBytes:
      Overwrite(board_, random_);
      break;
  }
}

void Field::Round(Outcome* outcome) {
  const bool has_victim = scenario_.fault != Fault::kBytes && scenario_.fault != Fault::kNone;
  if (has_victim) {
    ++victims_;
    victim_ = Start(Victim());
    // One that is held from the start does not mark: its role is awaited instead.
    if (scenario_.victim != Role::kWaiter) AwaitMark(kVictimPlace, 0, kStartNs);
  } else {
    for (const Program& survivor : survivors_) AwaitMark(survivor.options().place, 0, kStartNs);
  }
  if (!has_victim) usleep(kWarmUpNs / 1000);
  const bool in_role = !has_victim || AwaitRole();
  for (Progress& each : arena_.programs) each.longest_ns.store(0);
  const std::int64_t now = base::MonotonicNs();
  arena_.window_end_ns.store(now + kWindowNs);
  arena_.window_ns.store(now);
  Inject();
  ++outcome->times;
  outcome->in_role += in_role ? 1 : 0;
  Judge(outcome);
  arena_.window_ns.store(0);
  victim_.End();
  std::error_code ignored;
  if (scenario_.fault == Fault::kCore) {
    for (const auto& file : std::filesystem::directory_iterator(directory_.path(), ignored)) {
      if (file.path().filename().string().starts_with("core")) std::filesystem::remove(file.path(), ignored);
    }
  }
}

void Field::Judge(Outcome* outcome) {
  const std::int64_t end = arena_.window_end_ns.load();
  usleep(kWindowNs / 1000);
  double worst_ms = 0;
  for (Program& survivor : survivors_) {
    const int place = survivor.options().place;
    const bool went_on = AwaitMark(place, end, kHangNs);
    const bool ended = survivor.Ended();
    outcome->crashes += ended ? 1 : 0;
    outcome->hangs += !went_on && !ended ? 1 : 0;
    worst_ms =
        std::max(worst_ms, went_on ? static_cast<double>(arena_.programs[place].longest_ns.load()) / 1e6
                                   : static_cast<double>(kHangNs) / 1e6);
    if (!went_on) survivor = Start(survivor.options());  // the next round's
  }
  AwaitMark(kControlPlace, end, kHangNs);
  const double control_ms = static_cast<double>(arena_.programs[kControlPlace].longest_ns.load()) / 1e6;
  stalls_ms.push_back(worst_ms);
  outcome->survivor_max_stall_ms = std::max(outcome->survivor_max_stall_ms, worst_ms);
  outcome->control_max_stall_ms = std::max(outcome->control_max_stall_ms, control_ms);
  outcome->worst_excess_ms = std::max(outcome->worst_excess_ms, worst_ms - control_ms);
  outcome->over_50ms += worst_ms - control_ms > 50 ? 1 : 0;
}

}  // namespace

base::Result<Outcome> Run(const Scenario& scenario, base::Random& random) {
  static Arena* const arena = Arena::Make();
  if (arena == nullptr) {
    return base::Error{base::Code::kSystem, "cannot share memory with the programs; free some and try again"};
  }
  Outcome outcome;
  std::vector<double> stalls;
  std::unique_ptr<Field> field;
  for (int i = 0; i < scenario.times; ++i) {
    // A board with random bytes in it is of no further use.
    if (!field || scenario.fault == Fault::kBytes) {
      field.reset();
      field = std::make_unique<Field>(scenario, *arena, random);
      if (auto begun = field->Begin(); !begun.ok()) return begun.error();
    }
    field->Round(&outcome);
    stalls.insert(stalls.end(), field->stalls_ms.begin(), field->stalls_ms.end());
    field->stalls_ms.clear();
  }
  if (!stalls.empty()) {
    const auto middle = stalls.begin() + static_cast<std::ptrdiff_t>(stalls.size() / 2);
    std::nth_element(stalls.begin(), middle, stalls.end());
    outcome.survivor_median_stall_ms = *middle;
  }
  return outcome;
}

}  // namespace mortar::faults
