// Where the planner's commands get tables and terms from, and what they share in talking to people. One
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "plan/table.h"

namespace mortar::cli {

inline constexpr int kNonePlan = 3;  // exit code of `mortar plan`: no plan was found

// A profile CSV by path, or `sim:orin-agx`, the simulated board. Files named without a slash are looked for
// in `directory` first where that is given. Each is read once.
class ProfileSource {
 public:
  explicit ProfileSource(std::string directory = "") : directory_(std::move(directory)) {}
  base::Result<std::shared_ptr<const plan::Table>> Load(const std::string& name);

 private:
  const std::string directory_;
  std::map<std::string, std::shared_ptr<const plan::Table>> tables_;
};

// Writes a whole file. Errors: kSystem, with the path.
base::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace mortar::cli
