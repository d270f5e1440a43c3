#include "mortar/layers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace mortar::cli {
namespace {

std::string FolderOfExecutable() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string whole(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::size_t slash = whole.rfind('/');
  return slash == std::string::npos ? "." : whole.substr(0, slash);
}

bool IsOurs(const std::string& path, const std::string& name) {
  return path == name || path.ends_with("/" + name);
}

void Append(std::string& layers, const std::string& path) {
  if (path.empty()) return;
  layers += (layers.empty() ? "" : ":") + path;
}

}  // namespace

std::string FindLibrary(const std::string& name) {
  const std::string bin = FolderOfExecutable();
  std::vector<std::string> folders = {bin + "/../lib", bin + "/../lib/mortar",
                                      bin + "/../" MORTAR_LIBDIR "/mortar"};
  // Where it is said, it is looked for nowhere else: a second copy of another version would be a riddle.
  if (const char* set = std::getenv("MORTAR_LIB"); set != nullptr && *set != '\0') folders = {set};
  for (const std::string& folder : folders) {
    const std::string path = fmt::format("{}/{}", folder, name);
    char* real = realpath(path.c_str(), nullptr);
    if (real == nullptr) continue;
    std::string found = real;
    std::free(real);
    return found;
  }
  return "";
}

std::string ComposeLayers(const std::string& existing, const std::string& scheduling,
                          const std::string& emulated) {
  std::string layers;
  Append(layers, emulated);
  for (std::size_t start = 0; start <= existing.size();) {
    const std::size_t end = std::min(existing.find(':', start), existing.size());
    const std::string one = existing.substr(start, end - start);
    const bool replaced = (!scheduling.empty() && IsOurs(one, kSchedulingLayer)) ||
                          (!emulated.empty() && IsOurs(one, kEmulatedLayer));
    if (!replaced) Append(layers, one);
    start = end + 1;
  }
  Append(layers, scheduling);
  return layers;
}

std::string Verdict(const Probe& probe) {
  if (!probe.loader) {
    return "there is no OpenCL loader (libOpenCL.so.1): nothing would be scheduled; install "
           "ocl-icd-libopencl1";
  }
  const std::string loader = "the OpenCL loader " + probe.loader_path;
  if (!probe.answered) {
    return loader + " crashed or did not answer within 20 s: nothing may be scheduled; see what clinfo says";
  }
  if (probe.platforms == 0) {
    return loader +
           " finds no OpenCL platform: nothing would be scheduled; install the device's driver (without a "
           "GPU: "
           "pocl-opencl-icd)";
  }
  if (!probe.layer) {
    return loader +
           " ignores layers: nothing would be scheduled; put ocl-icd 2.3 or later, or Khronos' loader, first "
           "in "
           "LD_LIBRARY_PATH";
  }
  return "";
}

}  // namespace mortar::cli
