#include "emulated/timeline.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace mortar::emulated {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kFileBytes = (sizeof(TimelineFile) + 4095) / 4096 * 4096;

base::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return base::SystemError("create " + path, errno);
  return {};
}

// Fully allocated and initialised, then linked into place, so that nobody ever sees half a timeline.
base::Status Create(const std::string& directory, const std::string& path) {
  std::string temporary = directory + "/.new-XXXXXX";
  const base::Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return base::SystemError("create a timeline in " + directory, errno);
  base::Status status;
  const std::uint64_t magic = kTimelineMagic;
  if (const int error = posix_fallocate(fd.get(), 0, kFileBytes); error != 0) {
    status = base::SystemError("allocate timeline " + path, error);
  } else if (pwrite(fd.get(), &magic, sizeof magic, offsetof(TimelineFile, magic)) != sizeof magic) {
    status = base::SystemError("write timeline " + path, errno);
  } else if (link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = base::SystemError("create timeline " + path, errno);
  }
  unlink(temporary.c_str());
  return status;
}

std::int64_t Sane(std::int64_t busy_until_ns, std::int64_t now_ns) {
  return busy_until_ns < 0 || busy_until_ns > now_ns + kFarAheadNs ? 0 : busy_until_ns;
}

void Add(TimelineSums& sums, std::int64_t duration_ns) {
  sums.busy_ns.fetch_add(static_cast<std::uint64_t>(duration_ns), std::memory_order_relaxed);
  sums.commands.fetch_add(1, std::memory_order_relaxed);
}

void AddLate(TimelineSums& sums, std::int64_t late_ns) {
  sums.late_ns.fetch_add(static_cast<std::uint64_t>(late_ns), std::memory_order_relaxed);
  sums.late.fetch_add(1, std::memory_order_relaxed);
}

TimelineReport::Process CopySums(const TimelineSums& sums) {
  TimelineReport::Process copy;
  copy.pid = sums.pid.load(std::memory_order_relaxed);
  for (const auto& c : sums.program) {
    const char letter = c.load(std::memory_order_relaxed);
    if (letter == '\0') break;
    copy.program.push_back(letter);
  }
  copy.busy_ns = sums.busy_ns.load(std::memory_order_relaxed);
  copy.commands = sums.commands.load(std::memory_order_relaxed);
  copy.late = sums.late.load(std::memory_order_relaxed);
  copy.late_ns = sums.late_ns.load(std::memory_order_relaxed);
  return copy;
}

// Takes over a line whose owner is gone, with sums from zero.
bool TakeLine(TimelineSums& line, std::int32_t owner, std::int32_t pid) {
  if (!line.pid.compare_exchange_strong(owner, pid)) return false;
  for (auto* sum : {&line.busy_ns, &line.commands, &line.late, &line.late_ns}) sum->store(0);
  const char* name = program_invocation_short_name;
  bool ended = false;
  for (std::size_t i = 0; i < std::size(line.program); ++i) {
    ended = ended || i + 1 == std::size(line.program) || name[i] == '\0';
    line.program[i].store(ended ? '\0' : name[i], std::memory_order_relaxed);
  }
  return true;
}

}  // namespace

Result<std::string> Timeline::FindDirectory() {
  const char* shared = getenv("MORTAR_DIR");
  const std::string path = shared != nullptr && *shared != '\0'
                               ? std::string(shared) + "/emulated"
                               : "/dev/shm/mortar-emulated-" + std::to_string(getuid());
  if (auto status = MakeDirectory(path); !status) return status.error();
  return path;
}

Result<Timeline> Timeline::Open(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name + ".timeline";
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    if (auto status = Create(directory, path); !status) return status.error();
    fd = base::Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  }
  if (!fd) return base::SystemError("open timeline " + path, errno);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return base::SystemError("inspect timeline " + path, errno);
  if (!S_ISREG(info.st_mode) || info.st_size != static_cast<off_t>(kFileBytes)) {
    return Error{Code::kCorrupt, "open timeline " + path + ": not a timeline of this version; remove it"};
  }
  Timeline timeline;
  timeline.mapping_ =
      base::Mapping(mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), kFileBytes);
  if (!timeline.mapping_) return base::SystemError("map timeline " + path, errno);
  timeline.file_ = static_cast<TimelineFile*>(timeline.mapping_.get());
  if (timeline.file_->magic.load() != kTimelineMagic) {
    return Error{Code::kCorrupt, "open timeline " + path + ": not a timeline of this version; remove it"};
  }
  return timeline;
}

Placement Timeline::Place(std::int64_t now_ns, std::int64_t ready_ns, std::int64_t duration_ns) {
  Placement placement;
  auto& word = file_->busy_until_ns;
  placement.before_ns = word.load(std::memory_order_relaxed);
  do {
    placement.start_ns = std::max(ready_ns, Sane(placement.before_ns, now_ns));
    placement.end_ns = placement.start_ns + duration_ns;
    // Relaxed: the word carries no other data, and a compare-and-swap is atomic whatever its order.
  } while (!word.compare_exchange_weak(placement.before_ns, placement.end_ns, std::memory_order_relaxed));
  return placement;
}

void Timeline::Undo(const Placement& placement) {
  std::int64_t expected = placement.end_ns;
  file_->busy_until_ns.compare_exchange_strong(expected, placement.before_ns, std::memory_order_relaxed);
}

std::int64_t Timeline::AheadNs(std::int64_t now_ns) const {
  return std::max<std::int64_t>(0,
                                Sane(file_->busy_until_ns.load(std::memory_order_relaxed), now_ns) - now_ns);
}

TimelineSums* Timeline::Mine() {
  TimelineSums* line = mine_.load(std::memory_order_relaxed);
  if (line != nullptr) return line;
  const auto pid = static_cast<std::int32_t>(getpid());
  for (auto& candidate : file_->process) {
    if (candidate.pid.load() == pid) line = &candidate;
  }
  for (auto& candidate : file_->process) {
    if (line == nullptr && TakeLine(candidate, 0, pid)) line = &candidate;
  }
  // All lines were used: the first one whose owner is gone.
  for (auto& candidate : file_->process) {
    const std::int32_t owner = candidate.pid.load();
    if (line == nullptr && kill(owner, 0) != 0 && errno == ESRCH && TakeLine(candidate, owner, pid))
      line = &candidate;
  }
  // None: the sums of this process alone are lost, those of the device are not.
  static constinit TimelineSums nobody{};
  if (line == nullptr) line = &nobody;
  mine_.store(line, std::memory_order_relaxed);
  return line;
}

void Timeline::Count(std::int64_t duration_ns) {
  Add(file_->total, duration_ns);
  Add(*Mine(), duration_ns);
}

void Timeline::CountLate(std::int64_t late_ns) {
  AddLate(file_->total, late_ns);
  AddLate(*Mine(), late_ns);
}

TimelineReport Timeline::Report() const {
  TimelineReport report;
  report.busy_until_ns = file_->busy_until_ns.load(std::memory_order_relaxed);
  report.total = CopySums(file_->total);
  for (const auto& line : file_->process) {
    if (line.pid.load(std::memory_order_relaxed) != 0) report.processes.push_back(CopySums(line));
  }
  return report;
}

}  // namespace mortar::emulated
