#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "board/board.h"
#include "board/internal.h"

namespace mortar::board {
namespace {

using base::Code;
using base::Error;

constexpr char kSystemDirectory[] = "/run/mortar";
constexpr std::size_t kLongestFileName = 100;

// Opens `path` as a directory and checks that boards can live there. `advice` ends the message where it is
// denied.
base::Status CheckDirectory(const std::string& path, const std::string& advice) {
  const std::string operation = "open board directory " + path;
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    Error error = base::SystemError(operation, errno);
    error.message += "; " + advice;
    return error;
  }
  if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) {
    Error error = base::SystemError(operation, errno);
    error.message += "; " + advice;
    return error;
  }
  return CheckMemoryBacked(fd.get(), path);
}

// /dev/shm is writable by all: whoever makes the directory first owns it, so it must be ours and private.
base::Result<std::string> FindPrivateDirectory() {
  const uid_t user = geteuid();
  const std::string path = "/dev/shm/mortar-" + std::to_string(user);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    Error error = base::SystemError("create board directory " + path, errno);
    error.message += "; set MORTAR_DIR to a directory on tmpfs that you may write";
    return error;
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return base::SystemError("open board directory " + path, errno);
  if (!S_ISDIR(info.st_mode) || info.st_uid != user || (info.st_mode & S_IWOTH) != 0) {
    return Error{Code::kDenied,
                 "open board directory " + path +
                     ": not a private directory of yours (somebody else made it first, or it is writable by "
                     "all); remove it, or set MORTAR_DIR to a directory on tmpfs"};
  }
  if (auto status = CheckDirectory(path, "restore your access with: chmod 700 " + path); !status.ok()) {
    return status.error();
  }
  return path;
}

}  // namespace

base::Status CheckMemoryBacked(int fd, const std::string& path) {
  struct statfs info {};
  if (fstatfs(fd, &info) != 0) return base::SystemError("statfs " + path, errno);
  const auto type = static_cast<unsigned long>(info.f_type);
  if (type == TMPFS_MAGIC || type == RAMFS_MAGIC) return {};
  return Error{
      Code::kUnsupported,
      "use " + path +
          " for a board: not on tmpfs (a disk's write-back would stall every program); set MORTAR_DIR to a "
          "directory under /dev/shm or /run"};
}

base::Result<std::string> FindDirectory() {
  if (const char* set = secure_getenv("MORTAR_DIR"); set != nullptr && *set != '\0') {
    const std::string path = set;
    if (path.front() != '/') {
      return Error{Code::kInvalid,
                   "open board directory MORTAR_DIR=" + path +
                       ": not an absolute path, so each program would find another; write it in full"};
    }
    const auto status = CheckDirectory(path, "create it on tmpfs, gain access to it, or unset MORTAR_DIR");
    if (!status.ok()) return status.error();
    return path;
  }
  struct stat info {};
  if (stat(kSystemDirectory, &info) == 0) {
    const auto status =
        CheckDirectory(kSystemDirectory,
                       "ask its owner for access (boards elsewhere would not meet the others'), or set "
                       "MORTAR_DIR to share among your own programs only");
    if (!status.ok()) return status.error();
    return std::string(kSystemDirectory);
  }
  if (errno != ENOENT && errno != ENOTDIR) {
    return base::SystemError(std::string("open board directory ") + kSystemDirectory, errno);
  }
  return FindPrivateDirectory();
}

std::string BoardFileName(const std::string& device) {
  std::string name = device.substr(0, kLongestFileName);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (!plain) c = '_';
  }
  // A leading dot would hide the board from ListBoards, and "." and ".." are directories.
  if (name.empty() || name.front() == '.') name.insert(0, 1, '_');
  if (name.size() > kLongestFileName) name.resize(kLongestFileName);
  return name;
}

std::vector<std::string> ListBoards(const std::string& directory) {
  std::vector<std::string> paths;
  const auto close_directory = [](DIR* open_directory) { closedir(open_directory); };
  const std::unique_ptr<DIR, decltype(close_directory)> stream(opendir(directory.c_str()), close_directory);
  if (!stream) return paths;
  while (const dirent* entry = readdir(stream.get())) {
    if (entry->d_name[0] == '.') continue;
    std::string path = directory + "/" + entry->d_name;
    struct stat info {};
    if (lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) paths.push_back(std::move(path));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace mortar::board
