// Reading the board into what a policy decides from. Lock-free, allocation-free: on a filler's submit path.
#pragma once

#include "board/board.h"
#include "policy/lanes.h"

namespace mortar::client {

// What a reader keeps between snapshots: settings change only when the board's version moves.
struct Watch {
  std::uint32_t version = 0;
  policy::Settings settings;
  std::uint64_t others = 0;  // slots in use but one's own
  bool rivals = false;       // some other client has the same or a higher priority
};

// Reads what changes rarely. `own` is the caller's slot, `priority` its priority.
Watch ReadWatch(const board::Board& board, int own, int priority);

// Fills `view` as slot `own` sees the device at `now_ns`. Only clients that were heard of within
// kStandstillNs, or that wait at the gate, are listed. Every value is checked: an instant too far ahead
// counts as absent.
void TakeSnapshot(const board::Board& board, const Watch& watch, int own, int priority, std::int64_t now_ns,
                  policy::View* view, std::uint64_t* fill_word);

}  // namespace mortar::client
