// What is known of kernels and graphs by the handles that launch them: names, and sizes of parameters.
//
// Any thread; Find is lock-free once a handle is known. Entries are never freed; a handle that the driver
// gives out again is learned anew where it is looked up.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "backend/cuda/driver.h"

namespace mortar::cuda {

struct Parameters {
  static constexpr std::size_t kMost = 32;
  std::uint8_t count = 0;
  std::uint8_t sizes[kMost] = {};  // 0: larger than what a small scalar has
};

struct Function {
  std::uint64_t name_hash = 0;
  std::uint8_t name_size = 0;
  char name[64] = {};                                  // cut, NUL-terminated
  std::atomic<const Parameters*> parameters{nullptr};  // asked for when durations prove bimodal
  // A programmatic launch came right behind it: an event between the two would keep them apart.
  std::atomic<bool> before_programmatic{false};

  std::string_view text() const { return {name, name_size}; }
};

// The kernel behind `handle`: a CUfunction, or a CUkernel passed as one. Null: not known yet.
Function* FindFunction(const void* handle) noexcept;
// `handle` was handed out under `name`, or launched without our having seen that (null: the driver is asked).
// REQUIRES: the handle is good; a driver may crash on others.
void LearnFunction(const void* handle, const char* name) noexcept;
// A CUkernel: the driver knows its name by another function.
void LearnKernel(CUkernel kernel, const char* name) noexcept;

// `handle` is the same kernel as `kernel`.
void LearnAlias(CUfunction handle, CUkernel kernel) noexcept;

// The graph that `handle` launches; what it is called is told by the order in which the program
// made its graphs.
Function* FindGraph(CUgraphExec handle) noexcept;
void LearnGraph(CUgraphExec handle, CUgraph source) noexcept;

// A hash of the small scalars among `arguments` of a launch; 0 where they cannot be told.
std::uint64_t HashArguments(Function& function, const void* handle, void** arguments) noexcept;

}  // namespace mortar::cuda
