// What a holder's warm enqueue costs besides instructions: no system call, no lock, no memory.
//
// Counted, not sampled: allocation and mutex functions are replaced in this binary; system calls are caught
// by Linux's syscall user dispatch, which hands each one to a signal handler while `selector` says so.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "backend/opencl/test_world.h"
#include "board/view.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MORTAR_SANITIZED 1
#endif

namespace mortar::opencl {
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
constinit thread_local Counts counts;

}  // namespace
}  // namespace mortar::opencl

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
  if (mortar::opencl::counting) ++mortar::opencl::counts.memory;
  return __libc_malloc(size);
}
MORTAR_HOOK void* calloc(std::size_t count, std::size_t size) {
  if (mortar::opencl::counting) ++mortar::opencl::counts.memory;
  return __libc_calloc(count, size);
}
MORTAR_HOOK void* realloc(void* old, std::size_t size) {
  if (mortar::opencl::counting) ++mortar::opencl::counts.memory;
  return __libc_realloc(old, size);
}
MORTAR_HOOK void free(void* memory) {
  if (mortar::opencl::counting && memory != nullptr) ++mortar::opencl::counts.memory;
  __libc_free(memory);
}
MORTAR_HOOK int pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (mortar::opencl::counting) ++mortar::opencl::counts.locks;
  static constinit MutexFunction original = nullptr;
  if (original == nullptr) original = Original("pthread_mutex_lock");
  return original(mutex);
}
MORTAR_HOOK int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  if (mortar::opencl::counting) ++mortar::opencl::counts.locks;
  static constinit MutexFunction original = nullptr;
  if (original == nullptr) original = Original("pthread_mutex_trylock");
  return original(mutex);
}
}
#endif

namespace mortar::opencl {
namespace {

#if defined(__x86_64__) && defined(PR_SET_SYSCALL_USER_DISPATCH) && !defined(MORTAR_SANITIZED)

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

// Events of launches that the layer samples: complete at once, after 100 us on the device.
constinit std::uint64_t sampled = 0;
_cl_event sample;
cl_int CL_API_CALL FastEnqueue(cl_command_queue queue, cl_kernel, cl_uint, const std::size_t*,
                               const std::size_t*, const std::size_t*, cl_uint, const cl_event*,
                               cl_event* event) {
  if (event == nullptr) return CL_SUCCESS;
  ++sampled;
  sample.queue = queue;
  sample.status.store(CL_COMPLETE);
  sample.duration_ns = 100'000;
  sample.end_ns = 1'000'000;
  *event = &sample;
  return CL_SUCCESS;
}

struct Outcome {
  bool caught = false;        // system calls can be caught here, and are
  bool counters_see = false;  // the counters see what they ought to
  std::uint64_t launches = 0, sampled = 0;
  Counts plain;     // of launches that were not sampled
  Counts sampling;  // of those that were
  std::uint64_t most_locks_a_sample = 0;
};

class HotPathTest : public LayerTest {
 protected:
  // In a process of its own, since catching system calls is for good. `others`: priorities of other clients.
  static Outcome Run(const std::vector<std::uint32_t>& others) {
    auto* outcome =
        new (mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
            Outcome;
    board::Child child([&] { return Body(others, outcome); });
    EXPECT_EQ(child.Wait(), 0);
    // It ended without leaving; other tests want the board to themselves.
    if (auto board = board::Board::Open(Directory(), kMockDevice, /*create=*/true); board.ok()) {
      board->ClearStale();
    }
    return *outcome;
  }

 private:
  static constexpr int kKernels = 20;

  static int Body(const std::vector<std::uint32_t>& others, Outcome* outcome) {
    const cl_icd_dispatch& layer = Layer();
    next.clEnqueueNDRangeKernel = FastEnqueue;
    cl_command_queue queue = layer.clCreateCommandQueue(nullptr, MockDriver::Get().device(), 0, nullptr);
    std::array<cl_kernel, kKernels> kernels;
    for (auto& kernel : kernels) kernel = layer.clCreateKernel(nullptr, "kernel", nullptr);
    std::vector<std::unique_ptr<client::FakePeer>> peers;
    for (const std::uint32_t priority : others) {
      peers.push_back(std::make_unique<client::FakePeer>(Directory(), kMockDevice,
                                                         "other" + std::to_string(peers.size()), priority));
      if (!peers.back()->joined()) return 2;
    }
    const auto launch = [&](int i) {
      const std::size_t global[2] = {static_cast<std::size_t>(64 * (i + 1)), 2};
      const int argument = i;
      const auto at = static_cast<std::size_t>(i);
      layer.clSetKernelArg(kernels[at], 0, sizeof argument, &argument);
      layer.clEnqueueNDRangeKernel(queue, kernels[at], 2, nullptr, global, nullptr, 0, nullptr, nullptr);
    };
    launch(0);  // joins
    if (!BecomeHolder()) return 3;
    constexpr int kWarm = 2000;  // requests: each kernel's sampling has come to its steady rate
    for (int request = 0; request < kWarm; ++request) {
      for (int i = 0; i < kKernels; ++i) launch(i);
      layer.clFinish(queue);
    }
    if (!CatchSystemCalls()) return 0;
    outcome->caught = true;
    outcome->counters_see = CountersSee();
    for (int request = 0; request < kWarm; ++request) {
      for (int i = 0; i < kKernels; ++i) {
        const std::uint64_t before = sampled;
        const Counts cost = Count([&] { launch(i); });
        ++outcome->launches;
        Counts& sum = sampled == before ? outcome->plain : outcome->sampling;
        sum = {sum.calls + cost.calls, sum.locks + cost.locks, sum.memory + cost.memory};
        if (sampled != before)
          outcome->most_locks_a_sample = std::max(outcome->most_locks_a_sample, cost.locks);
        outcome->sampled += sampled - before;
      }
      layer.clFinish(queue);
    }
    return 0;
  }

  // As `mortar set --priority 0`: the process that this one was forked from may share the board.
  static bool BecomeHolder() {
    auto board = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
    if (!board.ok()) return false;
    board->ClearStale();
    OwnSlot(*board).priority.store(0);
    board->Bump();
    return OwnSlot(*board).pid.load() == getpid();
  }

  static bool CountersSee() {
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
};

void ExpectFree(const Outcome& outcome) {
  if (!outcome.caught) GTEST_SKIP() << "this kernel has no syscall user dispatch";
  EXPECT_TRUE(outcome.counters_see);
  EXPECT_EQ(outcome.launches, 40'000U);
  EXPECT_EQ(outcome.plain, (Counts{0, 0, 0}));
  // A sampled launch hands its event over under a mutex; that is all, and once in many launches.
  EXPECT_EQ(outcome.sampling.calls, 0U);
  EXPECT_EQ(outcome.sampling.memory, 0U);
  EXPECT_LE(outcome.most_locks_a_sample, 1U);
  EXPECT_GT(outcome.sampled, 0U);
  EXPECT_LE(outcome.sampled, outcome.launches / 64);
}

TEST_F(HotPathTest, AloneCostsNoCallNoLockNoMemory) { ExpectFree(Run({})); }

TEST_F(HotPathTest, AboveOthersCostsNoCallNoLockNoMemory) { ExpectFree(Run({6, 7, 9})); }

#else

TEST(HotPathTest, Counting) {
  GTEST_SKIP() << "needs x86-64, syscall user dispatch, and a build without sanitizers";
}

#endif

}  // namespace
}  // namespace mortar::opencl
