// A SIMULATED Jetson Orin AGX: minibatch time and power of 15 workload roles at 441 power modes.
//
// Pure; any thread. At the default mode (12 cores, every clock at its largest) the five inference workloads
// that dream-lab/pagoda measured there return its 24 sound readings exactly; everything else, and every other
// workload, is a model of ours. It ranks strategies and says nothing of a real device; its device name says
// `simulated`.
//
// The model, with r the knob over its largest value. Time: t = t0 · ‖(g/r_gpu, c/(r_cpu·n^0.7), m/r_mem,
// f)‖_p / ‖(g, c, m, f)‖_p with shares g, c, m, f of GPU, CPU (n cores of 12), memory and neither, and p
// = 2.5 (parts overlap). Power: static draw, plus a part for each resource that grows with r·V(r)², V = 0.6 +
// 0.4·r, and with how busy it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mortar::power {

struct OrinMode {
  int cores = 12;
  int cpu_khz = 2201600;
  long gpu_hz = 1300500000;
  long mem_hz = 3199000000;
};

struct OrinReading {
  double time_ms = 0;
  double power_w = 0;
};

struct OrinWorkload {
  std::string_view name;
  bool training = false;
  bool measured = false;  // its readings at the default mode are pagoda's
  std::vector<int> batches;
};

std::vector<OrinMode> OrinModes();          // 441, the default mode last
std::vector<OrinWorkload> OrinWorkloads();  // 15

// Nothing for a workload, role or batch that is not simulated.
std::optional<OrinReading> SimulateOrin(std::string_view workload, bool training, int batch,
                                        const OrinMode& mode);

// All of it as a profile CSV. `sigma` > 0: each value multiplied by a log-normal factor, as a noisy sensor
// reads it.
std::string OrinProfileCsv(double sigma = 0, std::uint64_t seed = 1);

}  // namespace mortar::power
