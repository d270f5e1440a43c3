// A CUDA program for the tests of this folder: many streams and threads, waits on memory, events between
// processes. Kernels add one to each of their numbers and compute on the simulated device. Prints "right", or
// what was wrong.
//
//   stress_program threads STREAMS THREADS ROUNDS    each thread has streams of its own and checks its sums
//   stress_program memory ROUNDS                     a stream waits for what another writes behind its
//   kernels stress_program events FILE first|second ROUNDS   two processes, each waiting for an event that
//   the other records stress_program busy                              launches until its input ends
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cuda/api/types.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) using symbol##_type = CUresult parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace {

constexpr char kPtx[] = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry add_one(.param .u64 numbers, .param .u32 count) { ret; }
)";
constexpr unsigned kNumbers = 64;
void* library = nullptr;
CUcontext context = nullptr;
CUfunction kernel = nullptr;
std::atomic<int> failures{0};

// Calls the driver; what fails is said and counted.
#define DO(symbol, ...) \
  Checked(#symbol, reinterpret_cast<symbol##_type*>(dlsym(library, #symbol))(__VA_ARGS__))
void Checked(const char* call, CUresult result) {
  if (result == CUDA_SUCCESS) return;
  if (failures.fetch_add(1) < 5) std::printf("%s answers %d\n", call, static_cast<int>(result));
}

void AddOne(const void* const* arguments, const unsigned*, const unsigned*) {
  auto* numbers = *static_cast<unsigned* const*>(arguments[0]);
  const unsigned count = *static_cast<const unsigned*>(arguments[1]);
  for (unsigned i = 0; i < count; ++i) ++numbers[i];
}

bool Open() {
  library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) return false;
  using Register = void(const char*, void (*)(const void* const*, const unsigned*, const unsigned*));
  DO(cuInit, 0);
  if (auto* tell = reinterpret_cast<Register*>(dlsym(library, "mortar_simcuda_register")))
    tell("add_one", AddOne);
  DO(cuDevicePrimaryCtxRetain, &context, 0);
  DO(cuCtxSetCurrent, context);
  CUmodule module = nullptr;
  DO(cuModuleLoadData, &module, kPtx);
  DO(cuModuleGetFunction, &kernel, module, "add_one");
  return failures == 0;
}

void Launch(CUdeviceptr numbers, CUstream stream) {
  unsigned count = kNumbers;
  void* arguments[] = {&numbers, &count};
  DO(cuLaunchKernel, kernel, 1, 1, 1, kNumbers, 1, 1, 0, stream, arguments, nullptr);
}

struct Lane {
  CUstream stream = nullptr;
  CUdeviceptr numbers = 0;
  unsigned* result = nullptr;
  Lane() {
    DO(cuStreamCreate, &stream, 1);
    DO(cuMemAlloc_v2, &numbers, kNumbers * sizeof(unsigned));
    void* pinned = nullptr;
    DO(cuMemHostAlloc, &pinned, kNumbers * sizeof(unsigned), 0);
    result = static_cast<unsigned*>(pinned);
    DO(cuMemsetD32Async, numbers, 0, kNumbers, stream);
  }
  void Check(unsigned wanted) {
    DO(cuMemcpyDtoHAsync_v2, result, numbers, kNumbers * sizeof(unsigned), stream);
    DO(cuStreamSynchronize, stream);
    for (unsigned i = 0; i < kNumbers; ++i) {
      if (result[i] == wanted) continue;
      if (failures.fetch_add(1) < 5) std::printf("%u instead of %u\n", result[i], wanted);
      return;
    }
  }
};

void Threads(int streams, int threads, int rounds) {
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([=] {
      DO(cuCtxSetCurrent, context);
      std::vector<Lane> lanes(static_cast<std::size_t>(streams / threads));
      for (int round = 0; round < rounds; ++round) {
        for (Lane& lane : lanes) Launch(lane.numbers, lane.stream);
        if (round % 7 == t % 7) DO(cuStreamSynchronize, lanes[0].stream);
      }
      for (Lane& lane : lanes) lane.Check(static_cast<unsigned>(rounds));
    });
  }
  for (std::thread& thread : all) thread.join();
}

// The waiting stream is given its work first: whoever held the write until the wait is over would wait for
// ever.
void Memory(int rounds) {
  Lane waiter;
  Lane writer;
  CUdeviceptr flag = 0;
  DO(cuMemAlloc_v2, &flag, 64);
  DO(cuMemsetD32_v2, flag, 0, 16);
  for (unsigned round = 1; round <= static_cast<unsigned>(rounds); ++round) {
    DO(cuStreamWaitValue32_v2, waiter.stream, flag, round, 0);
    Launch(waiter.numbers, waiter.stream);
    Launch(writer.numbers, writer.stream);
    DO(cuStreamWriteValue32_v2, writer.stream, flag, round, 0);
    DO(cuStreamSynchronize, waiter.stream);
  }
  waiter.Check(static_cast<unsigned>(rounds));
  writer.Check(static_cast<unsigned>(rounds));
}

// The other process's event, once it has written it.
CUevent Exchange(const std::string& path, const std::string& own, const std::string& other, CUevent event) {
  CUipcEventHandle handle{};
  DO(cuIpcGetEventHandle, &handle, event);
  const std::string temporary = path + own + ".new";
  std::FILE* file = std::fopen(temporary.c_str(), "w");
  if (file == nullptr || std::fwrite(&handle, sizeof handle, 1, file) != 1) failures.fetch_add(1);
  if (file != nullptr) std::fclose(file);
  rename(temporary.c_str(), (path + own).c_str());
  while ((file = std::fopen((path + other).c_str(), "r")) == nullptr) usleep(1000);
  if (std::fread(&handle, sizeof handle, 1, file) != 1) failures.fetch_add(1);
  std::fclose(file);
  CUevent opened = nullptr;
  DO(cuIpcOpenEventHandle, &opened, handle);
  return opened;
}

void Events(const std::string& path, bool first, int rounds) {
  constexpr unsigned kInterprocess = 4 | 2;  // and without timing, which it needs
  Lane lane;
  CUevent own = nullptr;
  DO(cuEventCreate, &own, kInterprocess);
  DO(cuEventRecord, own, lane.stream);
  CUevent other = Exchange(path, first ? "1" : "2", first ? "2" : "1", own);
  for (int round = 0; round < rounds; ++round) {
    Launch(lane.numbers, lane.stream);
    DO(cuEventRecord, own, lane.stream);
    DO(cuStreamWaitEvent, lane.stream, other, 0);
    Launch(lane.numbers, lane.stream);
    if (round % 3 == 0) DO(cuStreamSynchronize, lane.stream);
  }
  lane.Check(static_cast<unsigned>(2 * rounds));
}

void Busy() {
  Lane lane;
  std::printf("busy\n");
  std::fflush(stdout);
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  for (unsigned i = 0; poll(&input, 1, 0) == 0; ++i) {
    Launch(lane.numbers, lane.stream);
    if (i % 8 == 7) DO(cuStreamSynchronize, lane.stream);
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const auto number = [&](int i) { return count > i ? std::atoi(words[i]) : 1; };
  if (!Open()) return 2;
  if (what == "threads") Threads(number(2), number(3), number(4));
  if (what == "memory") Memory(number(2));
  if (what == "events" && count > 4) Events(words[2], std::strcmp(words[3], "first") == 0, number(4));
  if (what == "busy") Busy();
  if (failures == 0) std::printf("right\n");
  std::fflush(stdout);
  return failures == 0 ? 0 : 1;
}
