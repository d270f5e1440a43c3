#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/owner.h"
#include "mortar/layers.h"

namespace mortar::cli {
namespace {

constexpr int kPatienceMs = 20'000;  // chosen: a driver that starts a device for the first time takes seconds

// What the child sends; one write.
struct Answer {
  bool loader;
  bool answered;
  bool layer;
  int platforms;
  char path[1024];
};

// REQUIRES: runs in a child process of its own: drivers start threads and may crash.
void Try(const std::string& layers, const std::string& scheduling, int out) {
  // Quiet and without effect: messages will come from the program itself, and no board is joined.
  const base::Fd nowhere(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(nowhere.get(), STDERR_FILENO);
  dup2(nowhere.get(), STDOUT_FILENO);
  setenv("OPENCL_LAYERS", layers.c_str(), 1);
  setenv("MORTAR_DISABLE", "1", 1);
  unsetenv("MORTAR_TRACE");
  Answer answer{};
  void* loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  using GetPlatforms = int (*)(unsigned, void**, unsigned*);
  GetPlatforms get_platforms = nullptr;
  if (loader != nullptr) get_platforms = reinterpret_cast<GetPlatforms>(dlsym(loader, "clGetPlatformIDs"));
  if (get_platforms != nullptr) {
    answer.loader = true;
    if (link_map* map = nullptr; dlinfo(loader, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr) {
      std::strncpy(answer.path, map->l_name, sizeof answer.path - 1);
    }
    // Sent twice: if the driver dies in the call, it is known at least which loader this was.
    [[maybe_unused]] ssize_t sent = write(out, &answer, sizeof answer);
    unsigned count = 0;
    answer.platforms = get_platforms(0, nullptr, &count) == 0 ? static_cast<int>(count) : 0;
    answer.answered = true;
    void* ours = scheduling.empty() ? nullptr : dlopen(scheduling.c_str(), RTLD_NOW | RTLD_NOLOAD);
    using Loaded = int (*)();
    const auto loaded =
        ours == nullptr ? nullptr : reinterpret_cast<Loaded>(dlsym(ours, "mortar_opencl_loaded"));
    answer.layer = loaded != nullptr && loaded() != 0;
  }
  [[maybe_unused]] ssize_t sent = write(out, &answer, sizeof answer);
}

// The last whole answer that arrives before the child ends or patience does.
Answer Collect(int in) {
  Answer last{};
  for (;;) {
    pollfd waiting{in, POLLIN, 0};
    const int ready = poll(&waiting, 1, kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    Answer answer{};
    if (ready <= 0 || read(in, &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) return last;
    last = answer;
    if (last.answered) return last;
  }
}

}  // namespace

Probe ProbeOpenCl(const std::string& layers, const std::string& scheduling) {
  static_assert(sizeof(Answer) <= 4096);  // PIPE_BUF: a write arrives whole
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const base::Fd in(ends[0]);
  base::Fd out(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    Try(layers, scheduling, out.get());
    _exit(0);
  }
  out.Reset();
  const Answer answer = Collect(in.get());
  if (child > 0) {
    kill(child, SIGKILL);  // a driver's threads may keep it; it has said what it had to
    waitpid(child, nullptr, 0);
  }
  return {answer.loader, answer.answered, answer.platforms, answer.layer,
          answer.path[0] != '\0' ? std::string(answer.path) : "libOpenCL.so.1"};
}

}  // namespace mortar::cli
