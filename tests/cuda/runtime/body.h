// What an ordinary program of the CUDA runtime does, for saxpy.cu (compiled by nvcc, against NVIDIA's
// headers) and for prebuilt.cc (by any compiler, against stand_in.h). Prints a line a step; "wrong" and a
// number where something is.
//
// Kernels compute on the simulated device only where the program tells it how (mortar_simcuda_register); on a
// real one that function is not there, and they do so themselves.
#pragma once

#include <cmath>
#include <thread>
#include <vector>

#include "runtime_interface.h"
#include "say.h"

constexpr int kCount = 1000;
constexpr int kBlock = 256;
constexpr int kGrid = (kCount + kBlock - 1) / kBlock;

// The two ways of starting the kernel `saxpy(int n, float a, const float* x, float* y)`, and the variable.
void LaunchSaxpy(cudaStream_t stream, int n, float a, const float* x, float* y);
const void* SaxpyStub();
const void* ScaleShadow();

namespace body {

inline void SaxpyOnHost(const void* const* parameters, const unsigned int*, const unsigned int*) {
  const int n = *static_cast<const int*>(parameters[0]);
  const float a = *static_cast<const float*>(parameters[1]);
  const float* x = *static_cast<const float* const*>(parameters[2]);
  float* y = *static_cast<float* const*>(parameters[3]);
  for (int i = 0; i < n; ++i) y[i] += a * x[i];
}

inline void TellSimulation() {
  int devices = 0;
  cudaGetDeviceCount(&devices);  // opens the driver
  Tell("_Z5saxpyifPKfPf", SaxpyOnHost);
}

inline void Device() {
  int count = 0;
  Say("count", cudaGetDeviceCount(&count));
  int version = 0;
  cudaRuntimeGetVersion(&version);
  Expect(version == 13000, "version");
  cudaDeviceProp properties;
  Say("properties", cudaGetDeviceProperties(&properties, 0));
  Expect(properties.name[0] != '\0' && properties.multiProcessorCount > 0 && properties.warpSize == 32,
         "device");
  std::size_t free = 0;
  std::size_t total = 0;
  Say("memory", cudaMemGetInfo(&free, &total));
  Expect(total == properties.totalGlobalMem && free <= total, "memory of it");
}

inline void Errors() {
  Expect(cudaSetDevice(1000) == cudaErrorInvalidDevice, "no such device");
  Expect(cudaPeekAtLastError() == cudaErrorInvalidDevice, "peeked");
  Expect(cudaGetLastError() == cudaErrorInvalidDevice && cudaGetLastError() == cudaSuccess, "taken");
  Expect(cudaGetErrorName(cudaErrorInvalidDevice)[0] == 'c', "name");
  int nothing = 0;
  Expect(cudaGetSymbolAddress(reinterpret_cast<void**>(&nothing), &nothing) == cudaErrorInvalidSymbol,
         "no variable");
  cudaGetLastError();
}

inline void Variable() {
  const float sent[4] = {1, 2, 3, 4};
  float back[4] = {};
  Say("to symbol", cudaMemcpyToSymbol(ScaleShadow(), sent, sizeof sent, 0, cudaMemcpyHostToDevice));
  Say("from symbol", cudaMemcpyFromSymbol(back, ScaleShadow(), sizeof back, 0, cudaMemcpyDeviceToHost));
  Expect(back[0] == 1 && back[3] == 4, "variable");
  std::size_t bytes = 0;
  Expect(cudaGetSymbolSize(&bytes, ScaleShadow()) == cudaSuccess && bytes == sizeof sent, "its size");
  Expect(cudaMemcpyToSymbol(ScaleShadow(), sent, sizeof sent, 8, cudaMemcpyHostToDevice) ==
             cudaErrorInvalidValue,
         "past its end");
  cudaGetLastError();
}

// y = y + 3 x, `rounds` times; in its own stream, timed by events.
inline void Saxpy(int rounds) {
  std::vector<float> x(kCount, 1);
  std::vector<float> y(kCount, 2);
  float* on_device[2] = {};
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  Say("stream", cudaStreamCreate(&stream));
  Say("events", cudaEventCreate(&begin) | cudaEventCreate(&end));
  for (float*& pointer : on_device)
    Say("malloc", cudaMalloc(reinterpret_cast<void**>(&pointer), kCount * sizeof(float)));
  Say("copy up", cudaMemcpy(on_device[0], x.data(), kCount * sizeof(float), cudaMemcpyHostToDevice));
  Say("copy up",
      cudaMemcpyAsync(on_device[1], y.data(), kCount * sizeof(float), cudaMemcpyHostToDevice, stream));
  Say("record", cudaEventRecord(begin, stream));
  for (int i = 0; i < rounds; ++i) LaunchSaxpy(stream, kCount, 3, on_device[0], on_device[1]);
  Say("launches", cudaGetLastError());
  Say("record", cudaEventRecord(end, stream));
  Say("wait", cudaEventSynchronize(end));
  float milliseconds = 0;
  Say("elapsed", cudaEventElapsedTime(&milliseconds, begin, end));
  Expect(milliseconds > 0, "time");
  Say("copy down", cudaMemcpy(y.data(), on_device[1], kCount * sizeof(float), cudaMemcpyDeviceToHost));
  Expect(y[0] == 2 + 3.0F * static_cast<float>(rounds) && y[kCount - 1] == y[0], "result");
  Say("set", cudaMemset(on_device[1], 0, kCount * sizeof(float)));
  Say("copy down",
      cudaMemcpyAsync(y.data(), on_device[1], kCount * sizeof(float), cudaMemcpyDeviceToHost, stream));
  Say("wait", cudaStreamSynchronize(stream));
  Expect(y[0] == 0 && y[kCount - 1] == 0, "fill");
  for (float* pointer : on_device) Say("free", cudaFree(pointer));
  Say("gone", cudaEventDestroy(begin) | cudaEventDestroy(end) | cudaStreamDestroy(stream));
}

// A second thread has a context without asking for one, and an error of its own.
inline void Thread() {
  cudaError_t in_thread = cudaErrorUnknown;
  cudaError_t last = cudaErrorUnknown;
  std::thread([&] {
    void* memory = nullptr;
    in_thread = cudaMalloc(&memory, 64);
    cudaFree(memory);
    cudaSetDevice(1000);
    last = cudaPeekAtLastError();
  }).join();
  Expect(in_thread == cudaSuccess && last == cudaErrorInvalidDevice && cudaPeekAtLastError() == cudaSuccess,
         "thread");
}

// Left out where the device has no captures.
inline void Graph() {
  cudaStream_t stream = nullptr;
  cudaStreamCreate(&stream);
  if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaErrorNotSupported) {
    cudaGetLastError();
    std::printf("graph: left out\n");
    return;
  }
  float* memory = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t made = nullptr;
  for (int i = 0; i < 3; ++i) LaunchSaxpy(stream, 0, 1, memory, memory);
  Say("captured", cudaStreamEndCapture(stream, &graph));
  std::size_t nodes = 0;
  Say("nodes", cudaGraphGetNodes(graph, nullptr, &nodes));
  Expect(nodes == 3, "nodes");
  Say("instantiated", cudaGraphInstantiate(&made, graph, 0));
  for (int i = 0; i < 5; ++i) Say("graph", cudaGraphLaunch(made, stream));
  Say("wait", cudaStreamSynchronize(stream));
  Say("gone", cudaGraphExecDestroy(made) | cudaGraphDestroy(graph) | cudaStreamDestroy(stream));
}

inline int All() {
  TellSimulation();
  Device();
  Errors();
  Variable();
  Saxpy(100);
  Thread();
  Graph();
  Say("synchronised", cudaDeviceSynchronize());
  return End();
}

}  // namespace body
