#include "cuda/api/symbols.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "cuda/api/types.h"

namespace mortar::cuda {
namespace {

constexpr Symbol At(int index) { return static_cast<Symbol>(index); }

TEST(CudaSymbolsTest, EveryNameFindsItself) {
  for (int i = 0; i < kSymbols; ++i) EXPECT_EQ(FindSymbol(NameOf(At(i))), At(i)) << NameOf(At(i));
  EXPECT_EQ(NameOf(Symbol::cuLaunchKernel_ptsz), std::string("cuLaunchKernel_ptsz"));
  for (const char* unknown : {"", "c", "cuInit2", "cuLaunchKernel_", "zz"})
    EXPECT_EQ(FindSymbol(unknown), Symbol::kEnd) << unknown;
}

TEST(CudaSymbolsTest, ClassesAddUpToTheSubmitsOfTheIssue) {
  std::map<Class, int> of;
  int submits = 0;
  for (int i = 0; i < kSymbols; ++i) {
    ++of[ClassOf(At(i))];
    submits += IsSubmit(ClassOf(At(i))) ? 1 : 0;
  }
  EXPECT_EQ(submits, 178);
  EXPECT_EQ(of[Class::kLaunch], 12);
  EXPECT_EQ(ClassOf(Symbol::cuLaunchKernelEx_ptsz), Class::kLaunch);
  EXPECT_EQ(ClassOf(Symbol::cuMemcpyDtoH_v2_ptds), Class::kTransfer);
  EXPECT_EQ(ClassOf(Symbol::cuStreamWriteValue32_v2), Class::kOrder);
  EXPECT_EQ(ClassOf(Symbol::cuCtxSynchronize_v2), Class::kWait);
  EXPECT_EQ(ClassOf(Symbol::cuGetExportTable), Class::kPlain);
  EXPECT_EQ(ClassOf(Symbol::cuMemAlloc_v2), Class::kMemory);
}

TEST(CudaSymbolsTest, VersionAndFlagChooseTheSymbol) {
  struct Case {
    const char* name;
    int version;
    bool per_thread;
    Symbol expected;
  };
  // The pairs of version and symbol that cudaTypedefs.h and cuda.h of CUDA 13.0 show.
  for (const Case& c : {
           Case{"cuMemAlloc", 3010, false, Symbol::cuMemAlloc},
           Case{"cuMemAlloc", 3020, false, Symbol::cuMemAlloc_v2},
           Case{"cuMemAlloc", 13000, true, Symbol::cuMemAlloc_v2},
           Case{"cuLaunchKernel", 12000, false, Symbol::cuLaunchKernel},
           Case{"cuLaunchKernel", 12000, true, Symbol::cuLaunchKernel_ptsz},
           Case{"cuLaunchKernel", 6050, true, Symbol::cuLaunchKernel},
           Case{"cuLaunchKernel", 3020, false, Symbol::kEnd},
           Case{"cuStreamGetCaptureInfo", 10010, false, Symbol::cuStreamGetCaptureInfo},
           Case{"cuStreamGetCaptureInfo", 11030, true, Symbol::cuStreamGetCaptureInfo_v2_ptsz},
           Case{"cuStreamGetCaptureInfo", 12030, false, Symbol::cuStreamGetCaptureInfo_v3},
           Case{"cuGetProcAddress", 11030, false, Symbol::cuGetProcAddress},
           Case{"cuGetProcAddress", 12000, true, Symbol::cuGetProcAddress_v2},
           Case{"cuCtxCreate", 12050, false, Symbol::cuCtxCreate_v4},
           Case{"cuMemcpyDtoH", 99999, true, Symbol::cuMemcpyDtoH_v2_ptds},
           Case{"cuMemcpyDtoH_v2", 99999, false, Symbol::kEnd},
           Case{"cuNoSuchThing", 99999, false, Symbol::kEnd},
       }) {
    EXPECT_EQ(SymbolFor(c.name, c.version, c.per_thread), c.expected) << c.name << " " << c.version;
  }
}

TEST(CudaSymbolsTest, EverySymbolIsAnsweredAtItsOwnVersion) {
  for (int i = 0; i < kSymbols; ++i) {
    const std::string name = NameOf(At(i));
    const bool per_thread = name.ends_with("_ptsz") || name.ends_with("_ptds");
    std::string base = per_thread ? name.substr(0, name.size() - 5) : name;
    if (base.size() > 3 && base[base.size() - 3] == '_' && base[base.size() - 2] == 'v')
      base.resize(base.size() - 3);
    const int since = VersionOf(At(i));
    EXPECT_GT(since, 0) << name;
    EXPECT_LE(since, kTableVersion) << name;
    EXPECT_EQ(SymbolFor(base, since, per_thread), At(i)) << name;
  }
}

TEST(CudaTypesTest, NumbersAreTheInterfaces) {
  EXPECT_EQ(CUDA_ERROR_NOT_READY, 600);
  EXPECT_EQ(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 901);
  EXPECT_EQ(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 33);
}

}  // namespace
}  // namespace mortar::cuda
