#include "simcuda/shared/shared_device.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/clock.h"

namespace mortar::simcuda {
namespace {

class SharedDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shared_device_test-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    parameters_.memory_bytes = 1000;
  }
  void TearDown() override {
    unlink((directory_ + "/gpu.device").c_str());
    rmdir(directory_.c_str());
  }
  SharedDevice Opened() {
    auto device = SharedDevice::Open(directory_, "gpu", parameters_);
    EXPECT_TRUE(device) << (device ? "" : device.error().message);
    return device ? std::move(*device) : SharedDevice();
  }
  static CommandId Submit(SharedDevice& device, Index stream, Ns duration_ns) {
    SharedDevice::Session session(device);
    Work work;
    work.kind = WorkKind::kKernel;
    work.duration_ns = duration_ns;
    return session->Submit(stream, work);
  }
  static Index NewStream(SharedDevice& device, Index context) {
    SharedDevice::Session session(device);
    return session->AddStream(context, StreamKind::kBlocking, 0);
  }

  std::string directory_;
  Parameters parameters_;
};

TEST_F(SharedDeviceTest, WaitReturnsNotBeforeTheModelledEnd) {
  SharedDevice device = Opened();
  const Index stream = NewStream(device, device.AddContext());
  const Ns before_ns = base::MonotonicNs();
  Submit(device, stream, 200'000);
  const CommandId second = Submit(device, stream, 300'000);
  device.WaitFor(second, nullptr, nullptr);
  EXPECT_GE(base::MonotonicNs() - before_ns, 500'000);
  SharedDevice::Session session(device);
  EXPECT_TRUE(session->IsDone(second));
}

TEST_F(SharedDeviceTest, WaitEndsWhereTheCallerSaysSo) {
  SharedDevice device = Opened();
  const Index stream = NewStream(device, device.AddContext());
  const CommandId endless = Submit(device, stream, 3'600'000'000'000);
  int asked = 0;
  device.WaitFor(
      endless, [](void* argument) { return ++*static_cast<int*>(argument) == 2; }, &asked);
  EXPECT_EQ(asked, 2);
}

TEST_F(SharedDeviceTest, OtherDescriptionIsRefusedWhileInUseAndTakenAfter) {
  SharedDevice device = Opened();
  const Index context = device.AddContext();
  Parameters other = parameters_;
  other.sharing = Sharing::kFifo;
  const pid_t child = fork();
  if (child == 0) {
    const auto refused = SharedDevice::Open(directory_, "gpu", other);
    _exit(!refused && refused.error().code == base::Code::kMismatch ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  device.RemoveContext(context);
  EXPECT_TRUE(SharedDevice::Open(directory_, "gpu", other));
}

// Killed while it holds the lock, and not reaped: its memory, its work and its context are gone for the next
// one.
TEST_F(SharedDeviceTest, ProcessKilledUnderTheLockLeavesNothing) {
  SharedDevice device = Opened();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto mine = SharedDevice::Open(directory_, "gpu", parameters_);
    const Index context = mine->AddContext();
    Submit(*mine, NewStream(*mine, context), 3'600'000'000'000);
    SharedDevice::Session session(*mine);
    session->Allocate(context, 900);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const Index context = device.AddContext();
  const CommandId mine = Submit(device, NewStream(device, context), 1000);
  device.WaitFor(mine, nullptr, nullptr);
  {
    SharedDevice::Session session(device);
    EXPECT_TRUE(session->Allocate(context, 1000));
  }
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(SharedDeviceTest, FileOfAnotherKindIsRefused) {
  std::ofstream(directory_ + "/gpu.device") << "not a device";
  const auto device = SharedDevice::Open(directory_, "gpu", parameters_);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, base::Code::kCorrupt);
}

}  // namespace
}  // namespace mortar::simcuda
