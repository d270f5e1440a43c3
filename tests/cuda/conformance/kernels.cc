#include "cuda/conformance/kernels.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstring>

namespace mortar::conformance {
namespace {

using HostKernel = void (*)(const void* const* parameters, const unsigned int* grid,
                            const unsigned int* block);
using Register = void (*)(const char* name, HostKernel kernel);

template <typename T>
T Argument(const void* const* parameters, int at) {
  T value;
  std::memcpy(&value, parameters[at], sizeof value);
  return value;
}
template <typename T>
T* Pointer(const void* const* parameters, int at) {
  return reinterpret_cast<T*>(Argument<std::uint64_t>(parameters, at));
}

void AddOne(const void* const* p, const unsigned int*, const unsigned int*) {
  const auto count = Argument<unsigned int>(p, 1);
  for (unsigned int i = 0; i < count; ++i) ++Pointer<int>(p, 0)[i];
}
void SlowStore(const void* const* p, const unsigned int*, const unsigned int*) {
  *Pointer<int>(p, 0) = Argument<int>(p, 1);
}
void ScaleAdd(const void* const* p, const unsigned int*, const unsigned int*) {
  int& data = *Pointer<int>(p, 0);
  data = data * Argument<int>(p, 1) + Argument<int>(p, 2);
}
struct Pair {
  int first;
  long long second;
};
void SumAll(const void* const* p, const unsigned int*, const unsigned int*) {
  const auto pair = Argument<Pair>(p, 3);
  *Pointer<long long>(p, 4) =
      Argument<char>(p, 0) + Argument<short>(p, 1) + Argument<long long>(p, 2) + pair.first + pair.second;
}

}  // namespace

void RegisterKernels() {
  const auto enter = reinterpret_cast<Register>(dlsym(RTLD_DEFAULT, "mortar_simcuda_register"));
  if (enter == nullptr) return;
  enter("add_one", &AddOne);
  enter("slow_store", &SlowStore);
  enter("scale_add", &ScaleAdd);
  enter("sum_all", &SumAll);
}

}  // namespace mortar::conformance
