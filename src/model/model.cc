#include "model/model.h"

namespace mortar::model {

std::string_view PolicyName(PolicyId id) {
  switch (id) {
    case PolicyId::kShare:
      return "share";
    case PolicyId::kExclusive:
      return "exclusive";
    case PolicyId::kPriority:
      return "priority";
    case PolicyId::kFikit:
      return "fikit";
    case PolicyId::kFill:
      return "fill";
  }
  return "unknown";
}

std::optional<PolicyId> FindPolicy(std::string_view name) {
  for (const PolicyId id : kPolicies) {
    if (PolicyName(id) == name) return id;
  }
  return std::nullopt;
}

std::string_view DeviceModeName(DeviceMode mode) {
  switch (mode) {
    case DeviceMode::kFifo:
      return "fifo";
    case DeviceMode::kSliced:
      return "sliced";
    case DeviceMode::kMerged:
      return "merged";
  }
  return "unknown";
}

}  // namespace mortar::model
