// A member of the group writes garbage into settings, slots and lanes of a board, all the time: the programs
// on it come to their ends.
#include <thread>

#include "board/garbage.h"
#include "client_fixture.h"

namespace mortar::tests {
namespace {

using HostileTest = ClientTest;

TEST_F(HostileTest, ProgramsOutliveGarbage) {
  Program holder = StartJoined("holder", 0, {"hold", "200"});
  board::Header& header = TheBoard().header();
  std::atomic<bool> over{false};
  std::thread vandal([&] {
    base::Random random(7);
    while (!over.load()) {
      board::Spoil(header, random);
      for (int i = 0; i < 4; ++i) board::Spoil(TheBoard().slot(static_cast<int>(random.Next() % 4)), random);
      TheBoard().Bump();
      usleep(200);
    }
  });
  std::vector<Program> fillers;
  for (const char* name : {"one", "two"}) fillers.push_back(Start(name, 5, {"submit", "60", "100"}));
  for (Program& filler : fillers) {
    EXPECT_TRUE(filler.ReadLine().starts_with("slot "));
    EXPECT_EQ(filler.ReadLine(), "done 60");
    EXPECT_EQ(filler.Wait(), 0) << filler.Errors();
  }
  over.store(true);
  vandal.join();
  // With sense in the settings again all is as before.
  header.policy.store(static_cast<std::uint32_t>(model::PolicyId::kFill));
  header.device_mode.store(1);
  header.off.store(0);
  for (auto* cost : {&header.switch_cost_ns, &header.in_flight_bound_ns, &header.margin_ns}) cost->store(0);
  TheBoard().Bump();
  Program after = Start("after", 5, {"submit", "10", "100"});
  EXPECT_TRUE(after.ReadLine().starts_with("slot "));
  EXPECT_EQ(after.ReadLine(), "done 10");
  EXPECT_EQ(after.Wait(), 0);
  holder.CloseInput();
  EXPECT_EQ(holder.ReadLine(), "released");
  EXPECT_EQ(holder.Wait(), 0) << holder.Errors();
}

// Floors beyond the whole device: who comes last goes without one, and says so.
TEST_F(HostileTest, FloorsBeyondTheWholeDevice) {
  Program first = StartJoined("first", 5, {"hold", "200"}, {{"MORTAR_MIN_SHARE", "700000"}});
  Program second = StartJoined("second", 5, {"submit", "5"}, {{"MORTAR_MIN_SHARE", "400000"}});
  EXPECT_EQ(second.ReadLine(), "done 5");
  EXPECT_EQ(second.Wait(), 0);
  EXPECT_NE(second.Errors().find("cannot be kept"), std::string::npos) << second.Errors();
  Program third = StartJoined("third", 5, {"hold", "200"}, {{"MORTAR_MIN_SHARE", "300000"}});
  EXPECT_EQ(Find("third")->min_share_ppm.load(), 300'000U);
  EXPECT_EQ(Find("first")->min_share_ppm.load(), 700'000U);
}

}  // namespace
}  // namespace mortar::tests
