// Fuzzes the planner's readers: profile CSVs, query lines, suites, other projects' measurements and
// quantities. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plan/csv.h"
#include "plan/import.h"
#include "plan/oracle.h"
#include "plan/quantity.h"
#include "plan/query_json.h"
#include "plan/suite.h"

using namespace mortar::plan;

namespace {

void Profiles(std::string_view text) {
  const auto table = ParseProfiles(text, "fuzz");
  if (!table) return;
  Query query;
  query.problem = Problem::kInfer;
  query.rate = 10;
  for (const Series& series : table->series) {
    query.infer = series.workload;
    const auto space = Space::Make(*table, query);
    if (space) (void)SolveExhaustively(*space, TermsOf(query));
  }
  // What we write we read back.
  if (!ParseProfiles(FormatProfiles(*table), "again")) __builtin_trap();
}

void Imports(std::string_view text, const char* format) {
  ImportOptions options;
  options.device = "fuzz";
  options.workload = "net";
  options.samples["set"] = 1000;
  const auto table = ImportProfiles(format, text, "fuzz", options);
  if (table && !ParseProfiles(FormatProfiles(*table), "again")) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      Profiles(text);
      break;
    case 1: {
      const auto query = ParseQuery(text);
      if (query) (void)CheckQuery(*query);
      break;
    }
    case 2:
      (void)ParseSuite(text, "fuzz");
      break;
    case 3:
      Imports(text, "perseus");
      break;
    case 4:
      Imports(text, "zeus");
      break;
    default:
      (void)ParseMilliseconds(std::string(text));
      (void)ParseWatts(std::string(text));
  }
  return 0;
}
