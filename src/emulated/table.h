// The duration table of the emulated device: how long each kernel and each transfer takes. Parsing and
// arithmetic, pure; any thread. Not here: when a command starts (timeline.h).
//
// A table is UTF-8 text, one entry a line; words are separated by spaces or tabs; `#` at the start of a word
// begins a comment. NUMBER is decimal, such as 185 or 2.5: no sign, no exponent.
//
//   device NAME                   timeline that this process uses: letters, digits, '.', '-', '_' (emulated0)
//   seed NUMBER                   whole number that jitter is drawn from                           (1)
//   launch_latency_us NUMBER      from the call to the earliest start of a kernel                  (5)
//   copy GB_PER_S LATENCY_US      transfers: latency + bytes / rate                                (12 8)
//   jitter_percent NUMBER         uniform, plus or minus, 0 to 100; for entries without their own  (0)
//   kernel GLOB DURATION_US [NS_PER_WORK_ITEM] [JITTER%]
//   default DURATION_US [NS_PER_WORK_ITEM] [JITTER%]                                               (50)
//
// A kernel's name is matched whole against GLOB (`*` any run of characters, `?` any one); the first match in
// the file wins, then `default`. Each other word may stand once. What is in brackets on the right holds where
// a line is absent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortar::emulated {

struct Rule {
  std::string glob;
  std::int64_t duration_ns = 50'000;
  double ns_per_item = 0;
  std::int32_t jitter_ppm = -1;  // -1: the table's
};

// `duration_ns` moved by at most `jitter_ppm`, uniformly; the same for the same seed, name and index, in
// every process.
std::int64_t Jittered(std::int64_t duration_ns, std::int32_t jitter_ppm, std::uint64_t seed,
                      std::uint64_t name_hash, std::uint64_t index);

struct Table {
  std::string device = "emulated0";
  std::uint64_t seed = 1;
  std::int64_t launch_latency_ns = 5'000;
  double copy_bytes_per_ns = 12;
  std::int64_t copy_latency_ns = 8'000;
  std::int32_t jitter_ppm = 0;
  std::vector<Rule> kernels;
  Rule fallback;

  // Errors: kInvalid, with a message "FILE:LINE: what is wrong". `file` is for messages alone.
  static base::Result<Table> Parse(std::string_view text, std::string_view file);
  // The same for the file at `path`, of at most 1 MiB. Errors: also kNotFound, kDenied, kSystem.
  static base::Result<Table> Read(const std::string& path);

  const Rule& RuleFor(std::string_view kernel) const;
  std::int32_t JitterOf(const Rule& rule) const { return rule.jitter_ppm < 0 ? jitter_ppm : rule.jitter_ppm; }
  std::int64_t TransferNs(std::uint64_t bytes) const;
};

// Length of the `index`-th launch (from 0) of a kernel of this name in its process, over `items` work items;
// at most 10 s.
std::int64_t KernelNs(const Table& table, const Rule& rule, std::uint64_t name_hash, std::uint64_t index,
                      std::uint64_t items);

}  // namespace mortar::emulated
