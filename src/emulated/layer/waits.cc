// Waits, and what a program may ask of an event: every answer is the driver's own, held back until the
// modelled time.
#include <CL/cl.h>

#include <algorithm>
#include <new>

#include "emulated/layer/functions.h"
#include "emulated/layer/submit.h"

namespace mortar::emulated {
namespace {

cl_int DriverStatus(cl_event event) {
  cl_int status = CL_COMPLETE;
  Current().driver.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr);
  return status;
}

cl_int CL_API_CALL clWaitForEvents(cl_uint count, const cl_event* list) {
  State& state = Current();
  const std::int64_t entered_ns = state.clock.NowNs();
  const cl_int status = state.driver.clWaitForEvents(count, list);
  const bool some_failed = status == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
  if ((status != CL_SUCCESS && !some_failed) || list == nullptr) return status;
  End last;
  for (cl_uint i = 0; i < count; ++i) {
    if (some_failed && DriverStatus(list[i]) != CL_COMPLETE) continue;
    const End end = state.ledger.EndOf(list[i], state.clock.NowNs());
    if (end.end_ns > last.end_ns) last = end;
  }
  WaitForEnd(last, entered_ns);
  return status;
}

cl_int CL_API_CALL clFinish(cl_command_queue queue) {
  State& state = Current();
  const std::int64_t entered_ns = state.clock.NowNs();
  const std::uint64_t mark = state.ledger.Mark();
  const cl_int status = state.driver.clFinish(queue);
  if (status == CL_SUCCESS) WaitForEnd(state.ledger.EndOfQueue(queue, mark, state.clock.NowNs()), entered_ns);
  return status;
}

cl_int CL_API_CALL clGetEventInfo(cl_event event, cl_event_info name, std::size_t size, void* value,
                                  std::size_t* size_ret) {
  State& state = Current();
  const cl_int status = state.driver.clGetEventInfo(event, name, size, value, size_ret);
  if (status != CL_SUCCESS || value == nullptr) return status;
  if (name == CL_EVENT_COMMAND_EXECUTION_STATUS) {
    auto* answer = static_cast<cl_int*>(value);
    *answer = state.ledger.StatusOf(event, *answer, state.clock.NowNs());
  } else if (name == CL_EVENT_REFERENCE_COUNT) {
    *static_cast<cl_uint*>(value) -= state.ledger.HoldsOf(event);
  }
  return status;
}

cl_int CL_API_CALL clGetEventProfilingInfo(cl_event event, cl_profiling_info name, std::size_t size,
                                           void* value, std::size_t* size_ret) {
  State& state = Current();
  const cl_int status = state.driver.clGetEventProfilingInfo(event, name, size, value, size_ret);
  Times times;
  const std::int64_t now_ns = state.clock.NowNs();
  if (status != CL_SUCCESS || !state.ledger.TimesOf(event, now_ns, &times)) return status;
  if (now_ns < times.end_ns) return CL_PROFILING_INFO_NOT_AVAILABLE;
  if (value == nullptr) return status;
  std::int64_t answer = times.queued_ns;
  if (name == CL_PROFILING_COMMAND_START) answer = times.start_ns;
  if (name == CL_PROFILING_COMMAND_END || name == CL_PROFILING_COMMAND_COMPLETE) answer = times.end_ns;
  *static_cast<cl_ulong*>(value) = static_cast<cl_ulong>(answer);
  return status;
}

// A program's callback, from its registration until it was called.
struct Callback {
  void(CL_CALLBACK* function)(cl_event, cl_int, void*);
  void* user_data;
  cl_int type;  // CL_RUNNING or CL_COMPLETE
  cl_event event;
  Command* command;
};

void Drop(Callback* callback) {
  State& state = Current();
  state.ledger.Unhold(callback->command);
  state.driver.clReleaseEvent(callback->event);
  delete callback;
}

void Call(Callback* callback, cl_int status) {
  callback->function(callback->event, status, callback->user_data);
  Drop(callback);
}

void OnDue(void* argument) {
  auto* callback = static_cast<Callback*>(argument);
  Call(callback, callback->type);
}

// From the driver, which has really completed the command or found it failed.
void CL_CALLBACK OnDriver(cl_event, cl_int status, void* argument) {
  auto* callback = static_cast<Callback*>(argument);
  if (status < 0) return Call(callback, status);
  State& state = Current();
  const std::int64_t now_ns = state.clock.NowNs();
  const End end = state.ledger.EndOfHeld(callback->command, now_ns);
  const std::int64_t due_ns =
      callback->type == CL_COMPLETE ? end.end_ns : state.ledger.StartOfHeld(callback->command, now_ns);
  if (due_ns <= now_ns || !state.timer.Add(due_ns, OnDue, callback)) Call(callback, callback->type);
}

// Callbacks for CL_SUBMITTED, for user events and for events that are not modelled are the driver's alone.
// Those for CL_RUNNING come when the command's modelled start has passed and its real computing is done.
cl_int CL_API_CALL clSetEventCallback(cl_event event, cl_int type,
                                      void(CL_CALLBACK* function)(cl_event, cl_int, void*), void* user_data) {
  State& state = Current();
  Command* command = nullptr;
  if (function != nullptr && (type == CL_COMPLETE || type == CL_RUNNING)) command = state.ledger.Hold(event);
  Callback* callback = nullptr;
  if (command != nullptr) callback = new (std::nothrow) Callback{function, user_data, type, event, command};
  if (callback == nullptr) {
    if (command != nullptr) state.ledger.Unhold(command);
    return state.driver.clSetEventCallback(event, type, function, user_data);
  }
  state.driver.clRetainEvent(event);
  const cl_int status = state.driver.clSetEventCallback(event, CL_COMPLETE, OnDriver, callback);
  if (status != CL_SUCCESS) Drop(callback);
  return status;
}

}  // namespace

void FillWaits(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  MORTAR_WRAP(clWaitForEvents);
  MORTAR_WRAP(clFinish);
  MORTAR_WRAP(clGetEventInfo);
  MORTAR_WRAP(clGetEventProfilingInfo);
  MORTAR_WRAP(clSetEventCallback);
}

}  // namespace mortar::emulated
