#include "sim/jitter.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "base/hash.h"

namespace mortar::sim {
namespace {

using trace::Index;

constexpr std::size_t kSeenAtLeast = 3;  // chosen: fewer have no median to speak of
constexpr std::size_t kMostPools = 1000;
constexpr int kMagnitudes = 16;

int MagnitudeOf(Ns think) {
  return std::min(kMagnitudes - 1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(think))) / 3);
}

std::uint64_t IdentityOf(const trace::Recording& r, const trace::HostCall& call) {
  const std::uint64_t what = call.ops.count > 0 ? r.identities[r.ops[call.ops.first].identity].id : call.name;
  return base::Combine(what, static_cast<std::uint64_t>(call.kind));
}

// A number for each call's position.
std::vector<std::uint64_t> Positions(const trace::Recording& r) {
  std::vector<std::uint64_t> positions(r.calls.size());
  for (std::size_t t = 0; t < r.threads.size(); ++t) {
    std::uint64_t before = t;
    Index request = trace::kNone;
    std::unordered_map<std::uint64_t, std::uint32_t> seen;  // in this request
    const trace::Range& range = r.threads[t].calls;
    for (Index i = range.first; i < range.end(); ++i) {
      const trace::HostCall& call = r.calls[i];
      if (call.request != request) {
        request = call.request;
        seen.clear();
      }
      const std::uint64_t identity = IdentityOf(r, call);
      const std::uint64_t pair = base::Combine(base::Combine(before, identity), t);
      positions[i] = r.requests.size() > 1 ? base::Combine(pair, seen[pair]++) : pair;
      before = identity;
    }
  }
  return positions;
}

std::vector<float> WithoutExtremes(std::vector<float> ratios) {
  std::sort(ratios.begin(), ratios.end());
  const auto cut = static_cast<std::ptrdiff_t>(ratios.size() / 100);
  return {ratios.begin() + cut, ratios.end() - cut};
}

}  // namespace

Jitter MeasureJitter(const trace::Recording& r) {
  Jitter jitter;
  jitter.by_call.assign(r.calls.size(), kNoPool);
  const std::vector<std::uint64_t> positions = Positions(r);
  std::vector<Index> order;
  for (Index i = 0; i < r.calls.size(); ++i) {
    if (r.calls[i].think_ns > kJitteredAboveNs) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](Index a, Index b) {
    return positions[a] != positions[b] ? positions[a] < positions[b]
                                        : r.calls[a].think_ns < r.calls[b].think_ns;
  });
  std::vector<std::vector<float>> magnitudes(kMagnitudes);
  std::vector<float> all;
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && positions[order[end]] == positions[order[first]]) ++end;
    if (end - first < kSeenAtLeast) continue;
    const Ns median = r.calls[order[first + (end - first) / 2]].think_ns;
    std::vector<float> ratios;
    for (std::size_t i = first; i < end; ++i) {
      ratios.push_back(
          static_cast<float>(static_cast<double>(r.calls[order[i]].think_ns) / static_cast<double>(median)));
    }
    auto& magnitude = magnitudes[static_cast<std::size_t>(MagnitudeOf(median))];
    magnitude.insert(magnitude.end(), ratios.begin(), ratios.end());
    all.insert(all.end(), ratios.begin(), ratios.end());
    if (ratios.size() < kPoolAtLeast || jitter.pools.size() >= kMostPools) continue;
    for (std::size_t i = first; i < end; ++i) {
      jitter.by_call[order[i]] = static_cast<std::uint16_t>(jitter.pools.size());
    }
    jitter.pools.push_back(std::move(ratios));
  }
  if (all.empty()) return jitter;
  const auto first_magnitude = static_cast<std::uint16_t>(jitter.pools.size());
  const std::vector<float> rest = WithoutExtremes(std::move(all));
  for (auto& magnitude : magnitudes)
    jitter.pools.push_back(magnitude.size() < kPoolAtLeast ? rest : magnitude);
  for (const Index i : order) {
    if (jitter.by_call[i] != kNoPool) continue;
    jitter.by_call[i] = static_cast<std::uint16_t>(first_magnitude + MagnitudeOf(r.calls[i].think_ns));
  }
  return jitter;
}

}  // namespace mortar::sim
