// Sets a policy, and how the device runs several programs, on every board of $MORTAR_DIR: what `mortar set`
// does, for machines that lack what the mortar command is built with.
//
//   gpu_board POLICY [MODE SWITCH_US]     mode: fifo, sliced or merged
#include "board/board.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "model/model.h"

int main(int count, char** words) {
  using namespace mortar;
  if (count != 2 && count != 4) {
    std::fputs("Usage: gpu_board POLICY [fifo|sliced|merged SWITCH_US]\n", stderr);
    return 2;
  }
  const model::PolicyId* policy = nullptr;
  for (const model::PolicyId& one : model::kPolicies) {
    if (model::PolicyName(one) == words[1]) policy = &one;
  }
  std::uint32_t mode = 0;
  for (const auto one : {model::DeviceMode::kFifo, model::DeviceMode::kSliced, model::DeviceMode::kMerged}) {
    if (count == 4 && model::DeviceModeName(one) == words[2]) mode = static_cast<std::uint32_t>(one);
  }
  if (policy == nullptr || (count == 4 && mode == 0)) {
    std::fprintf(stderr, "gpu_board: no policy %s, or no such mode\n", words[1]);
    return 2;
  }
  const auto directory = board::FindDirectory();
  if (!directory) {
    std::fprintf(stderr, "gpu_board: %s\n", directory.error().message.c_str());
    return 1;
  }
  int set = 0;
  for (const std::string& path : board::ListBoards(*directory)) {
    auto board = board::Board::OpenFile(path);
    if (!board) continue;
    board->header().policy.store(static_cast<std::uint32_t>(*policy));
    if (mode != 0) {
      board->header().device_mode.store(mode);
      board->header().switch_cost_ns.store(std::int64_t{1000} * std::atoi(words[3]));
    }
    board->Bump();
    ++set;
  }
  std::printf("%d\n", set);
  return set > 0 ? 0 : 1;
}
