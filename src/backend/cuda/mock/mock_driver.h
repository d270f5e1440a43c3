// A CUDA driver for tests of the shim: no device, no threads. Exports every function, records what reaches it
// in fixed memory, and answers what the test says. Any thread; never destroyed.
//
// Work on streams is done at once, but for streams and events that the test holds busy. Not a simulation: see
// src/simcuda for that.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "base/hash.h"
#include "cuda/api/symbols.h"
#include "cuda/api/types.h"

namespace mortar::cuda {

// One argument as a word, whatever its type; a large one as a hash of its bytes.
template <typename T>
std::uint64_t Word(const T& value) {
  if constexpr (sizeof(T) > 8) {
    return base::HashBytes(&value, sizeof value);
  } else {
    std::uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    return word;
  }
}

struct MockCall {
  int symbol = -1;
  int count = 0;
  std::array<std::uint64_t, 16> words{};
};

struct MockCuda {
  // What a function answers; success where nothing is set.
  std::array<std::atomic<int>, kSymbols> answers{};
  std::array<std::atomic<int>, kSymbols> calls{};           // how often each was called
  std::array<std::atomic<int>, kSymbols> answered_after{};  // so many calls succeed before
  std::atomic<int> version{13000};
  std::atomic<int> devices{1};
  std::atomic<CUcontext> context{reinterpret_cast<CUcontext>(0xc0)};  // current in every thread
  std::atomic<int> current_device{0};
  std::atomic<std::uintptr_t> captured{0};  // this stream is being captured
  std::atomic<int> primary_active{1};       // somebody holds the primary contexts
  std::atomic<bool> busy{false};            // events and streams are not ready
  std::atomic<float> elapsed_ms{0.1F};      // between any two events
  std::atomic<const char*> function_name{
      nullptr};  // of functions that the driver is asked about; null: not known
  std::atomic<const char*> kernel_name{nullptr};
  std::atomic<bool> pageable{false};  // all memory is unknown to the driver
  // The one pool; what it keeps grows with what is used, and is given back by a trim.
  std::atomic<std::uint64_t> pool_used{0}, pool_reserved{0}, pool_grain{0};
  static constexpr std::uint64_t kMemory = std::uint64_t{16} << 30;
  static constexpr std::size_t kPitch = 512;

  // The newest calls of all functions, in order.
  static constexpr std::size_t kCalls = 256;
  std::array<MockCall, kCalls> log{};
  std::atomic<std::size_t> logged{0};
  std::mutex mutex;  // log

  std::atomic<std::uintptr_t> next_handle{0x100000};

  template <typename... Arguments>
  CUresult Record(Symbol symbol, const Arguments&... arguments) {
    const int before = calls[static_cast<std::size_t>(Index(symbol))].fetch_add(1);
    const std::lock_guard lock(mutex);
    MockCall& call = log[logged.load() % kCalls];
    call.symbol = Index(symbol);
    call.count = sizeof...(Arguments);
    call.words = {Word(arguments)...};
    logged.fetch_add(1);
    if (before < answered_after[static_cast<std::size_t>(Index(symbol))].load()) return CUDA_SUCCESS;
    return static_cast<CUresult>(answers[static_cast<std::size_t>(Index(symbol))].load());
  }
  // The newest call of `symbol`, or null.
  const MockCall* Last(Symbol symbol) const {
    const std::size_t end = logged.load();
    for (std::size_t i = end; i > 0 && i + kCalls > end; --i) {
      if (log[(i - 1) % kCalls].symbol == Index(symbol)) return &log[(i - 1) % kCalls];
    }
    return nullptr;
  }
  int CallsOf(Symbol symbol) const { return calls[static_cast<std::size_t>(Index(symbol))].load(); }
  void Answer(Symbol symbol, int result) { answers[static_cast<std::size_t>(Index(symbol))].store(result); }
  // From the call on that follows so many since Clear.
  void AnswerAfter(Symbol symbol, int succeed, int result) {
    answered_after[static_cast<std::size_t>(Index(symbol))].store(succeed);
    Answer(symbol, result);
  }
  void Clear() {
    for (auto& answer : answers) answer.store(0);
    for (auto& number : answered_after) number.store(0);
    for (auto& number : calls) number.store(0);
    version = 13000;
    devices = 1;
    context = reinterpret_cast<CUcontext>(0xc0);
    current_device = 0;
    captured = 0;
    primary_active = 1;
    busy = false;
    elapsed_ms = 0.1F;
    function_name = nullptr;
    kernel_name = nullptr;
    pageable = false;
    pool_used = pool_reserved = pool_grain = 0;
    logged = 0;
    for (MockCall& call : log) call = {};
  }
};

}  // namespace mortar::cuda

// Exported by the mock: its state.
extern "C" mortar::cuda::MockCuda* mortar_mock_cuda();
