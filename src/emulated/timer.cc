#include "emulated/timer.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>

namespace mortar::emulated {
namespace {

bool IsLater(const TimerQueue::Entry& a, const TimerQueue::Entry& b) {
  return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.order > b.order;
}

}  // namespace

TimerQueue::~TimerQueue() { std::free(heap_); }

bool TimerQueue::Add(std::int64_t at_ns, Function function, void* argument) {
  if (size_ == capacity_) {
    const std::size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
    auto* heap = static_cast<Entry*>(std::realloc(heap_, capacity * sizeof(Entry)));
    if (heap == nullptr) return false;
    heap_ = heap;
    capacity_ = capacity;
  }
  heap_[size_++] = {at_ns, added_++, function, argument};
  std::push_heap(heap_, heap_ + size_, IsLater);
  return true;
}

TimerQueue::Entry TimerQueue::PopFirst() {
  std::pop_heap(heap_, heap_ + size_, IsLater);
  return heap_[--size_];
}

bool Timer::Add(std::int64_t at_ns, TimerQueue::Function function, void* argument) {
  pthread_mutex_lock(&mutex_);
  const bool good = (running_ || Start()) && queue_.Add(at_ns, function, argument);
  if (good) pthread_cond_signal(&added_);
  pthread_mutex_unlock(&mutex_);
  return good;
}

// REQUIRES: mutex_ held.
bool Timer::Start() {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&added_, &attributes);
  pthread_condattr_destroy(&attributes);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the program's threads' business
  pthread_t thread;
  running_ = pthread_create(&thread, nullptr, &Timer::Main, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (running_) pthread_detach(thread);
  return running_;
}

void* Timer::Main(void* self) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  static_cast<Timer*>(self)->Run();
  return nullptr;
}

void Timer::Run() {
  pthread_mutex_lock(&mutex_);
  for (;;) {
    if (queue_.empty()) {
      pthread_cond_wait(&added_, &mutex_);
      continue;
    }
    const std::int64_t at_ns = queue_.first().at_ns;
    if (at_ns - clock_.NowNs() > kSpinNs) {
      const std::int64_t wake_ns = at_ns - kSpinNs;
      const timespec wake{wake_ns / 1'000'000'000, wake_ns % 1'000'000'000};
      pthread_cond_timedwait(&added_, &mutex_, &wake);
      continue;
    }
    const TimerQueue::Entry entry = queue_.PopFirst();
    pthread_mutex_unlock(&mutex_);
    clock_.WaitUntil(entry.at_ns);
    entry.function(entry.argument);
    pthread_mutex_lock(&mutex_);
  }
}

void Timer::AfterForkInChild() {
  pthread_mutex_init(&mutex_, nullptr);
  running_ = false;
  queue_.Clear();
}

}  // namespace mortar::emulated
