// What a holder's warm enqueue costs besides instructions: no system call, no lock, no memory.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>

#include "backend/opencl/test_world.h"
#include "board/view.h"
#include "support/call_counter.h"

namespace mortar::opencl {
namespace {

#ifdef MORTAR_CAN_COUNT

using tests::CatchSystemCalls;
using tests::Count;
using tests::CountersSee;
using tests::Counts;

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
