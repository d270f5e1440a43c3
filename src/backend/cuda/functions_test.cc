// Names of kernels and graphs, by every way in which a program comes by them.
#include "backend/cuda/functions.h"

#include "backend/cuda/test_world.h"
#include "model/kernel_id.h"

namespace mortar::cuda {
namespace {

class FunctionsTest : public CudaTest {
 protected:
  static std::string NameIn(const void* handle) {
    const Function* known = FindFunction(handle);
    return known != nullptr ? std::string(known->text()) : "(unknown)";
  }
};

TEST_F(FunctionsTest, NamesComeFromWhereFunctionsAreLookedUp) {
  EXPECT_EQ(NameIn(MakeFunction("gemm")), "gemm");
  CUkernel kernel = nullptr;
  ASSERT_EQ(mortar_cuLibraryGetKernel(&kernel, nullptr, "softmax"), CUDA_SUCCESS);
  EXPECT_EQ(NameIn(kernel), "softmax");
  CUfunction behind = nullptr;
  ASSERT_EQ(mortar_cuKernelGetFunction(&behind, kernel), CUDA_SUCCESS);
  EXPECT_EQ(NameIn(behind), "softmax") << "the driver was not even asked";
}

TEST_F(FunctionsTest, KernelPassedAsAFunctionIsRecognised) {
  CUkernel kernel = nullptr;
  ASSERT_EQ(mortar_cuLibraryGetKernel(&kernel, nullptr, "softmax"), CUDA_SUCCESS);
  const int asked = mock.CallsOf(Symbol::cuFuncGetName);
  EXPECT_EQ(Launch(reinterpret_cast<CUfunction>(kernel), stream), CUDA_SUCCESS);
  EXPECT_EQ(mock.CallsOf(Symbol::cuFuncGetName), asked);
  EXPECT_EQ(NameIn(kernel), "softmax");
}

TEST_F(FunctionsTest, UnseenHandlesAreAskedAboutOnceTheyHaveBeenLaunched) {
  auto* unseen = reinterpret_cast<CUfunction>(0x77700);
  mock.function_name = "told by the driver";
  mock.Answer(Symbol::cuLaunchKernel, CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(Launch(unseen, stream), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(mock.CallsOf(Symbol::cuFuncGetName), 0) << "a bad handle is the driver's to refuse, not to name";
  mock.Answer(Symbol::cuLaunchKernel, CUDA_SUCCESS);
  EXPECT_EQ(Launch(unseen, stream), CUDA_SUCCESS);
  EXPECT_EQ(NameIn(unseen), "told by the driver");

  auto* kernel = reinterpret_cast<CUfunction>(0x77800);
  mock.function_name = nullptr;
  mock.kernel_name = "a kernel's";
  EXPECT_EQ(Launch(kernel, stream), CUDA_SUCCESS);
  EXPECT_EQ(NameIn(kernel), "a kernel's");

  // A driver before CUDA 12.3, and a function that came out of the runtime's private tables.
  auto* nameless = reinterpret_cast<CUfunction>(0x77900);
  mock.kernel_name = nullptr;
  EXPECT_EQ(Launch(nameless, stream), CUDA_SUCCESS);
  EXPECT_EQ(NameIn(nameless), "kernel");
}

TEST_F(FunctionsTest, HandleGivenOutAgainIsLearnedAnew) {
  auto* handle = reinterpret_cast<CUfunction>(mock.next_handle.load());
  ASSERT_EQ(MakeFunction("old"), handle);
  mock.next_handle = reinterpret_cast<std::uintptr_t>(handle);
  ASSERT_EQ(MakeFunction("new"), handle);
  EXPECT_EQ(NameIn(handle), "new");
}

TEST_F(FunctionsTest, LongNamesAreCutButToldApart) {
  const std::string a(200, 'a');
  CUfunction first = MakeFunction((a + "1").c_str());
  CUfunction second = MakeFunction((a + "2").c_str());
  EXPECT_EQ(NameIn(first), a.substr(0, 63));
  EXPECT_NE(FindFunction(first)->name_hash, FindFunction(second)->name_hash);
}

TEST_F(FunctionsTest, GraphsAreNamedInTheOrderOfTheirMaking) {
  CUgraphExec first = nullptr;
  CUgraphExec second = nullptr;
  ASSERT_EQ(mortar_cuGraphInstantiateWithFlags(&first, nullptr, 0), CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuGraphInstantiateWithFlags(&second, nullptr, 0), CUDA_SUCCESS);
  const std::string name(FindGraph(first)->text());
  EXPECT_TRUE(name.starts_with("graph ") && name.ends_with(" (7 nodes)")) << name;
  EXPECT_NE(FindGraph(first)->name_hash, FindGraph(second)->name_hash);
  EXPECT_EQ(FindGraph(reinterpret_cast<CUgraphExec>(0x66600))->text(), "graph");
}

TEST_F(FunctionsTest, SmallScalarsTellLaunchesApartAndPointersDoNot) {
  CUfunction f = MakeFunction("by size");
  Function* known = FindFunction(f);
  void* pointer = nullptr;
  int number = 3;
  void* arguments[] = {&pointer, &number};
  const std::uint64_t three = HashArguments(*known, f, arguments);
  pointer = &number;
  EXPECT_EQ(HashArguments(*known, f, arguments), three);
  number = 4;
  EXPECT_NE(HashArguments(*known, f, arguments), three);
  EXPECT_EQ(HashArguments(*known, f, nullptr), 0U) << "arguments in a buffer of the program's making";
}

}  // namespace
}  // namespace mortar::cuda
