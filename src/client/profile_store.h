// Keeps what was learned of a program between its runs: one file for a program and a device, written
// atomically.
//
// Reads at start, writes at the end of the program and on rare paths. A damaged file is set aside (….damaged)
// with a message and the program starts without it; one of another device or version is left alone and named.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "predict/kernels.h"

namespace mortar::client {

// `directory`/<program>-<device>.mprof with what is no letter, digit, '.', '-' or '_' replaced.
std::string ProfilePath(std::string_view directory, std::string_view program, std::string_view device);

// Reads `path` into `table`. A missing file is no error. Returns false, after one line on stderr, where a
// file was there and could not be used.
bool LoadProfile(const std::string& path, std::string_view device, predict::KernelTable* table);

// Writes `table` under another name, syncs and renames. Creates the directory (0700). Errors: as the system
// gives them.
base::Status SaveProfile(const std::string& path, std::string_view device, std::string_view program,
                         const predict::KernelTable& table);

}  // namespace mortar::client
