// A program as tests see it: a client of one device through src/client, without OpenCL. Its device sleeps.
//
// Usage: client_program SCENARIO [NUMBER…]. Prints one line an event on stdout and ends with 0; what it is
// called and its priority come from the environment, as for any program (MORTAR_NAME, MORTAR_PRIORITY, …).
#include <fcntl.h>
#include <mortar/mortar.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "board/fill_word.h"
#include "client/client.h"
#include "client/hints.h"
#include "client/session.h"

namespace {

using namespace mortar;

constexpr std::int64_t kUs = 1000;

void Say(const std::string& line) {
  const std::string whole = line + "\n";
  [[maybe_unused]] const auto written = write(STDOUT_FILENO, whole.data(), whole.size());
}

// The device under the name that the tests open its board by.
client::Device* TheDevice() {
  bool refuse = false;
  static client::Device* device = client::Start(&refuse) ? client::FindDevice("test-device") : nullptr;
  return device;
}

// One launch of a kernel that takes `length_us`, and the wait for it.
void RunKernel(std::int64_t length_us, bool gated = true) {
  client::Lane* lane = client::CurrentLane(TheDevice());
  if (lane == nullptr) {  // Mortar is not there
    usleep(static_cast<useconds_t>(length_us));
    return;
  }
  predict::Kernel* kernel =
      client::FindKernel(TheDevice(), static_cast<model::KernelId>(length_us) + 1, "kernel");
  const client::Ticket ticket = lane->BeforeSubmit({.kernel = kernel, .stream = 1, .gated = gated});
  lane->EnterWait();
  usleep(static_cast<useconds_t>(length_us));
  lane->LeaveWait(ticket.sequence);
  if (ticket.sample && kernel != nullptr) lane->AddSample(*kernel, length_us * kUs, 0);
}

std::string SlotText() {
  client::Lane* lane = client::LaneIfJoined(TheDevice());
  return lane != nullptr ? std::to_string(lane->session().slot_index()) : "none";
}

using Arguments = std::vector<long>;
long At(const Arguments& arguments, std::size_t index, long otherwise) {
  return index < arguments.size() ? arguments[index] : otherwise;
}

// submit COUNT LENGTH_US
int Submit(const Arguments& arguments) {
  const long count = At(arguments, 0, 10);
  for (long i = 0; i < count; ++i) {
    RunKernel(At(arguments, 1, 100));
    if (i == 0) Say("slot " + SlotText());
  }
  Say("done " + std::to_string(count));
  return 0;
}

// hold LENGTH_US: submits without a pause until standard input ends or SIGTERM comes.
int Hold(const Arguments& arguments) {
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  RunKernel(At(arguments, 0, 200));
  Say("slot " + SlotText());
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) != 0) RunKernel(At(arguments, 0, 200));
  Say("released");
  return 0;
}

// crash MEGABYTES: as hold, with so much memory, until SIGUSR1 makes it dump core.
int Crash(const Arguments& arguments) {
  const auto size = static_cast<std::size_t>(At(arguments, 0, 64)) << 20;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  std::memset(memory, 1, size);
  signal(SIGUSR1, [](int) { abort(); });
  return Hold({200});
}

// threads COUNT SUBMITS
int Threads(const Arguments& arguments) {
  std::vector<std::thread> threads;
  std::atomic<long> submits{0};
  for (long i = 0; i < At(arguments, 0, 20); ++i) {
    threads.emplace_back([&] {
      for (long k = 0; k < At(arguments, 1, 20); ++k) {
        RunKernel(50);
        submits.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  Say("done " + std::to_string(submits.load()));
  return 0;
}

// fork: parent and child both submit, before and after.
int Fork(const Arguments&) {
  RunKernel(100);
  Say("parent " + SlotText());
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 10; ++i) RunKernel(100);
    Say("child " + SlotText());
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      RunKernel(100);
      Say("grandchild " + SlotText());
      client::Shutdown();
      _exit(0);
    }
    int status = 1;
    waitpid(grandchild, &status, 0);
    client::Shutdown();
    _exit(status == 0 ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  RunKernel(100);
  Say("parent " + SlotText());
  return status == 0 ? 0 : 1;
}

// fork-held: a thread is held at the gate while another one forks; the child submits ungated by that.
int ForkHeld(const Arguments&) {
  RunKernel(100, /*gated=*/false);
  Say("slot " + SlotText());
  std::thread held([] { RunKernel(100); });
  char byte = 0;
  [[maybe_unused]] const auto got = read(STDIN_FILENO, &byte, 1);  // the test has seen it held
  const pid_t child = fork();
  if (child == 0) {
    RunKernel(100, /*gated=*/false);
    Say("child " + SlotText());
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  Say("forked");
  held.join();
  return status == 0 ? 0 : 1;
}

// exec: joins, then becomes another program.
int Exec(const Arguments&) {
  RunKernel(100);
  Say("slot " + SlotText());
  execl("/proc/self/exe", "client_program", "submit", "1", nullptr);
  return 1;
}

// callback: held, while a callback of its own submits.
int Callback(const Arguments&) {
  RunKernel(100, /*gated=*/false);
  Say("slot " + SlotText());
  std::thread held([] { RunKernel(100); });
  char byte = 0;
  [[maybe_unused]] const auto got = read(STDIN_FILENO, &byte, 1);
  const client::CallbackScope scope;
  for (int i = 0; i < 10; ++i) RunKernel(100, !client::InCallback());
  Say("callback passed");
  held.join();
  Say("done");
  return 0;
}

// claim: submits as a fill, and dies with its claim standing.
int Claim(const Arguments&) {
  client::Lane* lane = client::CurrentLane(TheDevice());
  if (lane == nullptr) return 1;
  predict::Kernel* kernel = client::FindKernel(TheDevice(), 1, "kernel");
  if (kernel != nullptr) lane->AddSample(*kernel, 50'000 * kUs, 0);
  Say("slot " + SlotText());
  lane->BeforeSubmit({.kernel = kernel, .stream = 1});
  kill(getpid(), SIGKILL);
  return 1;
}

// locked ROUNDS: takes a lock that it shares with another process ($LOCK_FILE), submits, releases it,
// submits.
int Locked(const Arguments& arguments) {
  const char* path = std::getenv("LOCK_FILE");
  const int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return 1;
  auto* mutex = static_cast<pthread_mutex_t*>(memory);
  RunKernel(100, /*gated=*/false);
  Say("slot " + SlotText());
  for (long i = 0; i < At(arguments, 0, 20); ++i) {
    pthread_mutex_lock(mutex);
    RunKernel(200);
    pthread_mutex_unlock(mutex);
    RunKernel(200);
  }
  Say("done");
  return 0;
}

int Hint(unsigned hint, long long value = 0) { return client::TakeHint(hint, value); }

// marked REQUESTS: two kernels in each; the first is marked before anything was submitted. Then minibatches,
// settings, and nonsense; ends when it is told to.
int Marked(const Arguments& arguments) {
  for (long i = 0; i < At(arguments, 0, 5); ++i) {
    Hint(MORTAR_HINT_REQUEST_BEGIN);
    RunKernel(100);
    usleep(3'000);  // a silence that would end a request, were it not marked
    Hint(MORTAR_HINT_MINIBATCH_BEGIN);
    RunKernel(200);
    Hint(MORTAR_HINT_MINIBATCH_END);
    Hint(MORTAR_HINT_REQUEST_END);
  }
  const int set = Hint(MORTAR_HINT_PRIORITY, 2) | Hint(MORTAR_HINT_MAX_SLOWDOWN_PPM, 50'000) |
                  Hint(MORTAR_HINT_WEIGHT_PERMILLE, 3'000);
  Hint(MORTAR_HINT_REQUEST_END);  // without a beginning
  Say("slot " + SlotText());
  Say("answers " + std::to_string(set) + " " + std::to_string(Hint(MORTAR_HINT_PRIORITY, 10)) + " " +
      std::to_string(Hint(99)));
  char byte = 0;
  return read(STDIN_FILENO, &byte, 1) >= 0 ? 0 : 1;
}

// fork-marked COUNT: a child forked inside a marked request runs so many kernels, unmarked; ends when told
// to.
int ForkMarked(const Arguments& arguments) {
  Hint(MORTAR_HINT_REQUEST_BEGIN);
  Hint(MORTAR_HINT_MINIBATCH_BEGIN);
  RunKernel(100);
  Say("slot " + SlotText());
  const pid_t child = fork();
  if (child == 0) {
    for (long i = 0; i < At(arguments, 0, 20); ++i) RunKernel(100);
    Hint(MORTAR_HINT_MINIBATCH_END);  // as where a block that the fork was in ends
    Hint(MORTAR_HINT_REQUEST_END);
    Say("child " + std::to_string(getpid()));
  }
  char byte = 0;
  const bool told = read(STDIN_FILENO, &byte, 1) >= 0;
  if (child == 0) {
    client::Shutdown();
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return told && status == 0 ? 0 : 1;
}

int Run(const std::string& scenario, const Arguments& arguments) {
  const std::map<std::string, std::function<int(const Arguments&)>> scenarios = {
      {"submit", Submit}, {"hold", Hold},          {"crash", Crash},   {"threads", Threads},
      {"fork", Fork},     {"fork-held", ForkHeld}, {"exec", Exec},     {"callback", Callback},
      {"claim", Claim},   {"locked", Locked},      {"marked", Marked}, {"fork-marked", ForkMarked},
  };
  const auto found = scenarios.find(scenario);
  if (found == scenarios.end()) return 2;
  const int status = found->second(arguments);
  client::Shutdown();
  return status;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) return 2;
  Arguments arguments;
  for (int i = 2; i < count; ++i) arguments.push_back(std::atol(words[i]));
  return Run(words[1], arguments);
}
