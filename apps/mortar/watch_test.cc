// What `mortar top` and `mortar serve` tell of boards and of processes on devices.
#include "mortar/watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mortar/test_support.h"
#include "mortar/top_frame.h"

namespace mortar::cli {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

ClientStatus Client(int slot, const std::string& name, std::uint32_t priority) {
  ClientStatus client;
  client.view.ref = {slot, 1};
  client.view.pid = 100 + slot;
  client.view.name = name;
  client.view.priority = priority;
  client.view.max_slowdown_ppm = 20'000;
  client.alive = true;
  client.state = "idle";
  return client;
}

// One second in which `serve` worked a quarter of the time and `train` filled half of it.
DeviceRates OneSecond() {
  DeviceStatus before;
  before.device = "0000:3b:00.0";
  before.now_ns = 5 * kSecondNs;
  before.clients = {Client(0, "serve", 0), Client(1, "train", 5), Client(2, "batch", 5)};
  DeviceStatus now = before;
  now.now_ns = 6 * kSecondNs;
  auto& serve = now.clients[0].view;
  serve.submits = 500;
  serve.device_ns = 250'000'000;
  serve.requests = 10;
  serve.request_ns = 515'000'000;
  serve.harm_ns = 15'000'000;
  auto& train = now.clients[1].view;
  train.submits = 40;
  train.fills = 30;
  train.device_ns = 500'000'000;
  train.fill_ns = 450'000'000;
  train.gated_ns = 800'000'000;
  return CompareDevice(&before, now);
}

TEST(WatchTest, RatesAreOverTheInterval) {
  const DeviceRates device = OneSecond();
  const ClientRates& serve = device.clients[0];
  EXPECT_DOUBLE_EQ(serve.submits_per_s, 500);
  EXPECT_DOUBLE_EQ(serve.requests_per_s, 10);
  EXPECT_DOUBLE_EQ(serve.device_share, 0.25);
  EXPECT_DOUBLE_EQ(serve.harm.value_or(-1), 0.03);  // 15 ms over the 500 ms that it would have been
  const ClientRates& train = device.clients[1];
  EXPECT_DOUBLE_EQ(train.fills_per_s, 30);
  EXPECT_DOUBLE_EQ(train.fill_share, 0.45);
  EXPECT_DOUBLE_EQ(train.held_share, 0.8);
  EXPECT_FALSE(train.harm.has_value());
}

TEST(WatchTest, TheHighestActivePriorityHolds) {
  const DeviceRates device = OneSecond();
  EXPECT_EQ(device.Holders(), std::vector<std::string>{"serve"});
  EXPECT_EQ(device.Fillers(), std::vector<std::string>{"train"});
  EXPECT_DOUBLE_EQ(device.busy, 0.75);
  EXPECT_DOUBLE_EQ(device.gaps.value_or(-1), 0.75);
  EXPECT_DOUBLE_EQ(device.filled.value_or(-1), 0.6);  // 0.45 of 0.75
}

TEST(WatchTest, WithoutAnEarlierLookThereAreNoRates) {
  DeviceStatus now;
  now.now_ns = kSecondNs;
  now.clients = {Client(0, "serve", 0)};
  now.clients[0].view.submits = 500;
  now.clients[0].state = "running";
  const DeviceRates device = CompareDevice(nullptr, now);
  EXPECT_FALSE(device.clients[0].compared);
  EXPECT_EQ(device.clients[0].submits_per_s, 0);
  EXPECT_TRUE(device.clients[0].holds);
}

TEST(WatchTest, AnotherClientInTheSlotIsNotCompared) {
  DeviceStatus before;
  before.now_ns = kSecondNs;
  before.clients = {Client(0, "old", 0)};
  DeviceStatus now = before;
  now.now_ns = 2 * kSecondNs;
  now.clients[0].view.ref.generation = 3;
  now.clients[0].view.submits = 100;
  EXPECT_FALSE(CompareDevice(&before, now).clients[0].compared);
}

TEST(WatchTest, SumsThatRunBackwardsOrJumpStayWithinBounds) {
  DeviceStatus before;
  before.now_ns = kSecondNs;
  before.clients = {Client(0, "a", 0), Client(1, "b", 0)};
  before.clients[0].view.submits = 100;
  DeviceStatus now = before;
  now.now_ns = 2 * kSecondNs;
  now.clients[0].view.submits = 1;
  now.clients[1].view.device_ns = UINT64_MAX;
  now.clients[1].view.gated_ns = UINT64_MAX;
  const DeviceRates device = CompareDevice(&before, now);
  EXPECT_FALSE(device.clients[0].compared);
  EXPECT_EQ(device.clients[1].device_share, 1);
  EXPECT_EQ(device.clients[1].held_share, 1);
  EXPECT_EQ(device.busy, 1);
  now.now_ns = kSecondNs / 2;  // and a clock that ran backwards
  EXPECT_FALSE(CompareDevice(&before, now).clients[1].compared);
}

TEST(WatchTest, ProcessesWithoutMortarAreTold) {
  Sample sample;
  sample.devices.push_back(OneSecond());
  sample.devices.push_back({});
  sample.devices[1].status.device = "emulated on something";
  DeviceUsers users;
  users.hidden = 3;
  users.busy["0000:3b:00.0"] = 0.7;
  users.users = {{100, "serve", "0000:3b:00.0", "NVML", {}, {}},      // a client
                 {7001, "train", "0000:3b:00.0", "NVML", {}, {101}},  // one from another pid namespace
                 {42, "xorg", "0000:3b:00.0", "/dev/nvidia0", {}, {}},
                 {43, "game", "0000:65:00.0", "/dev/dri/renderD128", {}, {}}};
  AddUsers(users, sample);
  ASSERT_TRUE(sample.devices[0].unmanaged.has_value());
  ASSERT_EQ(sample.devices[0].unmanaged->size(), 1U);
  EXPECT_EQ(sample.devices[0].unmanaged->front().pid, 42);
  EXPECT_EQ(sample.devices[0].busy_measured, 0.7);
  EXPECT_FALSE(sample.devices[1].unmanaged.has_value());
  EXPECT_NE(sample.devices[1].unmanaged_unknown, "");
  ASSERT_EQ(sample.elsewhere.size(), 1U);
  EXPECT_EQ(sample.elsewhere[0].pid, 43);
  const std::string text = PlainText(ComposeFrame(sample, {}));
  for (const char* part : {"without Mortar: 42 xorg (/dev/nvidia0)", "without Mortar: not known", "43 game",
                           "3 processes of other users", "70 % (driver)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(WatchTest, TheFrameSaysWhoHoldsAndWhatItCosts) {
  Sample sample;
  sample.devices.push_back(OneSecond());
  sample.errors = {"open board x: not a board"};
  const auto lines = ComposeFrame(sample, {});
  const std::string text = PlainText(lines);
  for (const char* part : {"holds: serve", "fills: train", "75 % (predicted)", "filled 60 %", "SUBMITS/S",
                           "500", "not a board"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  bool over_limit = false;  // 3 % where 2 % is allowed
  for (const auto& line : lines) {
    for (const auto& span : line)
      over_limit = over_limit || (span.style == Style::kBad && span.text.find("serve") != std::string::npos);
  }
  EXPECT_TRUE(over_limit);
}

TEST(WatchTest, RowsAreSortedAsAsked) {
  Sample sample;
  sample.devices.push_back(OneSecond());
  const auto order = [&](Order by) {
    const std::string text = PlainText(ComposeFrame(sample, {by}));
    const std::string table = text.substr(text.find("NAME"));
    std::vector<std::pair<std::size_t, std::string>> found;
    for (const char* name : {"serve", "train", "batch"}) found.emplace_back(table.find(name), name);
    std::sort(found.begin(), found.end());
    return found[0].second + " " + found[1].second + " " + found[2].second;
  };
  EXPECT_EQ(order(Order::kPriority), "serve batch train");
  EXPECT_EQ(order(Order::kDevice), "train serve batch");
  EXPECT_EQ(order(Order::kName), "batch serve train");
}

TEST(DeviceUsersTest, PciAddressesInEveryDress) {
  EXPECT_EQ(NormalPciAddress("00000000:3B:00.0"), "0000:3b:00.0");
  EXPECT_EQ(NormalPciAddress("0000:3b:00.0"), "0000:3b:00.0");
  for (const char* text : {"", "emulated", "0000:3b:00", "0000:3g:00.0", "0001:0000:3b:00.0", "gpu:0"})
    EXPECT_EQ(NormalPciAddress(text), "") << text;
}

class ProcTest : public testing::Test {
 protected:
  // A process with one descriptor open.
  void AddProcess(int pid, const std::string& program, const std::string& node, const std::string& fdinfo,
                  const std::string& status = "") const {
    namespace fs = std::filesystem;
    const fs::path folder = fs::path(proc_.path()) / std::to_string(pid);
    fs::create_directories(folder / "fd");
    fs::create_directories(folder / "fdinfo");
    fs::create_symlink(node, folder / "fd" / "3");
    std::ofstream(folder / "fdinfo" / "3") << fdinfo;
    std::ofstream(folder / "comm") << program << "\n";
    std::ofstream(folder / "status") << status;
  }
  board::TemporaryDirectory proc_;
};

TEST_F(ProcTest, FindsWhoHasADeviceOpen) {
  AddProcess(10, "desktop", "/dev/dri/renderD128", "pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:65:00.0\n");
  AddProcess(11, "python\nx", "/dev/nvidia0", "pos:\t0\n", "Name:\tpython\nNSpid:\t11\t7\n");
  AddProcess(12, "editor", "/dev/null", "pos:\t0\n");
  AddProcess(13, "asks", "/dev/nvidiactl", "pos:\t0\n");
  AddProcess(14, "rocm", "/dev/kfd", "");
  std::filesystem::create_directories(proc_.path() + "/driver/nvidia/gpus/0000:3b:00.0");
  std::ofstream(proc_.path() + "/driver/nvidia/gpus/0000:3b:00.0/information")
      << "Model: \t X\nDevice Minor: \t 0\n";
  const DeviceUsers users = ReadProc(proc_.path());
  ASSERT_EQ(users.users.size(), 3U);
  EXPECT_EQ(users.users[0].pid, 10);
  EXPECT_EQ(users.users[0].device, "0000:65:00.0");
  EXPECT_EQ(users.users[0].through, "/dev/dri/renderD128");
  EXPECT_EQ(users.users[1].device, "0000:3b:00.0");
  EXPECT_EQ(users.users[1].inner_pids, std::vector<int>{7});
  EXPECT_EQ(users.users[1].program, "python");
  EXPECT_EQ(users.users[2].device, "");  // kfd stands for all of AMD's devices
}

TEST_F(ProcTest, DamagedFilesAreNoReasonToFail) {
  AddProcess(10, "x", "/dev/dri/card0", "drm-pdev:\t\n\xff\n", "NSpid:\tten 99999999999 -\n");
  const DeviceUsers users = ReadProc(proc_.path());
  ASSERT_EQ(users.users.size(), 1U);
  EXPECT_EQ(users.users[0].device, "");
  EXPECT_TRUE(users.users[0].inner_pids.empty());
  EXPECT_TRUE(ReadProc(proc_.path() + "/nowhere").users.empty());
}

}  // namespace
}  // namespace mortar::cli
