#include "predict/steps.h"

#include <gtest/gtest.h>

#include <string_view>

namespace mortar::predict {
namespace {

// Plays symbols; a capital letter is the first submit after a wait, where the book may search.
void Play(StepBook& book, std::string_view text, int times) {
  for (int i = 0; i < times; ++i) {
    for (const char c : text) {
      book.Advance(static_cast<std::uint64_t>(c) << 2);
      if (c < 'a' && book.Unsettled()) book.Search();
    }
  }
}

TEST(StepBookTest, RepeatInsideAnIterationGivesWayToTheIteration) {
  StepBook book;
  // Blocking layers: the search runs inside the iteration, where only the short repeat is visible at first.
  Play(book, "ABABABABABCD", 6);
  EXPECT_EQ(book.period(), 12U);
  EXPECT_TRUE(book.synced());
}

TEST(StepBookTest, AsynchronousIterationOfEqualKernelsIsFoundAtItsWait) {
  StepBook book;
  Play(book, "Kkkkkkkkkk", 4);
  EXPECT_EQ(book.period(), 10U);
}

TEST(StepBookTest, OddIterationDoesNotLoseThePeriod) {
  StepBook book;
  Play(book, "Abcdef", 10);
  Play(book, "Xyz", 1);  // an evaluation now and then
  Play(book, "Abcdef", 2);
  EXPECT_EQ(book.period(), 6U);
  EXPECT_TRUE(book.synced());
}

TEST(StepBookTest, NewProgramPhaseReplacesThePeriod) {
  StepBook book;
  Play(book, "Abcdef", 10);
  Play(book, "Uvwxyzuv", 12);
  EXPECT_EQ(book.period(), 8U);
}

// One kernel gives way to another (a library has chosen again): the period is as long as before, and what is
// known of all other places stays.
TEST(StepBookTest, AnotherKernelInOnePlaceKeepsThePeriod) {
  StepBook book;
  Play(book, "Abcdefghij", 10);
  Play(book, "Abcd", 1);
  const_cast<Step*>(book.Next())->gap_ns = 7;  // of e
  Play(book, "efghij", 1);
  Play(book, "Abcxefghij", 3);
  EXPECT_EQ(book.period(), 10U);
  Play(book, "Abc", 1);
  ASSERT_TRUE(book.synced());
  EXPECT_EQ(book.Next()->key, std::uint64_t{'x'} << 2);
  Play(book, "x", 1);
  ASSERT_TRUE(book.synced());
  EXPECT_EQ(book.Next()->gap_ns, 7);
}

TEST(StepBookTest, PositionsAreToldApartWhereContextsAreNot) {
  StepBook book;
  Play(book, "Kkkkkkkkkk", 6);
  const Step* first = book.Next();
  Play(book, "Kkkk", 1);
  EXPECT_NE(book.Next(), first);
  Play(book, "kkkkkk", 1);
  EXPECT_EQ(book.Next(), first);
}

}  // namespace
}  // namespace mortar::predict
