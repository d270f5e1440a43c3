#include "plan/suite.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/random.h"
#include "base/toml_text.h"

namespace mortar::plan {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMostValues = 1000;
constexpr std::size_t kWindows = 12;

Error Wrong(const std::string& name, const std::string& set, const char* key, const char* expected) {
  return Error{Code::kInvalid, fmt::format("{}: set '{}': {} must be {}", name, set, key, expected)};
}

base::Status ReadList(const toml::table& table, const std::string& name, const std::string& set,
                      const char* key, std::vector<double>* values) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty() || array->size() > kMostValues) {
    return Wrong(name, set, key, "a list of 1 to 1000 numbers");
  }
  values->clear();
  for (const auto& element : *array) {
    const auto value = element.value<double>();
    if (!value || !(*value > 0) || !std::isfinite(*value)) return Wrong(name, set, key, "positive numbers");
    values->push_back(*value);
  }
  return {};
}

base::Status ReadNumbers(const toml::table& table, const std::string& name, SuiteSet* set) {
  for (const auto& [key, target] : {std::pair{"load", &set->load}, std::pair{"latency", &set->latency},
                                    std::pair{"power", &set->power}}) {
    if (auto status = ReadList(table, name, set->name, key, target); !status) return status;
  }
  for (const auto& [key, target, least] :
       {std::tuple{"probes", &set->probes, 0}, std::tuple{"every", &set->every, 1},
        std::tuple{"sequences", &set->sequences, 1}}) {
    const toml::node* node = table.get(key);
    if (node == nullptr) continue;
    const auto value = node->value<std::int64_t>();
    if (!value || *value < least || *value > 100000)
      return Wrong(name, set->name, key, "a small whole number");
    *target = static_cast<int>(*value);
  }
  if (const toml::node* node = table.get("noise"); node != nullptr) {
    const auto value = node->value<double>();
    if (!value || !(*value >= 0) || *value > 1) return Wrong(name, set->name, "noise", "from 0 to 1");
    set->noise = *value;
  }
  return {};
}

base::Result<SuiteSet> ReadSet(const toml::table& table, const std::string& name) {
  SuiteSet set;
  set.name = table["name"].value_or(std::string());
  set.profile = table["profile"].value_or(std::string());
  if (set.name.empty()) return Wrong(name, "?", "name", "given");
  if (set.profile.empty()) return Wrong(name, set.name, "profile", "a file name");
  set.measured = table["measured"].value_or(false);
  const auto problem = FindProblem(table["problem"].value_or(std::string("concurrent")));
  if (!problem) return Wrong(name, set.name, "problem", "train, infer, concurrent, multi_infer or dynamic");
  set.problem = *problem;
  const auto objective = FindObjective(table["objective"].value_or(std::string("throughput")));
  if (!objective) return Wrong(name, set.name, "objective", "throughput, energy or headroom");
  set.objective = *objective;
  if (table["latency_rule"].value_or(std::string("b-1")) == "b") set.rule = LatencyRule::kB;
  if (auto status = ReadNumbers(table, name, &set); !status) return status.error();
  return set;
}

struct Extent {
  double low = kNoLimit;
  double high = 0;
  void Add(double value) {
    if (std::isnan(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

double MostRate(const Series& series, std::size_t modes) {
  double most = 0;
  for (std::size_t i = 0; i < series.time_ms.size(); ++i) {
    if (!std::isnan(series.time_ms[i]))
      most = std::max(most, 1000 * series.batches[i / modes] / series.time_ms[i]);
  }
  return most;
}

double ShortestInference(const Series& series, std::size_t modes) {
  double least = kNoLimit;
  for (std::size_t i = 0; i < modes; ++i) {
    if (!std::isnan(series.time_ms[i])) least = std::min(least, series.time_ms[i]);
  }
  return least;
}

// A walk of rates, as a day of requests is: within half and one and a half of the middle, a fifth a step.
std::vector<double> WalkRates(double middle, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<double> rates;
  double level = 0.6 + 0.8 * random.Uniform();
  for (std::size_t w = 0; w < kWindows; ++w) {
    rates.push_back(middle * level);
    level = std::clamp(level * std::exp(0.4 * (random.Uniform() - 0.5)), 0.5, 1.5);
  }
  return rates;
}

}  // namespace

base::Result<Suite> ParseSuite(std::string_view text, const std::string& name) {
  if (const std::size_t line = base::FindStrayCharacter(text))
    return Error{Code::kInvalid, fmt::format("{}:{}: {}", name, line, base::kStrayCharacter)};
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return Error{Code::kInvalid,
                 fmt::format("{}:{}: {}", name, error.source().begin.line, std::string(error.description()))};
  }
  Suite suite;
  suite.name = root["name"].value_or(name);
  suite.seed = static_cast<std::uint64_t>(root["seed"].value_or(std::int64_t{1}));
  const toml::array* sets = root["set"].as_array();
  if (sets == nullptr || sets->empty())
    return Error{Code::kInvalid, name + ": no [[set]]; a suite needs one"};
  for (const auto& node : *sets) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return Error{Code::kInvalid, name + ": set must be an array of tables ([[set]])"};
    auto set = ReadSet(*table, name);
    if (!set) return set.error();
    suite.sets.push_back(std::move(set).value());
  }
  return suite;
}

std::vector<Query> PairsOf(const SuiteSet& set, const Table& table) {
  std::vector<Query> pairs;
  Query query;
  query.problem = set.problem;
  query.objective = set.objective;
  query.rule = set.rule;
  query.profile = set.profile;
  const bool with_second = set.problem != Problem::kTrain && set.problem != Problem::kInfer;
  const Role second_role = set.problem == Problem::kMultiInfer ? Role::kInfer : Role::kTrain;
  for (const Series& first : table.series) {
    if (first.role != (set.problem == Problem::kTrain ? Role::kTrain : Role::kInfer)) continue;
    (set.problem == Problem::kTrain ? query.train : query.infer) = first.workload;
    if (!with_second) {
      pairs.push_back(query);
      continue;
    }
    for (const Series& second : table.series) {
      if (second.role != second_role) continue;
      if (second_role == Role::kInfer && second.workload == first.workload) continue;
      (second_role == Role::kInfer ? query.infer2 : query.train) = second.workload;
      pairs.push_back(query);
    }
  }
  if (set.every > 1) {
    std::vector<Query> kept;
    for (std::size_t i = 0; i < pairs.size(); i += static_cast<std::size_t>(set.every))
      kept.push_back(pairs[i]);
    pairs = std::move(kept);
  }
  return pairs;
}

std::vector<Query> QueriesOf(const SuiteSet& set, const Table& table, const Query& pair, std::uint64_t seed) {
  std::vector<Query> queries;
  const std::size_t modes = table.mode_count();
  Extent power;
  double most_rate = 0;
  double shortest = 0;
  for (const auto& [name, role] : {std::pair{pair.train, Role::kTrain}, std::pair{pair.infer, Role::kInfer},
                                   std::pair{pair.infer2, Role::kInfer}}) {
    const Series* series = name.empty() ? nullptr : table.Find(name, role);
    if (series == nullptr) continue;
    for (const double watts : series->power_w) power.Add(watts);
    if (role == Role::kInfer && name == pair.infer) {
      most_rate = MostRate(*series, modes);
      shortest = ShortestInference(*series, modes);
    }
  }
  const bool infers = set.problem != Problem::kTrain;
  Query query = pair;
  for (const double load : infers ? set.load : std::vector<double>{1}) {
    for (const double latency : infers ? set.latency : std::vector<double>{1}) {
      for (const double share : set.power) {
        query.rate = load * most_rate;
        query.latency_ms = infers ? latency * shortest : kNoLimit;
        query.power_w = power.low + share * (power.high - power.low);
        const int sequences = set.problem == Problem::kDynamic ? set.sequences : 1;
        for (int s = 0; s < sequences; ++s) {
          if (set.problem == Problem::kDynamic) {
            query.rates = WalkRates(query.rate, base::Combine(seed, queries.size()));
          }
          query.id = static_cast<long long>(queries.size());
          queries.push_back(query);
        }
      }
    }
  }
  return queries;
}

}  // namespace mortar::plan
