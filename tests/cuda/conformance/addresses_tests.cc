// Addresses and extents that are none: an error of the call, and nothing is copied.
#include <climits>
#include <cstdint>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kBytes = 4096;

class AddressTest : public SuiteTest {
 protected:
  void SetUp() override {
    SuiteTest::SetUp();
    if (context_ != nullptr) data_ = Memory(kBytes);
  }
  // Two rows of 64 bytes of the host to the device.
  CUDA_MEMCPY2D Up() {
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = host_;
    copy.srcPitch = copy.dstPitch = copy.WidthInBytes = 64;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = data_;
    copy.Height = 2;
    return copy;
  }
  void ExpectRefused(const CUDA_MEMCPY2D& copy) {
    EXPECT_EQ(CU(cuMemcpy2D_v2)(&copy), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(CU(cuMemcpy2DAsync_v2)(&copy, nullptr), CUDA_ERROR_INVALID_VALUE);
  }
  // Two planes of two rows of 64 bytes within the device.
  CUDA_MEMCPY3D Within() const {
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = data_;
    copy.dstDevice = data_ + kBytes / 2;
    copy.srcPitch = copy.dstPitch = copy.WidthInBytes = 64;
    copy.srcHeight = copy.dstHeight = copy.Height = copy.Depth = 2;
    return copy;
  }
  void ExpectRefused(const CUDA_MEMCPY3D& copy) {
    EXPECT_EQ(CU(cuMemcpy3D_v2)(&copy), CUDA_ERROR_INVALID_VALUE);
    CUgraph graph = nullptr;
    CUgraphNode node = nullptr;
    EXPECT_CU(CU(cuGraphCreate)(&graph, 0));
    EXPECT_EQ(CU(cuGraphAddMemcpyNode)(&node, graph, nullptr, 0, &copy, context_), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CU(CU(cuGraphDestroy)(graph));
  }

  CUdeviceptr data_ = 0;
  char host_[2 * kBytes] = {};
};

TEST_P(AddressTest, DevicesSideOfTwoDimensionsLiesInAnAllocation) {
  CUDA_MEMCPY2D copy = Up();
  EXPECT_CU(CU(cuMemcpy2D_v2)(&copy));
  copy.dstDevice = 0;
  ExpectRefused(copy);
  int reaches_all = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&reaches_all, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 0));
  copy.dstDevice = reinterpret_cast<CUdeviceptr>(host_);
  if (reaches_all == 0) ExpectRefused(copy);
  copy = Up();
  copy.Height = kBytes / 64 + 1;
  ExpectRefused(copy);
  copy = Up();
  copy.dstY = kBytes / 64 - 1;
  ExpectRefused(copy);
  copy = Up();
  copy.srcHost = nullptr;
  ExpectRefused(copy);
  EXPECT_CU(CU(cuCtxSynchronize)());
}

TEST_P(AddressTest, ExtentsThatNoAddressReachesAreRefused) {
  CUDA_MEMCPY2D copy = Up();
  copy.dstPitch = std::size_t{INT_MAX} + 1;  // CU_DEVICE_ATTRIBUTE_MAX_PITCH
  ExpectRefused(copy);
  copy = Up();
  copy.dstPitch = std::size_t{1} << 63;  // two rows of it are 2^64: no bytes, modulo that
  copy.Height = 3;
  ExpectRefused(copy);
  copy = Up();
  copy.srcPitch = copy.dstPitch = std::size_t{1} << 30;
  copy.Height = (std::size_t{1} << 34) + 1;  // 2^64 again
  ExpectRefused(copy);
  copy = Up();
  copy.dstXInBytes = SIZE_MAX - 8;
  ExpectRefused(copy);
  EXPECT_EQ(CU(cuMemsetD2D8_v2)(data_, std::size_t{1} << 63, 1, 16, 3), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemsetD2D8Async)(data_, std::size_t{1} << 63, 1, 16, 3, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_CU(CU(cuCtxSynchronize)());
}

TEST_P(AddressTest, ThreeDimensionsAndNodesAreNoDifferent) {
  CUDA_MEMCPY3D copy = Within();
  EXPECT_CU(CU(cuMemcpy3D_v2)(&copy));
  copy.srcDevice = 0;
  ExpectRefused(copy);
  copy = Within();
  copy.Depth = kBytes / 128 + 1;
  ExpectRefused(copy);
  copy = Within();
  copy.srcPitch = copy.dstPitch = std::size_t{1} << 30;
  copy.srcHeight = copy.dstHeight = std::size_t{1} << 33;
  copy.Depth = 3;
  ExpectRefused(copy);
  EXPECT_CU(CU(cuCtxSynchronize)());
}

TEST_P(AddressTest, UnifiedAddressesAreNotNullAndStayInTheirAllocation) {
  const auto host = reinterpret_cast<CUdeviceptr>(host_);
  EXPECT_CU(CU(cuMemcpy)(data_, host, kBytes));
  EXPECT_EQ(CU(cuMemcpy)(0, data_, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemcpy)(data_, 0, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemcpy)(host, data_, 2 * kBytes), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemcpyAsync)(data_ + 8, host, kBytes, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_CU(CU(cuMemcpy)(0, 0, 0));
  EXPECT_CU(CU(cuCtxSynchronize)());
}

TEST_P(AddressTest, HostMemoryIsRegisteredAsAWholeOrNotAtAll) {
  EXPECT_CU(CU(cuMemHostRegister_v2)(host_, kBytes, 0));
  EXPECT_EQ(CU(cuMemcpyHtoD_v2)(data_, host_ + kBytes / 2, kBytes), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(CU(cuMemcpyDtoH_v2)(host_ + kBytes / 2, data_, kBytes), CUDA_ERROR_INVALID_VALUE);
  EXPECT_CU(CU(cuMemcpyHtoD_v2)(data_, host_ + kBytes, kBytes)) << "behind it";
  EXPECT_CU(CU(cuMemHostUnregister)(host_));
}

CONFORMANCE_BOTH_WAYS(AddressTest);

}  // namespace
}  // namespace mortar::conformance
