#include "common/program.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "common/opencl.h"

namespace examples {
namespace {

volatile sig_atomic_t stop_requested = 0;

}  // namespace

void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

bool StopRequested() { return stop_requested != 0; }

void AnnounceReady(const std::string& name, const std::string& device, bool wait) {
  std::fprintf(stderr, "%s: ready on %s\n", name.c_str(), device.c_str());
  char byte = 0;
  while (wait && byte != '\n' && !StopRequested() && read(STDIN_FILENO, &byte, 1) == 1) {
  }
}

int RunProgram(const char* name, int (*body)(int argc, char** argv), int argc, char** argv) noexcept {
  try {
    return body(argc, argv);
  } catch (const NoDevice& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return kNoDevice;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

std::int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void WaitUntil(std::int64_t instant_ns) {
  constexpr std::int64_t kSpinNs = 200'000;  // chosen: above the usual lateness of a sleep
  std::int64_t sleep_until_ns = instant_ns - kSpinNs;
  while (!StopRequested() && NowNs() < sleep_until_ns) {
    timespec until = {sleep_until_ns / 1'000'000'000, sleep_until_ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  while (!StopRequested() && NowNs() < instant_ns) {
  }
}

void SpendHostTime(double microseconds) {
  std::int64_t until_ns = NowNs() + static_cast<std::int64_t>(microseconds * 1000.0);
  static volatile std::uint32_t checksum = 1;
  while (NowNs() < until_ns) {
    for (std::uint32_t i = 0; i < 64; ++i) checksum = (checksum ^ i) * 16777619u;
  }
}

double Quantile(const std::vector<double>& sorted, double quantile) {
  if (sorted.empty()) return 0.0;
  auto rank = static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace examples
