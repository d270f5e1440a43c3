// What `mortar sim` prints: rows as JSON lines, CSV and tables. One thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/matrix.h"
#include "sim/planned.h"
#include "sim/scenario.h"

namespace mortar::cli {

// Every report says so, until GPU runs have been compared.
inline constexpr char kNotValidated[] =
    "Simulated from recordings; not validated on a GPU. Replay models no interference for multiprocessors, "
    "bandwidth or caches.";

// What is to be said where laps lack the share `share` of a recording's device time; empty: nothing.
std::string LeftOutText(const std::string& name, double share);

// One object a row. `bound`: of a merged device, else empty.
nlohmann::ordered_json RowJson(const sim::Row& row, const std::string& bound);
std::string CsvHeader();
std::string CsvLine(const sim::Row& row, const std::string& bound);
std::string RowTable(const std::vector<sim::Row>& rows);
std::string TotalsText(const std::vector<sim::Row>& rows);
std::string PlannedJson(const sim::PlannedReport& report);
std::string PlannedText(const sim::PlannedReport& report);
std::string ScenarioJson(const sim::Scenario& scenario, const sim::ScenarioResult& result);
std::string ScenarioText(const sim::Scenario& scenario, const sim::ScenarioResult& result);
// Everything about one pair, for people.
std::string PairText(const sim::Row& row, const std::string& bound);

}  // namespace mortar::cli
