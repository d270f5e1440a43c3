// Copies and fills as operations that streams and graphs can be given. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simcuda/driver/memory.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {

// Up to three dimensions of bytes; pitches and slices between rows and between planes.
struct CopyShape {
  std::uintptr_t to = 0;
  std::uintptr_t from = 0;
  std::size_t width = 0;
  std::size_t height = 1;
  std::size_t depth = 1;
  std::size_t to_pitch = 0;
  std::size_t to_slice = 0;
  std::size_t from_pitch = 0;
  std::size_t from_slice = 0;

  // REQUIRES: its extents are checked, as ReadShape does.
  std::size_t bytes() const { return width * height * depth; }
  bool empty() const { return width == 0 || height == 0 || depth == 0; }
};

// a + b × c, and SIZE_MAX where that is more: no address and no extent in memory.
inline std::size_t Reach(std::size_t a, std::size_t b, std::size_t c) {
  std::size_t product = 0;
  return __builtin_mul_overflow(b, c, &product) || __builtin_add_overflow(a, product, &a) ? SIZE_MAX : a;
}

struct FillShape {
  CUdeviceptr to = 0;
  std::size_t pitch = 0;
  unsigned int value = 0;
  unsigned int element_bytes = 1;
  std::size_t width = 0;  // elements
  std::size_t height = 1;
};

// Reads CUDA's description. Errors: CUDA_ERROR_INVALID_VALUE, also for a side that does not lie where it
// says; CUDA_ERROR_NOT_SUPPORTED for arrays.
CUresult ReadShape(const CUDA_MEMCPY3D& copy, CopyShape* shape);
CUresult ReadShape(const CUDA_MEMCPY2D& copy, CopyShape* shape);
CUDA_MEMCPY3D ToCopy3D(const CopyShape& shape);

// The copy as an operation. The bytes are read when it runs.
Operation MakeCopy(const SimDevice& device, const CopyShape& shape);
// Submits it as CUDA's documentation says when each form returns (copies.cc).
CUresult Copy(const CopyShape& shape, CUstream stream, bool per_thread, bool asynchronous);

CUresult MakeFill(const SimDevice& device, const FillShape& shape, Operation* operation);

}  // namespace mortar::simcuda
