// Opening, joining and watching a board (board/layout.h). Any thread; a Board is moved, not copied. Join and
// Leave of one Board come from one thread at a time; one Board holds at most one slot.
//
// Not here: what the fields mean for scheduling (policy), who writes lanes when (client).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "board/guard.h"
#include "board/layout.h"
#include "board/slot_lock.h"

namespace mortar::board {

// A slot and the generation it had when it was seen: stale as soon as the generation moved on.
struct SlotRef {
  int index = -1;
  std::uint32_t generation = 0;
  bool operator==(const SlotRef&) const = default;
};

// The directory that holds the boards: $MORTAR_DIR, else /run/mortar where it exists, else
// /dev/shm/mortar-$UID (created 0700 on demand). A directory that exists but is denied is an error, never
// skipped: two boards for one device would be worse than none. Errors: kDenied; kUnsupported where it is not
// on tmpfs.
base::Result<std::string> FindDirectory();

// "PCI address or UUID" → file name: anything but letters, digits, '.', '-', '_' becomes '_'; at most 100
// characters.
std::string BoardFileName(const std::string& device);

struct JoinRequest {
  std::string name;            // cut to 63 bytes; empty: the program's name and pid
  std::uint32_t priority = 5;  // 0…9
  std::uint32_t max_slowdown_ppm = 20'000;
  std::uint32_t weight_permille = 1000;
  std::uint32_t min_share_ppm = 0;  // 0: no floor; up to 1'000'000
  std::uint32_t floor_first = 0;    // 1: its floor comes before others' max_slowdown
  std::uint64_t memory_limit = 0;   // bytes; 0: no limit
};

class Board {
 public:
  Board() = default;
  Board(Board&&) noexcept = default;
  Board& operator=(Board&&) noexcept = default;

  // Opens `directory`/BoardFileName(device); creates it if absent and `create`: made under another name,
  // fully allocated, initialised, then linked into place, so that nobody ever sees half a board. Mode 0600,
  // or 0660 and the directory's group where the directory is group-writable. Errors: kNotFound, kDenied,
  // kFull (no space), kUnsupported (not tmpfs), kMismatch (layout version, boot id, clock), kCorrupt (size,
  // magic, fields out of range).
  static base::Result<Board> Open(const std::string& directory, const std::string& device, bool create);
  // The same by path, never creating: for tools that list a directory.
  static base::Result<Board> OpenFile(const std::string& path);

  bool open() const { return mapping_.get() != nullptr; }
  // REQUIRES: open(). Contents are untrusted: copy once, check, then use (board/view.h does, for tools).
  Header& header() const { return static_cast<Layout*>(mapping_.get())->header; }
  Slot& slot(int index) const { return static_cast<Layout*>(mapping_.get())->slots[index]; }
  const base::ClockScale& clock() const { return clock_; }
  std::int64_t NowNs() const { return clock_.NowNs(); }
  const std::string& path() const { return path_; }

  // Takes a free slot (or one whose owner died) for this process and holds it: the slot's byte is locked
  // through a second open file description that only a mapping keeps (dropped at exec and death, not
  // inherited by fork). Bumps `version`. Errors: kFull (64 clients), kExists (a living client has this name),
  // kInvalid (out of range, or joined already), kMismatch (removed or replaced since it was opened).
  base::Result<SlotRef> Join(const JoinRequest& request);
  // Frees the slot and its lock. No effect if `ref` is stale or was joined by another process (a forked
  // child).
  void Leave(SlotRef ref);

  // True while `ref` still names an active slot of the same generation. One load or two; does not ask the
  // lock.
  bool IsCurrent(SlotRef ref) const;
  // True if the process that joined slot `index` holds its lock still (fcntl: a system call; tools and rare
  // paths).
  bool OwnerAlive(int index) const;
  // Clears slots whose owners died, holding each one's lock and checking again. Returns how many. Rare paths.
  int ClearStale();

  // The sum of all other active clients' floors, in parts per million.
  std::uint64_t SumOfFloors(int but_slot) const;

  // ++version and wakes all sleepers.
  void Bump();
  // Sleeps until `version` differs from `seen` or `for_ns` passed. May return early. Never PRIVATE futex.
  void WaitForChange(std::uint32_t seen, std::int64_t for_ns);

  // False once the file was truncated (SIGBUS was taken and the pages replaced by private zeros) or another
  // file, or none, now stands under its name. System call; rare paths. The reason goes to *why where it is
  // not null.
  bool StillInPlace(std::string* why) const;
  // One load: true once the board's pages were replaced by zeros (SIGBUS) or its first bytes overwritten.
  // From then on nobody is there; go on ungated, and open the board again later.
  bool Lost() const { return header().magic.load(std::memory_order_relaxed) != kMagic; }

 private:
  GuardedMapping mapping_;
  base::ClockScale clock_;
  std::string path_;
  LockHolder lock_;  // of the slot joined, if any
  SlotRef joined_;
  std::uint64_t device_ = 0;  // st_dev and st_ino of the mapped file
  std::uint64_t inode_ = 0;
};

// Paths of the boards in `directory`, sorted. Empty where there is none.
std::vector<std::string> ListBoards(const std::string& directory);

}  // namespace mortar::board
