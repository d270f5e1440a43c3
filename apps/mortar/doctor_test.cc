// The checks of `mortar doctor`: each finds the set-up that it is for, and nothing else in it.
#include "mortar/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace mortar::cli {
namespace {

constexpr char kScheduling[] = "/opt/mortar/lib/libmortar-opencl.so";
constexpr char kEmulated[] = "/opt/mortar/lib/libmortar-emulated.so";
constexpr char kAddress[] = "0000:3b:00.0";

// A machine with OpenCL and a CUDA device, a board and a client: nothing to say about it.
System WellSystem() {
  System system;
  system.scheduling = kScheduling;
  system.emulated = kEmulated;
  system.shim = "/opt/mortar/lib/mortar/cuda/libcuda.so.1";
  system.probe = {true, true, 1, true, "/usr/lib/libOpenCL.so.1"};
  system.icds = {{"/etc/OpenCL/vendors/pocl.icd", "libpocl.so.2", true}};
  system.drivers = {"/usr/lib/libcuda.so.1"};
  system.nvidia_node = system.nvidia_node_allowed = true;
  system.module_version = system.library_version = "535.54.03";
  system.nvidia_devices = {kAddress};
  system.mps.directory = "/tmp/nvidia-mps";
  system.directory = {"/run/mortar", "/run/mortar", "", true,  true,     true,
                      true,          02770,         0,  "gpu", 1U << 20, "tmpfs"};
  BoardFacts board;
  board.path = "/run/mortar/0000_3b_00.0";
  board.device = kAddress;
  board.settings.policy = model::PolicyId::kFill;
  board.settings.mode = model::DeviceMode::kSliced;
  board.clients = {{"serve", 7, true, true, 'S', {kScheduling}, false}};
  system.boards = {board};
  system.clocksource = "tsc";
  return system;
}

struct Case {
  const char* name;
  std::function<void(System&)> spoil;
  const char* check;
  Level level;
  const char* what;  // parts of its texts
  const char* mend;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class DoctorTest : public testing::TestWithParam<Case> {};

TEST(DoctorTest, AWellSystemIsWell) {
  for (const auto& finding : Examine(WellSystem()))
    EXPECT_EQ(finding.level, Level::kOk) << finding.check << ": " << finding.what;
}

TEST_P(DoctorTest, FindsWhatIsWrongAlone) {
  System system = WellSystem();
  GetParam().spoil(system);
  std::vector<Finding> found;
  for (auto& finding : Examine(system)) {
    if (finding.level != Level::kOk) found.push_back(finding);
  }
  ASSERT_EQ(found.size(), 1U) << ToText(found);
  EXPECT_EQ(found[0].check, GetParam().check);
  EXPECT_EQ(found[0].level, GetParam().level);
  EXPECT_NE(found[0].what.find(GetParam().what), std::string::npos) << found[0].what;
  EXPECT_NE(found[0].mend.find(GetParam().mend), std::string::npos) << found[0].mend;
  EXPECT_NE(found[0].cost, "");
  EXPECT_EQ(IsWell(found), GetParam().level != Level::kWrong);
}

const Case kOpenClCases[] = {
    {"Ignored", [](System& s) { s.probe.layer = false; }, "loader", Level::kWrong, "ignores layers",
     "LD_LIBRARY_PATH"},
    {"Crashes", [](System& s) { s.probe.answered = false; }, "loader", Level::kWrong, "crashed", "clinfo"},
    {"VendorMissing",
     [](System& s) {
       s.icds.push_back({"/etc/OpenCL/vendors/old.icd", "libold.so", false});
     },
     "vendors", Level::kNote, "libold.so", "dpkg -S /etc/OpenCL/vendors/old.icd"},
    {"VendorsNowhere",
     [](System& s) {
       s.environment["OCL_ICD_VENDORS"] = "/nowhere";
       s.missing = {"/nowhere"};
     },
     "vendors", Level::kWrong, "/nowhere", "unset OCL_ICD_VENDORS"},
    {"LayerNotInstalled",
     [](System& s) {
       s.scheduling = "";
       s.boards[0].clients.clear();
     },
     "mortar", Level::kWrong, "not installed", "export MORTAR_LIB="},
    {"LayerNotInMortarLib",
     [](System& s) {
       s.scheduling = "";
       s.boards[0].clients.clear();
       s.environment["MORTAR_LIB"] = "/empty";
     },
     "mortar", Level::kWrong, "not installed", "unset MORTAR_LIB"},
    {"LayerNotThere",
     [](System& s) {
       s.environment["OPENCL_LAYERS"] = std::string("/gone.so:") + kScheduling;
       s.missing = {"/gone.so"};
     },
     "layers", Level::kWrong, "/gone.so", "export OPENCL_LAYERS=/opt/mortar/lib/libmortar-opencl.so"},
    {"OnlyLayerNotThere",
     [](System& s) {
       s.environment["OPENCL_LAYERS"] = "/gone.so";
       s.missing = {"/gone.so"};
     },
     "layers", Level::kWrong, "/gone.so", "unset OPENCL_LAYERS"},
    {"LayerTwice",
     [](System& s) {
       s.environment["OPENCL_LAYERS"] = std::string(kScheduling) + ":/old/libmortar-opencl.so";
     },
     "layers", Level::kWrong, "twice", "export OPENCL_LAYERS=/opt/mortar/lib/libmortar-opencl.so"},
    {"LayerAbove",
     [](System& s) { s.environment["OPENCL_LAYERS"] = std::string(kScheduling) + ":/trace.so"; }, "layers",
     Level::kNote, "another layer lies above", "export OPENCL_LAYERS=/trace.so:/opt/mortar"},
};
INSTANTIATE_TEST_SUITE_P(OpenCl, DoctorTest, testing::ValuesIn(kOpenClCases),
                         [](const auto& one) { return std::string(one.param.name); });

const Case kCudaCases[] = {
    {"DriverNamedNowhere",
     [](System& s) {
       s.environment["MORTAR_CUDA_DRIVER"] = "/nowhere";
       s.missing = {"/nowhere"};
       s.drivers.clear();
     },
     "driver", Level::kWrong, "names no file", "unset MORTAR_CUDA_DRIVER"},
    {"DeviceWithoutLibrary", [](System& s) { s.drivers.clear(); }, "driver", Level::kWrong, "no libcuda.so.1",
     "apt-get install"},
    {"ModuleNotLoaded", [](System& s) { s.module_version = ""; }, "driver", Level::kWrong, "not loaded",
     "modprobe nvidia"},
    {"NodeMissing", [](System& s) { s.nvidia_node = false; }, "driver", Level::kWrong, "/dev/nvidiactl",
     "modprobe"},
    {"NodeDenied", [](System& s) { s.nvidia_node_allowed = false; }, "driver", Level::kWrong,
     "may not be opened", "usermod"},
    {"Stub", [](System& s) { s.drivers = {"/usr/local/cuda/lib64/stubs/libcuda.so.1"}; }, "driver",
     Level::kWrong, "stub", "LD_LIBRARY_PATH"},
    {"VersionsDiffer", [](System& s) { s.library_version = "550.1"; }, "driver", Level::kWrong, "535.54.03",
     "rmmod"},
    {"Simulated", [](System& s) { s.drivers = {"/opt/mortar/lib/mortar/simcuda/libcuda.so.1"}; }, "driver",
     Level::kNote, "simulated", "unset MORTAR_CUDA_DRIVER"},
    {"ShimMissing", [](System& s) { s.shim = ""; }, "shim", Level::kWrong, "not installed", "MORTAR_LIB"},
    {"ShimBehind",
     [](System& s) {
       s.environment["LD_LIBRARY_PATH"] = "/usr/lib:/opt/mortar/lib/mortar/cuda";
       s.shadowing = {"/usr/lib"};
     },
     "shim", Level::kWrong, "/usr/lib comes before", "export LD_LIBRARY_PATH=/opt/mortar/lib/mortar/cuda:"},
    {"ShimPath", [](System& s) { s.shim = "/opt/my mortar/libcuda.so.1"; }, "shim", Level::kWrong, "a space",
     "--prefix"},
    {"Prohibited", [](System& s) { s.modes[kAddress] = "prohibited"; }, "mode", Level::kWrong, "prohibited",
     "-c DEFAULT"},
    {"Exclusive", [](System& s) { s.modes[kAddress] = "exclusive"; }, "mode", Level::kWrong, "exclusive",
     "nvidia-smi -i 0000:3b:00.0 -c DEFAULT"},
    {"MpsPipeNowhere",
     [](System& s) {
       s.mps = {false, false, "/var/mps", true};
     },
     "mps", Level::kWrong, "/var/mps", "mps-control -d"},
    {"MpsElsewhere", [](System& s) { s.mps.daemon = true; }, "mps", Level::kWrong, "not in /tmp/nvidia-mps",
     "export CUDA_MPS_PIPE_DIRECTORY="},
    {"MpsGone", [](System& s) { s.mps.pipe = true; }, "mps", Level::kWrong, "is gone",
     "rm -r /tmp/nvidia-mps"},
    {"SlicedUnderMps", [](System& s) { s.mps.daemon = s.mps.pipe = true; }, "mps", Level::kWrong,
     "MPS is running", "--mode merged"},
    {"MergedWithoutMps", [](System& s) { s.boards[0].settings.mode = model::DeviceMode::kMerged; }, "mps",
     Level::kWrong, "there is no MPS", "--mode sliced"},
    {"NotCalibrated", [](System& s) { s.boards[0].settings.mode = model::DeviceMode::kFifo; }, "mps",
     Level::kNote, "never calibrated", "mortar calibrate"},
};
INSTANTIATE_TEST_SUITE_P(Cuda, DoctorTest, testing::ValuesIn(kCudaCases),
                         [](const auto& one) { return std::string(one.param.name); });

const Case kBoardCases[] = {
    {"Relative",
     [](System& s) {
       s.directory.origin = "MORTAR_DIR";
       s.directory.path = "boards";
     },
     "directory", Level::kWrong, "absolute", "realpath -m boards"},
    {"NotThere",
     [](System& s) {
       s.directory.origin = "MORTAR_DIR";
       s.directory.exists = false;
     },
     "directory", Level::kWrong, "is not there", "install -d -m 700 /run/mortar"},
    {"AFile", [](System& s) { s.directory.directory = false; }, "directory", Level::kWrong, "not a directory",
     "rm /run/mortar"},
    {"OnDisk", [](System& s) { s.directory.tmpfs = false; }, "directory", Level::kWrong, "not on tmpfs",
     "mount -t tmpfs"},
    {"Denied", [](System& s) { s.directory.allowed = false; }, "directory", Level::kWrong, "denied",
     "usermod -aG gpu"},
    {"SomebodyElses",
     [](System& s) {
       s.directory.origin = "private";
       s.directory.problem = "not a private directory of yours";
     },
     "directory", Level::kWrong, "private", "rm -r /run/mortar"},
    {"Everyones", [](System& s) { s.directory.mode = 0777; }, "directory", Level::kWrong, "everyone",
     "chmod o-w /run/mortar"},
    {"Full", [](System& s) { s.directory.free_bytes = 4096; }, "space", Level::kWrong, "4 KiB", "remount"},
    {"FileLimit", [](System& s) { s.file_limit = 4096; }, "space", Level::kWrong, "ulimit -f",
     "ulimit -f unlimited"},
    {"OtherVersion",
     [](System& s) {
       s.boards[0].code = base::Code::kMismatch;
       s.boards[0].problem = "open board x: layout version 7, this Mortar speaks version 2";
     },
     "versions", Level::kWrong, "layout version 7", "rm /run/mortar/0000_3b_00.0"},
    {"BoardDenied",
     [](System& s) {
       s.boards[0].code = base::Code::kDenied;
       s.boards[0].problem = "open board x: Permission denied";
     },
     "board", Level::kWrong, "denied", "chmod 660"},
    {"BoardDamaged",
     [](System& s) {
       s.boards[0].code = base::Code::kCorrupt;
       s.boards[0].problem = "open board x: its settings are out of range";
     },
     "board", Level::kWrong, "out of range", "rm /run/mortar/0000_3b_00.0"},
    {"Off", [](System& s) { s.boards[0].settings.off = true; }, "off", Level::kWrong, "is off",
     "mortar on --device 0000:3b"},
    {"Share", [](System& s) { s.boards[0].settings.policy = model::PolicyId::kShare; }, "policy",
     Level::kNote, "share", "mortar set --policy fill"},
    {"NoSlotLeft", [](System& s) { s.boards[0].clients.resize(64, s.boards[0].clients[0]); }, "full",
     Level::kWrong, "64", "mortar status"},
    {"InAnotherNamespace", [](System& s) { s.boards[0].clients[0].visible = false; }, "client", Level::kNote,
     "serve", "lsns"},
    {"Stopped", [](System& s) { s.boards[0].clients[0].run_state = 'T'; }, "client", Level::kNote, "stopped",
     "kill -CONT 7"},
    {"Replaced", [](System& s) { s.boards[0].clients[0].replaced = true; }, "versions", Level::kNote,
     "replaced", "kill 7"},
    {"AnotherCopy", [](System& s) { s.boards[0].clients[0].copies = {"/old/libmortar-opencl.so"}; },
     "versions", Level::kNote, "/old/libmortar-opencl.so", "kill 7"},
    {"Unmanaged",
     [](System& s) {
       s.users.users = {{9, "python", kAddress, "NVML", {}, {}}, {7, "serve", kAddress, "NVML", {}, {}}};
     },
     "unmanaged", Level::kNote, "process 9 (python)", "mortar run"},
};
INSTANTIATE_TEST_SUITE_P(Board, DoctorTest, testing::ValuesIn(kBoardCases),
                         [](const auto& one) { return std::string(one.param.name); });

const Case kMachineCases[] = {
    {"CounterUneven", [](System& s) { s.counter_invariant = false; }, "clock", Level::kNote,
     "does not tick evenly", "cpuinfo"},
    {"Hpet", [](System& s) { s.clocksource = "hpet"; }, "clock", Level::kNote, "hpet", "dmesg"},
    {"TimeNamespace",
     [](System& s) {
       s.namespaces = {"time"};
       s.boards[0].counter_clock = false;
     },
     "clock", Level::kWrong, "time namespace", "nsenter -T"},
    {"Container",
     [](System& s) {
       s.container = "a Docker container";
       s.directory.mount_source = "shm";
     },
     "container", Level::kNote, "its own", "-v /run/mortar:/run/mortar"},
    {"PreloadGone",
     [](System& s) {
       s.environment["LD_PRELOAD"] = "/gone.so /keep.so";
       s.interposers = {{"/gone.so", "LD_PRELOAD", false, false, false}, {"/keep.so", "LD_PRELOAD"}};
     },
     "interposer", Level::kWrong, "/gone.so", "export LD_PRELOAD=/keep.so"},
    {"AnotherScheduler",
     [](System& s) {
       s.environment["LD_PRELOAD"] = "/usr/lib/libnvshare.so";
       s.interposers = {{"/usr/lib/libnvshare.so", "LD_PRELOAD"}};
     },
     "interposer", Level::kWrong, "nvshare", "unset LD_PRELOAD"},
    {"LimiterForAll",
     [](System& s) {
       s.interposers = {{"/usr/local/vgpu/libvgpu.so", "/etc/ld.so.preload"}};
     },
     "interposer", Level::kWrong, "HAMi", "sudo sed -i '\\|/usr/local/vgpu/libvgpu.so|d' /etc/ld.so.preload"},
    {"Profiler",
     [](System& s) {
       s.environment["CUDA_INJECTION64_PATH"] = "/nsys/libToolsInjection64.so";
       s.interposers = {{"/nsys/libToolsInjection64.so", "CUDA_INJECTION64_PATH"}};
     },
     "interposer", Level::kNote, "profiler", "unset CUDA_INJECTION64_PATH"},
    {"UnknownSubmitter",
     [](System& s) {
       s.environment["LD_PRELOAD"] = "/x.so";
       s.interposers = {{"/x.so", "LD_PRELOAD", true, false, true}};
     },
     "interposer", Level::kNote, "CUDA", "unset LD_PRELOAD"},
    {"BadVariable", [](System& s) { s.options_problem = "read MORTAR_PRIORITY=12: not a whole number"; },
     "environment", Level::kWrong, "MORTAR_PRIORITY=12", "unset MORTAR_PRIORITY"},
    {"Disabled", [](System& s) { s.environment["MORTAR_DISABLE"] = "1"; }, "environment", Level::kWrong,
     "MORTAR_DISABLE", "unset MORTAR_DISABLE"},
};
INSTANTIATE_TEST_SUITE_P(Machine, DoctorTest, testing::ValuesIn(kMachineCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(DoctorTest, WithoutOpenClOnACudaMachineNothingIsWrong) {
  System system = WellSystem();
  system.probe = {};
  EXPECT_TRUE(IsWell(Examine(system)));
  system.drivers.clear();
  system.nvidia_node = false;
  system.module_version = "";
  EXPECT_FALSE(IsWell(Examine(system)));
  system.probe = {true, true, 0, false, "/usr/lib/libOpenCL.so.1"};
  const auto findings = Examine(system);
  EXPECT_FALSE(IsWell(findings));
  EXPECT_NE(ToText(findings).find("pocl-opencl-icd"), std::string::npos);
}

TEST(DoctorTest, ExclusiveModeUnderMpsIsAsItShouldBe) {
  System system = WellSystem();
  system.modes[kAddress] = "exclusive";
  system.mps.daemon = system.mps.pipe = true;
  for (const Finding& finding : Examine(system)) EXPECT_NE(finding.check, "mode") << finding.what;
}

TEST(DoctorTest, TheEmulatedDeviceBelongsBelow) {
  System system = WellSystem();
  system.environment["OPENCL_LAYERS"] = std::string(kScheduling) + ":" + kEmulated;
  const auto findings = CheckOpenCl(system);
  const auto wrong =
      std::find_if(findings.begin(), findings.end(), [](const auto& f) { return f.level == Level::kWrong; });
  ASSERT_NE(wrong, findings.end());
  EXPECT_EQ(wrong->mend, std::string("export OPENCL_LAYERS=") + kEmulated + ":" + kScheduling);
  system.environment["OPENCL_LAYERS"] = std::string(kEmulated) + ":" + kScheduling;
  EXPECT_TRUE(IsWell(CheckOpenCl(system)));
}

TEST(DoctorTest, TextsFromOutsideStayOnOneLineAndInQuotes) {
  System system = WellSystem();
  system.boards[0].device = "a\nb'c";
  system.boards[0].settings.off = true;
  const auto text = ToText(CheckBoards(system));
  EXPECT_NE(text.find("a?b'c is off"), std::string::npos) << text;
  EXPECT_NE(text.find("'a?b'\\''c'"), std::string::npos) << text;
}

}  // namespace
}  // namespace mortar::cli
