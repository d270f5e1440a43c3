// Hash map from an OpenCL handle to a record, for one lock holder at a time. Open addressing; grows, never
// shrinks; once warm it does not allocate. Neither keys nor records are owned or looked into.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "base/hash.h"

namespace mortar::emulated {

template <typename Value>
class PointerMap {
 public:
  constexpr PointerMap() = default;
  PointerMap(const PointerMap&) = delete;
  PointerMap& operator=(const PointerMap&) = delete;
  ~PointerMap() { std::free(entries_); }

  Value* Find(const void* key) const {
    if (size_ == 0 || key == nullptr) return nullptr;
    for (std::size_t i = Home(key);; i = Next(i)) {
      if (entries_[i].key == key) return entries_[i].value;
      if (entries_[i].key == nullptr) return nullptr;
    }
  }

  // Puts `value` under `key`, instead of what was there. False without memory; nothing changes then.
  bool Put(const void* key, Value* value) {
    if ((size_ + 1) * 2 > capacity_ && !Grow()) return false;
    for (std::size_t i = Home(key);; i = Next(i)) {
      if (entries_[i].key == nullptr) {
        entries_[i] = {key, value};
        ++size_;
        return true;
      }
      if (entries_[i].key == key) {
        entries_[i].value = value;
        return true;
      }
    }
  }

  // Removes `key` and closes the hole it leaves, so that no search stops early.
  void Remove(const void* key) {
    if (Find(key) == nullptr) return;
    std::size_t hole = Home(key);
    while (entries_[hole].key != key) hole = Next(hole);
    for (std::size_t i = Next(hole); entries_[i].key != nullptr; i = Next(i)) {
      const std::size_t from_home = (i - Home(entries_[i].key)) & (capacity_ - 1);
      if (from_home >= ((i - hole) & (capacity_ - 1))) {
        entries_[hole] = entries_[i];
        hole = i;
      }
    }
    entries_[hole] = {};
    --size_;
  }

  std::size_t size() const { return size_; }

  // Forgets all content at once, keeping the memory.
  void Clear() {
    for (std::size_t i = 0; i < capacity_; ++i) entries_[i] = {};
    size_ = 0;
  }

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (std::size_t i = 0; i < capacity_; ++i) {
      if (entries_[i].key != nullptr) visit(entries_[i].key, entries_[i].value);
    }
  }

 private:
  struct Entry {
    const void* key = nullptr;
    Value* value = nullptr;
  };

  std::size_t Home(const void* key) const {
    return base::Mix(static_cast<std::uint64_t>(std::bit_cast<std::uintptr_t>(key))) & (capacity_ - 1);
  }
  std::size_t Next(std::size_t i) const { return (i + 1) & (capacity_ - 1); }

  bool Grow() {
    const std::size_t capacity = capacity_ == 0 ? 256 : capacity_ * 2;
    auto* entries = static_cast<Entry*>(std::calloc(capacity, sizeof(Entry)));
    if (entries == nullptr) return false;
    Entry* old = entries_;
    const std::size_t old_capacity = capacity_;
    entries_ = entries;
    capacity_ = capacity;
    size_ = 0;
    for (std::size_t i = 0; i < old_capacity; ++i) {
      if (old[i].key != nullptr) Put(old[i].key, old[i].value);
    }
    std::free(old);
    return true;
  }

  Entry* entries_ = nullptr;
  std::size_t capacity_ = 0;  // a power of two, or 0
  std::size_t size_ = 0;
};

}  // namespace mortar::emulated
