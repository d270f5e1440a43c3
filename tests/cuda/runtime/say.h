// What the runtime programs of this folder print: a line a step, "wrong" where something is. And how a kernel
// is told to the simulated device, which computes it only then; on a real one that function is not there.
#pragma once

#include <dlfcn.h>

#include <cstdio>

namespace body {

inline int wrong = 0;

inline void Say(const char* what, int status) {
  std::printf("%s: %d\n", what, status);
  std::fflush(stdout);
}
inline void Expect(bool holds, const char* what) {
  if (!holds) ++wrong;
  std::printf("%s: %s\n", what, holds ? "right" : "wrong");
}
inline int End() {
  std::printf("wrong: %d\n", wrong);
  return wrong == 0 ? 0 : 1;
}

using HostKernel = void (*)(const void* const*, const unsigned int*, const unsigned int*);
// REQUIRES: the driver was opened, as any call of the runtime does.
inline void Tell(const char* kernel, HostKernel host) {
  auto* tell =
      reinterpret_cast<void (*)(const char*, HostKernel)>(dlsym(RTLD_DEFAULT, "mortar_simcuda_register"));
  if (tell != nullptr) tell(kernel, host);
}

}  // namespace body
