// Copies. When each returns to the program is CUDA's documented behaviour:
//
//   host to device    pageable: the bytes are taken during the call, which then returns (the synchronous call
//                     waits for the device as well where there are more than 64 KiB);
//                     pinned: taken when the copy runs, the asynchronous call returns at once
//   device to host    pageable: every call returns when the copy is done;
//                     pinned: the asynchronous one at once
//   device to device  every call returns at once
//   host to host      every call returns when it is done
//
// Managed memory is the device's, but no synchronous call returns before it is done: the host sees it too.
#include "simcuda/driver/copies.h"

#include <algorithm>
#include <cstring>

#include "simcuda/driver/captures.h"

namespace mortar::simcuda {
namespace {

constexpr std::size_t kStagedBytes = 64 << 10;  // CUDA driver API, "API synchronization behavior"

bool IsDevices(Where where) { return where == Where::kDevice || where == Where::kManaged; }

// From the first byte to behind the last of what is not empty.
std::size_t Extent(const CopyShape& s, std::size_t pitch, std::size_t slice) {
  return Reach(Reach(s.width, s.height - 1, pitch), s.depth - 1, slice);
}

struct Sides {
  Where source = Where::kPageable;
  Where target = Where::kPageable;
  bool up() const { return IsDevices(target) && !IsDevices(source); }
  bool down() const { return IsDevices(source) && !IsDevices(target); }
  bool inside() const { return IsDevices(source) && IsDevices(target); }
  bool managed() const { return source == Where::kManaged || target == Where::kManaged; }
};

Sides SidesOf(const CopyShape& s) {
  if (s.empty()) return {};
  return {WhereIs(s.from, Extent(s, s.from_pitch, s.from_slice)),
          WhereIs(s.to, Extent(s, s.to_pitch, s.to_slice))};
}

void Move(const CopyShape& s) {
  for (std::size_t z = 0; z < s.depth; ++z) {
    for (std::size_t y = 0; y < s.height; ++y) {
      std::memmove(reinterpret_cast<void*>(s.to + z * s.to_slice + y * s.to_pitch),
                   reinterpret_cast<const void*>(s.from + z * s.from_slice + y * s.from_pitch), s.width);
    }
  }
}

// The source's bytes, taken now, and the copy that is left to do.
std::function<void()> Staged(const CopyShape& shape) {
  auto bytes = std::make_shared<std::vector<char>>(shape.bytes());
  CopyShape in = shape;
  in.to = reinterpret_cast<std::uintptr_t>(bytes->data());
  in.to_pitch = shape.width;
  in.to_slice = shape.width * shape.height;
  Move(in);
  CopyShape out = shape;
  out.from = in.to;
  out.from_pitch = in.to_pitch;
  out.from_slice = in.to_slice;
  return [bytes, out] { Move(out); };
}

bool ReturnsAtOnce(const Sides& sides, bool asynchronous, std::size_t bytes) {
  if (sides.managed() && !asynchronous) return false;
  if (sides.inside()) return true;
  if (sides.down()) return asynchronous && sides.target == Where::kPinned;
  if (!sides.up()) return false;
  return asynchronous || (sides.source == Where::kPageable && bytes <= kStagedBytes);
}

// Whether `extent` bytes from `begin` on can be one side of a copy: the device's lie in an allocation; the
// host's are not null, and in an allocation as a whole or not at all.
CUresult CheckSide(int type, std::uintptr_t begin, std::size_t extent) {
  if (begin == 0 || extent > SIZE_MAX - begin) return CUDA_ERROR_INVALID_VALUE;
  if (WhereIs(begin, extent) != Where::kPageable) return CUDA_SUCCESS;
  Range reaches_past;
  return type == CU_MEMORYTYPE_DEVICE || FindRange(begin, &reaches_past) ? CUDA_ERROR_INVALID_VALUE
                                                                         : CUDA_SUCCESS;
}

// One side as CUDA describes it.
struct Side {
  int type = 0;
  const void* host = nullptr;
  CUdeviceptr device = 0;
  std::size_t x_bytes = 0, y = 0, z = 0, pitch = 0, height = 0;
};

CUresult ReadSide(const Side& side, const CopyShape& shape, std::uintptr_t* begin, std::size_t* pitch,
                  std::size_t* slice) {
  constexpr std::size_t kMostPitch = 2147483647;  // CU_DEVICE_ATTRIBUTE_MAX_PITCH
  if (side.type == CU_MEMORYTYPE_ARRAY) return CUDA_ERROR_NOT_SUPPORTED;
  const bool host = side.type == CU_MEMORYTYPE_HOST;
  if (!host && side.type != CU_MEMORYTYPE_DEVICE && side.type != CU_MEMORYTYPE_UNIFIED)
    return CUDA_ERROR_INVALID_VALUE;
  // Zero pitches and heights are the copy's own, where there is one row or plane alone.
  *pitch = side.pitch != 0 ? side.pitch : shape.width;
  *slice = Reach(0, *pitch, std::max(side.height, shape.height));
  if (side.pitch > kMostPitch || *pitch < Reach(shape.width, 1, side.x_bytes))
    return CUDA_ERROR_INVALID_VALUE;
  const std::uintptr_t base = host ? reinterpret_cast<std::uintptr_t>(side.host) : side.device;
  *begin = Reach(Reach(Reach(base, 1, side.x_bytes), side.y, *pitch), side.z, *slice);
  if (shape.empty()) return CUDA_SUCCESS;
  return base == 0 ? CUDA_ERROR_INVALID_VALUE : CheckSide(side.type, *begin, Extent(shape, *pitch, *slice));
}

// What the calls of one dimension have for a side.
struct Place {
  int type = CU_MEMORYTYPE_UNIFIED;
  std::uintptr_t begin = 0;
};
Place OnHost(const void* pointer) { return {CU_MEMORYTYPE_HOST, reinterpret_cast<std::uintptr_t>(pointer)}; }
Place OnDevice(CUdeviceptr address) { return {CU_MEMORYTYPE_DEVICE, address}; }
Place Anywhere(CUdeviceptr address) { return {CU_MEMORYTYPE_UNIFIED, address}; }

CUresult CopyFlat(const Place& to, const Place& from, std::size_t bytes, CUstream stream, bool per_thread,
                  bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  for (const Place& side : {to, from}) {
    const CUresult checked = bytes > 0 ? CheckSide(side.type, side.begin, bytes) : CUDA_SUCCESS;
    if (checked != CUDA_SUCCESS) return checked;
  }
  CopyShape shape;
  shape.to = to.begin;
  shape.from = from.begin;
  shape.width = bytes;
  return Copy(shape, stream, per_thread, asynchronous);
}

template <typename Description>
CUresult CopyDescribed(const Description* copy, CUstream stream, bool per_thread, bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CopyShape shape;
  const CUresult read = ReadShape(*copy, &shape);
  return read != CUDA_SUCCESS ? read : Copy(shape, stream, per_thread, asynchronous);
}

CUresult CopyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                  std::size_t bytes, CUstream stream, bool per_thread, bool asynchronous) {
  if (FindContext(to_context) == nullptr || FindContext(from_context) == nullptr)
    return TheWorld() == nullptr ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_INVALID_CONTEXT;
  return CopyFlat(OnDevice(to), OnDevice(from), bytes, stream, per_thread, asynchronous);
}

// `copy`, serialised with what the current context and both of the copy's are given before and after it.
template <typename Copy>
CUresult Alone(CUcontext to, CUcontext from, Copy copy) {
  SimContext* current = nullptr;
  if (const CUresult entered = Enter(&current); entered != CUDA_SUCCESS) return entered;
  if (const CUresult unsafe = RefuseUnsafe(); unsafe != CUDA_SUCCESS) return unsafe;
  for (SimContext* context : {current, FindContext(to), FindContext(from)}) {
    if (context != nullptr) WaitForContext(*context);
  }
  const CUresult copied = copy();
  return copied != CUDA_SUCCESS ? copied : WaitForContext(*current);
}

}  // namespace

CUresult ReadShape(const CUDA_MEMCPY3D& c, CopyShape* shape) {
  CopyShape s;
  s.width = c.WidthInBytes;
  s.height = c.Height;
  s.depth = c.Depth;
  const Side from{c.srcMemoryType, c.srcHost, c.srcDevice, c.srcXInBytes,
                  c.srcY,          c.srcZ,    c.srcPitch,  c.srcHeight};
  const Side to{c.dstMemoryType, c.dstHost, c.dstDevice, c.dstXInBytes,
                c.dstY,          c.dstZ,    c.dstPitch,  c.dstHeight};
  CUresult read = ReadSide(from, s, &s.from, &s.from_pitch, &s.from_slice);
  if (read == CUDA_SUCCESS) read = ReadSide(to, s, &s.to, &s.to_pitch, &s.to_slice);
  if (read == CUDA_SUCCESS) *shape = s;
  return read;
}

CUresult ReadShape(const CUDA_MEMCPY2D& c, CopyShape* shape) {
  CUDA_MEMCPY3D copy{};
  copy.srcXInBytes = c.srcXInBytes;
  copy.srcY = c.srcY;
  copy.srcMemoryType = c.srcMemoryType;
  copy.srcHost = c.srcHost;
  copy.srcDevice = c.srcDevice;
  copy.srcPitch = c.srcPitch;
  copy.dstXInBytes = c.dstXInBytes;
  copy.dstY = c.dstY;
  copy.dstMemoryType = c.dstMemoryType;
  copy.dstHost = c.dstHost;
  copy.dstDevice = c.dstDevice;
  copy.dstPitch = c.dstPitch;
  copy.WidthInBytes = c.WidthInBytes;
  copy.Height = c.Height;
  copy.Depth = 1;
  return ReadShape(copy, shape);
}

CUDA_MEMCPY3D ToCopy3D(const CopyShape& s) {
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.srcDevice = s.from;
  copy.dstDevice = s.to;
  copy.srcPitch = s.from_pitch;
  copy.dstPitch = s.to_pitch;
  copy.srcHeight = s.from_pitch != 0 ? s.from_slice / s.from_pitch : 0;
  copy.dstHeight = s.to_pitch != 0 ? s.to_slice / s.to_pitch : 0;
  copy.WidthInBytes = s.width;
  copy.Height = s.height;
  copy.Depth = s.depth;
  return copy;
}

Operation MakeCopy(const SimDevice& device, const CopyShape& shape) {
  const Sides sides = SidesOf(shape);
  Operation operation;
  operation.type = NodeType::kMemcpy;
  operation.work.kind = sides.up() || sides.down() ? WorkKind::kCopy : WorkKind::kKernel;
  operation.work.engine = sides.down() ? 1 : 0;
  const CopyDirection direction = sides.up()     ? CopyDirection::kHostToDevice
                                  : sides.down() ? CopyDirection::kDeviceToHost
                                                 : CopyDirection::kDeviceToDevice;
  operation.work.duration_ns = device.description.CopyNs(direction, shape.bytes());
  operation.run = [shape] { Move(shape); };
  return operation;
}

CUresult Copy(const CopyShape& shape, CUstream handle, bool per_thread, bool asynchronous) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (!asynchronous) {
    if (const CUresult unsafe = RefuseUnsafe(); unsafe != CUDA_SUCCESS) return unsafe;
  }
  if (shape.empty()) return CUDA_SUCCESS;
  const Sides sides = SidesOf(shape);
  Operation operation = MakeCopy(*stream->context->device, shape);
  operation.parameters = std::make_shared<const CUDA_MEMCPY3D>(ToCopy3D(shape));
  bool captured = false;
  const CUresult added = AddToCapture(*stream, operation, &captured);
  if (added != CUDA_SUCCESS || captured) return added;
  if (sides.up() && sides.source == Where::kPageable) operation.run = Staged(shape);
  CommandId id;
  if (const CUresult queued = Enqueue(*stream, operation, &id); queued != CUDA_SUCCESS) return queued;
  return ReturnsAtOnce(sides, asynchronous, shape.bytes()) ? CUDA_SUCCESS : WaitDone(*stream->context, id);
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_PTDS(cuMemcpyHtoD_v2, (CUdeviceptr to, const void* from, std::size_t bytes),
                    CopyFlat(OnDevice(to), OnHost(from), bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyHtoDAsync_v2,
                    (CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream),
                    CopyFlat(OnDevice(to), OnHost(from), bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyDtoH_v2, (void* to, CUdeviceptr from, std::size_t bytes),
                    CopyFlat(OnHost(to), OnDevice(from), bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    CopyFlat(OnHost(to), OnDevice(from), bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
                    CopyFlat(OnDevice(to), OnDevice(from), bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyDtoDAsync_v2,
                    (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    CopyFlat(OnDevice(to), OnDevice(from), bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpy, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
                    CopyFlat(Anywhere(to), Anywhere(from), bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    CopyFlat(Anywhere(to), Anywhere(from), bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyPeer,
                    (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                     std::size_t bytes),
                    Alone(to_context, from_context, [&] {
                      return CopyPeer(to, to_context, from, from_context, bytes, nullptr, kPerThread, false);
                    }))
MORTAR_SIMCUDA_PTSZ(cuMemcpyPeerAsync,
                    (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                     std::size_t bytes, CUstream stream),
                    CopyPeer(to, to_context, from, from_context, bytes, stream, kPerThread, true))

MORTAR_SIMCUDA_PTDS(cuMemcpy2D_v2, (const CUDA_MEMCPY2D* copy),
                    CopyDescribed(copy, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTDS(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D* copy),
                    CopyDescribed(copy, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D* copy, CUstream stream),
                    CopyDescribed(copy, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpy3D_v2, (const CUDA_MEMCPY3D* copy),
                    CopyDescribed(copy, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D* copy, CUstream stream),
                    CopyDescribed(copy, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER* copy),
                    copy == nullptr ? CUDA_ERROR_INVALID_VALUE
                                    : Alone(static_cast<CUcontext>(copy->dstContext),
                                            static_cast<CUcontext>(copy->srcContext),
                                            [&] { return CopyDescribed(copy, nullptr, kPerThread, false); }))
MORTAR_SIMCUDA_PTSZ(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER* copy, CUstream stream),
                    CopyDescribed(copy, stream, kPerThread, true))
// NOLINTEND(readability-identifier-naming)
