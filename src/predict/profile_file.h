// What is kept of a program between runs: its kernels' durations and offline means, as text with a checksum.
//
//   mortar-profile 1
//   device <text>
//   program <text>
//   kernel <id hex> <offline n> <mean duration ns> <offline gap n> <mean gap ns> <bucket:count,…|-> <name>
//   …
//   checksum <hex of all bytes above>
//
// Pure: bytes in, bytes out; reading and writing files atomically is client/profile_store. Untrusted on the
// way in.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "predict/kernels.h"

namespace mortar::predict {

inline constexpr int kProfileVersion = 1;

// All kernels of `table` that were ever timed. Takes the table's mutex.
std::string WriteProfile(const KernelTable& table, std::string_view device, std::string_view program);

// Adds what `text` holds to `table`. Errors: kMismatch (another version or device), kCorrupt (checksum,
// syntax; the message has the line). The table is changed only if all of it is right.
base::Status ReadProfile(std::string_view text, std::string_view device, KernelTable* table);

}  // namespace mortar::predict
