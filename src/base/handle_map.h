// From a driver's handle to what Mortar keeps about it. Find is lock-free and runs on the submit path; Put
// takes a mutex (objects being made). Values are never freed: a thread may be looking at one while another
// replaces it.
//
// A handle that the program released and the driver gave out again is replaced by Put when the new object is
// made; until then its old value answers, which only a program that uses released handles can see.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/hash.h"

namespace mortar::base {

template <typename Value>
class HandleMap {
 public:
  constexpr HandleMap() = default;
  HandleMap(const HandleMap&) = delete;
  HandleMap& operator=(const HandleMap&) = delete;

  Value* Find(const void* handle) const {
    const Table* table = table_.load(std::memory_order_acquire);  // pairs with Grow
    if (table == nullptr) return nullptr;
    for (std::size_t i = Home(handle, *table);; i = (i + 1) & table->mask) {
      const void* seen = table->entries[i].handle.load(std::memory_order_acquire);  // pairs with Insert
      if (seen == handle) return table->entries[i].value.load(std::memory_order_acquire);
      if (seen == nullptr) return nullptr;
    }
  }

  // `value` now answers for `handle`; the map keeps it for ever. REQUIRES: handle is not null.
  void Put(const void* handle, Value* value) {
    const std::lock_guard lock(mutex_);
    Table* table = table_.load(std::memory_order_relaxed);
    if (table == nullptr || (count_ + 1) * 2 > table->mask) table = Grow(table);
    count_ += Insert(*table, handle, value) ? 1 : 0;
  }

 private:
  struct Entry {
    std::atomic<const void*> handle{nullptr};
    std::atomic<Value*> value{nullptr};
  };
  struct Table {
    explicit Table(std::size_t size) : mask(size - 1), entries(new Entry[size]) {}
    std::size_t mask;
    Entry* entries;
  };

  static std::size_t Home(const void* handle, const Table& table) {
    return static_cast<std::size_t>(std::bit_cast<std::uintptr_t>(handle) * 0x9e3779b97f4a7c15ULL >> 32) &
           table.mask;
  }

  static bool Insert(Table& table, const void* handle, Value* value) {
    for (std::size_t i = Home(handle, table);; i = (i + 1) & table.mask) {
      Entry& entry = table.entries[i];
      const void* seen = entry.handle.load(std::memory_order_relaxed);
      if (seen != nullptr && seen != handle) continue;
      entry.value.store(value, std::memory_order_release);    // pairs with Find
      entry.handle.store(handle, std::memory_order_release);  // pairs with Find
      return seen == nullptr;
    }
  }

  Table* Grow(Table* old) {
    auto* table = new Table(old == nullptr ? 256 : (old->mask + 1) * 2);
    if (old != nullptr) {
      for (std::size_t i = 0; i <= old->mask; ++i) {
        const Entry& entry = old->entries[i];
        const void* handle = entry.handle.load(std::memory_order_relaxed);
        if (handle != nullptr) Insert(*table, handle, entry.value.load(std::memory_order_relaxed));
      }
    }
    table_.store(table, std::memory_order_release);  // the old one stays: readers may be in it
    return table;
  }

  std::atomic<Table*> table_{nullptr};
  std::mutex mutex_;
  std::size_t count_ = 0;
};

}  // namespace mortar::base
