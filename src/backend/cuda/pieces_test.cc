// Linear copies in pieces, as the driver sees them and as the program does.
#include "backend/cuda/pieces.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "backend/cuda/test_world.h"

namespace mortar::cuda {
namespace {

constexpr std::size_t kKiB = 1024;

struct Part {
  std::uint64_t to = 0, from = 0, bytes = 0, stream = 0;
};

// The test's limit is 1 ms (test_world.h); between any two events the mock says 1 ms.
class PiecesTest : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    mock.elapsed_ms = 1.0F;
  }
  void AddRival() {
    rival = std::make_unique<client::FakePeer>(Directory(), kMockDevice, "rival", 0);
    ASSERT_TRUE(rival->joined());
  }
  // What of `symbol` came to the driver since Forget, in order.
  std::vector<Part> Parts(Symbol symbol) {
    std::vector<Part> parts;
    for (std::size_t i = begun; i < mock.logged.load(); ++i) {
      const MockCall& call = mock.log[i % MockCuda::kCalls];
      if (call.symbol == Index(symbol))
        parts.push_back({call.words[0], call.words[1], call.words[2], call.words[3]});
    }
    return parts;
  }
  void Forget() { begun = mock.logged.load(); }
  std::size_t PiecesOf(std::size_t bytes, CUstream on) {
    Forget();
    EXPECT_EQ(mortar_cuMemcpyHtoDAsync_v2(kTo, Host(), bytes, on), CUDA_SUCCESS);
    return Parts(Symbol::cuMemcpyHtoDAsync_v2).size();
  }
  // Each byte once; the end first, the rest in order.
  static void ExpectCovered(const std::vector<Part>& parts, std::uint64_t to, std::uint64_t from,
                            std::size_t bytes) {
    ASSERT_GT(parts.size(), 1U);
    EXPECT_EQ(parts[0].to + parts[0].bytes, to + bytes);
    std::uint64_t at = to;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].to, at);
      at += parts[i].bytes;
    }
    EXPECT_EQ(at, parts[0].to);
    for (const Part& part : parts) {
      EXPECT_EQ(part.from - from, part.to - to);
      EXPECT_GE(part.bytes, 64 * kKiB);
    }
  }

  static constexpr CUdeviceptr kTo = 0x7000'0003;
  static constexpr CUdeviceptr kFrom = 0x9000'0001;
  static void* Host() { return reinterpret_cast<void*>(std::uintptr_t{0x5000'0007}); }  // not looked at
  static std::uint64_t HostWord() { return 0x5000'0007; }
  std::size_t begun = 0;
  std::unique_ptr<client::FakePeer> rival;
};

TEST_F(PiecesTest, PiecesCoverTheBytesOnceAtAnySizeInEveryForm) {
  AddRival();
  std::size_t bytes = 0;
  const auto expect = [&](Symbol symbol, std::uint64_t to, std::uint64_t from, CUresult status) {
    EXPECT_EQ(status, CUDA_SUCCESS);
    ExpectCovered(Parts(symbol), to, from, bytes);
    Forget();
  };
  for (const std::size_t one : {128 * kKiB, 128 * kKiB + 1, 1000 * kKiB + 7, std::size_t{2'999'999}}) {
    bytes = one;
    Forget();
    expect(Symbol::cuMemcpyHtoDAsync_v2, kTo, HostWord(),
           mortar_cuMemcpyHtoDAsync_v2(kTo, Host(), bytes, stream));
    expect(Symbol::cuMemcpyHtoDAsync_v2_ptsz, kTo, HostWord(),
           mortar_cuMemcpyHtoDAsync_v2_ptsz(kTo, Host(), bytes, stream));
    expect(Symbol::cuMemcpyDtoHAsync_v2, HostWord(), kFrom,
           mortar_cuMemcpyDtoHAsync_v2(Host(), kFrom, bytes, stream));
    expect(Symbol::cuMemcpyDtoDAsync_v2, kTo, kFrom, mortar_cuMemcpyDtoDAsync_v2(kTo, kFrom, bytes, stream));
    expect(Symbol::cuMemcpyAsync, kTo, kFrom, mortar_cuMemcpyAsync(kTo, kFrom, bytes, stream));
    expect(Symbol::cuMemcpyAsync_ptsz, kTo, kFrom, mortar_cuMemcpyAsync_ptsz(kTo, kFrom, bytes, nullptr));
    expect(Symbol::cuMemcpyHtoD_v2, kTo, HostWord(), mortar_cuMemcpyHtoD_v2(kTo, Host(), bytes));
    expect(Symbol::cuMemcpyDtoH_v2, HostWord(), kFrom, mortar_cuMemcpyDtoH_v2(Host(), kFrom, bytes));
    expect(Symbol::cuMemcpy_ptds, kTo, kFrom, mortar_cuMemcpy_ptds(kTo, kFrom, bytes));
    // Those of the first version, with their narrow addresses.
    expect(Symbol::cuMemcpyHtoDAsync, kTo, HostWord(),
           mortar_cuMemcpyHtoDAsync(CUdeviceptr_v1{kTo}, Host(), static_cast<unsigned>(bytes), stream));
    expect(Symbol::cuMemcpyDtoD, kTo, kFrom,
           mortar_cuMemcpyDtoD(CUdeviceptr_v1{kTo}, CUdeviceptr_v1{kFrom}, static_cast<unsigned>(bytes)));
  }
}

TEST_F(PiecesTest, EachPieceIsASubmitOfItsOwnOnTheSameStream) {
  AddRival();
  const std::uint64_t before = Counted();
  const std::size_t pieces = PiecesOf(1100 * kKiB, stream);
  EXPECT_GT(pieces, 2U);
  for (const Part& part : Parts(Symbol::cuMemcpyHtoDAsync_v2)) EXPECT_EQ(part.stream, Word(stream));
  EXPECT_EQ(Counted(), before + pieces);
}

TEST_F(PiecesTest, SizesFollowWhatPiecesTake) {
  AddRival();
  EXPECT_GT(PiecesOf(6400 * kKiB, stream), 50U) << "never timed: begun with a small part";
  mock.elapsed_ms = 0.1F;  // whatever the size
  for (int i = 0; i < 20; ++i) {
    PiecesOf(6401 * kKiB, stream);
    Counted();
  }
  EXPECT_LT(PiecesOf(6401 * kKiB, stream), 10U);
}

TEST_F(PiecesTest, WhatIsLeftWhole) {
  EXPECT_EQ(PiecesOf(2000 * kKiB, stream), 1U) << "nobody to wait for";
  AddRival();
  EXPECT_GT(PiecesOf(2001 * kKiB, stream), 1U);
  EXPECT_EQ(PiecesOf(128 * kKiB - 1, stream), 1U) << "pieces would be under 64 KiB";
  {
    const client::CallbackScope scope;
    EXPECT_EQ(PiecesOf(2003 * kKiB, stream), 1U);
  }
  Forget();
  // Refused by the driver, or so it seems; and onto itself.
  EXPECT_EQ(mortar_cuMemcpyHtoDAsync_v2(0, Host(), 2004 * kKiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemcpyHtoDAsync_v2(~CUdeviceptr{0} - 5, Host(), 2004 * kKiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(Parts(Symbol::cuMemcpyHtoDAsync_v2).size(), 2U);
  EXPECT_EQ(mortar_cuMemcpyDtoDAsync_v2(kTo, kTo + 2000 * kKiB, 2005 * kKiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemcpyDtoDAsync_v2(kTo + 2000 * kKiB, kTo, 2005 * kKiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(Parts(Symbol::cuMemcpyDtoDAsync_v2).size(), 2U);
  EXPECT_EQ(mortar_cuMemsetD8Async(kTo, 0, 2006 * kKiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemsetD32(CUdeviceptr_v1{kTo}, 0x9000'0001U, 2007 * kKiB), CUDA_SUCCESS);
  EXPECT_EQ(Parts(Symbol::cuMemsetD8Async).size(), 1U);
  EXPECT_EQ(Parts(Symbol::cuMemsetD32).size(), 1U);
}

TEST_F(PiecesTest, NothingIsCutWhileACaptureIsOpen) {
  AddRival();
  CUstream captured = nullptr;
  ASSERT_EQ(mortar_cuStreamCreate(&captured, 0), CUDA_SUCCESS);
  mock.captured = reinterpret_cast<std::uintptr_t>(captured);
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  EXPECT_EQ(PiecesOf(2101 * kKiB, captured), 1U);
  EXPECT_EQ(PiecesOf(2102 * kKiB, stream), 1U);
  CUgraph graph = nullptr;
  ASSERT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_SUCCESS);
  EXPECT_GT(PiecesOf(2103 * kKiB, stream), 1U);
}

TEST_F(PiecesTest, TheFirstPiecesErrorIsTheCalls) {
  AddRival();
  mock.Answer(Symbol::cuMemcpyHtoDAsync_v2, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuMemcpyHtoDAsync_v2(kTo, Host(), 2200 * kKiB, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mock.CallsOf(Symbol::cuMemcpyHtoDAsync_v2), 1);
}

TEST_F(PiecesTest, ALaterPiecesErrorIsTheCallsToo) {
  AddRival();
  mock.AnswerAfter(Symbol::cuMemcpyDtoDAsync_v2, 3, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(mortar_cuMemcpyDtoDAsync_v2(kTo, kFrom, 2201 * kKiB, stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(mock.CallsOf(Symbol::cuMemcpyDtoDAsync_v2), 4) << "nothing more is tried";
}

// As while a copy of this thread's is under way.
TEST_F(PiecesTest, NobodyComesBetweenPieces) {
  AddRival();
  client::Lane* lane = FindCaller(stream, false).lane;
  ASSERT_NE(lane, nullptr);
  StreamUse& use = StreamUse::Of(stream, lane);
  ASSERT_TRUE(use.BeginPieces(lane));
  EXPECT_FALSE(use.BeginPieces(lane)) << "one copy at a time";
  const int before = mock.CallsOf(Symbol::cuLaunchKernel);
  std::thread other([&] { EXPECT_EQ(Launch(), CUDA_SUCCESS); });
  while (!use.awaited()) std::this_thread::yield();
  EXPECT_EQ(mock.CallsOf(Symbol::cuLaunchKernel), before);
  EXPECT_EQ(mortar_cuMemcpyHtoDAsync_v2(kTo, Host(), 64, stream), CUDA_SUCCESS) << "the thread's own go on";
  use.EndPieces(lane);
  other.join();
  EXPECT_EQ(mock.CallsOf(Symbol::cuLaunchKernel), before + 1);
  // A thread in the middle of a submit: whole.
  use.Enter(nullptr);
  EXPECT_EQ(PiecesOf(2301 * kKiB, stream), 1U);
  use.Leave();
  EXPECT_GT(PiecesOf(2302 * kKiB, stream), 1U);
}

// Of a thread that never comes back, as after a fork.
TEST_F(PiecesTest, PiecesThatDoNotEndAreWaitedForOnce) {
  auto* gone = reinterpret_cast<const client::Lane*>(0x1000);
  StreamUse use;
  ASSERT_TRUE(use.BeginPieces(gone));
  use.Enter(nullptr);
  use.Leave();
  EXPECT_FALSE(use.awaited());
  auto* other = reinterpret_cast<const client::Lane*>(0x2000);
  EXPECT_TRUE(use.BeginPieces(other)) << "they count as ended";
  use.EndPieces(gone);
  EXPECT_FALSE(use.BeginPieces(gone)) << "and their end ends no others";
}

TEST_F(PiecesTest, ThreadsOwnDefaultStreamsAreTheirOwn) {
  auto* one = reinterpret_cast<const client::Lane*>(0x1000);
  auto* two = reinterpret_cast<const client::Lane*>(0x2000);
  EXPECT_EQ(&StreamUse::Of(kLegacyStream, one), &StreamUse::Of(kLegacyStream, two));
  EXPECT_NE(&StreamUse::Of(kPerThreadStream, one), &StreamUse::Of(kPerThreadStream, two));
}

}  // namespace
}  // namespace mortar::cuda
