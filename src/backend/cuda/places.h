// Where a call goes: the device of the calling thread's context, and a number for its stream; which submits
// were the last on a stream or before an event, so that a wait tells what it covered.
//
// Any thread. Look-ups on the submit path are lock-free and call the driver only in processes that
// use several devices.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "backend/cuda/driver.h"
#include "base/hash.h"
#include "client/client.h"

namespace mortar::cuda {

// The interface's own handles of default streams.
inline const auto kLegacyStream = std::bit_cast<CUstream>(std::uintptr_t{1});
inline const auto kPerThreadStream = std::bit_cast<CUstream>(std::uintptr_t{2});

// The stream that a call means: 0 is one or the other default stream.
inline CUstream Explicit(CUstream stream, bool per_thread) {
  if (stream != nullptr) return stream;
  return per_thread ? kPerThreadStream : kLegacyStream;
}
inline std::uint64_t NumberOf(CUstream stream) { return std::bit_cast<std::uintptr_t>(stream); }

// Set where the process sees one device only, so that nothing need be looked up.
extern std::atomic<client::Device*> only_device;
client::Device* FindCurrentDevice(CUstream stream) noexcept;

// The device that `stream`, or else the thread's context, belongs to. Null: leave the call alone.
inline client::Device* CurrentDevice(CUstream stream) noexcept {
  client::Device* only = only_device.load(std::memory_order_acquire);  // pairs with FindCurrentDevice
  return only != nullptr ? only : FindCurrentDevice(stream);
}

// The device `ordinal` of the driver. Null: unknown, or Mortar is not to act.
client::Device* DeviceOf(CUdevice ordinal) noexcept;

// A stream was made in the current context; it, or a context, is about to be destroyed.
void OnStreamMade(CUstream stream) noexcept;
void OnStreamGone(CUstream stream) noexcept;
void OnContextGone(CUcontext context) noexcept;

// The thread's context, or null.
CUcontext CurrentContext() noexcept;

// What was last submitted on streams, and when events were recorded: by handle, of fixed size; what is old is
// forgotten. Writers and readers in any thread; a torn entry answers "not known".
class Marks {
 public:
  void Remember(std::uint64_t handle, const client::Lane* lane, std::uint64_t sequence) noexcept {
    Entry& entry = entries_[base::Mix(handle) % kEntries];
    entry.handle.store(0, std::memory_order_relaxed);
    entry.lane.store(lane, std::memory_order_release);
    entry.sequence.store(sequence, std::memory_order_release);
    entry.handle.store(handle, std::memory_order_release);  // pairs with SequenceOf
  }
  // The submit of `lane` that is remembered for `handle`; 0: not known, or another lane's.
  std::uint64_t SequenceOf(std::uint64_t handle, const client::Lane* lane) const noexcept {
    const Entry& entry = entries_[base::Mix(handle) % kEntries];
    if (entry.handle.load(std::memory_order_acquire) != handle) return 0;
    const bool own = entry.lane.load(std::memory_order_acquire) == lane;
    const std::uint64_t sequence = entry.sequence.load(std::memory_order_acquire);
    return own && entry.handle.load(std::memory_order_relaxed) == handle ? sequence : 0;
  }

 private:
  static constexpr std::size_t kEntries = 4096;
  struct Entry {
    std::atomic<std::uint64_t> handle{0};
    std::atomic<const client::Lane*> lane{nullptr};
    std::atomic<std::uint64_t> sequence{0};
  };
  Entry entries_[kEntries];
};
extern Marks stream_marks;
extern Marks event_marks;

}  // namespace mortar::cuda
