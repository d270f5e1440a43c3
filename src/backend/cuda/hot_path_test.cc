// What a holder's warm launch costs besides instructions: no system call, no lock, no memory.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <vector>

#include "backend/cuda/driver.h"
#include "backend/cuda/test_world.h"
#include "support/call_counter.h"

namespace mortar::cuda {
namespace {

#ifdef MORTAR_CAN_COUNT

using tests::CatchSystemCalls;
using tests::Count;
using tests::CountersSee;
using tests::Counts;

struct Outcome {
  bool caught = false;        // system calls can be caught here, and are
  bool counters_see = false;  // the counters see what they ought to
  std::uint64_t launches = 0, sampled = 0;
  Counts plain;     // of launches that were not sampled
  Counts sampling;  // of those that were
  std::uint64_t most_locks_a_sample = 0;
};

// A driver that does nothing at all in place of the mock, which records under a mutex.
constinit std::uint64_t records = 0;
CUresult Launched(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream,
                  void**, void**) {
  return CUDA_SUCCESS;
}
CUresult Recorded(CUevent, CUstream) {
  ++records;
  return CUDA_SUCCESS;
}
CUresult Current(CUcontext* out) {
  *out = reinterpret_cast<CUcontext>(0xc0);
  return CUDA_SUCCESS;
}
CUresult Queried(CUstream) { return CUDA_ERROR_NOT_READY; }
CUresult Exchanged(int*) { return CUDA_SUCCESS; }

void Fill(Symbol symbol, void* function) { mortar_cuda_slots[Index(symbol)] = function; }

class HotPathTest : public CudaTest {
 protected:
  // In a process of its own, since catching system calls is for good. `others`: priorities of other clients.
  Outcome Run(const std::vector<std::uint32_t>& others) {
    auto* outcome =
        new (mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
            Outcome;
    board::Child child([&] { return Body(others, outcome); });
    EXPECT_EQ(child.Wait(), 0);
    board.ClearStale();  // it ended without leaving
    return *outcome;
  }

 private:
  static constexpr unsigned kKernels = 20;

  int Body(const std::vector<std::uint32_t>& others, Outcome* outcome) {
    Fill(Symbol::cuLaunchKernel, reinterpret_cast<void*>(&Launched));
    Fill(Symbol::cuEventRecord, reinterpret_cast<void*>(&Recorded));
    Fill(Symbol::cuCtxGetCurrent, reinterpret_cast<void*>(&Current));
    Fill(Symbol::cuStreamQuery, reinterpret_cast<void*>(&Queried));
    Fill(Symbol::cuThreadExchangeStreamCaptureMode, reinterpret_cast<void*>(&Exchanged));
    std::vector<std::unique_ptr<client::FakePeer>> peers;
    for (const std::uint32_t priority : others) {
      peers.push_back(std::make_unique<client::FakePeer>(Directory(), kMockDevice,
                                                         "other" + std::to_string(peers.size()), priority));
      if (!peers.back()->joined()) return 2;
    }
    if (Launch() != CUDA_SUCCESS) return 3;  // joins
    // As `mortar set --priority 0`: the process that this one was forked from is on the board, too.
    OwnSlot().priority.store(0);
    board.Bump();
    constexpr int kWarm = 2000;  // requests: each kernel's sampling has come to its steady rate
    for (int request = 0; request < kWarm; ++request) {
      for (unsigned i = 0; i < kKernels; ++i) Launch(i + 1);
      mortar_cuStreamSynchronize(stream);
    }
    if (!CatchSystemCalls()) return 0;
    outcome->caught = true;
    outcome->counters_see = CountersSee();
    for (int request = 0; request < kWarm; ++request) {
      for (unsigned i = 0; i < kKernels; ++i) CountOne(i + 1, outcome);
      mortar_cuStreamSynchronize(stream);
    }
    return 0;
  }

  void CountOne(unsigned grid, Outcome* outcome) {
    const std::uint64_t before = records;
    const Counts cost = Count([&] { Launch(grid); });
    ++outcome->launches;
    const bool sampled = records != before;
    Counts& sum = sampled ? outcome->sampling : outcome->plain;
    sum = {sum.calls + cost.calls, sum.locks + cost.locks, sum.memory + cost.memory};
    if (!sampled) return;
    ++outcome->sampled;
    outcome->most_locks_a_sample = std::max(outcome->most_locks_a_sample, cost.locks);
  }
};

void ExpectFree(const Outcome& outcome) {
  if (!outcome.caught) GTEST_SKIP() << "this kernel has no syscall user dispatch";
  EXPECT_TRUE(outcome.counters_see);
  EXPECT_EQ(outcome.launches, 40'000U);
  EXPECT_EQ(outcome.plain, (Counts{0, 0, 0}));
  // A sampled launch takes its events under a mutex and hands them over under it; that is all, once
  // in many launches.
  EXPECT_EQ(outcome.sampling.calls, 0U);
  EXPECT_EQ(outcome.sampling.memory, 0U);
  EXPECT_LE(outcome.most_locks_a_sample, 2U);
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
}  // namespace mortar::cuda
