#include "sim/found.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "predict/lane.h"
#include "sim/program.h"

namespace mortar::sim {
namespace {

constexpr int kLearnLaps = 6;  // chosen: passes over the recording before it is judged
constexpr int kJudgedLaps = 10;

struct Thread {
  const trace::HostThread* host = nullptr;
  std::unique_ptr<predict::LanePredictor> predictor;
};

// One pass of one thread over its calls, `shift` later than recorded. Submits at which a period began go to
// *starts.
void Pass(const trace::Recording& r, predict::KernelTable& kernels, Ns shift, Thread* thread,
          std::vector<Ns>* starts) {
  predict::LanePredictor& predictor = *thread->predictor;
  const trace::Range calls = thread->host->calls;
  for (trace::Index c = calls.first; c < calls.first + calls.count; ++c) {
    const trace::HostCall& call = r.calls[c];
    // As live: a client's thread submits within a step; what lies outside is not repeated.
    if (call.request == trace::kNone) continue;
    const Ns now = shift + call.start_ns;
    if (call.ops.count > 0) {
      const trace::Op& op = r.ops[call.ops.first];
      const trace::Identity& identity = r.identities[op.identity];
      predict::Submission submission;
      submission.kernel = kernels.FindOrAdd(identity.id, identity.name);
      submission.now_ns = now;
      submission.stream = std::uint64_t{op.stream} + 1;
      const std::uint64_t before = predictor.periods_begun();
      predictor.OnSubmit(submission);
      if (predictor.periods_begun() != before) starts->push_back(now);
    }
    // Live, a launch that waits for room in the launch queue is not seen to wait.
    if (call.waits.count > 0 && call.kind >= trace::CallKind::kSyncCopy) {
      predictor.OnWaitEnter(now);
      predictor.OnWaitReturn(shift + call.end_ns(), predictor.last_sequence());
    }
    if (predictor.has_ended()) predictor.TakeEnded();
  }
}

// A found iteration, from one start to the next, is right if one step begins in it, and in those beside it
// one or more: else it is a part of a step. It may begin anywhere in a step, and move to where a longer gap
// is found.
FoundRequests Judge(const std::vector<Ns>& begins, const std::vector<Ns>& starts) {
  std::vector<std::ptrdiff_t> inside;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    inside.push_back(std::upper_bound(begins.begin(), begins.end(), starts[i + 1]) -
                     std::upper_bound(begins.begin(), begins.end(), starts[i]));
  }
  FoundRequests found;
  // Before the first start and after the last one, iterations are cut off.
  const auto whole =
      static_cast<std::size_t>(std::accumulate(inside.begin(), inside.end(), std::ptrdiff_t{0}));
  found.requests = whole + 2 < begins.size() ? begins.size() - 2 : std::max(whole, inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const bool part = (i > 0 && inside[i - 1] == 0) || (i + 1 < inside.size() && inside[i + 1] == 0);
    found.right += inside[i] == 1 && !part ? 1 : 0;
  }
  return found;
}

}  // namespace

FoundRequests FindRequests(const trace::Recording& r) {
  if (r.requests.size() < 3) return {};
  predict::KernelTable kernels;
  // The thread that marks the steps, else the one that submits most.
  std::vector<std::uint64_t> submits(r.threads.size(), 0);
  for (std::size_t t = 0; t < r.threads.size(); ++t) {
    const trace::Range calls = r.threads[t].calls;
    for (trace::Index c = calls.first; c < calls.first + calls.count; ++c)
      submits[t] += r.calls[c].ops.count > 0 && r.calls[c].request != trace::kNone ? 1 : 0;
  }
  const auto most = std::max_element(submits.begin(), submits.end());
  if (most == submits.end() || *most == 0) return {};
  Thread thread{&r.threads[static_cast<std::size_t>(most - submits.begin())],
                std::make_unique<predict::LanePredictor>(kernels, 1)};
  const Ns lap = r.requests.back().end_ns - r.requests.front().start_ns;
  std::vector<Ns> begins;
  std::vector<Ns> starts;
  for (int i = 0; i < kLearnLaps + kJudgedLaps; ++i) {
    const Ns shift = lap * (i + 1);
    if (i == kLearnLaps) starts.clear();
    Pass(r, kernels, shift, &thread, &starts);
    for (const trace::Request& request : r.requests)
      if (i >= kLearnLaps) begins.push_back(shift + request.start_ns);
  }
  return Judge(begins, starts);
}

}  // namespace mortar::sim
