// What `mortar trace record` says of a recording: a paragraph for people, an object for programs. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "trace/summary.h"

namespace mortar::cli {

// "2 clients in 1.5 s: 1200 kernels (all measured), 300 of them fills; …", with what could not be used.
std::string DescribeRecording(const trace::Summary& summary);

nlohmann::ordered_json RecordingToJson(const trace::Summary& summary);

}  // namespace mortar::cli
