#include "backend/opencl/layer.h"

#include <algorithm>
#include <cstring>

#include "backend/opencl/memory_limit.h"
#include "base/log.h"

namespace mortar::opencl {

constinit cl_icd_dispatch next = {};

namespace {

constinit cl_icd_dispatch table = {};

// MORTAR_STRICT=1 and the environment cannot be followed: the program gets no platform.
cl_int CL_API_CALL RefusePlatforms(cl_uint, cl_platform_id*, cl_uint* count) noexcept {
  if (count != nullptr) *count = 0;
  base::LogOnce("strict",
                "MORTAR_STRICT=1: refusing to start unscheduled; no OpenCL platform is shown to the program");
  return CL_OUT_OF_HOST_MEMORY;
}

struct EventEntry {
  std::atomic<cl_event> event{nullptr};
  std::atomic<const client::Lane*> lane{nullptr};
  std::atomic<std::uint64_t> sequence{0};
};
constexpr std::size_t kEvents = 8192;
constinit EventEntry events[kEvents];

EventEntry& EntryOf(cl_event event) {
  return events[base::Mix(std::bit_cast<std::uintptr_t>(event)) % kEvents];
}

}  // namespace

const cl_icd_dispatch* Install(const cl_icd_dispatch& target, cl_uint entries) {
  const std::size_t size = std::min(sizeof next, entries * sizeof(void*));
  std::memcpy(&next, &target, size);
  std::memcpy(&table, &target, size);
  bool refuse = false;
  if (client::Start(&refuse)) {
    InstallQueues(&table);
    InstallKernels(&table);
    InstallTransfers(&table);
    InstallCommands(&table);
    InstallExtensions(&table);
    if (client::SliceNs() > 0) {
      InstallPrograms(&table);
      InstallSlices(&table);
      InstallCopies(&table);
    }
    InstallWaits(&table);
    InstallMemoryLimit(&table);
  } else if (refuse) {
    table.clGetPlatformIDs = RefusePlatforms;
  }
  // What the loader or the driver leaves empty stays empty: we would have nothing to call.
  const auto* below = reinterpret_cast<void* const*>(&next);
  auto* ours = reinterpret_cast<void**>(&table);
  for (std::size_t i = 0; i < sizeof table / sizeof(void*); ++i) {
    if (below[i] == nullptr) ours[i] = nullptr;
  }
  return &table;
}

void RememberEvent(cl_event event, const client::Lane* lane, std::uint64_t sequence) noexcept {
  EventEntry& entry = EntryOf(event);
  entry.event.store(nullptr, std::memory_order_relaxed);
  entry.lane.store(lane, std::memory_order_release);
  entry.sequence.store(sequence, std::memory_order_release);
  entry.event.store(event, std::memory_order_release);  // pairs with SequenceOf
}

std::uint64_t SequenceOf(cl_event event, const client::Lane* lane) noexcept {
  const EventEntry& entry = EntryOf(event);
  if (entry.event.load(std::memory_order_acquire) != event) return 0;
  const bool own = entry.lane.load(std::memory_order_acquire) == lane;
  const std::uint64_t sequence = entry.sequence.load(std::memory_order_acquire);
  return own && entry.event.load(std::memory_order_relaxed) == event ? sequence : 0;
}

}  // namespace mortar::opencl
