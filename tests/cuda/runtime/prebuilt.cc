// saxpy.cu as nvcc makes a program of it, so that the runtime library is tested where there is no toolkit:
// the image beside it, or in the file that RUNTIME_IMAGE names, registered before main, and a stub for the
// kernel.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "body.h"

// SAXPY_IMAGE: the file, and a NUL behind it, which text needs.
asm(R"(
        .section .rodata
        .balign 8
        .globl  saxpy_image
saxpy_image:
        .incbin ")" SAXPY_IMAGE R"("
        .byte   0
        .text
)");
extern "C" const char saxpy_image[];

namespace {

struct {
  int magic = 0x466243b1;
  int version = 1;
  const void* data = saxpy_image;
  void* rest = nullptr;
} binary;

float scale[4];

void Stub(int n, float a, const float* x, float* y) {
  void* arguments[] = {&n, &a, &x, &y};
  static const void* kernel = nullptr;
  if (kernel == nullptr) __cudaGetKernel(&kernel, reinterpret_cast<const void*>(&Stub));
  dim3 grid{};
  dim3 block{};
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
  if (__cudaPopCallConfiguration(&grid, &block, &shared_bytes, &stream) != cudaSuccess) return;
  __cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream);
}

void** handle = nullptr;

__attribute__((constructor)) void Register() {
  if (const char* file = std::getenv("RUNTIME_IMAGE")) {
    std::ifstream in(file, std::ios::binary);
    static const std::string image((std::istreambuf_iterator<char>(in)), {});
    binary.data = image.c_str();
  }
  handle = __cudaRegisterFatBinary(&binary);
  char name[] = "_Z5saxpyifPKfPf";
  __cudaRegisterFunction(handle, reinterpret_cast<const char*>(&Stub), name, "_Z5saxpyifPKfPf", -1, nullptr,
                         nullptr, nullptr, nullptr, nullptr);
  char variable[] = "scale";
  __cudaRegisterVar(handle, reinterpret_cast<char*>(scale), variable, "scale", 0, sizeof scale, 1, 0);
  __cudaRegisterFatBinaryEnd(handle);
}
__attribute__((destructor)) void Unregister() { __cudaUnregisterFatBinary(handle); }

}  // namespace

void LaunchSaxpy(cudaStream_t stream, int n, float a, const float* x, float* y) {
  __cudaPushCallConfiguration({kGrid, 1, 1}, {kBlock, 1, 1}, 0, stream);
  Stub(n, a, x, y);
}
const void* SaxpyStub() { return reinterpret_cast<const void*>(&Stub); }
const void* ScaleShadow() { return scale; }

int main() { return body::All(); }
