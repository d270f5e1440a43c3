#include "client/lane.h"

#include <algorithm>

#include "base/log.h"
#include "board/fill_word.h"
#include "client/session.h"

namespace mortar::client {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kFlushEvery = 64;              // submits
constexpr std::int64_t kCheckEveryNs = 1'000'000'000;  // is the board still in place?
constexpr std::int64_t kRestedNs = 10'000'000;         // chosen: silence after which turns are counted anew

double LimitOf(const board::Slot& slot) { return slot.max_slowdown_ppm.load(kRelaxed) * 1e-6; }

}  // namespace

Lane::Lane(Session& session, int index, std::uint64_t seed)
    : session_(session),
      index_(index),
      shared_(index == board::kLanes - 1),
      predictor_(session.kernels(), seed),
      controller_(LimitOf(session.slot())),
      writer_(&session.slot().lanes[index]),
      gate_(session.board(), session.host(), session.slot_index()),
      random_(seed + 1) {
  predictor_.set_recording(session.recording());
  predictor_.set_caution(controller_.caution());
  if (shared_) predictor_.OnInvisibleWait();  // several threads in one stream of submits: no pattern to trust
  Refresh();
}

void Lane::Refresh() {
  const board::Slot& slot = session_.slot();
  if (session_.board().Lost()) {
    session_.set_lost();
    base::LogOnce("board lost",
                  "the board " + session_.board().path() +
                      " was truncated or overwritten while in use; this program goes on unscheduled");
    return;
  }
  watch_ = ReadWatch(session_.board(), session_.slot_index(), static_cast<int>(slot.priority.load(kRelaxed)));
  controller_.set_limit(LimitOf(slot));
  if (watch_.settings.policy != policy_ || watch_.settings.off != off_) controller_.Restart();
  policy_ = watch_.settings.policy;
  off_ = watch_.settings.off;
  predictor_.set_caution(controller_.caution());
  predictor_.set_spent(controller_.spent());
  predictor_.set_offer(controller_.offer_ns());
  session_.AllowInFlight(index_, controller_.allowed_in_flight_ns());
  if (watch_.settings.policy == model::PolicyId::kFikit && !session_.HasOfflineMeans()) {
    base::LogOnce(
        "fikit",
        "policy fikit needs offline means and this program has none, so it fills no gaps and offers "
        "none; record them with: mortar profile record -- PROGRAM");
  }
}

bool Lane::HasRivals() {
  if (shared_) return false;
  // As in Submit.
  if (session_.board().header().version.load(std::memory_order_acquire) != watch_.version) Refresh();
  return watch_.rivals && !watch_.settings.off && !session_.lost();
}

Ticket Lane::BeforeSubmit(const Launch& launch) {
  if (!shared_) return Submit(launch);
  std::unique_lock lock(mutex_, std::defer_lock);
  // One of the threads here may be held at the gate, with the mutex. Whoever may not be held goes on
  // untracked.
  if (launch.gated) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return {};
  }
  return Submit(launch);
}

Ticket Lane::Submit(const Launch& launch) {
  // The one object returned, so that it is built in the caller's memory: a copy after Publish, in wider
  // pieces than it was written in, would wait until the lane's line has come back from whoever polls it (100
  // ns).
  Ticket ticket;
  board::Board& board = session_.board();
  // Pairs with Bump: settings announced by this version are visible.
  if (board.header().version.load(std::memory_order_acquire) != watch_.version) [[unlikely]]
    Refresh();
  if (session_.lost()) [[unlikely]]
    return ticket;
  predict::Kernel* kernel = launch.kernel;
  const bool offline = watch_.settings.policy == model::PolicyId::kFikit;
  Passed passed;
  if (watch_.rivals && launch.gated && !watch_.settings.off) {
    passed = PassGate(launch, offline);
    ticket.fill = true;
  } else {
    passed.at_ns = board.NowNs();
    if (watch_.others != 0) {
      const board::FillWord fill =
          board::UnpackFill(board.header().fill_until.load(std::memory_order_acquire));
      passed.fill_until_ns = policy::CheckedClaim(fill.until_ns, passed.at_ns);
      passed.fill_is_floor = fill.floor;
      passed.behind = passed.fill_until_ns > passed.at_ns;
    }
  }
  ticket.at_ns = passed.at_ns;
  ticket.behind = passed.behind;
  predict::Forecast forecast = predictor_.OnSubmit({.kernel = kernel,
                                                    .now_ns = passed.at_ns,
                                                    .fill_until_ns = passed.fill_until_ns,
                                                    .fill_is_floor = passed.fill_is_floor,
                                                    .not_before_ns = passed.not_before_ns,
                                                    .held_ns = passed.held_ns,
                                                    .stream = launch.stream,
                                                    .ordered = launch.ordered,
                                                    .copies = launch.copies,
                                                    .offline = offline});
  forecast.busy_until_ns = std::max(forecast.busy_until_ns, passed.until_ns);
  writer_.Publish(board::kLaneRunning, ticket.at_ns, forecast);
  last_activity_ = ticket.at_ns;
  ticket.sequence = predictor_.last_sequence();
  if (predictor_.has_ended()) [[unlikely]]
    OnEndedRequest();

  if (kernel != nullptr) {
    pending_.device_ns += static_cast<std::uint64_t>(kernel->duration_ns.load(kRelaxed));
    ticket.sample =
        session_.kernels().WantSample(*kernel, session_.times_all()) || predictor_.WantsDuration();
  }
  if (++pending_.submits >= kFlushEvery) [[unlikely]]
    Flush();
  if (session_.trace() != nullptr) [[unlikely]]
    TraceSubmit(ticket, kernel, forecast.busy_until_ns, passed.filled);
  return ticket;
}

// Not the holder: waits for the chance.
[[gnu::noinline]] Lane::Passed Lane::PassGate(const Launch& launch, bool offline) {
  const predict::Kernel* kernel = launch.kernel;
  std::int64_t length = 0;
  if (kernel != nullptr) {
    length = offline ? kernel->offline_duration_ns.load(kRelaxed) : predictor_.LengthOf(*kernel);
  }
  if (last_activity_ + kRestedNs < session_.board().NowNs()) session_.CatchUpTurns();
  session_.PublishServed();
  const std::uint32_t version = watch_.version;
  const Admission admission =
      gate_.Admit(&watch_, &writer_, {length, launch.copies, launch.stream}, &session_.shared());
  if (watch_.version != version) Refresh();  // the gate has seen news, of which there is more to know
  session_.ForgiveServed(admission.forgiven_ns);
  session_.AddServed(static_cast<std::uint64_t>(length));
  pending_.claims_lost += admission.claims_lost;
  if (admission.held_for != policy::Reason::kNobodyAbove) {
    ++pending_.gated;
    pending_.gated_ns += static_cast<std::uint64_t>(admission.held_ns);
  }
  if (admission.fill) {
    ++pending_.fills;
    pending_.fill_ns += static_cast<std::uint64_t>(length);
  }
  if (admission.floor) {
    ++pending_.floors;
    pending_.floor_ns += static_cast<std::uint64_t>(length);
  }
  if (TraceWriter* trace = session_.trace();
      trace != nullptr && admission.held_for != policy::Reason::kNobodyAbove) {
    trace->Add({.kind = static_cast<std::uint32_t>(model::TraceKind::kGate),
                .lane = static_cast<std::uint32_t>(index_),
                .begin_ns = admission.at_ns - admission.held_ns,
                .end_ns = admission.at_ns,
                .id = kernel != nullptr ? kernel->id : 0,
                .detail = static_cast<std::uint32_t>(admission.held_for)});
  }
  return {.at_ns = admission.at_ns,
          .until_ns = admission.until_ns,
          .not_before_ns = length > 0 ? admission.until_ns - length : admission.at_ns,
          .held_ns = admission.held_ns,
          .behind = admission.behind_ns > 0,
          .filled = admission.fill};
}

[[gnu::noinline]] void Lane::TraceSubmit(const Ticket& ticket, const predict::Kernel* kernel,
                                         std::int64_t end_ns, bool filled) {
  session_.trace()->Add({.kind = static_cast<std::uint32_t>(model::TraceKind::kSubmit),
                         .lane = static_cast<std::uint32_t>(index_),
                         .begin_ns = ticket.at_ns,
                         .end_ns = end_ns,
                         .id = kernel != nullptr ? kernel->id : 0,
                         .value_ns = kernel != nullptr ? kernel->duration_ns.load(kRelaxed) : 0,
                         .detail = filled ? 1U : 0U});
}

void Lane::EnterWait() {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (shared_ && !lock.try_lock()) return;  // as in BeforeSubmit
  if (session_.lost()) return;
  wait_began_ = session_.board().NowNs();
  predictor_.OnWaitEnter(wait_began_);
  writer_.PublishWaiting(wait_began_);
}

void Lane::LeaveWait(std::uint64_t covered) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (shared_ && !lock.try_lock()) return;  // as in BeforeSubmit
  if (session_.lost()) return;
  const std::int64_t now = session_.board().NowNs();
  if (covered == kAll) covered = predictor_.last_sequence();
  const predict::Forecast forecast = predictor_.OnWaitReturn(now, covered);
  writer_.Publish(board::kLaneRunning, now, forecast);
  last_activity_ = now;
  if (covered != 0 && session_.lanes_in_use() == 1) {
    // A wait tells more than predictions: without this, small errors add up over a chain of fills.
    const std::int64_t until = std::max(now, predictor_.busy_until_ns());
    session_.shared().OwnEndsAt(until);
    if (watch_.rivals) gate_.DrawBack(until);
  }
  ++pending_.waits;
  pending_.wait_ns += static_cast<std::uint64_t>(std::max<std::int64_t>(0, now - wait_began_));
  if (TraceWriter* trace = session_.trace(); trace != nullptr) {
    trace->Add({.kind = static_cast<std::uint32_t>(model::TraceKind::kWait),
                .lane = static_cast<std::uint32_t>(index_),
                .begin_ns = wait_began_,
                .end_ns = now,
                .value_ns = predictor_.last_harm_ns() + predictor_.last_floor_harm_ns()});
  }
  if (predictor_.has_ended()) OnEndedRequest();
  PublishLadders();
  Flush();
  if (now > checked_at_ + kCheckEveryNs) {
    checked_at_ = now;
    session_.CheckInPlace(watch_.rivals);
  }
}

void Lane::OnEndedRequest() {
  const predict::RequestTracker::Ended ended = predictor_.TakeEnded();
  controller_.OnRequest(ended.request_ns, ended.harm_ns, ended.control, ended.floor_harm_ns);
  predictor_.set_caution(controller_.caution());
  predictor_.set_spent(controller_.spent());
  predictor_.set_offer(controller_.offer_ns());
  session_.AllowInFlight(index_, controller_.allowed_in_flight_ns());
  predictor_.PlanNext(controller_.NextIsControl(random_.Uniform()));
  if (ended.control) {
    ++pending_.controls;
    pending_.control_ns += static_cast<std::uint64_t>(ended.request_ns);
  } else {
    ++pending_.requests;
    pending_.request_ns += static_cast<std::uint64_t>(ended.request_ns);
    pending_.harm_ns += static_cast<std::uint64_t>(ended.harm_ns);
    pending_.floor_harm_ns += static_cast<std::uint64_t>(ended.floor_harm_ns);
  }
  if (TraceWriter* trace = session_.trace(); trace != nullptr) {
    trace->Add({.kind = static_cast<std::uint32_t>(model::TraceKind::kRequest),
                .lane = static_cast<std::uint32_t>(index_),
                .begin_ns = ended.ended_ns - ended.request_ns,
                .end_ns = ended.ended_ns,
                .value_ns = ended.harm_ns + ended.floor_harm_ns,
                .detail = ended.control ? 1U : 0U});
  }
}

void Lane::AddSample(predict::Kernel& kernel, std::int64_t device_ns, std::int64_t began_ns,
                     std::int64_t submitted_ns, bool loose) {
  if (loose && !shared_) {
    const std::int64_t lead = device_ns - predictor_.LessLead(kernel, device_ns);
    device_ns -= lead;
    if (began_ns != 0) began_ns += lead;
  }
  session_.kernels().AddSample(kernel, device_ns, session_.recording(), loose);
  if (!shared_) {
    predictor_.OnSampled(kernel, submitted_ns, device_ns, began_ns, loose);
    session_.shared().lead.store(predictor_.lead_ns(), kRelaxed);
  }
  session_.slot().counters.sampled.fetch_add(1, kRelaxed);
  TraceWriter* trace = session_.trace();
  if (trace == nullptr || began_ns == 0) return;
  trace->Add({.kind = static_cast<std::uint32_t>(model::TraceKind::kDevice),
              .lane = static_cast<std::uint32_t>(index_),
              .begin_ns = began_ns,
              .end_ns = began_ns + device_ns,
              .id = kernel.id,
              .value_ns = submitted_ns});
}

void Lane::Retire() {
  Flush();
  session_.AllowInFlight(index_, 0);
  writer_.Clear();
}

}  // namespace mortar::client
