#include "protocol/explorer.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace mortar::interleaving {
namespace {

constexpr std::size_t kStack = 256 * 1024;  // chosen: gtest's messages and sanitizers' frames fit

std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
  // The finaliser of SplitMix64, over both.
  hash += value + 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

std::uint64_t MixView(std::uint64_t hash, const View& view) {
  static_assert(sizeof view % 8 == 0);
  for (std::size_t i = 0; i < view.size(); i += 8) {
    std::uint64_t word = 0;
    for (std::size_t k = 0; k < 8; ++k) word |= std::uint64_t{view[i + k]} << (8 * k);
    hash = Mix(hash, word);
  }
  return hash;
}

void Join(View& view, const View& other) {
  for (std::size_t i = 0; i < view.size(); ++i) view[i] = std::max(view[i], other[i]);
}

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// AddressSanitizer is told of each change of stacks.
#if defined(__SANITIZE_ADDRESS__)
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_size = 0;
void BeginSwitch(void** fake_stack, const char* stack) {
  __sanitizer_start_switch_fiber(fake_stack, stack != nullptr ? stack : scheduler_stack,
                                 stack != nullptr ? kStack : scheduler_stack_size);
}
void FinishSwitch(void* fake_stack, bool came_from_scheduler) {
  __sanitizer_finish_switch_fiber(fake_stack, came_from_scheduler ? &scheduler_stack : nullptr,
                                  came_from_scheduler ? &scheduler_stack_size : nullptr);
}
#else
void FinishSwitch(void*, bool) {}
// swapcontext would save the signal mask each time: two system calls. `first`: where a thread begins.
[[gnu::noinline]] void Swap(jmp_buf& from, jmp_buf& to, ucontext_t* first) {
  if (_setjmp(from) != 0) return;
  if (first != nullptr) setcontext(first);
  _longjmp(to, 1);
}
#endif

}  // namespace

Explorer* Explorer::current_ = nullptr;

Outcome Explorer::Explore(const std::function<void(Explorer&)>& set_up, std::uint64_t most_states) {
  current_ = this;
  Outcome outcome;
  bool more = true;
  while (more && violation_.empty() && visited_.size() < most_states) {
    RunPath(set_up);
    ++outcome.executions;
    if (violation_.empty()) more = NextPath();
  }
  outcome.complete = !more;
  outcome.states = visited_.size();
  if (!violation_.empty()) {
    // The same path again, this time written down.
    const std::string what = std::exchange(violation_, "");
    logging_ = true;
    RunPath(set_up);
    outcome.violation = what;
    for (const std::string& line : log_) outcome.violation += "\n  " + line;
  }
  owned_.clear();
  current_ = nullptr;
  return outcome;
}

void Explorer::Start(std::function<void()> body) {
  threads_.emplace_back().body = std::move(body);
  if (stacks_.size() < threads_.size()) stacks_.push_back(std::make_unique<char[]>(kStack));
}

void Explorer::StartReader(std::function<void()> body) {
  Start(std::move(body));
  threads_.back().reader = true;
}

void Explorer::Enter() {
  Explorer& explorer = *current_;
  FinishSwitch(nullptr, /*came_from_scheduler=*/true);
  Thread& self = explorer.Self();
  self.body();
  self.done = true;
  explorer.SwitchTo(explorer.threads_.size());
}

// To a thread, or back to the scheduler (index: number of threads).
void Explorer::SwitchTo(std::size_t index) {
  const bool back = index == threads_.size();
  Thread& thread = threads_[back ? static_cast<std::size_t>(running_) : index];
  running_ = back ? -1 : static_cast<int>(index);
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  BeginSwitch(&fake_stack, back ? nullptr : stacks_[index].get());
  swapcontext(back ? &thread.context : &scheduler_, back ? &scheduler_ : &thread.context);
  FinishSwitch(fake_stack, back);
#else
  const bool begins = !back && !std::exchange(thread.begun, true);
  if (back) return Swap(thread.resume, scheduler_resume_, nullptr);
  Swap(scheduler_resume_, thread.resume, begins ? &thread.context : nullptr);
#endif
}

void Explorer::RunPath(const std::function<void(Explorer&)>& set_up) {
  owned_.clear();
  locations_.clear();
  ghosts_.clear();
  threads_.clear();
  threads_.reserve(8);
  at_end_ = nullptr;
  seq_cst_ = {};
  position_ = 0;
  pruned_ = false;
  running_ = -1;
  set_up(*this);
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    ucontext_t& context = threads_[i].context;
    getcontext(&context);
    context.uc_stack.ss_sp = stacks_[i].get();
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, &Explorer::Enter, 0);
    SwitchTo(i);  // up to its first operation
  }
  while (violation_.empty() && Advance()) {
  }
}

// One step of one thread. False: the path ends here.
bool Explorer::Advance() {
  std::size_t able[8];
  std::size_t count = 0;
  bool left = false;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].done) continue;
    left = true;
    if (threads_[i].reader && count > 0) break;  // readers were started last
    if (!threads_[i].may_go || threads_[i].may_go()) able[count++] = i;
  }
  if (count == 0) {
    if (left) {
      violation_ = "nobody can go on";
    } else if (at_end_) {
      at_end_();
    }
    return false;
  }
  if (position_ >= choices_.size() && !logging_ && !visited_.insert(State()).second) {
    pruned_ = true;
    return false;
  }
  const std::size_t next = able[Choose(count)];
  threads_[next].may_go = nullptr;
  SwitchTo(next);
  return true;
}

std::uint64_t Explorer::Choose(std::uint64_t count) {
  if (count < 2) return 0;
  if (position_ == choices_.size()) choices_.push_back({0, count});
  const std::uint64_t taken = choices_[position_++].taken;
  // The scheduler's own choices are no thread's knowledge.
  if (running_ >= 0) Observe(taken);
  return taken;
}

bool Explorer::NextPath() {
  while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().count) choices_.pop_back();
  if (choices_.empty()) return false;
  ++choices_.back().taken;
  return true;
}

std::uint64_t Explorer::State() const {
  std::uint64_t hash = MixView(1, seq_cst_);
  for (const auto& messages : locations_) {
    hash = Mix(hash, messages.size());
    for (const Message& message : messages) {
      hash = MixView(MixView(Mix(hash, message.value), message.view), message.order);
      hash = Mix(hash, message.seq_cst ? 1 : 0);
    }
  }
  for (const Thread& thread : threads_) {
    hash = Mix(Mix(hash, thread.history), thread.done ? 1 : 0);
    hash =
        MixView(MixView(MixView(MixView(hash, thread.seen), thread.acquired), thread.released), thread.order);
  }
  for (const std::uint64_t* ghost : ghosts_) hash = Mix(hash, *ghost);
  return hash;
}

void Explorer::Observe(std::uint64_t value) {
  if (running_ >= 0) Self().history = Mix(Self().history, value);
}

void Explorer::Step(const char* what) {
  if (running_ < 0) return;
  SwitchTo(threads_.size());
  Self().history = Mix(Self().history, 7);
  Note(what, -1, 0);
}

void Explorer::Block(const char* what, std::function<bool()> may_go) {
  Self().may_go = std::move(may_go);
  Step(what);
}

void Explorer::Check(bool holds, const char* what) {
  if (holds || !violation_.empty()) return;
  violation_ = what;
  if (running_ >= 0) SwitchTo(threads_.size());  // and never comes back
}

void Explorer::Note(const char* what, int location, std::uint64_t value) {
  if (!logging_ || what == nullptr) return;
  char line[160];
  if (location < 0) {
    std::snprintf(line, sizeof line, "thread %d: %s", running_, what);
  } else {
    std::snprintf(line, sizeof line, "thread %d: %s [%d] %lld", running_, what, location,
                  static_cast<long long>(value));
  }
  log_.emplace_back(line);
}

std::memory_order Explorer::Weakened(std::memory_order order, bool store) const {
  if (fault_ == Fault::kRelaxedStores && store && Releases(order)) return std::memory_order_relaxed;
  if (fault_ == Fault::kRelaxedLoads && !store && Acquires(order)) return std::memory_order_relaxed;
  if (fault_ == Fault::kWeakSeqCst && order == std::memory_order_seq_cst) return std::memory_order_acq_rel;
  return order;
}

int Explorer::AddLocation(std::uint64_t value) {
  locations_.push_back({{value, View{}, View{}, false}});
  return static_cast<int>(locations_.size()) - 1;
}

// The thread reads store `index` of a location.
std::uint64_t Explorer::Take(Thread& thread, int location, std::size_t index, std::memory_order order) {
  const auto at = static_cast<std::size_t>(location);
  const Message& message = locations_[at][index];
  thread.seen[at] = std::max(thread.seen[at], static_cast<std::uint8_t>(index));
  thread.acquired[at] = std::max(thread.acquired[at], thread.seen[at]);
  Join(thread.acquired, message.view);
  if (Acquires(order)) Join(thread.seen, message.view);
  if (order == std::memory_order_seq_cst && message.seq_cst) Join(thread.order, message.order);
  Observe(message.value);
  return message.value;
}

// The thread makes the newest store of a location; `continues`: the one that its read-modify-write read.
void Explorer::Put(Thread& thread, int location, std::uint64_t value, std::memory_order order,
                   const Message* continues) {
  const auto at = static_cast<std::size_t>(location);
  auto& messages = locations_[at];
  const auto index = static_cast<std::uint8_t>(messages.size());
  thread.seen[at] = thread.acquired[at] = index;
  Message message{value, Releases(order) ? thread.seen : thread.released, View{},
                  order == std::memory_order_seq_cst};
  message.view[at] = index;
  if (continues != nullptr) Join(message.view, continues->view);
  if (message.seq_cst) {
    seq_cst_[at] = index;
    Join(thread.order, seq_cst_);
    message.order = thread.order;
  }
  messages.push_back(message);
}

std::uint64_t Explorer::Load(int location, std::memory_order order) {
  if (running_ < 0) return Newest(location);
  Step(nullptr);
  order = Weakened(order, false);
  Thread& self = Self();
  const auto at = static_cast<std::size_t>(location);
  std::size_t first = self.seen[at];
  if (order == std::memory_order_seq_cst) first = std::max<std::size_t>(first, self.order[at]);
  // The newest first: then the first paths are those of a machine that reorders nothing.
  const std::size_t last = locations_[at].size() - 1;
  const std::size_t index = last - Choose(last - first + 1);
  const std::uint64_t value = Take(self, location, index, order);
  Note("load", location, value);
  return value;
}

std::uint64_t Explorer::LoadNewest(int location) {
  const std::size_t last = locations_[static_cast<std::size_t>(location)].size() - 1;
  return Take(Self(), location, last, std::memory_order_seq_cst);
}

void Explorer::Store(int location, std::uint64_t value, std::memory_order order) {
  if (running_ < 0) {
    locations_[static_cast<std::size_t>(location)].back().value = value;
    return;
  }
  Step(nullptr);
  Put(Self(), location, value, Weakened(order, true), nullptr);
  Note("store", location, value);
}

std::uint64_t Explorer::Modify(int location, std::memory_order order,
                               const std::function<std::uint64_t(std::uint64_t)>& change) {
  if (running_ < 0) {
    auto& message = locations_[static_cast<std::size_t>(location)].back();
    return std::exchange(message.value, change(message.value));
  }
  if (fault_ == Fault::kTornExchange) {
    const std::uint64_t old = Load(location, order);
    Store(location, change(old), order);
    return old;
  }
  Step(nullptr);
  Thread& self = Self();
  const auto at = static_cast<std::size_t>(location);
  const Message read = locations_[at].back();
  const std::uint64_t old = Take(self, location, locations_[at].size() - 1, Weakened(order, false));
  Put(self, location, change(old), Weakened(order, true), &read);
  Note("modify", location, Newest(location));
  return old;
}

bool Explorer::Exchange(int location, std::uint64_t* expected, std::uint64_t desired,
                        std::memory_order order) {
  if (running_ < 0 || fault_ == Fault::kTornExchange) {
    const std::uint64_t old = Load(location, order);
    if (old == *expected) Store(location, desired, order);
    return std::exchange(*expected, old) == old;
  }
  Step(nullptr);
  Thread& self = Self();
  const auto at = static_cast<std::size_t>(location);
  // It succeeds on the newest alone; it may fail on any other that is still to be seen.
  std::size_t able[256];
  std::size_t count = 0;
  const std::size_t last = locations_[at].size() - 1;
  std::size_t first = std::max<std::size_t>(self.seen[at], self.order[at]);
  for (std::size_t index = last + 1; index-- > first;) {
    if (index == last || locations_[at][index].value != *expected) able[count++] = index;
  }
  const std::size_t index = able[Choose(count)];
  const Message read = locations_[at][index];
  const std::uint64_t old = Take(self, location, index, Weakened(order, false));
  const bool done = old == *expected;
  if (done) Put(self, location, desired, Weakened(order, true), &read);
  Note(done ? "exchange" : "exchange fails", location, done ? desired : old);
  *expected = old;
  return done;
}

void Explorer::Fence(std::memory_order order) {
  if (running_ < 0) return;
  // No step of its own: it moves no value.
  Thread& self = Self();
  if (Acquires(order) && fault_ != Fault::kNoAcquireFence) Join(self.seen, self.acquired);
  if (Releases(order) && fault_ != Fault::kNoReleaseFence) self.released = self.seen;
  Note("fence", -1, 0);
}

}  // namespace mortar::interleaving
