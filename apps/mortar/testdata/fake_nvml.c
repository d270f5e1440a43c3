// A libnvidia-ml.so.1 for tests: one device at 0000:3b:00.0, 42 % busy, exclusive, used by process 1.
#include <string.h>

typedef void* Handle;
struct PciInfo {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char address[32];
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle* device) {
  static int one;
  if (index != 0) return 15;  // lost
  *device = &one;
  return 0;
}
int nvmlDeviceGetPciInfo_v3(Handle device, struct PciInfo* info) {
  (void)device;
  strcpy(info->address, "00000000:3B:00.0");
  return 0;
}
int nvmlDeviceGetUtilizationRates(Handle device, unsigned rates[2]) {
  (void)device;
  rates[0] = 42;
  rates[1] = 7;
  return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Handle device, unsigned* count, struct ProcessInfo* processes) {
  (void)device;
  if (*count == 0) return 7;  // insufficient size
  processes[0].pid = 1;
  processes[0].memory = 3ULL << 20;
  *count = 1;
  return 0;
}
int nvmlDeviceGetComputeMode(Handle device, int* mode) {
  (void)device;
  *mode = 3;
  return 0;
}
