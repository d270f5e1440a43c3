// Extension look-ups, fork and exec.
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

namespace mortar::conformance {

extern const char* current_section;

void Extensions(const Host& host) {
  const char* names[] = {"clIcdGetPlatformIDsKHR",
                         "clSetContentSizeBufferPoCL",
                         "clNoSuchFunctionKHR",
                         "clEnqueueNDRangeKernel",
                         "clCreateCommandQueueWithPropertiesKHR",
                         ""};
  for (const char* name : names) {
    Say("'%s' by platform %d, without %d", name,
        clGetExtensionFunctionAddressForPlatform(host.platform, name) != nullptr,
        clGetExtensionFunctionAddress(name) != nullptr);
  }
  Say("no platform %d", clGetExtensionFunctionAddressForPlatform(nullptr, names[0]) != nullptr);
  std::size_t size = 0;
  SayError("platform's extensions",
           clGetPlatformInfo(host.platform, CL_PLATFORM_EXTENSIONS, 0, nullptr, &size));
  std::string text(size, '\0');
  clGetPlatformInfo(host.platform, CL_PLATFORM_EXTENSIONS, size, text.data(), nullptr);
  Say("extensions: %s", text.c_str());
}

namespace {

int AwaitChild(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

void ForkAndExec(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(64, 1);
  EnqueueAdd(host, queue, buffer, 64, 1);
  std::fflush(stdout);
  // A child that does nothing with OpenCL.
  pid_t child = fork();
  if (child == 0) _exit(3);
  Say("child that leaves: %d", AwaitChild(child));
  // A child that becomes another OpenCL program, while this one has work under way.
  EnqueueAdd(host, queue, buffer, 64, 1);
  std::fflush(stdout);
  child = fork();
  if (child == 0) {
    execl(host.self.c_str(), host.self.c_str(), "kernels", nullptr);
    _exit(127);
  }
  EnqueueAdd(host, queue, buffer, 64, 1);
  Say("child that execs: %d", AwaitChild(child));
  Say("the parent goes on: %s", Contents(queue, buffer, 64).c_str());
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

int ForkBeforeUse(const std::string& self) {
  const pid_t child = fork();
  Host host;
  host.self = self;
  current_section = child == 0 ? "child" : "parent";
  const int code = child == 0 ? 0 : AwaitChild(child);
  if (!OpenHost(&host)) return 77;
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(64, 1);
  SayError("add", EnqueueAdd(host, queue, buffer, 64, 1));
  Say("%s", Contents(queue, buffer, 64).c_str());
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
  CloseHost(&host);
  if (child != 0) Say("child left with %d", code);
  return 0;
}

}  // namespace mortar::conformance
