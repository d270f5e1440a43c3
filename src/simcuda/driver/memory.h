// Which memory of this process is the simulated device's or pinned. Any thread; one lock inside.
//
// Device memory is memory of the process, so that copies and host kernels really work; a device pointer is
// its address. Not here: how much the device has left (Timeline::Allocate).
#pragma once

#include <cstddef>
#include <cstdint>

namespace mortar::simcuda {

enum class Where : std::uint8_t { kPageable, kDevice, kPinned };

// Where the `bytes` from `address` on lie as a whole; kPageable: in no allocation of ours.
Where WhereIs(std::uintptr_t address, std::size_t bytes);

}  // namespace mortar::simcuda
