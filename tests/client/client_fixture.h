// What the tests of this folder share: a private directory of boards, programs on it, and its board.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"
#include "client/test_support.h"
#include "support/program.h"

namespace mortar::tests {

class ClientTest : public testing::Test {
 protected:
  static constexpr char kDevice[] = "test-device";

  Program Start(const std::string& name, int priority, const std::vector<std::string>& arguments,
                Program::Environment more = {}) {
    more.insert({{"MORTAR_DIR", directory.path()},
                 {"MORTAR_PROFILES", ""},
                 {"MORTAR_NAME", name},
                 {"MORTAR_PRIORITY", std::to_string(priority)}});
    return {CLIENT_PROGRAM, arguments, more};
  }
  // Starts it and waits until it has joined.
  Program StartJoined(const std::string& name, int priority, const std::vector<std::string>& arguments,
                      const Program::Environment& more = {}) {
    Program program = Start(name, priority, arguments, more);
    const std::string line = program.ReadLine();
    EXPECT_TRUE(line.starts_with("slot ") && line != "slot none") << name << ": " << line;
    return program;
  }

  // The board, made where it is not there yet.
  board::Board& TheBoard() {
    if (!board_.open()) {
      auto opened = board::Board::Open(directory.path(), kDevice, /*create=*/true);
      EXPECT_TRUE(opened.ok());
      if (opened.ok()) board_ = std::move(*opened);
    }
    return board_;
  }
  void SetPolicy(model::PolicyId id) {
    TheBoard().header().policy.store(static_cast<std::uint32_t>(id));
    TheBoard().Bump();
  }
  // Slot of the client called `name`; null where there is none.
  board::Slot* Find(const std::string& name) {
    for (int i = 0; i < board::kSlots; ++i) {
      board::Slot& slot = TheBoard().slot(i);
      if (slot.state.load() == board::kActive && board::ReadText(slot.name) == name) return &slot;
    }
    return nullptr;
  }
  // Blocks until a thread of `name` is held at the gate.
  bool AwaitHeld(const std::string& name) {
    return Eventually([&] {
      const board::Slot* slot = Find(name);
      return slot != nullptr &&
             std::any_of(std::begin(slot->lanes), std::end(slot->lanes), [](const auto& lane) {
               return (lane.flags.load() & board::kLaneStateMask) == board::kLaneGated;
             });
    });
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (const std::int64_t deadline = base::MonotonicNs() + kPatienceNs; base::MonotonicNs() < deadline;) {
      if (condition()) return true;
      usleep(1000);
    }
    return false;
  }
  int Active() { return std::popcount(TheBoard().header().active.load()); }

  board::TemporaryDirectory directory;

 private:
  board::Board board_;
};

}  // namespace mortar::tests
