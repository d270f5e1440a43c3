// The boards that a subcommand works on. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "board/board.h"

namespace mortar::cli {

struct OpenBoard {
  board::Board board;
  std::string device;  // as the board says, else its file's name
};

struct Boards {
  std::string directory;
  std::vector<OpenBoard> open;
  std::vector<base::Error> failed;  // boards that stand there and cannot be used
};

// All boards of the directory that FindDirectory names. Errors: as FindDirectory.
base::Result<Boards> OpenBoards();

// The same; complains about each that cannot be used, keeps those of `device` (all where it is empty), and
// fails where none is left.
base::Result<Boards> ChooseBoards(const std::string& device);

inline constexpr std::uint64_t kWholePpm = 1'000'000;

// The sum of the floors (--min-share) of `board`'s living clients but the one called `but_name`, in parts per
// million.
std::uint64_t SumOfFloors(const OpenBoard& board, const std::string& but_name);

// Who lives under `name` on one of them: "process 123 on board X"; empty where nobody does.
std::string OwnerOf(const Boards& boards, const std::string& name);

}  // namespace mortar::cli
