// Copies of more than a MiB, which may go in pieces: odd sizes and offsets, and what is refused.
#include <cstdint>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kBytes = (std::size_t{1} << 20) + 4097;

std::vector<std::uint8_t> Pattern(std::uint32_t seed) {
  std::vector<std::uint8_t> bytes(kBytes);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return bytes;
}

// Each byte's place counts.
std::uint32_t Sum(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (const std::uint8_t byte : bytes) sum = sum * 31 + byte;
  return sum;
}

}  // namespace

void LongCopies(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem a = clCreateBuffer(host.context, CL_MEM_READ_WRITE, kBytes, nullptr, nullptr);
  cl_mem b = clCreateBuffer(host.context, CL_MEM_READ_WRITE, kBytes, nullptr, nullptr);
  std::vector<std::uint8_t> back(kBytes);
  for (std::uint32_t round = 0; round < 4; ++round) {
    const std::vector<std::uint8_t> first = Pattern(round);
    const std::vector<std::uint8_t> second = Pattern(round + 100);
    const std::size_t offset = 4095 * (round % 2);
    const std::size_t bytes = kBytes - offset - round;
    const cl_bool blocking = round < 2 ? CL_TRUE : CL_FALSE;
    cl_event events[4];
    SayError("write",
             clEnqueueWriteBuffer(queue, a, blocking, 0, kBytes, first.data(), 0, nullptr, &events[0]));
    SayError("write a part", clEnqueueWriteBuffer(queue, a, blocking, offset, bytes, second.data(), 1,
                                                  &events[0], &events[1]));
    SayError("copy", clEnqueueCopyBuffer(queue, a, b, 0, 0, kBytes, 0, nullptr, nullptr));
    SayError("copy a part", clEnqueueCopyBuffer(queue, a, b, offset, round, bytes, 0, nullptr, &events[2]));
    SayError("read",
             clEnqueueReadBuffer(queue, b, blocking, 0, kBytes, back.data(), 1, &events[2], &events[3]));
    SayError("wait", clWaitForEvents(4, events));
    Say("round %u reads %08x", round, Sum(back));
    for (cl_event event : events) {
      Say("command %x status %s", Ask<cl_command_type>(clGetEventInfo, event, CL_EVENT_COMMAND_TYPE),
          StatusName(ExecutionStatus(event)));
      clReleaseEvent(event);
    }
  }
  cl_event event = nullptr;
  for (const cl_bool blocking : {cl_bool{CL_FALSE}, cl_bool{CL_TRUE}}) {
    SayError("write too much",
             clEnqueueWriteBuffer(queue, b, blocking, 1, kBytes, Pattern(7).data(), 0, nullptr, &event));
    SayError("read far", clEnqueueReadBuffer(queue, b, blocking, ~std::size_t{0} - 5, kBytes, back.data(), 0,
                                             nullptr, &event));
    SayError("read to nowhere",
             clEnqueueReadBuffer(queue, b, blocking, 0, kBytes, nullptr, 0, nullptr, &event));
  }
  SayError("copy too much", clEnqueueCopyBuffer(queue, a, b, 0, 8, kBytes, 0, nullptr, &event));
  SayError("copy onto itself", clEnqueueCopyBuffer(queue, a, a, 0, 8, kBytes - 8, 0, nullptr, &event));
  SayError("copy within", clEnqueueCopyBuffer(queue, a, a, 0, kBytes / 2, kBytes / 3, 0, nullptr, nullptr));
  SayError("read", clEnqueueReadBuffer(queue, b, CL_TRUE, 0, kBytes, back.data(), 0, nullptr, nullptr));
  Say("refused calls left %08x", Sum(back));
  SayError("read", clEnqueueReadBuffer(queue, a, CL_TRUE, 0, kBytes, back.data(), 0, nullptr, nullptr));
  Say("the copy within gives %08x", Sum(back));
  clReleaseMemObject(a);
  clReleaseMemObject(b);
  SayError("release queue", clReleaseCommandQueue(queue));
}

}  // namespace mortar::conformance
