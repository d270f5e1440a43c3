// Owner of a board's mapping that survives the file being truncated. Any thread may open; one owner at a
// time.
//
// Touching a page beyond the end of a file raises SIGBUS, which would kill the program that we are loaded
// into. At the first GuardedMapping a SIGBUS handler is installed, in front of the program's own: a fault
// inside a guarded mapping puts private zero pages in its place and goes on, every other fault goes to the
// earlier handler. A board of zeros is harmless: no magic, no active slot. Not covered: a program that
// installs a SIGBUS handler of its own later and does not chain.
#pragma once

#include <cstddef>

#include "base/owner.h"
#include "base/result.h"

namespace mortar::board {

class GuardedMapping {
 public:
  GuardedMapping() = default;
  // Maps the whole board file `fd`, shared and writable; `path` for messages.
  static base::Result<GuardedMapping> Map(int fd, std::size_t size, const char* path);
  GuardedMapping(GuardedMapping&&) noexcept = default;
  GuardedMapping& operator=(GuardedMapping&& other) noexcept;
  ~GuardedMapping() { Unregister(); }

  void* get() const { return mapping_.get(); }

 private:
  void Unregister();
  base::Mapping mapping_;
};

}  // namespace mortar::board
