#include "sim/scenario.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "base/toml_text.h"
#include "sim/slowdown.h"
#include "trace/read_recording.h"

namespace mortar::sim {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMostClients = 64;  // as many as a board has slots

// Reads the keys of one table; remembers the first thing that is wrong.
class Reader {
 public:
  Reader(const toml::table& table, std::string where, std::string file)
      : table_(table), where_(std::move(where)), file_(std::move(file)) {}

  void Text(const char* key, std::string* value) {
    if (const toml::node* node = Take(key)) {
      const auto text = node->value_exact<std::string>();
      if (text && !text->empty()) {
        *value = *text;
      } else if (text) {
        Fail(*node, key, "is empty; write a value, or leave it out");
      } else {
        Fail(*node, key, "takes text in quotes");
      }
    }
  }
  void Flag(const char* key, bool* value) {
    if (const toml::node* node = Take(key)) {
      if (const auto flag = node->value_exact<bool>()) {
        *value = *flag;
      } else {
        Fail(*node, key, "takes true or false");
      }
    }
  }
  void Number(const char* key, double least, double most, double* value) {
    if (const toml::node* node = Take(key)) {
      const auto number = node->value<double>();
      if (number && *number >= least && *number <= most) {
        *value = *number;
      } else {
        Fail(*node, key, "takes a number from " + Short(least) + " to " + Short(most));
      }
    }
  }
  // "2ms": number and unit.
  void Time(const char* key, Ns* value) {
    std::string text;
    Text(key, &text);
    if (text.empty()) return;
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    const std::string unit = end;
    const double scale = unit == "ns"    ? 1
                         : unit == "us"  ? 1e3
                         : unit == "ms"  ? 1e6
                         : unit == "s"   ? 1e9
                         : unit == "min" ? 60e9
                                         : 0;
    if (scale == 0 || !(number >= 0) || number * scale > 86400e9) {
      Fail(*table_.get(key), key, "takes a time, as 5s, 2ms or 20us");
      return;
    }
    *value = static_cast<Ns>(number * scale);
  }
  template <typename T, typename Parse>
  void Parsed(const char* key, Parse&& parse, T* value) {
    std::string text;
    Text(key, &text);
    if (text.empty() || error_) return;
    const base::Result<T> parsed = parse(text);
    if (parsed.ok()) {
      *value = *parsed;
    } else {
      Fail(*table_.get(key), key, parsed.error().message);
    }
  }
  const toml::node* Take(const char* key) {
    known_.insert(key);
    return table_.get(key);
  }
  void Fail(const toml::node& node, const std::string& key, const std::string& what) {
    if (error_) return;
    error_ = Error{Code::kInvalid, file_ + ":" + std::to_string(node.source().begin.line) + ": " + where_ +
                                       key + ": " + what};
  }
  // Unknown keys are errors: a misspelt limit must not pass for none.
  base::Status Finish() {
    for (const auto& [key, node] : table_) {
      if (!known_.contains(std::string(key.str()))) Fail(node, std::string(key.str()), "is not known here");
    }
    if (error_) return *error_;
    return {};
  }

 private:
  static std::string Short(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
  }
  const toml::table& table_;
  std::string where_, file_;
  std::set<std::string> known_;
  std::optional<Error> error_;
};

base::Result<Policy> ParsePolicy(const std::string& text) {
  if (const auto policy = FindPolicy(text)) return *policy;
  return Error{Code::kInvalid, "there is no policy '" + text.substr(0, 40) + "'"};
}

base::Result<double> ParseShare(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (std::string(end) != "%" || !(value >= 0) || value > 1000) {
    return Error{Code::kInvalid, "takes a percentage, as 2%"};
  }
  return value / 100;
}

base::Result<double> ParseMinShare(const std::string& text) {
  const auto share = ParseShare(text);
  if (!share || *share < 1e-6 || *share > 1) {
    return Error{Code::kInvalid, "takes a percentage above 0% and up to 100%, as 10%"};
  }
  return *share;
}

base::Result<DeviceKind> ParseKind(const std::string& text) {
  if (text == "fifo") return DeviceKind::kFifo;
  if (text == "sliced") return DeviceKind::kSliced;
  return Error{Code::kInvalid,
               "takes fifo or sliced; merged devices are shown by mortar sim matrix --device merged"};
}

base::Status ReadClient(const toml::table& table, std::size_t number, const std::string& name,
                        Scenario* scenario) {
  Reader reader(table, "client " + std::to_string(number + 1) + ": ", name);
  ScenarioClient client;
  double priority = number == 0 ? 0 : model::kLowestPriority;
  double device = 0;
  double split_us = 0;
  double cost_us = 0;
  reader.Text("recording", &client.recording);
  reader.Text("name", &client.name);
  reader.Number("priority", 0, model::kLowestPriority, &priority);
  reader.Number("weight", 0.001, 1000, &client.weight);
  reader.Number("device", 0, 63, &device);
  reader.Number("split_us", 0, 1e6, &split_us);
  reader.Number("split_cost_us", 0, 1e6, &cost_us);
  reader.Flag("blocking", &client.blocking);
  reader.Parsed<trace::ArrivalSpec>(
      "arrivals", [](const std::string& text) { return trace::ParseArrivals(text); }, &client.arrivals);
  reader.Parsed<double>("max_slowdown", ParseShare, &client.max_slowdown);
  reader.Parsed<double>("min_share", ParseMinShare, &client.min_share);
  reader.Flag("floor_first", &client.floor_first);
  if (auto status = reader.Finish(); !status) return status;
  if (client.recording.empty()) {
    return Error{Code::kInvalid, name + ":" + std::to_string(table.source().begin.line) + ": client " +
                                     std::to_string(number + 1) +
                                     " names no recording; write recording = \"FILE\""};
  }
  if (split_us > 0 && split_us < 1) split_us = 1;
  client.priority = static_cast<int>(priority);
  client.device = static_cast<std::uint32_t>(device);
  client.split_ns = static_cast<Ns>(split_us * 1e3);
  client.split_cost_ns = static_cast<Ns>(cost_us * 1e3);
  if (client.name.empty()) client.name = ProgramName(client.recording);
  scenario->clients.push_back(std::move(client));
  return {};
}

}  // namespace

base::Result<Scenario> ReadScenario(std::string_view text, const std::string& name) {
  if (const std::size_t line = base::FindStrayCharacter(text)) {
    return Error{Code::kInvalid,
                 name + ":" + std::to_string(line) + ": " + std::string(base::kStrayCharacter)};
  }
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Error{Code::kInvalid, name + ":" + std::to_string(error.source().begin.line) + ": " +
                                     std::string(error.description())};
  }
  Scenario scenario;
  Reader reader(table, "", name);
  double seed = 1;
  double gate = 0;
  double threshold = 4;
  reader.Parsed<Policy>("policy", ParsePolicy, &scenario.policy);
  reader.Time("for", &scenario.for_ns);
  reader.Time("bound", &scenario.in_flight_bound_ns);
  reader.Time("margin", &scenario.margin_ns);
  reader.Number("seed", 0, 9e15, &seed);
  reader.Number("gate_ns", 0, 1e9, &gate);
  reader.Number("threshold", 1, 1000, &threshold);
  reader.Flag("jitter", &scenario.jitter);
  const toml::node* device = reader.Take("device");
  const toml::node* clients = reader.Take("client");
  if (auto status = reader.Finish(); !status) return status.error();
  if (scenario.for_ns < 1'000'000) return Error{Code::kInvalid, name + ": for: at least 1ms"};
  scenario.seed = static_cast<std::uint64_t>(seed);
  scenario.gate_ns = static_cast<Ns>(gate);
  scenario.threshold = static_cast<std::uint32_t>(threshold);
  if (device != nullptr) {
    if (!device->is_table()) return Error{Code::kInvalid, name + ": device: takes a table, [device]"};
    Reader inner(*device->as_table(), "device: ", name);
    inner.Parsed<DeviceKind>("mode", ParseKind, &scenario.device.kind);
    inner.Time("slice", &scenario.device.slice_ns);
    inner.Time("switch_cost", &scenario.device.switch_ns);
    if (auto status = inner.Finish(); !status) return status.error();
    if (scenario.device.slice_ns < 1000) return Error{Code::kInvalid, name + ": device: slice: at least 1us"};
  }
  const toml::array* list = clients != nullptr ? clients->as_array() : nullptr;
  if (list == nullptr || list->empty() || list->size() > kMostClients) {
    return Error{Code::kInvalid, name + ": a scenario has 1 to 64 [[client]] tables"};
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const toml::table* client = (*list)[i].as_table();
    if (client == nullptr) return Error{Code::kInvalid, name + ": client: takes tables, [[client]]"};
    if (auto status = ReadClient(*client, i, name, &scenario); !status) return status.error();
  }
  double floors = 0;
  for (const ScenarioClient& client : scenario.clients) floors += client.min_share;
  if (floors > 1 + 1e-9) {
    return Error{Code::kInvalid, name + ": min_share: all clients' together are above 100%"};
  }
  if (IsYardstick(scenario.policy) && scenario.clients.size() < 2) {
    return Error{Code::kInvalid, name + ": policy: a yardstick needs a holder and somebody to fill"};
  }
  return scenario;
}

}  // namespace mortar::sim
