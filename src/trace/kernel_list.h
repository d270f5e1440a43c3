// Reads lists of kernels in launch order with their durations, as Orion's profiles: a CSV with the columns
// Name and Duration (nanoseconds). And gives recordings without a host side one, by stated assumption.
//
// Pure; any thread. Not a profile of `mortar profile`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "trace/recording.h"

namespace mortar::trace {

bool IsKernelList(std::string_view beginning);

// Form kDurations. Errors: kInvalid with "read NAME:LINE: …".
base::Result<Recording> ParseKernelList(std::string_view text, const std::string& name);

// Chosen: about what CUDA takes on the machines of the traces that we know.
struct HostAssumption {
  std::int64_t launch_ns = 5000;   // length of a launching call
  std::int64_t latency_ns = 5000;  // from its beginning to that of the operation on an idle device
};

// Makes a recording of form kDurations or kDeviceOnly one of form kClosedLoop: one host thread launches each
// operation, as soon as it can (kDurations) or so that it comes when it was recorded (kDeviceOnly), and waits
// for the device at the end. Says so in the notes. Others are left as they are.
void AssumeHost(Recording* recording, const HostAssumption& assumption = {});

}  // namespace mortar::trace
