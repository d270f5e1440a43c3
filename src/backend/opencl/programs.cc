#include "backend/opencl/programs.h"

#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/opencl/extensions.h"
#include "backend/opencl/layer.h"
#include "backend/opencl/slicing/source_scan.h"
#include "backend/opencl/slicing/spirv_scan.h"

namespace mortar::opencl {
namespace {

struct Program {
  std::vector<slicing::KernelSafety> kernels;
  slicing::Safety all = slicing::Safety::kNever;  // from SPIR-V: the same for each
};

// Programs are few; those that were released stay until their handle is given out again. Never destroyed,
// since threads may outlive the end of main.
struct Programs {
  std::mutex mutex;
  std::unordered_map<cl_program, Program> known;
};
Programs& All() {
  static auto* programs = new Programs;
  return *programs;
}

void Forget(cl_program program) {
  if (program == nullptr) return;
  const std::lock_guard lock(All().mutex);
  All().known.erase(program);
}

void Remember(cl_program handle, Program program) {
  const std::lock_guard lock(All().mutex);
  All().known.insert_or_assign(handle, std::move(program));
}

// Runs `read`; whatever goes wrong (there is no memory), nothing is known of the program.
template <typename Read>
void ReadSafely(cl_program program, Read&& read) {
  if (program == nullptr) return;
  try {
    Forget(program);
    read();
  } catch (const std::exception&) {
  }
}

cl_program CL_API_CALL CreateWithSource(cl_context context, cl_uint count, const char** strings,
                                        const std::size_t* lengths, cl_int* error) noexcept {
  cl_program program = next.clCreateProgramWithSource(context, count, strings, lengths, error);
  ReadSafely(program, [&] {
    std::string source;
    for (cl_uint i = 0; i < count; ++i) {
      const bool given = lengths != nullptr && lengths[i] != 0;
      source.append(strings[i], given ? lengths[i] : std::strlen(strings[i]));
    }
    Remember(program, {.kernels = slicing::ScanSource(source)});
  });
  return program;
}

cl_program CL_API_CALL CreateWithIl(cl_context context, const void* il, std::size_t size,
                                    cl_int* error) noexcept {
  cl_program program = next.clCreateProgramWithIL(context, il, size, error);
  ReadSafely(program, [&] { Remember(program, {.kernels = {}, .all = slicing::ScanSpirv(il, size)}); });
  return program;
}

// The rest: made from what cannot be read. Their handles may have been others' before.
cl_program CL_API_CALL CreateWithBinary(cl_context context, cl_uint count, const cl_device_id* devices,
                                        const std::size_t* lengths, const unsigned char** binaries,
                                        cl_int* status, cl_int* error) noexcept {
  cl_program program =
      next.clCreateProgramWithBinary(context, count, devices, lengths, binaries, status, error);
  Forget(program);
  return program;
}

cl_program CL_API_CALL CreateWithBuiltIn(cl_context context, cl_uint count, const cl_device_id* devices,
                                         const char* names, cl_int* error) noexcept {
  cl_program program = next.clCreateProgramWithBuiltInKernels(context, count, devices, names, error);
  Forget(program);
  return program;
}

using Notify = void(CL_CALLBACK*)(cl_program, void*);

cl_program CL_API_CALL Link(cl_context context, cl_uint count, const cl_device_id* devices,
                            const char* options, cl_uint inputs, const cl_program* programs, Notify notify,
                            void* data, cl_int* error) noexcept {
  cl_program program =
      next.clLinkProgram(context, count, devices, options, inputs, programs, notify, data, error);
  Forget(program);
  return program;
}

struct CreateWithIlKhr {
  using Function = clCreateProgramWithILKHR_fn;
  static constexpr std::string_view kName = "clCreateProgramWithILKHR";
  static cl_program Call(Function real, auto... arguments) noexcept {
    cl_program program = real(arguments...);
    Forget(program);
    return program;
  }
};

void OnBuild(cl_program program, const char* options) {
  if (options == nullptr) return;
  bool harmless = false;
  try {
    harmless = slicing::OptionsAreHarmless(options);
  } catch (const std::exception&) {
  }
  if (!harmless) Forget(program);
}

cl_int CL_API_CALL Build(cl_program program, cl_uint count, const cl_device_id* devices, const char* options,
                         Notify notify, void* data) noexcept {
  OnBuild(program, options);
  return next.clBuildProgram(program, count, devices, options, notify, data);
}

cl_int CL_API_CALL Compile(cl_program program, cl_uint count, const cl_device_id* devices,
                           const char* options, cl_uint headers, const cl_program* header_programs,
                           const char** names, Notify notify, void* data) noexcept {
  OnBuild(program, options);
  return next.clCompileProgram(program, count, devices, options, headers, header_programs, names, notify,
                               data);
}

}  // namespace

slicing::Safety SafetyOf(cl_program program, std::uint64_t kernel_name_hash) noexcept {
  const std::lock_guard lock(All().mutex);
  const auto known = All().known.find(program);
  if (known == All().known.end()) return slicing::Safety::kNever;
  for (const slicing::KernelSafety& kernel : known->second.kernels) {
    if (kernel.name_hash == kernel_name_hash) return kernel.safety;
  }
  return known->second.all;
}

std::span<const Extension> ProgramExtensions() {
  static constexpr Extension kCreate[] = {MakeExtension<CreateWithIlKhr>()};
  return kCreate;
}

void InstallPrograms(cl_icd_dispatch* table) {
  table->clCreateProgramWithSource = CreateWithSource;
  table->clCreateProgramWithIL = CreateWithIl;
  table->clCreateProgramWithBinary = CreateWithBinary;
  table->clCreateProgramWithBuiltInKernels = CreateWithBuiltIn;
  table->clLinkProgram = Link;
  table->clBuildProgram = Build;
  table->clCompileProgram = Compile;
}

}  // namespace mortar::opencl
