// Fuzzes the planner's readers: profile CSVs and query lines. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plan/csv.h"
#include "plan/oracle.h"
#include "plan/query_json.h"

using namespace mortar::plan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) {
    const auto table = ParseProfiles(text, "fuzz");
    if (!table) return 0;
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
  } else {
    const auto query = ParseQuery(text);
    if (query) (void)CheckQuery(*query);
  }
  return 0;
}
