// Device memory that this process holds, counted by device against what `--memory` lets the client hold.
// Published on the board; the limit is read from there, so that `mortar set NAME --memory` is felt at once.
//
// Any thread, after Start. For calls that allocate and free: a few atomic operations and, for the ledger, a
// mutex. Never on the submit path. What the driver itself takes (contexts, code, granularity) is not counted.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace mortar::client {

class Device;

inline constexpr std::uint64_t kNoMemoryLimit = UINT64_MAX;

struct MemoryUse {
  std::uint64_t held = 0;
  std::uint64_t limit = kNoMemoryLimit;
  std::uint64_t left() const { return limit > held ? limit - held : 0; }
};
// Of `device`; null: what any device of this process begins with.
MemoryUse MemoryOf(Device* device);

// The program is about to take `bytes` of `device` (null: not counted). False: that would be beyond the
// limit, and nothing was taken. Threads that race never get more than the limit together.
bool TakeMemory(Device* device, std::uint64_t bytes);
// Also beyond the limit: the driver has taken it already.
void AddMemory(Device* device, std::uint64_t bytes);
void GiveMemoryBack(Device* device, std::uint64_t bytes);
// An allocation fails because of the limit: counted, and said once on stderr.
void CountRefusal(Device* device, std::uint64_t bytes);

// Which memory the program holds, by address or handle.
class MemoryLedger {
 public:
  struct Entry {
    Device* device = nullptr;
    std::uint64_t bytes = 0;
    const void* owner = nullptr;  // context that takes it along when it is destroyed
  };
  constexpr MemoryLedger() = default;

  void Put(std::uint64_t key, const Entry& entry);
  // Takes it out. To be called before the driver frees it: afterwards the key may be another's.
  std::optional<Entry> Take(std::uint64_t key);
  // Takes out all that belong to `owner`.
  std::vector<Entry> TakeAllOf(const void* owner);

 private:
  std::unordered_map<std::uint64_t, Entry>& entries();  // REQUIRES: mutex_ held; never destroyed

  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Entry>* entries_ = nullptr;
};

}  // namespace mortar::client
