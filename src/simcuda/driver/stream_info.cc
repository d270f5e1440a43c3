// What streams are asked and told of themselves. Attributes other than the priority are kept and change
// nothing.
#include <cstring>

#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

constexpr int kPriorityAttribute = 8;        // CU_LAUNCH_ATTRIBUTE_PRIORITY
constexpr std::size_t kAttributeBytes = 64;  // CUlaunchAttributeValue
constexpr int kKnownAttributes[] = {1, 3, 8, 9, 12, 13};

struct Attribute {
  char bytes[kAttributeBytes] = {};
};

constinit std::mutex attributes_mutex;
// By stream and attribute; guarded by attributes_mutex; never destroyed.
std::map<std::pair<const SimStream*, int>, Attribute>& Attributes() {
  static auto* attributes = new std::map<std::pair<const SimStream*, int>, Attribute>;
  return *attributes;
}

bool IsKnown(int attribute) {
  for (const int known : kKnownAttributes) {
    if (known == attribute) return true;
  }
  return false;
}

// One answer about a stream.
template <typename Out, typename Value>
CUresult Answer(CUstream handle, bool per_thread, Out* out, Value value) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = value(*stream);
  return CUDA_SUCCESS;
}

CUresult GetContext(CUstream handle, bool per_thread, CUcontext* out) {
  return Answer(handle, per_thread, out,
                [](const SimStream& stream) { return HandleOf<CUcontext>(stream.context); });
}

CUresult Get(CUstream handle, bool per_thread, int attribute, void* value) {
  Attribute found;
  const CUresult answered = Answer(handle, per_thread, &found, [attribute](const SimStream& stream) {
    Attribute now;
    if (attribute == kPriorityAttribute) {
      std::memcpy(now.bytes, &stream.priority, sizeof stream.priority);
      return now;
    }
    const std::lock_guard lock(attributes_mutex);
    const auto kept = Attributes().find({&stream, attribute});
    return kept != Attributes().end() ? kept->second : now;
  });
  if (answered != CUDA_SUCCESS) return answered;
  if (value == nullptr || !IsKnown(attribute)) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(value, found.bytes, kAttributeBytes);
  return CUDA_SUCCESS;
}

CUresult Set(CUstream handle, bool per_thread, int attribute, const void* value) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (value == nullptr || !IsKnown(attribute)) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(attributes_mutex);
  std::memcpy(Attributes()[{stream, attribute}].bytes, value, kAttributeBytes);
  return CUDA_SUCCESS;
}

CUresult Copy(CUstream to, CUstream from, bool per_thread) {
  SimStream* target = nullptr;
  SimStream* source = nullptr;
  if (const CUresult found = FindStream(to, per_thread, &target); found != CUDA_SUCCESS) return found;
  if (const CUresult found = FindStream(from, per_thread, &source); found != CUDA_SUCCESS) return found;
  const std::lock_guard lock(attributes_mutex);
  for (const int attribute : kKnownAttributes) {
    const auto kept = Attributes().find({source, attribute});
    if (kept != Attributes().end()) Attributes()[{target, attribute}] = kept->second;
  }
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_PTSZ(cuStreamGetPriority, (CUstream hStream, int* priority),
                    Answer(hStream, kPerThread, priority, [](const SimStream& s) { return s.priority; }))
MORTAR_SIMCUDA_PTSZ(cuStreamGetFlags, (CUstream hStream, unsigned int* flags),
                    Answer(hStream, kPerThread, flags, [](const SimStream& s) { return s.flags; }))
MORTAR_SIMCUDA_PTSZ(cuStreamGetId, (CUstream hStream, unsigned long long* streamId),
                    Answer(hStream, kPerThread, streamId, [](const SimStream& s) { return s.id; }))
MORTAR_SIMCUDA_PTSZ(cuStreamGetDevice, (CUstream hStream, CUdevice* device),
                    Answer(hStream, kPerThread, device,
                           [](const SimStream& s) { return s.context->device->ordinal; }))
MORTAR_SIMCUDA_PTSZ(cuStreamGetCtx, (CUstream hStream, CUcontext* pctx),
                    GetContext(hStream, kPerThread, pctx))
MORTAR_SIMCUDA_PTSZ(cuStreamGetAttribute, (CUstream hStream, int attr, void* value),
                    Get(hStream, kPerThread, attr, value))
MORTAR_SIMCUDA_PTSZ(cuStreamSetAttribute, (CUstream hStream, int attr, const void* value),
                    Set(hStream, kPerThread, attr, value))
MORTAR_SIMCUDA_PTSZ(cuStreamCopyAttributes, (CUstream dstStream, CUstream srcStream),
                    Copy(dstStream, srcStream, kPerThread))
// Green contexts are not simulated: no stream is of one.
MORTAR_SIMCUDA_PTSZ(cuStreamGetCtx_v2, (CUstream hStream, CUcontext* pctx, CUgreenCtx* pgreen), [&] {
  if (pgreen != nullptr) *pgreen = nullptr;
  return GetContext(hStream, kPerThread, pctx);
}())
// NOLINTEND(readability-identifier-naming)
