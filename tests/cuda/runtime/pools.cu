// Memory allocated and freed in a stream's order, and a cooperative launch whose blocks meet: nvcc -cudart shared.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <vector>

#include "say.h"

using body::Expect;
using body::Say;

// Sums over all blocks: each leaves its part, all meet, the first adds up.
extern "C" __global__ void sum_of_blocks(const int* values, int count, int* parts, int* sum) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) atomicAdd(&parts[blockIdx.x], values[i]);
  cooperative_groups::this_grid().sync();
  if (i != 0) return;
  for (unsigned block = 0; block < gridDim.x; ++block) *sum += parts[block];
}

namespace {

constexpr int kCount = 1000;
constexpr int kBlock = 128;
constexpr int kGrid = (kCount + kBlock - 1) / kBlock;

void SumOnHost(const void* const* arguments, const unsigned*, const unsigned*) {
  const int* values = *static_cast<const int* const*>(arguments[0]);
  int* sum = *static_cast<int* const*>(arguments[3]);
  for (int i = 0; i < *static_cast<const int*>(arguments[1]); ++i) *sum += values[i];
}

// Allocates, computes and frees without ever waiting for the device; the sum comes back in `host`.
void SumInOrder(cudaStream_t stream, const std::vector<int>& from, int* host) {
  int count = kCount;
  int *values = nullptr, *parts = nullptr, *sum = nullptr;
  Say("malloc", cudaMallocAsync(reinterpret_cast<void**>(&values), kCount * sizeof(int), stream) |
                    cudaMallocAsync(reinterpret_cast<void**>(&parts), kGrid * sizeof(int), stream) |
                    cudaMallocAsync(reinterpret_cast<void**>(&sum), sizeof(int), stream));
  Say("copy", cudaMemcpyAsync(values, from.data(), kCount * sizeof(int), cudaMemcpyHostToDevice, stream));
  Say("set", cudaMemsetAsync(parts, 0, kGrid * sizeof(int), stream) | cudaMemsetAsync(sum, 0, sizeof(int), stream));
  void* arguments[] = {&values, &count, &parts, &sum};
  Say("cooperative", cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(sum_of_blocks), kGrid, kBlock, arguments,
                                                 0, stream));
  Say("copy", cudaMemcpyAsync(host, sum, sizeof(int), cudaMemcpyDeviceToHost, stream));
  Say("free", cudaFreeAsync(values, stream) | cudaFreeAsync(parts, stream) | cudaFreeAsync(sum, stream));
}

}  // namespace

int main() {
  int* host = nullptr;
  Say("pinned", cudaMallocHost(&host, 2 * sizeof(int)));
  body::Tell("sum_of_blocks", SumOnHost);
  int cooperative = 0, multiprocessors = 0, blocks = 0;
  cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, 0);
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0);
  Say("occupancy", cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, sum_of_blocks, kBlock, 0));
  Expect(cooperative == 1 && blocks > 0, "cooperative");
  std::vector<int> values(kCount);
  int wanted = 0;
  for (int i = 0; i < kCount; ++i) wanted += values[i] = i % 7;
  cudaStream_t streams[2] = {};
  cudaEvent_t first = nullptr;
  Say("streams", cudaStreamCreate(&streams[0]) | cudaStreamCreate(&streams[1]) | cudaEventCreate(&first));
  for (int round = 0; round < 20; ++round) {
    SumInOrder(streams[0], values, &host[0]);
    Say("record", cudaEventRecord(first, streams[0]));
    Say("behind", cudaStreamWaitEvent(streams[1], first, 0));
    SumInOrder(streams[1], values, &host[1]);
    Say("wait", cudaStreamSynchronize(streams[1]));
    Expect(host[0] == wanted && host[1] == wanted, "sums");
    host[0] = host[1] = -1;
  }
  // More blocks than can be on the device together cannot meet.
  int none = 0;
  int* nothing = nullptr;
  void* arguments[] = {&nothing, &none, &nothing, &nothing};
  Say("too large", cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(sum_of_blocks),
                                               multiprocessors * blocks + 1, kBlock, arguments, 0, streams[0]));
  Say("taken", cudaGetLastError());
  Say("still well", cudaStreamSynchronize(streams[0]));
  Say("gone", cudaEventDestroy(first) | cudaStreamDestroy(streams[0]) | cudaStreamDestroy(streams[1]) |
                  cudaFreeHost(host));
  return body::End();
}
