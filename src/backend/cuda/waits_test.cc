// Waits, polls and what a wait covered.
#include "backend/cuda/places.h"
#include "backend/cuda/test_world.h"

namespace mortar::cuda {
namespace {

class WaitsTest : public CudaTest {
 protected:
  std::uint64_t Waits() {
    Counted();
    return OwnSlot().counters.waits.load();
  }
};

TEST_F(WaitsTest, EveryWaitIsOne) {
  char room[8];
  CUDA_MEMCPY2D copy{};
  auto* event = reinterpret_cast<CUevent>(0x8000);
  const auto count = [&](auto call) {
    const std::uint64_t before = Waits();
    EXPECT_EQ(call(), CUDA_SUCCESS);
    return Waits() - before - 1;  // one is Counted's own
  };
  EXPECT_EQ(count([&] { return mortar_cuStreamSynchronize(stream); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuStreamSynchronize_ptsz(nullptr); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuEventSynchronize(event); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuCtxSynchronize(); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuCtxSynchronize_v2(mock.context); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuMemFree_v2(0x1000); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuMemcpyDtoH_v2(room, 0x1000, 8); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuMemcpyHtoD_v2(0x1000, room, 8); }), 1U);
  EXPECT_EQ(count([&] { return mortar_cuMemcpy2D_v2(&copy); }), 1U);
  // Those return before the device is done.
  EXPECT_EQ(count([&] { return mortar_cuMemcpyDtoD_v2(0x1000, 0x2000, 8); }), 0U);
  EXPECT_EQ(count([&] { return mortar_cuMemsetD8_v2(0x1000, 0, 8); }), 0U);
  EXPECT_EQ(count([&] { return mortar_cuMemcpyDtoHAsync_v2(room, 0x1000, 8, stream); }), 0U);
  EXPECT_EQ(count([&] { return Launch(); }), 0U);
}

TEST_F(WaitsTest, AsynchronousCopiesOfPageableMemoryWait) {
  char room[8];
  mock.pageable = true;
  const std::uint64_t before = Waits();
  EXPECT_EQ(mortar_cuMemcpyDtoHAsync_v2(room, 0x1000, 8, stream), CUDA_SUCCESS);
  EXPECT_EQ(Waits(), before + 2);
}

TEST_F(WaitsTest, MarksTellWhatWasLastOnAStreamAndBeforeAnEvent) {
  static Marks marks;
  auto* lane = reinterpret_cast<const client::Lane*>(0x10);
  auto* other = reinterpret_cast<const client::Lane*>(0x20);
  EXPECT_EQ(marks.SequenceOf(7, lane), 0U);
  marks.Remember(7, lane, 41);
  EXPECT_EQ(marks.SequenceOf(7, lane), 41U);
  EXPECT_EQ(marks.SequenceOf(7, other), 0U);
  EXPECT_EQ(marks.SequenceOf(8, lane), 0U);
  marks.Remember(7, other, 1);
  EXPECT_EQ(marks.SequenceOf(7, lane), 0U);
}

TEST_F(WaitsTest, PollingAndWaitingGiveTheDriversAnswer) {
  auto* event = reinterpret_cast<CUevent>(0x8000);
  mock.busy = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mortar_cuEventQuery(event), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(mortar_cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(mortar_cuStreamQuery_ptsz(nullptr), CUDA_ERROR_NOT_READY);
  }
  mock.busy = false;
  EXPECT_EQ(mortar_cuEventQuery(event), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamQuery(stream), CUDA_SUCCESS);
}

}  // namespace
}  // namespace mortar::cuda
