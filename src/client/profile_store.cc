#include "client/profile_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/log.h"
#include "base/owner.h"
#include "predict/profile_file.h"

namespace mortar::client {
namespace {

constexpr std::size_t kLargestFile = 64 << 20;

std::string Clean(std::string_view text) {
  std::string clean(text.substr(0, 100));
  for (char& c : clean) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (!plain) c = '_';
  }
  return clean;
}

base::Result<std::string> ReadWhole(const std::string& path) {
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::SystemError("open profile " + path, errno);
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0) return base::SystemError("read profile " + path, errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kLargestFile)
      return base::Error{base::Code::kCorrupt, "read profile " + path + ": too large"};
  }
}

void MakeDirectories(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    mkdir(path.substr(0, at).c_str(),
          0700);  // what is there already, or denied, shows when the file is opened
  }
}

}  // namespace

std::string ProfilePath(std::string_view directory, std::string_view program, std::string_view device) {
  return std::string(directory) + "/" + Clean(program) + "-" + Clean(device) + ".mprof";
}

bool LoadProfile(const std::string& path, std::string_view device, predict::KernelTable* table) {
  const auto text = ReadWhole(path);
  if (!text.ok()) {
    if (text.error().code == base::Code::kNotFound) return true;
    base::Log(text.error().message + "; starting without it");
    return false;
  }
  const auto status = predict::ReadProfile(*text, device, table);
  if (status.ok()) return true;
  if (status.error().code == base::Code::kMismatch) {
    base::Log("profile " + path + " " + status.error().message + "; starting without it");
    return false;
  }
  const std::string aside = path + ".damaged";
  rename(path.c_str(), aside.c_str());
  base::Log("profile " + path + " is damaged (" + status.error().message + "); set aside as " + aside +
            ", starting without it");
  return false;
}

base::Status SaveProfile(const std::string& path, std::string_view device, std::string_view program,
                         const predict::KernelTable& table) {
  MakeDirectories(path);
  const std::string temporary = path + "." + std::to_string(getpid()) + ".new";
  const std::string text = predict::WriteProfile(table, device, program);
  base::Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return base::SystemError("create profile " + temporary, errno);
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t wrote = write(fd.get(), left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int error = errno;
      unlink(temporary.c_str());
      return base::SystemError("write profile " + temporary, error);
    }
    left.remove_prefix(static_cast<std::size_t>(wrote));
  }
  fsync(fd.get());
  fd.Reset();
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return base::SystemError("rename profile to " + path, error);
  }
  return {};
}

}  // namespace mortar::client
