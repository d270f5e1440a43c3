// Which kernel handle has which name, rule and count of launches: gives each launch its length. Any thread;
// one lock inside. Calls no OpenCL function.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <string_view>

#include "emulated/pointer_map.h"
#include "emulated/table.h"

namespace mortar::emulated {

class KernelBook {
 public:
  // `table` must outlive the book.
  explicit KernelBook(const Table& table) : table_(table) {}
  KernelBook(const KernelBook&) = delete;

  // Length of the next launch of `kernel` over `items` work items; -1 where the kernel is not known yet.
  std::int64_t NextNs(const void* kernel, std::uint64_t items);
  void Learn(const void* kernel, std::string_view name);
  void Forget(const void* kernel);

  void BeforeFork() { pthread_mutex_lock(&mutex_); }
  void AfterForkInParent() { pthread_mutex_unlock(&mutex_); }
  void AfterForkInChild();

 private:
  // One for each name: handles of the same name count together.
  struct Name {
    std::uint64_t hash = 0;
    const Rule* rule = nullptr;
    std::uint64_t launches = 0;
    Name* next = nullptr;
  };

  const Table& table_;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  // Guarded by mutex_.
  PointerMap<Name> kernels_;
  Name* names_ = nullptr;
};

}  // namespace mortar::emulated
