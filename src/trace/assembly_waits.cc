// What calls wait for. A file says at best that a call waited; for what, its return and the ends of
// operations tell.
#include <algorithm>
#include <limits>
#include <unordered_map>

#include "trace/assembly.h"

namespace mortar::trace {
namespace {

// Chosen: a wait that lasts longer was waiting indeed; a shorter one found its work done.
constexpr std::int64_t kBlockedNs = 20'000;
// Chosen: a launch that takes longer was held up, if so many operations were queued: CUDA's queues hold about
// 1,024.
constexpr std::int64_t kHeldUpNs = 100'000;
constexpr Index kFullQueue = 500;
// Chosen: how far back an event's record is looked for.
constexpr std::size_t kMarksBack = 256;
constexpr Index kStreamsTried = 64;

class WaitFinder {
 public:
  explicit WaitFinder(Assembly* assembly)
      : a_(*assembly),
        out_(assembly->out),
        submitted_(out_.streams.size(), 0),
        last_op_(out_.threads.size(), kNone) {}

  void Run();

 private:
  void SubmitEarly();
  void Submit(Index call);
  void PassMarks(std::int64_t now);
  void Find(Index call);
  void WaitForDevice(Index call);
  void WaitForStream(Index call, Index stream);
  void WaitForEvent(Index call);
  void WaitForRelease(Index call);
  void WaitForCopy(Index call);
  void WaitForRoom(Index call);
  Index GuessStream(const HostCall& call, Index thread) const;
  Index LastEndedBy(Index stream, std::int64_t instant, Index limit) const;
  Index NewestEndedBy(std::int64_t instant) const;
  bool MarkAt(const SeenSync& sync, Index* op) const;
  // Nobody waits for what is submitted later: clocks that disagree can make it look so.
  void Add(Index call, Index op) {
    const Index by = out_.ops[op].call;
    if (by == kNone || out_.calls[by].start_ns <= out_.calls[call].start_ns) out_.waited.push_back(op);
  }
  std::int64_t Latest(const HostCall& call) const { return call.end_ns() + a_.tolerance_ns; }

  Assembly& a_;
  Recording& out_;
  std::vector<Index> submitted_;      // of each stream: operations submitted so far
  std::vector<Index> last_op_;        // of each thread: the last operation that it submitted
  std::vector<std::size_t> records_;  // marks passed that recorded an event behind some operation
  std::unordered_map<std::int64_t, Index> record_op_;  // by correlation of these: that operation
  std::size_t mark_ = 0;
  std::uint64_t unexplained_ = 0;
};

// Operations without a call were there before the first one.
void WaitFinder::SubmitEarly() {
  for (Index s = 0; s < out_.streams.size(); ++s) {
    const Index count = out_.streams[s].ops.count;
    while (submitted_[s] < count && a_.OpAt(s, submitted_[s]).call == kNone) ++submitted_[s];
  }
}

void WaitFinder::Submit(Index call) {
  const Range ops = out_.calls[call].ops;
  for (Index i = ops.first; i < ops.end(); ++i) {
    Index& submitted = submitted_[out_.ops[i].stream];
    submitted = std::max(submitted, a_.rank[i] + 1);
  }
  if (ops.count > 0) last_op_[a_.thread_of[call]] = ops.end() - 1;
}

void WaitFinder::PassMarks(std::int64_t now) {
  for (; mark_ < a_.marks.size() && a_.marks[mark_].start_ns < now; ++mark_) {
    Mark& mark = a_.marks[mark_];
    if (mark.thread != kNone) mark.op = last_op_[mark.thread];
    if (mark.waits || mark.op == kNone) continue;
    records_.push_back(mark_);
    record_op_[mark.correlation] = mark.op;
  }
}

Index WaitFinder::LastEndedBy(Index stream, std::int64_t instant, Index limit) const {
  Index low = 0;
  Index high = limit;
  while (low < high) {
    const Index middle = low + (high - low) / 2;
    (a_.OpAt(stream, middle).end_ns() <= instant ? low = middle + 1 : high = middle);
  }
  return low == 0 ? kNone : a_.OpIndexAt(stream, low - 1);
}

Index WaitFinder::NewestEndedBy(std::int64_t instant) const {
  Index newest = kNone;
  const auto streams = std::min(static_cast<Index>(out_.streams.size()), kStreamsTried);
  for (Index s = 0; s < streams; ++s) {
    const Index op = LastEndedBy(s, instant, submitted_[s]);
    if (op != kNone && (newest == kNone || out_.ops[op].end_ns() > out_.ops[newest].end_ns())) newest = op;
  }
  return newest;
}

void WaitFinder::WaitForDevice(Index call) {
  const Index last = last_op_[a_.thread_of[call]];
  for (Index s = 0; s < out_.streams.size(); ++s) {
    const bool other = last != kNone && out_.streams[s].device != out_.streams[out_.ops[last].stream].device;
    if (submitted_[s] > 0 && !other) WaitForStream(call, s);
  }
}

void WaitFinder::WaitForStream(Index call, Index stream) {
  if (stream == kNone || submitted_[stream] == 0) return;
  const Index op = a_.OpIndexAt(stream, submitted_[stream] - 1);
  if (out_.ops[op].end_ns() <= Latest(out_.calls[call])) return Add(call, op);
  // It returned before all that was submitted had ended: it was for less.
  const Index earlier = LastEndedBy(stream, Latest(out_.calls[call]), submitted_[stream]);
  if (earlier != kNone) Add(call, earlier);
}

// The stream that the thread used last, unless a wait that blocked is better explained by another one's end.
Index WaitFinder::GuessStream(const HostCall& call, Index thread) const {
  const auto newest = [&](Index stream) { return a_.OpAt(stream, submitted_[stream] - 1).end_ns(); };
  const Index own = last_op_[thread] == kNone ? kNone : out_.ops[last_op_[thread]].stream;
  const bool fits = own != kNone && newest(own) <= Latest(call);
  if (fits && call.duration_ns < kBlockedNs) return own;
  Index best = kNone;
  const auto streams = std::min(static_cast<Index>(out_.streams.size()), kStreamsTried);
  for (Index s = 0; s < streams; ++s) {
    if (submitted_[s] == 0 || newest(s) <= call.start_ns || newest(s) > Latest(call)) continue;
    if (best == kNone || newest(s) > newest(best)) best = s;
  }
  if (fits && best != kNone && newest(own) + a_.tolerance_ns >= newest(best)) return own;
  if (best != kNone || own != kNone) return best != kNone ? best : own;
  const Index op = NewestEndedBy(Latest(call));
  return op == kNone ? kNone : out_.ops[op].stream;
}

// The operation in front of the event that a sync names by the call that recorded it.
bool WaitFinder::MarkAt(const SeenSync& sync, Index* op) const {
  const auto found = record_op_.find(sync.record);
  if (sync.record == kNoCorrelation || found == record_op_.end()) return false;
  *op = found->second;
  return true;
}

void WaitFinder::WaitForEvent(Index call) {
  const HostCall& wait = out_.calls[call];
  const SeenSync* sync = FindSync(a_, a_.correlations[call]);
  Index best = kNone;
  if (sync != nullptr && MarkAt(*sync, &best)) return Add(call, best);
  for (std::size_t back = 0; back < std::min(records_.size(), kMarksBack); ++back) {
    const Index op = a_.marks[records_[records_.size() - 1 - back]].op;
    const std::int64_t end = out_.ops[op].end_ns();
    if (end > Latest(wait)) continue;
    if (best == kNone || end > out_.ops[best].end_ns()) best = op;
    if (end > wait.start_ns) break;  // it explains why the call waited
  }
  if (best == kNone && records_.empty()) best = NewestEndedBy(Latest(wait));
  if (best != kNone) Add(call, best);
}

// Memory is freed once the device has come to rest, if the driver cannot tell who uses it.
void WaitFinder::WaitForRelease(Index call) {
  const HostCall& release = out_.calls[call];
  if (release.duration_ns < kBlockedNs) return;
  const auto streams = std::min(static_cast<Index>(out_.streams.size()), kStreamsTried);
  bool held_up = false;
  for (Index s = 0; s < streams; ++s) {
    if (submitted_[s] == 0) continue;
    const std::int64_t end = a_.OpAt(s, submitted_[s] - 1).end_ns();
    if (end > Latest(release)) return;
    held_up = held_up || end > release.start_ns;
  }
  for (Index s = 0; s < streams && held_up; ++s) {
    if (submitted_[s] > 0) Add(call, a_.OpIndexAt(s, submitted_[s] - 1));
  }
}

// Copies whose names promise it wait for themselves; of others their length must show it.
void WaitFinder::WaitForCopy(Index call) {
  HostCall& copy = out_.calls[call];
  const Index own = copy.ops.end() - 1;
  const Op& op = out_.ops[own];
  const CopyPath path = out_.identities[op.identity].path;
  const bool crosses =
      path == CopyPath::kHostToDevice || path == CopyPath::kDeviceToHost || path == CopyPath::kUnsaid;
  const bool sync = a_.classes[call] == CallClass::kSyncCopy;
  const bool may_wait = sync || a_.pageable[own] != 0 || (crosses && copy.duration_ns > kBlockedNs);
  const std::int64_t early = std::max(a_.tolerance_ns, op.duration_ns / 4);
  const bool covers =
      copy.end_ns() >= op.start_ns + op.duration_ns / 2 && copy.end_ns() + early >= op.end_ns();
  if (!may_wait || !covers) return;
  copy.kind = CallKind::kSyncCopy;
  Add(call, own);
}

void WaitFinder::WaitForRoom(Index call) {
  const HostCall& launch = out_.calls[call];
  if (launch.duration_ns < kHeldUpNs || launch.ops.count == 0) return;
  const Index stream = out_.ops[launch.ops.first].stream;
  const Index place = a_.rank[launch.ops.first];
  const Index done = LastEndedBy(stream, launch.start_ns, place);
  if (place - (done == kNone ? 0 : a_.rank[done] + 1) < kFullQueue) return;
  const Index freed = LastEndedBy(stream, launch.end_ns(), place);
  if (freed != kNone && out_.ops[freed].end_ns() > launch.start_ns) Add(call, freed);
}

void WaitFinder::Find(Index call) {
  HostCall& host = out_.calls[call];
  host.waits.first = static_cast<Index>(out_.waited.size());
  switch (a_.classes[call]) {
    case CallClass::kWaitDevice:
      WaitForDevice(call);
      break;
    case CallClass::kWaitStream: {
      const SeenSync* sync = FindSync(a_, a_.correlations[call]);
      const bool said = sync != nullptr && sync->stream != kNone;
      WaitForStream(call, said ? sync->stream : GuessStream(host, a_.thread_of[call]));
      break;
    }
    case CallClass::kWaitEvent:
      WaitForEvent(call);
      break;
    case CallClass::kMayWait:
      WaitForRelease(call);
      break;
    case CallClass::kCopy:
    case CallClass::kSyncCopy:
      if (host.ops.count > 0) WaitForCopy(call);
      break;
    default:
      WaitForRoom(call);
  }
  host.waits.count = static_cast<Index>(out_.waited.size()) - host.waits.first;
  if (host.waits.count == 0) {
    const bool waits = host.kind >= CallKind::kWaitDevice && host.kind <= CallKind::kWaitEvent;
    if (waits && host.duration_ns >= kBlockedNs) ++unexplained_;
    return;
  }
  std::int64_t done = host.start_ns;
  for (Index w = host.waits.first; w < host.waits.end(); ++w)
    done = std::max(done, out_.ops[out_.waited[w]].end_ns());
  host.tail_ns = host.end_ns() - done;
}

void WaitFinder::Run() {
  SubmitEarly();
  for (const Index call : a_.calls_by_start) {
    PassMarks(out_.calls[call].start_ns);
    // A call's own operations count for what it waits for itself, which Find asks for by number.
    if (out_.calls[call].ops.count > 0) {
      Find(call);
      Submit(call);
    } else {
      Find(call);
    }
  }
  PassMarks(std::numeric_limits<std::int64_t>::max());
  a_.AddNote("waits in which the host was held up by nothing that the file shows: kept at their length",
             unexplained_, false);
}

}  // namespace

const SeenSync* FindSync(const Assembly& assembly, std::int64_t correlation) {
  if (correlation == kNoCorrelation) return nullptr;
  const auto found =
      std::lower_bound(assembly.syncs.begin(), assembly.syncs.end(), correlation,
                       [](const SeenSync& sync, std::int64_t c) { return sync.correlation < c; });
  return found != assembly.syncs.end() && found->correlation == correlation ? &*found : nullptr;
}

void FindWaits(Assembly* assembly) { WaitFinder(assembly).Run(); }

}  // namespace mortar::trace
