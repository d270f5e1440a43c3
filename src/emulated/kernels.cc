#include "emulated/kernels.h"

#include <new>

#include "base/hash.h"

namespace mortar::emulated {
namespace {

class Lock {
 public:
  explicit Lock(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~Lock() { pthread_mutex_unlock(&mutex_); }
  Lock(const Lock&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

}  // namespace

std::int64_t KernelBook::NextNs(const void* kernel, std::uint64_t items) {
  const Lock lock(mutex_);
  Name* name = kernels_.Find(kernel);
  if (name == nullptr) return -1;
  return KernelNs(table_, *name->rule, name->hash, name->launches++, items);
}

void KernelBook::Learn(const void* kernel, std::string_view text) {
  const Lock lock(mutex_);
  const std::uint64_t hash = base::HashBytes(text.data(), text.size());
  Name* name = names_;
  while (name != nullptr && name->hash != hash) name = name->next;
  if (name == nullptr) {
    name = new (std::nothrow) Name{hash, &table_.RuleFor(text), 0, names_};
    if (name == nullptr) return;
    names_ = name;
  }
  kernels_.Put(kernel, name);
}

void KernelBook::Forget(const void* kernel) {
  const Lock lock(mutex_);
  kernels_.Remove(kernel);
}

void KernelBook::AfterForkInChild() {
  pthread_mutex_init(&mutex_, nullptr);
  kernels_.Clear();
  for (Name* name = names_; name != nullptr; name = name->next) name->launches = 0;
}

}  // namespace mortar::emulated
