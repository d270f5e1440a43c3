#include "mortar/plan_options.h"

#include "plan/quantity.h"

namespace mortar::cli {
namespace {

base::Error Wrong(const std::string& what) { return base::Error{base::Code::kInvalid, what}; }

base::Status ReadInferences(const PlanOptions& options, plan::Query* query) {
  for (const std::string& text : options.infer) {
    const auto equals = text.find('=');
    const std::string role = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string name = equals == std::string::npos ? text : text.substr(equals + 1);
    if (!role.empty() && role != "urgent" && role != "background") {
      return Wrong("--infer " + text + ": urgent=NAME or background=NAME");
    }
    std::string& target =
        role == "background" || (role.empty() && !query->infer.empty()) ? query->infer2 : query->infer;
    if (!target.empty()) return Wrong("--infer: at most one urgent and one background inference");
    target = name;
  }
  if (!query->infer2.empty() && query->infer.empty())
    return Wrong("--infer background=…: needs an urgent one too");
  if (!query->infer2.empty() && !query->train.empty()) {
    return Wrong("--train with two inferences: plan for training or for a background inference, not both");
  }
  return {};
}

// Reads a flag where it was given.
template <typename Parse>
base::Status Read(const char* flag, const std::string& text, Parse parse, double* value) {
  if (text.empty()) return {};
  const auto read = parse(text);
  if (!read) return Wrong(std::string(flag) + ": " + read.error().message);
  *value = *read;
  return {};
}

base::Status ReadBudgets(const PlanOptions& options, plan::Query* query) {
  double window_ms = query->window_s * 1000;
  if (auto status = Read("--rate", options.rate, trace::ParseRate, &query->rate); !status) return status;
  if (auto status = Read("--latency", options.latency, plan::ParseMilliseconds, &query->latency_ms);
      !status) {
    return status;
  }
  if (auto status = Read("--power", options.power, plan::ParseWatts, &query->power_w); !status) return status;
  if (auto status = Read("--window", options.window, plan::ParseMilliseconds, &window_ms); !status)
    return status;
  query->window_s = window_ms / 1000;
  return {};
}

base::Status ReadArrivals(const PlanOptions& options, PlanRequest* request) {
  plan::Query& query = request->query;
  if (options.arrivals.empty()) return {};
  auto spec = trace::ParseArrivals(options.arrivals);
  if (!spec) return Wrong("--arrivals: " + spec.error().message);
  request->arrivals = *spec;
  if (!options.window.empty()) {
    if (query.train.empty() || query.infer.empty())
      return Wrong("--window: a schedule needs --train and --infer");
    constexpr double kLongest = 7 * 86400;
    const auto instants =
        trace::MakeArrivals(*spec, spec->kind == trace::ArrivalKind::kFile ? kLongest : 600, options.seed);
    if (!instants) return Wrong("--arrivals: " + instants.error().message);
    query.rates = trace::RatesByWindow(*instants, query.window_s);
    // A window without requests still needs a plan: for less than one request in it.
    for (double& rate : query.rates) rate = std::max(rate, 0.5 / query.window_s);
    query.problem = plan::Problem::kDynamic;
  } else if (query.rate <= 0) {
    if (spec->kind == trace::ArrivalKind::kFile) {
      const auto instants = trace::ReadArrivalFile(spec->path);
      if (!instants) return Wrong("--arrivals: " + instants.error().message);
      if (instants->back() > 0) query.rate = static_cast<double>(instants->size() - 1) / instants->back();
    } else {
      query.rate = spec->rate;
    }
  }
  return {};
}

}  // namespace

base::Result<PlanRequest> ReadPlanOptions(const PlanOptions& options) {
  PlanRequest request;
  plan::Query& query = request.query;
  if (options.profiles.empty())
    return Wrong("--profiles: name a profile CSV, or sim:orin-agx for the simulated board");
  query.profile = options.profiles;
  query.train = options.train;
  if (auto status = ReadInferences(options, &query); !status) return status.error();
  if (query.train.empty() && query.infer.empty()) return Wrong("name a workload: --train, --infer or both");
  query.problem = !query.infer2.empty() ? plan::Problem::kMultiInfer
                  : query.infer.empty() ? plan::Problem::kTrain
                  : query.train.empty() ? plan::Problem::kInfer
                                        : plan::Problem::kConcurrent;
  if (auto status = ReadBudgets(options, &query); !status) return status.error();
  const auto objective = plan::FindObjective(options.objective);
  if (!objective) return Wrong("--objective " + options.objective + ": throughput, energy or headroom");
  query.objective = *objective;
  if (options.rule != "b" && options.rule != "b-1")
    return Wrong("--latency-rule " + options.rule + ": b-1 or b");
  query.rule = options.rule == "b" ? plan::LatencyRule::kB : plan::LatencyRule::kBMinus1;
  const auto strategy = plan::FindStrategy(options.strategy);
  if (!strategy)
    return Wrong("--strategy " + options.strategy + ": auto, gmd, als, nn, random, max or oracle");
  request.strategy = *strategy;
  if (options.probes < 0 || options.probes > 100000) return Wrong("--probes: from 1 to 100000");
  if (!(options.noise_sigma >= 0) || options.noise_sigma > 1) return Wrong("--noise-sigma: from 0 to 1");
  if (!options.keep.empty() && options.keep != "p99") return Wrong("--keep " + options.keep + ": p99");
  if (auto status = ReadArrivals(options, &request); !status) return status.error();
  if (!query.infer.empty() && query.problem != plan::Problem::kDynamic && !(query.rate > 0)) {
    return Wrong("--rate: an inference needs its arrival rate, as 60/s, or --arrivals with one");
  }
  const bool simulates = options.verify || !options.keep.empty();
  if (simulates && (query.infer.empty() || query.problem == plan::Problem::kDynamic)) {
    return Wrong("--verify and --keep need an inference with one rate");
  }
  return request;
}

}  // namespace mortar::cli
