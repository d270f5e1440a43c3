#include "mortar/device_users.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <set>

#include "board/view.h"
#include "mortar/small_files.h"

namespace mortar::cli {
namespace {

constexpr int kMostDescriptors =
    4096;  // of one process; chosen: a drawn-out look would cost more than it tells

void ForEachEntry(const std::string& folder, const std::function<void(const char*)>& use, int* error) {
  const auto close_folder = [](DIR* open) { closedir(open); };
  const std::unique_ptr<DIR, decltype(close_folder)> stream(opendir(folder.c_str()), close_folder);
  if (!stream) {
    if (error != nullptr) *error = errno;
    return;
  }
  while (const dirent* entry = readdir(stream.get())) {
    if (entry->d_name[0] != '.') use(entry->d_name);
  }
}

std::optional<int> Number(std::string_view text) {
  int value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

// The text behind `key:` in a file of such lines; empty where it is not there.
std::string Field(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.size() <= key.size() || line.compare(0, key.size(), key) != 0 || line[key.size()] != ':')
      continue;
    const std::size_t start = line.find_first_not_of(" \t", key.size() + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

bool IsDeviceNode(std::string_view path) {
  if (path == "/dev/kfd" || path.starts_with("/dev/dri/")) return true;
  constexpr std::string_view kNvidia =
      "/dev/nvidia";  // with a number; nvidiactl is opened by those that only ask
  return path.starts_with(kNvidia) && path.size() > kNvidia.size() && path[kNvidia.size()] >= '0' &&
         path[kNvidia.size()] <= '9';
}

// NVIDIA's device nodes are numbered; the driver's /proc files say which is which.
std::map<std::string, std::string> ReadNvidiaNodes(const std::string& proc) {
  std::map<std::string, std::string> nodes;
  const std::string folder = proc + "/driver/nvidia/gpus";
  ForEachEntry(
      folder,
      [&](const char* name) {
        const std::string minor = Field(folder + "/" + name + "/information", "Device Minor");
        if (!minor.empty()) nodes["/dev/nvidia" + minor] = NormalPciAddress(name);
      },
      nullptr);
  return nodes;
}

DeviceUser Describe(const std::string& proc, int pid) {
  DeviceUser user;
  user.pid = pid;
  const std::string folder = proc + "/" + std::to_string(pid);
  user.program = board::CleanText(FirstLine(folder + "/comm"));
  const std::string numbers = Field(folder + "/status", "NSpid");
  std::size_t start = 0;
  while (start < numbers.size()) {
    const std::size_t end = std::min(numbers.find_first_of(" \t", start), numbers.size());
    if (const auto inner = Number(std::string_view(numbers).substr(start, end - start));
        inner && *inner != pid)
      user.inner_pids.push_back(*inner);
    start = end + 1;
  }
  return user;
}

// The devices that one process has open, with the node that shows it.
std::map<std::string, std::string> OpenDevices(const std::string& folder,
                                               const std::map<std::string, std::string>& nvidia, int* error) {
  std::map<std::string, std::string> devices;
  int left = kMostDescriptors;
  ForEachEntry(
      folder + "/fd",
      [&](const char* name) {
        if (--left < 0) return;
        std::array<char, 256> target{};
        const ssize_t length = readlink((folder + "/fd/" + name).c_str(), target.data(), target.size());
        if (length <= 0) return;
        const std::string path(target.data(), static_cast<std::size_t>(length));
        if (!IsDeviceNode(path)) return;
        std::string device = NormalPciAddress(Field(folder + "/fdinfo/" + name, "drm-pdev"));
        if (const auto known = nvidia.find(path); known != nvidia.end()) device = known->second;
        devices.emplace(device, path);
      },
      error);
  return devices;
}

}  // namespace

std::string NormalPciAddress(std::string_view text) {
  std::string address;
  for (const char c : text) address += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const std::size_t colon = address.find(':');
  if (colon == std::string::npos) return "";
  if (colon == 8 && address.starts_with("0000")) address.erase(0, 4);
  constexpr std::string_view kShape = "xxxx:xx:xx.x";
  if (address.size() != kShape.size()) return "";
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = (address[i] >= '0' && address[i] <= '9') || (address[i] >= 'a' && address[i] <= 'f');
    if (kShape[i] == 'x' ? !digit : address[i] != kShape[i]) return "";
  }
  return address;
}

DeviceUsers ReadProc(const std::string& proc) {
  DeviceUsers found;
  const auto nvidia = ReadNvidiaNodes(proc);
  ForEachEntry(
      proc,
      [&](const char* name) {
        const auto pid = Number(name);
        if (!pid) return;
        int error = 0;
        const auto devices = OpenDevices(proc + "/" + name, nvidia, &error);
        if (error == EACCES || error == EPERM) ++found.hidden;
        if (devices.empty()) return;
        DeviceUser user = Describe(proc, *pid);
        for (const auto& [device, node] : devices) {
          user.device = device;
          user.through = node;
          found.users.push_back(user);
        }
      },
      nullptr);
  std::sort(found.users.begin(), found.users.end(), [](const DeviceUser& a, const DeviceUser& b) {
    return a.pid != b.pid ? a.pid < b.pid : a.device < b.device;
  });
  return found;
}

}  // namespace mortar::cli
