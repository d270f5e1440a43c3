// A board of arbitrary bytes. The input is a list of patches upon a sound board in which one client lives:
//   patch: offset (3 bytes, little-endian, modulo the file's size), length (1 byte), then that many bytes
//   the pseudo-offset 0xffffff cuts the file to (length * 1 KiB), after it was opened.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"

namespace {

using mortar::base::Fd;
using mortar::board::Board;
using mortar::board::kFileSize;

struct Fixture {
  mortar::board::TemporaryDirectory directory;
  std::string path;
  std::vector<char> sound;

  Fixture() {
    auto board = Board::Open(directory.path(), "gpu", true);
    if (!board.ok() || !board->Join({"client"}).ok()) abort();
    path = board->path();
    sound.resize(kFileSize);
    std::memcpy(sound.data(), &board->header(), kFileSize);
  }
};

// Everything that reads what others wrote.
void Use(Board& board) {
  for (const auto& client : ReadClients(board)) {
    if (client.priority > 9 || client.name.size() > 64) abort();
    board.OwnerAlive(client.ref.index);
  }
  ReadSettings(board.header());
  board.NowNs();
  board.ClearStale();
  if (const auto ref = board.Join({"second", 1}); ref.ok()) {
    if (!board.Lost() && !board.IsCurrent(*ref)) abort();
    board.Leave(*ref);
  }
  board.StillInPlace(nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  std::vector<char> bytes = fixture.sound;
  long cut_to = -1;
  while (size >= 4) {
    const std::size_t offset = data[0] + std::size_t{256} * data[1] + std::size_t{65536} * data[2];
    const std::size_t length = std::min<std::size_t>(data[3], size - 4);
    if (offset == 0xffffff) {
      cut_to = data[3] * 1024L;
    } else {
      const std::size_t start = offset % kFileSize;
      std::memcpy(bytes.data() + start, data + 4, std::min(length, kFileSize - start));
    }
    data += 4 + length;
    size -= 4 + length;
  }
  const Fd fd(open(fixture.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (pwrite(fd.get(), bytes.data(), kFileSize, 0) != static_cast<ssize_t>(kFileSize)) return 0;
  auto board = Board::OpenFile(fixture.path);
  if (cut_to >= 0 && ftruncate(fd.get(), cut_to) != 0) return 0;
  if (board.ok()) Use(*board);
  return 0;
}
