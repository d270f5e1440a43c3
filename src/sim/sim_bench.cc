// How fast the simulator is: completed device operations a second, policy `fill`.
#include <benchmark/benchmark.h>

#include "sim/test_programs.h"

namespace mortar::sim {
namespace {

// The holder: requests of 40 kernels and some waits, a fifth of the device. Fillers: short kernels, launched
// ahead.
RunSpec Mix(int clients) {
  RunSpec spec;
  spec.policy = Policy::kFill;
  spec.for_ns = 400 * kMs;
  spec.clients = {MakeClient(RandomProgram(1, 40, 20 * kUs), 0, true)};
  for (int i = 1; i < clients; ++i) {
    ProgramWriter writer;
    for (int k = 0; k < 60; ++k) writer.Launch(2 * kUs, (5 + k % 7 * 3) * kUs, 3 * kUs);
    spec.clients.push_back(MakeClient(writer.End(), 1 + i % 9));
  }
  return spec;
}

void BM_Sim_Events(benchmark::State& state) {
  const RunSpec spec = Mix(static_cast<int>(state.range(0)));
  std::uint64_t events = 0;
  for (auto _ : state) events += Run(spec).events;
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(BM_Sim_Events)->Arg(2)->Arg(16)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mortar::sim
