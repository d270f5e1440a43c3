// What `mortar trace show` says of a recording, as one HTML page without scripts and without anything from
// elsewhere. One thread.
#pragma once

#include <string>

#include "mortar/show_report.h"

namespace mortar::cli {

std::string ToPage(const ShowReport& report);

}  // namespace mortar::cli
