// The cache of public data: files known by their SHA-256, fetched when they are not there. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "mortar/data_sets.h"

namespace mortar::cli {

// $XDG_CACHE_HOME/mortar/data, else ~/.cache/mortar/data. Errors: kInvalid, without either.
base::Result<std::string> DataDirectory();

struct Fetched {
  std::string path;
  bool from_cache = false;
};

// Makes every file of `set` stand in `directory`/SET, each whole and with its checksum right, or not at all.
// A file that is there already needs no network. `base_url`: what comes before REPOSITORY/COMMIT/PATH.
// Errors: kDenied, kFull, kSystem (network, server); kCorrupt (other bytes than expected).
base::Result<std::vector<Fetched>> FetchData(const DataSet& set, const std::string& directory,
                                             const std::string& base_url);

}  // namespace mortar::cli
