// Programs of the mock driver: opaque handles, however they are made.
#include <array>

#include "backend/opencl/mock_recorded.h"

namespace mortar::opencl {
namespace {

cl_program NewProgram(const char* name, cl_int* error) {
  static std::array<char, 8> handles;
  static std::size_t made = 0;
  MockDriver& mock = MockDriver::Get();
  mock.Record(name);
  const cl_int answer = mock.answer.load();
  if (error != nullptr) *error = answer;
  return answer == CL_SUCCESS ? reinterpret_cast<cl_program>(&handles[made++ % handles.size()]) : nullptr;
}

cl_program CL_API_CALL WithSource(cl_context, cl_uint, const char**, const std::size_t*, cl_int* error) {
  return NewProgram("clCreateProgramWithSource", error);
}
cl_program CL_API_CALL WithIl(cl_context, const void*, std::size_t, cl_int* error) {
  return NewProgram("clCreateProgramWithIL", error);
}
cl_program CL_API_CALL WithBinary(cl_context, cl_uint, const cl_device_id*, const std::size_t*,
                                  const unsigned char**, cl_int*, cl_int* error) {
  return NewProgram("clCreateProgramWithBinary", error);
}
cl_program CL_API_CALL WithBuiltIn(cl_context, cl_uint, const cl_device_id*, const char*, cl_int* error) {
  return NewProgram("clCreateProgramWithBuiltInKernels", error);
}
cl_program CL_API_CALL Link(cl_context, cl_uint, const cl_device_id*, const char*, cl_uint, const cl_program*,
                            void(CL_CALLBACK*)(cl_program, void*), void*, cl_int* error) {
  return NewProgram("clLinkProgram", error);
}

}  // namespace

void InstallMockPrograms(cl_icd_dispatch* table) {
  table->clCreateProgramWithSource = WithSource;
  table->clCreateProgramWithIL = WithIl;
  table->clCreateProgramWithBinary = WithBinary;
  table->clCreateProgramWithBuiltInKernels = WithBuiltIn;
  table->clLinkProgram = Link;
  table->clBuildProgram = Recorded<"clBuildProgram", decltype(table->clBuildProgram)>::Call;
  table->clCompileProgram = Recorded<"clCompileProgram", decltype(table->clCompileProgram)>::Call;
}

}  // namespace mortar::opencl
