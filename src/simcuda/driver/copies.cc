// Copies. When each returns to the program is CUDA's documented behaviour:
//
//   host to device    pageable: the bytes are taken during the call, which then returns (the synchronous call
//                     waits for the device as well where there are more than 64 KiB); pinned: taken when the
//                     copy runs
//   device to host    pageable: every call returns when the copy is done; pinned: the asynchronous one at
//   once device to device  every call returns at once host to host      every call returns when it is done
#include "simcuda/driver/copies.h"

#include <algorithm>
#include <cstring>

#include "simcuda/driver/captures.h"

namespace mortar::simcuda {
namespace {

constexpr std::size_t kStagedBytes = 64 << 10;  // CUDA driver API, "API synchronization behavior"

bool OnDevice(Where where) { return where == Where::kDevice || where == Where::kManaged; }

// From its first byte to behind its last.
std::size_t Extent(const CopyShape& s, std::size_t pitch, std::size_t slice) {
  return (s.depth - 1) * slice + (s.height - 1) * pitch + s.width;
}

struct Sides {
  Where source = Where::kPageable;
  Where target = Where::kPageable;
  bool up() const { return OnDevice(target) && !OnDevice(source); }
  bool down() const { return OnDevice(source) && !OnDevice(target); }
  bool inside() const { return OnDevice(source) && OnDevice(target); }
};

Sides SidesOf(const CopyShape& s) {
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
  if (sides.inside()) return true;
  if (sides.down()) return asynchronous && sides.target == Where::kPinned;
  if (!sides.up()) return false;
  return asynchronous || (sides.source == Where::kPageable && bytes <= kStagedBytes);
}

// Where one side of a copy begins; `device` for CU_MEMORYTYPE_DEVICE and unified addresses.
CUresult Side(int type, const void* host, CUdeviceptr device, std::uintptr_t* begin) {
  switch (type) {
    case CU_MEMORYTYPE_HOST:
      *begin = reinterpret_cast<std::uintptr_t>(host);
      return CUDA_SUCCESS;
    case CU_MEMORYTYPE_DEVICE:
    case CU_MEMORYTYPE_UNIFIED:
      *begin = device;
      return CUDA_SUCCESS;
    case CU_MEMORYTYPE_ARRAY:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

std::uintptr_t Host(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

CopyShape Flat(std::uintptr_t to, std::uintptr_t from, std::size_t bytes) {
  CopyShape shape;
  shape.to = to;
  shape.from = from;
  shape.width = bytes;
  return shape;
}

// REQUIRES of the interface: one side is the device's.
CUresult UpTo(CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream, bool per_thread,
              bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  if (bytes > 0 && (from == nullptr || WhereIs(to, bytes) == Where::kPageable))
    return CUDA_ERROR_INVALID_VALUE;
  return Copy(Flat(to, Host(from), bytes), stream, per_thread, asynchronous);
}
CUresult DownTo(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream, bool per_thread,
                bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  if (bytes > 0 && (to == nullptr || WhereIs(from, bytes) == Where::kPageable))
    return CUDA_ERROR_INVALID_VALUE;
  return Copy(Flat(Host(to), from, bytes), stream, per_thread, asynchronous);
}
CUresult Within(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream, bool per_thread,
                bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  const bool known = WhereIs(to, bytes) != Where::kPageable && WhereIs(from, bytes) != Where::kPageable;
  if (bytes > 0 && !known) return CUDA_ERROR_INVALID_VALUE;
  return Copy(Flat(to, from, bytes), stream, per_thread, asynchronous);
}

template <typename Description>
CUresult CopyDescribed(const Description* copy, CUstream stream, bool per_thread, bool asynchronous) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CopyShape shape;
  const CUresult read = ReadShape(*copy, &shape);
  return read != CUDA_SUCCESS ? read : Copy(shape, stream, per_thread, asynchronous);
}

CUresult Peer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
              std::size_t bytes, CUstream stream, bool per_thread, bool asynchronous) {
  if (FindContext(to_context) == nullptr || FindContext(from_context) == nullptr)
    return TheWorld() == nullptr ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_INVALID_CONTEXT;
  return Within(to, from, bytes, stream, per_thread, asynchronous);
}

}  // namespace

CUresult ReadShape(const CUDA_MEMCPY3D& c, CopyShape* shape) {
  CopyShape s;
  if (const CUresult side = Side(c.srcMemoryType, c.srcHost, c.srcDevice, &s.from); side != CUDA_SUCCESS)
    return side;
  if (const CUresult side = Side(c.dstMemoryType, c.dstHost, c.dstDevice, &s.to); side != CUDA_SUCCESS)
    return side;
  s.width = c.WidthInBytes;
  s.height = c.Height;
  s.depth = c.Depth;
  // Zero pitches and heights are the copy's own, where there is one row or plane alone.
  s.from_pitch = c.srcPitch != 0 ? c.srcPitch : s.width;
  s.to_pitch = c.dstPitch != 0 ? c.dstPitch : s.width;
  if (s.from_pitch < s.width + c.srcXInBytes || s.to_pitch < s.width + c.dstXInBytes)
    return CUDA_ERROR_INVALID_VALUE;
  s.from_slice = s.from_pitch * std::max(c.srcHeight, s.height);
  s.to_slice = s.to_pitch * std::max(c.dstHeight, s.height);
  s.from += c.srcXInBytes + c.srcY * s.from_pitch + c.srcZ * s.from_slice;
  s.to += c.dstXInBytes + c.dstY * s.to_pitch + c.dstZ * s.to_slice;
  *shape = s;
  return CUDA_SUCCESS;
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
  if (shape.bytes() == 0) return CUDA_SUCCESS;
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
                    UpTo(to, from, bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyHtoDAsync_v2,
                    (CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream),
                    UpTo(to, from, bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyDtoH_v2, (void* to, CUdeviceptr from, std::size_t bytes),
                    DownTo(to, from, bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    DownTo(to, from, bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
                    Within(to, from, bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyDtoDAsync_v2,
                    (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    Within(to, from, bytes, stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpy, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes),
                    Copy(Flat(to, from, bytes), nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream),
                    Copy(Flat(to, from, bytes), stream, kPerThread, true))
MORTAR_SIMCUDA_PTDS(cuMemcpyPeer,
                    (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                     std::size_t bytes),
                    Peer(to, to_context, from, from_context, bytes, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpyPeerAsync,
                    (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                     std::size_t bytes, CUstream stream),
                    Peer(to, to_context, from, from_context, bytes, stream, kPerThread, true))

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
                    CopyDescribed(copy, nullptr, kPerThread, false))
MORTAR_SIMCUDA_PTSZ(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER* copy, CUstream stream),
                    CopyDescribed(copy, stream, kPerThread, true))
// NOLINTEND(readability-identifier-naming)
