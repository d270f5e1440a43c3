#include "trace/timeline.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "base/hash.h"

namespace mortar::trace {
namespace {

using model::TraceKind;
using model::TraceRecord;

// Clocks of two spools of one board, each compared with CLOCK_MONOTONIC once, differ by no more: a thread
// that is held up between the two looks, and drift while recording. Boards that are not the same differ by
// when they were made.
constexpr std::int64_t kSameBoardNs = 10'000'000;

constexpr std::uint32_t kNeverRefused = 0;  // detail of a kGate record

struct Board {
  const Client* first;
  bool known;              // its clock is tied to CLOCK_MONOTONIC
  std::int64_t offset_ns;  // CLOCK_MONOTONIC minus board; 0 if not known
};

bool Fits(const Board& board, const Client& client) {
  if (board.first->device != client.device) return false;
  if (!board.known || client.board_ns == 0) return true;
  const std::int64_t apart = client.monotonic_ns - client.board_ns - board.offset_ns;
  return apart < kSameBoardNs && apart > -kSameBoardNs;
}

// Which board each client is of; and each board's clock.
std::vector<Board> FindBoards(const std::vector<Client>& clients, Timeline* timeline) {
  std::vector<Board> boards;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const Client& client = clients[i];
    const bool known = client.board_ns != 0;
    auto board = std::find_if(boards.begin(), boards.end(), [&](const Board& b) { return Fits(b, client); });
    if (board == boards.end()) board = boards.insert(board, {&client, false, 0});
    if (known && !board->known) {
      board->known = true;
      board->offset_ns = client.monotonic_ns - client.board_ns;
    }
    timeline->clients[i].board = static_cast<std::uint32_t>(board - boards.begin());
  }
  return boards;
}

bool Is(const TraceRecord& record, TraceKind kind) { return record.kind == static_cast<std::uint32_t>(kind); }

void FindShifts(const std::vector<Client>& clients, Timeline* timeline) {
  for (const Board& board : FindBoards(clients, timeline)) timeline->shifts_ns.push_back(board.offset_ns);
  std::int64_t first = INT64_MAX;
  std::int64_t last = INT64_MIN;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::int64_t shift = timeline->shifts_ns[timeline->clients[i].board];
    for (const TraceRecord& record : clients[i].records) {
      first = std::min(first, record.begin_ns + shift);
      last = std::max(last, record.end_ns + shift);
    }
  }
  if (first > last) return;
  for (std::int64_t& shift : timeline->shifts_ns) shift -= first;
  timeline->end_ns = last - first;
}

// A submit as far as it is known when it is made: it ends when the client's work was predicted to end.
Kernel Predicted(const TraceRecord& record, std::int64_t shift) {
  Kernel kernel;
  kernel.end_ns = record.end_ns + shift;
  kernel.begin_ns = std::max(record.begin_ns, record.end_ns - record.value_ns) + shift;
  kernel.submitted_ns = record.begin_ns + shift;
  kernel.predicted_ns = record.value_ns;
  kernel.id = record.id;
  kernel.lane = record.lane;
  kernel.fill = record.detail == 1;
  return kernel;
}

struct Key {
  std::uint64_t id;
  std::int64_t submitted_ns;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return base::Combine(key.id, static_cast<std::uint64_t>(key.submitted_ns));
  }
};

// Submits, with the measured time in the place of the predicted one where there is one.
std::vector<Kernel> JoinKernels(const std::vector<TraceRecord>& records, std::int64_t shift) {
  std::vector<Kernel> kernels;
  std::unordered_map<Key, std::size_t, KeyHash> by_submit;
  for (const TraceRecord& record : records) {
    if (!Is(record, TraceKind::kSubmit)) continue;
    by_submit.emplace(Key{record.id, record.begin_ns}, kernels.size());
    kernels.push_back(Predicted(record, shift));
  }
  for (const TraceRecord& record : records) {
    if (!Is(record, TraceKind::kDevice)) continue;
    const auto found = by_submit.find(Key{record.id, record.value_ns});
    const bool submitted = found != by_submit.end() && !kernels[found->second].measured;
    if (!submitted) {
      kernels.emplace_back().submitted = false;
      kernels.back().id = record.id;
      kernels.back().lane = record.lane;
    }
    Kernel& kernel = submitted ? kernels[found->second] : kernels.back();
    kernel.begin_ns = record.begin_ns + shift;
    kernel.end_ns = record.end_ns + shift;
    kernel.measured = true;
  }
  std::sort(kernels.begin(), kernels.end(), [](const Kernel& a, const Kernel& b) {
    return std::tie(a.begin_ns, a.end_ns, a.submitted_ns) < std::tie(b.begin_ns, b.end_ns, b.submitted_ns);
  });
  return kernels;
}

std::vector<Span> SpansOf(const std::vector<TraceRecord>& records, TraceKind kind, std::int64_t shift) {
  std::vector<Span> spans;
  for (const TraceRecord& record : records) {
    if (!Is(record, kind) || (kind == TraceKind::kGate && record.detail == kNeverRefused)) continue;
    Span& span = spans.emplace_back();
    span.begin_ns = record.begin_ns + shift;
    span.end_ns = record.end_ns + shift;
    span.lane = record.lane;
    span.detail = record.detail;
    span.id = record.id;
    span.harm_ns = kind == TraceKind::kGate ? 0 : record.value_ns;
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return std::tie(a.lane, a.begin_ns, a.end_ns) < std::tie(b.lane, b.begin_ns, b.end_ns);
  });
  return spans;
}

// A thread does one thing at a time, but the last lane of a client is shared by several.
std::uint64_t PlaceByLane(std::vector<Span>* spans) {
  std::uint64_t not_drawn = 0;
  for (auto first = spans->begin(); first != spans->end();) {
    const auto last = std::find_if(first, spans->end(), [&](const Span& s) { return s.lane != first->lane; });
    not_drawn += PlaceInRows(first, last, 0);
    first = last;
  }
  return not_drawn;
}

std::vector<Gap> GapsBetween(const std::vector<Slice>& own, const std::vector<Slice>& others) {
  std::vector<Gap> gaps;
  std::size_t o = 0;
  for (std::size_t i = 1; i < own.size(); ++i) {
    Gap gap;
    gap.begin_ns = own[i - 1].end_ns;
    gap.end_ns = own[i].begin_ns;
    if (gap.end_ns - gap.begin_ns < kLeastGapNs) continue;
    while (o < others.size() && others[o].end_ns <= gap.begin_ns) ++o;
    for (std::size_t k = o; k < others.size() && others[k].begin_ns < gap.end_ns; ++k) {
      gap.others_ns += std::min(others[k].end_ns, gap.end_ns) - std::max(others[k].begin_ns, gap.begin_ns);
    }
    gaps.push_back(gap);
  }
  return gaps;
}

struct Placed {
  const Kernel* kernel;
  std::uint32_t client;
};

// All kernels of each board, ascending by begin.
std::vector<std::vector<Placed>> KernelsByBoard(const Timeline& timeline) {
  std::vector<std::vector<Placed>> boards(timeline.shifts_ns.size());
  for (std::uint32_t c = 0; c < timeline.clients.size(); ++c) {
    auto& board = boards[timeline.clients[c].board];
    for (const Kernel& kernel : timeline.clients[c].kernels) board.push_back({&kernel, c});
  }
  for (auto& board : boards) {
    std::stable_sort(board.begin(), board.end(), [](const Placed& a, const Placed& b) {
      return a.kernel->begin_ns < b.kernel->begin_ns;
    });
  }
  return boards;
}

void FindGaps(Timeline* timeline) {
  const auto boards = KernelsByBoard(*timeline);
  std::vector<const Kernel*> own;
  std::vector<const Kernel*> others;
  for (std::uint32_t c = 0; c < timeline->clients.size(); ++c) {
    own.clear();
    others.clear();
    for (const Placed& placed : boards[timeline->clients[c].board]) {
      (placed.client == c ? own : others).push_back(placed.kernel);
    }
    timeline->clients[c].gaps = GapsBetween(BusyTimes(own), BusyTimes(others));
  }
}

}  // namespace

std::vector<Slice> BusyTimes(const std::vector<const Kernel*>& kernels) {
  std::vector<Slice> times;
  for (const Kernel* kernel : kernels) {
    if (times.empty() || kernel->begin_ns > times.back().end_ns) {
      Slice& time = times.emplace_back();
      time.begin_ns = kernel->begin_ns;
      time.end_ns = kernel->end_ns;
    } else {
      times.back().end_ns = std::max(times.back().end_ns, kernel->end_ns);
    }
  }
  return times;
}

Timeline BuildTimeline(const std::vector<Client>& clients) {
  Timeline timeline;
  timeline.clients.resize(clients.size());
  FindShifts(clients, &timeline);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ClientTimeline& client = timeline.clients[i];
    const std::int64_t shift = timeline.shifts_ns[client.board];
    client.kernels = JoinKernels(clients[i].records, shift);
    client.waits = SpansOf(clients[i].records, TraceKind::kWait, shift);
    client.held = SpansOf(clients[i].records, TraceKind::kGate, shift);
    client.requests = SpansOf(clients[i].records, TraceKind::kRequest, shift);
    client.not_drawn = PlaceInRows(client.kernels.begin(), client.kernels.end(), kJitterNs);
    for (auto* spans : {&client.waits, &client.held, &client.requests})
      client.not_drawn += PlaceByLane(spans);
  }
  FindGaps(&timeline);
  for (ClientTimeline& client : timeline.clients) {
    client.not_drawn += PlaceInRows(client.gaps.begin(), client.gaps.end(), 0);
  }
  return timeline;
}

}  // namespace mortar::trace
