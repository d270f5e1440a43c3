// Several clients at their gates on one device, in virtual time: who gets how much, in which order, and what
// the holder notices. Each client is a thread, but only one runs at a time: the one whose time comes first.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "board/test_support.h"
#include "client/gate.h"
#include "client/test_support.h"

namespace mortar::client {
namespace {

constexpr std::int64_t kUs = 1'000;
constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kStart = 1'000'000 * kMs;
constexpr char kDevice[] = "world";

// Virtual time, handed from thread to thread.
class World {
 public:
  std::int64_t now() const { return now_; }
  void Spend(std::int64_t ns) { now_ += ns; }

  // The calling client goes on at `at_ns`, or when the board's version differs from *version.
  void SleepUntil(int client, std::int64_t at_ns, const std::function<bool()>& sooner = {}) {
    std::unique_lock lock(mutex_);
    Sleeper& own = sleepers_[static_cast<std::size_t>(client)];
    own = {at_ns, sooner, true};
    HandOn();
    wake_.wait(lock, [&] { return running_ == client; });
  }

  // Runs one thread a client until all have returned.
  void Run(const std::vector<std::function<void(int)>>& clients) {
    sleepers_.resize(clients.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      sleepers_[i] = {kStart + static_cast<std::int64_t>(i), {}, true};
      threads.emplace_back([this, i, &clients] {
        {
          std::unique_lock lock(mutex_);
          wake_.wait(lock, [&] { return running_ == static_cast<int>(i); });
        }
        clients[i](static_cast<int>(i));
        const std::lock_guard lock(mutex_);
        sleepers_[i].alive = false;
        HandOn();
      });
    }
    {
      const std::lock_guard lock(mutex_);
      HandOn();
    }
    for (auto& thread : threads) thread.join();
  }

 private:
  struct Sleeper {
    std::int64_t at_ns = 0;
    std::function<bool()> sooner;
    bool alive = false;
  };

  // REQUIRES: mutex_ held, and every living client but the caller asleep.
  void HandOn() {
    running_ = -1;
    std::int64_t first = INT64_MAX;
    for (std::size_t i = 0; i < sleepers_.size(); ++i) {
      const Sleeper& sleeper = sleepers_[i];
      if (!sleeper.alive) continue;
      const std::int64_t at = sleeper.sooner && sleeper.sooner() ? now_ : std::max(now_, sleeper.at_ns);
      if (at >= first) continue;
      first = at;
      running_ = static_cast<int>(i);
    }
    if (running_ >= 0) now_ = first;
    wake_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Sleeper> sleepers_;
  int running_ = -1;
  std::int64_t now_ = kStart;
};

// One client with its gate; runs kernels one after another on the world's first-in, first-out device.
class Client : public Gate::Host {
 public:
  Client(World& world, std::int64_t& device_free, const std::string& directory, const std::string& name,
         std::uint32_t priority)
      : world_(world), device_free_(device_free), peer_(directory, kDevice, name, priority) {
    if (peer_.joined()) gate_ = std::make_unique<Gate>(peer_.board(), *this, peer_.index());
  }

  std::int64_t NowNs() override {
    world_.Spend(50);
    return world_.now();
  }
  void Sleep(std::uint32_t version, std::int64_t until_ns) override {
    world_.SleepUntil(id_, until_ns,
                      [this, version] { return peer_.board().header().version.load() != version; });
  }

  // As the program: submit through the gate, then wait for the kernel.
  void RunKernel(std::int64_t length_ns, bool wait = true) {
    LaneWriter lane = peer_.writer();
    const Admission admission = gate_->Admit(&watch_, &lane, {length_ns}, &shared_);
    longest_held = std::max(longest_held, admission.held_ns);
    const std::uint64_t weight = peer_.slot().weight_permille.load();
    peer_.slot().counters.served_ns.fetch_add(static_cast<std::uint64_t>(length_ns) * 1000 / weight);
    const std::int64_t end = Execute(length_ns);
    fills += admission.fill ? 1 : 0;
    floors += admission.floor ? 1 : 0;
    lane.Publish(board::kLaneRunning, world_.now(), {.busy_until_ns = end});
    if (!wait) return;
    lane.PublishWaiting(world_.now());
    world_.SleepUntil(id_, end);
    lane.Publish(board::kLaneRunning, world_.now(), {.busy_until_ns = end});
  }
  // As a holder: nothing is asked. Returns how much later than alone the kernel ends.
  std::int64_t RunAsHolder(std::int64_t length_ns, std::int64_t gap_ns) {
    LaneWriter lane = peer_.writer();
    const std::int64_t alone = world_.now() + length_ns;
    const std::int64_t end = Execute(length_ns);
    lane.Publish(board::kLaneRunning, world_.now(), {.busy_until_ns = end, .next_submit_ns = end + gap_ns});
    lane.PublishWaiting(world_.now());
    world_.SleepUntil(id_, end);
    lane.Publish(board::kLaneRunning, end, {.busy_until_ns = end, .next_submit_ns = end + gap_ns});
    world_.SleepUntil(id_, end + gap_ns);
    return end - alone;
  }
  void Begin(int id) { id_ = id; }
  void Leave() { peer_.Leave(); }
  FakePeer& peer() { return peer_; }
  World& world() { return world_; }

  std::int64_t device_ns = 0;
  int kernels = 0;
  int fills = 0;
  int floors = 0;
  std::int64_t last_end = 0;
  std::int64_t longest_held = 0;

 private:
  std::int64_t Execute(std::int64_t length_ns) {
    device_free_ = std::max(device_free_, world_.now()) + length_ns;
    device_ns += length_ns;
    ++kernels;
    last_end = device_free_;
    return device_free_;
  }

  World& world_;
  std::int64_t& device_free_;
  FakePeer peer_;
  std::unique_ptr<Gate> gate_;
  Watch watch_;
  Gate::Shared shared_;
  int id_ = 0;
};

class GateWorldTest : public testing::Test {
 protected:
  Client& Add(std::uint32_t priority) {
    clients.push_back(std::make_unique<Client>(world, device_free, directory.path(),
                                               "client" + std::to_string(clients.size()), priority));
    EXPECT_TRUE(clients.back()->peer().joined());
    return *clients.back();
  }
  void SetPolicy(model::PolicyId id) {
    clients.front()->peer().board().header().policy.store(static_cast<std::uint32_t>(id));
    clients.front()->peer().board().Bump();
  }
  // Every client runs `body` until `for_ns` has passed; it leaves at the end.
  void Run(const std::vector<std::function<void(Client&)>>& bodies) {
    std::vector<std::function<void(int)>> threads;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      threads.push_back([this, i, &bodies](int id) {
        clients[i]->Begin(id);
        bodies[i](*clients[i]);
        clients[i]->Leave();
      });
    }
    world.Run(threads);
  }
  static std::function<void(Client&)> Backlogged(std::int64_t length_ns, std::int64_t for_ns,
                                                 bool wait = true) {
    return [=](Client& client) {
      while (client.world().now() < kStart + for_ns) client.RunKernel(length_ns, wait);
    };
  }
  // Each client's share of all device time.
  std::vector<double> Shares() const {
    std::vector<double> shares;
    double sum = 0;
    for (const auto& client : clients) sum += static_cast<double>(client->device_ns);
    for (const auto& client : clients) shares.push_back(static_cast<double>(client->device_ns) / sum);
    return shares;
  }

  World world;
  std::int64_t device_free = kStart;
  board::TemporaryDirectory directory;
  std::vector<std::unique_ptr<Client>> clients;
};

constexpr std::int64_t kWhile = 4'000 * kMs;

class EqualsTest : public GateWorldTest, public testing::WithParamInterface<model::PolicyId> {};

TEST_P(EqualsTest, TakeTurnsByDeviceTime) {
  Add(5);
  Add(5);
  SetPolicy(GetParam());
  Run({Backlogged(100 * kUs, kWhile), Backlogged(300 * kUs, kWhile)});
  EXPECT_NEAR(Shares()[0], 0.5, 0.05);
  EXPECT_GT(clients[0]->device_ns + clients[1]->device_ns, kWhile * 8 / 10) << "turns cost no device time";
}

// All but `share`, which passes everything.
INSTANTIATE_TEST_SUITE_P(Policies, EqualsTest,
                         testing::Values(model::PolicyId::kExclusive, model::PolicyId::kPriority,
                                         model::PolicyId::kFikit, model::PolicyId::kFill),
                         [](const auto& param) { return std::string(model::PolicyName(param.param)); });

TEST_F(GateWorldTest, EqualsThatRunAheadTakeTurnsToo) {
  Add(5);
  Add(5);
  Run({Backlogged(50 * kUs, kWhile, /*wait=*/false), Backlogged(180 * kUs, kWhile, /*wait=*/false)});
  EXPECT_NEAR(Shares()[0], 0.5, 0.05);
}

TEST_F(GateWorldTest, ThreeEqualsShareByThirds) {
  for (int i = 0; i < 3; ++i) Add(5);
  Run({Backlogged(100 * kUs, kWhile), Backlogged(200 * kUs, kWhile), Backlogged(1 * kMs, kWhile)});
  for (const double share : Shares()) EXPECT_NEAR(share, 1.0 / 3, 0.034);
}

TEST_F(GateWorldTest, WeightsDivideTheDevice) {
  Add(5).peer().slot().weight_permille.store(2000);
  Add(5);
  Run({Backlogged(100 * kUs, kWhile), Backlogged(100 * kUs, kWhile)});
  EXPECT_NEAR(Shares()[0], 2.0 / 3, 0.067);
}

// Deficit round robin: shares as weights, however many there are and however long their kernels.
TEST_F(GateWorldTest, WeightsDivideTheDeviceAmongMany) {
  const std::uint32_t weights[] = {500, 1000, 2000, 4000};
  const std::int64_t lengths[] = {100 * kUs, 50 * kUs, 300 * kUs, 1 * kMs};
  std::vector<std::function<void(Client&)>> bodies;
  for (int i = 0; i < 4; ++i) {
    Add(5).peer().slot().weight_permille.store(weights[i]);
    bodies.push_back(Backlogged(lengths[i], 2 * kWhile));
  }
  Run(bodies);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(Shares()[i], weights[i] / 7500.0, 0.02) << i;
}

// mortar set NAME --weight, half-way.
TEST_F(GateWorldTest, ChangedWeightsCountFromThenOn) {
  for (int i = 0; i < 3; ++i) Add(5);
  std::vector<std::int64_t> before;
  Run({[&](Client& client) {
         while (world.now() < kStart + kWhile) client.RunKernel(100 * kUs);
         for (const auto& one : clients) before.push_back(one->device_ns);
         client.peer().slot().weight_permille.store(6000);
         client.peer().board().Bump();
         while (world.now() < kStart + 2 * kWhile) client.RunKernel(100 * kUs);
       },
       Backlogged(100 * kUs, 2 * kWhile), Backlogged(200 * kUs, 2 * kWhile)});
  const std::vector<double> expected = {6.0 / 8, 1.0 / 8, 1.0 / 8};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(static_cast<double>(before[i]) / kWhile, 1.0 / 3, 0.03);
    EXPECT_NEAR(static_cast<double>(clients[i]->device_ns - before[i]) / kWhile, expected[i], 0.03) << i;
  }
}

// Whatever bytes a dead equal, or chance, left for its share: it does not hold the living up.
TEST_F(GateWorldTest, WrongSharesDoNotHoldUpEquals) {
  for (const std::uint64_t wrong : {std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    clients.clear();
    Client& victim = Add(5);
    Add(5);
    victim.peer().slot().counters.served_ns.store(wrong);
    const std::int64_t began = world.now();
    Run({[=](Client& client) {
           for (int i = 0; i < 100; ++i) client.RunKernel(100 * kUs);
         },
         [=](Client& client) {
           for (int i = 0; i < 100; ++i) client.RunKernel(100 * kUs);
         }});
    EXPECT_LE(world.now() - began, 100 * kMs);  // 20 ms of kernels
  }
}

// Ten priorities, all with the same work and no gaps: each finishes before the next one gets more than a
// kernel's time now and then.
TEST_F(GateWorldTest, TenPrioritiesFinishInTheirOrder) {
  std::vector<std::function<void(Client&)>> bodies;
  for (std::uint32_t priority = 0; priority < 10; ++priority) {
    Add(priority);
    bodies.push_back([](Client& client) {
      for (int i = 0; i < 100; ++i) client.RunKernel(190 * kUs, /*wait=*/false);
    });
  }
  Run(bodies);
  for (std::size_t i = 1; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]->kernels, 100);
    EXPECT_GT(clients[i]->last_end, clients[i - 1]->last_end) << "priority " << i;
  }
}

// Issue A's emulated scenario: 185 us kernels with 500 us gaps; ⌊500/144⌋ = 3 fills a gap, and no delay.
TEST_F(GateWorldTest, FillsUseGapsAndDelayNothing) {
  Add(0);
  Add(5);
  std::int64_t worst = 0;
  Run({[&](Client& holder) {
         for (int i = 0; i < 1000; ++i) worst = std::max(worst, holder.RunAsHolder(185 * kUs, 500 * kUs));
       },
       Backlogged(144 * kUs, 685 * kMs)});
  EXPECT_LE(worst, 0);
  EXPECT_GE(clients[1]->fills, 2900);
  EXPECT_LE(clients[1]->fills, 3000);
}

// Two fillers share what the gaps leave; the longer kernel is not starved by the shorter, nor the shorter by
// it.
TEST_F(GateWorldTest, TwoFillersShareTheGaps) {
  Add(0);
  Add(5);
  Add(5);
  std::int64_t worst = 0;
  Run({[&](Client& holder) {
         for (int i = 0; i < 2000; ++i) worst = std::max(worst, holder.RunAsHolder(185 * kUs, 500 * kUs));
       },
       Backlogged(100 * kUs, 1'370 * kMs), Backlogged(300 * kUs, 1'370 * kMs)});
  EXPECT_LE(worst, 0);
  EXPECT_GE(clients[1]->fills, 1000);
  EXPECT_GE(clients[2]->fills, 1000);
}

// One's kernels fit into the gaps, the other's never do. Once the holder is gone they take turns, and the one
// does not stand still until the other has made up for seconds.
TEST_F(GateWorldTest, WhatAnEqualMissedInGapsIsMadeUpForInAFewTurns) {
  Add(0);
  Client& fits = Add(5);
  Client& never = Add(5);
  const std::int64_t gone = kStart + 1'370 * kMs;
  std::int64_t device_when_gone = 0;
  Run({[&](Client& holder) {
         for (int i = 0; i < 2000; ++i) holder.RunAsHolder(185 * kUs, 500 * kUs);
       },
       [&](Client& client) {
         while (client.world().now() < gone - 20 * kMs) client.RunKernel(100 * kUs);
         client.longest_held = 0;
         device_when_gone = client.device_ns - never.device_ns;
         while (client.world().now() < gone + 1'000 * kMs) client.RunKernel(100 * kUs);
       },
       Backlogged(700 * kUs, 2'370 * kMs, /*wait=*/false)});
  EXPECT_GT(device_when_gone, 100 * kMs);
  EXPECT_LE(fits.longest_held, 25 * kMs) << "ten turns of 2 ms, and a kernel";
  EXPECT_GT(never.device_ns, 400 * kMs);
}

// A holder that is never idle; kernels of 10 ms find no gap. --min-share is their share all the same.
TEST_F(GateWorldTest, FloorsAreKeptBesideAHolderThatIsNeverIdle) {
  for (const std::uint32_t share_ppm : {0U, 50'000U, 100'000U, 300'000U}) {
    clients.clear();
    Add(0);
    Add(5).peer().slot().min_share_ppm.store(share_ppm);
    const std::int64_t began = world.now();
    Run({[&](Client& holder) {
           while (world.now() < began + kWhile) holder.RunAsHolder(185 * kUs, 10 * kUs);
         },
         Backlogged(10 * kMs, began - kStart + kWhile - 20 * kMs)});
    const double share = static_cast<double>(clients[1]->device_ns) / kWhile;
    EXPECT_NEAR(share, share_ppm / 1e6, 0.011) << share_ppm;
    EXPECT_EQ(clients[1]->fills, clients[1]->floors);
  }
}

TEST_F(GateWorldTest, SeveralFloorsAreKeptTogether) {
  Add(0);
  Add(5).peer().slot().min_share_ppm.store(100'000);
  Add(5).peer().slot().min_share_ppm.store(200'000);
  Add(7).peer().slot().min_share_ppm.store(50'000);
  Run({[&](Client& holder) {
         while (world.now() < kStart + kWhile) holder.RunAsHolder(185 * kUs, 10 * kUs);
       },
       Backlogged(10 * kMs, kWhile - 20 * kMs), Backlogged(3 * kMs, kWhile - 20 * kMs),
       Backlogged(1 * kMs, kWhile - 20 * kMs)});
  EXPECT_NEAR(static_cast<double>(clients[1]->device_ns) / kWhile, 0.1, 0.012);
  EXPECT_NEAR(static_cast<double>(clients[2]->device_ns) / kWhile, 0.2, 0.015);
  EXPECT_NEAR(static_cast<double>(clients[3]->device_ns) / kWhile, 0.05, 0.01);
}

// What found a gap counts: with more than its floor from gaps, nobody is hurt for it.
TEST_F(GateWorldTest, GapsThatSufficeLeaveTheFloorAlone) {
  Add(0);
  Add(5).peer().slot().min_share_ppm.store(300'000);
  std::int64_t worst = 0;
  Run({[&](Client& holder) {
         for (int i = 0; i < 2000; ++i) worst = std::max(worst, holder.RunAsHolder(185 * kUs, 500 * kUs));
       },
       Backlogged(144 * kUs, 1'370 * kMs)});
  EXPECT_LE(worst, 0);
  EXPECT_EQ(clients[1]->floors, 0);
}

// Every sixteenth gap is 2 ms long: there a kernel of 10 ms costs the holder 8 ms, elsewhere 10.
TEST_F(GateWorldTest, FloorFillsGoWhereTheyHurtLeast) {
  Add(0);
  Add(5).peer().slot().min_share_ppm.store(100'000);
  std::int64_t harm = 0;
  Run({[&](Client& holder) {
         for (int i = 0; world.now() < kStart + kWhile; ++i) {
           harm += holder.RunAsHolder(185 * kUs, i % 16 == 0 ? 2 * kMs : 10 * kUs);
         }
       },
       Backlogged(10 * kMs, kWhile - 20 * kMs)});
  ASSERT_GE(clients[1]->floors, 35);
  EXPECT_LE(harm, clients[1]->floors * 81 * kMs / 10);
}

}  // namespace
}  // namespace mortar::client
