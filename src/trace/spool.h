// Reads what traced processes recorded (model/trace_record.h): one spool file a client.
//
// Untrusted input, possibly of a process that was killed or still runs: every field is copied once and
// checked, what is unusable is left out, counted and named. Any thread. Not the writer: client/trace_writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/trace_record.h"

namespace mortar::trace {

// What a spool holds and a timeline cannot show, counted by cause.
struct Unusable {
  std::uint64_t dropped_records = 0;  // the spool was full
  std::uint64_t dropped_names = 0;    // likewise: their kernels are shown by number
  std::uint64_t unwritten = 0;        // claimed, but the thread ended before it wrote them
  std::uint64_t cut = 0;              // beyond the end of the file
  std::uint64_t bad_kind = 0;
  std::uint64_t bad_lane = 0;
  std::uint64_t bad_time = 0;  // no instant, or an end before its begin

  std::uint64_t records() const { return dropped_records + unwritten + cut + bad_kind + bad_lane + bad_time; }
  Unusable& operator+=(const Unusable& other);
};
// "12 records dropped (spool full), 1 record of unknown kind"; empty where nothing is unusable.
std::string Describe(const Unusable& unusable);

// One client of one device, as recorded.
struct Client {
  std::string name;
  std::string device;
  std::string policy;
  std::int32_t pid = 0;
  int priority = 0;
  // The same instant on the board's clock and on CLOCK_MONOTONIC; 0: not known.
  std::int64_t board_ns = 0;
  std::int64_t monotonic_ns = 0;
  std::unordered_map<std::uint64_t, std::string> kernels;  // name by identity
  std::vector<model::TraceRecord> records;  // checked, in the order written: 0 < begin_ns ≤ end_ns
  Unusable unusable;
};

inline constexpr std::uint32_t kMostLanes = 64;
// Chosen: nothing that is traced lasts longer, and sums of what passes cannot overflow.
inline constexpr std::int64_t kLongestNs = std::int64_t{7} * 24 * 3600 * 1'000'000'000;
inline constexpr std::int64_t kLatestNs = std::int64_t{1} << 60;  // 36 years after the board began

// `names` and `records`: what there is of the two tables, from their beginning. Errors: kCorrupt (too short
// for a header, or no spool), kMismatch (another version).
base::Result<Client> ParseSpool(std::span<const std::byte> header, std::span<const std::byte> names,
                                std::span<const std::byte> records);

// Errors: as ParseSpool, with the path; kNotFound, kDenied, kSystem.
base::Result<Client> ReadSpool(const std::string& path);

struct SpoolSet {
  std::vector<Client> clients;          // by priority, then name, then pid
  std::vector<std::string> unreadable;  // one line a file that could not be used
};
// Every *.spool in `directory`. Errors: as the system gives them.
base::Result<SpoolSet> ReadSpools(const std::string& directory);

}  // namespace mortar::trace
