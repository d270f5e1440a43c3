// What `mortar trace show` says of a recording: as text with a plot, and as JSON. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "trace/device_use.h"
#include "trace/recording.h"

namespace mortar::cli {

struct KernelTotal {
  std::string name;
  std::uint64_t count = 0;
  std::int64_t total_ns = 0;
  std::int64_t median_ns = 0;
};

// Filler kernels of one length, and what share of the device's time they could use inside gaps.
struct FillRow {
  std::int64_t kernel_ns = 0;
  double share = 0;
};

// Gaps between two powers of ten, and their part of the idle time.
struct GapBin {
  std::int64_t from_ns = 0;
  std::int64_t to_ns = 0;  // 0: no end
  std::uint64_t count = 0;
  std::int64_t total_ns = 0;
};

// How a replay of the recording, alone on the device, compares with it.
struct Replayed {
  struct Gaps {
    double p50_us = 0, p90_us = 0;
  };
  double span_error = 0;  // |span replayed ÷ span recorded − 1|
  Gaps recorded, gaps;
  // The same with launch latencies and short pauses at the recording's medians.
  double median_span_error = 0;
  Gaps median_gaps;
};

struct ShowReport {
  const trace::Recording* recording = nullptr;
  trace::DeviceUse use;
  std::uint64_t kernels = 0, copies = 0, fills = 0, waits = 0;
  std::vector<KernelTotal> totals;  // by time on the device, the most first
  std::vector<FillRow> fill;
  std::vector<GapBin> gaps;
  std::vector<double> busy;  // by slice of the span
  std::optional<Replayed> replay;
  std::optional<double> steps_found;  // share of profiler steps that are found without marks
};

inline constexpr std::size_t kSlices = 72;

// `recording` outlives it.
ShowReport MakeShowReport(const trace::Recording& recording, std::size_t slices = kSlices);

std::string ToText(const ShowReport& report);
nlohmann::ordered_json ToJson(const ShowReport& report);

// "3,774 kernels, 2 streams, …": one line, for `mortar trace import` as well.
std::string DescribeProgram(const trace::Recording& recording);

}  // namespace mortar::cli
