#include "sim/slowdown.h"

#include <algorithm>
#include <cmath>

namespace mortar::sim {
namespace {

constexpr std::size_t kWindow = 100;
constexpr std::size_t kWarmUp = 20;

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

}  // namespace

double QuantileOf(const std::vector<double>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

void Judge(const ClientResult& holder, const std::vector<double>& alone_ns, double max_slowdown, Row* row) {
  std::vector<double> ratios;
  std::vector<double> times;
  std::vector<double> alone;
  for (const RequestTimes& r : holder.requests) {
    if (r.number >= alone_ns.size() || std::isnan(alone_ns[r.number])) continue;
    times.push_back(static_cast<double>(r.end_ns - r.arrival_ns));
    alone.push_back(alone_ns[r.number]);
    ratios.push_back(times.back() / std::max(1.0, alone.back()));
  }
  row->requests = ratios.size();
  if (ratios.empty()) return;
  std::uint64_t over = 0;
  std::vector<double> windows;
  double sum = 0;
  for (std::size_t i = kWarmUp; i < ratios.size(); ++i) {
    sum += ratios[i];
    if (i >= kWarmUp + kWindow) sum -= ratios[i - kWindow];
    if (i + 1 < kWarmUp + kWindow) continue;
    windows.push_back(sum / kWindow - 1);
    over += windows.back() > max_slowdown + 1e-12 ? 1 : 0;
  }
  row->windows = windows.size();
  if (!windows.empty()) {
    std::sort(windows.begin(), windows.end());
    row->worst_window = QuantileOf(windows, 0.99);
    row->windows_over = static_cast<double>(over) / static_cast<double>(windows.size());
  }
  row->mean_x = Mean(ratios);
  row->holder_mean_ns = Mean(times);
  row->alone_mean_ns = Mean(alone);
  std::sort(ratios.begin(), ratios.end());
  std::sort(times.begin(), times.end());
  row->p50_x = QuantileOf(ratios, 0.5);
  row->max_x = ratios.back();
  row->holder_p50_ns = QuantileOf(times, 0.5);
  row->holder_max_ns = times.back();
  if (ratios.size() < kRequestsForP99) return;
  row->p99_x = QuantileOf(ratios, 0.99);
  row->holder_p99_ns = QuantileOf(times, 0.99);
}

base::Result<std::vector<Ns>> MakeArrivalInstants(const PairOptions& options, double solo_rate) {
  // Learning takes at most twice the time of judging.
  const double seconds = static_cast<double>(options.for_ns) * 1e-9 * 4;
  const auto spec = trace::ResolveArrivals(options.arrivals, solo_rate);
  if (!spec) return spec.error();
  auto instants = trace::MakeArrivals(*spec, seconds, options.seed);
  if (!instants) return instants.error();
  std::vector<Ns> arrivals;
  arrivals.reserve(instants->size());
  for (const double at : *instants) arrivals.push_back(static_cast<Ns>(at * 1e9));
  return arrivals;
}

std::string ProgramName(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  for (const char* end : {".gz", ".json", ".trace", ".pt", ".mtr"}) {
    const std::string ending = end;
    if (name.size() > ending.size() && name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name;
}

}  // namespace mortar::sim
