// Waiting for an instant as exactly as the machine allows, or until a word changes. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace mortar::simcuda {

// Returns at `instant_ns` (CLOCK_MONOTONIC) or as soon after as possible, or when `word`, which other
// processes may share, is not `seen` any more and somebody woke its waiters; at once if the instant has
// passed. Sleeps, and where `exact` spins for the last 50 µs.
void WaitUntil(const std::atomic<std::uint32_t>& word, std::uint32_t seen, std::int64_t instant_ns,
               bool exact = true);

}  // namespace mortar::simcuda
