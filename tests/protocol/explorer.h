// Runs a few virtual threads through every interleaving of their atomic operations, and every value that each
// load may return under C++'s memory model, by depth-first search with replay. For tests of the board's
// protocol: code templated on its memory (base/memory.h) runs here on VirtualMemory (virtual_memory.h) as it
// runs on the machine.
//
// Memory is a list of stores for each location, of which a thread may read any that it has not yet seen to be
// overtaken; acquire, release, fences and seq_cst limit which (views, as in operational accounts of C++11).
// So stores and loads are seen out of order as on AArch64, not only as on x86. Left out: a load that sees a
// store made later in time, and a store that takes its place before an older one.
//
// Two paths that lead to one state (memory, what each thread has read, ghosts) are searched on once. Test
// code must therefore keep whatever it decides on in operations' results, in its own locals, or in a Ghost.
//
// One explorer at a time in a process. Threads' stacks are dropped where a path ends: their locals own
// nothing.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace mortar::interleaving {

inline constexpr int kMostLocations = 16;
using View = std::array<std::uint8_t, kMostLocations>;  // of each location, the oldest store still to be seen

// What is done wrong on purpose in every operation, to see that the search finds it.
enum class Fault {
  kNone,
  kNoReleaseFence,
  kNoAcquireFence,
  kRelaxedStores,  // release, and seq_cst
  kRelaxedLoads,   // acquire, and seq_cst
  kWeakSeqCst,     // seq_cst means acquire and release
  kTornExchange,   // read-modify-write in two steps
};

struct Outcome {
  std::string violation;  // empty: none; else what failed, and the operations that led there
  bool complete = false;  // every state was visited
  std::uint64_t states = 0;
  std::uint64_t executions = 0;
  bool Holds() const { return violation.empty() && complete; }
};

class Explorer {
 public:
  static Explorer& Current() { return *current_; }

  explicit Explorer(Fault fault = Fault::kNone) : fault_(fault) {}
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  // `set_up` is called for each path: it makes what is shared (Make), and starts threads (Start). At most
  // `most_states` are visited.
  Outcome Explore(const std::function<void(Explorer&)>& set_up, std::uint64_t most_states = 20'000'000);

  // In `set_up` alone.
  template <typename T, typename... Arguments>
  T& Make(Arguments&&... arguments) {
    auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    owned_.push_back(made);
    return *made;
  }
  void Start(std::function<void()> body);
  // A thread that stores nothing and sets no ghost. It runs when all others have ended: what it could have
  // read earlier it can read then too, and nobody notices it; so nothing is left out, and the search is far
  // shorter.
  void StartReader(std::function<void()> body);
  // Runs after all threads have ended.
  void AtEnd(std::function<void()> check) { at_end_ = std::move(check); }

  // From threads.
  void Step(const char* what);  // others may run now; what follows up to the next Step is one step
  std::uint64_t Choose(std::uint64_t count);  // any of 0…count-1, all of them in turn
  // Others run until `may_go`, which looks at ghosts and newest values only. Nobody left who can: a
  // violation.
  void Block(const char* what, std::function<bool()> may_go);
  void Check(bool holds, const char* what);
  void Observe(std::uint64_t value);  // mixes what the thread learned into its state

  // For VirtualMemory.
  int AddLocation(std::uint64_t value);
  std::uint64_t Load(int location, std::memory_order order);
  void Store(int location, std::uint64_t value, std::memory_order order);
  std::uint64_t Modify(int location, std::memory_order order,
                       const std::function<std::uint64_t(std::uint64_t)>& change);
  bool Exchange(int location, std::uint64_t* expected, std::uint64_t desired, std::memory_order order);
  void Fence(std::memory_order order);
  // As the kernel reads a word for a thread: the newest, within the step that runs.
  std::uint64_t LoadNewest(int location);
  std::uint64_t Newest(int location) const {
    return locations_[static_cast<std::size_t>(location)].back().value;
  }
  Fault fault() const { return fault_; }

  // A Ghost's value, as part of the state.
  void AddGhost(const std::uint64_t* value) { ghosts_.push_back(value); }

 private:
  struct Message {
    std::uint64_t value;
    View view;   // what a thread that acquires it has seen
    View order;  // seq_cst stores: what was before it in their order
    bool seq_cst;
  };
  struct Thread {
    ucontext_t context;
    jmp_buf resume;
    bool begun = false;
    bool reader = false;
    std::function<void()> body;
    std::function<bool()> may_go;
    View seen{}, acquired{}, released{}, order{};
    std::uint64_t history = 0;
    bool done = false;
  };
  struct Choice {
    std::uint64_t taken, count;
  };

  static void Enter();
  void RunPath(const std::function<void(Explorer&)>& set_up);
  bool Advance();
  bool NextPath();
  std::uint64_t State() const;
  void SwitchTo(std::size_t index);
  void Note(const char* what, int location, std::uint64_t value);
  std::memory_order Weakened(std::memory_order order, bool store) const;
  std::uint64_t Take(Thread& thread, int location, std::size_t index, std::memory_order order);
  void Put(Thread& thread, int location, std::uint64_t value, std::memory_order order,
           const Message* continues);
  Thread& Self() { return threads_[running_ < 0 ? 0 : static_cast<std::size_t>(running_)]; }

  static Explorer* current_;
  const Fault fault_;
  std::vector<std::shared_ptr<void>> owned_;
  std::vector<std::vector<Message>> locations_;
  std::vector<const std::uint64_t*> ghosts_;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<char[]>> stacks_;
  std::function<void()> at_end_;
  View seq_cst_{};                           // newest seq_cst store of each location
  [[maybe_unused]] ucontext_t scheduler_{};  // under sanitizers alone
  jmp_buf scheduler_resume_;
  int running_ = -1;
  std::vector<Choice> choices_;
  std::size_t position_ = 0;
  std::unordered_set<std::uint64_t> visited_;
  std::string violation_;
  std::vector<std::string> log_;
  bool logging_ = false;
  bool pruned_ = false;
};

// A test's own variable: read and written within a step, part of the state. Values up to 64 bits.
template <typename T>
class Ghost {
 public:
  explicit Ghost(T value = T()) : value_(static_cast<std::uint64_t>(value)) {
    Explorer::Current().AddGhost(&value_);
  }
  Ghost(const Ghost&) = delete;
  Ghost& operator=(const Ghost&) = delete;
  T Get() const {
    Explorer::Current().Observe(value_);
    return static_cast<T>(value_);
  }
  // Without telling the thread: for Block's conditions.
  T Peek() const { return static_cast<T>(value_); }
  void Set(T value) { value_ = static_cast<std::uint64_t>(value); }

 private:
  std::uint64_t value_;
};

}  // namespace mortar::interleaving
