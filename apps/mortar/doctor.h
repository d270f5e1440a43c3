// What `mortar doctor` looks at, and what it says. The checks are pure functions of a described system, so
// that every broken set-up can be described in a test; CollectSystem describes the real one. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "board/view.h"
#include "mortar/device_users.h"
#include "mortar/layers.h"

namespace mortar::cli {

enum class Level {
  kOk,     // as it should be
  kNote,   // works; worth knowing, because it costs or surprises
  kWrong,  // programs are not scheduled, or not as they could be: exit code 1
};

struct Finding {
  std::string area;   // "OpenCL", "CUDA", "board", "machine"
  std::string check;  // a short name, the same in every version
  Level level = Level::kOk;
  std::string what;
  std::string cost{};  // empty where kOk
  std::string mend{};  // a command, ready to be pasted; empty where kOk
};

struct IcdFile {
  std::string path;
  std::string library;
  bool loads = false;
};

// A library that environment or system put before or between a program and its driver.
struct Interposer {
  std::string path;
  std::string by;  // "LD_PRELOAD", "/etc/ld.so.preload", …
  bool exists = true;
  bool names_opencl = false;  // its bytes name functions that submit to OpenCL, or to CUDA
  bool names_cuda = false;
};

struct DirectoryFacts {
  std::string path;     // empty: none could be settled on
  std::string origin;   // "MORTAR_DIR", "/run/mortar", "private"
  std::string problem;  // why boards cannot live there, as programs under Mortar say it; empty: they can
  bool exists = false;
  bool directory = false;
  bool tmpfs = false;
  bool allowed = false;  // readable, writable and searchable by us
  std::uint32_t mode = 0;
  std::uint32_t owner = 0;
  std::string group;
  std::uint64_t free_bytes = 0;
  std::string mount_source;  // of the file system it lies on, as mountinfo names it
};

struct ClientFacts {
  std::string name;
  int pid = 0;
  bool alive = true;
  bool visible = true;              // there is such a process here, and it is the one
  char run_state = 'S';             // as /proc says: 'T' stopped
  std::vector<std::string> copies;  // paths of Mortar's libraries that it has loaded
  bool replaced = false;            // one of them was deleted or replaced since
};

struct BoardFacts {
  std::string path;
  std::string device;
  base::Code code = base::Code::kSystem;  // of `problem`
  std::string problem;                    // why it cannot be used; empty: it can
  board::Settings settings;
  bool counter_clock = true;
  std::vector<ClientFacts> clients;
};

struct MpsFacts {
  bool daemon = false;  // its process is seen
  bool pipe = false;    // its pipe stands in `directory`
  std::string directory;
  bool directory_set = false;  // CUDA_MPS_PIPE_DIRECTORY
};

struct System {
  std::map<std::string, std::string> environment;  // variables that are set, of those that matter here
  std::set<std::string> missing;                   // files that the environment names and that are not there
  std::uint32_t user = 0;
  std::string scheduling, emulated, shim;  // paths of Mortar's libraries; empty: not installed
  std::string options_problem;             // what is wrong with MORTAR_… variables, as programs say it

  bool probed = true;
  Probe probe;
  std::vector<IcdFile> icds;

  std::vector<std::string> drivers;    // libcuda.so.1, best first
  std::vector<std::string> shadowing;  // folders of LD_LIBRARY_PATH before Mortar's that hold a libcuda.so.1
  bool nvidia_node = false;            // /dev/nvidiactl
  bool nvidia_node_allowed = false;
  std::string module_version;                // of the kernel module; empty: not loaded
  std::string library_version;               // of the best driver
  std::set<std::string> nvidia_devices;      // PCI addresses
  std::map<std::string, std::string> modes;  // compute modes that admit one process or none
  MpsFacts mps;

  DirectoryFacts directory;
  std::vector<BoardFacts> boards;
  std::uint64_t file_limit = UINT64_MAX;  // RLIMIT_FSIZE
  DeviceUsers users;

  bool counter_invariant = true;
  std::string clocksource;
  std::string container;             // "docker", "podman", …; empty: none that shows
  std::set<std::string> namespaces;  // of pid, ipc, time: those that are not the machine's first
  std::vector<Interposer> interposers;
};

System CollectSystem();

// Parts of CollectSystem.
void CollectOpenCl(System& system);
void CollectCuda(System& system);
void CollectBoards(System& system);
void CollectMachine(System& system);

// One group of checks each; always at least one finding.
std::vector<Finding> CheckOpenCl(const System& system);
std::vector<Finding> CheckCuda(const System& system);
std::vector<Finding> CheckMps(const System& system);
std::vector<Finding> CheckDirectory(const System& system);
std::vector<Finding> CheckBoards(const System& system);
std::vector<Finding> CheckClients(const System& system);
std::vector<Finding> CheckClock(const System& system);
std::vector<Finding> CheckContainers(const System& system);
std::vector<Finding> CheckInterposers(const System& system);
std::vector<Finding> CheckEnvironment(const System& system);

// All of them, in this order.
std::vector<Finding> Examine(const System& system);

bool IsWell(const std::vector<Finding>& findings);  // nothing is wrong
std::string ToText(const std::vector<Finding>& findings);
nlohmann::json ToJson(const std::vector<Finding>& findings);

// For the shell: as it is, or in quotes.
std::string Quoted(const std::string& text);
// The value of a variable; empty where it is not set.
std::string Value(const System& system, const std::string& variable);
// `list` parted at colons (and at spaces, if `spaces`), without empty parts.
std::vector<std::string> Parts(const std::string& list, bool spaces = false);

}  // namespace mortar::cli
