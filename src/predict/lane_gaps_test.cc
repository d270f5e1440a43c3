// Gaps and slack; expectations are arithmetic on the schedule of a little program.
#include <vector>

#include "predict/lane_fixture.h"

namespace mortar::predict {
namespace {

TEST_F(LaneTest, BlockingAfterEveryKernelLatestFreeIsTheNextSubmit) {
  Kernel* k = Make(7, 185);
  Forecast after_wait;
  for (int i = 0; i < 200; ++i) {
    Submit(k);
    after_wait = Wait();
    now_ += 500 * kUs;
  }
  EXPECT_EQ(after_wait.next_submit_ns, now_);
  EXPECT_EQ(after_wait.latest_free_ns, now_);
  const Forecast f = Submit(k);
  EXPECT_EQ(f.busy_until_ns, now_ + 185 * kUs);
  EXPECT_EQ(f.next_submit_ns, now_ + 685 * kUs);
  EXPECT_EQ(f.latest_free_ns, now_ + 685 * kUs);  // a fill behind this kernel delays the next one at worst
}

// Who is held at the gate says so. Counted as its rests, all that it may leave to others would be foretold
// too long.
TEST_F(LaneTest, HeldAtTheGateIsNoRest) {
  Kernel* k = Make(7, 100);
  held_ = 40'000 * kUs;
  Forecast after_wait;
  for (int request = 0; request < 200; ++request) {
    Submit(k);
    after_wait = Wait();
    now_ += 2'000 * kUs + held_;
  }
  EXPECT_EQ(after_wait.next_submit_ns, now_ - held_);
  EXPECT_EQ(lane_.ladders().idle_after_ns(), 5'000 * kUs) << "the least";
  EXPECT_EQ(requests_, 10) << "no silence of the program's own ends a request, only twenty waits do";
}

TEST_F(LaneTest, AWaitNowAndThenLeavesWhatIsForetoldOfAPlace) {
  Kernel* k = Make(7, 100);
  Kernel* last = Make(8, 100);
  Forecast f;
  for (int request = 0; request < 60; ++request) {
    for (int i = 0; i < 5; ++i) {
      f = Submit(i == 4 ? last : k);
      now_ += 200 * kUs;
    }
    // Few requests are waited for; the next begins 20 ms after the last submit in any case.
    const std::int64_t begins = now_ + 19'800 * kUs;
    const bool waits = request == 30 || request == 41 || request == 50;
    if (waits) f = Wait();
    EXPECT_TRUE(request < 30 || f.next_submit_ns == begins) << request;
    now_ = begins;
  }
}

TEST_F(LaneTest, AfterTwoWaitsInARowTheGapCountsFromTheFirst) {
  Kernel* k = Make(7, 100);
  Forecast first;
  Forecast second;
  for (int request = 0; request < 40; ++request) {
    Submit(k);
    first = Wait();
    EXPECT_TRUE(request < 30 || first.next_submit_ns == now_ + 5000 * kUs);
    now_ += 4900 * kUs;  // at work on the result; what it waits for then is done
    second = Wait();
    now_ += 100 * kUs;
  }
  EXPECT_EQ(second.next_submit_ns, now_);
}

TEST_F(LaneTest, AsynchronousSlackIsTheWaitsReturnMinusWorkToCome) {
  Kernel* k = Make(7, 185);
  Kernel* last = Make(8, 100);
  for (int request = 0; request < 60; ++request) {
    for (int i = 0; i < 20; ++i) {
      const Forecast f = Submit(i == 19 ? last : k);
      if (request == 59) {
        // Kernel i is submitted at i·685 us; the last (100 us) at 19·685; the wait returns at 19·685 + 100.
        const std::int64_t end = now_ + (19 - i) * 685 * kUs + 100 * kUs;
        const std::int64_t to_come = (18 - i) * 185 * kUs + 100 * kUs;
        // Behind the last one, the next request's wait is what counts: 2 ms and its own idle time later.
        const std::int64_t latest = i == 19 ? end + 2000 * kUs + 19 * 500 * kUs : end - to_come;
        EXPECT_EQ(f.latest_free_ns, latest) << i;
        if (i < 19) {
          EXPECT_EQ(f.next_submit_ns, now_ + 685 * kUs) << i;
        }
      }
      if (i < 19) now_ += 685 * kUs;
    }
    const Forecast after = Wait();
    now_ += 2000 * kUs;
    if (request == 59) {
      EXPECT_EQ(after.next_submit_ns, now_);
      EXPECT_EQ(after.latest_free_ns, now_ + (19 * 685 + 100) * kUs - (19 * 185 + 100) * kUs);
    }
  }
  EXPECT_EQ(lane_.period_submits(), 20U);
  EXPECT_NEAR(static_cast<double>(lane_.period_ns()), (19 * 685 + 100 + 2000) * 1e3, 1e3);
}

// Two laps show a long period, the third what its places are like.
TEST_F(LaneTest, PlacesOfALongPeriodAreKnownSoon) {
  std::vector<Kernel*> kernels;
  for (int i = 0; i < 80; ++i) kernels.push_back(Make(10 + i, 100));
  Forecast f;
  for (int lap = 0; lap < 5; ++lap) {
    for (int i = 0; i < 80; ++i) {
      f = Submit(kernels[static_cast<std::size_t>(i)]);
      // The wait returns at 80·200 + 100 us; of what is to be submitted until then each takes 100.
      if (i == 40) {
        EXPECT_EQ(f.latest_free_ns, lap < 3 ? 0 : now_ + (40 * 200 - 40 * 100 + 100) * kUs) << lap;
      }
      now_ += 200 * kUs;
    }
    Wait();
    now_ += 5'000 * kUs;
  }
}

// One lap of two is waited for at once, the other after 20 ms at work: what only the latter would not notice,
// and half of the laps would, is not offered.
TEST_F(LaneTest, SlackThatHalfOfTheLapsHaveIsNotOffered) {
  Kernel* k = Make(7, 100);
  Kernel* last = Make(8, 100);
  int offered = 0;
  for (int lap = 0; lap < 200; ++lap) {
    const std::int64_t began = now_;
    const Forecast f = Submit(k);
    // The wait returns at 2,000 us or at 22,000; another 100 us are to be submitted.
    if (lap >= 100 && f.latest_free_ns > began + 1'900 * kUs) ++offered;
    now_ = began + 1'000 * kUs;
    Submit(last);
    now_ = began + (lap % 2 == 0 ? 2'000 : 22'000) * kUs;
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_LE(offered, 10);
}

TEST_F(LaneTest, SecondStreamTakesTheSlackAwayAndLeavesTheGap) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_NE(Submit(k).latest_free_ns, 0);
  Wait();
  now_ += 500 * kUs;
  const Forecast f = lane_.OnSubmit({.kernel = k, .now_ns = now_, .stream = 2});
  EXPECT_EQ(f.latest_free_ns, 0);
  EXPECT_NE(f.next_submit_ns, 0);
}

TEST_F(LaneTest, StreamsUsedTheSameWayInEachRequestKeepTheSlack) {
  Kernel* k = Make(7, 185);
  Forecast f;
  for (int request = 0; request < 60; ++request) {
    for (std::uint64_t stream : {1U, 2U, 1U}) {
      f = lane_.OnSubmit({.kernel = k, .now_ns = now_, .stream = stream});
      device_ = std::max(device_, now_) + 185 * kUs;
      if (request == 59 && stream == 2) {
        // The wait begins and returns 600 us later; the third kernel, 185 us, is still to be submitted.
        EXPECT_EQ(f.latest_free_ns, now_ + (600 - 185) * kUs);
      }
      now_ += 300 * kUs;
    }
    Wait();
    now_ += 2000 * kUs;
  }
}

TEST_F(LaneTest, InvisibleWaitsTakeTheSlackAway) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  lane_.OnInvisibleWait();
  EXPECT_EQ(Submit(k).latest_free_ns, 0);
}

TEST_F(LaneTest, PipelinedProgramGapsStartFromWhatItsWaitCovers) {
  // Submit n, then wait for n-1: the device never idles for long; the next submit follows the wait at once.
  Kernel* k = Make(7, 200);
  std::int64_t ends[2] = {0, 0};
  Forecast f;
  for (int i = 0; i < 100; ++i) {
    f = Submit(k);
    ends[0] = ends[1];
    ends[1] = device_;
    if (i > 0) {
      lane_.OnWaitEnter(now_);
      now_ = std::max(now_, ends[0]);
      lane_.OnWaitReturn(now_, lane_.last_sequence() - 1);
    }
    now_ += 10 * kUs;
  }
  // The wait after the next submit covers its predecessor, which ends one kernel before the device is idle.
  EXPECT_NEAR(static_cast<double>(f.busy_until_ns - f.next_submit_ns), 190e3, 1e3);
}

TEST_F(LaneTest, OutOfOrderQueueHasGapsAndNoSlack) {
  Kernel* k = Make(7, 185);
  Forecast f;
  for (int i = 0; i < 200; ++i) {
    f = lane_.OnSubmit({.kernel = k, .now_ns = now_, .stream = 1, .ordered = false});
    device_ = now_ + 185 * kUs;
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_NE(f.next_submit_ns, 0);
  EXPECT_EQ(f.latest_free_ns, 0);
}

// As many serve: each request begins with a wait for nothing, and that with a rest of 30 ms.
TEST_F(LaneTest, ARestBeforeAWaitIsOneToo) {
  Kernel* kernel = Make(1, 100);
  for (int request = 0; request < 40; ++request) {
    for (int i = 0; i < 20; ++i) {
      Submit(kernel);
      now_ += 20 * kUs;
    }
    Wait();
    now_ += 30'000 * kUs;
    lane_.OnWaitEnter(now_);
    lane_.OnWaitReturn(now_, LanePredictor::kNothing);
    now_ += 200 * kUs;
  }
  EXPECT_NEAR(static_cast<double>(lane_.ladders().idle_after_ns()), 30e6, 3e6);
}

}  // namespace
}  // namespace mortar::predict
