#include "backend/opencl/slicing/spirv_scan.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "backend/opencl/slicing/builtins.h"

namespace mortar::slicing {
namespace {

// Numbers of the SPIR-V specification, version 1.6 (unified1).
constexpr std::uint32_t kMagic = 0x07230203;
constexpr std::size_t kHeaderWords = 5;
constexpr std::size_t kMostBytes = std::size_t{1} << 24;  // chosen: 16 MiB

enum Op : std::uint32_t {
  kOpExtInstImport = 11,
  kOpExtInst = 12,
  kOpExecutionMode = 16,
  kOpTypePointer = 32,
  kOpConstant = 43,
  kOpVariable = 59,
  kOpLoad = 61,
  kOpStore = 62,
  kOpCopyMemory = 63,
  kOpCopyMemorySized = 64,
  kOpDecorate = 71,
  kOpMemberDecorate = 72,
  kOpControlBarrier = 224,
  kOpMemoryBarrier = 225,
  kOpAtomicFirst = 227,
  kOpAtomicLast = 242,
  kOpLabel = 248,
  kOpBranch = 249,
  kOpBranchConditional = 250,
  kOpSwitch = 251,
  kOpGroupFirst = 259,  // asynchronous copies, broadcasts, reductions
  kOpGroupLast = 271,
  kOpPipeFirst = 274,
  kOpPipeLast = 288,
  kOpEnqueueFirst = 291,
  kOpEnqueueLast = 304,
  kOpAtomicFlagFirst = 318,
  kOpAtomicFlagLast = 319,
  kOpNamedBarrierFirst = 328,
  kOpNamedBarrierLast = 329,
  kOpExecutionModeId = 331,
  kOpNonUniformFirst = 333,
  kOpLastCore = 366,  // of version 1.5, without what belongs to extensions
};

constexpr std::uint32_t kDecorationBuiltIn = 11;
constexpr std::uint32_t kDecorationVolatile = 21;
constexpr std::uint32_t kDecorationLinkage = 41;
constexpr std::uint32_t kLinkageImport = 1;
constexpr std::uint32_t kStorageWorkgroup = 4;
constexpr std::uint32_t kMemoryVolatile = 1;
constexpr std::uint32_t kCrossWorkgroupMemory = 0x200;
constexpr std::uint32_t kPrintf = 184;  // of OpenCL.std

using Words = std::span<const std::uint32_t>;

// NumWorkgroups, WorkgroupId, GlobalSize, GlobalOffset, GlobalLinearId forbid, as does what is not known.
std::uint32_t TraitsOfBuiltIn(std::uint32_t number) {
  switch (number) {
    case 28:  // GlobalInvocationId
    case 30:  // WorkDim
      return kPlain;
    case 25:  // WorkgroupSize
    case 27:  // LocalInvocationId
    case 29:  // LocalInvocationIndex
    case 32:  // EnqueuedWorkgroupSize
    case 36:  // SubgroupSize … SubgroupLocalInvocationId
    case 37:
    case 38:
    case 39:
    case 40:
    case 41:
      return kLocal;
    default:
      return kForbids;
  }
}

std::string_view TextOf(Words words) {
  const auto* bytes = reinterpret_cast<const char*>(words.data());
  const std::size_t size = words.size() * sizeof words[0];
  return {bytes, strnlen(bytes, size)};
}

// Compilers write built-in variables as imports too, under these names.
std::uint32_t TraitsOfImport(std::string_view name) {
  static constexpr std::string_view kPrefix = "__spirv_BuiltIn";
  if (!name.starts_with(kPrefix)) return kForbids;
  name.remove_prefix(kPrefix.size());
  if (name == "GlobalInvocationId" || name == "WorkDim") return kPlain;
  for (const std::string_view local :
       {"WorkgroupSize", "LocalInvocationId", "LocalInvocationIndex", "EnqueuedWorkgroupSize"}) {
    if (name == local) return kLocal;
  }
  return name.starts_with("Subgroup") ? kLocal : kForbids;
}

// Those that say something of the work-group; the others are about arithmetic.
std::uint32_t TraitsOfMode(std::uint32_t mode) {
  switch (mode) {
    case 17:  // LocalSize
    case 18:  // LocalSizeHint
    case 35:  // SubgroupSize
    case 36:  // SubgroupsPerWorkgroup
      return kLocal;
    case 30:  // VecTypeHint
    case 31:  // ContractionOff
      return kPlain;
    default:
      return mode >= 4459 && mode <= 4463 ? kPlain : kForbids;  // rounding, denormals
  }
}

std::uint32_t TraitsOfDecoration(Words operands) {
  if (operands.empty()) return kForbids;
  if (operands[0] == kDecorationVolatile) return kOrdering;
  if (operands[0] == kDecorationBuiltIn) return operands.size() > 1 ? TraitsOfBuiltIn(operands[1]) : kForbids;
  // Its name, which comes first, is of any length; the kind comes last.
  if (operands[0] == kDecorationLinkage && operands.back() == kLinkageImport) {
    return TraitsOfImport(TextOf(operands.subspan(1)));
  }
  return kPlain;
}

bool IsBetween(std::uint32_t op, std::uint32_t first, std::uint32_t last) {
  return op >= first && op <= last;
}

class Module {
 public:
  explicit Module(std::uint32_t ids) : labels_(ids, false), constants_(ids, kUnknown) {}

  // `operands`: without the word that holds opcode and length.
  std::uint32_t TraitsOf(std::uint32_t op, Words operands) {
    if (IsBetween(op, kOpAtomicFirst, kOpAtomicLast) || IsBetween(op, kOpAtomicFlagFirst, kOpAtomicFlagLast))
      return kOrdering;
    if (IsBetween(op, kOpGroupFirst, kOpGroupLast) || IsBetween(op, kOpNonUniformFirst, kOpLastCore) ||
        IsBetween(op, kOpNamedBarrierFirst, kOpNamedBarrierLast))
      return kLocal;
    if (IsBetween(op, kOpPipeFirst, kOpPipeLast) || IsBetween(op, kOpEnqueueFirst, kOpEnqueueLast))
      return kForbids;
    switch (op) {
      case kOpDecorate:
        return operands.empty() ? kForbids : TraitsOfDecoration(operands.subspan(1));
      case kOpMemberDecorate:
        return operands.size() < 2 ? kForbids : TraitsOfDecoration(operands.subspan(2));
      case kOpExtInstImport:
        return Import(operands);
      case kOpExtInst:
        return operands.size() > 3 && operands[2] == opencl_ && operands[3] != kPrintf ? kPlain
                                                                                       : OfOtherSet(operands);
      case kOpExecutionMode:
        return operands.size() < 2 ? kForbids : TraitsOfMode(operands[1]);
      case kOpExecutionModeId:
        return kLocal;
      case kOpTypePointer:
        return operands.size() > 1 && operands[1] == kStorageWorkgroup ? kLocal : kPlain;
      case kOpConstant:
        if (operands.size() == 3 && operands[1] < constants_.size()) constants_[operands[1]] = operands[2];
        return kPlain;
      case kOpVariable:
        return operands.size() > 2 && operands[2] == kStorageWorkgroup ? kLocal : kPlain;
      case kOpLoad:
      case kOpCopyMemorySized:
        return TraitsOfAccess(operands, 3);
      case kOpStore:
      case kOpCopyMemory:
        return TraitsOfAccess(operands, 2);
      case kOpControlBarrier:
        return kLocal | TraitsOfFence(operands);
      case kOpMemoryBarrier:
        return kOrdering;
      default:
        return TraitsOfFlow(op, operands);
    }
  }

 private:
  std::uint32_t Import(Words operands) {
    if (operands.size() < 2) return kForbids;
    const std::string_view name = TextOf(operands.subspan(1));
    if (name == "OpenCL.std") {
      opencl_ = operands[0];
    } else if (name.starts_with("OpenCL.DebugInfo") || name.starts_with("NonSemantic.") ||
               name == "DebugInfo") {
      silent_.push_back(operands[0]);
    } else {
      return kForbids;
    }
    return kPlain;
  }

  std::uint32_t OfOtherSet(Words operands) const {
    for (const std::uint32_t set : silent_) {
      if (operands.size() > 3 && operands[2] == set) return kPlain;
    }
    return kForbids;
  }

  // `at`: where the optional memory operands begin.
  static std::uint32_t TraitsOfAccess(Words operands, std::size_t at) {
    return operands.size() > at && (operands[at] & kMemoryVolatile) != 0 ? kOrdering : kPlain;
  }

  // A barrier of the work-group's own memory orders nothing beyond it.
  std::uint32_t TraitsOfFence(Words operands) const {
    if (operands.size() < 3 || operands[2] >= constants_.size()) return kForbids;
    return (constants_[operands[2]] & kCrossWorkgroupMemory) != 0 ? kOrdering : kPlain;
  }

  // Blocks come after those that dominate them, so every loop has a branch to a label that was there already.
  std::uint32_t TraitsOfFlow(std::uint32_t op, Words operands) {
    if (op == kOpLabel) {
      if (operands.empty() || operands[0] >= labels_.size()) return kForbids;
      labels_[operands[0]] = true;
      return kPlain;
    }
    if (op != kOpBranch && op != kOpBranchConditional && op != kOpSwitch)
      return op > kOpLastCore ? kForbids : kPlain;
    // Conditions, literals and weights are taken for labels too: at worst a loop that is none.
    for (const std::uint32_t id : operands) {
      if (id < labels_.size() && labels_[id]) return kLoop;
    }
    return kPlain;
  }

  static constexpr std::uint32_t kUnknown = ~0U;
  std::vector<bool> labels_;              // seen
  std::vector<std::uint32_t> constants_;  // by id
  std::uint32_t opencl_ = 0;
  std::vector<std::uint32_t> silent_;
};

}  // namespace

Safety ScanSpirv(const void* module, std::size_t size) {
  if (module == nullptr || size % sizeof(std::uint32_t) != 0 || size > kMostBytes) return Safety::kNever;
  std::vector<std::uint32_t> copy(size / sizeof(std::uint32_t));
  if (copy.size() < kHeaderWords) return Safety::kNever;
  std::memcpy(copy.data(), module, size);
  const Words words(copy);
  // Each id takes at least the word that defines it.
  if (words[0] != kMagic || words[3] > words.size()) return Safety::kNever;
  Module reader(words[3]);
  std::uint32_t traits = kPlain;
  for (std::size_t at = kHeaderWords; at < words.size();) {
    const std::size_t length = words[at] >> 16;
    if (length == 0 || at + length > words.size()) return Safety::kNever;
    traits |= reader.TraitsOf(words[at] & 0xFFFF, words.subspan(at + 1, length - 1));
    at += length;
  }
  return Judge(traits);
}

}  // namespace mortar::slicing
