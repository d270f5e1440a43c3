// Making, retaining and releasing what the emulated device keeps records of. A record goes before the
// driver's own object, whose handle may be reused at once.
#include <CL/cl.h>

#include "emulated/layer/functions.h"
#include "emulated/layer/submit.h"

namespace mortar::emulated {
namespace {

cl_command_queue CL_API_CALL clCreateCommandQueue(cl_context context, cl_device_id device,
                                                  cl_command_queue_properties properties, cl_int* error) {
  cl_command_queue queue = Current().driver.clCreateCommandQueue(context, device, properties, error);
  if (queue != nullptr) OpenQueue(queue);
  return queue;
}

cl_command_queue CL_API_CALL clCreateCommandQueueWithProperties(cl_context context, cl_device_id device,
                                                                const cl_queue_properties* properties,
                                                                cl_int* error) {
  cl_command_queue queue =
      Current().driver.clCreateCommandQueueWithProperties(context, device, properties, error);
  if (queue != nullptr) OpenQueue(queue);
  return queue;
}

cl_int CL_API_CALL clRetainCommandQueue(cl_command_queue queue) {
  const cl_int status = Current().driver.clRetainCommandQueue(queue);
  if (status == CL_SUCCESS) Current().ledger.RetainQueue(queue);
  return status;
}

cl_int CL_API_CALL clReleaseCommandQueue(cl_command_queue queue) {
  Current().ledger.ReleaseQueue(queue);
  return Current().driver.clReleaseCommandQueue(queue);
}

cl_int CL_API_CALL clReleaseKernel(cl_kernel kernel) {
  Current().kernels.Forget(kernel);  // learned again if it lives on
  return Current().driver.clReleaseKernel(kernel);
}

cl_event CL_API_CALL clCreateUserEvent(cl_context context, cl_int* error) {
  cl_event event = Current().driver.clCreateUserEvent(context, error);
  if (event != nullptr) Current().ledger.AddUserEvent(event);
  return event;
}

cl_int CL_API_CALL clSetUserEventStatus(cl_event event, cl_int status) {
  State& state = Current();
  state.ledger.SetUserEvent(event, status, state.clock.NowNs());
  return state.driver.clSetUserEventStatus(event, status);
}

cl_int CL_API_CALL clRetainEvent(cl_event event) {
  const cl_int status = Current().driver.clRetainEvent(event);
  if (status == CL_SUCCESS) Current().ledger.RetainEvent(event);
  return status;
}

cl_int CL_API_CALL clReleaseEvent(cl_event event) {
  Current().ledger.ReleaseEvent(event);
  return Current().driver.clReleaseEvent(event);
}

}  // namespace

void FillObjects(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  MORTAR_WRAP(clCreateCommandQueue);
  MORTAR_WRAP(clCreateCommandQueueWithProperties);
  MORTAR_WRAP(clRetainCommandQueue);
  MORTAR_WRAP(clReleaseCommandQueue);
  MORTAR_WRAP(clReleaseKernel);
  MORTAR_WRAP(clCreateUserEvent);
  MORTAR_WRAP(clSetUserEventStatus);
  MORTAR_WRAP(clRetainEvent);
  MORTAR_WRAP(clReleaseEvent);
}

}  // namespace mortar::emulated
