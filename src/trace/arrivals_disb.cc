#include "trace/arrivals_disb.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "trace/json_text.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;
namespace dom = simdjson::dom;

constexpr double kMostRate = 1e9;

Error Bad(const std::string& name, const std::string& what) {
  return {Code::kInvalid, "read " + name + ": " + what};
}

base::Status ReadTrace(const dom::element& load, const std::string& where, DisbTask* task) {
  dom::array trace;
  if (load["trace"].get(trace) != simdjson::SUCCESS) return Error{Code::kInvalid, where + "no list 'trace'"};
  for (const dom::element instant : trace) {
    double ms = 0;
    if (instant.get(ms) != simdjson::SUCCESS || !(ms >= 0) || !std::isfinite(ms)) {
      return Error{Code::kInvalid, where + "entry " + std::to_string(task->instants.size()) +
                                       " of 'trace' is no instant in milliseconds"};
    }
    task->instants.push_back(ms / 1000);
  }
  if (task->instants.empty()) return Error{Code::kInvalid, where + "'trace' is empty"};
  std::sort(task->instants.begin(), task->instants.end());
  task->spec.kind = ArrivalKind::kFile;
  return {};
}

base::Status ReadLoad(const dom::element& element, const std::string& where, DisbTask* task) {
  dom::element load;
  std::string_view type;
  if (element["load"].get(load) != simdjson::SUCCESS || load["type"].get(type) != simdjson::SUCCESS) {
    return Error{Code::kInvalid, where + "no 'load' with a 'type'"};
  }
  if (type == "continuous") return {};
  if (type == "trace") return ReadTrace(load, where, task);
  if (type != "periodic" && type != "poisson") {
    return Error{Code::kInvalid,
                 where + "load type " + Excerpt(type) + " is none of continuous, periodic, poisson, trace"};
  }
  task->spec.kind = type == "periodic" ? ArrivalKind::kPeriodic : ArrivalKind::kPoisson;
  const bool read = load["frequency"].get(task->spec.rate) == simdjson::SUCCESS;
  if (!read || !(task->spec.rate > 0) || task->spec.rate > kMostRate) {
    return Error{Code::kInvalid, where + "'frequency' is no positive number of requests a second"};
  }
  return {};
}

}  // namespace

bool IsDisb(std::string_view beginning) {
  const auto first = beginning.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && beginning[first] == '{';
}

base::Result<std::vector<DisbTask>> ParseDisb(std::string_view text, const std::string& name) {
  const simdjson::padded_string padded(text);
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(padded).get(root)) return Bad(name, simdjson::error_message(error));
  dom::array list;
  if (root["tasks"].get(list) != simdjson::SUCCESS) return Bad(name, "no list 'tasks'; not a mix of DISB");
  std::vector<DisbTask> tasks;
  for (const dom::element element : list) {
    DisbTask& task = tasks.emplace_back();
    std::string_view id;
    if (element["id"].get(id) == simdjson::SUCCESS) task.id = id;
    const std::string where = "read " + name + ": task " + std::to_string(tasks.size() - 1) + ": ";
    if (const auto status = ReadLoad(element, where, &task); !status.ok()) return status.error();
  }
  if (tasks.empty()) return Bad(name, "'tasks' is empty");
  return tasks;
}

base::Result<DisbTask> ChooseDisbTask(const std::vector<DisbTask>& tasks, const std::string& id,
                                      const std::string& name) {
  const DisbTask* chosen = nullptr;
  std::string known;
  int fitting = 0;
  for (const DisbTask& task : tasks) {
    known += (known.empty() ? "" : ", ") + task.id;
    const bool fits = id.empty() ? task.spec.kind != ArrivalKind::kBackToBack : task.id == id;
    if (fits) chosen = &task;
    fitting += fits ? 1 : 0;
  }
  if (fitting == 1) return *chosen;
  return Bad(name, (id.empty() ? "which task is meant?" : "no single task '" + id + "'") +
                       std::string(" Name one as ") + "file:" + name + "#TASK, of " + known);
}

}  // namespace mortar::trace
