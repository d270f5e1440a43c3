// Host functions that stand for kernels: programs and tests register one under a kernel's name, and a launch
// of that kernel then computes by it, at the instant at which the simulated kernel ends. Any thread.
//
// A program finds the registration by dlsym(driver, "mortar_simcuda_register"), so that it also runs on a
// real driver.
#pragma once

extern "C" {
// `parameters[i]` points to a copy of the launch's i-th argument; `grid` and `block` have three entries each.
using MortarHostKernel = void (*)(const void* const* parameters, const unsigned int* grid,
                                  const unsigned int* block);
// From now on `kernel` computes what `name` names; null: nothing again.
void mortar_simcuda_register(const char* name, MortarHostKernel kernel);
}

namespace mortar::simcuda {

// Null: none registered.
MortarHostKernel FindHostKernel(const char* name);

}  // namespace mortar::simcuda
