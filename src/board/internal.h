// Shared by this folder's sources alone: the parts of Board that have a file of their own. Not for other
// folders.
#pragma once

#include <string>

#include "base/owner.h"
#include "base/result.h"
#include "board/layout.h"

namespace mortar::board {

// Makes a board under no name, fully allocated and initialised, and links it to `path`. Losing the race to
// another creator is success: the caller opens whatever stands there.
base::Status CreateBoardFile(const std::string& directory, const std::string& path,
                             const std::string& device);

// kUnsupported unless `fd` lies on tmpfs (or ramfs); `path` for the message.
base::Status CheckMemoryBacked(int fd, const std::string& path);

// The identity part of a header: size, magic, layout version. Reads the file through `fd`: a short file would
// raise SIGBUS if it were mapped.
base::Status CheckFile(int fd, const std::string& path);

// The rest of the header: boot, clock, settings within their ranges.
base::Status CheckHeader(const Header& header, const std::string& path);

// Hash of the kernel's boot id, 0 where it cannot be read; inode of the time namespace, likewise.
std::uint64_t BootId();
std::uint64_t TimeNamespace();

}  // namespace mortar::board
