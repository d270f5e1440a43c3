#include "trace/summary.h"

#include <algorithm>

namespace mortar::trace {
namespace {

struct Owned {
  const Kernel* kernel;
  std::size_t client;
};

std::vector<Owned> KernelsOf(const Timeline& timeline, std::uint32_t board) {
  std::vector<Owned> kernels;
  for (std::size_t c = 0; c < timeline.clients.size(); ++c) {
    if (timeline.clients[c].board != board) continue;
    for (const Kernel& kernel : timeline.clients[c].kernels) kernels.push_back({&kernel, c});
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const Owned& a, const Owned& b) { return a.kernel->begin_ns < b.kernel->begin_ns; });
  return kernels;
}

Overlap FindOverlap(const std::vector<Owned>& kernels) {
  Overlap overlap;
  // The latest end so far, and the latest among the other clients than that one's.
  std::int64_t latest = INT64_MIN;
  std::int64_t latest_of_others = INT64_MIN;
  std::size_t owner = SIZE_MAX;
  for (const Owned& owned : kernels) {
    if (!owned.kernel->measured) continue;
    const std::int64_t foreign = owned.client == owner ? latest_of_others : latest;
    const std::int64_t shared = std::min(foreign, owned.kernel->end_ns) - owned.kernel->begin_ns;
    if (foreign != INT64_MIN && shared > 0) {
      ++overlap.count;
      overlap.total_ns += shared;
      if (shared > overlap.longest_ns) {
        overlap.longest_ns = shared;
        overlap.longest_at_ns = owned.kernel->begin_ns;
      }
    }
    if (owned.client == owner) {
      latest = std::max(latest, owned.kernel->end_ns);
    } else if (owned.kernel->end_ns > latest) {
      latest_of_others = latest;
      latest = owned.kernel->end_ns;
      owner = owned.client;
    } else {
      latest_of_others = std::max(latest_of_others, owned.kernel->end_ns);
    }
  }
  return overlap;
}

BoardSummary SummarizeBoard(const SpoolSet& recording, const Timeline& timeline, std::uint32_t board) {
  BoardSummary summary;
  for (std::size_t c = 0; c < timeline.clients.size(); ++c) {
    if (timeline.clients[c].board == board) summary.device = recording.clients[c].device;
  }
  const std::vector<Owned> kernels = KernelsOf(timeline, board);
  summary.overlap = FindOverlap(kernels);
  std::vector<const Kernel*> all;
  for (const Owned& owned : kernels) all.push_back(owned.kernel);
  const std::vector<Slice> busy = BusyTimes(all);
  for (const Slice& time : busy) summary.busy_ns += time.end_ns - time.begin_ns;
  if (!busy.empty()) summary.span_ns = busy.back().end_ns - busy.front().begin_ns;
  return summary;
}

void AddSpans(const ClientTimeline& timeline, ClientSummary* summary) {
  for (const Span& wait : timeline.waits) {
    summary->wait_ns += wait.end_ns - wait.begin_ns;
    summary->harm_ns += wait.harm_ns;
  }
  for (const Span& held : timeline.held) summary->held_ns += held.end_ns - held.begin_ns;
  for (const Span& request : timeline.requests) {
    summary->request_ns += request.end_ns - request.begin_ns;
    summary->controls += request.detail == 1 ? 1 : 0;
  }
  summary->waits = timeline.waits.size();
  summary->held = timeline.held.size();
  summary->requests = timeline.requests.size();
}

ClientSummary SummarizeClient(const Client& client, const ClientTimeline& timeline) {
  ClientSummary summary;
  summary.name = client.name;
  summary.device = client.device;
  summary.policy = client.policy;
  summary.pid = client.pid;
  summary.priority = client.priority;
  for (const Kernel& kernel : timeline.kernels) {
    summary.device_ns += kernel.end_ns - kernel.begin_ns;
    summary.measured += kernel.measured ? 1 : 0;
    summary.fills += kernel.fill ? 1 : 0;
  }
  summary.kernels = timeline.kernels.size();
  for (const Gap& gap : timeline.gaps) {
    summary.gap_ns += gap.end_ns - gap.begin_ns;
    summary.others_ns += gap.others_ns;
  }
  AddSpans(timeline, &summary);
  summary.not_drawn = timeline.not_drawn;
  summary.unusable = client.unusable;
  return summary;
}

}  // namespace

Summary Summarize(const SpoolSet& recording, const Timeline& timeline) {
  Summary summary;
  for (std::size_t c = 0; c < recording.clients.size(); ++c) {
    summary.clients.push_back(SummarizeClient(recording.clients[c], timeline.clients[c]));
  }
  for (std::uint32_t b = 0; b < timeline.shifts_ns.size(); ++b) {
    summary.boards.push_back(SummarizeBoard(recording, timeline, b));
  }
  summary.span_ns = timeline.end_ns;
  summary.unreadable = recording.unreadable;
  return summary;
}

}  // namespace mortar::trace
