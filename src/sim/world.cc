// The loop, what the device tells, and what is counted.
#include "sim/world.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace mortar::sim {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::string_view kPolicyNames[] = {"share", "exclusive", "priority",  "fikit",      "fill",
                                             "slice", "threshold", "timeslice", "oracle-gap", "oracle-slack"};

// Quantiles over errors of both signs, foretold minus actual.
Errors Summarise(const base::Histogram& late, const base::Histogram& early) {
  const double total = late.total() + early.total();
  if (total == 0) return {};
  const auto at = [&](double q) -> Ns {
    const double above = q * total - early.total();
    if (above > 0) return late.Quantile(above / late.total());
    return early.total() == 0 ? 0 : -early.Quantile(1 - q * total / early.total());
  };
  return {late.total() + early.total(), at(0.1), at(0.5), at(0.9)};
}

}  // namespace

std::string_view PolicyName(Policy policy) { return kPolicyNames[static_cast<std::size_t>(policy) - 1]; }

std::optional<Policy> FindPolicy(std::string_view name) {
  for (const Policy policy : kPolicies) {
    if (PolicyName(policy) == name) return policy;
  }
  return std::nullopt;
}

World::World(const RunSpec& spec) : spec_(spec), settings_(spec.settings) {
  live_ = IsLive(spec.policy);
  if (live_) settings_.policy = static_cast<model::PolicyId>(spec.policy);
  DeviceOptions device = spec.device;
  if (spec.policy == Policy::kTimeslice) device.kind = DeviceKind::kSliced;
  settings_.mode = device.kind == DeviceKind::kSliced    ? model::DeviceMode::kSliced
                   : device.kind == DeviceKind::kOverlap ? model::DeviceMode::kMerged
                                                         : model::DeviceMode::kFifo;
  settings_.switch_cost_ns = device.switch_ns;
  if (IsYardstick(spec.policy) && spec.holder != nullptr) {
    yardstick_ =
        std::make_unique<Yardstick>(spec.holder, spec.policy == Policy::kOracleSlack,
                                    settings_.mode == model::DeviceMode::kSliced ? device.switch_ns : 0);
  }
  std::uint32_t device_count = 1;
  std::uint32_t thread_count = 0;
  for (const ClientSpec& client : spec.clients) {
    device_count = std::max(device_count, client.first_device + client.program->devices);
    const Program& p = *client.program;
    thread_count += static_cast<std::uint32_t>(
        std::max({p.learn.threads.size(), p.judge.threads.size(), std::size_t{1}}));
  }
  const std::uint32_t engine_actors = device_count * kEngines;
  events_ = std::make_unique<EventTree>(engine_actors + thread_count);
  devices_.reserve(device_count);
  for (std::uint32_t i = 0; i < device_count; ++i) {
    devices_.emplace_back(device, *this, *events_, i * kEngines);
    devices_.back().set_ready_test(&World::ReadyTest, this);
  }
  threads_.reserve(thread_count);
  clients_.resize(spec.clients.size());
  for (std::uint32_t i = 0; i < clients_.size(); ++i) AddClient(i, engine_actors);
  claims_.resize(device_count);
  busy_at_begin_.resize(device_count);
  RankClients();
  obstacles_.resize(clients_.size());
  view_.settings = scattered_.settings = settings_;
  for (std::uint32_t i = 0; i < clients_.size(); ++i) UpdatePeer(i);
  if (spec.keep_schedule) {
    keeper_ = std::make_unique<ScheduleKeeper>(engine_actors,
                                               static_cast<std::uint32_t>(clients_[0].streams.size()));
  }
}

void World::RankClients() {
  by_rank_.resize(clients_.size());
  std::iota(by_rank_.begin(), by_rank_.end(), 0U);
  const auto priority = [&](std::uint32_t client) { return clients_[client].spec->priority; };
  std::stable_sort(by_rank_.begin(), by_rank_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return priority(a) < priority(b); });
  for (std::uint32_t rank = 0; rank < by_rank_.size(); ++rank) clients_[by_rank_[rank]].rank = rank;
  for (ClientData& c : clients_) FindNeighbours(c);
}

// Each device has a board of its own: who is on none of a client's devices is nobody to it.
void World::FindNeighbours(ClientData& c) {
  Ns near = 0;
  for (std::uint32_t rank = 0; rank < by_rank_.size(); ++rank) {
    const ClientData& other = clients_[by_rank_[rank]];
    if (!Near(c, other)) {
      apart_ = true;
      continue;
    }
    ++near;
    if (other.spec->priority < c.spec->priority) c.above |= std::uint64_t{1} << rank;
    if (other.spec->priority <= c.spec->priority) c.seen.push_back(rank);
  }
  c.one_above = std::has_single_bit(c.above);
  c.others = near > 1;
  c.rivals = c.seen.size() > 1;
  c.scattered = c.seen.back() + 1 != c.seen.size();
  c.look_ns = kReactNs + kReactMoreNs * std::max<Ns>(0, near - 2);
}

void World::AddClient(std::uint32_t number, std::uint32_t first_actor) {
  ClientData& c = clients_[number];
  c.spec = &spec_.clients[number];
  const Program& p = *c.spec->program;
  c.first_device = c.spec->first_device;
  c.devices_end = c.first_device + p.devices;
  c.kernels = std::make_unique<predict::KernelTable>();
  c.graph_began.assign(p.launches.size(), 0);
  for (std::size_t i = 0; i < p.launches.size(); ++i) {
    predict::Kernel* kernel = c.kernels->FindOrAdd(p.launches[i].id, p.launches[i].name);
    c.by_launch.push_back(kernel);
    if (kernel == nullptr) continue;
    if (c.spec->known != nullptr) {
      kernel->durations = (*c.spec->known)[i];
      predict::KernelTable::Refresh(*kernel);
    }
    if (c.spec->offline == nullptr) continue;
    kernel->offline_duration_ns.store((*c.spec->offline)[i].duration_ns, kRelaxed);
    kernel->offline_gap_ns.store((*c.spec->offline)[i].gap_ns, kRelaxed);
  }
  for (const StreamInfo& info : p.streams) {
    StreamData stream;
    stream.device = c.spec->first_device + info.device;
    const auto tag = static_cast<std::uint32_t>(tag_client_.size());
    tag_client_.push_back(number);
    tag_stream_.push_back(static_cast<std::uint32_t>(c.streams.size()));
    stream.number = devices_[stream.device].AddStream(number, tag);
    c.streams.push_back(stream);
  }
  c.lane =
      std::make_unique<LaneState>(*c.kernels, base::Combine(spec_.seed, number * 8), c.spec->max_slowdown);
  c.lane->predictor.set_recording(spec_.record_offline);
  c.first_thread = static_cast<std::uint32_t>(threads_.size());
  c.thread_count =
      static_cast<std::uint32_t>(std::max({p.learn.threads.size(), p.judge.threads.size(), std::size_t{1}}));
  for (std::uint32_t i = 0; i < c.thread_count; ++i) {
    ThreadData t;
    t.client = number;
    t.index = i;
    t.actor = first_actor + static_cast<std::uint32_t>(threads_.size());
    t.lane = c.lane.get();
    threads_.push_back(std::move(t));
  }
  c.learning = c.spec->judged;
  unjudged_ += c.learning ? 1 : 0;
}

bool World::ReadyTest(void* self, std::uint32_t tag, const Queued& queued) {
  auto& world = *static_cast<World*>(self);
  ClientData& c = world.clients_[world.tag_client_[tag]];
  const Op& op = *queued.op;
  for (std::uint32_t i = 0; i < op.dependencies; ++i) {
    const Until& until = queued.lap->lap->untils[op.first_dependency + i];
    if (c.streams[until.stream].completed < queued.lap->bases[until.stream] + until.ordinal + 1) {
      c.blocked_heads = true;
      return false;
    }
  }
  return true;
}

void World::OnStart(std::uint32_t tag, const Queued& queued, Ns ready, Ns start, Ns end) {
  const std::uint32_t number = tag_client_[tag];
  ClientData& c = clients_[number];
  StreamData& stream = c.streams[tag_stream_[tag]];
  if (spec_.policy != Policy::kTimeslice && spec_.device.kind != DeviceKind::kSliced)
    stream.running_end = end;
  if (keeper_ != nullptr && number == 0) KeepStart(c, tag_stream_[tag], queued, ready, start);
  if (queued.begins_graph) c.graph_began[queued.launch] = start;
  if (!stream.watched) return;
  for (std::uint32_t i = 0; i < c.thread_count; ++i) {
    ThreadData& t = thread(c, i);
    if (t.state == ThreadState::kWait && step_of(t).tail_ns < 0) TryEarlyReturn(t, step_of(t));
  }
}

void World::KeepStart(const ClientData& c, std::uint32_t stream, const Queued& queued, Ns ready, Ns start) {
  const Op& op = *queued.op;
  const std::uint32_t engine = c.streams[stream].device * kEngines + static_cast<std::uint32_t>(op.engine);
  const std::uint64_t ordinal = c.streams[stream].completed;
  keeper_->OnStart(engine, stream, op, ready, start);
  for (std::uint32_t i = 0; i < op.dependencies; ++i) {
    const Until& until = queued.lap->lap->untils[op.first_dependency + i];
    keeper_->OnDependency(stream, ordinal, until.stream, queued.lap->bases[until.stream] + until.ordinal + 1);
  }
}

void World::OnDone(std::uint32_t tag, const Queued& queued, Ns start, Ns end) {
  const std::uint32_t number = tag_client_[tag];
  ClientData& c = clients_[number];
  StreamData& stream = c.streams[tag_stream_[tag]];
  ++events_done_;
  ++stream.completed;
  --queued.lap->queued;
  --c.in_flight_ops;
  stream.running_end = 0;
  if (queued.foretold_end_ns != 0) c.device_end.Add(queued.foretold_end_ns - end);
  if (InWindow(end)) {
    ++c.result.ops;
    c.result.work_ns += queued.op->useful_ns;
    if (spec_.keep_trace) {
      Trace(c, {.kind = static_cast<std::uint32_t>(model::TraceKind::kDevice),
                .lane = queued.thread,
                .begin_ns = start,
                .end_ns = end,
                .id = c.spec->program->launches[queued.launch].id,
                .value_ns = queued.submitted_ns});
    }
  }
  if (queued.sampled != nullptr) {
    ++c.changes;
    // A graph is timed from the start of its first operation.
    const Ns began = c.graph_began[queued.launch];
    const Ns took = end - (began != 0 ? began : start);
    c.kernels->AddSample(*queued.sampled, took, spec_.record_offline);
    thread(c, queued.thread)
        .lane->predictor.OnSampled(*queued.sampled, queued.submitted_ns, took, began != 0 ? began : start);
  }
  if (!live_) Changed(number, end);
  if (c.blocked_heads) {
    c.blocked_heads = false;
    for (const StreamData& other : c.streams) devices_[other.device].Unblock(other.number, end);
  }
  if (!stream.watched) return;
  stream.watched = false;
  for (std::uint32_t i = 0; i < c.thread_count; ++i) {
    ThreadData& t = thread(c, i);
    if (t.state != ThreadState::kWait) continue;
    if (Satisfied(c, t)) {
      WaitDone(t, end);
      continue;
    }
    for (const Target& target : t.targets) {
      StreamData& other = c.streams[target.stream];
      other.watched |= other.completed < target.count;
    }
  }
}

RunResult World::Run() {
  now_ = kStart;
  window_begin_ = spec_.window_begin_ns;
  window_end_ = spec_.window_end_ns != 0 ? spec_.window_end_ns : EventTree::kNever;
  if (unjudged_ == 0) OpenWindow(kStart);
  for (ClientData& c : clients_) BeginLap(c, kStart);
  const auto engine_actors = static_cast<std::uint32_t>(devices_.size()) * kEngines;
  for (;;) {
    const std::uint32_t actor = events_->top();
    const Ns at = events_->at(actor);
    if (at >= window_end_) break;
    now_ = at;
    if (actor < engine_actors) {
      devices_[actor / kEngines].Run(static_cast<int>(actor % kEngines), at);
    } else {
      Resume(threads_[actor - engine_actors], at);
    }
  }
  RunResult result;
  Finish(&result);
  return result;
}

void World::EndLearning(ClientData& c, Ns now) {
  if (!c.learning) return;
  c.learning = false;
  if (&c == clients_.data()) learn_laps_ = c.laps;
  if (--unjudged_ == 0) OpenWindow(now);
}

void World::OpenWindow(Ns now) {
  if (spec_.window_end_ns != 0) return;
  window_begin_ = now;
  window_end_ = now + spec_.for_ns;
  for (std::size_t i = 0; i < devices_.size(); ++i) busy_at_begin_[i] = devices_[i].busy_ns(now);
}

void World::Trace(ClientData& c, const model::TraceRecord& record) {
  if (spec_.keep_trace && InWindow(record.begin_ns)) c.result.trace.push_back(record);
}

void World::Finish(RunResult* result) {
  // No event at all any more: everything that will happen has happened.
  const Ns end = window_end_ == EventTree::kNever ? now_ : window_end_;
  result->window_begin_ns = window_begin_;
  result->window_end_ns = end;
  Ns used = 0;
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    result->device_busy_ns.push_back(devices_[i].busy_ns(end) - busy_at_begin_[i]);
    result->busy_ns += result->device_busy_ns.back();
    used += devices_[i].used() ? 1 : 0;
  }
  result->busy_ns /= std::max<Ns>(1, used);
  result->events = events_done_;
  result->learn_laps = learn_laps_;
  if (keeper_ != nullptr) result->schedule = keeper_->Finish();
  for (ClientData& c : clients_) {
    ClientResult& r = c.result;
    const LaneState& first = *c.lane;
    const policy::MeasuredSlowdown measured = first.controller.Measured();
    r.program = c.spec->program;
    r.measured = measured.known;
    r.measured_slowdown = measured.mean;
    r.measured_low = measured.low;
    r.measured_high = measured.high;
    r.modelled_slowdown = first.controller.ModelledSlowdown();
    r.caution = first.controller.caution();
    r.period_submits = first.predictor.period_submits();
    r.next_submit = Summarise(c.next_submit.late, c.next_submit.early);
    r.device_end = Summarise(c.device_end.late, c.device_end.early);
    std::erase_if(r.requests, [&](const RequestTimes& times) { return times.end_ns > end; });
    if (spec_.record_offline) {
      for (const predict::Kernel* kernel : c.by_launch) {
        r.durations.push_back(kernel == nullptr ? base::Histogram() : kernel->durations);
        r.offline.push_back(kernel == nullptr ? OfflineMeans{}
                                              : OfflineMeans{kernel->offline_duration_ns.load(kRelaxed),
                                                             kernel->offline_gap_ns.load(kRelaxed)});
      }
    }
    result->clients.push_back(std::move(r));
  }
}

RunResult Run(const RunSpec& spec) {
  World world(spec);
  return world.Run();
}

}  // namespace mortar::sim
