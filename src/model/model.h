// Words that every part shares: priorities, device modes, policy numbers. Values are part of the board's
// layout: append, never renumber.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mortar::model {

// Reconstructed: FIKIT schedules by priority; ten levels, 0 the highest, are our choice.
inline constexpr int kHighestPriority = 0;
inline constexpr int kLowestPriority = 9;
inline constexpr int kPriorities = 10;

enum class DeviceMode : std::uint32_t {
  kFifo = 1,    // kernels of all processes run one after another
  kSliced = 2,  // contexts take turns: NVIDIA without MPS
  kMerged = 3,  // kernels of several processes overlap: NVIDIA with MPS
};

enum class PolicyId : std::uint32_t { kShare = 1, kExclusive = 2, kPriority = 3, kFikit = 4, kFill = 5 };

std::string_view PolicyName(PolicyId id);
std::optional<PolicyId> FindPolicy(std::string_view name);
std::string_view DeviceModeName(DeviceMode mode);

// All policies, in the order of their numbers.
inline constexpr PolicyId kPolicies[] = {PolicyId::kShare, PolicyId::kExclusive, PolicyId::kPriority,
                                         PolicyId::kFikit, PolicyId::kFill};

}  // namespace mortar::model
