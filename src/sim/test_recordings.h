// Little recordings for tests.
#pragma once

#include <string>

#include "sim/test_programs.h"
#include "trace/recording.h"

namespace mortar::sim {

// One thread, one stream; kernels of `duration` launched `apart`, each `latency` after its call; a wait for
// all at the end of each request, which returns `tail` after the device is done.
struct RecordingSketch {
  int requests = 2;
  int launches = 5;
  Ns apart = 50 * kUs;
  Ns duration = 20 * kUs;
  Ns latency = 5 * kUs;
  Ns call = 4 * kUs;
  Ns tail = 3 * kUs;
  bool marked = true;
};

inline trace::Recording Draw(const RecordingSketch& sketch, const std::string& source = "sketch.json") {
  trace::Recording r;
  r.source = source;
  r.call_names = {"launch", "wait"};
  r.devices.resize(1);
  trace::Identity identity;
  identity.name = "kernel";
  identity.id = 77;
  r.identities = {identity};
  Ns now = 0;
  Ns device = 0;
  for (int request = 0; request < sketch.requests; ++request) {
    const Ns began = now;
    for (int i = 0; i < sketch.launches; ++i) {
      now += sketch.apart - sketch.call;
      trace::HostCall call;
      call.start_ns = now;
      call.duration_ns = sketch.call;
      call.think_ns = sketch.apart - sketch.call;
      call.after = r.calls.empty() ? trace::kNone : static_cast<trace::Index>(r.calls.size() - 1);
      call.ops = {static_cast<trace::Index>(r.ops.size()), 1};
      call.request = sketch.marked ? static_cast<trace::Index>(request) : trace::kNone;
      trace::Op op;
      op.start_ns = std::max(now + sketch.latency, device);
      op.duration_ns = sketch.duration;
      op.latency_ns = op.start_ns - now;
      op.call = static_cast<trace::Index>(r.calls.size());
      device = op.end_ns();
      r.ops.push_back(op);
      r.calls.push_back(call);
      now += sketch.call;
    }
    trace::HostCall wait;
    wait.start_ns = now;
    wait.kind = trace::CallKind::kWaitStream;
    wait.name = 1;
    wait.after = static_cast<trace::Index>(r.calls.size() - 1);
    wait.waits = {static_cast<trace::Index>(r.waited.size()), 1};
    wait.request = sketch.marked ? static_cast<trace::Index>(request) : trace::kNone;
    wait.tail_ns = sketch.tail;
    r.waited.push_back(static_cast<trace::Index>(r.ops.size() - 1));
    const Ns returned = std::max(now, device) + sketch.tail;
    wait.duration_ns = returned - now;
    r.calls.push_back(wait);
    now = returned;
    if (sketch.marked) r.requests.push_back({began, now, request, 0});
  }
  r.end_ns = now;
  r.streams = {trace::Stream{0, 7, {0, static_cast<trace::Index>(r.ops.size())}}};
  for (trace::Index i = 0; i < r.ops.size(); ++i) r.stream_ops.push_back(i);
  r.threads = {trace::HostThread{1, 1, "main", {0, static_cast<trace::Index>(r.calls.size())}}};
  return r;
}

}  // namespace mortar::sim
