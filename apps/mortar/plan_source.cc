#include "mortar/plan_source.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include "plan/csv.h"
#include "power/simulated/orin_agx.h"

namespace mortar::cli {

base::Result<std::shared_ptr<const plan::Table>> ProfileSource::Load(const std::string& name) {
  auto& table = tables_[name];
  if (table != nullptr) return table;
  const bool simulated = name == "sim:orin-agx";
  const bool inside = !directory_.empty() && name.find('/') == std::string::npos;
  auto read = simulated ? plan::ParseProfiles(power::OrinProfileCsv(), name)
                        : plan::ReadProfiles(inside ? directory_ + "/" + name : name);
  if (!read) return read.error();
  table = std::make_shared<const plan::Table>(std::move(read).value());
  return table;
}

base::Status WriteFile(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), &std::fclose);
  if (file == nullptr) return base::SystemError("write " + path, errno);
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0) {
    return base::SystemError("write " + path, errno);
  }
  return {};
}

}  // namespace mortar::cli
