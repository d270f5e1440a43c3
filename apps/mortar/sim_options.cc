#include "mortar/sim_options.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "mortar/arguments.h"
#include "trace/arrivals.h"

namespace mortar::cli {
namespace {

constexpr double kDayNs = 86400e9;
constexpr double kLongestPieceUs = 1e6;

base::Error Wrong(const std::string& what) { return {base::Code::kInvalid, what}; }

std::string AllPolicies() {
  std::string names;
  for (const sim::Policy policy : sim::kPolicies) names += std::string(sim::PolicyName(policy)) + ", ";
  return names + "all";
}

}  // namespace

base::Result<sim::Ns> ParseSpan(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const double scale = unit == "us"    ? 1e3
                       : unit == "ms"  ? 1e6
                       : unit == "s"   ? 1e9
                       : unit == "min" ? 60e9
                       : unit == "h"   ? 3600e9
                                       : 0;
  const double ns = value * scale;
  if (read.ec != std::errc() || scale == 0 || !(ns >= 1e6) || ns > kDayNs) {
    return Wrong("'" + std::string(text) +
                 "' is no time to simulate; write one from 1ms to 24h, as 5s or 10min");
  }
  return static_cast<sim::Ns>(ns);
}

base::Result<std::vector<sim::Policy>> ReadPolicies(const std::vector<std::string>& names) {
  std::vector<sim::Policy> policies;
  for (const std::string& words : names) {
    for (std::size_t at = 0; at <= words.size();) {
      const std::size_t comma = std::min(words.find(',', at), words.size());
      const std::string name = words.substr(at, comma - at);
      at = comma + 1;
      if (name == "all") {
        policies.insert(policies.end(), std::begin(sim::kPolicies), std::end(sim::kPolicies));
        continue;
      }
      const auto policy = sim::FindPolicy(name);
      if (!policy)
        return Wrong("--policies: there is no policy '" + name + "'; choose from " + AllPolicies());
      policies.push_back(*policy);
    }
  }
  return policies;
}

base::Result<std::vector<DeviceChoice>> ReadSimOptions(const SimText& text) {
  sim::PairOptions options;
  const auto arrivals = trace::ParseArrivals(text.arrivals);
  if (!arrivals) return Wrong("--arrivals: " + arrivals.error().message);
  options.arrivals = *arrivals;
  const auto duration = ParseSpan(text.duration);
  if (!duration) return Wrong("--for: " + duration.error().message);
  options.for_ns = *duration;
  const auto limit = ParsePercent(text.max_slowdown);
  if (!limit) return Wrong("--max-slowdown: " + limit.error().message);
  options.max_slowdown = *limit * 1e-6;
  const std::pair<const std::string*, std::pair<const char*, sim::Ns*>> times[] = {
      {&text.slice, {"--slice", &options.device.slice_ns}},
      {&text.switch_cost, {"--switch-cost", &options.device.switch_ns}},
      {&text.bound, {"--bound", &options.in_flight_bound_ns}},
      {&text.margin, {"--margin", &options.margin_ns}}};
  for (const auto& [value, target] : times) {
    const auto ns = ParseDuration(*value);
    if (!ns) return Wrong(std::string(target.first) + ": " + ns.error().message);
    *target.second = *ns;
  }
  if (options.device.slice_ns < 1000) return Wrong("--slice: at least 1us, as 2ms");
  if (!(text.split_us >= 0) || text.split_us > kLongestPieceUs || (text.split_us > 0 && text.split_us < 1)) {
    return Wrong("--split-us: from 1 to 1000000, or 0 for none");
  }
  if (!(text.split_cost_us >= 0) || text.split_cost_us > kLongestPieceUs) {
    return Wrong("--split-cost-us: from 0 to 1000000");
  }
  if (!(text.gate_ns >= 0) || text.gate_ns > 1e9) return Wrong("--gate-ns: from 0 to 1000000000");
  options.split_ns = static_cast<sim::Ns>(text.split_us * 1e3);
  options.split_cost_ns = static_cast<sim::Ns>(text.split_cost_us * 1e3);
  options.gate_ns = static_cast<sim::Ns>(text.gate_ns);
  options.blocking = text.blocking;
  options.jitter = !text.no_jitter;
  options.cold = text.cold;
  options.yardsticks = !text.no_yardsticks;
  options.seed = text.seed;
  options.threshold = text.threshold;
  if (text.requests > 0) options.max_requests = text.requests;
  if (text.device == "merged") {
    std::vector<DeviceChoice> both{{"serial", options}, {"free", options}};
    both[1].options.device.kind = sim::DeviceKind::kOverlap;
    return both;
  }
  const auto mode = ParseDeviceMode(text.device);
  if (!mode) return Wrong("--device: " + mode.error().message);
  options.device.kind =
      *mode == model::DeviceMode::kSliced ? sim::DeviceKind::kSliced : sim::DeviceKind::kFifo;
  return std::vector<DeviceChoice>{{"", options}};
}

void AddSimOptions(CLI::App& command, SimText* text) {
  command.add_option("--arrivals", text->arrivals,
                     "When the holder's requests come: back-to-back, periodic:R, poisson:R, file:PATH; R is "
                     "20/s or, of its solo rate, 50%; back-to-back if not given");
  command.add_option("--for", text->duration, "Time to simulate after learning; 5s if not given")
      ->type_name("TIME");
  command.add_option("--requests", text->requests, "End earlier, after so many requests of the holder")
      ->type_name("N");
  command
      .add_option("--split-us", text->split_us,
                  "Cut the filler's kernels and copies into pieces of at most N us")
      ->type_name("N");
  command.add_option("--split-cost-us", text->split_cost_us, "Device time that each piece costs on top")
      ->type_name("N");
  command.add_flag("--blocking", text->blocking, "The holder waits after every launch");
  command.add_option("--max-slowdown", text->max_slowdown, "The holder's limit; 2% if not given")
      ->type_name("P");
  command.add_option("--device", text->device,
                     "fifo, sliced or merged (uncalibrated: two bounds, serial and free); fifo if not given");
  command.add_option("--slice", text->slice, "Time slice, where contexts take turns; 2ms if not given")
      ->type_name("TIME");
  command.add_option("--switch-cost", text->switch_cost, "Cost of a switch between contexts; 0 if not given")
      ->type_name("TIME");
  command
      .add_option("--bound", text->bound, "What a filler may have in flight in any case; 200us if not given")
      ->type_name("TIME");
  command.add_option("--margin", text->margin, "Allowance in every fill; 0 if not given")->type_name("TIME");
  command.add_option("--gate-ns", text->gate_ns, "Host time of a decision at the gate, as measured live")
      ->type_name("N");
  command
      .add_option("--threshold", text->threshold, "Commands in flight under policy threshold; 4 if not given")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command.add_option("--seed", text->seed, "Of jitter and arrivals; 1 if not given")->type_name("N");
  command.add_flag("--without-yardsticks", text->no_yardsticks, "Do not run what fillers are compared with");
  command.add_flag("--cold", text->cold,
                   "Fillers do not know their kernels from a run before, as profiles kept let them");
  command.add_flag("--no-jitter", text->no_jitter, "Think times as recorded");
}

}  // namespace mortar::cli
