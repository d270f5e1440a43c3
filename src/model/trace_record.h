// One event as a traced client writes it and the exporter reads it: fixed size, plain bytes in the machine's
// order.
//
// A traced process appends records to a spool file of its own (client/trace_writer), which is whole after
// every record, however the process ends.
#pragma once

#include <cstdint>

namespace mortar::model {

inline constexpr std::uint64_t kSpoolMagic = 0x314c4f5053545244ULL;  // "DRTSPOL1"
inline constexpr std::uint32_t kSpoolVersion = 1;

enum class TraceKind : std::uint32_t {
  kEmpty = 0,    // not (yet) written
  kSubmit = 1,   // begin: submitted; end: predicted end on the device; id: kernel; value: predicted length;
                 // detail: 1 if it went as a fill
  kDevice = 2,   // begin…end: measured on the device; id: kernel; value: begin of its kSubmit
  kWait = 3,     // begin…end: host waits; value: harm, modelled
  kGate = 4,     // begin…end: held by Mortar; id: kernel; detail: policy::Reason of the first refusal;
                 // kNobodyAbove (0): never refused, the time is the decision's own
  kRequest = 5,  // begin…end: a request; value: harm; detail: 1 control
};

struct TraceRecord {
  std::uint32_t kind = 0;  // TraceKind; written last
  std::uint32_t lane = 0;
  std::int64_t begin_ns = 0;  // board time
  std::int64_t end_ns = 0;
  std::uint64_t id = 0;
  std::int64_t value_ns = 0;
  std::uint32_t detail = 0;
  std::uint32_t spare = 0;
};
static_assert(sizeof(TraceRecord) == 48);

struct SpoolName {  // a kernel's name, once per kernel
  std::uint64_t id = 0;
  char name[56] = {};
};
static_assert(sizeof(SpoolName) == 64);

inline constexpr std::uint32_t kSpoolNames = 8192;
inline constexpr std::uint32_t kSpoolRecords = 1 << 20;  // 48 MiB, sparse until used

struct SpoolHeader {
  std::uint64_t magic = 0;
  std::uint32_t version = 0;
  std::int32_t pid = 0;
  std::uint32_t priority = 0;
  std::uint32_t names = 0;    // atomically counted; may exceed kSpoolNames: then some were dropped
  std::uint64_t records = 0;  // likewise against kSpoolRecords
  char client[64] = {};
  char device[64] = {};
  char policy[16] = {};
  std::int64_t board_ns = 0;  // one instant by the board's clock and by CLOCK_MONOTONIC: boards of several
  std::int64_t monotonic_ns = 0;  // devices have clocks of their own
};
static_assert(sizeof(SpoolHeader) == 192);

inline constexpr std::uint64_t kSpoolSize = sizeof(SpoolHeader) +
                                            std::uint64_t{kSpoolNames} * sizeof(SpoolName) +
                                            std::uint64_t{kSpoolRecords} * sizeof(TraceRecord);

}  // namespace mortar::model
