// What both programs need around their work: stopping on a signal, starting on request, time. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace examples {

// From here on SIGTERM and SIGINT do not kill: StopRequested turns true, and sleeps and reads are cut short.
void StopOnSignals();
bool StopRequested();

// Prints "NAME: ready on DEVICE" to stderr; if `wait`, blocks until a line, or the end, comes on stdin.
void AnnounceReady(const std::string& name, const std::string& device, bool wait);

// Runs `body`, turning exceptions into one line on stderr and an exit code: 77 for no device, else 1.
int RunProgram(const char* name, int (*body)(int argc, char** argv), int argc, char** argv) noexcept;

std::int64_t NowNs();  // CLOCK_MONOTONIC

// Sleeps until shortly before `instant_ns` and spins the rest: sleeping alone is late by tens of
// microseconds. Returns early when a stop is requested.
void WaitUntil(std::int64_t instant_ns);

// Spends `microseconds` of this thread on real work (a checksum), as a framework does between two launches.
void SpendHostTime(double microseconds);

// The value that a share `quantile` of `sorted` does not exceed (nearest rank); 0 of nothing.
double Quantile(const std::vector<double>& sorted, double quantile);

}  // namespace examples
