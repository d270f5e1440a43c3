// Whether a recording is one that can be replayed: every index in range, ranges that tile their vectors,
// instants that ascend, nothing that follows what comes after it.
//
// Pure. Readers of untrusted bytes call it; importers' results pass by construction, and tests hold them to
// it.
#pragma once

#include "base/result.h"
#include "trace/recording.h"

namespace mortar::trace {

// Errors: kCorrupt, one line that says what is wrong with which element.
base::Status CheckRecording(const Recording& recording);

}  // namespace mortar::trace
