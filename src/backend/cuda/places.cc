#include "backend/cuda/places.h"

#include <string>

#include "base/handle_map.h"
#include "cuda/api/device_name.h"

namespace mortar::cuda {

constinit std::atomic<client::Device*> only_device{nullptr};
constinit Marks stream_marks;
constinit Marks event_marks;

namespace {

constinit base::HandleMap<client::Device> contexts;
constinit base::HandleMap<client::Device> streams;

// A name under which every process, and OpenCL too, knows the device.
std::string NameOfDevice(CUdevice ordinal) {
  DeviceFacts facts{.ordinal = ordinal, .simulated = DriverIsSimulated()};
  char text[256] = {};
  if (Real<Symbol::cuDeviceGetPCIBusId>()(text, sizeof text - 1, ordinal) == CUDA_SUCCESS)
    facts.pci_bus_id = text;
  text[0] = '\0';
  if (Real<Symbol::cuDeviceGetName>()(text, sizeof text - 1, ordinal) == CUDA_SUCCESS) facts.model = text;
  Real<Symbol::cuDeviceGetUuid_v2>()(&facts.uuid, ordinal);
  return BoardName(facts);
}

}  // namespace

client::Device* DeviceOf(CUdevice ordinal) noexcept { return client::FindDevice(NameOfDevice(ordinal)); }

CUcontext CurrentContext() noexcept {
  CUcontext context = nullptr;
  return Real<Symbol::cuCtxGetCurrent>()(&context) == CUDA_SUCCESS ? context : nullptr;
}

[[gnu::noinline]] client::Device* FindCurrentDevice(CUstream stream) noexcept {
  if (client::Device* known = streams.Find(stream)) return known;
  CUcontext context = CurrentContext();
  if (context == nullptr) return nullptr;  // the driver will say so
  if (client::Device* known = contexts.Find(context)) return known;
  CUdevice ordinal = 0;
  if (Real<Symbol::cuCtxGetDevice>()(&ordinal) != CUDA_SUCCESS) return nullptr;
  client::Device* device = DeviceOf(ordinal);
  if (device == nullptr) return nullptr;
  contexts.Put(context, device);
  int count = 0;
  if (Real<Symbol::cuDeviceGetCount>()(&count) == CUDA_SUCCESS && count == 1)
    only_device.store(device, std::memory_order_release);
  return device;
}

void OnStreamMade(CUstream stream) noexcept {
  if (stream == nullptr || only_device.load() != nullptr) return;
  streams.Put(stream, nullptr);
  if (client::Device* device = FindCurrentDevice(nullptr)) streams.Put(stream, device);
}

void OnStreamGone(CUstream stream) noexcept {
  if (streams.Find(stream) != nullptr) streams.Put(stream, nullptr);
}

void OnContextGone(CUcontext context) noexcept {
  if (context != nullptr && contexts.Find(context) != nullptr) contexts.Put(context, nullptr);
}

}  // namespace mortar::cuda
