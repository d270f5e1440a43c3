#include "plan/query_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace mortar::plan {
namespace {

using base::Code;
using base::Error;
using Json = nlohmann::ordered_json;

Error Wrong(const char* field, const char* expected) {
  return Error{Code::kInvalid, fmt::format("field '{}' must be {}", field, expected)};
}

// Leaves `value` alone where the field is absent or null.
base::Status ReadText(const nlohmann::json& object, const char* field, std::string* value) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) return Wrong(field, "text");
  *value = found->get<std::string>();
  return {};
}

base::Status ReadNumber(const nlohmann::json& object, const char* field, double* value) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_number()) return Wrong(field, "a number");
  *value = found->get<double>();
  if (!std::isfinite(*value)) return Wrong(field, "finite");
  return {};
}

base::Status ReadNames(const nlohmann::json& object, Query* query) {
  std::string problem;
  std::string rule;
  std::string objective;
  for (const auto& [field, target] : {std::pair{"problem", &problem}, std::pair{"profile", &query->profile},
                                      std::pair{"train", &query->train}, std::pair{"infer", &query->infer},
                                      std::pair{"infer2", &query->infer2}, std::pair{"latency_rule", &rule},
                                      std::pair{"objective", &objective}}) {
    if (auto status = ReadText(object, field, target); !status) return status;
  }
  const auto id = FindProblem(problem);
  if (!id) return Wrong("problem", "one of train, infer, concurrent, multi_infer, dynamic");
  query->problem = *id;
  if (rule == "b") {
    query->rule = LatencyRule::kB;
  } else if (!rule.empty() && rule != "b-1") {
    return Wrong("latency_rule", "'b' or 'b-1'");
  }
  if (!objective.empty()) {
    const auto found = FindObjective(objective);
    if (!found) return Wrong("objective", "one of throughput, energy, headroom");
    query->objective = *found;
  }
  return {};
}

Json ModeJson(const Table& table, int mode) {
  Json object = Json::object();
  for (std::size_t k = 0; k < table.knobs.size(); ++k) {
    const double value = table.modes[static_cast<std::size_t>(mode)][k];
    if (value == std::floor(value) && std::abs(value) < 1e15) {
      object[table.knobs[k]] = static_cast<long long>(value);
    } else {
      object[table.knobs[k]] = value;
    }
  }
  return object;
}

}  // namespace

base::Result<Query> ParseQuery(std::string_view line) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (object.is_discarded()) return Error{Code::kInvalid, "not JSON; one object a line is expected"};
  if (!object.is_object()) return Error{Code::kInvalid, "not a JSON object"};
  Query query;
  const auto id = object.find("id");
  if (id != object.end() && !id->is_null()) {
    if (!id->is_number_integer()) return Wrong("id", "a whole number");
    query.id = id->get<long long>();
  }
  if (auto status = ReadNames(object, &query); !status) return status.error();
  for (const auto& [field, target] :
       {std::pair{"rate", &query.rate}, std::pair{"latency_ms", &query.latency_ms},
        std::pair{"power_w", &query.power_w}, std::pair{"window_s", &query.window_s}}) {
    if (auto status = ReadNumber(object, field, target); !status) return status.error();
  }
  const auto rates = object.find("rates");
  if (rates != object.end() && !rates->is_null()) {
    if (!rates->is_array() || rates->size() > 1'000'000) return Wrong("rates", "a list of numbers");
    for (const auto& rate : *rates) {
      if (!rate.is_number()) return Wrong("rates", "a list of numbers");
      query.rates.push_back(rate.get<double>());
    }
  }
  return query;
}

std::string FormatAnswer(const Query& query, const Table& table, const Plan& plan) {
  Json answer;
  answer["id"] = query.id;
  answer["feasible"] = plan.feasible;
  if (!plan.feasible) {
    answer["mode"] = nullptr;
    answer["batch"] = nullptr;
    answer["tau"] = nullptr;
    answer["throughput"] = 0.0;
    answer["points"] = plan.points;
    answer["exhaustive"] = plan.exhaustive;
    return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  answer["mode"] = ModeJson(table, plan.mode);
  answer["batch"] = plan.batch;
  if (query.problem == Problem::kTrain) {
    // A training workload carries its batch in its rows.
    const Series* series = table.Find(query.train, Role::kTrain);
    if (series != nullptr) answer["batch"] = series->batches.front();
    answer["tau"] = nullptr;
    answer["latency_ms"] = nullptr;
  } else {
    answer["tau"] = plan.outcome.tau;
    answer["latency_ms"] = plan.outcome.latency_ms;
  }
  answer["throughput"] = plan.outcome.throughput;
  answer["power_w"] = plan.outcome.power_w;
  if (query.problem == Problem::kMultiInfer) answer["batch2"] = plan.batch2;
  answer["points"] = plan.points;
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string FormatDynamicAnswer(const Query& query, const Table& table, const std::vector<Plan>& plans,
                                int points) {
  Json answer;
  answer["id"] = query.id;
  Json theta = Json::array();
  Json list = Json::array();
  int unserved = 0;
  for (const Plan& plan : plans) {
    theta.push_back(plan.feasible ? plan.outcome.throughput : 0.0);
    if (!plan.feasible) {
      ++unserved;
      list.push_back(nullptr);
      continue;
    }
    Json one;
    one["mode"] = ModeJson(table, plan.mode);
    one["batch"] = plan.batch;
    one["tau"] = plan.outcome.tau;
    one["latency_ms"] = plan.outcome.latency_ms;
    one["power_w"] = plan.outcome.power_w;
    list.push_back(std::move(one));
  }
  answer["theta"] = std::move(theta);
  answer["unserved"] = unserved;
  answer["plans"] = std::move(list);
  answer["points"] = points;
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mortar::plan
