// The source of the images in this folder (make.sh): kernels with parameters of many shapes, and globals.
struct Big {
  double values[5];
  char tag;
};

__device__ int counter = 7;
__device__ float table[100];
__constant__ float scale[4];

extern "C" __global__ void add_one(int* data, unsigned int count) {
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) ++data[i];
}

extern "C" __global__ void mixed(char a, double b, short c, Big big, float* out) {
  __shared__ float buffer[64];
  buffer[threadIdx.x % 64] = static_cast<float>(a + b + c + big.values[2] + big.tag);
  __syncthreads();
  out[threadIdx.x] = buffer[(threadIdx.x + 1) % 64] * scale[0] + table[threadIdx.x % 100] + counter;
}

extern "C" __global__ void nothing() {}
