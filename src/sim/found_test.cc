#include "sim/found.h"

#include <gtest/gtest.h>

#include "sim/test_recordings.h"

namespace mortar::sim {
namespace {

TEST(FoundRequestsTest, RegularRequestsAreFound) {
  RecordingSketch sketch;
  sketch.requests = 4;
  const auto found = FindRequests(Draw(sketch));
  EXPECT_GE(found.requests, 38U);
  EXPECT_EQ(found.right, found.requests);
}

// Two waits in each request, and no difference between its halves: what is found are the halves.
TEST(FoundRequestsTest, HalvesAreNotCalledRight) {
  trace::Recording twice = Draw({.requests = 8});
  for (std::size_t i = 0; i < twice.calls.size(); ++i) twice.calls[i].request /= 2;
  std::vector<trace::Request> joined;
  for (std::size_t i = 0; i + 1 < twice.requests.size(); i += 2) {
    trace::Request one = twice.requests[i];
    one.end_ns = twice.requests[i + 1].end_ns;
    joined.push_back(one);
  }
  twice.requests = joined;
  const auto found = FindRequests(twice);
  EXPECT_LE(found.right, 1U);
}

TEST(FoundRequestsTest, FewerThanThreeStepsAreNotJudged) {
  EXPECT_EQ(FindRequests({}).requests, 0U);
  EXPECT_EQ(FindRequests(Draw({.requests = 2})).requests, 0U);
}

}  // namespace
}  // namespace mortar::sim
