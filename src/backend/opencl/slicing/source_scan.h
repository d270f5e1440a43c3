// Reads OpenCL C source and says of each kernel whether it can be cut into pieces without the program seeing
// a difference. A reading, not a compilation: whatever is not certain makes the answer kNever.
//
// A kernel is safe if neither it nor anything it mentions (functions and macros of the source, every
// definition of each, in every branch of every #if) asks for something that a piece would answer otherwise,
// calls what is not known, or could wait for another work-group: fences, atomics and volatile memory are no
// harm by themselves, but not together with a loop. Pure; any thread; never throws for what the source holds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "backend/opencl/slicing/cut.h"

namespace mortar::slicing {

struct KernelSafety {
  std::uint64_t name_hash;  // base::HashBytes of its name
  Safety safety;
};

// Functions that are not kNever, kernels among them.
std::vector<KernelSafety> ScanSource(std::string_view source);

// Do these build options leave it so? They may define macros, but only to what says nothing of that sort.
bool OptionsAreHarmless(std::string_view options);

}  // namespace mortar::slicing
