// Takes buffers, images and shared virtual memory from a real driver through Mortar's layer until the limit
// says no, with several threads at once, and checks what it is told. Usage: memory_probe LAYER; ends with 0,
// 1 or 77.
#include <CL/cl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kLimit = 64 * kMiB;

int failures = 0;
void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "memory_probe: not so: %s\n", what);
  ++failures;
}

cl_ulong Ask(cl_device_id device, cl_device_info what) {
  cl_ulong bytes = 0;
  clGetDeviceInfo(device, what, sizeof bytes, &bytes, nullptr);
  return bytes;
}

// Threads that take and give back; the bytes of all living buffers never pass the limit.
void Race(cl_context context) {
  std::atomic<std::size_t> now{0};
  std::atomic<bool> over{false};
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        cl_int error = CL_SUCCESS;
        cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 24 * kMiB, nullptr, &error);
        if (buffer == nullptr) {
          if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE) over.store(true);
          continue;
        }
        ++made;
        if (now.fetch_add(24 * kMiB) + 24 * kMiB > kLimit) over.store(true);
        now.fetch_sub(24 * kMiB);
        clReleaseMemObject(buffer);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  Expect(!over.load() && made.load() > 0, "threads that race stay within the limit");
}

int Probe(cl_device_id device) {
  cl_int error = CL_SUCCESS;
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
  if (context == nullptr) return 77;
  Expect(Ask(device, CL_DEVICE_GLOBAL_MEM_SIZE) == kLimit, "the device's memory is the limit");
  Expect(Ask(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE) <= kLimit, "no allocation is promised beyond it");
  cl_mem most = clCreateBuffer(context, CL_MEM_READ_WRITE, kLimit - kMiB, nullptr, &error);
  Expect(most != nullptr && error == CL_SUCCESS, "what fits is made");
  cl_mem none = clCreateBuffer(context, CL_MEM_READ_WRITE, 2 * kMiB, nullptr, &error);
  Expect(none == nullptr && error == CL_MEM_OBJECT_ALLOCATION_FAILURE, "what does not fit is out of memory");
  const cl_buffer_region region{0, kMiB};
  cl_mem part = clCreateSubBuffer(most, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
  Expect(part != nullptr, "a part takes nothing of its own");
  clReleaseMemObject(most);
  none = clCreateBuffer(context, CL_MEM_READ_WRITE, 2 * kMiB, nullptr, &error);
  Expect(none == nullptr, "the part keeps the whole");
  clReleaseMemObject(part);
  cl_mem again = clCreateBuffer(context, CL_MEM_READ_WRITE, kLimit, nullptr, &error);
  Expect(again != nullptr, "with its last reference it is given back");
  if (again != nullptr) clReleaseMemObject(again);
  const cl_image_format format{CL_RGBA, CL_UNORM_INT8};
  cl_image_desc description{};
  description.image_type = CL_MEM_OBJECT_IMAGE2D;
  description.image_width = description.image_height = 5000;  // 100 MB
  cl_mem image = clCreateImage(context, CL_MEM_READ_WRITE, &format, &description, nullptr, &error);
  Expect(image == nullptr && error == CL_MEM_OBJECT_ALLOCATION_FAILURE, "images count");
  if (void* shared = clSVMAlloc(context, CL_MEM_READ_WRITE, kMiB, 0)) {
    Expect(clSVMAlloc(context, CL_MEM_READ_WRITE, kLimit, 0) == nullptr, "shared memory counts");
    clSVMFree(context, shared);
  }
  Expect(clCreateBuffer(context, CL_MEM_READ_WRITE, 0, nullptr, &error) == nullptr &&
             error == CL_INVALID_BUFFER_SIZE,
         "the driver's own refusals stay");
  Race(context);
  again = clCreateBuffer(context, CL_MEM_READ_WRITE, kLimit, nullptr, &error);
  Expect(again != nullptr, "nothing was lost on the way");
  if (again != nullptr) clReleaseMemObject(again);
  clReleaseContext(context);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  std::string directory = "/dev/shm/memory-probe-" + std::to_string(getpid());
  mkdir(directory.c_str(), 0700);
  setenv("MORTAR_DIR", directory.c_str(), 1);
  setenv("MORTAR_PROFILES", "", 1);
  setenv("MORTAR_MEMORY", std::to_string(kLimit).c_str(), 1);
  setenv("OPENCL_LAYERS", words[1], 1);
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  int code = 77;
  if (clGetPlatformIDs(1, &platform, nullptr) == CL_SUCCESS &&
      clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) == CL_SUCCESS) {
    code = Probe(device);
  }
  if (code == 77) std::fprintf(stderr, "memory_probe: no OpenCL device: install pocl-opencl-icd\n");
  const std::string remove = "rm -rf '" + directory + "'";
  return std::system(remove.c_str()) == 0 ? code : 1;
}
