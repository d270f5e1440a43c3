// The kernels of the conformance suite, which run on a GPU; on the simulated device host functions stand for them
// (kernels.cc). kernels.ptx was made from this by
//   nvcc -ptx -arch=compute_75 -o kernels.ptx kernels.cu
extern "C" __global__ void add_one(int* data, unsigned int count) {
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) ++data[i];
}

// 20 ms, and then writes: whoever reads before it is done reads the old value.
extern "C" __global__ void slow_store(int* data, int value) {
  unsigned long long now = 0;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  const unsigned long long end = now + 20000000;
  while (now < end) asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  *data = value;
}

// data = data * factor + term: order shows in the result.
extern "C" __global__ void scale_add(int* data, int factor, int term) { *data = *data * factor + term; }

// Of many shapes: the launch's arguments arrive each in its place.
struct Pair {
  int first;
  long long second;
};
extern "C" __global__ void sum_all(char a, short b, long long c, Pair pair, long long* out) {
  *out = a + b + c + pair.first + pair.second;
}

extern "C" __global__ void fault() { *static_cast<volatile int*>(nullptr) = 1; }
