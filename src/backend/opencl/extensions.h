// Extension functions by-pass the loader's table: a program asks for their addresses by name. Those that we
// handle are answered with a function of ours, if the driver has them.
//
// A handler is a struct with `Function`, the pointer's type, `kName`, and `static Call(real, arguments…)`.
// Each driver of the process has addresses of its own, so for each address there is a copy of the handler.
#pragma once

#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include <array>
#include <atomic>
#include <span>
#include <string_view>
#include <utility>

namespace mortar::opencl {

constexpr std::size_t kDrivers = 4;  // chosen: drivers of one process; functions of further ones pass through

template <typename Handler, typename Function = typename Handler::Function>
struct Wrapper;
template <typename Handler, typename Result, typename... Arguments>
struct Wrapper<Handler, Result(CL_API_CALL*)(Arguments...)> {
  using Function = Result(CL_API_CALL*)(Arguments...);

  template <std::size_t kDriver>
  static Result CL_API_CALL Call(Arguments... arguments) noexcept {
    return Handler::Call(real[kDriver].load(std::memory_order_relaxed), arguments...);
  }

  static void* Wrap(void* function) {
    return Wrap(reinterpret_cast<Function>(function), std::make_index_sequence<kDrivers>());
  }

 private:
  template <std::size_t... kIndex>
  static void* Wrap(Function function, std::index_sequence<kIndex...>) {
    constexpr std::array<Function, kDrivers> kCalls = {Call<kIndex>...};
    for (std::size_t i = 0; i < kDrivers; ++i) {
      Function seen = nullptr;
      if (real[i].compare_exchange_strong(seen, function) || seen == function) {
        return reinterpret_cast<void*>(kCalls[i]);
      }
    }
    return reinterpret_cast<void*>(function);
  }

  // Set once, before anybody has the address of the Call that reads it.
  static inline constinit std::array<std::atomic<Function>, kDrivers> real = {};
};

struct Extension {
  std::string_view name;
  void* (*wrap)(void*);
};
template <typename Handler>
constexpr Extension MakeExtension() {
  return {Handler::kName, Wrapper<Handler>::Wrap};
}

// Those that each file handles.
std::span<const Extension> QueueExtensions();
std::span<const Extension> CommandBufferExtensions();
std::span<const Extension> ProgramExtensions();

}  // namespace mortar::opencl
