// An ordinary program: nvcc -cudart shared. Also where saxpy.fatbin comes from:
//   nvcc -arch=sm_90 -Invcc -fatbin -o saxpy.fatbin saxpy.cu
#include "body.h"

__constant__ float scale[4];

__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}

void LaunchSaxpy(cudaStream_t stream, int n, float a, const float* x, float* y) {
  saxpy<<<kGrid, kBlock, 0, stream>>>(n, a, x, y);
}
const void* SaxpyStub() { return reinterpret_cast<const void*>(saxpy); }
const void* ScaleShadow() { return scale; }

int main() { return body::All(); }
