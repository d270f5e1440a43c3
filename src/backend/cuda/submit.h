// The one shape of every handler that submits: who is asking, pass the gate, make the program's own call,
// remember what it was the last of.
#pragma once

#include <cstdint>

#include "backend/cuda/captures.h"
#include "backend/cuda/places.h"
#include "backend/cuda/samples.h"
#include "backend/cuda/stream_use.h"
#include "client/session.h"

namespace mortar::cuda {

// Defines the handler of one symbol; exported under its own name by entries.S.
#define MORTAR_CUDA_HANDLER(symbol) extern "C" CUresult mortar_##symbol

// Who submits where. Without a lane the call is passed straight through.
struct Caller {
  client::Device* device = nullptr;
  client::Lane* lane = nullptr;
  CUstream stream = nullptr;
  explicit operator bool() const { return lane != nullptr; }
};

// The calling thread as a submitter to `stream`; null where Mortar is not to act, and for
// streams being captured.
[[gnu::always_inline]] inline Caller FindCaller(CUstream stream, bool per_thread) noexcept {
  if (!Active()) return {};
  stream = Explicit(stream, per_thread);
  if (AnyCapture() && IsCaptured(stream)) [[unlikely]]
    return {};
  client::Device* device = CurrentDevice(stream);
  return {device, client::CurrentLane(device), stream};
}

// The calling thread as one that waits; never joins.
inline client::Lane* FindWaiter(CUstream stream) noexcept {
  return Active() ? client::LaneIfJoined(CurrentDevice(stream)) : nullptr;
}

struct Submission {
  predict::Kernel* kernel = nullptr;  // null: not known yet
  bool occupies = true;               // false: takes no device time, is never held
  bool may_sample = true;
  bool waits = false;  // the call itself waits for the device
  bool held = true;    // false: another thread waits for it
  model::Copies copies = 0;
};

// What the calling thread submitted last, so that polling is told from an occasional look.
struct ThreadActivity {
  std::uint64_t last_submit = 0;
  const void* polled = nullptr;
  std::uint64_t polled_at = 0;
  std::uint32_t disturbed = 0;  // launches that were not timed because others' work was in front of them
};
__attribute__((tls_model("initial-exec"))) extern constinit thread_local ThreadActivity thread_activity;

// Events tell when a stream got to a launch and when it was done: what it waited for others' work in between
// would count as its own. So a kernel that is known is timed elsewhere; but for a few, lest one that is never
// alone keep an old duration for ever.
inline bool IsDisturbed(const client::Ticket& ticket, const predict::Kernel* kernel) {
  constexpr std::uint32_t kOneOf = 1024;  // chosen
  return ticket.behind && kernel != nullptr && kernel->duration_ns.load(std::memory_order_relaxed) != 0 &&
         ++thread_activity.disturbed % kOneOf != 0;
}

// What occupies no device time is known to take the least that counts, so that it keeps no forecast
// from being made.
inline void LearnAsEmpty(client::Lane* lane, predict::Kernel* kernel) {
  constexpr std::int64_t kLeastNs = 1;
  if (kernel != nullptr && kernel->duration_ns.load(std::memory_order_relaxed) == 0)
    lane->AddSample(*kernel, kLeastNs, 0);
}

template <typename Call>
[[gnu::noinline]] CUresult SubmitSampled(const Caller& caller, predict::Kernel* kernel, std::int64_t at_ns,
                                         Call& call) noexcept {
  SampledLaunch sampled(caller.stream, caller.lane->session().times_all());
  const CUresult status = call();
  sampled.Finish(status, caller.lane, kernel, at_ns);
  return status;
}

// REQUIRES: caller has a lane. Returns what the driver returned.
template <typename Call>
inline CUresult Submit(const Caller& caller, const Submission& submission, Call&& call) noexcept {
  client::Lane* lane = caller.lane;
  const std::uint64_t number = NumberOf(caller.stream);
  const client::Ticket ticket =
      lane->BeforeSubmit({.kernel = submission.kernel,
                          .stream = number,
                          .ordered = true,
                          .copies = submission.copies,
                          .gated = submission.occupies && submission.held && !client::InCallback()});
  thread_activity.last_submit = ticket.sequence;
  if (submission.waits) lane->EnterWait();
  CUresult status = CUDA_SUCCESS;
  const StreamUseScope use(caller.stream, lane);
  if (ticket.sample && submission.may_sample && !AnyCapture() && CanSample(lane->session()) &&
      (lane->session().times_all() || !IsDisturbed(ticket, submission.kernel))) [[unlikely]] {
    status = SubmitSampled(caller, submission.kernel, ticket.at_ns, call);
  } else {
    status = call();
  }
  if (submission.waits) {
    lane->LeaveWait(ticket.sequence);
    CollectSamples(lane);
  }
  stream_marks.Remember(number, lane, ticket.sequence);
  return status;
}

}  // namespace mortar::cuda
