// What a client has on the device itself, as predicted: what its next submit queues up behind.
//
// Operations of one client run one after the other, but for two kinds. A copy that was let through beside
// kernels (rule.h, RunsBeside) holds up its own stream alone. And beside a kernel longer than the bound on
// work in flight, one that began on a device free of the client's own, its other streams go on: a training
// step overlaps all-reduces of milliseconds with kernels of microseconds, and would stand still without it.
// Shared by the runtime, which keeps one for each process, and the simulator. Pure.
#pragma once

#include <cstdint>

#include "policy/view.h"

namespace mortar::policy {

struct OwnWork {
  std::int64_t until_ns = 0;         // all of it but copies beside kernels
  std::int64_t long_until_ns = 0;    // the long kernel; 0: none
  std::uint64_t long_stream = 0;     // its stream
  std::int64_t beside_until_ns = 0;  // what other streams have run beside it
  std::int64_t copy_until_ns = 0;    // the newest copy beside kernels
  std::uint64_t copy_stream = 0;

  // What a submit to `stream` has of its own before it.
  void Tell(std::uint64_t stream, Ask* ask) const;
  // It was admitted by `verdict` at `now_ns`.
  void Admitted(const Ask& ask, std::uint64_t stream, const Verdict& verdict, const Settings& settings,
                std::int64_t now_ns);
  // A wait told that all of it, but copies beside kernels, ends at `until_ns`.
  void EndsAt(std::int64_t until_ns);
};

}  // namespace mortar::policy
