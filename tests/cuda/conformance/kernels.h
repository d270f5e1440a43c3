// Host functions that stand for the suite's kernels where the driver is the simulated one. One thread.
#pragma once

namespace mortar::conformance {

// Does nothing on a real driver.
void RegisterKernels();

}  // namespace mortar::conformance
