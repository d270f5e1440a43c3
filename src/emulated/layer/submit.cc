#include "emulated/layer/submit.h"

#include <algorithm>

namespace mortar::emulated {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1}
                                     << 38;  // chosen: 256 GiB, more than any device's memory
constexpr std::int64_t kMostAheadNs =
    2'000'000'000;                        // chosen: where a device's own queue is full and enqueueing waits
constexpr std::int64_t kLateNs = 20'000;  // chosen: above the time of a wait that has nothing to wait for

// Which of all platforms' devices it is, counted from 0: the same in every process with the same drivers. A
// sub-device counts as the device it is part of.
int IndexOf(cl_device_id device) {
  const cl_icd_dispatch& driver = Current().driver;
  cl_device_id parent = nullptr;
  while (driver.clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof parent, &parent, nullptr) ==
             CL_SUCCESS &&
         parent != nullptr) {
    device = parent;
  }
  cl_platform_id platform = nullptr;
  driver.clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, nullptr);
  cl_platform_id platforms[16] = {};
  cl_uint platform_count = 0;
  driver.clGetPlatformIDs(16, platforms, &platform_count);
  int before = 0;
  for (cl_uint p = 0; p < std::min(platform_count, 16U); ++p) {
    cl_device_id devices[Timelines::kDevices] = {};
    cl_uint count = 0;
    driver.clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, Timelines::kDevices, devices, &count);
    if (platforms[p] == platform) {
      cl_device_id* const end = devices + std::min<cl_uint>(count, Timelines::kDevices);
      cl_device_id* const found = std::find(devices, end, device);
      return found == end ? before : before + static_cast<int>(found - devices);
    }
    before += static_cast<int>(count);
  }
  return 0;
}

void CL_CALLBACK OnResolved(cl_event, cl_int status, void* command) {
  State& state = Current();
  state.ledger.Resolve(static_cast<Command*>(command), status, state.clock.NowNs());
}

// The same for an event of ours.
void CL_CALLBACK OnResolvedOwn(cl_event event, cl_int status, void* command) {
  OnResolved(event, status, command);
  Current().driver.clReleaseEvent(event);
}

}  // namespace

Work Transfer(std::uint64_t bytes) {
  return {Kind::kDevice, Current().table.TransferNs(bytes > kMostBytes ? 0 : bytes), 0};
}

void WaitForEnd(const End& end, std::int64_t entered_ns) {
  if (end.timeline == nullptr) return;
  State& state = Current();
  const std::int64_t late_ns = state.clock.NowNs() - std::max(end.end_ns, entered_ns);
  if (late_ns > kLateNs) {
    end.timeline->CountLate(late_ns);
  } else {
    state.clock.WaitUntil(end.end_ns);
  }
}

void OpenQueue(cl_command_queue queue) {
  State& state = Current();
  cl_device_id device = nullptr;
  cl_command_queue_properties properties = 0;
  if (state.driver.clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, nullptr) !=
          CL_SUCCESS ||
      state.driver.clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties,
                                         nullptr) != CL_SUCCESS) {
    return;
  }
  const bool in_order = (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
  state.ledger.OpenQueue(queue, state.timelines.Find(IndexOf(device)), in_order);
}

Timeline* EnsureQueue(cl_command_queue queue) {
  if (queue == nullptr) return nullptr;
  State& state = Current();
  Timeline* timeline = nullptr;
  if (!state.ledger.FindQueue(queue, &timeline)) {
    OpenQueue(queue);
    state.ledger.FindQueue(queue, &timeline);
  }
  return timeline;
}

Enqueue::Enqueue(cl_command_queue queue, const Work& work, bool blocking, WaitList waits, cl_event* event)
    : state_(Current()), blocking_(blocking), event_(event), entered_ns_(state_.clock.NowNs()) {
  Timeline* timeline = EnsureQueue(queue);
  if (timeline == nullptr) return;
  if (work.kind == Kind::kDevice && timeline->AheadNs(entered_ns_) > kMostAheadNs) {
    state_.clock.WaitUntil(entered_ns_ + timeline->AheadNs(entered_ns_) - kMostAheadNs);
    entered_ns_ = state_.clock.NowNs();
  }
  Submission submission;
  submission.queue = queue;
  submission.kind = work.kind;
  submission.duration_ns = work.duration_ns;
  submission.latency_ns = work.latency_ns;
  submission.wait_count = waits.events == nullptr ? 0 : waits.count;
  submission.wait_list = reinterpret_cast<const void* const*>(waits.events);
  submission.wants_event = event != nullptr;
  submission.now_ns = entered_ns_;
  ticket_ = state_.ledger.Begin(submission);
  needs_event_ = ticket_.deferred && !blocking;
}

cl_int Enqueue::FinishWithoutEvent(cl_int status) {
  if (status != CL_SUCCESS) {
    state_.ledger.Cancel(ticket_);
  } else {
    state_.ledger.Commit(ticket_, nullptr, false);
  }
  return status;
}

cl_int Enqueue::Finish(cl_int status) {
  if (status != CL_SUCCESS) {
    state_.ledger.Cancel(ticket_);
    return status;
  }
  const cl_event program_event = event_ != nullptr ? *event_ : nullptr;
  Command* command = state_.ledger.Commit(ticket_, program_event, ticket_.deferred);
  if (command == nullptr) {
    if (blocking_ && ticket_.queue != nullptr && !ticket_.deferred) {
      WaitForEnd({ticket_.placement.end_ns, ticket_.timeline}, entered_ns_);
    }
    return status;
  }
  if (blocking_) {
    const End end = state_.ledger.EndOfHeld(command, state_.clock.NowNs());
    state_.ledger.Resolve(command, CL_COMPLETE, state_.clock.NowNs());
    WaitForEnd(end, entered_ns_);
    return status;
  }
  const bool is_own = program_event == nullptr;
  const cl_event event = is_own ? own_ : program_event;
  if (state_.driver.clSetEventCallback(event, CL_COMPLETE, is_own ? OnResolvedOwn : OnResolved, command) !=
      CL_SUCCESS) {
    state_.ledger.Resolve(command, CL_COMPLETE, state_.clock.NowNs());
    if (is_own) state_.driver.clReleaseEvent(event);
  }
  return status;
}

}  // namespace mortar::emulated
