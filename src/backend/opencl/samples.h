// Launches whose device time is being read back: events with profiling, looked at again when they may be
// complete.
//
// Only sampled launches come here (kernels.h: WantSample), so a mutex does. Events of the program are
// retained and the extra reference hidden from its queries.
#pragma once

#include <CL/cl_icd.h>

#include <cstdint>

#include "client/lane.h"

namespace mortar::opencl {

// Takes over one reference to `event`. `at_ns`: board time of the submit.
void AddSample(cl_event event, client::Lane* lane, predict::Kernel* kernel, std::int64_t at_ns) noexcept;

// Reads what is complete. `lane`: whose thread this is; samples of other lanes are handed in through it too.
void CollectSamples(client::Lane* lane) noexcept;

// How many references to `event` are ours.
cl_uint OurReferences(cl_event event) noexcept;

}  // namespace mortar::opencl
