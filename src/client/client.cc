#include "client/client.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/log.h"
#include "client/memory.h"
#include "client/options.h"
#include "client/process.h"
#include "client/profile_store.h"
#include "client/session.h"

namespace mortar::client {

class Device {
 public:
  explicit Device(std::string_view name) : name_(name) { Reset(); }

  Session* session() const { return session_.load(std::memory_order_acquire); }  // pairs with Join's store
  predict::KernelTable& kernels() const { return *kernels_; }
  const std::string& name() const { return name_; }
  // Nothing of a forked parent's is touched again: its locks may be held for ever.
  void Reset();
  Session* Join();
  void Leave();
  std::atomic<std::uint64_t>& memory() { return memory_; }
  void PublishMemory();

 private:
  std::string name_;
  std::atomic<Session*> session_{nullptr};
  predict::KernelTable* kernels_ = nullptr;
  std::int64_t retry_at_ = 0;
  std::atomic<std::uint64_t> memory_{0};  // bytes that this process holds
};

namespace {

constexpr std::int64_t kRetryNs = 1'000'000'000;
constexpr std::uint64_t kMostMemory = std::uint64_t{1} << 52;  // chosen: more than any device has
constexpr int kSkipCalls = 1000;  // chosen: a look at the clock costs more than passing a call through may

// On a page that fork wipes: zero in a child until it starts anew (design: MADV_WIPEONFORK).
struct ForkPage {
  std::atomic<std::uint64_t> epoch;
};

struct Process {
  std::mutex mutex;  // all below
  Options options;
  bool disabled = false;
  bool refuse = false;
  std::vector<std::unique_ptr<Device>> devices;
};

constinit std::atomic<ForkPage*> fork_page{nullptr};
constinit std::atomic<Process*> process{nullptr};
constinit std::atomic<bool> over{false};
constinit std::atomic<std::uint64_t> next_epoch{1};
constinit pthread_key_t exit_key = 0;

struct Attached {
  std::uint64_t epoch;
  Session* session;
  Lane* lane;
};

// One cached pair for the submit path; all of the thread's lanes in `all`, for its end.
struct ThreadState {
  std::uint64_t epoch = 0;
  Session* session = nullptr;
  Lane* lane = nullptr;
  int callbacks = 0;
  int skip = 0;  // calls to pass through before looking again whether a board can be had
  std::vector<Attached>* all = nullptr;
  bool in_request = false, in_minibatch = false;  // as marked
};
#if defined(__GNUC__)
__attribute__((tls_model("initial-exec")))
#endif
constinit thread_local ThreadState thread_state;

void OnThreadExit(void* data) {
  const std::unique_ptr<std::vector<Attached>> all(static_cast<std::vector<Attached>*>(data));
  const ForkPage* page = fork_page.load();
  for (const Attached& a : *all) {
    if (page != nullptr && a.epoch == page->epoch.load() && !over.load()) a.session->Detach(a.lane);
  }
  thread_state = {};
}

ForkPage* MakeForkPage() {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, 4096, MADV_WIPEONFORK) != 0) {
    base::LogOnce("wipeonfork",
                  "this kernel lacks MADV_WIPEONFORK (Linux 4.14); forked children are not scheduled");
  }
  return new (page) ForkPage{};
}

Process* StartProcess() {
  static std::mutex start_mutex;
  const std::lock_guard lock(start_mutex);
  if (Process* started = process.load()) return started;
  auto* fresh = new Process;
  const auto options = ReadOptions();
  if (options.ok()) {
    fresh->options = *options;
    fresh->disabled = options->disabled;
  } else {
    const char* strict = getenv("MORTAR_STRICT");
    fresh->refuse = strict != nullptr && *strict != '\0' && *strict != '0';
    base::Log(options.error().message + (fresh->refuse ? "" : "; this program runs unscheduled"));
    fresh->disabled = true;
  }
  ForkPage* page = MakeForkPage();
  if (page == nullptr || pthread_key_create(&exit_key, OnThreadExit) != 0) {
    base::Log("start: out of memory or thread keys; this program runs unscheduled");
    fresh->disabled = true;
  }
  if (page != nullptr) page->epoch.store(next_epoch.fetch_add(1));
  fork_page.store(page);
  process.store(fresh);
  return fresh;
}

// The epoch of this process; a forked child gets a new one, and fresh devices.
std::uint64_t CurrentEpoch() {
  ForkPage* page = fork_page.load(std::memory_order_relaxed);
  if (page == nullptr) return 0;
  const std::uint64_t epoch = page->epoch.load(std::memory_order_relaxed);
  if (epoch != 0) return epoch;
  // A forked child's first call. Only the forking thread exists, so nobody else can be here for long.
  Process* p = process.load();
  new (&p->mutex) std::mutex;
  for (const auto& device : p->devices) device->Reset();
  page->epoch.store(next_epoch.fetch_add(1));
  return page->epoch.load();
}

std::string ProfileOf(const Options& options, const std::string& device) {
  const std::string program =
      options.join.name.empty() ? ProgramName() : options.join.name + "-" + ProgramName();
  return ProfilePath(options.profile_directory, program, device);
}

// What the calling thread kept is a forked parent's: sessions, lanes (not ours to free) and open marks.
void ForgetParent(std::uint64_t epoch) {
  if (thread_state.epoch == epoch) return;
  thread_state.session = nullptr;
  thread_state.lane = nullptr;
  thread_state.all = nullptr;
  thread_state.in_request = thread_state.in_minibatch = false;
  thread_state.epoch = epoch;
}

Lane* AttachThread(Device* device) {
  const std::uint64_t epoch = CurrentEpoch();
  Process* p = process.load();
  if (epoch == 0 || p == nullptr || p->disabled || over.load()) return nullptr;
  ForgetParent(epoch);
  const std::lock_guard lock(p->mutex);
  Session* session = device->session();
  if (session == nullptr || session->lost()) session = device->Join();
  if (session == nullptr) return nullptr;
  if (thread_state.all == nullptr) {
    thread_state.all = new std::vector<Attached>;
    pthread_setspecific(exit_key, thread_state.all);
  }
  for (const Attached& a : *thread_state.all) {
    if (a.session != session || a.epoch != epoch) continue;
    thread_state.session = session;
    return thread_state.lane = a.lane;
  }
  Lane* lane = session->Attach();
  thread_state.all->push_back({epoch, session, lane});
  if (thread_state.in_request) lane->TakeMark(Mark::kRequestBegin);
  if (thread_state.in_minibatch) lane->TakeMark(Mark::kMinibatchBegin);
  thread_state.session = session;
  return thread_state.lane = lane;
}

}  // namespace

void Device::Reset() {
  kernels_ = new predict::KernelTable;
  session_.store(nullptr);
  retry_at_ = 0;
  memory_.store(0);
  const Options& options = process.load()->options;
  if (!options.profile_directory.empty()) LoadProfile(ProfileOf(options, name_), name_, kernels_);
}

Session* Device::Join() {
  const std::int64_t now = base::MonotonicNs();
  if (now < retry_at_) return nullptr;
  Session* old = session_.load();
  if (old != nullptr) old->Leave();
  auto session = Session::Open(name_, process.load()->options, *kernels_);
  if (!session.ok()) {
    base::LogOnce(session.error().message,
                  session.error().message + "; this program runs unscheduled on " + name_);
    retry_at_ = now + kRetryNs;
    return nullptr;
  }
  // Never freed: other threads may be inside the old one.
  session_.store(session.value().release(), std::memory_order_release);
  PublishMemory();
  return session_.load();
}

void Device::PublishMemory() {
  Session* joined = session();
  if (joined == nullptr || joined->lost()) return;
  // Two threads at once: whoever stored last has seen the last value.
  std::uint64_t held = memory_.load();
  for (;;) {
    joined->slot().report.memory.store(held);
    const std::uint64_t now = memory_.load();
    if (now == held) return;
    held = now;
  }
}

void Device::Leave() {
  const Options& options = process.load()->options;
  if (!options.profile_directory.empty() && kernels_->size() > 0) {
    const auto saved = SaveProfile(ProfileOf(options, name_), name_, ProgramName(), *kernels_);
    if (!saved.ok()) base::Log(saved.error().message + "; what was learned of this program is lost");
  }
  if (Session* session = session_.load()) session->Leave();
}

bool Start(bool* refuse) {
  const Process* p = StartProcess();
  *refuse = p->refuse;
  return !p->disabled;
}

Device* FindDevice(std::string_view name) {
  Process* p = StartProcess();
  if (p->disabled || CurrentEpoch() == 0) return nullptr;
  const std::lock_guard lock(p->mutex);
  for (const auto& device : p->devices) {
    if (device->name() == name) return device.get();
  }
  return p->devices.emplace_back(std::make_unique<Device>(name)).get();
}

Lane* CurrentLane(Device* device) {
  if (device == nullptr) return nullptr;
  const ForkPage* page = fork_page.load(std::memory_order_relaxed);
  Session* session = device->session();
  if (page->epoch.load(std::memory_order_relaxed) == thread_state.epoch && session == thread_state.session &&
      session != nullptr && !session->lost()) {
    return thread_state.lane;
  }
  if (thread_state.skip > 0) {
    --thread_state.skip;
    return nullptr;
  }
  Lane* lane = AttachThread(device);
  if (lane == nullptr) thread_state.skip = kSkipCalls;
  return lane;
}

bool StrictlyJoined(Device* device) {
  const Process* p = StartProcess();
  return !p->options.strict || p->disabled || CurrentLane(device) != nullptr;
}

Lane* LaneIfJoined(Device* device) {
  if (device == nullptr || device->session() == nullptr) return nullptr;
  return CurrentLane(device);
}

std::int64_t SliceNs() {
  const Process* p = process.load(std::memory_order_acquire);
  return p != nullptr && !p->disabled ? p->options.slice_ns : 0;
}

namespace {

[[gnu::noinline, gnu::cold]] predict::Kernel* AddKernel(Device* device, model::KernelId id,
                                                        std::string_view name, model::KernelId place_id) {
  predict::Kernel* added = device->kernels().FindOrAdd(id, name, place_id);
  Session* session = device->session();
  if (added != nullptr && session != nullptr && session->trace() != nullptr) session->trace()->Name(id, name);
  return added;
}

}  // namespace

predict::Kernel* FindKernel(Device* device, model::KernelId id, std::string_view name) {
  predict::Kernel* known = device->kernels().Find(id);
  return known != nullptr ? known : AddKernel(device, id, name, id);
}

predict::Kernel* FindKernel(Device* device, const predict::Kernel& kernel, std::uint64_t arguments) {
  const model::KernelId id = base::Combine(kernel.id, arguments);
  predict::Kernel* known = device->kernels().Find(id);
  return known != nullptr ? known : AddKernel(device, id, kernel.name, kernel.place_id);
}

bool MarkThread(Mark mark) {
  const std::uint64_t epoch = StartProcess()->disabled ? 0 : CurrentEpoch();
  if (epoch == 0 || over.load()) return false;
  ForgetParent(epoch);
  const bool begins = mark == Mark::kRequestBegin || mark == Mark::kMinibatchBegin;
  const bool minibatch = mark == Mark::kMinibatchBegin || mark == Mark::kMinibatchEnd;
  (minibatch ? thread_state.in_minibatch : thread_state.in_request) = begins;
  if (thread_state.all == nullptr) return true;  // nothing submitted yet
  for (const Attached& a : *thread_state.all) {
    if (a.epoch == epoch) a.lane->TakeMark(mark);
  }
  return true;
}

bool ForEachSession(const std::function<void(board::JoinRequest&)>& on_request,
                    const std::function<void(Session&)>& on_session) {
  Process* p = StartProcess();
  if (p->disabled || CurrentEpoch() == 0 || over.load()) return false;
  const std::lock_guard lock(p->mutex);
  on_request(p->options.join);
  for (const auto& device : p->devices) {
    Session* session = device->session();
    if (session != nullptr && !session->lost()) on_session(*session);
  }
  return true;
}

MemoryUse MemoryOf(Device* device) {
  const Process* p = StartProcess();
  MemoryUse use;
  if (p->disabled || over.load()) return use;
  const Session* session = device != nullptr ? device->session() : nullptr;
  const std::uint64_t limit = session != nullptr && !session->lost()
                                  ? device->session()->slot().memory_limit.load(std::memory_order_relaxed)
                                  : p->options.join.memory_limit;
  if (limit != 0 && limit <= kMostMemory) use.limit = limit;
  if (device != nullptr) use.held = device->memory().load();
  return use;
}

bool TakeMemory(Device* device, std::uint64_t bytes) {
  if (device == nullptr || CurrentEpoch() == 0) return true;
  Process* p = process.load();
  if (p->options.join.memory_limit != 0 && device->session() == nullptr && !over.load()) {
    // A client with a limit is on the board from its first allocation on, for all to see what it holds.
    const std::lock_guard lock(p->mutex);
    if (device->session() == nullptr) device->Join();
  }
  const std::uint64_t limit = MemoryOf(device).limit;
  std::uint64_t held = device->memory().load();
  do {
    if (bytes > limit || held > limit - bytes) return false;
  } while (!device->memory().compare_exchange_weak(held, held + bytes));
  device->PublishMemory();
  return true;
}

void AddMemory(Device* device, std::uint64_t bytes) {
  if (device == nullptr || CurrentEpoch() == 0) return;
  device->memory().fetch_add(bytes);
  device->PublishMemory();
}

void GiveMemoryBack(Device* device, std::uint64_t bytes) {
  if (device == nullptr || CurrentEpoch() == 0) return;
  // Never below nothing: a forked child may free what its parent took.
  std::uint64_t held = device->memory().load();
  while (!device->memory().compare_exchange_weak(held, held - std::min(held, bytes))) {
  }
  device->PublishMemory();
}

void CountRefusal(Device* device, std::uint64_t bytes) {
  if (device == nullptr) return;
  const MemoryUse use = MemoryOf(device);
  if (Session* session = device->session(); session != nullptr && !session->lost())
    session->slot().counters.refused.fetch_add(1);
  const auto mib = [](std::uint64_t n) { return std::to_string(n >> 20) + " MiB"; };
  base::LogOnce("memory limit", "an allocation of " + mib(bytes) + " on " + device->name() +
                                    " was refused: the program holds " + mib(use.held) + " of the " +
                                    mib(use.limit) +
                                    " that --memory allows; to change that: mortar set NAME --memory SIZE");
}

CallbackScope::CallbackScope() { ++thread_state.callbacks; }
CallbackScope::~CallbackScope() { --thread_state.callbacks; }
bool InCallback() { return thread_state.callbacks > 0; }

void Shutdown() {
  Process* p = process.load();
  if (p == nullptr || p->disabled || over.exchange(true)) return;
  const ForkPage* page = fork_page.load();
  if (page == nullptr || page->epoch.load() == 0) return;  // a child that never submitted
  const std::unique_lock lock(p->mutex, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (const auto& device : p->devices) device->Leave();
}

}  // namespace mortar::client
