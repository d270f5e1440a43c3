// Calls functions at given instants, from one thread of its own that is made at the first need. For callbacks
// of events whose modelled end is still to come. Any thread may add.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

#include "emulated/clock.h"

namespace mortar::emulated {

// What to call when, earliest first; equal instants in the order of adding. Pure; one owner at a time.
class TimerQueue {
 public:
  using Function = void (*)(void* argument);
  struct Entry {
    std::int64_t at_ns = 0;
    std::uint64_t order = 0;
    Function function = nullptr;
    void* argument = nullptr;
  };

  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  ~TimerQueue();

  // False without memory.
  bool Add(std::int64_t at_ns, Function function, void* argument);
  bool empty() const { return size_ == 0; }
  // REQUIRES: !empty().
  const Entry& first() const { return heap_[0]; }
  Entry PopFirst();
  void Clear() { size_ = 0; }

 private:
  Entry* heap_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::uint64_t added_ = 0;
};

class Timer {
 public:
  explicit Timer(Clock& clock) : clock_(clock) {}
  Timer(const Timer&) = delete;

  // False if there is no memory or no thread to be had: the caller then calls `function` itself.
  bool Add(std::int64_t at_ns, TimerQueue::Function function, void* argument);

  void BeforeFork() { pthread_mutex_lock(&mutex_); }
  void AfterForkInParent() { pthread_mutex_unlock(&mutex_); }
  void AfterForkInChild();  // the thread is not there any more: the next Add makes one

 private:
  static void* Main(void* self);
  bool Start();
  void Run();

  Clock& clock_;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  // Guarded by mutex_.
  pthread_cond_t added_;
  bool running_ = false;
  TimerQueue queue_;
};

}  // namespace mortar::emulated
