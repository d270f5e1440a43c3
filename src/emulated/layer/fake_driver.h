// An OpenCL driver for the layer's tests: no platform, no threads, no time. A command is complete as soon as
// all that it waits for is; only user events keep it waiting. Counts what reaches it.
#pragma once

#include <CL/cl.h>
#include <CL/cl_icd.h>

#include <atomic>
#include <string>
#include <vector>

namespace mortar::emulated {

struct FakeCallback {
  cl_int type;
  void(CL_CALLBACK* function)(cl_event, cl_int, void*);
  void* user_data;
};

}  // namespace mortar::emulated

// What the opaque handles point to.
struct _cl_event {
  cl_uint references = 1;
  cl_int status = CL_COMPLETE;
  bool user = false;
  cl_command_queue queue = nullptr;
  std::vector<cl_event> waits;
  std::vector<mortar::emulated::FakeCallback> callbacks;
};
struct _cl_command_queue {
  cl_command_queue_properties properties = 0;
  cl_event last = nullptr;
  cl_uint references = 1;
};
struct _cl_kernel {
  std::string name;
};

namespace mortar::emulated {

class FakeDriver {
 public:
  FakeDriver();
  ~FakeDriver();

  const cl_icd_dispatch& dispatch() const { return dispatch_; }

  cl_int refuse = CL_SUCCESS;  // what the next enqueues return instead of success
  int enqueued = 0;            // calls of any enqueue
  int waited = 0;              // clFinish and clWaitForEvents
  std::atomic<int> alive = 0;  // events that were made and not yet released for good
  std::vector<cl_event> made;  // every event, in order; freed with the driver

  // Called by the functions in `dispatch`.
  cl_int Enqueue(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event);
  void Propagate();
  void Release(cl_event event);
  bool IsReady(const _cl_event& event) const;

 private:
  cl_icd_dispatch dispatch_{};
};

// The driver that the functions belong to: one at a time.
FakeDriver& Fake();

}  // namespace mortar::emulated
