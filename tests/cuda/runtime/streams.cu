// Streams of several priorities joined by events, the same captured as one graph, and a function of the host among
// them: nvcc -cudart shared.
#include <cuda_runtime.h>

#include <vector>

#include "say.h"

using body::Expect;
using body::Say;

extern "C" __global__ void add_to(int* data, int count, int value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) data[i] = data[i] * 3 + value;  // the order shows
}

namespace {

constexpr int kCount = 512;
constexpr int kStreams = 4;

void AddToOnHost(const void* const* arguments, const unsigned*, const unsigned*) {
  int* data = *static_cast<int* const*>(arguments[0]);
  const int count = *static_cast<const int*>(arguments[1]);
  for (int i = 0; i < count; ++i) data[i] = data[i] * 3 + *static_cast<const int*>(arguments[2]);
}

struct World {
  cudaStream_t streams[kStreams] = {};
  cudaEvent_t forked = nullptr, joined[kStreams] = {};
  int* data[kStreams] = {};
  int called = 0;
};

// Work forks from the first stream to all and joins there again; each adds 1, then 2, to its own data.
cudaError_t Submit(World& world) {
  cudaEventRecord(world.forked, world.streams[0]);
  for (int i = 0; i < kStreams; ++i) {
    if (i > 0) cudaStreamWaitEvent(world.streams[i], world.forked, 0);
    for (int value = 1; value <= 2; ++value)
      add_to<<<kCount / 128, 128, 0, world.streams[i]>>>(world.data[i], kCount, value);
    cudaEventRecord(world.joined[i], world.streams[i]);
    if (i > 0) cudaStreamWaitEvent(world.streams[0], world.joined[i], 0);
  }
  cudaLaunchHostFunc(world.streams[0], [](void* called) { ++*static_cast<int*>(called); }, &world.called);
  return cudaGetLastError();
}

bool AllAre(World& world, int wanted) {
  std::vector<int> host(kCount);
  bool right = true;
  for (int i = 0; i < kStreams; ++i) {
    cudaMemcpyAsync(host.data(), world.data[i], kCount * sizeof(int), cudaMemcpyDeviceToHost, world.streams[0]);
    cudaStreamSynchronize(world.streams[0]);
    right = right && host[0] == wanted && host[kCount - 1] == wanted;
  }
  return right;
}

int After(int rounds) {
  int value = 0;
  for (int i = 0; i < rounds; ++i) value = (value * 3 + 1) * 3 + 2;
  return value;
}

}  // namespace

int main() {
  int least = 0, greatest = 0;
  Say("priorities", cudaDeviceGetStreamPriorityRange(&least, &greatest));
  body::Tell("add_to", AddToOnHost);
  World world;
  for (int i = 0; i < kStreams; ++i) {
    Say("stream", cudaStreamCreateWithPriority(&world.streams[i], cudaStreamNonBlocking, i % 2 ? greatest : least));
    Say("event", cudaEventCreateWithFlags(&world.joined[i], cudaEventDisableTiming));
    Say("malloc", cudaMalloc(&world.data[i], kCount * sizeof(int)));
    Say("set", cudaMemset(world.data[i], 0, kCount * sizeof(int)));
  }
  Say("event", cudaEventCreateWithFlags(&world.forked, cudaEventDisableTiming));
  Say("default stream", cudaStreamSynchronize(nullptr));
  Say("directly", Submit(world));
  Expect(AllAre(world, After(1)) && world.called == 1, "directly");

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t made = nullptr;
  Say("capture", cudaStreamBeginCapture(world.streams[0], cudaStreamCaptureModeGlobal));
  Say("captured", Submit(world));
  Say("ended", cudaStreamEndCapture(world.streams[0], &graph));
  size_t nodes = 0;
  cudaGraphGetNodes(graph, nullptr, &nodes);
  Expect(nodes == 2 * kStreams + 1, "nodes");
  Expect(AllAre(world, After(1)) && world.called == 1, "nothing ran meanwhile");
  Say("instantiated", cudaGraphInstantiate(&made, graph, 0));
  for (int round = 2; round <= 5; ++round) {
    Say("graph", cudaGraphLaunch(made, world.streams[0]));
    Expect(AllAre(world, After(round)) && world.called == round, "as a graph");
  }
  Say("gone", cudaGraphExecDestroy(made) | cudaGraphDestroy(graph));
  for (int i = 0; i < kStreams; ++i) {
    Say("gone", cudaStreamDestroy(world.streams[i]) | cudaEventDestroy(world.joined[i]) | cudaFree(world.data[i]));
  }
  Say("synchronised", cudaDeviceSynchronize());
  return body::End();
}
