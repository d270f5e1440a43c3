// The runtime library as programs see it, where the driver below shows through: what devices and pointers
// are, which launches are refused, what a reset takes.
#include <gtest/gtest.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "simcuda/runtime/types.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) extern "C" CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the interface's names
extern "C" {
cudaError_t cudaGetLastError();
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceReset();
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaDeviceGetAttribute(int* value, int attribute, int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device);
cudaError_t cudaMalloc(void** out, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* pointer);
cudaError_t cudaFuncSetAttribute(const void* kernel, int attribute, int value);
cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments,
                             std::size_t shared_bytes, CUstream stream);
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel, void** arguments);
void** __cudaRegisterFatBinary(void* binary);
void __cudaRegisterFatBinaryEnd(void** handle);
void __cudaRegisterFunction(void** handle, const char* stub, char* device_stub, const char* name, int limit,
                            void*, void*, void*, void*, int*);
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)

namespace mortar::cudart {
namespace {

constexpr char kPtx[] = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry empty() { ret; }
.visible .entry fault() { ret; }
)";
constexpr char kEmpty = 0;  // host stubs: addresses alone
constexpr char kFault = 0;

class CudartTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!directory.empty()) return;
    char path[] = "/tmp/simcuda_runtime_test-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory = path;
    const std::string file = directory + "/gpu.toml";
    const std::string other = directory + "/other.toml";
    std::ofstream(file) << "[device]\nmemory_mib = 64\n[[kernel]]\nname = \"fault\"\nerror = 700\n";
    std::ofstream(other) << "[device]\nmemory_mib = 64\npci_address = \"0000:02:00.0\"\n"
                            "compute_capability = \"8.6\"\n";
    atexit([] { std::filesystem::remove_all(directory); });
    setenv("MORTAR_DIR", path, 1);
    setenv("MORTAR_SIM_DEVICE", (file + ":" + other).c_str(), 1);
    static struct {
      int magic = 0x466243b1;
      int version = 1;
      const void* data = kPtx;
      void* rest = nullptr;
    } binary;
    void** handle = __cudaRegisterFatBinary(&binary);
    for (const auto& [stub, name] : {std::pair{&kEmpty, "empty"}, std::pair{&kFault, "fault"}})
      __cudaRegisterFunction(handle, stub, nullptr, name, -1, nullptr, nullptr, nullptr, nullptr, nullptr);
    __cudaRegisterFatBinaryEnd(handle);
  }
  void TearDown() override {
    cudaGetLastError();
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  }

  // The same by both calls.
  static void ExpectLaunch(cudaError_t expected, dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
    EXPECT_EQ(cudaLaunchKernel(&kEmpty, grid, block, nullptr, shared_bytes, nullptr), expected);
    const cudaLaunchConfig_t config{grid, block, shared_bytes, nullptr, nullptr, 0};
    EXPECT_EQ(cudaLaunchKernelExC(&config, &kEmpty, nullptr), expected);
  }

  static inline std::string directory;
};

TEST_F(CudartTest, ShapesThatNoDeviceTakesAreAConfigurationError) {
  ExpectLaunch(cudaSuccess, {1, 65535, 65535}, {1, 1, 64});
  for (const dim3 grid : {dim3{0, 1, 1}, dim3{1, 65536, 1}, dim3{1, 1, 65536}, dim3{1U << 31, 1, 1}})
    ExpectLaunch(cudaErrorInvalidConfiguration, grid, {1, 1, 1});
  for (const dim3 block : {dim3{1, 0, 1}, dim3{1, 1, 65}, dim3{1025, 1, 1}, dim3{32, 33, 1}})
    ExpectLaunch(cudaErrorInvalidConfiguration, {1, 1, 1}, block);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(CudartTest, SharedMemoryBeyondWhatTheKernelMayTakeIsRefused) {
  constexpr int kMaxDynamic = 8;  // cudaFuncAttributeMaxDynamicSharedMemorySize
  ExpectLaunch(cudaSuccess, {1, 1, 1}, {1, 1, 1}, 49152);
  ExpectLaunch(cudaErrorInvalidValue, {1, 1, 1}, {1, 1, 1}, 49153);
  ExpectLaunch(cudaErrorInvalidValue, {1, 1, 1}, {1, 1, 1}, std::size_t{1} << 32);
  EXPECT_EQ(cudaFuncSetAttribute(&kEmpty, kMaxDynamic, 100 << 10), cudaSuccess);
  ExpectLaunch(cudaSuccess, {1, 1, 1}, {1, 1, 1}, 100 << 10);
  ExpectLaunch(cudaErrorInvalidValue, {1, 1, 1}, {1, 1, 1}, (100 << 10) + 1);
  EXPECT_EQ(cudaFuncSetAttribute(&kEmpty, kMaxDynamic, 49152), cudaSuccess);
}

TEST_F(CudartTest, PropertiesAreTheAttributes) {
  cudaDeviceProp p;
  ASSERT_EQ(cudaGetDeviceProperties(&p, 1), cudaSuccess);
  const auto attribute = [](CUdevice_attribute which) {
    int value = -1;
    EXPECT_EQ(cudaDeviceGetAttribute(&value, which, 1), cudaSuccess);
    EXPECT_GT(value, 0);
    return value;
  };
  EXPECT_EQ(p.concurrentManagedAccess, attribute(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS));
  EXPECT_EQ(p.canUseHostPointerForRegisteredMem,
            attribute(CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM));
  EXPECT_EQ(p.hostRegisterSupported, attribute(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED));
  EXPECT_EQ(p.memoryPoolsSupported, attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED));
  EXPECT_EQ(p.maxBlocksPerMultiProcessor, attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR));
  EXPECT_EQ(p.reservedSharedMemPerBlock,
            static_cast<std::size_t>(attribute(CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK)));
  EXPECT_EQ(p.textureAlignment, static_cast<std::size_t>(attribute(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT)));
  EXPECT_EQ(p.texturePitchAlignment,
            static_cast<std::size_t>(attribute(CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT)));
}

TEST_F(CudartTest, PointerIsOfTheDeviceThatItWasAllocatedOn) {
  void* memory = nullptr;
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
  for (const int current : {1, 0}) {
    cudaPointerAttributes attributes;
    ASSERT_EQ(cudaSetDevice(current), cudaSuccess);
    ASSERT_EQ(cudaPointerGetAttributes(&attributes, memory), cudaSuccess);
    EXPECT_EQ(attributes.device, 1);
  }
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
}

// Also what others who retained the primary context have there, and its error.
TEST_F(CudartTest, ResetTakesAllThatThePrimaryContextHas) {
  CUcontext primary = nullptr;
  void* memory = nullptr;
  std::size_t before = 0;
  std::size_t after = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaFree(nullptr), cudaSuccess);
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuMemGetInfo_v2(&before, &total), CUDA_SUCCESS);
  ASSERT_EQ(cudaMalloc(&memory, 1 << 20), cudaSuccess);
  ASSERT_EQ(cudaLaunchKernel(&kFault, {1, 1, 1}, {1, 1, 1}, nullptr, 0, nullptr), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(cuMemGetInfo_v2(&after, &total), CUDA_SUCCESS);
  EXPECT_EQ(after, before);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  ExpectLaunch(cudaSuccess, {1, 1, 1}, {1, 1, 1});
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

}  // namespace
}  // namespace mortar::cudart
