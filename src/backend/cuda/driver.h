// The real driver below the shim: found once, its functions by symbol; and whether Mortar acts
// in this process.
//
// Any thread. Everything that calls the driver goes through a slot (slots.S); the first call of a
// function resolves it. A function that the driver lacks, and every function where there is no driver,
// answers an error.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda/api/symbols.h"
#include "cuda/api/types.h"

extern "C" {
// Written by mortar_cuda_resolve, read by all.
extern void* mortar_cuda_slots[mortar::cuda::kSymbols];
// Fills the slot of the symbol `index` and returns what is in it. Called by the stubs of slots.S.
void* mortar_cuda_resolve(int index) noexcept;
}

namespace mortar::cuda {

template <Symbol kSymbol>
struct Signature;
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) \
  template <>                                                    \
  struct Signature<Symbol::symbol> {                             \
    using Type = CUresult parameters;                            \
  };
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// The driver's function.
template <Symbol kSymbol>
auto* Real() {
  void* slot = __atomic_load_n(&mortar_cuda_slots[Index(kSymbol)], __ATOMIC_RELAXED);
  return reinterpret_cast<typename Signature<kSymbol>::Type*>(slot);
}
// The same, or null where the driver lacks it.
void* FindReal(Symbol symbol);

enum class Mode : int {
  kUnknown,
  kPassing,   // disabled, no driver, or one that is too old: every call goes straight through
  kActive,    // Mortar acts
  kRefusing,  // MORTAR_STRICT=1 and the environment cannot be followed: the program gets no device
};
extern std::atomic<Mode> current_mode;
Mode DecideMode();

inline Mode CurrentMode() {
  const Mode now = current_mode.load(std::memory_order_acquire);  // pairs with DecideMode
  return now != Mode::kUnknown ? now : DecideMode();
}
inline bool Active() { return CurrentMode() == Mode::kActive; }

// Does the driver say of itself that it is a simulation? Its boards and profiles are its own.
bool DriverIsSimulated();
// A function that only the simulated driver has; null elsewhere.
void* FindInSimulation(const char* name);

// A driver that was opened already by its path (by a program that the preload hook watches); before
// the first call.
void UseDriver(const char* path);

}  // namespace mortar::cuda
