#include "client/memory.h"

namespace mortar::client {

std::unordered_map<std::uint64_t, MemoryLedger::Entry>& MemoryLedger::entries() {
  if (entries_ == nullptr) entries_ = new std::unordered_map<std::uint64_t, Entry>;
  return *entries_;
}

void MemoryLedger::Put(std::uint64_t key, const Entry& entry) {
  const std::lock_guard lock(mutex_);
  entries()[key] = entry;
}

std::optional<MemoryLedger::Entry> MemoryLedger::Take(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries().find(key);
  if (found == entries().end()) return std::nullopt;
  const Entry entry = found->second;
  entries().erase(found);
  return entry;
}

std::vector<MemoryLedger::Entry> MemoryLedger::TakeAllOf(const void* owner) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> taken;
  std::erase_if(entries(), [&](const auto& one) {
    if (one.second.owner != owner) return false;
    taken.push_back(one.second);
    return true;
  });
  return taken;
}

}  // namespace mortar::client
