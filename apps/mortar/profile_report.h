// One kept profile (predict/profile_file.h) as a table and as JSON, and where profiles are. One thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "mortar/output.h"

namespace mortar::cli {

struct KernelRow {
  std::uint64_t id = 0;
  std::string name;
  std::uint64_t count = 0;  // samples kept; old ones fade
  std::int64_t median_ns = 0;
  std::int64_t p90_ns = 0;
  std::int64_t offline_duration_ns = 0;  // means of `mortar profile record`; 0: not recorded
  std::int64_t offline_gap_ns = 0;
};

struct ProfileReport {
  std::string path, device, program;
  std::vector<KernelRow> kernels;  // by device time, the most first
  std::uint64_t recorded = 0;      // kernels with offline means
};

// Errors: kNotFound, kDenied; kMismatch, kCorrupt, each with the path.
base::Result<ProfileReport> ReadProfileReport(const std::string& path);

std::string ToText(const ProfileReport& report);
nlohmann::ordered_json ToJson(const ProfileReport& report);

// $MORTAR_PROFILES, else the default. Errors: kInvalid, where profiles are switched off or there is no home.
base::Result<std::string> ProfileDirectory();

// Paths of the profiles in `directory`, ascending; none where there is no such directory.
std::vector<std::string> ListProfiles(const std::string& directory);

// Those that `name` means: the file of that path, else in `directory` the profiles of that file name, else
// those of that client or program (NAME-…). Errors: kNotFound, saying what there is.
base::Result<std::vector<std::string>> FindProfiles(const std::string& directory, const std::string& name);

}  // namespace mortar::cli
