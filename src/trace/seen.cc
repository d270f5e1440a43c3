#include "trace/seen.h"

#include <algorithm>

namespace mortar::trace {
namespace {

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool HasAny(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return Has(text, part); });
}

}  // namespace

CallClass ClassifyCall(std::string_view name) {
  if (name == "wait") return CallClass::kWaitStream;  // of `mortar trace record`
  if (Has(name, "Synchronize")) {
    if (Has(name, "Stream")) return CallClass::kWaitStream;
    return Has(name, "Event") ? CallClass::kWaitEvent : CallClass::kWaitDevice;
  }
  if (Has(name, "StreamWaitEvent")) return CallClass::kStreamWait;
  if (Has(name, "EventRecord")) return CallClass::kRecordEvent;
  if (HasAny(name, {"Query", "Attribute", "GetDevice", "GetStream", "StreamGet", "IsCapturing", "CaptureInfo",
                    "Occupancy", "LastError", "EventCreate", "EventDestroy", "EventElapsed",
                    "DriverGetVersion", "PushCallConfiguration", "PopCallConfiguration", "GetSymbol"})) {
    return CallClass::kUseless;
  }
  if (Has(name, "GraphLaunch")) return CallClass::kGraph;
  if (Has(name, "Launch")) return CallClass::kLaunch;
  if (HasAny(name, {"Memcpy", "memcpy"})) {
    return HasAny(name, {"Async", "async"}) ? CallClass::kCopy : CallClass::kSyncCopy;
  }
  if (HasAny(name, {"Memset", "memset"})) return CallClass::kSet;
  if (HasAny(name, {"Free", "HostUnregister", "MemUnmap", "ModuleUnload"})) return CallClass::kMayWait;
  return CallClass::kUnknown;
}

Index Names::Of(std::string_view name) {
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  const auto number = static_cast<Index>(names_.size());
  names_.emplace_back(name);
  index_.emplace(names_.back(), number);
  return number;
}

Index Shapes::Of(const model::LaunchShape& shape) {
  auto& same_hash = index_[base::Mix(model::SumShape(shape))];
  for (const Index number : same_hash) {
    const model::LaunchShape& known = shapes_[number];
    if (known.grid == shape.grid && known.block == shape.block && known.shared_bytes == shape.shared_bytes)
      return number;
  }
  same_hash.push_back(static_cast<Index>(shapes_.size()));
  shapes_.push_back(shape);
  return same_hash.back();
}

}  // namespace mortar::trace
