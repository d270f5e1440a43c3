#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "base/hash.h"
#include "board/internal.h"
#include "model/model.h"

namespace mortar::board {
namespace {

using base::Code;
using base::Error;

constexpr std::int64_t kLongestSettingNs = 1'000'000'000;  // chosen: no cost or bound of a second makes sense

std::string RemoveAdvice(const std::string& path) {
  return "; when no program uses it, remove it: rm " + path;
}

Error Corrupt(const std::string& path, const std::string& cause) {
  return {Code::kCorrupt, "open board " + path + ": " + cause + RemoveAdvice(path)};
}

Error Mismatch(const std::string& path, const std::string& cause, const std::string& advice) {
  return {Code::kMismatch, "open board " + path + ": " + cause + "; " + advice};
}

bool KnownPolicy(std::uint32_t value) {
  for (const auto id : model::kPolicies) {
    if (static_cast<std::uint32_t>(id) == value) return true;
  }
  return false;
}

bool WithinSetting(std::int64_t value) { return value >= 0 && value <= kLongestSettingNs; }

base::Status CheckClock(const Header& header, const std::string& path) {
  base::ClockScale clock;
  clock.kind = static_cast<base::ClockKind>(header.clock_kind.load());
  clock.shift = header.clock_shift.load();
  clock.multiplier = header.clock_multiplier.load();
  clock.base = header.clock_base.load();
  if (clock.kind == base::ClockKind::kCounter) {
    if (!base::CounterIsInvariant()) {
      return Mismatch(path, "its clock is the processor's counter, which this machine does not offer",
                      "run the programs on one machine, not under an emulator");
    }
    // A tick is between 1/64 ns and 1024 ns on any processor that exists.
    const bool sane = clock.shift >= 10 && clock.shift <= 54 &&
                      clock.multiplier >= (std::uint64_t{1} << clock.shift) / 64 &&
                      clock.multiplier <= (std::uint64_t{1} << clock.shift) * 512;
    if (!sane) return Corrupt(path, "the rate of its clock is impossible");
  } else if (clock.kind == base::ClockKind::kMonotonic) {
    if (header.time_namespace.load() != TimeNamespace()) {
      return Mismatch(path, "it was made in another time namespace",
                      "start the programs in one, or set MORTAR_DIR to share within this one");
    }
  } else {
    return Corrupt(path, "its clock is of an unknown kind");
  }
  constexpr std::int64_t kHundredYearsNs = 3'155'760'000'000'000'000;
  const std::int64_t now = clock.NowNs();
  if (now <= 0 || now > kHundredYearsNs) return Corrupt(path, "its clock started in the future");
  return {};
}

}  // namespace

std::uint64_t BootId() {
  const base::Fd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t length = fd ? read(fd.get(), text, sizeof text) : 0;
  return length > 0 ? base::HashBytes(text, static_cast<std::size_t>(length)) : 0;
}

std::uint64_t TimeNamespace() {
  struct stat info {};
  return stat("/proc/self/ns/time", &info) == 0 ? info.st_ino : 0;
}

base::Status CheckFile(int fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return base::SystemError("stat board " + path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{Code::kCorrupt,
                 "open board " + path + ": not a regular file; remove it, or set MORTAR_DIR elsewhere"};
  }
  // magic, layout_version, header_size: these stay where they are in every layout version.
  unsigned char first[16];
  static_assert(offsetof(Header, magic) == 0 && offsetof(Header, layout_version) == 8);
  if (pread(fd, first, sizeof first, 0) != sizeof first) return Corrupt(path, "too short to be a board");
  std::uint64_t magic = 0;
  std::uint32_t version = 0;
  std::memcpy(&magic, first, sizeof magic);
  std::memcpy(&version, first + 8, sizeof version);
  if (magic != kMagic) return Corrupt(path, "not a board (its first bytes are another's)");
  if (version != kLayoutVersion) {
    return Mismatch(path,
                    "layout version " + std::to_string(version) + ", this Mortar speaks version " +
                        std::to_string(kLayoutVersion),
                    "use one version of Mortar for all programs on a device, or, when no program uses it, "
                    "remove it: rm " +
                        path);
  }
  if (static_cast<std::uint64_t>(info.st_size) != kFileSize) {
    return Corrupt(path,
                   std::to_string(info.st_size) + " bytes long instead of " + std::to_string(kFileSize));
  }
  return {};
}

base::Status CheckHeader(const Header& header, const std::string& path) {
  if (header.file_size.load() != kFileSize || header.header_size.load() != sizeof(Header)) {
    return Corrupt(path, "its header states impossible sizes");
  }
  const std::uint64_t boot = BootId();
  if (boot != 0 && header.boot_id.load() != 0 && boot != header.boot_id.load()) {
    return Mismatch(path, "it is left from before the machine was restarted", "remove it: rm " + path);
  }
  if (auto status = CheckClock(header, path); !status.ok()) return status;
  if (!KnownPolicy(header.policy.load())) {
    return Mismatch(path,
                    "policy number " + std::to_string(header.policy.load()) + " is unknown to this version",
                    "choose another with: mortar set --policy fill (from the version that set it)");
  }
  const std::uint32_t mode = header.device_mode.load();
  const bool sane = mode >= 1 && mode <= 3 && header.off.load() <= 1 &&
                    WithinSetting(header.switch_cost_ns.load()) &&
                    WithinSetting(header.in_flight_bound_ns.load()) && WithinSetting(header.margin_ns.load());
  if (!sane) return Corrupt(path, "its settings are out of range");
  return {};
}

}  // namespace mortar::board
