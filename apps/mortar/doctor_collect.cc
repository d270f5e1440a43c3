// What this machine, this environment and this user are like, for the checks of `mortar doctor`: boards and
// their clients, clock, containers, interposers. Errors of looking leave what they would have told unset.
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "client/options.h"
#include "mortar/boards.h"
#include "mortar/doctor.h"
#include "mortar/small_files.h"

namespace mortar::cli {
namespace {

constexpr std::size_t kLongestLibrary = 256U << 20;  // chosen: larger files are not searched for names

// The source of the mount that `path` lies on, from mountinfo (whose fields proc(5) describes).
std::string MountSource(const std::string& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  std::string source;
  std::size_t longest = 0;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 5 || words.end() - dash < 3) continue;
    const std::string& point = words[4];
    const bool under = point == "/" || path == point || path.starts_with(point + "/");
    if (!under || point.size() < longest) continue;
    longest = point.size();
    source = *(dash + 2);
  }
  return source;
}

void CollectDirectory(System& system) {
  DirectoryFacts& facts = system.directory;
  const std::string set = Value(system, "MORTAR_DIR");
  facts.path = !set.empty()            ? set
               : Exists("/run/mortar") ? "/run/mortar"
                                       : "/dev/shm/mortar-" + std::to_string(geteuid());
  facts.origin = !set.empty() ? "MORTAR_DIR" : facts.path == "/run/mortar" ? facts.path : "private";
  const auto found = board::FindDirectory();
  if (!found.ok()) facts.problem = found.error().message;
  struct stat info {};
  facts.exists = stat(facts.path.c_str(), &info) == 0;
  if (!facts.exists) return;
  facts.directory = S_ISDIR(info.st_mode);
  facts.mode = info.st_mode;
  facts.owner = info.st_uid;
  if (const group* owner = getgrgid(info.st_gid); owner != nullptr) facts.group = owner->gr_name;
  facts.allowed = faccessat(AT_FDCWD, facts.path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0;
  struct statfs system_info {};
  if (statfs(facts.path.c_str(), &system_info) == 0) {
    const auto type = static_cast<unsigned long>(system_info.f_type);
    facts.tmpfs = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
    // A tmpfs without a limit tells zero blocks.
    facts.free_bytes = system_info.f_blocks == 0 ? UINT64_MAX
                                                 : static_cast<std::uint64_t>(system_info.f_bavail) *
                                                       static_cast<std::uint64_t>(system_info.f_bsize);
  }
  facts.mount_source = MountSource(facts.path);
}

// The libraries of Mortar's that process `pid` has mapped.
void ReadCopies(int pid, ClientFacts& client) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::set<std::string> seen;
  std::string line;
  while (std::getline(maps, line)) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    std::string path = line.substr(slash);
    constexpr std::string_view kDeleted = " (deleted)";
    const bool deleted = path.ends_with(kDeleted);
    if (deleted) path.resize(path.size() - kDeleted.size());
    const bool ours =
        path.ends_with(std::string("/") + kSchedulingLayer) || path.ends_with("/mortar/cuda/libcuda.so.1");
    if (!ours) continue;
    client.replaced = client.replaced || deleted;
    if (seen.insert(path).second) client.copies.push_back(path);
  }
}

ClientFacts DescribeClient(const board::Board& board, const board::ClientView& view) {
  ClientFacts client;
  client.name = view.name;
  client.pid = view.pid;
  client.alive = board.OwnerAlive(view.ref.index);
  const std::string folder = "/proc/" + std::to_string(view.pid);
  client.visible = Exists(folder);
  const std::string stat_line = FirstLine(folder + "/stat");
  if (const std::size_t end = stat_line.rfind(") "); end != std::string::npos && end + 2 < stat_line.size())
    client.run_state = stat_line[end + 2];
  ReadCopies(view.pid, client);
  return client;
}

void CollectInterposer(System& system, const std::string& path, const std::string& by) {
  Interposer one;
  one.path = path;
  one.by = by;
  // A name without a slash is looked for by the dynamic linker; whether it finds it is not known here.
  one.exists = path.find('/') == std::string::npos || Exists(path);
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
      static_cast<std::size_t>(info.st_size) <= kLongestLibrary) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    one.names_opencl = bytes.find("clEnqueueNDRangeKernel") != std::string::npos;
    one.names_cuda = bytes.find("cuLaunchKernel") != std::string::npos ||
                     bytes.find("cudaLaunchKernel") != std::string::npos;
  }
  system.interposers.push_back(std::move(one));
}

void CollectContainer(System& system) {
  // The first namespaces of a machine have these numbers in every kernel (include/linux/proc_ns.h).
  constexpr std::array<std::pair<const char*, ino_t>, 3> kFirst = {
      {{"pid", 0xEFFFFFFC}, {"ipc", 0xEFFFFFFF}, {"time", 0xEFFFFFFA}}};
  for (const auto& [name, first] : kFirst) {
    struct stat info {};
    if (stat((std::string("/proc/self/ns/") + name).c_str(), &info) == 0 && info.st_ino != first)
      system.namespaces.insert(name);
  }
  if (Exists("/.dockerenv")) {
    system.container = "a Docker container";
  } else if (Exists("/run/.containerenv")) {
    system.container = "a Podman container";
  } else if (!Value(system, "KUBERNETES_SERVICE_HOST").empty()) {
    system.container = "a Kubernetes pod";
  } else if (!Value(system, "container").empty()) {
    system.container = "a container (" + Value(system, "container") + ")";
  }
}

void CollectEnvironment(System& system) {
  for (const char* variable :
       {"MORTAR_DIR", "MORTAR_LIB", "MORTAR_DISABLE", "MORTAR_STRICT", "MORTAR_CUDA_DRIVER",
        "MORTAR_SIM_DEVICE", "MORTAR_EMULATED", "OPENCL_LAYERS", "OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH",
        "LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "CUDA_INJECTION64_PATH", "CUDA_MPS_PIPE_DIRECTORY",
        "KUBERNETES_SERVICE_HOST", "container"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') system.environment[variable] = value;
  }
  std::vector<std::string> files = Parts(Value(system, "OPENCL_LAYERS"));
  for (const char* variable : {"MORTAR_CUDA_DRIVER", "OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"})
    files.push_back(Value(system, variable));
  for (const auto& file : files) {
    // Loaders look for names without a slash by themselves.
    if (file.find('/') != std::string::npos && !Exists(file)) system.missing.insert(file);
  }
  if (const auto options = client::ReadOptions(); !options.ok())
    system.options_problem = options.error().message;
}

}  // namespace

void CollectBoards(System& system) {
  CollectDirectory(system);
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    system.file_limit = limit.rlim_cur;
  if (!system.directory.problem.empty()) return;
  for (const std::string& path : board::ListBoards(system.directory.path)) {
    BoardFacts facts;
    facts.path = path;
    facts.device = path.substr(path.rfind('/') + 1);
    auto opened = board::Board::OpenFile(path);
    if (!opened.ok()) {
      facts.code = opened.error().code;
      facts.problem = opened.error().message;
    } else {
      if (const std::string device = board::ReadText(opened->header().device); !device.empty())
        facts.device = device;
      facts.settings = board::ReadSettings(opened->header());
      facts.counter_clock = opened->clock().kind == base::ClockKind::kCounter;
      for (const auto& view : board::ReadClients(*opened))
        facts.clients.push_back(DescribeClient(*opened, view));
    }
    system.boards.push_back(std::move(facts));
  }
}

void CollectMachine(System& system) {
  system.counter_invariant = base::CounterIsInvariant();
  system.clocksource = FirstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  CollectContainer(system);
  for (const char* variable : {"LD_PRELOAD", "LD_AUDIT", "CUDA_INJECTION64_PATH"}) {
    for (const auto& path : Parts(Value(system, variable), std::string_view(variable) == "LD_PRELOAD"))
      CollectInterposer(system, path, variable);
  }
  constexpr char kEverywhere[] = "/etc/ld.so.preload";
  std::ifstream everywhere(kEverywhere);
  for (std::string path; everywhere >> path;) CollectInterposer(system, path, kEverywhere);
}

System CollectSystem() {
  System system;
  system.user = geteuid();
  CollectEnvironment(system);
  CollectMachine(system);
  CollectOpenCl(system);
  CollectCuda(system);
  CollectBoards(system);
  return system;
}

}  // namespace mortar::cli
