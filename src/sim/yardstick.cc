#include "sim/yardstick.h"

#include <algorithm>
#include <numeric>

namespace mortar::sim {

Yardstick::Yardstick(std::shared_ptr<const Schedule> holder, bool slack, Ns switch_ns)
    : holder_(std::move(holder)), slack_(slack), switch_ns_(switch_ns), engines_(holder_->engines.size()) {}

void Yardstick::PlayNext(EngineState& engine, const std::vector<ScheduledOp>& ops) const {
  const ScheduledOp& op = ops[engine.next++];
  if (op.stream >= engine.stream_end.size()) engine.stream_end.resize(op.stream + 1);
  Ns& stream_end = engine.stream_end[op.stream];
  Ns start = op.start_ns;
  if (slack_) start = std::max({start, op.beside ? engine.granted : engine.cursor, stream_end + op.pause_ns});
  stream_end = start + op.duration_ns;
  engine.cursor = std::max(engine.cursor, stream_end);
}

Ns Yardstick::Grant(std::uint32_t index, Ns earliest, Ns duration, bool* directly) {
  static const std::vector<ScheduledOp> kNothing;
  // The schedule ends with the last device that the holder used: what lies beyond is empty.
  if (index >= engines_.size()) engines_.resize(index + 1);
  EngineState& engine = engines_[index];
  const std::vector<ScheduledOp>& ops = index < holder_->engines.size() ? holder_->engines[index] : kNothing;
  *directly = engine.cursor == engine.granted;
  for (;;) {
    const Ns start = std::max(engine.cursor + (*directly ? 0 : switch_ns_), earliest);
    if (engine.next < ops.size()) {
      const ScheduledOp& next = ops[engine.next];
      const Ns limit = slack_ ? next.latest_ns : next.start_ns;
      if (next.ready_ns <= start || start + duration + switch_ns_ > limit) {
        PlayNext(engine, ops);
        *directly = false;
        continue;
      }
    }
    engine.cursor = engine.granted = start + duration;
    return start;
  }
}

void ScheduleKeeper::OnStart(std::uint32_t engine, std::uint32_t stream, const Op& op, Ns ready, Ns start) {
  const auto index = static_cast<std::uint32_t>(kept_.size());
  Kept kept;
  kept.engine = engine;
  kept.op = {ready, start, op.duration_ns, op.pause_ns, 0, stream, false};
  if (!order_[engine].empty()) {
    const ScheduledOp& before = kept_[order_[engine].back()].op;
    kept.op.beside = start < before.start_ns + before.duration_ns;
  }
  kept_.push_back(kept);
  order_[engine].push_back(index);
  by_stream_[stream].push_back(index);
}

void ScheduleKeeper::OnDeadline(std::uint32_t stream, std::uint64_t count, Ns deadline) {
  if (count > 0) deadlines_.push_back({stream, count, deadline});
}

void ScheduleKeeper::OnDependency(std::uint32_t after_stream, std::uint64_t after_ordinal,
                                  std::uint32_t stream, std::uint64_t count) {
  if (count > 0) links_.push_back({after_stream, after_ordinal, stream, count});
}

std::shared_ptr<Schedule> ScheduleKeeper::Finish() {
  for (const Deadline& d : deadlines_) {
    if (d.count > by_stream_[d.stream].size()) continue;
    Kept& kept = kept_[by_stream_[d.stream][d.count - 1]];
    kept.latest_end = std::min(kept.latest_end, d.at);
  }
  // What follows an operation, by index: whatever it must not delay.
  std::vector<std::vector<std::uint32_t>> followers(kept_.size());
  for (const auto& order : order_) {
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (!kept_[order[i]].op.beside) followers[order[i - 1]].push_back(order[i]);
    }
  }
  for (const auto& order : by_stream_) {
    for (std::size_t i = 1; i < order.size(); ++i) followers[order[i - 1]].push_back(order[i]);
  }
  for (const Link& link : links_) {
    if (link.count > by_stream_[link.stream].size()) continue;
    if (link.after_ordinal >= by_stream_[link.after_stream].size()) continue;
    followers[by_stream_[link.stream][link.count - 1]].push_back(
        by_stream_[link.after_stream][link.after_ordinal]);
  }
  // Where streams meet, a delay could change who goes first: nothing there may be late.
  for (const auto& order : order_) {
    for (std::size_t i = 1; i < order.size(); ++i) {
      Kept& kept = kept_[order[i]];
      if (kept.op.stream != kept_[order[i - 1]].op.stream) kept.fixed = kept_[order[i - 1]].fixed = true;
    }
  }
  for (const Link& link : links_) {
    if (link.after_ordinal >= by_stream_[link.after_stream].size()) continue;
    kept_[by_stream_[link.after_stream][link.after_ordinal]].fixed = true;
  }
  std::vector<std::uint32_t> by_start(kept_.size());
  std::iota(by_start.begin(), by_start.end(), 0U);
  std::stable_sort(by_start.begin(), by_start.end(), [&](std::uint32_t a, std::uint32_t b) {
    return kept_[a].op.start_ns < kept_[b].op.start_ns;
  });
  for (auto at = by_start.rbegin(); at != by_start.rend(); ++at) {
    Kept& kept = kept_[*at];
    for (const std::uint32_t next : followers[*at]) {
      const ScheduledOp& after = kept_[next].op;
      const Ns pause = after.stream == kept.op.stream ? after.pause_ns : 0;
      kept.latest_end = std::min(kept.latest_end, after.latest_ns - pause);
    }
    const Ns latest = std::max(kept.op.start_ns, kept.latest_end - kept.op.duration_ns);
    kept.op.latest_ns = kept.fixed ? kept.op.start_ns : latest;
  }
  auto schedule = std::make_shared<Schedule>();
  for (const auto& order : order_) {
    std::vector<ScheduledOp> ops;
    ops.reserve(order.size());
    for (const std::uint32_t index : order) ops.push_back(kept_[index].op);
    // What runs beside the next one is delayed with it.
    for (std::size_t i = ops.size(); i-- > 1;) {
      if (ops[i].beside) ops[i - 1].latest_ns = std::min(ops[i - 1].latest_ns, ops[i].latest_ns);
    }
    schedule->engines.push_back(std::move(ops));
  }
  schedule->waits = std::move(waits_);
  return schedule;
}

}  // namespace mortar::sim
