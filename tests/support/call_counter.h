// Counts what a piece of code costs besides instructions: system calls, locks, memory. Included by one file
// of a test program, since it defines the C library's allocation and mutex functions anew; the calling
// thread is counted.
//
// System calls are caught by Linux's syscall user dispatch, which hands each one to a signal handler
// while `selector` says so; that is for good, so such a test runs in a process of its own. Not for
// builds with sanitizers.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <ostream>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MORTAR_SANITIZED 1
#endif

namespace mortar::tests {
namespace {

struct Counts {
  std::uint64_t calls = 0;  // system calls: at most one is counted a launch
  std::uint64_t locks = 0;
  std::uint64_t memory = 0;  // malloc, free and their like
  Counts operator-(const Counts& other) const {
    return {calls - other.calls, locks - other.locks, memory - other.memory};
  }
  bool operator==(const Counts&) const = default;
};
[[maybe_unused]] void PrintTo(const Counts& counts, std::ostream* out) {
  *out << counts.calls << " system calls, " << counts.locks << " locks, " << counts.memory << " allocations";
}

// Of this thread, while it counts. Static storage: the hooks run before anything is set up.
[[maybe_unused]] constinit thread_local bool counting = false;
[[maybe_unused]] constinit thread_local Counts counts;

}  // namespace
}  // namespace mortar::tests

#ifndef MORTAR_SANITIZED
namespace {
using MutexFunction = int (*)(pthread_mutex_t*);
// The C library's own. Looked up at the first call, which comes long before anything is counted.
MutexFunction Original(const char* name) { return reinterpret_cast<MutexFunction>(dlsym(RTLD_NEXT, name)); }
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);

#define MORTAR_HOOK __attribute__((visibility("default")))
MORTAR_HOOK void* malloc(std::size_t size) {
  if (mortar::tests::counting) ++mortar::tests::counts.memory;
  return __libc_malloc(size);
}
MORTAR_HOOK void* calloc(std::size_t count, std::size_t size) {
  if (mortar::tests::counting) ++mortar::tests::counts.memory;
  return __libc_calloc(count, size);
}
MORTAR_HOOK void* realloc(void* old, std::size_t size) {
  if (mortar::tests::counting) ++mortar::tests::counts.memory;
  return __libc_realloc(old, size);
}
MORTAR_HOOK void free(void* memory) {
  if (mortar::tests::counting && memory != nullptr) ++mortar::tests::counts.memory;
  __libc_free(memory);
}
MORTAR_HOOK int pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (mortar::tests::counting) ++mortar::tests::counts.locks;
  static constinit MutexFunction original = nullptr;
  if (original == nullptr) original = Original("pthread_mutex_lock");
  return original(mutex);
}
MORTAR_HOOK int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  if (mortar::tests::counting) ++mortar::tests::counts.locks;
  static constinit MutexFunction original = nullptr;
  if (original == nullptr) original = Original("pthread_mutex_trylock");
  return original(mutex);
}
}
#endif

namespace mortar::tests {
namespace {

#if defined(__x86_64__) && defined(PR_SET_SYSCALL_USER_DISPATCH) && !defined(MORTAR_SANITIZED)
#define MORTAR_CAN_COUNT 1

volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;

// Counts the call and lets it happen: the instruction is run again, this time undisturbed.
void OnSystemCall(int, siginfo_t*, void* context) {
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  ++counts.calls;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] -= 2;
}

bool CatchSystemCalls() {
  struct sigaction action {};
  action.sa_sigaction = OnSystemCall;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return sigaction(SIGSYS, &action, nullptr) == 0 &&
         prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) == 0;
}

template <typename Body>
Counts Count(Body body) {
  const Counts before = counts;
  counting = true;
  selector = SYSCALL_DISPATCH_FILTER_BLOCK;
  body();
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  counting = false;
  return counts - before;
}

// Do the counters see what they ought to? REQUIRES: CatchSystemCalls.
[[maybe_unused]] bool CountersSee() {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static void* volatile memory = nullptr;
  const Counts call = Count([] { getppid(); });
  const Counts lock = Count([] { pthread_mutex_lock(&mutex); });
  const Counts allocation = Count([] { memory = malloc(8); });
  const Counts both = Count([] { delete new std::string(100, 'x'); });
  pthread_mutex_unlock(&mutex);
  free(memory);
  return call == Counts{1, 0, 0} && lock == Counts{0, 1, 0} && allocation == Counts{0, 0, 1} &&
         both == Counts{0, 0, 4};
}

#endif

}  // namespace
}  // namespace mortar::tests
