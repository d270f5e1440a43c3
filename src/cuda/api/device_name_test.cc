#include "cuda/api/device_name.h"

#include <gtest/gtest.h>

namespace mortar::cuda {
namespace {

TEST(CudaDeviceNameTest, PciAddressAsOpenClWritesIt) {
  EXPECT_EQ(BoardName({.pci_bus_id = "0000:0A:1F.0", .model = "NVIDIA H100"}), "0000:0a:1f.0");
  EXPECT_EQ(BoardName({.pci_bus_id = "00000000:0A:00.0"}), "0000:0a:00.0");
  EXPECT_EQ(BoardName({.pci_bus_id = "0001:C3:00.0"}), "0001:c3:00.0");
}

TEST(CudaDeviceNameTest, PartsOfADeviceAreToldApart) {
  DeviceFacts facts{.pci_bus_id = "0000:0a:00.0", .model = "NVIDIA A100 MIG 1g.10gb"};
  facts.uuid.bytes[0] = 1;
  facts.uuid.bytes[15] = static_cast<char>(0xfe);
  EXPECT_EQ(BoardName(facts), "0000:0a:00.0-uuid-010000000000000000000000000000fe");
}

TEST(CudaDeviceNameTest, WithoutAnAddressUuidThenModelAndPlace) {
  DeviceFacts facts{.model = "Some GPU", .ordinal = 3};
  EXPECT_EQ(BoardName(facts), "Some GPU-3");
  facts.uuid.bytes[1] = 2;
  EXPECT_EQ(BoardName(facts), "uuid-00020000000000000000000000000000");
}

TEST(CudaDeviceNameTest, SimulatedIsNeverCalledReal) {
  EXPECT_EQ(BoardName({.pci_bus_id = "0000:0a:00.0", .simulated = true}), "simulated 0000:0a:00.0");
}

}  // namespace
}  // namespace mortar::cuda
