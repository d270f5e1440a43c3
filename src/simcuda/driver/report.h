// What programs asked for that the device does not do: written when the process ends, where
// MORTAR_SIM_DEVICE_REPORT says ("-": stderr; else a file, appended to). One line a function: how often it
// was refused, and its name. Any thread.
#pragma once

namespace mortar::simcuda {

// Once a process.
void StartReport();

}  // namespace mortar::simcuda
