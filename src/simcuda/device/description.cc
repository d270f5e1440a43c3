#include "simcuda/device/description.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include "base/glob.h"
#include "base/owner.h"
#include "simcuda/device/durations.h"
#include "simcuda/device/reader.h"

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kMostMib = 1;        // chosen: a description is written by hand or a small script
constexpr std::size_t kMostTableMib = 16;  // chosen: a profiler's export of some 100,000 launches
constexpr double kMaxDurationNs = 10'000'000'000;  // design: further ahead counts as absent

std::int64_t Bounded(double ns) { return std::llround(std::min(ns, kMaxDurationNs)); }

Result<std::string> ReadText(const std::string& path, const std::string& what, std::size_t most_mib) {
  const std::string file = what + " " + path;
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::SystemError("open " + file, errno);
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SystemError("read " + file, errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most_mib << 20) break;
  }
  std::string why = path;
  why.append(": longer than ").append(std::to_string(most_mib)).append(" MiB: no ").append(what);
  return Error{Code::kInvalid, std::move(why)};
}

// `name` as a file in the folder of `path`.
std::string Beside(const std::string& path, const std::string& name) {
  if (name.starts_with('/')) return name;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

}  // namespace

Result<Description> Description::Parse(std::string_view text, std::string_view file) {
  return ReadDescription(text, file);
}

Result<Description> Description::Read(const std::string& path) {
  const auto text = ReadText(path, "device description", kMostMib);
  if (!text) return text.error();
  auto device = Parse(*text, path);
  if (!device || device->durations.empty()) return device;
  const std::string table = Beside(path, device->durations);
  const auto lines = ReadText(table, "kernel lengths", kMostTableMib);
  if (!lines) return Error{lines.error().code, path + ": 'durations': " + lines.error().message};
  const auto rules = ParseDurations(*lines, table, device->fallback);
  if (!rules) return rules.error();
  if (device->kernels.size() + rules->size() > kMaxKernels) {
    return Error{Code::kInvalid, table + ": more than " + std::to_string(kMaxKernels) +
                                     " kernels with those of " + path + ": use patterns"};
  }
  device->kernels.insert(device->kernels.end(), rules->begin(), rules->end());
  return device;
}

const KernelRule& Description::RuleFor(std::string_view kernel, const Grid& grid) const {
  const KernelRule* of_any_grid = nullptr;
  for (const KernelRule& rule : kernels) {
    if (rule.has_grid ? rule.grid != grid : of_any_grid != nullptr) continue;
    if (!base::MatchesGlob(rule.glob, kernel)) continue;
    if (rule.has_grid) return rule;
    of_any_grid = &rule;
  }
  return of_any_grid != nullptr ? *of_any_grid : fallback;
}

int Description::SharedPerBlock() const {
  const int capability = capability_major * 10 + capability_minor;
  if (capability == 80 || capability == 87) return 166912;
  if (capability >= 90 && capability < 120) return 232448;
  return 101376;
}

std::int64_t Description::CopyNs(CopyDirection direction, std::uint64_t bytes) const {
  const double rate = copy_bytes_per_ns[static_cast<std::size_t>(direction)];
  return Bounded(static_cast<double>(copy_latency_ns) + static_cast<double>(bytes) / rate);
}

std::int64_t KernelNs(const KernelRule& rule, const Grid& grid) {
  const double blocks =
      static_cast<double>(grid[0]) * static_cast<double>(grid[1]) * static_cast<double>(grid[2]);
  return std::max<std::int64_t>(1, Bounded(static_cast<double>(rule.base_ns) + rule.ns_per_block * blocks));
}

std::string PciText(const PciAddress& address) {
  char text[40];
  snprintf(text, sizeof text, "%04x:%02x:%02x.%x", address.domain, address.bus, address.device,
           address.function);
  return text;
}

}  // namespace mortar::simcuda
