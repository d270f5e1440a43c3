// Little programs for tests, written down step by step.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "sim/run.h"

namespace mortar::sim {

inline constexpr Ns kUs = 1'000;
inline constexpr Ns kMs = 1'000'000;

// One thread on one stream. Launch(think, duration) submits; WaitAll waits for everything.
class ProgramWriter {
 public:
  ProgramWriter() {
    program_.name = "program";
    program_.streams = {{0, 0}};
    program_.drain_tail_ns = 0;
    Step begin;
    begin.kind = StepKind::kBegin;
    steps_.push_back(begin);
  }
  ProgramWriter& Launch(Ns think, Ns duration, Ns call = 0) {
    Op op;
    op.duration_ns = op.useful_ns = duration;
    program_.judge.ops.push_back(op);
    program_.judge.device_ns += duration;
    Step step;
    step.think_ns = think;
    step.call_ns = call;
    step.first_op = static_cast<std::uint32_t>(program_.judge.ops.size() - 1);
    step.op_count = 1;
    step.launch = LaunchOf(duration);
    steps_.push_back(step);
    return *this;
  }
  ProgramWriter& WaitAll(Ns think) {
    Step step;
    step.think_ns = think;
    step.waits = step.waits_all = true;
    steps_.push_back(step);
    return *this;
  }
  // Ends the request, with a wait for everything, `think` after the last step.
  ProgramPtr End(Ns think = 0) {
    Step end;
    end.kind = StepKind::kEnd;
    end.think_ns = think;
    end.waits = end.waits_all = true;
    steps_.push_back(end);
    program_.judge.threads = {steps_};
    program_.judge.requests = 1;
    return std::make_shared<const Program>(program_);
  }

 private:
  std::uint32_t LaunchOf(Ns duration) {
    const model::KernelId id = base::Mix(static_cast<std::uint64_t>(duration)) | 1;
    for (std::size_t i = 0; i < program_.launches.size(); ++i) {
      if (program_.launches[i].id == id) return static_cast<std::uint32_t>(i);
    }
    program_.launches.push_back({id, "k" + std::to_string(duration), duration});
    return static_cast<std::uint32_t>(program_.launches.size() - 1);
  }
  Program program_;
  std::vector<Step> steps_;
};

inline ClientSpec MakeClient(ProgramPtr program, int priority, bool judged = false) {
  ClientSpec client;
  client.name = "p" + std::to_string(priority);
  client.program = std::move(program);
  client.priority = priority;
  client.judged = judged;
  return client;
}

// A request of `launches` kernels with random lengths, think times and waits.
inline ProgramPtr RandomProgram(std::uint64_t seed, int launches, Ns longest) {
  base::Random random(seed);
  ProgramWriter writer;
  const auto up_to = [&](Ns most) {
    return 1 + static_cast<Ns>(random.Uniform() * static_cast<double>(most));
  };
  for (int i = 0; i < launches; ++i) {
    writer.Launch(up_to(200 * kUs), up_to(longest), 5 * kUs);
    if (random.Uniform() < 0.2) writer.WaitAll(up_to(20 * kUs));
  }
  return writer.End(10 * kUs);
}

}  // namespace mortar::sim
