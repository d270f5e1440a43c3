#include "simcuda/shared/shared_device.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/clock.h"
#include "simcuda/shared/wait_until.h"

namespace mortar::simcuda {

struct SharedFile {
  std::uint64_t magic;  // written last by the creator, before the file gets its name
  pthread_mutex_t lock;
  std::atomic<std::uint32_t> changes;  // written under the lock; waited for without it
  std::atomic<std::uint32_t> submits;  // the same, for those who look after what ends (WaitForWork)
  Ns swept_ns;                         // guarded by lock, as all below
  State state;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint64_t kMagic = 0x3256454455434d49ULL;  // "IMCUDEV2"
constexpr std::size_t kFileBytes = (sizeof(SharedFile) + 4095) / 4096 * 4096;
constexpr Ns kSweepEveryNs = 10'000'000;    // chosen: a dead process holds others up for no longer
constexpr Ns kLongestSleepNs = 20'000'000;  // chosen: then look for the dead

base::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return base::SystemError("create " + path, errno);
  return {};
}

Error NotADevice(const std::string& path) {
  return {Code::kCorrupt, "open simulated device " + path + ": not a device of this version; remove it"};
}

base::Status FillNew(int fd, const std::string& path, const Parameters& parameters) {
  if (const int error = posix_fallocate(fd, 0, kFileBytes); error != 0) {
    return base::SystemError("allocate simulated device " + path, error);
  }
  base::Mapping mapping(mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), kFileBytes);
  if (!mapping) return base::SystemError("map simulated device " + path, errno);
  auto* file = static_cast<SharedFile*>(mapping.get());
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = pthread_mutex_init(&file->lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (error != 0) return base::SystemError("make the lock of simulated device " + path, error);
  Timeline::Initialise(&file->state, parameters, base::MonotonicNs());
  file->magic = kMagic;
  return {};
}

// Whole before it has its name, so that nobody ever sees half a device.
base::Status Create(const std::string& directory, const std::string& path, const Parameters& parameters) {
  std::string temporary = directory + "/.new-XXXXXX";
  const base::Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return base::SystemError("create a simulated device in " + directory, errno);
  base::Status status = FillNew(fd.get(), path, parameters);
  if (status && link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = base::SystemError("create simulated device " + path, errno);
  }
  unlink(temporary.c_str());
  return status;
}

bool Same(const Parameters& a, const Parameters& b) {
  return a.sharing == b.sharing && a.slice_ns == b.slice_ns && a.switch_ns == b.switch_ns &&
         a.memory_bytes == b.memory_bytes && a.copy_engines == b.copy_engines;
}

struct flock ByteOf(Index context) {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(context);
  range.l_len = 1;
  return range;
}

}  // namespace

Result<std::string> SharedDevice::FindDirectory() {
  const char* shared = getenv("MORTAR_DIR");
  const std::string path = shared != nullptr && *shared != '\0'
                               ? std::string(shared) + "/simcuda"
                               : "/dev/shm/mortar-simcuda-" + std::to_string(getuid());
  if (auto status = MakeDirectory(path); !status) return status.error();
  return path;
}

Result<SharedDevice> SharedDevice::Open(const std::string& directory, const std::string& name,
                                        const Parameters& parameters) {
  const std::string path = directory + "/" + name + ".device";
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    if (auto status = Create(directory, path, parameters); !status) return status.error();
    fd = base::Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  }
  if (!fd) return base::SystemError("open simulated device " + path, errno);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return base::SystemError("inspect simulated device " + path, errno);
  if (!S_ISREG(info.st_mode) || info.st_size != static_cast<off_t>(kFileBytes)) return NotADevice(path);
  SharedDevice device;
  device.mapping_ =
      base::Mapping(mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), kFileBytes);
  if (!device.mapping_) return base::SystemError("map simulated device " + path, errno);
  device.fd_ = std::move(fd);
  device.file_ = static_cast<SharedFile*>(device.mapping_.get());
  if (device.file_->magic != kMagic) return NotADevice(path);

  Session session(device);
  device.RemoveDead(*session);
  State& state = device.file_->state;
  if (Same(state.parameters, parameters)) return device;
  const bool used = std::any_of(std::begin(state.contexts), std::end(state.contexts),
                                [](const Context& context) { return context.pid != 0; });
  if (used) {
    return Error{Code::kMismatch, "open simulated device " + path +
                                      ": in use with another description; use the same, or end its programs"};
  }
  Timeline::Initialise(&state, parameters, base::MonotonicNs());
  return device;
}

SharedDevice::Session::Session(SharedDevice& device) : device_(device), timeline_(device.file_->state) {
  if (pthread_mutex_lock(&device.file_->lock) == EOWNERDEAD) {
    pthread_mutex_consistent(&device.file_->lock);
    timeline_.Repair();
    device.RemoveDead(timeline_);
    wake_ = true;
  }
  timeline_.Advance(base::MonotonicNs());
}

SharedDevice::Session::~Session() {
  SharedFile& file = *device_.file_;
  if (wake_) file.changes.fetch_add(1);
  if (wake_ || wake_helpers_) file.submits.fetch_add(1);
  pthread_mutex_unlock(&file.lock);
  if (wake_) syscall(SYS_futex, &file.changes, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  if (wake_ || wake_helpers_) syscall(SYS_futex, &file.submits, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

Index SharedDevice::AddContext() {
  Session session(*this);
  RemoveDead(*session);
  const Index context = session->AddContext(static_cast<std::int32_t>(getpid()));
  if (context == kNone) return kNone;
  struct flock range = ByteOf(context);
  if (fcntl(fd_.get(), F_SETLK, &range) == 0) return context;
  session->RemoveContext(context);
  return kNone;
}

void SharedDevice::RemoveContext(Index context) {
  Session session(*this);
  session->RemoveContext(context);
  session.Wake();
  struct flock range = ByteOf(context);
  range.l_type = F_UNLCK;
  fcntl(fd_.get(), F_SETLK, &range);
}

// By the record lock, which ends with its process even while nobody has reaped that.
bool SharedDevice::IsAlive(Index context) const {
  if (file_->state.contexts[context].pid == static_cast<std::int32_t>(getpid())) return true;
  struct flock range = ByteOf(context);
  return fcntl(fd_.get(), F_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

void SharedDevice::RemoveDead(Timeline& timeline) {
  for (Index i = 0; i < kContexts; ++i) {
    if (file_->state.contexts[i].pid != 0 && !IsAlive(i)) timeline.RemoveContext(i);
  }
}

void SharedDevice::Sweep(Session& session) {
  const Ns now_ns = session->now_ns();
  if (now_ns - file_->swept_ns < kSweepEveryNs) return;
  file_->swept_ns = now_ns;
  RemoveDead(*session);
}

void SharedDevice::WaitFor(CommandId id, bool (*stop)(void* argument), void* argument) {
  for (;;) {
    Ns until_ns = 0;
    std::uint32_t seen = 0;
    {
      Session session(*this);
      Sweep(session);
      if (session->IsDone(id)) return;
      until_ns = std::min(session->EarliestEnd(id), session->now_ns() + kLongestSleepNs);
      seen = file_->changes.load();
    }
    if (stop != nullptr && stop(argument)) return;
    WaitUntil(file_->changes, seen, until_ns);
  }
}

SharedDevice::Seen SharedDevice::Look() {
  Session session(*this);
  return {file_->submits.load(), session->Ended()};
}

void SharedDevice::WaitForWork(const Seen& seen, Ns longest_ns, bool instants, bool exact) {
  Ns until_ns = 0;
  {
    Session session(*this);
    if (session->Ended() != seen.ended) return;
    until_ns = session->now_ns() + longest_ns;
    if (instants) until_ns = std::min(until_ns, session->NextInstant());
  }
  WaitUntil(file_->submits, seen.submits, until_ns, exact);
}

}  // namespace mortar::simcuda
