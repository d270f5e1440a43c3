// Public traces and profiles that `mortar data` can bring: what there is, from which commit, under which
// licence.
//
// A list is JSON: {"sets": [{"name", "what", "licence", "files": [{"name", "repository", "commit", "path",
// "sha256", "size"}]}]}. The built-in one is data_sets.cc. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortar::cli {

struct DataFile {
  std::string name;        // in the cache
  std::string repository;  // owner/name
  std::string commit;      // 40 digits
  std::string path;        // in the repository
  std::string sha256;      // 64 hexadecimal digits
  std::uint64_t size = 0;
};

struct DataSet {
  std::string name, what, licence;
  std::vector<DataFile> files;
};

extern const char kBuiltInDataSets[];

// Errors: kInvalid with the member that is wrong. What may become a path (names) is checked.
base::Result<std::vector<DataSet>> ParseDataSets(std::string_view json, const std::string& source);

}  // namespace mortar::cli
