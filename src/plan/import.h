// Other projects' measurements as profile CSVs.
//
// Pure; any thread. Input is untrusted: errors name the line. What a format does not say is asked for, not
// guessed.
//   perseus  stage,instruction,frequency,time,energy (s, J): forward is inference, forward and backward
//   training;
//            knob gpu_mhz, batch 1
//   zeus     dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power (s, W): training;
//   knob
//            power_limit_w; a minibatch lasts the epoch over ⌈samples / batch⌉
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/table.h"

namespace mortar::plan {

struct ImportOptions {
  std::string device = "imported";
  std::string workload = "workload";      // perseus: prefix of "-s<stage>"
  std::map<std::string, double> samples;  // zeus: of datasets that KnownSamples lacks, or to override
};

// Sizes of the training sets of cifar100, imagenet (ILSVRC-2012) and sentiment140.
const std::map<std::string, double>& KnownSamples();

base::Result<Table> ImportProfiles(std::string_view format, std::string_view text, const std::string& name,
                                   const ImportOptions& options);

}  // namespace mortar::plan
