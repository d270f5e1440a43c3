#include "bench/faults/program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "client/client.h"
#include "client/session.h"

namespace mortar::faults {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr int kKernelsOfRequest = 20;

void Sleep(std::int64_t us) {
  timespec left{us / 1'000'000, us % 1'000'000 * kUs};
  while (nanosleep(&left, &left) != 0) {
  }
}

void RunKernel(client::Device* device, std::int64_t length_us) {
  client::Lane* lane = device != nullptr ? client::CurrentLane(device) : nullptr;
  if (lane == nullptr) return Sleep(length_us);
  predict::Kernel* kernel = client::FindKernel(device, static_cast<model::KernelId>(length_us) + 1, "kernel");
  const client::Ticket ticket = lane->BeforeSubmit({.kernel = kernel, .stream = 1});
  lane->EnterWait();
  Sleep(length_us);
  lane->LeaveWait(ticket.sequence);
  if (ticket.sample && kernel != nullptr) lane->AddSample(*kernel, length_us * kUs, 0);
}

[[noreturn]] void Run(Arena& arena, const ProgramOptions& options) {
  client::Device* device = nullptr;
  if (options.does != Does::kControl) {
    bool refuse = false;
    device = client::Start(&refuse) ? client::FindDevice(kDevice) : nullptr;
  }
  for (std::uint64_t turn = 1;; ++turn) {
    switch (options.does) {
      case Does::kHolds:
        RunKernel(device, 185);
        // A gap after the last kernel of a request too, told apart by its length.
        Sleep(turn % kKernelsOfRequest == 0 ? 700 : 500);
        break;
      case Does::kFills:
        RunKernel(device, 144);
        break;
      case Does::kWaits:
        RunKernel(device, 10'000);
        break;
      case Does::kControl:
        Sleep(144);
        break;
    }
    arena.Mark(options.place);
  }
}

// What the program is before it is a client: its environment, memory, limits.
void SetUp(const std::string& directory, const ProgramOptions& options) {
  prctl(PR_SET_TIMERSLACK, 1);
  const rlimit core{options.dumps_core ? RLIM_INFINITY : 0, options.dumps_core ? RLIM_INFINITY : 0};
  setrlimit(RLIMIT_CORE, &core);
  // Every victim's board would say its line.
  if (const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC); fd >= 0) dup2(fd, STDERR_FILENO);
  [[maybe_unused]] const int moved = chdir(directory.c_str());  // a core file goes there
  setenv("MORTAR_DIR", directory.c_str(), 1);
  setenv("MORTAR_PROFILES", "", 1);
  // A holder at its limit offers nothing: rightly, but that is not what is looked at here.
  setenv("MORTAR_MAX_SLOWDOWN", "1000000", 1);
  setenv("MORTAR_NAME", options.name.c_str(), 1);
  setenv("MORTAR_PRIORITY", std::to_string(options.priority).c_str(), 1);
  if (options.memory == 0) return;
  void* memory = mmap(nullptr, options.memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) std::memset(memory, 1, options.memory);
}

}  // namespace

Program::Program(Arena& arena, const std::string& directory, const ProgramOptions& options)
    : options_(options) {
  Progress& own = arena.programs[options.place];
  own.last_ns.store(0);
  own.longest_ns.store(0);
  own.marks.store(0);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  SetUp(directory, options);
  Run(arena, options);
}

bool Program::Ended() {
  if (pid_ <= 0 || waitpid(pid_, nullptr, WNOHANG) == 0) return false;
  pid_ = -1;
  return true;
}

void Program::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Program::End() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace mortar::faults
