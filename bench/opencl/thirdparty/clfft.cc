// Transforms by clFFT, again and again: a program against a library that is not ours. Prints a line for each
// lap of five transforms, with a checksum of the numbers' bits. Usage: clfft LAPS
#include <clFFT.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kLength = 1024;
constexpr std::size_t kBatch = 16;

void Require(cl_int error, const char* call) {
  if (error == CL_SUCCESS) return;
  std::fprintf(stderr, "clfft: %s answers %d\n", call, error);
  std::exit(1);
}

std::uint64_t Checksum(const std::vector<float>& numbers) {
  std::uint64_t sum = 0;
  for (const float number : numbers) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    sum = (sum ^ bits) * 0x100000001b3ULL;  // FNV
  }
  return sum;
}

}  // namespace

int main(int count, char** words) {
  const int laps = count > 1 ? std::atoi(words[1]) : 100;
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  cl_int error = CL_SUCCESS;
  Require(clGetPlatformIDs(1, &platform, nullptr), "clGetPlatformIDs");
  Require(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr), "clGetDeviceIDs");
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
  Require(error, "clCreateContext");
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &error);
  Require(error, "clCreateCommandQueue");

  std::vector<float> numbers(2 * kLength * kBatch);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<float>(i * 2654435761U % 1000) / 1000;
  cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                 numbers.size() * sizeof(float), numbers.data(), &error);
  Require(error, "clCreateBuffer");

  clfftSetupData setup;
  Require(clfftInitSetupData(&setup), "clfftInitSetupData");
  Require(clfftSetup(&setup), "clfftSetup");
  clfftPlanHandle plan = 0;
  const std::size_t length = kLength;
  Require(clfftCreateDefaultPlan(&plan, context, CLFFT_1D, &length), "clfftCreateDefaultPlan");
  Require(clfftSetPlanBatchSize(plan, kBatch), "clfftSetPlanBatchSize");
  Require(clfftSetLayout(plan, CLFFT_COMPLEX_INTERLEAVED, CLFFT_COMPLEX_INTERLEAVED), "clfftSetLayout");
  Require(clfftSetResultLocation(plan, CLFFT_INPLACE), "clfftSetResultLocation");
  Require(clfftBakePlan(plan, 1, &queue, nullptr, nullptr), "clfftBakePlan");

  for (int lap = 0; lap < laps; ++lap) {
    // There and back two and a half times: the numbers stay in range, and every lap's differ.
    for (int i = 0; i < 5; ++i) {
      const clfftDirection direction = (lap * 5 + i) % 2 == 0 ? CLFFT_FORWARD : CLFFT_BACKWARD;
      Require(
          clfftEnqueueTransform(plan, direction, 1, &queue, 0, nullptr, nullptr, &buffer, nullptr, nullptr),
          "clfftEnqueueTransform");
    }
    Require(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, numbers.size() * sizeof(float), numbers.data(), 0,
                                nullptr, nullptr),
            "clEnqueueReadBuffer");
    std::printf("lap %d %016llx\n", lap, static_cast<unsigned long long>(Checksum(numbers)));
    std::fflush(stdout);
  }
  clfftDestroyPlan(&plan);
  clfftTeardown();
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  return 0;
}
