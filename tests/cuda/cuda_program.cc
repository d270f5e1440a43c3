// A program that opens the CUDA driver as programs do, and says what happens. For the tests of this folder.
//
//   cuda_program PATH [fork|two|memory]     PATH: libcuda.so.1, or where a driver lies; two: and a second
//   device;
//                                           memory: takes memory and gives it back, nothing else
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "cuda/api/types.h"

namespace {

void* library = nullptr;

template <typename Function>
Function* Find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

const char* FileOf(const void* address) {
  Dl_info info{};
  return address != nullptr && dladdr(address, &info) != 0 ? info.dli_fname : "(nowhere)";
}

int Use(const char* path) {
  library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    std::printf("open: %s\n", dlerror());
    return 1;
  }
  auto* launch = Find<CUresult(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                               unsigned, CUstream, void**, void**)>("cuLaunchKernel");
  std::printf("launch from: %s\n", FileOf(reinterpret_cast<void*>(launch)));
  std::printf("unknown: %s\n",
              dlsym(library, "cuNoSuchThing") == nullptr && dlerror() != nullptr ? "as before" : "?");
  std::printf("init: %d\n", Find<CUresult(unsigned)>("cuInit")(0));
  CUcontext context = nullptr;
  std::printf("context: %d\n", Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0));
  CUfunction kernel = nullptr;
  Find<CUresult(CUfunction*, CUmodule, const char*)>("cuModuleGetFunction")(&kernel, nullptr, "kernel");
  for (int i = 0; i < 100; ++i) {
    const int status = launch(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
    if (i == 99) std::printf("launch: %d\n", status);
  }
  std::printf("wait: %d\n", Find<CUresult()>("cuCtxSynchronize")());
  std::fflush(stdout);
  return 0;
}

// Launches on the second device, on a stream made there too, and back on the first.
int UseTwo() {
  auto* launch = Find<CUresult(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                               unsigned, CUstream, void**, void**)>("cuLaunchKernel");
  auto* retain = Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain");
  auto* set_current = Find<CUresult(CUcontext)>("cuCtxSetCurrent");
  auto* wait = Find<CUresult()>("cuCtxSynchronize");
  CUcontext contexts[2] = {};
  CUstream stream = nullptr;
  auto* kernel = reinterpret_cast<CUfunction>(0x1230);
  for (int device = 0; device < 2; ++device) retain(&contexts[device], device);
  set_current(contexts[1]);
  Find<CUresult(CUstream*, unsigned)>("cuStreamCreate")(&stream, 0);
  for (int i = 0; i < 30; ++i) launch(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
  wait();
  set_current(contexts[0]);
  // The stream is the second device's, whatever is current.
  for (int i = 0; i < 20; ++i) launch(kernel, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr);
  wait();
  set_current(contexts[1]);
  wait();
  return 0;
}

// What the driver says there is, what it gives, and what is left; each line is checked by the test.
int UseMemory(const char* path) {
  constexpr std::size_t kMiB = 1 << 20;
  library = dlopen(path, RTLD_NOW);
  if (library == nullptr) return 1;
  auto* allocate = Find<CUresult(CUdeviceptr*, std::size_t)>("cuMemAlloc_v2");
  auto* free = Find<CUresult(CUdeviceptr)>("cuMemFree_v2");
  auto* allocate_async = Find<CUresult(CUdeviceptr*, std::size_t, CUstream)>("cuMemAllocAsync");
  auto* free_async = Find<CUresult(CUdeviceptr, CUstream)>("cuMemFreeAsync");
  auto* wait = Find<CUresult()>("cuCtxSynchronize");
  const auto tell = [&] {
    std::size_t left = 0;
    std::size_t total = 0;
    Find<CUresult(std::size_t*, std::size_t*)>("cuMemGetInfo_v2")(&left, &total);
    std::printf("free %zu of %zu MiB\n", left / kMiB, total / kMiB);
  };
  Find<CUresult(unsigned)>("cuInit")(0);
  std::size_t total = 0;
  Find<CUresult(std::size_t*, CUdevice)>("cuDeviceTotalMem_v2")(&total, 0);
  std::printf("total %zu MiB\n", total / kMiB);
  CUcontext context = nullptr;
  Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  Find<CUresult(CUcontext)>("cuCtxSetCurrent")(context);
  CUdeviceptr one = 0;
  CUdeviceptr two = 0;
  CUdeviceptr managed = 0;
  std::printf("alloc: %d\n", allocate(&one, 40 * kMiB));
  tell();
  std::printf("managed: %d\n", Find<CUresult(CUdeviceptr*, std::size_t, unsigned)>("cuMemAllocManaged")(
                                   &managed, 16 * kMiB, 1));
  std::printf("beyond: %d\n", allocate(&two, 9 * kMiB));
  std::printf("free: %d\n", free(one));
  std::printf("twice: %d\n", free(one));
  std::printf("stream-ordered: %d\n", allocate_async(&one, 40 * kMiB, nullptr));
  std::printf("beyond: %d\n", allocate_async(&two, 9 * kMiB, nullptr));
  std::printf("given back: %d\n", free_async(one, nullptr));
  std::printf("wait: %d\n", wait());
  tell();
  std::printf("again: %d\n", allocate(&one, 48 * kMiB));
  // The context takes the rest along.
  Find<CUresult(CUdevice)>("cuDevicePrimaryCtxRelease_v2")(0);
  Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  Find<CUresult(CUcontext)>("cuCtxSetCurrent")(context);
  tell();
  std::fflush(stdout);
  return 0;
}

// Before anything of CUDA's: parent and child each become a client of their own, and both are there
// at the end.
int ForkAndUse(const char* path) {
  int done[2];
  int over[2];
  if (pipe(done) != 0 || pipe(over) != 0) return 3;
  const pid_t child = fork();
  char byte = 0;
  if (child == 0) {
    close(over[1]);
    const int code = Use(path);
    if (write(done[1], &byte, 1) != 1 || read(over[0], &byte, 1) != 0) return 3;
    return code;
  }
  if (read(done[0], &byte, 1) != 1) return 3;
  const int code = Use(path);
  close(over[1]);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? code : 3;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) return 2;
  if (count > 2 && std::strcmp(words[2], "fork") == 0) return ForkAndUse(words[1]);
  if (count > 2 && std::strcmp(words[2], "memory") == 0) return UseMemory(words[1]);
  const int code = Use(words[1]);
  return code == 0 && count > 2 && std::strcmp(words[2], "two") == 0 ? UseTwo() : code;
}
