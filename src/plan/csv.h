// Reads and checks profile CSVs: `device,workload,role,batch,<knob columns…>,time_ms,power_w`.
//
// Any thread. Input is untrusted: every error names its line and what to do; nothing is repaired or guessed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/table.h"

namespace mortar::plan {

inline constexpr std::size_t kMaxKnobs = 256;         // chosen: real devices have under ten
inline constexpr std::size_t kMaxRows = 4'000'000;    // chosen: 9000 modes of 450 (workload, batch)
inline constexpr std::size_t kMaxCells = 64'000'000;  // chosen: bounds memory where rows are sparse

// What is odd but not wrong: missing batches at some modes, power above the limit, knobs that never change.
struct CsvReport {
  std::size_t rows = 0;
  std::vector<std::string> warnings;
};

// `name` stands in messages. Errors: kInvalid with "name:line: …".
base::Result<Table> ParseProfiles(std::string_view text, const std::string& name,
                                  CsvReport* report = nullptr);

// Errors as above, and kNotFound or kSystem for the file itself.
base::Result<Table> ReadProfiles(const std::string& path, CsvReport* report = nullptr);

// The same table as CSV, rows by workload, role, batch and mode.
std::string FormatProfiles(const Table& table);

// A whole file. Errors: kNotFound, kSystem, kFull above 1 GiB.
base::Result<std::string> ReadFile(const std::string& path);

}  // namespace mortar::plan
