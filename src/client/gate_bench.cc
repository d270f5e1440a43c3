// What the gate adds to a submit, and what a filler's decision costs.
//
// BM_Gate_HolderSubmit        a holder's submit through the gate, another core polling its lanes on 8 slots;
// subtract
//                             BM_Gate_EmptyCall, an empty call in the same run.
// BM_Gate_FillerDecide/N      one decision of a filler with N other clients, all their lanes freshly written
// by
//                             another core; BM_Gate_FillerDecideClean/N with lanes that nobody writes.
// BM_Gate_FillerStart         from the holder publishing that its gap begins to the filler's admission.
#include <benchmark/benchmark.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "client/session.h"
#include "policy/policy.h"

namespace mortar::client {
namespace {

// A private board directory, removed at the end.
class BenchBoard {
 public:
  BenchBoard() {
    char path[] = "/dev/shm/mortar-bench-XXXXXX";
    directory_ = mkdtemp(path);
    setenv("MORTAR_DIR", directory_.c_str(), 1);
    setenv("MORTAR_PROFILES", "", 1);
  }
  ~BenchBoard() { [[maybe_unused]] const int status = system(("rm -rf " + directory_).c_str()); }

 private:
  std::string directory_;
};

void Pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(core), &set);
  sched_setaffinity(0, sizeof set, &set);
}

struct Client {
  predict::KernelTable kernels;
  std::unique_ptr<Session> session;

  Client(const char* name, std::uint32_t priority) {
    Options options;
    options.join.name = name;
    options.join.priority = priority;
    auto opened = Session::Open("bench", options, kernels);
    if (opened.ok()) session = std::move(*opened);
  }
  ~Client() {
    if (session != nullptr) session->Leave();
  }
};

void SteadyKernel(predict::KernelTable& kernels, predict::Kernel* kernel, std::int64_t ns) {
  for (int i = 0; i < 70; ++i) kernels.AddSample(*kernel, ns, false);
}

__attribute__((noinline)) void Empty(const void* a) { benchmark::DoNotOptimize(a); }

// The counter, after all that stands before and before all that stands behind it.
std::uint64_t CounterInOrder() {
#if defined(__x86_64__)
  unsigned core = 0;
  const std::uint64_t counter = __rdtscp(&core);
  _mm_lfence();
  return counter;
#else
  return base::ReadCounter();  // in order by itself on AArch64
#endif
}

// What a program does between submits: about 250 ns that the processor cannot shorten, since each step needs
// the last.
std::uint64_t Work(std::uint64_t x) {
  for (int i = 0; i < 200; ++i) x = x * 6364136223846793005U + 1;
  return x;
}

enum class Calls { kEmpty, kSubmit, kBackToBack };

// Whole loops are timed, not single calls: a timer that waits for the call's last store would count what a
// program never waits for. Work and an empty call cost BM_Gate_EmptyCall, beside the same poller; the rest is
// the gate's.
void HolderSubmit(benchmark::State& state, Calls calls) {
  const BenchBoard directory;
  Client holder("holder", 0);
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 0; i < 7; ++i)
    others.push_back(std::make_unique<Client>(("filler" + std::to_string(i)).c_str(), 5));
  Lane* lane = holder.session->Attach();
  predict::Kernel* kernel = holder.kernels.FindOrAdd(77, "k");
  SteadyKernel(holder.kernels, kernel, 10'000);

  std::atomic<bool> stop{false};
  Pin(0);
  std::thread poller([&] {
    Pin(1);
    Gate gate(others[0]->session->board(), others[0]->session->host(), others[0]->session->slot_index());
    Watch watch = ReadWatch(others[0]->session->board(), others[0]->session->slot_index(), 5);
    policy::View view;
    std::uint64_t word = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      TakeSnapshot(others[0]->session->board(), watch, others[0]->session->slot_index(), 5,
                   others[0]->session->board().NowNs(), &view, &word);
      benchmark::DoNotOptimize(view.count);
      others[0]->session->host().Sleep(watch.version, 0);  // the pause between a waiting filler's looks
    }
  });
  const auto submit = [&] {
    const Ticket ticket = lane->BeforeSubmit({.kernel = kernel, .stream = 1});
    if (ticket.sample) lane->AddSample(*kernel, 10'000, 0);  // at its steady rate
  };
  for (int i = 0; i < 20'000; ++i) submit();  // the period is known, the kernel's duration settled
  std::uint64_t x = 1;
  if (calls == Calls::kEmpty) {
    for (auto _ : state) {
      Empty(&(x = Work(x)));
    }
  } else if (calls == Calls::kSubmit) {
    for (auto _ : state) {
      benchmark::DoNotOptimize(x = Work(x));
      submit();
    }
  } else {
    for (auto _ : state) submit();
  }
  stop = true;
  poller.join();
}
void BM_Gate_EmptyCall(benchmark::State& state) { HolderSubmit(state, Calls::kEmpty); }
void BM_Gate_HolderSubmit(benchmark::State& state) { HolderSubmit(state, Calls::kSubmit); }
void BM_Gate_HolderSubmitBackToBack(benchmark::State& state) { HolderSubmit(state, Calls::kBackToBack); }
BENCHMARK(BM_Gate_EmptyCall);
BENCHMARK(BM_Gate_HolderSubmit);
BENCHMARK(BM_Gate_HolderSubmitBackToBack);

// Decisions of a filler among `count` others. `fresh`: between decisions another core writes a lane of each
// of them.
void Decide(benchmark::State& state, bool fresh) {
  const BenchBoard directory;
  Client filler("filler", 9);
  std::vector<std::unique_ptr<Client>> others;
  const auto count = static_cast<int>(state.range(0));
  for (int i = 0; i < count; ++i) {
    others.push_back(
        std::make_unique<Client>(("other" + std::to_string(i)).c_str(), static_cast<std::uint32_t>(i)));
    others.back()->session->Attach();
  }
  const board::Board& board = filler.session->board();
  const int own = filler.session->slot_index();
  Watch watch = ReadWatch(board, own, 9);
  std::atomic<std::uint32_t> turn{0};  // odd: the writer's
  std::atomic<bool> stop{false};
  const auto write_all = [&] {
    const std::int64_t now = board.NowNs();
    const predict::Forecast forecast{
        .busy_until_ns = now, .next_submit_ns = now + 1000, .latest_free_ns = now + 1000};
    for (const auto& other : others) {
      LaneWriter(&other->session->slot().lanes[0]).Publish(board::kLaneRunning, now, forecast);
    }
  };
  write_all();
  Pin(0);
  std::thread writer;
  if (fresh) {
    writer = std::thread([&] {
      Pin(1);
      while (!stop.load(std::memory_order_relaxed)) {
        if (turn.load(std::memory_order_acquire) % 2 == 0) {
          // The two processors may be one core's: a loop without pauses would take half of it.
          filler.session->host().Sleep(0, 0);
          continue;
        }
        write_all();
        turn.fetch_add(1, std::memory_order_release);
      }
    });
  }
  policy::View view;
  std::uint64_t word = 0;
  const policy::Ask ask{.priority = 9, .length_ns = 144'000};
  std::vector<double> samples;
  for (auto _ : state) {
    if (fresh) {
      turn.fetch_add(1, std::memory_order_release);
      while (turn.load(std::memory_order_acquire) % 2 != 0) {
      }
    }
    const std::uint64_t before = CounterInOrder();
    TakeSnapshot(board, watch, own, 9, board.NowNs(), &view, &word);
    policy::Verdict verdict = policy::Decide(view, ask);
    benchmark::DoNotOptimize(verdict);
    const double seconds =
        static_cast<double>(board.clock().ToNs(CounterInOrder()) - board.clock().ToNs(before)) * 1e-9;
    state.SetIterationTime(seconds);
    if (samples.size() < 1'000'000) samples.push_back(seconds * 1e9);
  }
  stop = true;
  if (writer.joinable()) writer.join();
  std::sort(samples.begin(), samples.end());
  state.counters["median_ns"] = samples[samples.size() / 2];
  state.counters["p99_ns"] = samples[samples.size() * 99 / 100];
}
void BM_Gate_FillerDecide(benchmark::State& state) { Decide(state, true); }
void BM_Gate_FillerDecideClean(benchmark::State& state) { Decide(state, false); }
BENCHMARK(BM_Gate_FillerDecide)->Arg(1)->Arg(8)->UseManualTime();
BENCHMARK(BM_Gate_FillerDecideClean)->Arg(1)->Arg(8)->UseManualTime();

double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

// A holder that is on the device for 185 us and then leaves a gap of 500 us, as its lane tells; a filler of
// 144 us waits at the gate. Reported: how long after the gap began the filler was admitted, and the processor
// time it spent.
void BM_Gate_FillerStart(benchmark::State& state) {
  const BenchBoard directory;
  Client holder("holder", 0);
  Client filler("filler", 5);
  Lane* lane = filler.session->Attach();
  holder.session->Attach();
  predict::Kernel* kernel = filler.kernels.FindOrAdd(5, "fill");
  SteadyKernel(filler.kernels, kernel, 144'000);
  board::Board& board = holder.session->board();
  std::atomic<std::int64_t> opened{0};
  std::atomic<bool> stop{false};
  std::thread host([&] {
    Pin(1);
    LaneWriter writer(&holder.session->slot().lanes[0]);
    while (!stop.load(std::memory_order_relaxed)) {
      const std::int64_t start = board.NowNs();
      const std::int64_t end = start + 185'000;
      // What follows on the device is not said yet: nothing may queue behind this kernel.
      writer.Publish(board::kLaneRunning, start,
                     {.busy_until_ns = end, .next_submit_ns = end, .latest_free_ns = end});
      writer.PublishWaiting(start);
      while (board.NowNs() < end) {
      }
      const std::int64_t now = board.NowNs();
      opened.store(now, std::memory_order_release);
      writer.Publish(
          board::kLaneRunning, now,
          {.busy_until_ns = now, .next_submit_ns = now + 500'000, .latest_free_ns = now + 500'000});
      while (board.NowNs() < now + 500'000) {
      }
    }
  });
  Pin(0);
  std::vector<double> late;
  const double processor = ProcessorSeconds();
  const std::int64_t begun = board.NowNs();
  std::int64_t last = 0;
  for (auto _ : state) {
    while (opened.load(std::memory_order_acquire) == last) {
      const Ticket ticket = lane->BeforeSubmit({.kernel = kernel, .stream = 1});
      const std::int64_t gap = opened.load(std::memory_order_acquire);
      if (gap == last) continue;  // still in the gap before
      late.push_back(static_cast<double>(ticket.at_ns - gap));
      last = gap;
      break;
    }
    last = opened.load(std::memory_order_acquire);
  }
  const double share = (ProcessorSeconds() - processor) / (static_cast<double>(board.NowNs() - begun) * 1e-9);
  stop = true;
  host.join();
  std::sort(late.begin(), late.end());
  if (!late.empty()) {
    state.counters["late_median_us"] = late[late.size() / 2] * 1e-3;
    state.counters["late_p99_us"] = late[late.size() * 99 / 100] * 1e-3;
  }
  state.counters["processor_share"] = share;
}
BENCHMARK(BM_Gate_FillerStart)->Iterations(1500)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mortar::client
