// Reads task mixes of the DISB benchmark: a JSON object with `tasks`, each with a `load` that says when its
// requests arrive.
//
// Pure. Of a task only id and load count.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/arrivals.h"

namespace mortar::trace {

struct DisbTask {
  std::string id;
  ArrivalSpec spec;              // kFile: the instants below
  std::vector<double> instants;  // s from the beginning of the mix, ascending
};

bool IsDisb(std::string_view beginning);

// Errors: kInvalid with the name and, where JSON itself is broken, the cause.
base::Result<std::vector<DisbTask>> ParseDisb(std::string_view text, const std::string& name);

// The task `id`; where that is empty, the only one that is not back to back. Errors: kInvalid, with those
// there are.
base::Result<DisbTask> ChooseDisbTask(const std::vector<DisbTask>& tasks, const std::string& id,
                                      const std::string& name);

}  // namespace mortar::trace
