#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/clock.h"
#include "board/internal.h"
#include "model/model.h"

namespace mortar::board {
namespace {

using base::Code;
using base::Error;

// What a board starts with; `mortar set` changes it.
constexpr auto kFirstPolicy = model::PolicyId::kFill;  // design: the default
constexpr auto kFirstMode =
    model::DeviceMode::kFifo;                   // chosen: the one mode that promises nothing it cannot keep
constexpr std::int64_t kFirstSwitchCostNs = 0;  // fifo: kernels follow one another without a pause
constexpr std::int64_t kFirstInFlightBoundNs = 200'000;  // design: harmless in replay; 1 ms cost up to 15 %
constexpr std::int64_t kFirstMarginNs = 0;               // each client's controller adds its own

Error Failed(const std::string& path, const std::string& what, int error_number) {
  Error error = base::SystemError("create board " + path + ": " + what, error_number);
  if (error_number == ENOSPC || error_number == EDQUOT) {
    error.code = Code::kFull;
    error.message += "; a board needs " + std::to_string(kFileSize / 1024) +
                     " KiB: free space there, or set MORTAR_DIR to another directory on tmpfs";
  } else if (error.code == Code::kDenied) {
    error.message += "; gain write access to the directory, or set MORTAR_DIR to one of your own on tmpfs";
  } else if (error_number == EOPNOTSUPP || error_number == EISDIR) {
    error.code = Code::kUnsupported;
    error.message += "; set MORTAR_DIR to a directory on a Linux tmpfs";
  }
  return error;
}

void Initialise(Header& header, const std::string& device) {
  const base::ClockScale clock = base::MeasureClock();
  header.clock_kind = static_cast<std::uint32_t>(clock.kind);
  header.clock_shift = clock.shift;
  header.clock_multiplier = clock.multiplier;
  header.clock_base = clock.base;
  header.boot_id = BootId();
  header.time_namespace = TimeNamespace();
  header.policy = static_cast<std::uint32_t>(kFirstPolicy);
  header.device_mode = static_cast<std::uint32_t>(kFirstMode);
  header.switch_cost_ns = kFirstSwitchCostNs;
  header.in_flight_bound_ns = kFirstInFlightBoundNs;
  header.margin_ns = kFirstMarginNs;
  const std::size_t length = std::min(device.size(), std::size(header.device) - 1);
  for (std::size_t i = 0; i < length; ++i) header.device[i] = device[i];
  header.version = 1;
  header.file_size = kFileSize;
  header.header_size = sizeof(Header);
  header.layout_version = kLayoutVersion;
  header.magic = kMagic;
}

// 0600, or 0660 and the directory's group where the directory is writable by its group and we are in that
// group.
base::Status SetMode(int fd, const std::string& directory, const std::string& path) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0) return Failed(path, "stat its directory", errno);
  const bool shared = (info.st_mode & S_IWGRP) != 0 && fchown(fd, static_cast<uid_t>(-1), info.st_gid) == 0;
  // fchmod and not the mode given to open: that one is cut by the umask, and a shared board would not be
  // shared.
  if (fchmod(fd, shared ? 0660 : 0600) != 0) return Failed(path, "chmod", errno);
  return {};
}

}  // namespace

base::Status CreateBoardFile(const std::string& directory, const std::string& path,
                             const std::string& device) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < kFileSize) {
    // Trying would not merely fail: SIGXFSZ would kill the program that we are loaded into.
    return Error{Code::kFull, "create board " + path + ": the limit on file sizes is below " +
                                  std::to_string(kFileSize / 1024) + " KiB; raise it (ulimit -f)"};
  }
  // Without a name until it is complete: a creator that dies half-way leaves nothing behind.
  const base::Fd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return Failed(path, "make a file", errno);
  // Before anything is written: afterwards the allocation could not fail any more, only raise SIGBUS.
  if (const int error = posix_fallocate(fd.get(), 0, kFileSize); error != 0)
    return Failed(path, "allocate", error);
  if (auto status = SetMode(fd.get(), directory, path); !status.ok()) return status;
  const base::Mapping mapping(mmap(nullptr, kFileSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0),
                              kFileSize);
  if (!mapping) return Failed(path, "map", errno);
  Initialise(static_cast<Layout*>(mapping.get())->header, device);
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  if (linkat(AT_FDCWD, link.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST) {
    return Failed(path, "link into place", errno);
  }
  return {};
}

}  // namespace mortar::board
