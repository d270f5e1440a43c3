#include "common/opencl.h"

namespace examples {
namespace {

std::string Text(cl_platform_id platform) {
  char text[256] = {};
  clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(text) - 1, text, nullptr);
  return text;
}

std::string Text(cl_device_id device) {
  char text[256] = {};
  clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(text) - 1, text, nullptr);
  return text;
}

struct Candidate {
  cl_device_id id = nullptr;
  cl_platform_id platform = nullptr;
  std::string name;
};

std::vector<Candidate> ListDevices(cl_device_type type) {
  cl_uint platform_count = 0;
  if (clGetPlatformIDs(0, nullptr, &platform_count) != CL_SUCCESS) return {};
  std::vector<cl_platform_id> platforms(platform_count);
  if (platform_count > 0)
    Check(clGetPlatformIDs(platform_count, platforms.data(), nullptr), "clGetPlatformIDs");
  std::vector<Candidate> found;
  for (cl_platform_id platform : platforms) {
    cl_uint device_count = 0;
    if (clGetDeviceIDs(platform, type, 0, nullptr, &device_count) != CL_SUCCESS || device_count == 0)
      continue;
    std::vector<cl_device_id> devices(device_count);
    Check(clGetDeviceIDs(platform, type, device_count, devices.data(), nullptr), "clGetDeviceIDs");
    for (cl_device_id device : devices) {
      found.push_back({device, platform, Text(platform) + " / " + Text(device)});
    }
  }
  return found;
}

Candidate PickDevice(const std::string& wanted) {
  for (cl_device_type type : {cl_device_type{CL_DEVICE_TYPE_GPU}, cl_device_type{CL_DEVICE_TYPE_ALL}}) {
    for (const Candidate& candidate : ListDevices(type)) {
      if (candidate.name.find(wanted) != std::string::npos) return candidate;
    }
  }
  if (wanted.empty()) {
    throw NoDevice(
        "found no OpenCL device; install a driver, or pocl-opencl-icd to compute on the processor");
  }
  throw NoDevice("found no OpenCL device whose name contains '" + wanted +
                 "'; clinfo -l lists what there is");
}

}  // namespace

void Check(cl_int status, const char* operation) {
  if (status != CL_SUCCESS) {
    throw std::runtime_error(std::string(operation) + " failed with OpenCL status " + std::to_string(status));
  }
}

Device::Device(const std::string& wanted) {
  Candidate picked = PickDevice(wanted);
  name_ = picked.name;
  id_ = picked.id;
  cl_int status = CL_SUCCESS;
  const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                              reinterpret_cast<cl_context_properties>(picked.platform), 0};
  context_.reset(clCreateContext(properties, 1, &id_, nullptr, nullptr, &status));
  Check(status, "clCreateContext");
  queue_.reset(clCreateCommandQueue(context(), id_, 0, &status));
  Check(status, "clCreateCommandQueue");
}

Buffer Device::MakeBuffer(std::size_t bytes) const {
  cl_int status = CL_SUCCESS;
  // Zeros: CLBlast reads an output even where it is multiplied by nothing, and a NaN that lay there would
  // stay.
  std::vector<char> zeros(bytes, 0);
  Buffer buffer(
      clCreateBuffer(context(), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, zeros.data(), &status));
  Check(status, "clCreateBuffer");
  return buffer;
}

Buffer Device::MakeBuffer(const std::vector<float>& values) const {
  std::size_t bytes = values.size() * sizeof(float);
  Buffer buffer = MakeBuffer(bytes);
  Check(clEnqueueWriteBuffer(queue(), buffer.get(), CL_TRUE, 0, bytes, values.data(), 0, nullptr, nullptr),
        "clEnqueueWriteBuffer");
  return buffer;
}

Program Device::Build(const char* source) const {
  cl_int status = CL_SUCCESS;
  Program program(clCreateProgramWithSource(context(), 1, &source, nullptr, &status));
  Check(status, "clCreateProgramWithSource");
  status = clBuildProgram(program.get(), 1, &id_, "", nullptr, nullptr);
  if (status != CL_SUCCESS) {
    std::vector<char> log(16384);
    clGetProgramBuildInfo(program.get(), id_, CL_PROGRAM_BUILD_LOG, log.size() - 1, log.data(), nullptr);
    throw std::runtime_error(std::string("clBuildProgram failed:\n") + log.data());
  }
  return program;
}

Kernel MakeKernel(const Program& program, const char* name) {
  cl_int status = CL_SUCCESS;
  Kernel kernel(clCreateKernel(program.get(), name, &status));
  Check(status, name);
  return kernel;
}

}  // namespace examples
