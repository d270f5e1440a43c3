// Long linear copies as several submits, each of which may fit into a gap: the same copy over parts of its
// bytes, one after another, by the program's own thread within its one call (principle 1: delay, never
// queue). Only where the client asked for it (client::SliceNs), somebody is there to wait for, and nothing is
// being captured. The end goes first, where the driver would say that there is not so much memory; its error
// is the call's, and so is that of a later piece, behind which nothing more is submitted.
//
// Another thread's command must not come between two pieces of a copy on its stream: it waits until they are
// through, and then the rest goes as one. A copy that finds another thread in the middle of a submit there
// goes whole. Differs from the OpenCL layer, where a queue that several threads use gets no more pieces: most
// CUDA programs of several threads share the default stream.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "backend/cuda/submit.h"

namespace mortar::cuda {

struct LinearCopy {
  std::uintptr_t to = 0;
  std::uintptr_t from = 0;
  std::size_t bytes = 0;  // 0: it is not linear
};

template <typename T>
concept CopyPlace = std::same_as<T, CUdeviceptr> || std::same_as<T, CUdeviceptr_v1> ||
    std::same_as<T, void*> || std::same_as<T, const void*>;
template <CopyPlace T>
T Moved(T place, std::size_t by) {
  if constexpr (std::is_pointer_v<T>) {
    return std::bit_cast<T>(std::bit_cast<std::uintptr_t>(place) + by);
  } else {
    return static_cast<T>(place + by);
  }
}
template <CopyPlace T>
std::uintptr_t AddressOf(T place) {
  if constexpr (std::is_pointer_v<T>) {
    return std::bit_cast<std::uintptr_t>(place);
  } else {
    return place;
  }
}
template <typename... T>
concept MaybeStream = sizeof...(T) == 0 || (sizeof...(T) == 1 && (std::same_as<T, CUstream> && ...));

// Called with the arguments of a copy. A linear one has where to, where from, bytes, and perhaps a stream.
struct ReadLinear {
  template <CopyPlace To, CopyPlace From, std::unsigned_integral Bytes, typename... Stream>
  requires MaybeStream<Stream...> LinearCopy operator()(To to, From from, Bytes bytes, Stream...) const {
    return {AddressOf(to), AddressOf(from), bytes};
  }
  LinearCopy operator()(...) const { return {}; }
};
inline constexpr ReadLinear kReadLinear;

// The same, and makes the driver's call for a part of it.
template <Symbol kSymbol>
struct CallPart {
  std::size_t at = 0;
  std::size_t count = 0;

  template <CopyPlace To, CopyPlace From, std::unsigned_integral Bytes, typename... Stream>
  requires MaybeStream<Stream...> CUresult operator()(To to, From from, Bytes, Stream... stream) const {
    return Real<kSymbol>()(Moved(to, at), Moved(from, at), static_cast<Bytes>(count), stream...);
  }
  CUresult operator()(...) const { return CUDA_ERROR_UNKNOWN; }
};

// What copies of a kind have in common, and how this one's driver is called.
struct CutCopy {
  std::uint64_t hash = 0;
  std::string_view kind;
  model::Copies copies = 0;
  bool waits = false;
  CUresult (*call)(const void* context, std::size_t at, std::size_t count) = nullptr;
  const void* context = nullptr;
};

// The call's result; nullopt: submit it whole. REQUIRES: caller has a lane.
std::optional<CUresult> CopyInPieces(const Caller& caller, const LinearCopy& copy,
                                     const CutCopy& cut) noexcept;

}  // namespace mortar::cuda
