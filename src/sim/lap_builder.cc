#include "sim/lap_builder.h"

#include <algorithm>
#include <tuple>

#include "base/hash.h"
#include "sim/jitter.h"

namespace mortar::sim {

using trace::Index;

LapBuilder::LapBuilder(const trace::Recording& recording, const CompileOptions& options,
                       const std::vector<OpTiming>& timing, Program* program)
    : r_(recording), options_(options), timing_(timing), program_(program) {
  for (std::size_t i = 0; i < program->launches.size(); ++i) {
    launches_.emplace(program->launches[i].id, static_cast<std::uint32_t>(i));
  }
}

std::uint32_t LapBuilder::PiecesOf(Index op) const {
  const Ns duration = r_.ops[op].duration_ns;
  const bool set = r_.identities[r_.ops[op].identity].kind == trace::OpKind::kSet;
  if (options_.split_ns <= 0 || duration <= options_.split_ns || set) return 1;
  return static_cast<std::uint32_t>((duration + options_.split_ns - 1) / options_.split_ns);
}

std::vector<LapBuilder::Mark> LapBuilder::Marks(const Stretch& stretch) const {
  if (stretch.request_count == 0) {
    return {{stretch.from_ns, StepKind::kBegin, false}, {stretch.to_ns, StepKind::kEnd, true}};
  }
  std::vector<Mark> marks;
  for (Index i = 0; i < stretch.request_count; ++i) {
    const trace::Request& request = r_.requests[stretch.first_request + i];
    marks.push_back({request.start_ns, StepKind::kBegin, false});
    marks.push_back(
        {request.end_ns, StepKind::kEnd, options_.drain_requests || i + 1 == stretch.request_count});
  }
  return marks;
}

void LapBuilder::PlaceOp(Index index, Lap* lap) {
  const trace::Op& op = r_.ops[index];
  const OpTiming& timing = timing_[index];
  const std::uint32_t pieces = PiecesOf(index);
  first_op_[index] = static_cast<std::uint32_t>(lap->ops.size());
  for (std::uint32_t i = 0; i < pieces; ++i) {
    const Ns useful = op.duration_ns * (i + 1) / pieces - op.duration_ns * i / pieces;
    Op placed;
    placed.useful_ns = useful;
    placed.duration_ns = useful + (pieces > 1 ? options_.split_cost_ns : 0);
    placed.latency_ns = timing.latency_ns;
    placed.pause_ns = i == 0 ? timing.pause_ns : 0;
    placed.stream = op.stream;
    placed.engine = timing.engine;
    placed.overlaps = timing.overlaps;
    lap->ops.push_back(placed);
    lap->device_ns += useful;
  }
}

// All operations of the stretch, and their places in their streams.
void LapBuilder::PlaceOps(const Stretch& stretch, Lap* lap) {
  first_op_.assign(r_.ops.size(), kNone);
  ordinal_.assign(r_.ops.size(), kNone);
  ordinals_.assign(r_.streams.size(), 0);
  token_.assign(r_.calls.size(), kNone);
  in_lap_.assign(r_.calls.size(), false);
  for (std::size_t i = 0; i < r_.calls.size(); ++i) {
    const trace::HostCall& call = r_.calls[i];
    in_lap_[i] = call.start_ns >= stretch.from_ns && call.start_ns < stretch.to_ns;
    if (!in_lap_[i]) continue;
    for (Index op = call.ops.first; op < call.ops.end(); ++op) PlaceOp(op, lap);
  }
  if (stretch.with_callless) {
    for (Index op = 0; op < r_.ops.size(); ++op) {
      if (r_.ops[op].call == trace::kNone) PlaceOp(op, lap);
    }
  }
  for (std::size_t s = 0; s < r_.streams.size(); ++s) {
    const trace::Range& range = r_.streams[s].ops;
    for (Index i = range.first; i < range.end(); ++i) {
      const Index op = r_.stream_ops[i];
      if (first_op_[op] == kNone) continue;
      ordinals_[s] += PiecesOf(op);
      ordinal_[op] = ordinals_[s] - 1;
    }
  }
  for (std::size_t i = 0; i < r_.dependencies.size();) {
    const Index op = r_.dependencies[i].op;
    const auto first = static_cast<std::uint32_t>(lap->untils.size());
    for (; i < r_.dependencies.size() && r_.dependencies[i].op == op; ++i) {
      const Index after = r_.dependencies[i].after;
      if (first_op_[op] == kNone || first_op_[after] == kNone) continue;
      lap->untils.push_back({r_.ops[after].stream, ordinal_[after]});
    }
    if (first_op_[op] == kNone) continue;
    lap->ops[first_op_[op]].first_dependency = first;
    lap->ops[first_op_[op]].dependencies = static_cast<std::uint16_t>(lap->untils.size() - first);
  }
}

std::uint32_t LapBuilder::LaunchOf(const trace::HostCall& call, std::uint32_t pieces) {
  const trace::Identity& identity = r_.identities[r_.ops[call.ops.first].identity];
  std::uint64_t id = identity.id;
  std::string name = identity.name;
  Ns device = 0;
  for (Index op = call.ops.first; op < call.ops.end(); ++op) {
    device += r_.ops[op].duration_ns;
    if (op != call.ops.first) id = base::Combine(id, r_.identities[r_.ops[op].identity].id);
  }
  if (call.ops.count > 1) name = "graph of " + std::to_string(call.ops.count) + ": " + name;
  if (pieces > 1) {
    id = base::Combine(id, pieces);
    device /= pieces;
  }
  const auto [at, added] = launches_.emplace(id, static_cast<std::uint32_t>(program_->launches.size()));
  if (added) program_->launches.push_back({id, name, device});
  return at->second;
}

std::uint32_t LapBuilder::TokenOf(Index call, Lap* lap) {
  if (token_[call] == kNone) token_[call] = lap->tokens++;
  return token_[call];
}

void LapBuilder::AddWait(const trace::HostCall& call, Step* step, Lap* lap) {
  step->waits = true;
  step->tail_ns = call.tail_ns;
  step->first_until = static_cast<std::uint32_t>(lap->untils.size());
  for (Index i = call.waits.first; i < call.waits.end(); ++i) {
    const Index op = r_.waited[i];
    if (first_op_[op] != kNone) lap->untils.push_back({r_.ops[op].stream, ordinal_[op]});
  }
  step->until_count = static_cast<std::uint32_t>(lap->untils.size()) - step->first_until;
}

void LapBuilder::AddLaunches(const trace::HostCall& call, Step step, Lap* lap, std::vector<Step>* steps) {
  const auto blocks = [&](Step* last) {
    if (!options_.blocking || last->waits) return;
    last->waits = true;
    last->tail_ns = program_->drain_tail_ns;
    last->first_until = static_cast<std::uint32_t>(lap->untils.size());
    const Op& op = lap->ops[last->first_op + last->op_count - 1];
    lap->untils.push_back({op.stream, op_ordinal_[last->first_op + last->op_count - 1]});
    last->until_count = 1;
  };
  std::uint32_t pieces = 0;
  for (Index op = call.ops.first; op < call.ops.end(); ++op) pieces += PiecesOf(op);
  const bool cut = options_.split_ns > 0 && pieces > 1;
  step.first_op = first_op_[call.ops.first];
  if (!cut) {
    step.op_count = pieces;
    step.launch = LaunchOf(call, 1);
    blocks(&step);
    steps->push_back(step);
    return;
  }
  // Cut kernels and copies, and graphs with them: one launch a piece. The call's own host time is spent once,
  // at its end, and what it waits for it waits for there.
  Step piece = step;
  piece.waits = false;
  piece.call_ns = 0;
  piece.token = kNone;
  for (Index op = call.ops.first; op < call.ops.end(); ++op) {
    trace::HostCall one = call;
    one.ops = {op, 1};
    const std::uint32_t count = PiecesOf(op);
    piece.launch = LaunchOf(one, count);
    for (std::uint32_t i = 0; i < count; ++i) {
      piece.first_op = first_op_[op] + i;
      piece.op_count = 1;
      const bool last = op + 1 == call.ops.end() && i + 1 == count;
      if (last) {
        piece.waits = step.waits;
        piece.call_ns = step.call_ns;
        piece.token = step.token;
      }
      Step placed = piece;
      blocks(&placed);
      steps->push_back(placed);
      piece.think_ns = 0;
      piece.after = kNone;
      piece.jittered = false;
    }
  }
}

void LapBuilder::AddCall(const trace::HostCall& call, Ns before, Lap* lap, std::vector<Step>* steps) {
  const auto index = static_cast<Index>(&call - r_.calls.data());
  Step step;
  step.think_ns = std::max<Ns>(0, call.start_ns - before);
  step.call_ns = call.duration_ns;
  step.token = token_[index];
  if (call.after != trace::kNone && in_lap_[call.after] && token_[call.after] != kNone &&
      !SameThread(call, call.after)) {
    step.after = token_[call.after];
    step.think_ns = call.think_ns;
  }
  if (!pools_.empty() && pools_[index] != kNoPool && step.think_ns > kJitteredAboveNs) {
    step.jittered = true;
    step.pool = pools_[index];
  }
  if (call.waits.count > 0) AddWait(call, &step, lap);
  if (call.ops.count > 0) {
    AddLaunches(call, step, lap, steps);
  } else {
    steps->push_back(step);
  }
}

bool LapBuilder::SameThread(const trace::HostCall& call, Index other) const {
  const auto index = static_cast<Index>(&call - r_.calls.data());
  return thread_of_[index] == thread_of_[other];
}

void LapBuilder::AddThread(const Stretch& stretch, Index thread, const std::vector<Mark>& marks, Lap* lap) {
  std::vector<Step> steps;
  Ns before = stretch.from_ns;
  std::size_t mark = 0;
  const auto add_marks = [&](Ns until) {
    for (; mark < marks.size() && marks[mark].at <= until; ++mark) {
      Step step;
      step.kind = marks[mark].kind;
      step.think_ns = std::max<Ns>(0, marks[mark].at - before);
      step.waits = step.waits_all = marks[mark].drains;
      steps.push_back(step);
      before = std::max(before, marks[mark].at);
    }
  };
  if (thread != trace::kNone) {
    const trace::Range& range = r_.threads[thread].calls;
    for (Index i = range.first; i < range.end(); ++i) {
      if (!in_lap_[i]) continue;
      const trace::HostCall& call = r_.calls[i];
      add_marks(call.start_ns);
      AddCall(call, before, lap, &steps);
      before = std::max(before, call.end_ns());
    }
  }
  add_marks(INT64_MAX);
  if (!steps.empty()) lap->threads.push_back(std::move(steps));
}

// A thread that has what no call in the recording submitted. Streams run in order: each is submitted just
// before the calls whose operations follow it in its stream, and comes when it came.
void LapBuilder::AddCallless(const Stretch& stretch, Lap* lap) {
  std::vector<std::pair<Ns, Index>> ops;  // when submitted
  for (const trace::Stream& stream : r_.streams) {
    Ns follows = INT64_MAX;  // the earliest of those calls
    for (Index i = stream.ops.end(); i-- > stream.ops.first;) {
      const Index op = r_.stream_ops[i];
      if (r_.ops[op].call != trace::kNone) {
        follows = std::min(follows, r_.calls[r_.ops[op].call].start_ns);
      } else {
        ops.emplace_back(std::min(r_.ops[op].start_ns, follows - 1), op);
      }
    }
  }
  // Of one stream those that were submitted together in the order in which they ran.
  std::sort(ops.begin(), ops.end(), [&](const auto& a, const auto& b) {
    return std::tuple(a.first, r_.ops[a.second].start_ns, r_.ops[a.second].end_ns(), a.second) <
           std::tuple(b.first, r_.ops[b.second].start_ns, r_.ops[b.second].end_ns(), b.second);
  });
  std::vector<Step> steps;
  Ns before = stretch.from_ns;
  for (const auto& [at, op] : ops) {
    Step step;
    step.think_ns = at - before;
    before = at;
    lap->ops[first_op_[op]].latency_ns = r_.ops[op].start_ns - at;
    step.first_op = first_op_[op];
    step.op_count = PiecesOf(op);
    trace::HostCall call;
    call.ops = {op, 1};
    step.launch = LaunchOf(call, 1);
    steps.push_back(step);
  }
  if (!steps.empty()) lap->threads.push_back(std::move(steps));
}

// The thread of the marks is the first. A thread that makes no calls in the stretch would not notice what the
// device does: then it is the one that submits most.
Index LapBuilder::MarkingThread(const Stretch& stretch) const {
  std::vector<std::size_t> calls(r_.threads.size(), 0);
  std::vector<std::size_t> submits(r_.threads.size(), 0);
  for (Index c = 0; c < r_.calls.size(); ++c) {
    if (!in_lap_[c]) continue;
    ++calls[thread_of_[c]];
    submits[thread_of_[c]] += r_.calls[c].ops.count > 0 ? 1 : 0;
  }
  if (r_.threads.empty()) return trace::kNone;
  const Index said = stretch.request_count > 0 ? r_.requests[stretch.first_request].thread : 0;
  if (said != trace::kNone && calls[said] > 0) return said;
  return static_cast<Index>(std::max_element(submits.begin(), submits.end()) - submits.begin());
}

Lap LapBuilder::Build(const Stretch& stretch) {
  Lap lap;
  PlaceOps(stretch, &lap);
  op_ordinal_.assign(lap.ops.size(), 0);
  for (Index op = 0; op < r_.ops.size(); ++op) {
    if (first_op_[op] == kNone) continue;
    const std::uint32_t pieces = PiecesOf(op);
    for (std::uint32_t i = 0; i < pieces; ++i) op_ordinal_[first_op_[op] + i] = ordinal_[op] + 1 + i - pieces;
  }
  thread_of_.assign(r_.calls.size(), trace::kNone);
  for (Index t = 0; t < r_.threads.size(); ++t) {
    const trace::Range& range = r_.threads[t].calls;
    for (Index i = range.first; i < range.end(); ++i) thread_of_[i] = t;
  }
  for (std::size_t i = 0; i < r_.calls.size(); ++i) {
    const Index after = r_.calls[i].after;
    if (!in_lap_[i] || after == trace::kNone || !in_lap_[after] || thread_of_[i] == thread_of_[after])
      continue;
    TokenOf(after, &lap);
  }
  const Index first = MarkingThread(stretch);
  AddThread(stretch, first, Marks(stretch), &lap);
  for (Index t = 0; t < r_.threads.size(); ++t) {
    if (t != first) AddThread(stretch, t, {}, &lap);
  }
  if (stretch.with_callless) AddCallless(stretch, &lap);
  lap.requests = std::max<std::uint32_t>(1, stretch.request_count);
  return lap;
}

}  // namespace mortar::sim
