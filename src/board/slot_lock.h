// The lock on a slot's byte that says "its owner lives". Rare paths: every function makes system calls.
//
//   open(2) again -> F_OFD_SETLK on the slot's byte -> mmap one page, MADV_DONTFORK -> close the descriptor
//
// The mapping now is the only reference to that open file description, and so it alone keeps the lock: death
// and exec drop it, a forked child does not have it, and no descriptor is left that the program could close
// or inherit. (A fork by another thread between open and MADV_DONTFORK lets the child share the lock until it
// execs or ends; the slot is then reusable later than it could be, which nothing waits for.)
#pragma once

#include <cstdint>
#include <string>

#include "base/owner.h"
#include "base/result.h"

namespace mortar::board {

// Byte 0…63 of the file: the slots; kJoinByte: held for the moment of joining, so that two cannot take one
// name.
inline constexpr int kJoinByte = 64;

// An open file description of its own, for taking and testing locks. Closing it drops what it locked.
class LockFile {
 public:
  // Fails with kMismatch where `path` no longer is the file (device, inode).
  static base::Result<LockFile> Open(const std::string& path, std::uint64_t device, std::uint64_t inode);
  bool TryLock(int byte);
  // Tries for at most `for_ns`.
  bool LockWithin(int byte, std::int64_t for_ns);
  void Unlock(int byte);
  // True if another open file description holds the lock.
  bool HeldElsewhere(int byte) const;
  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }

 private:
  base::Fd fd_;
};

// Keeps every lock of a LockFile beyond its closing. Owned by the process that made it: in a forked child it
// is void.
class LockHolder {
 public:
  LockHolder() = default;
  static base::Result<LockHolder> Keep(const LockFile& file);
  LockHolder(LockHolder&&) noexcept = default;
  LockHolder& operator=(LockHolder&& other) noexcept;
  ~LockHolder() { Release(); }
  // True in the process (not a forked child) that keeps the lock.
  bool HeldHere() const;
  void Release();

 private:
  base::Mapping page_;
  std::uint64_t process_ = 0;
};

// A number that differs between a process and its forked children, 0 if there is no memory for it. No system
// call after the first.
std::uint64_t ProcessMark();

}  // namespace mortar::board
