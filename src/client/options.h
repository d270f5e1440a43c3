// What `mortar run` (or the user) tells a program's copy of Mortar through the environment. Read once, at
// first use.
#pragma once

#include <string>

#include "base/result.h"
#include "board/board.h"

namespace mortar::client {

// Chosen: below, pieces take hardly longer than launching them; above, they fit into no gap.
inline constexpr std::uint32_t kLeastSliceNs = 10'000;
inline constexpr std::uint32_t kMostSliceNs = 1'000'000'000;

struct Options {
  board::JoinRequest
      join;  // MORTAR_NAME, MORTAR_PRIORITY (0–9), MORTAR_MAX_SLOWDOWN (ppm), MORTAR_WEIGHT (permille),
             // MORTAR_MIN_SHARE (ppm), MORTAR_FLOOR_FIRST (0, 1), MORTAR_MEMORY (bytes; 0: no limit)
  bool strict = false;            // MORTAR_STRICT=1: refuse to start where Mortar cannot work
  bool disabled = false;          // MORTAR_DISABLE=1: load, do nothing
  bool record_profile = false;    // MORTAR_PROFILE_RECORD=1: time every launch, keep offline means
  std::string profile_directory;  // MORTAR_PROFILES; empty: nothing is kept
  std::string trace_directory;    // MORTAR_TRACE; empty: no trace
  // MORTAR_SLICE: kernels and copies that take longer are submitted in pieces of about this, where that is
  // safe; 0: never.
  std::uint32_t slice_ns = 0;
};

// Errors: kInvalid, naming the variable, its value and what it takes.
base::Result<Options> ReadOptions();

// Where profiles are kept unless MORTAR_PROFILES says otherwise: $XDG_STATE_HOME/mortar/profiles, else
// ~/.local/state/mortar/profiles; empty where there is no home.
std::string DefaultProfileDirectory();

// File name of the running program, for default names; "program" where it cannot be read.
std::string ProgramName();

}  // namespace mortar::client
