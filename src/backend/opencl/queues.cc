// Queues: which device they belong to, and the profiling that we ask for so that device times can be sampled.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "backend/opencl/extensions.h"
#include "backend/opencl/layer.h"

namespace mortar::opencl {
namespace {

constinit base::HandleMap<Queue> queues;
constinit base::HandleMap<client::Device> devices;
constinit std::atomic<std::uint64_t> streams{1};

constexpr cl_device_info kPciBusInfo = 0x410F;  // CL_DEVICE_PCI_BUS_INFO_KHR: domain, bus, device, function
constexpr cl_device_info kUuid = 0x106A;        // CL_DEVICE_UUID_KHR
constexpr cl_device_info kPciBusNv = 0x4008;
constexpr cl_device_info kPciSlotNv = 0x4009;
constexpr cl_device_info kPciDomainNv = 0x400A;

std::string DeviceText(cl_device_id device, cl_device_info what) {
  char text[256] = {};
  if (next.clGetDeviceInfo(device, what, sizeof text - 1, text, nullptr) != CL_SUCCESS) return "";
  return text;
}

std::string PciAddress(cl_device_id device) {
  cl_uint address[4] = {};
  if (next.clGetDeviceInfo(device, kPciBusInfo, sizeof address, address, nullptr) != CL_SUCCESS) {
    cl_uint slot = 0;
    if (next.clGetDeviceInfo(device, kPciBusNv, sizeof(cl_uint), &address[1], nullptr) != CL_SUCCESS)
      return "";
    next.clGetDeviceInfo(device, kPciSlotNv, sizeof slot, &slot, nullptr);
    next.clGetDeviceInfo(device, kPciDomainNv, sizeof(cl_uint), &address[0], nullptr);
    address[2] = slot >> 3;
    address[3] = slot & 7;
  }
  char text[48];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", address[0], address[1], address[2], address[3]);
  return text;
}

// A name under which every process, and CUDA too, knows the device: its PCI address, else its UUID, else
// platform and name with its place among the platform's devices.
std::string DeviceName(cl_device_id device) {
  if (std::string address = PciAddress(device); !address.empty()) return address;
  cl_uchar uuid[16] = {};
  if (next.clGetDeviceInfo(device, kUuid, sizeof uuid, uuid, nullptr) == CL_SUCCESS) {
    std::string text = "uuid-";
    char hex[3];
    for (const cl_uchar byte : uuid) {
      std::snprintf(hex, sizeof hex, "%02x", byte);
      text += hex;
    }
    return text;
  }
  cl_platform_id platform = nullptr;
  next.clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, nullptr);
  char vendor[128] = {};
  next.clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof vendor - 1, vendor, nullptr);
  cl_device_id all[64];
  cl_uint count = 0;
  next.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 64, all, &count);
  cl_uint place = 0;
  while (place < count && place < 64 && all[place] != device) ++place;
  return std::string(vendor) + "-" + DeviceText(device, CL_DEVICE_NAME) + "-" + std::to_string(place);
}

// The device that `device` is a part of: parts share its units, so they share its board.
cl_device_id RootOf(cl_device_id device) {
  cl_device_id parent = nullptr;
  while (next.clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof parent, &parent, nullptr) ==
             CL_SUCCESS &&
         parent != nullptr) {
    device = parent;
  }
  return device;
}

}  // namespace

client::Device* KnownDevice(cl_device_id device) noexcept {
  return device != nullptr ? devices.Find(device) : nullptr;
}

client::Device* DeviceOf(cl_device_id device) {
  if (client::Device* known = KnownDevice(device)) return known;
  if (device == nullptr) return nullptr;
  if (const cl_device_id root = RootOf(device); root != device) {
    client::Device* whole = DeviceOf(root);
    if (whole != nullptr) devices.Put(device, whole);
    return whole;
  }
  // An emulated device is never called by a real one's name: its board and profiles are its own.
  const char* emulated = std::getenv("MORTAR_EMULATED");
  const bool real = emulated == nullptr || *emulated == '\0';
  client::Device* found = client::FindDevice((real ? "" : "emulated on ") + DeviceName(device));
  if (found != nullptr) devices.Put(device, found);
  return found;
}

namespace {

Queue* Register(cl_command_queue handle, cl_device_id device, cl_command_queue_properties asked,
                bool forced) {
  auto* queue = new (std::nothrow) Queue;
  if (queue == nullptr) return nullptr;
  queue->device = DeviceOf(device);
  queue->stream = streams.fetch_add(1, std::memory_order_relaxed);
  queue->ordered = (asked & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
  queue->profiling = (asked & CL_QUEUE_PROFILING_ENABLE) != 0;
  queue->forced = forced;
  queues.Put(handle, queue);
  return queue;
}

// A queue of which only the driver knows how it was made.
Queue* Learn(cl_command_queue handle) {
  cl_device_id device = nullptr;
  cl_command_queue_properties properties = 0;
  if (next.clGetCommandQueueInfo(handle, CL_QUEUE_DEVICE, sizeof device, &device, nullptr) != CL_SUCCESS)
    return nullptr;
  next.clGetCommandQueueInfo(handle, CL_QUEUE_PROPERTIES, sizeof properties, &properties, nullptr);
  return Register(handle, device, properties, false);
}

// Under MORTAR_STRICT=1 a program whose device cannot be scheduled gets no queue.
bool Refused(cl_device_id device, cl_int* error) {
  if (device == nullptr || client::StrictlyJoined(DeviceOf(device))) return false;
  if (error != nullptr) *error = CL_OUT_OF_RESOURCES;
  return true;
}

cl_command_queue CL_API_CALL CreateCommandQueue(cl_context context, cl_device_id device,
                                                cl_command_queue_properties properties,
                                                cl_int* error) noexcept {
  if (Refused(device, error)) return nullptr;
  const bool forced = (properties & CL_QUEUE_PROFILING_ENABLE) == 0;
  if (forced) {
    cl_int hidden = CL_SUCCESS;
    cl_command_queue queue =
        next.clCreateCommandQueue(context, device, properties | CL_QUEUE_PROFILING_ENABLE, &hidden);
    if (queue != nullptr && hidden == CL_SUCCESS) {
      Register(queue, device, properties, true);
      if (error != nullptr) *error = CL_SUCCESS;
      return queue;
    }
  }
  cl_command_queue queue = next.clCreateCommandQueue(context, device, properties, error);
  if (queue != nullptr) Register(queue, device, properties, false);
  return queue;
}

constexpr std::size_t kMostProperties = 64;  // pairs, with the closing 0

using CreateWithProperties = cl_command_queue(CL_API_CALL*)(cl_context, cl_device_id,
                                                            const cl_queue_properties*, cl_int*);

cl_command_queue CreateThrough(CreateWithProperties create, cl_context context, cl_device_id device,
                               const cl_queue_properties* properties, cl_int* error) {
  if (Refused(device, error)) return nullptr;
  cl_queue_properties list[kMostProperties + 3];
  std::size_t count = 0;
  cl_command_queue_properties asked = 0;
  std::size_t flags_at = kMostProperties;
  bool readable = true;
  if (properties != nullptr) {
    for (; properties[count] != 0; count += 2) {
      if (count + 2 > kMostProperties) {
        readable = false;
        break;
      }
      list[count] = properties[count];
      list[count + 1] = properties[count + 1];
      if (properties[count] == CL_QUEUE_PROPERTIES) {
        asked = properties[count + 1];
        flags_at = count;
      }
    }
  }
  const bool on_device = (asked & CL_QUEUE_ON_DEVICE) != 0;
  Queue* info = nullptr;
  cl_command_queue queue = nullptr;
  if (readable && !on_device && (asked & CL_QUEUE_PROFILING_ENABLE) == 0) {
    std::size_t length = count;
    if (flags_at == kMostProperties) {
      flags_at = length;
      list[length] = CL_QUEUE_PROPERTIES;
      length += 2;
    }
    list[flags_at + 1] = asked | CL_QUEUE_PROFILING_ENABLE;
    list[length] = 0;
    cl_int hidden = CL_SUCCESS;
    queue = create(context, device, list, &hidden);
    if (queue != nullptr && hidden == CL_SUCCESS) info = Register(queue, device, asked, true);
  }
  if (queue == nullptr) {
    queue = create(context, device, properties, error);
    if (queue == nullptr || on_device) return queue;
    if (readable) {
      Register(queue, device, asked, false);
    } else {
      Learn(queue);
    }
    return queue;
  }
  if (error != nullptr) *error = CL_SUCCESS;
  if (info != nullptr && properties != nullptr) {
    info->properties.reset(new (std::nothrow) cl_queue_properties[count + 1]);
    if (info->properties != nullptr) {
      info->property_count = count + 1;
      std::memcpy(info->properties.get(), properties, (count + 1) * sizeof(cl_queue_properties));
    }
  }
  return queue;
}

cl_command_queue CL_API_CALL CreateCommandQueueWithProperties(cl_context context, cl_device_id device,
                                                              const cl_queue_properties* properties,
                                                              cl_int* error) noexcept {
  return CreateThrough(next.clCreateCommandQueueWithProperties, context, device, properties, error);
}

struct CreateKhr {
  using Function = clCreateCommandQueueWithPropertiesKHR_fn;
  static constexpr std::string_view kName = "clCreateCommandQueueWithPropertiesKHR";
  static cl_command_queue Call(Function real, auto... arguments) noexcept {
    return CreateThrough(real, arguments...);
  }
};

// OpenCL 1.0: switches a queue's properties on and off. What we switched on stays on, and hidden.
cl_int CL_API_CALL SetCommandQueueProperty(cl_command_queue handle, cl_command_queue_properties properties,
                                           cl_bool enable, cl_command_queue_properties* old) noexcept {
  Queue* queue = handle != nullptr ? queues.Find(handle) : nullptr;
  const bool forced = queue != nullptr && queue->forced;
  const bool to_profile = (properties & CL_QUEUE_PROFILING_ENABLE) != 0;
  const auto passed = forced && enable == CL_FALSE
                          ? properties & ~static_cast<cl_command_queue_properties>(CL_QUEUE_PROFILING_ENABLE)
                          : properties;
  const cl_int status = next.clSetCommandQueueProperty(handle, passed, enable, old);
  if (status != CL_SUCCESS || queue == nullptr) return status;
  if (forced && old != nullptr) *old &= ~static_cast<cl_command_queue_properties>(CL_QUEUE_PROFILING_ENABLE);
  if (to_profile && enable != CL_FALSE) {
    queue->profiling = true;
    queue->forced = false;
  } else if (to_profile && !forced) {
    queue->profiling = false;
  }
  if ((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0) queue->ordered = enable == CL_FALSE;
  return status;
}

cl_int CL_API_CALL GetCommandQueueInfo(cl_command_queue handle, cl_command_queue_info what, std::size_t room,
                                       void* out, std::size_t* out_size) noexcept {
  const Queue* queue = handle != nullptr ? queues.Find(handle) : nullptr;
  if (queue == nullptr || !queue->forced)
    return next.clGetCommandQueueInfo(handle, what, room, out, out_size);
  if (what == CL_QUEUE_PROPERTIES_ARRAY) {
    // A driver before OpenCL 3.0 does not know the question.
    const cl_int known = next.clGetCommandQueueInfo(handle, what, 0, nullptr, nullptr);
    if (known != CL_SUCCESS) return known;
    const std::size_t size = queue->property_count * sizeof(cl_queue_properties);
    if (out != nullptr && room < size) return CL_INVALID_VALUE;
    if (out != nullptr && size > 0) std::memcpy(out, queue->properties.get(), size);
    if (out_size != nullptr) *out_size = size;
    return CL_SUCCESS;
  }
  const cl_int status = next.clGetCommandQueueInfo(handle, what, room, out, out_size);
  if (status == CL_SUCCESS && what == CL_QUEUE_PROPERTIES && out != nullptr) {
    cl_command_queue_properties properties = 0;
    std::memcpy(&properties, out, sizeof properties);
    properties &= ~static_cast<cl_command_queue_properties>(CL_QUEUE_PROFILING_ENABLE);
    std::memcpy(out, &properties, sizeof properties);
  }
  return status;
}

}  // namespace

Queue* FindQueue(cl_command_queue handle) noexcept {
  if (handle == nullptr) return nullptr;
  if (Queue* known = queues.Find(handle)) return known;
  return Learn(handle);
}

client::Lane* LaneOfContext(cl_context context) noexcept {
  cl_device_id all[64];
  std::size_t size = 0;
  if (context == nullptr ||
      next.clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof all, all, &size) != CL_SUCCESS) {
    return nullptr;
  }
  for (std::size_t i = 0; i < size / sizeof all[0]; ++i) {
    if (client::Lane* lane = client::LaneIfJoined(DeviceOf(all[i]))) return lane;
  }
  return nullptr;
}

std::span<const Extension> QueueExtensions() {
  static constexpr Extension kCreate[] = {MakeExtension<CreateKhr>()};
  return kCreate;
}

void InstallQueues(cl_icd_dispatch* table) {
  table->clCreateCommandQueue = CreateCommandQueue;
  table->clCreateCommandQueueWithProperties = CreateCommandQueueWithProperties;
  table->clGetCommandQueueInfo = GetCommandQueueInfo;
  table->clSetCommandQueueProperty = SetCommandQueueProperty;
}

}  // namespace mortar::opencl
