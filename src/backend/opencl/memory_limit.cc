#include "backend/opencl/memory_limit.h"

#include <CL/cl_ext.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <new>
#include <vector>

#include "backend/opencl/layer.h"
#include "base/log.h"
#include "client/memory.h"

namespace mortar::opencl {
namespace {

constinit cl_icd_dispatch below = {};  // what this file's functions stand in front of
constinit client::MemoryLedger shared_memory;

constexpr cl_device_info kFreeMemoryAmd =
    0x4039;  // CL_DEVICE_GLOBAL_FREE_MEMORY_AMD: KiB; all, largest block
constexpr std::size_t kMostDevices = 64;

// What one object holds, on each device of its context: where a driver puts it cannot be told.
struct Holding {
  std::array<client::Device*, kMostDevices> devices{};
  std::size_t count = 0;
  std::uint64_t bytes = 0;

  // False: beyond a limit; then nothing was taken.
  bool Take(std::uint64_t more) {
    for (std::size_t i = 0; i < count; ++i) {
      if (client::TakeMemory(devices[i], more)) continue;
      client::CountRefusal(devices[i], more);
      for (std::size_t k = 0; k < i; ++k) client::GiveMemoryBack(devices[k], more);
      return false;
    }
    bytes += more;
    return true;
  }
  void Give(std::uint64_t less) {
    for (std::size_t i = 0; i < count; ++i) client::GiveMemoryBack(devices[i], less);
    bytes -= less;
  }
};

Holding HoldingOf(cl_context context) {
  Holding holding;
  cl_device_id devices[kMostDevices];
  std::size_t size = 0;
  if (context == nullptr || below.clGetContextInfo == nullptr ||
      below.clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, &size) != CL_SUCCESS)
    return holding;
  for (std::size_t i = 0; i < std::min(size / sizeof devices[0], kMostDevices); ++i) {
    client::Device* device = DeviceOf(devices[i]);  // parts of one device are one
    const auto end = holding.devices.begin() + static_cast<std::ptrdiff_t>(holding.count);
    if (device != nullptr && std::find(holding.devices.begin(), end, device) == end)
      holding.devices[holding.count++] = device;
  }
  return holding;
}

void CL_CALLBACK OnGone(cl_mem, void* data) {
  const std::unique_ptr<Holding> holding(static_cast<Holding*>(data));
  holding->Give(holding->bytes);
}

// The driver may have made it larger than was reckoned. False: beyond the limit.
bool Settle(cl_mem made, Holding* holding) {
  std::size_t actual = 0;
  if (below.clGetMemObjectInfo(made, CL_MEM_SIZE, sizeof actual, &actual, nullptr) != CL_SUCCESS ||
      actual == 0)
    return true;
  if (actual > holding->bytes) return holding->Take(actual - holding->bytes);
  holding->Give(holding->bytes - actual);
  return true;
}

cl_mem Fail(cl_int* error) {
  if (error != nullptr) *error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  return nullptr;
}

// An object of about `bytes`, made by `create(&error)`.
template <typename Create>
cl_mem Make(cl_context context, std::uint64_t bytes, cl_int* error, Create&& create) {
  Holding holding = HoldingOf(context);
  if (holding.count == 0) return create(error);
  if (!holding.Take(bytes)) return Fail(error);
  cl_int status = CL_SUCCESS;
  cl_mem made = create(&status);
  if (error != nullptr) *error = status;
  if (made == nullptr) {
    holding.Give(holding.bytes);
    return nullptr;
  }
  if (!Settle(made, &holding)) {
    below.clReleaseMemObject(made);
    holding.Give(holding.bytes);
    return Fail(error);
  }
  // Registered first, so called last, whoever holds the last reference: kernels, sub-buffers, commands.
  auto kept = std::unique_ptr<Holding>(new (std::nothrow) Holding(holding));
  if (kept != nullptr && below.clSetMemObjectDestructorCallback(made, OnGone, kept.get()) == CL_SUCCESS) {
    [[maybe_unused]] const Holding* driver_has_it = kept.release();
    return made;
  }
  base::LogOnce(
      "memory uncounted",
      "the driver does not tell when memory is freed: device memory is neither counted nor limited");
  holding.Give(holding.bytes);
  return made;
}

cl_mem CL_API_CALL CreateBuffer(cl_context context, cl_mem_flags flags, std::size_t size, void* host,
                                cl_int* error) noexcept {
  return Make(context, size, error,
              [&](cl_int* e) { return below.clCreateBuffer(context, flags, size, host, e); });
}

cl_mem CL_API_CALL CreateBufferWithProperties(cl_context context, const cl_mem_properties* properties,
                                              cl_mem_flags flags, std::size_t size, void* host,
                                              cl_int* error) noexcept {
  return Make(context, size, error, [&](cl_int* e) {
    return below.clCreateBufferWithProperties(context, properties, flags, size, host, e);
  });
}

std::uint64_t ChannelBytes(cl_channel_type type) {
  switch (type) {
    case CL_SNORM_INT8:
    case CL_UNORM_INT8:
    case CL_SIGNED_INT8:
    case CL_UNSIGNED_INT8:
      return 1;
    case CL_SNORM_INT16:
    case CL_UNORM_INT16:
    case CL_SIGNED_INT16:
    case CL_UNSIGNED_INT16:
    case CL_HALF_FLOAT:
      return 2;
    default:
      return 4;
  }
}

std::uint64_t ElementBytes(const cl_image_format* format) {
  if (format == nullptr) return 0;
  switch (format->image_channel_data_type) {  // all channels in one
    case CL_UNORM_SHORT_565:
    case CL_UNORM_SHORT_555:
      return 2;
    case CL_UNORM_INT_101010:
    case CL_UNORM_INT_101010_2:
      return 4;
    default:
      break;
  }
  const std::uint64_t each = ChannelBytes(format->image_channel_data_type);
  switch (format->image_channel_order) {
    case CL_RG:
    case CL_RA:
    case CL_RGx:
      return 2 * each;
    case CL_RGB:
    case CL_sRGB:
    case CL_RGBx:
      return 3 * each;
    case CL_RGBA:
    case CL_BGRA:
    case CL_ARGB:
    case CL_ABGR:
    case CL_sRGBA:
    case CL_sBGRA:
    case CL_sRGBx:
      return 4 * each;
    default:
      return each;
  }
}

std::uint64_t ImageBytes(const cl_image_format* format, std::size_t width, std::size_t height,
                         std::size_t depth, std::size_t layers) {
  std::uint64_t bytes = ElementBytes(format);
  for (const std::size_t count : {width, height, depth, layers}) {
    if (__builtin_mul_overflow(bytes, std::max<std::uint64_t>(1, count), &bytes)) return UINT64_MAX;
  }
  return bytes;
}

template <typename Create>
cl_mem MakeImage(cl_context context, const cl_image_format* format, const cl_image_desc* description,
                 cl_int* error, Create&& create) {
  // A view of another object's memory takes none.
  if (description == nullptr || description->buffer != nullptr) return create(error);
  const std::uint64_t bytes = ImageBytes(format, description->image_width, description->image_height,
                                         description->image_depth, description->image_array_size);
  return Make(context, bytes, error, create);
}

cl_mem CL_API_CALL CreateImage(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                               const cl_image_desc* description, void* host, cl_int* error) noexcept {
  return MakeImage(context, format, description, error, [&](cl_int* e) {
    return below.clCreateImage(context, flags, format, description, host, e);
  });
}

cl_mem CL_API_CALL CreateImageWithProperties(cl_context context, const cl_mem_properties* properties,
                                             cl_mem_flags flags, const cl_image_format* format,
                                             const cl_image_desc* description, void* host,
                                             cl_int* error) noexcept {
  return MakeImage(context, format, description, error, [&](cl_int* e) {
    return below.clCreateImageWithProperties(context, properties, flags, format, description, host, e);
  });
}

cl_mem CL_API_CALL CreateImage2D(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                                 std::size_t width, std::size_t height, std::size_t pitch, void* host,
                                 cl_int* error) noexcept {
  return Make(context, ImageBytes(format, width, height, 1, 1), error, [&](cl_int* e) {
    return below.clCreateImage2D(context, flags, format, width, height, pitch, host, e);
  });
}

cl_mem CL_API_CALL CreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format* format,
                                 std::size_t width, std::size_t height, std::size_t depth, std::size_t pitch,
                                 std::size_t slice_pitch, void* host, cl_int* error) noexcept {
  return Make(context, ImageBytes(format, width, height, depth, 1), error, [&](cl_int* e) {
    return below.clCreateImage3D(context, flags, format, width, height, depth, pitch, slice_pitch, host, e);
  });
}

cl_mem CL_API_CALL CreatePipe(cl_context context, cl_mem_flags flags, cl_uint packet, cl_uint packets,
                              const cl_pipe_properties* properties, cl_int* error) noexcept {
  return Make(context, std::uint64_t{packet} * packets, error,
              [&](cl_int* e) { return below.clCreatePipe(context, flags, packet, packets, properties, e); });
}

// Shared virtual memory: one entry of the ledger for each device of its context, told apart by the upper bits
// of the key, which no address uses.
std::uint64_t KeyOf(const void* pointer, std::size_t device) {
  return std::bit_cast<std::uintptr_t>(pointer) ^ (std::uint64_t{device} << 57);
}

void* CL_API_CALL SvmAlloc(cl_context context, cl_svm_mem_flags flags, std::size_t size,
                           cl_uint alignment) noexcept {
  Holding holding = HoldingOf(context);
  if (!holding.Take(size)) return nullptr;
  void* pointer = below.clSVMAlloc(context, flags, size, alignment);
  if (pointer == nullptr) {
    holding.Give(holding.bytes);
    return nullptr;
  }
  for (std::size_t i = 0; i < holding.count; ++i)
    shared_memory.Put(KeyOf(pointer, i), {holding.devices[i], size, nullptr});
  return pointer;
}

using Entries = std::vector<client::MemoryLedger::Entry>;

// Takes all entries of `pointer` out of the ledger.
void TakeOut(const void* pointer, Entries* entries) {
  for (std::size_t i = 0; i < kMostDevices; ++i) {
    const auto entry = shared_memory.Take(KeyOf(pointer, i));
    if (!entry) return;
    entries->push_back(*entry);
  }
}

void GiveAll(const Entries& entries) {
  for (const auto& entry : entries) client::GiveMemoryBack(entry.device, entry.bytes);
}

void CL_API_CALL SvmFree(cl_context context, void* pointer) noexcept {
  Entries entries;
  if (pointer != nullptr) TakeOut(pointer, &entries);
  below.clSVMFree(context, pointer);
  GiveAll(entries);
}

void CL_CALLBACK OnFreed(cl_event, cl_int, void* data) {
  const std::unique_ptr<Entries> entries(static_cast<Entries*>(data));
  GiveAll(*entries);
}

// With a function of the program's own to free, that calls clSVMFree; else the device frees when it gets
// there.
cl_int CL_API_CALL EnqueueSvmFree(cl_command_queue queue, cl_uint count, void* pointers[],
                                  void(CL_CALLBACK* free)(cl_command_queue, cl_uint, void*[], void*),
                                  void* data, cl_uint waits, const cl_event* wait_list,
                                  cl_event* event) noexcept {
  if (free != nullptr || pointers == nullptr)
    return below.clEnqueueSVMFree(queue, count, pointers, free, data, waits, wait_list, event);
  auto entries = std::make_unique<Entries>();
  std::vector<std::pair<const void*, Entries>> taken;
  for (cl_uint i = 0; i < count; ++i) {
    taken.emplace_back(pointers[i], Entries{});
    TakeOut(pointers[i], &taken.back().second);
    entries->insert(entries->end(), taken.back().second.begin(), taken.back().second.end());
  }
  cl_event own = nullptr;
  cl_event* asked = event != nullptr ? event : &own;
  const cl_int status = below.clEnqueueSVMFree(queue, count, pointers, free, data, waits, wait_list, asked);
  if (status != CL_SUCCESS) {
    for (const auto& [pointer, of_pointer] : taken) {
      for (std::size_t i = 0; i < of_pointer.size(); ++i) shared_memory.Put(KeyOf(pointer, i), of_pointer[i]);
    }
    return status;
  }
  if (below.clSetEventCallback(*asked, CL_COMPLETE, OnFreed, entries.get()) == CL_SUCCESS) {
    [[maybe_unused]] const Entries* driver_has_it = entries.release();
  } else {
    GiveAll(*entries);
  }
  if (own != nullptr) below.clReleaseEvent(own);
  return status;
}

// What the program is told of the device's memory is what it may hold of it.
cl_int CL_API_CALL GetDeviceInfo(cl_device_id device, cl_device_info what, std::size_t room, void* out,
                                 std::size_t* out_size) noexcept {
  const cl_int status = below.clGetDeviceInfo(device, what, room, out, out_size);
  if (status != CL_SUCCESS || out == nullptr) return status;
  if (what == CL_DEVICE_GLOBAL_MEM_SIZE || what == CL_DEVICE_MAX_MEM_ALLOC_SIZE) {
    auto* bytes = static_cast<cl_ulong*>(out);
    *bytes = std::min<cl_ulong>(*bytes, client::MemoryOf(KnownDevice(device)).limit);
  } else if (what == kFreeMemoryAmd) {
    auto* kib = static_cast<std::size_t*>(out);
    const std::uint64_t left = client::MemoryOf(KnownDevice(device)).left() / 1024;
    for (std::size_t i = 0; i < room / sizeof *kib && i < 2; ++i)
      kib[i] = std::min<std::size_t>(kib[i], left);
  }
  return status;
}

}  // namespace

void InstallMemoryLimit(cl_icd_dispatch* table) {
  below = *table;
  // Without these two nothing could be counted.
  if (below.clGetMemObjectInfo == nullptr || below.clSetMemObjectDestructorCallback == nullptr) return;
  table->clCreateBuffer = CreateBuffer;
  table->clCreateBufferWithProperties = CreateBufferWithProperties;
  table->clCreateImage = CreateImage;
  table->clCreateImageWithProperties = CreateImageWithProperties;
  table->clCreateImage2D = CreateImage2D;
  table->clCreateImage3D = CreateImage3D;
  table->clCreatePipe = CreatePipe;
  table->clSVMAlloc = SvmAlloc;
  table->clSVMFree = SvmFree;
  table->clEnqueueSVMFree = EnqueueSvmFree;
  table->clGetDeviceInfo = GetDeviceInfo;
}

}  // namespace mortar::opencl
