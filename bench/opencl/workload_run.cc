#include <CL/cl.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <deque>

#include "base/clock.h"
#include "bench/opencl/workload.h"
#include "bench/pulse.h"
#include "emulated/clock.h"

namespace mortar::workload {
namespace {

using base::Error;
using base::MonotonicNs;
using base::Status;

constexpr std::size_t kItems = 64;  // of a group, and of a holder's kernel; chosen: next to no work
constexpr std::int64_t kProgressEveryNs = 1'000'000;  // chosen

volatile std::sig_atomic_t stopped = 0;
void Stop(int) { stopped = 1; }

// The host's own work: asleep for most of it, so that it leaves its processor to others, but exact.
void ThinkUntil(std::int64_t instant_ns) {
  if (instant_ns - MonotonicNs() > emulated::kSpinNs) emulated::SleepUntil(instant_ns - emulated::kSpinNs);
  emulated::SpinUntil(instant_ns);
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options),
        items_(options.role == Role::kHolder ? kItems : static_cast<std::size_t>(options.filler_items)) {}
  ~Program() {
    for (cl_event event : pending_) clReleaseEvent(event);
    if (kernel_ != nullptr) clReleaseKernel(kernel_);
    if (program_ != nullptr) clReleaseProgram(program_);
    if (buffer_ != nullptr) clReleaseMemObject(buffer_);
    if (queue_ != nullptr) clReleaseCommandQueue(queue_);
    if (context_ != nullptr) clReleaseContext(context_);
  }
  Program(const Program&) = delete;

  Status Prepare();
  Status OpenPulse() { return options_.pulse_file.empty() ? Status() : pulse_.Open(options_.pulse_file); }
  Status Holder(Measured* measured);
  Status Filler(Measured* measured);
  // Every kernel adds 1 to each number of the buffer.
  base::Result<bool> Check();
  Status WarmUp();

 private:
  Status Launch(cl_event* event) {
    const cl_int error =
        clEnqueueNDRangeKernel(queue_, kernel_, 1, nullptr, &items_, &kItems, 0, nullptr, event);
    if (error != CL_SUCCESS) return Fail("clEnqueueNDRangeKernel", error);
    ++launched_;
    pulse_.Beat();
    return {};
  }
  Status Finish() {
    const cl_int error = clFinish(queue_);
    return error == CL_SUCCESS ? Status() : Fail("clFinish", error);
  }
  static Error Fail(const char* call, cl_int error) {
    return {base::Code::kSystem, std::string(call) + " failed with OpenCL error " + std::to_string(error)};
  }
  Status Request(std::int64_t* last_wait_ns);
  void ThinkAfter(int request, std::int64_t started_ns, std::int64_t ended_ns);
  bool IsOver(int requests, std::int64_t start_ns) const {
    return stopped != 0 || (options_.requests > 0 && requests >= options_.requests) ||
           (options_.seconds > 0 && static_cast<double>(MonotonicNs() - start_ns) >= options_.seconds * 1e9);
  }

  const Options& options_;
  const std::size_t items_;
  cl_context context_ = nullptr;
  cl_command_queue queue_ = nullptr;
  cl_mem buffer_ = nullptr;
  cl_program program_ = nullptr;
  cl_kernel kernel_ = nullptr;
  std::deque<cl_event> pending_;
  bench::Pulse pulse_;
  std::int64_t launched_ = 0;
};

Status Program::Prepare() {
  cl_platform_id platform;
  cl_device_id device;
  cl_int error = clGetPlatformIDs(1, &platform, nullptr);
  if (error != CL_SUCCESS) return Error{base::Code::kNotFound, "no OpenCL platform: install pocl-opencl-icd"};
  error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr);
  if (error != CL_SUCCESS) return Fail("clGetDeviceIDs", error);
  context_ = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
  if (error != CL_SUCCESS) return Fail("clCreateContext", error);
  queue_ = clCreateCommandQueueWithProperties(context_, device, nullptr, &error);
  if (error != CL_SUCCESS) return Fail("clCreateCommandQueueWithProperties", error);
  const std::string source = "__kernel void " + KernelName(options_) +
                             "(__global uint* counts) { counts[get_global_id(0)] += 1; }\n";
  const char* text = source.c_str();
  program_ = clCreateProgramWithSource(context_, 1, &text, nullptr, &error);
  if (error != CL_SUCCESS) return Fail("clCreateProgramWithSource", error);
  error = clBuildProgram(program_, 1, &device, "", nullptr, nullptr);
  if (error != CL_SUCCESS) return Fail("clBuildProgram", error);
  kernel_ = clCreateKernel(program_, KernelName(options_).c_str(), &error);
  if (error != CL_SUCCESS) return Fail("clCreateKernel", error);
  std::vector<cl_uint> zeros(items_);
  buffer_ = clCreateBuffer(context_, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, items_ * sizeof(cl_uint),
                           zeros.data(), &error);
  if (error != CL_SUCCESS) return Fail("clCreateBuffer", error);
  error = clSetKernelArg(kernel_, 0, sizeof buffer_, &buffer_);
  return error == CL_SUCCESS ? Status() : Fail("clSetKernelArg", error);
}

Status Program::WarmUp() {
  for (int i = 0; i < options_.warm_up; ++i) {
    if (auto status = Launch(nullptr); !status) return status;
    if (auto status = Finish(); !status) return status;
  }
  return {};
}

// One request: each kernel is followed by the host's work. Blocking: the host waits, then works.
// Asynchronous: it works for as long as kernel and gap together last, and waits once at the end.
Status Program::Request(std::int64_t* last_wait_ns) {
  const bool is_blocking = options_.mode == Mode::kBlocking;
  const std::int64_t work_ns =
      (options_.gap_us + (is_blocking ? 0 : options_.kernel_us)) * std::int64_t{1000};
  for (int k = 0; k < options_.kernels; ++k) {
    const bool is_last = k + 1 == options_.kernels;
    if (auto status = Launch(nullptr); !status) return status;
    if (is_blocking || is_last) {
      if (auto status = Finish(); !status) return status;
    }
    if (is_last) *last_wait_ns = MonotonicNs();
    ThinkUntil(MonotonicNs() + (is_last ? options_.gap_us * std::int64_t{1000} : work_ns));
  }
  return {};
}

void Program::ThinkAfter(int request, std::int64_t started_ns, std::int64_t ended_ns) {
  if (options_.think == Think::kPeriodic) {
    ThinkUntil(started_ns + options_.period_us * std::int64_t{1000});
  } else if (options_.think == Think::kBursts) {
    const bool is_away = (request + 1) % options_.burst_requests == 0;
    ThinkUntil(ended_ns + (is_away ? options_.burst_away_us : options_.burst_apart_us) * std::int64_t{1000});
  }
}

Status Program::Holder(Measured* measured) {
  measured->start_ns = MonotonicNs();
  for (int request = 0; !IsOver(request, measured->start_ns); ++request) {
    const std::int64_t started_ns = MonotonicNs();
    std::int64_t last_wait_ns = 0;
    if (auto status = Request(&last_wait_ns); !status) return status;
    if (!pulse_.open_here()) {
      measured->request_start_ns.push_back(started_ns);
      measured->latency_ns.push_back(last_wait_ns - started_ns);
    }
    measured->kernels += options_.kernels;
    ThinkAfter(request, started_ns, MonotonicNs());
  }
  measured->end_ns = MonotonicNs();
  return {};
}

Status Program::Filler(Measured* measured) {
  measured->start_ns = MonotonicNs();
  while (!IsOver(0, measured->start_ns)) {
    cl_event event = nullptr;
    if (auto status = Launch(&event); !status) return status;
    pending_.push_back(event);
    if (pending_.size() < static_cast<std::size_t>(options_.depth)) {
      clFlush(queue_);
      continue;
    }
    const cl_int error = clWaitForEvents(1, &pending_.front());
    if (error != CL_SUCCESS) return Fail("clWaitForEvents", error);
    clReleaseEvent(pending_.front());
    pending_.pop_front();
    ++measured->kernels;
    if (pulse_.open_here()) continue;
    const std::int64_t now_ns = MonotonicNs();
    if (measured->progress.empty() || now_ns - measured->progress.back().first >= kProgressEveryNs) {
      measured->progress.emplace_back(now_ns, measured->kernels);
    }
  }
  measured->end_ns = MonotonicNs();
  return {};
}

base::Result<bool> Program::Check() {
  std::vector<cl_uint> counts(items_);
  const cl_int error = clEnqueueReadBuffer(queue_, buffer_, CL_TRUE, 0, items_ * sizeof(cl_uint),
                                           counts.data(), 0, nullptr, nullptr);
  if (error != CL_SUCCESS) return Fail("clEnqueueReadBuffer", error);
  for (const cl_uint count : counts) {
    if (count != static_cast<cl_uint>(launched_)) return false;
  }
  return true;
}

}  // namespace

base::Result<Measured> Run(const Options& options) {
  std::signal(SIGTERM, Stop);
  Program program(options);
  if (auto status = program.Prepare(); !status) return status.error();
  if (auto status = program.OpenPulse(); !status) return status.error();
  if (auto status = program.WarmUp(); !status) return status.error();
  if (!options.ready_file.empty())
    close(open(options.ready_file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Measured measured;
  const auto status = options.role == Role::kHolder ? program.Holder(&measured) : program.Filler(&measured);
  if (!status) return status.error();
  const auto correct = program.Check();
  if (!correct) return correct.error();
  measured.correct = *correct;
  return measured;
}

}  // namespace mortar::workload
