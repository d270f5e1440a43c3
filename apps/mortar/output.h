// What subcommands print: messages to stderr, tables to stdout. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortar::cli {

// One line on stderr, "mortar: …"; a leading "mortar " in `text` is not repeated.
void Complain(const std::string& text);

// To stdout as it is.
void Print(const std::string& text);
// Whether all of that got there; complains if not. A reader who went away has what he wanted. To be asked at
// the end.
bool PrintedAll();

// What stands in a table where there is nothing to say.
inline constexpr char kAbsent[] = "-";

// Columns as wide as their widest cell; those named in `right` (by index) are set flush right.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows,
                        const std::vector<std::size_t>& right);

// "185 us", "2.5 ms", "1.25 s": three digits that matter.
std::string FormatDuration(std::int64_t ns);
// "4 GiB", "1.5 MiB", "300 B".
std::string FormatBytes(std::uint64_t bytes);
// "2 %", "0.25 %", "-1.5 %".
std::string FormatPercent(double share);

}  // namespace mortar::cli
