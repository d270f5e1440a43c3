#include "backend/cuda/places.h"

#include <cctype>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/handle_map.h"
#include "base/log.h"

namespace mortar::cuda {

constinit std::atomic<client::Device*> only_device{nullptr};
constinit Marks stream_marks;
constinit Marks event_marks;

namespace {

constinit base::HandleMap<client::Device> contexts;
constinit base::HandleMap<client::Device> streams;

// As OpenCL's backend writes it, so that both meet on one board.
std::string PciAddress(CUdevice ordinal) {
  char text[32] = {};
  if (Real<Symbol::cuDeviceGetPCIBusId>()(text, sizeof text - 1, ordinal) != CUDA_SUCCESS) return "";
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned slot = 0;
  unsigned function = 0;
  if (std::sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3) return "";
  char address[48];
  std::snprintf(address, sizeof address, "%04x:%02x:%02x.%x", domain, bus, slot, function);
  return address;
}

std::string Uuid(CUdevice ordinal) {
  CUuuid uuid{};
  if (Real<Symbol::cuDeviceGetUuid_v2>()(&uuid, ordinal) != CUDA_SUCCESS) return "";
  std::string text = "uuid-";
  char hex[3];
  for (const char byte : uuid.bytes) {
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
    text += hex;
  }
  return text;
}

// A name under which every process, and OpenCL too, knows the device.
std::string DeviceName(CUdevice ordinal) {
  char model[256] = {};
  Real<Symbol::cuDeviceGetName>()(model, sizeof model - 1, ordinal);
  std::string name = PciAddress(ordinal);
  // The parts of a device that is cut up (MIG) share its address and no more.
  const bool part = std::strstr(model, " MIG ") != nullptr;
  if (name.empty() || part) name += (name.empty() ? "" : "-") + Uuid(ordinal);
  if (name.empty()) name = std::string(model) + "-" + std::to_string(ordinal);
  return DriverIsSimulated() ? "simulated " + name : name;
}

}  // namespace

client::Device* DeviceOf(CUdevice ordinal) noexcept { return client::FindDevice(DeviceName(ordinal)); }

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
