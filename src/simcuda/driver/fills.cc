// Fills. They are the device's own work: every call returns at once, but for the synchronous ones of memory
// that the host sees too, pinned or managed.
#include <algorithm>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/copies.h"

namespace mortar::simcuda {
namespace {

template <typename Word>
void FillRows(const FillShape& s) {
  for (std::size_t y = 0; y < s.height; ++y) {
    std::fill_n(reinterpret_cast<Word*>(s.to + y * s.pitch), s.width, static_cast<Word>(s.value));
  }
}

CUresult Fill(const FillShape& shape, CUstream handle, bool per_thread, bool asynchronous) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (shape.width == 0 || shape.height == 0) return CUDA_SUCCESS;
  Operation operation;
  if (const CUresult made = MakeFill(*stream->context->device, shape, &operation); made != CUDA_SUCCESS)
    return made;
  operation.parameters = std::make_shared<const CUDA_MEMSET_NODE_PARAMS>(CUDA_MEMSET_NODE_PARAMS{
      shape.to, shape.pitch, shape.value, shape.element_bytes, shape.width, shape.height});
  CommandId id;
  if (const CUresult queued = Enqueue(*stream, operation, &id); queued != CUDA_SUCCESS) return queued;
  const bool at_once = asynchronous || WhereIs(shape.to, 1) == Where::kDevice;
  return at_once ? CUDA_SUCCESS : WaitDone(*stream->context, id);
}

}  // namespace

CUresult MakeFill(const SimDevice& device, const FillShape& shape, Operation* operation) {
  FillShape s = shape;
  const std::size_t element = s.element_bytes;
  if (element != 1 && element != 2 && element != 4) return CUDA_ERROR_INVALID_VALUE;
  if (s.width > SIZE_MAX / 8 / std::max<std::size_t>(1, s.height) || s.to % element != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (s.height > 1 && (s.pitch < s.width * element || s.pitch % element != 0))
    return CUDA_ERROR_INVALID_VALUE;
  const std::size_t extent = s.height == 0 ? 0 : Reach(s.width * element, s.height - 1, s.pitch);
  if (WhereIs(s.to, extent) == Where::kPageable) return CUDA_ERROR_INVALID_VALUE;
  operation->type = NodeType::kMemset;
  operation->work.kind = WorkKind::kKernel;
  operation->work.duration_ns =
      device.description.CopyNs(CopyDirection::kDeviceToDevice, s.width * s.height * element);
  operation->run = [s] {
    if (s.element_bytes == 1) FillRows<std::uint8_t>(s);
    if (s.element_bytes == 2) FillRows<std::uint16_t>(s);
    if (s.element_bytes == 4) FillRows<std::uint32_t>(s);
  };
  return CUDA_SUCCESS;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_FILL(bits, type)                                                                              \
  MORTAR_SIMCUDA_PTDS(cuMemsetD##bits##_v2, (CUdeviceptr to, type value, std::size_t count),                 \
                      Fill({to, 0, value, (bits) / 8, count, 1}, nullptr, kPerThread, false))                \
  MORTAR_SIMCUDA_PTSZ(cuMemsetD##bits##Async,                                                                \
                      (CUdeviceptr to, type value, std::size_t count, CUstream stream),                      \
                      Fill({to, 0, value, (bits) / 8, count, 1}, stream, kPerThread, true))                  \
  MORTAR_SIMCUDA_PTDS(                                                                                       \
      cuMemsetD2D##bits##_v2,                                                                                \
      (CUdeviceptr to, std::size_t pitch, type value, std::size_t width, std::size_t height),                \
      Fill({to, pitch, value, (bits) / 8, width, height}, nullptr, kPerThread, false))                       \
  MORTAR_SIMCUDA_PTSZ(cuMemsetD2D##bits##Async,                                                              \
                      (CUdeviceptr to, std::size_t pitch, type value, std::size_t width, std::size_t height, \
                       CUstream stream),                                                                     \
                      Fill({to, pitch, value, (bits) / 8, width, height}, stream, kPerThread, true))
MORTAR_FILL(8, unsigned char)
MORTAR_FILL(16, unsigned short)
MORTAR_FILL(32, unsigned int)
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
