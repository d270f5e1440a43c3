// Usage: conformance [SECTION]. Exit codes: 0 printed, 77 no OpenCL device here, 2 no such section.
#include <cstring>

#include "conformance.h"

namespace mortar::conformance {

extern const char* current_section;

namespace {

const struct {
  const char* name;
  Section run;
} kSections[] = {
    {"kernels", Kernels},
    {"copies", Copies},
    {"long_copies", LongCopies},
    {"rect_copies", RectCopies},
    {"maps", Maps},
    {"waits", Waits},
    {"events", Events},
    {"references", References},
    {"markers_barriers", MarkersAndBarriers},
    {"callbacks", Callbacks},
    {"user_events", UserEvents},
    {"profiling", Profiling},
    {"queue_properties", QueueProperties},
    {"kernel_errors", KernelErrors},
    {"transfer_errors", TransferErrors},
    {"wait_errors", WaitErrors},
    {"order", Order},
    {"several_queues", SeveralQueues},
    {"several_contexts", SeveralContexts},
    {"threads", Threads},
    {"extensions", Extensions},
    {"images", Images},
    {"shared_memory", SharedMemory},
    {"native_kernels", NativeKernels},
    {"partitions", Partitions},
    {"command_buffers", CommandBuffers},
    {"ranges", Ranges},
    {"fork_exec", ForkAndExec},
};

int RunSections(const char* only, const std::string& self) {
  Host host;
  host.self = self;
  if (!OpenHost(&host)) return 77;
  bool found = only == nullptr;
  for (const auto& section : kSections) {
    if (only != nullptr && std::strcmp(only, section.name) != 0) continue;
    current_section = section.name;
    section.run(host);
    std::fflush(stdout);
    found = true;
  }
  CloseHost(&host);
  if (!found) std::fprintf(stderr, "conformance: no section '%s'\n", only);
  return found ? 0 : 2;
}

}  // namespace
}  // namespace mortar::conformance

int main(int count, char** words) {
  const char* only = count > 1 ? words[1] : nullptr;
  if (only != nullptr && std::strcmp(only, "fork_before_use") == 0) {
    return mortar::conformance::ForkBeforeUse(words[0]);
  }
  return mortar::conformance::RunSections(only, words[0]);
}
