// When requests arrive: the grammar `back-to-back`, `periodic:R`, `poisson:R`, `file:PATH`, and the instants.
// R is a rate, as 20/s, or a part of the rate that a program reaches alone, as 50%.
//
// Pure but for reading the file; any thread. Files are untrusted: errors name the line. Not a load generator:
// it says when, others wait and send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortar::trace {

enum class ArrivalKind : std::uint8_t { kBackToBack, kPeriodic, kPoisson, kFile };

struct ArrivalSpec {
  ArrivalKind kind = ArrivalKind::kBackToBack;
  double rate = 0;   // requests/s; kPeriodic and kPoisson
  std::string path;  // kFile
  double share = 0;  // of the solo rate: 0.5 for 50%, where `rate` is not known yet
};

// Errors: kInvalid, with the grammar.
base::Result<ArrivalSpec> ParseArrivals(std::string_view text);

// With shares made rates: `solo_rate` is what the program reaches alone, requests/s. Errors: kInvalid where a
// share meets no positive solo rate.
base::Result<ArrivalSpec> ResolveArrivals(ArrivalSpec spec, double solo_rate);

// "60/s", "60", "3600/min", "0.5/h" as requests/s. Errors: kInvalid.
base::Result<double> ParseRate(std::string_view text);

// Instants of a recording, in seconds from the first, ascending. One a line, or a CSV whose header names a
// column timestamp, time, arrival, arrival_s, end_timestamp or invo_ts (else the first); seconds, or
// `YYYY-MM-DD HH:MM:SS` with fractions. Errors: kInvalid with "name:line: …". ReadArrivalFile also reads a
// task of a DISB mix that lists its instants (arrivals_disb.h): its zero is the mix's.
base::Result<std::vector<double>> ParseArrivalFile(std::string_view text, const std::string& name);
base::Result<std::vector<double>> ReadArrivalFile(const std::string& path);

// Instants of the spec up to `seconds`, at most `limit`. Back-to-back arrivals have no instants of their own:
// kInvalid, as are shares that ResolveArrivals has not seen. A recording is cut, never repeated. The same
// seed gives the same instants.
base::Result<std::vector<double>> MakeArrivals(const ArrivalSpec& spec, double seconds, std::uint64_t seed,
                                               std::size_t limit = 10'000'000);

// Requests/s in consecutive windows, the last possibly short.
std::vector<double> RatesByWindow(const std::vector<double>& instants, double window_s);

}  // namespace mortar::trace
