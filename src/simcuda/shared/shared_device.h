// One simulated device shared by all processes that use it: its state (simcuda/timeline/state.h) in one file
// on tmpfs, behind a robust lock, moved on by CLOCK_MONOTONIC. Any thread; a Session holds the lock for as
// long as it lives.
//
//   file: [ magic | lock | changes | state ]         and a record lock on byte `context` while its process
//   lives
//
//   nobody has it --Session--> held, state moved on to now --~Session--> nobody has it, waiters woken if told
//   to
//         ^                      |
//         |                      | the holder dies (SIGKILL): the next Session repairs the lists, removes its
//         contexts
//         +----------------------+
//
// Nothing runs in the background: whoever looks computes what has happened since somebody last looked, and
// gets the same as if it had looked all the time. Who waits sleeps until the earliest instant at which it may
// be over, or until somebody changes what it waits for (a futex word, `changes`).
//
// Processes that share a device trust each other (mode 0600, the same user): what is in the file is not
// checked but after a death. It does not survive being truncated: this is a device for tests.
#pragma once

#include <cstdint>
#include <string>

#include "base/owner.h"
#include "base/result.h"
#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

struct SharedFile;

class SharedDevice {
 public:
  SharedDevice() = default;
  SharedDevice(SharedDevice&&) noexcept = default;
  SharedDevice& operator=(SharedDevice&&) noexcept = default;

  // Where devices lie: $MORTAR_DIR/simcuda, else /dev/shm/mortar-simcuda-$UID; made if absent, mode 0700.
  // Errors: kDenied, kNotFound, kSystem.
  static base::Result<std::string> FindDirectory();
  // Opens `directory`/`name`.device, made with `parameters` if absent. Where nobody uses the device it begins
  // anew with them; where somebody does with others: kMismatch. Errors: also kDenied, kFull, kCorrupt,
  // kSystem. One for each file and process: closing a second would give up the first one's record locks.
  static base::Result<SharedDevice> Open(const std::string& directory, const std::string& name,
                                         const Parameters& parameters);

  bool open() const { return file_ != nullptr; }

  class Session {
   public:
    // Takes the lock and moves the state on to now.
    explicit Session(SharedDevice& device);
    ~Session();
    Session(const Session&) = delete;
    Timeline* operator->() { return &timeline_; }
    Timeline& operator*() { return timeline_; }
    // What others wait for may have changed: wakes them when the session ends.
    void Wake() { wake_ = true; }
    // Something was submitted whose end must be seen to: wakes those in WaitForWork alone.
    void WakeHelpers() { wake_helpers_ = true; }

   private:
    friend class SharedDevice;
    SharedDevice& device_;
    Timeline timeline_;
    bool wake_ = false;
    bool wake_helpers_ = false;
  };

  // A context of this process, which others remove when it is dead. kNone: no room.
  Index AddContext();
  void RemoveContext(Index context);
  // Removes the contexts of processes that are dead. At most every 10 ms; else it does nothing.
  void Sweep(Session& session);

  // Blocks until `id` is done. `stop`, called without the lock whenever something may have happened, ends the
  // wait early by true (null: never).
  void WaitFor(CommandId id, bool (*stop)(void* argument), void* argument);

  // What has happened so far: to be taken before looking after it.
  struct Seen {
    std::uint32_t submits = 0;
    std::uint64_t ended = 0;
  };
  Seen Look();
  // Blocks until more has happened than was seen, or for `longest_ns`, with `instants` also until the
  // device's next instant: the moment itself where `exact`, else some 50 µs later at no cost.
  void WaitForWork(const Seen& seen, Ns longest_ns, bool instants, bool exact);

 private:
  bool IsAlive(Index context) const;
  void RemoveDead(Timeline& timeline);

  base::Mapping mapping_;
  base::Fd fd_;
  SharedFile* file_ = nullptr;
};

}  // namespace mortar::simcuda
