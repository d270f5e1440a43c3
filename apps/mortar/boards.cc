#include "mortar/boards.h"

#include <algorithm>

#include "board/view.h"
#include "mortar/output.h"

namespace mortar::cli {

base::Result<Boards> OpenBoards() {
  auto directory = board::FindDirectory();
  if (!directory.ok()) return directory.error();
  Boards boards;
  boards.directory = *directory;
  for (const std::string& path : board::ListBoards(*directory)) {
    auto opened = board::Board::OpenFile(path);
    if (!opened.ok()) {
      boards.failed.push_back(opened.error());
      continue;
    }
    std::string device = board::ReadText(opened->header().device);
    if (device.empty()) device = path.substr(path.rfind('/') + 1);
    boards.open.push_back({std::move(*opened), std::move(device)});
  }
  return boards;
}

base::Result<Boards> ChooseBoards(const std::string& device) {
  auto boards = OpenBoards();
  if (!boards.ok()) return boards;
  for (const auto& error : boards->failed) Complain(error.message);
  if (boards->open.empty()) {
    return base::Error{base::Code::kNotFound,
                       "find boards in " + boards->directory +
                           ": there is none; a device gets one when a program first uses it, "
                           "so start one with mortar run"};
  }
  if (device.empty()) return boards;
  std::string known;
  for (const auto& one : boards->open) known += (known.empty() ? "" : ", ") + one.device;
  std::erase_if(boards->open, [&](const OpenBoard& one) {
    return one.device != device && !one.board.path().ends_with("/" + board::BoardFileName(device));
  });
  if (boards->open.empty()) {
    return base::Error{base::Code::kNotFound, "find the board of device " + device + " in " +
                                                  boards->directory +
                                                  ": there is none; choose one of: " + known};
  }
  return boards;
}

std::uint64_t SumOfFloors(const OpenBoard& one, const std::string& but_name) {
  std::uint64_t sum = 0;
  for (const auto& client : board::ReadClients(one.board)) {
    if (client.min_share_ppm == 0 || client.name == but_name) continue;
    if (one.board.OwnerAlive(client.ref.index)) sum += client.min_share_ppm;
  }
  return sum;
}

std::string OwnerOf(const Boards& boards, const std::string& name) {
  for (const auto& one : boards.open) {
    for (const auto& client : board::ReadClients(one.board)) {
      if (client.name != name || !one.board.OwnerAlive(client.ref.index)) continue;
      return "process " + std::to_string(client.pid) + " on device " + one.device;
    }
  }
  return "";
}

}  // namespace mortar::cli
