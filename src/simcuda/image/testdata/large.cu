// A kernel with more than 4 KiB of parameters, which cubins describe in another way.
struct Large {
  char bytes[20000];
};

extern "C" __global__ void large(Large in, int at, char* out) { out[threadIdx.x] = in.bytes[threadIdx.x + at]; }
