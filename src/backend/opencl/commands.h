// Handlers of calls that all have one form: (queue, …, number of waits, wait list, event). Which arguments
// tell what a command moves is all that differs between them, so they are made from lines of a table.
// Kernels, maps and whatever else needs more are written out elsewhere.
//
// Two sorts: commands that take the device's time are submits; those that only put others in order (markers,
// barriers, semaphores) take none: they are never held, and a wait for their event covers what stands before
// them.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "backend/opencl/layer.h"
#include "backend/opencl/submit.h"
#include "model/kernel_id.h"

namespace mortar::opencl {

constexpr std::uint64_t HashLiteral(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return base::Mix(hash);
}

// A command that is no kernel: identified by its kind and an amount (bytes, pixels, objects).
struct Kind {
  std::string_view name;
  std::uint64_t hash;
  constexpr explicit Kind(std::string_view n) : name(n), hash(HashLiteral(n)) {}
};
inline constexpr Kind kRead("read buffer");
inline constexpr Kind kWrite("write buffer");
inline constexpr Kind kCopy("copy buffer");

// What one of a call's arguments says: a size, a number of objects, or a region. Nothing: the driver will
// refuse it.
template <typename T>
std::optional<std::uint64_t> AmountOf(T argument) {
  if constexpr (std::is_pointer_v<T>) {
    if (argument == nullptr) return std::nullopt;
    return std::uint64_t{argument[0]} * argument[1] * argument[2];
  } else {
    return argument;
  }
}

template <typename Call>
cl_int SubmitCommand(cl_command_queue queue, const Kind& kind, std::uint64_t amount, bool blocking,
                     cl_event* event, Call&& call) noexcept {
  Queue* info = FindQueue(queue);
  client::Lane* lane = info != nullptr ? client::CurrentLane(info->device) : nullptr;
  if (lane == nullptr) return call(event);
  const model::LaunchShape shape{.shared_bytes = amount};
  predict::Kernel* kernel =
      client::FindKernel(info->device, model::MakeKernelId(kind.hash, shape), kind.name);
  return Submit(queue, *info, lane, kernel, blocking, event, call);
}

// kAmount, kBlocking: places of those arguments, the queue's being 0; -1: there is none.
template <const Kind& kKind, int kAmount, int kBlocking, typename... Arguments>
cl_int SubmitThrough(cl_int(CL_API_CALL* real)(Arguments...),
                     std::type_identity_t<Arguments>... arguments) noexcept {
  const std::tuple<Arguments...> all(arguments...);
  constexpr std::size_t kEvent = sizeof...(Arguments) - 1;
  const auto call = [&](cl_event* event) {
    std::tuple<Arguments...> with = all;
    std::get<kEvent>(with) = event;
    return std::apply(real, with);
  };
  std::optional<std::uint64_t> amount = 0;
  if constexpr (kAmount >= 0) amount = AmountOf(std::get<kAmount>(all));
  bool blocking = false;
  if constexpr (kBlocking >= 0) blocking = std::get<kBlocking>(all) != CL_FALSE;
  if (!amount.has_value()) return call(std::get<kEvent>(all));
  return SubmitCommand(std::get<0>(all), kKind, *amount, blocking, std::get<kEvent>(all), call);
}

// `event` completes once what it waits for and, on an in-order queue, everything before it has: a wait for it
// covers this thread's submits up to there.
void RememberOrder(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event event) noexcept;

template <typename... Arguments>
cl_int OrderThrough(cl_int(CL_API_CALL* real)(Arguments...),
                    std::type_identity_t<Arguments>... arguments) noexcept {
  const std::tuple<Arguments...> all(arguments...);
  constexpr std::size_t kEvent = sizeof...(Arguments) - 1;
  const cl_int status = real(arguments...);
  cl_event* event = std::get<kEvent>(all);
  if (status == CL_SUCCESS && event != nullptr) {
    RememberOrder(std::get<0>(all), std::get<kEvent - 2>(all), std::get<kEvent - 1>(all), *event);
  }
  return status;
}

// The handlers of one member of the dispatch table.
template <auto kMember>
struct Entry;
template <typename... Arguments, cl_int (CL_API_CALL* cl_icd_dispatch::*kMember)(Arguments...)>
struct Entry<kMember> {
  template <const Kind& kKind, int kAmount, int kBlocking>
  static cl_int CL_API_CALL Submit(Arguments... arguments) noexcept {
    return SubmitThrough<kKind, kAmount, kBlocking>(next.*kMember, arguments...);
  }
  static cl_int CL_API_CALL Order(Arguments... arguments) noexcept {
    return OrderThrough(next.*kMember, arguments...);
  }
};

template <auto kMember, const Kind& kKind, int kAmount = -1, int kBlocking = -1>
void InstallSubmit(cl_icd_dispatch* table) {
  table->*kMember = Entry<kMember>::template Submit<kKind, kAmount, kBlocking>;
}
template <auto kMember>
void InstallOrder(cl_icd_dispatch* table) {
  table->*kMember = Entry<kMember>::Order;
}

}  // namespace mortar::opencl
