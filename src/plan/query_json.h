// Queries and answers as JSON, one object a line: the format of `mortar plan batch`.
//
// Any thread. Input is untrusted: errors name the field. Unknown fields are ignored; a null field is an
// absent one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/problem.h"
#include "plan/table.h"

namespace mortar::plan {

base::Result<Query> ParseQuery(std::string_view line);

// {"id","feasible","mode":{knob:value},"batch","tau","throughput","latency_ms","power_w","points"[,"batch2"]}.
std::string FormatAnswer(const Query& query, const Table& table, const Plan& plan);

// {"id","theta":[…],"unserved","plans":[{mode,batch,tau}|null],"points"}.
std::string FormatDynamicAnswer(const Query& query, const Table& table, const std::vector<Plan>& plans,
                                int points);

}  // namespace mortar::plan
