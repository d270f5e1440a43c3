// What a module's image holds: its kernels with their parameters, its global variables. Reads PTX text,
// cubins (ELF) and fat binaries, which hold several of both, compressed or not. Pure; any thread. What it
// reads is untrusted, but for the lengths in the headers of images that are given without one, as CUDA's are.
// Not here: anything of what kernels do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortar::simcuda {

struct KernelParameter {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
};
inline constexpr std::uint32_t kMaxParameterBytes = 32'764;  // CUDA's own bound on all parameters of a kernel

struct KernelImage {
  std::string name;
  std::vector<KernelParameter> parameters;  // in order
  std::uint32_t registers = 32;             // a thread's
  std::uint32_t shared_bytes = 0;           // a block's, static
};

struct GlobalImage {
  std::string name;
  std::uint64_t bytes = 0;
  std::string start;  // its first bytes, where the image says; the rest is zero
};

struct ModuleImage {
  std::vector<KernelImage> kernels;
  std::vector<GlobalImage> globals;
};

// True where `text` begins as PTX does: comments, then a directive .version.
bool LooksLikePtx(std::string_view text);
// True where it begins as a fat binary does, or as the pointer to one that compilers put into programs.
bool LooksLikeFatbin(std::string_view bytes);
bool LooksLikeElf(std::string_view bytes);

// Each reads one kind. Errors: kInvalid, one line.
base::Result<ModuleImage> ReadPtx(std::string_view text);
base::Result<ModuleImage> ReadElf(std::string_view bytes);
// The best of its entries for a device of compute capability `capability` (90: 9.0): a cubin of the same
// major number and no newer, else PTX that is no newer. Errors: also kNotFound, where it has none of either.
base::Result<ModuleImage> ReadFatbin(std::string_view bytes, int capability);

// Whichever of the three it is.
base::Result<ModuleImage> ReadImage(std::string_view bytes, int capability);

// The length of an image that lies in memory, as its own header has it (PTX: up to its NUL); 0: none of the
// three. Follows the pointer that compilers put into programs: `image` is where the image itself begins.
std::size_t LengthOf(const void** image);
// Of an ELF file in memory: as far as its headers and sections reach.
std::size_t LengthOfElf(const void* image);

}  // namespace mortar::simcuda
