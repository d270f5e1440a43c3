// The sequence lock of a lane: the board's own writer and reader, every interleaving, every reordering.
#include <gtest/gtest.h>

#include "client/lane_reader.h"
#include "client/lane_writer.h"
#include "protocol/virtual_memory.h"

namespace mortar::interleaving {
namespace {

using VirtualLane = board::BasicLane<VirtualMemory>;
using Writer = client::BasicLaneWriter<VirtualMemory>;

constexpr std::int64_t kNow = 100;

predict::Forecast All(std::int64_t value) {
  predict::Forecast forecast;
  forecast.busy_until_ns = forecast.next_submit_ns = forecast.latest_free_ns = forecast.arrived_ns = value;
  forecast.ladder = static_cast<std::uint8_t>(value);
  return forecast;
}

// All of one publication, or nothing.
void CheckWhole(std::uint32_t flags, const policy::LaneNews& news) {
  Explorer& explorer = Explorer::Current();
  const std::int64_t value = news.busy_until_ns;
  explorer.Check(news.next_submit_ns == value && news.latest_free_ns == value &&
                     news.last_activity_ns == value &&
                     static_cast<std::int64_t>(flags >> board::kLaneLadderShift) == value,
                 "a torn lane is believed");
  const bool gated = (flags & board::kLaneStateMask) == board::kLaneGated;
  explorer.Check(news.pending_length_ns == (gated ? value : 0) && news.wake_at_ns == (gated ? value + 1 : 0),
                 "what waits is torn from the rest");
}

// `publications` of the writer against one look (with `tries` in it) of a reader.
Outcome WriterAndReader(int publications, int tries, Fault fault = Fault::kNone) {
  Explorer explorer(fault);
  return explorer.Explore([=](Explorer& world) {
    auto& lane = world.Make<VirtualLane>();
    world.Start([&lane, publications] {
      Writer writer(&lane);
      for (int i = 1; i <= publications; ++i) writer.Publish(board::kLaneRunning, i, All(i));
    });
    world.StartReader([&lane, tries] {
      std::uint32_t flags = 0;
      policy::LaneNews news;
      if (client::CopyLane(lane, kNow, &flags, &news, tries)) CheckWhole(flags, news);
    });
  });
}

TEST(LaneInterleavingTest, NoTornLaneIsBelieved) {
  const Outcome outcome = WriterAndReader(2, 1);
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
  RecordProperty("states", static_cast<int>(outcome.states));
}

TEST(LaneInterleavingTest, NoTornLaneIsBelievedOnASecondTry) {
  const Outcome outcome = WriterAndReader(1, 2);
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
}

// A submit held at the gate: the prediction stands, what waits is written anew.
TEST(LaneInterleavingTest, WhatWaitsBelongsToTheRest) {
  Explorer explorer;
  const Outcome outcome = explorer.Explore([](Explorer& world) {
    auto& lane = world.Make<VirtualLane>();
    world.Start([&lane] {
      Writer writer(&lane);
      writer.Publish(board::kLaneRunning, 1, All(1));
      writer.PublishPending(1, 2);
      writer.Clear();
    });
    world.StartReader([&lane] {
      std::uint32_t flags = 0;
      policy::LaneNews news;
      if (client::CopyLane(lane, kNow, &flags, &news, 1)) CheckWhole(flags, news);
    });
  });
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
}

// The search finds what is wrong: without one of them it proves nothing.
TEST(LaneInterleavingTest, PlantedFaultsAreFound) {
  for (const Fault fault :
       {Fault::kNoReleaseFence, Fault::kNoAcquireFence, Fault::kRelaxedStores, Fault::kRelaxedLoads}) {
    const Outcome outcome = WriterAndReader(2, 1, fault);
    EXPECT_NE(outcome.violation.find("a torn lane is believed"), std::string::npos)
        << "fault " << static_cast<int>(fault) << " is not found in " << outcome.states << " states";
  }
}

}  // namespace
}  // namespace mortar::interleaving
