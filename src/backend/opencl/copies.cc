// Reads, writes and copies of a buffer's bytes: submits like others, and in pieces where the client asked for
// that (slices.h). Not those of rectangles and images, which go whole.
#include <optional>

#include "backend/opencl/commands.h"
#include "backend/opencl/slices.h"
#include "client/pieces.h"

namespace mortar::opencl {
namespace {

// `driver(at, bytes, enqueue)` makes the driver's call for so many bytes from `at` on.
template <typename Driver>
class CutCopy final : public Cuttable {
 public:
  CutCopy(client::Device* device, const Kind& kind, std::size_t bytes, const Driver& driver)
      : device_(device), kind_(kind), bytes_(bytes), driver_(driver) {
    units = bytes / client::kCopyUnit;
    last_first = true;  // where the buffer is too small
  }

  model::KernelId Id() const override { return IdOf(bytes_); }
  predict::Kernel* Identified(std::size_t first, std::size_t count) const override {
    return client::FindKernel(device_, IdOf(BytesOf(first, count)), kind_.name);
  }
  cl_int Call(std::size_t first, std::size_t count, const Enqueue& enqueue) const override {
    return driver_(first * client::kCopyUnit, BytesOf(first, count), enqueue);
  }

 private:
  model::KernelId IdOf(std::size_t bytes) const {
    return model::MakeKernelId(kind_.hash, {.shared_bytes = bytes});
  }
  // What is over goes with the last unit.
  std::size_t BytesOf(std::size_t first, std::size_t count) const {
    return first + count == units ? bytes_ - first * client::kCopyUnit : count * client::kCopyUnit;
  }

  client::Device* device_;
  const Kind& kind_;
  std::size_t bytes_;
  const Driver& driver_;
};

// What of a call is the same for all copies.
struct CopyCall {
  cl_command_queue queue;
  std::size_t bytes;
  cl_bool blocking;
  cl_uint waits;
  const cl_event* wait_list;
  cl_event* event;
};

// The call's result; nullopt: submit it whole. `unseen()`: nobody could tell the pieces; asked last.
template <typename Unseen, typename Driver>
std::optional<cl_int> CopyInPieces(const Kind& kind, const CopyCall& copy, Unseen&& unseen,
                                   const Driver& driver) noexcept {
  if (copy.bytes < 2 * client::kCopyUnit) return std::nullopt;
  Queue* queue = FindQueue(copy.queue);
  client::Lane* lane = queue != nullptr ? client::CurrentLane(queue->device) : nullptr;
  if (lane == nullptr) return std::nullopt;
  const Enqueue enqueue{
      copy.queue, *queue, lane, copy.waits, copy.wait_list, copy.event, copy.blocking != CL_FALSE};
  if (!MayCut(enqueue) || !unseen()) return std::nullopt;
  return EnqueueInPieces(enqueue, CutCopy(queue->device, kind, copy.bytes, driver));
}

// Not behind the end of what an address can be: such a call is the driver's to refuse.
bool InRange(std::size_t offset, std::size_t bytes) { return offset + bytes >= offset; }

cl_int CL_API_CALL ReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                              std::size_t bytes, void* to, cl_uint waits, const cl_event* wait_list,
                              cl_event* event) noexcept {
  const auto part = [&](std::size_t at, std::size_t count, const Enqueue& with) {
    return next.clEnqueueReadBuffer(queue, buffer, with.blocking ? CL_TRUE : CL_FALSE, offset + at, count,
                                    static_cast<char*>(to) + at, with.waits, with.wait_list, with.event);
  };
  const auto unseen = [&] { return to != nullptr && InRange(offset, bytes); };
  const CopyCall copy{queue, bytes, blocking, waits, wait_list, event};
  if (const auto status = CopyInPieces(kRead, copy, unseen, part)) return *status;
  return SubmitThrough<kRead, 4, 2>(next.clEnqueueReadBuffer, queue, buffer, blocking, offset, bytes, to,
                                    waits, wait_list, event);
}

cl_int CL_API_CALL WriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, std::size_t offset,
                               std::size_t bytes, const void* from, cl_uint waits, const cl_event* wait_list,
                               cl_event* event) noexcept {
  const auto part = [&](std::size_t at, std::size_t count, const Enqueue& with) {
    return next.clEnqueueWriteBuffer(queue, buffer, with.blocking ? CL_TRUE : CL_FALSE, offset + at, count,
                                     static_cast<const char*>(from) + at, with.waits, with.wait_list,
                                     with.event);
  };
  const auto unseen = [&] { return from != nullptr && InRange(offset, bytes); };
  const CopyCall copy{queue, bytes, blocking, waits, wait_list, event};
  if (const auto status = CopyInPieces(kWrite, copy, unseen, part)) return *status;
  return SubmitThrough<kWrite, 4, 2>(next.clEnqueueWriteBuffer, queue, buffer, blocking, offset, bytes, from,
                                     waits, wait_list, event);
}

// No part of another buffer, with which it could overlap what is copied.
bool StandsAlone(cl_mem buffer) {
  cl_mem parent = nullptr;
  return next.clGetMemObjectInfo(buffer, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof parent, &parent, nullptr) ==
             CL_SUCCESS &&
         parent == nullptr;
}

cl_int CL_API_CALL CopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t from_offset,
                              std::size_t to_offset, std::size_t bytes, cl_uint waits,
                              const cl_event* wait_list, cl_event* event) noexcept {
  const auto part = [&](std::size_t at, std::size_t count, const Enqueue& with) {
    return next.clEnqueueCopyBuffer(queue, from, to, from_offset + at, to_offset + at, count, with.waits,
                                    with.wait_list, with.event);
  };
  // The driver refuses a copy onto itself.
  const auto unseen = [&] {
    return from != to && InRange(from_offset, bytes) && InRange(to_offset, bytes) && StandsAlone(from) &&
           StandsAlone(to);
  };
  const CopyCall copy{queue, bytes, CL_FALSE, waits, wait_list, event};
  if (const auto status = CopyInPieces(kCopy, copy, unseen, part)) return *status;
  return SubmitThrough<kCopy, 5, -1>(next.clEnqueueCopyBuffer, queue, from, to, from_offset, to_offset, bytes,
                                     waits, wait_list, event);
}

}  // namespace

void InstallCopies(cl_icd_dispatch* table) {
  table->clEnqueueReadBuffer = ReadBuffer;
  table->clEnqueueWriteBuffer = WriteBuffer;
  table->clEnqueueCopyBuffer = CopyBuffer;
}

}  // namespace mortar::opencl
