// Copies of megabytes, of odd sizes between odd places: under the shim they may go in pieces.
#include <cstdint>
#include <cstring>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kBytes = (std::size_t{3} << 20) + 4099;
constexpr unsigned int kNonBlocking = 1;

std::vector<std::uint8_t> Pattern(std::uint32_t seed) {
  std::vector<std::uint8_t> bytes(kBytes);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return bytes;
}

class LongCopyTest : public SuiteTest {
 protected:
  void SetUp() override {
    SuiteTest::SetUp();
    a = Memory(kBytes + 64);
    b = Memory(kBytes + 64);
    ASSERT_CU(CU(cuMemHostAlloc)(reinterpret_cast<void**>(&pinned), kBytes, 0));
  }
  void TearDown() override {
    EXPECT_CU(CU(cuMemFreeHost)(pinned));
    SuiteTest::TearDown();
  }
  CUdeviceptr a = 0, b = 0;
  std::uint8_t* pinned = nullptr;
};

TEST_P(LongCopyTest, BytesArriveInStreamOrderFromPinnedMemory) {
  CUstream stream = Stream(kNonBlocking);
  std::vector<std::uint8_t> back(kBytes);
  for (std::uint32_t round = 0; round < 3; ++round) {
    const std::vector<std::uint8_t> bytes = Pattern(round);
    std::memcpy(pinned, bytes.data(), kBytes);
    EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(a + 1, pinned, kBytes, stream));
    EXPECT_CU(CU(cuMemcpyDtoDAsync_v2)(b + 7 * round, a + 1, kBytes - round, stream));
    EXPECT_CU(CU(cuMemcpyAsync)(a + 2, b + 7 * round, kBytes - round, stream));
    EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(pinned, a + 2, kBytes - round, stream));
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
    EXPECT_EQ(std::memcmp(pinned, bytes.data(), kBytes - round), 0) << round;
  }
}

TEST_P(LongCopyTest, BytesArriveFromPageableMemoryAndByCallsThatWait) {
  CUstream stream = Stream(kNonBlocking);
  std::vector<std::uint8_t> back(kBytes);
  for (std::uint32_t round = 0; round < 3; ++round) {
    std::vector<std::uint8_t> bytes = Pattern(round + 10);
    const std::vector<std::uint8_t> given = bytes;
    EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(a, bytes.data(), kBytes, stream));
    bytes.assign(kBytes, 0);  // it may change at once
    EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(back.data(), a, kBytes, stream));
    EXPECT_TRUE(back == given) << round;
    bytes = Pattern(round + 20);
    EXPECT_CU(CU(cuMemcpyHtoD_v2)(a + 3, bytes.data(), kBytes));
    EXPECT_CU(CU(cuMemcpyDtoD_v2)(b, a + 3, kBytes));
    EXPECT_CU(CU(cuMemcpyDtoH_v2)(back.data(), b, kBytes));
    EXPECT_TRUE(back == bytes) << round;
    EXPECT_CU(CU(cuMemcpy)(a, b, kBytes));
    EXPECT_CU(CU(cuMemcpyDtoH_v2)(back.data(), a, kBytes));
    EXPECT_TRUE(back == bytes) << round;
  }
}

TEST_P(LongCopyTest, WhatIsRefusedChangesNothing) {
  if (!IsSimulated()) GTEST_SKIP() << "what lies behind the memory is not known";
  const std::vector<std::uint8_t> bytes = Pattern(30);
  EXPECT_CU(CU(cuMemcpyHtoD_v2)(a, bytes.data(), kBytes));
  const std::vector<std::uint8_t> more(16 * kBytes, 1);
  EXPECT_EQ(CU(cuMemcpyHtoD_v2)(a, more.data(), more.size()), CUDA_ERROR_INVALID_VALUE);
  std::vector<std::uint8_t> back(kBytes);
  EXPECT_CU(CU(cuMemcpyDtoH_v2)(back.data(), a, kBytes));
  EXPECT_TRUE(back == bytes);
}

TEST_P(LongCopyTest, ACaptureTakesTheCopyAsOneNode) {
  CUstream stream = Stream(kNonBlocking);
  CUgraph graph = nullptr;
  EXPECT_CU(CU(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(a, pinned, kBytes, stream));
  EXPECT_CU(CU(cuStreamEndCapture)(stream, &graph));
  std::size_t nodes = 0;
  EXPECT_CU(CU(cuGraphGetNodes)(graph, nullptr, &nodes));
  EXPECT_EQ(nodes, 1U);
  EXPECT_CU(CU(cuGraphDestroy)(graph));
}

CONFORMANCE_BOTH_WAYS(LongCopyTest);

}  // namespace
}  // namespace mortar::conformance
