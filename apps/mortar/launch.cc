#include "mortar/launch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "board/view.h"
#include "mortar/invocation.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;

enum class Found { kYes, kNo, kNotExecutable };

Found Look(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return errno == EACCES ? Found::kNotExecutable : Found::kNo;
  const bool can = S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
  return can ? Found::kYes : Found::kNotExecutable;
}

Error NotExecutable(const std::string& path) {
  return {Code::kDenied, "start " + path + ": not an executable file; chmod +x it, or name its interpreter"};
}

}  // namespace

base::Result<std::string> FindProgram(const std::string& name) {
  const std::string shown = board::CleanText(name);
  if (name.find('/') != std::string::npos) {
    const Found found = Look(name);
    if (found == Found::kYes) return name;
    if (found == Found::kNotExecutable) return NotExecutable(shown);
    return Error{Code::kNotFound, "start " + shown + ": no such file; check the path"};
  }
  const char* set = std::getenv("PATH");
  const std::string folders = set != nullptr ? set : "/bin:/usr/bin";
  std::string unusable;
  for (std::size_t start = 0; start <= folders.size() && !name.empty();) {
    const std::size_t end = std::min(folders.find(':', start), folders.size());
    const std::string folder = folders.substr(start, end - start);
    const std::string path = (folder.empty() ? "." : folder) + "/" + name;
    const Found found = Look(path);
    if (found == Found::kYes) return path;
    if (found == Found::kNotExecutable && unusable.empty()) unusable = path;
    start = end + 1;
  }
  if (!unusable.empty()) return NotExecutable(board::CleanText(unusable));
  return Error{
      Code::kNotFound,
      "start \"" + shown + "\": no such program in PATH; install it, or write its path with a slash"};
}

int Launch(const std::string& path, const std::vector<std::string>& words,
           const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // execvp and not execv: it hands a script without "#!" to a shell, as callers expect.
  execvp(path.c_str(), arguments.data());
  const int error = errno;
  const bool helper_missing = error == ENOENT;  // the file itself was found before
  Complain("mortar run: start " + board::CleanText(path) + ": " +
           (helper_missing
                ? "the interpreter that it names is missing; install that"
                : std::strerror(error) + std::string("; check that it is built for this machine")));
  return kNotExecutable;
}

int ExitOf(const base::Error& error) { return error.code == Code::kNotFound ? kNotFound : kNotExecutable; }

}  // namespace mortar::cli
