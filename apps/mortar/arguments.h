// Reading what people write on the command line: percentages, durations, weights, names. Pure; any thread.
//
// Every error is one clause that names the text, what is wrong with it and what to write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/model.h"

namespace mortar::cli {

// "2%" or "0.25 %" → parts per million; 0 to 1000 %. A number without the sign is refused: 0.02 or 2?
base::Result<std::uint32_t> ParsePercent(std::string_view text);
// "20us", "1.5 ms", "200ns", "2s" → ns; at least 0, at most 1 s ("0" needs no unit).
base::Result<std::int64_t> ParseDuration(std::string_view text);
// "2", "0.5" → permille; above 0, up to 1000.
base::Result<std::uint32_t> ParseWeight(std::string_view text);
// "10%" → parts per million; above 0 and up to 100 %.
base::Result<std::uint32_t> ParseShare(std::string_view text);
// "4GiB", "512 MiB", "1.5GB" → bytes; above 0, up to 4096 TiB.
base::Result<std::uint64_t> ParseBytes(std::string_view text);
// The two above, or "none", which is 0.
base::Result<std::uint32_t> ParseShareOrNone(std::string_view text);
base::Result<std::uint64_t> ParseBytesOrNone(std::string_view text);
// "0" … "9".
base::Result<std::uint32_t> ParsePriority(std::string_view text);
// A client's name: 1 to 63 bytes of UTF-8 without control characters.
base::Result<std::string> ParseName(std::string_view text);
base::Result<model::PolicyId> ParsePolicy(std::string_view text);
base::Result<model::DeviceMode> ParseDeviceMode(std::string_view text);

}  // namespace mortar::cli
