// Durations, harm, controls and caution; expectations are arithmetic on the schedule of a little program.
#include "predict/lane_fixture.h"

namespace mortar::predict {
namespace {

TEST_F(LaneTest, HarmIsTheDelayByFillsAndNoMore) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 40; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  harm_ = 0;
  // A fill keeps the device 60 us into each of the next twenty kernels.
  for (int i = 0; i < 21; ++i) {
    fill_until_ = i < 20 ? now_ + 60 * kUs : 0;
    Submit(k);
    Wait();
    now_ += i == 19 ? 50'000 * kUs : 500 * kUs;  // silence: the request ends
  }
  EXPECT_EQ(harm_, 20 * 60 * kUs);
}

TEST_F(LaneTest, WaitThatIsLateForAnotherReasonIsNotHarm) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    device_ += 300 * kUs;  // the kernel took longer by itself
    Wait();
    now_ += i % 20 == 19 ? 50'000 * kUs : 500 * kUs;
  }
  EXPECT_GT(requests_, 0);
  EXPECT_EQ(harm_, 0);
}

TEST_F(LaneTest, AsynchronousHolderIsNotHarmedByFillsThatItsSlackAbsorbs) {
  Kernel* k = Make(7, 185);
  for (int request = 0; request < 10; ++request) {
    for (int i = 0; i < 20; ++i) {
      if (i > 0 && i < 10) fill_until_ = now_ + 100 * kUs;
      Submit(k);
      now_ += 685 * kUs;
    }
    Wait();
    now_ += 2000 * kUs;
  }
  EXPECT_GT(requests_, 0);
  EXPECT_EQ(harm_, 0);
}

TEST_F(LaneTest, UnknownKernelOffersNothing) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 40; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  Kernel* fresh = kernels_.FindOrAdd(99, "fresh");
  EXPECT_EQ(Submit(fresh).next_submit_ns, 0);
}

TEST_F(LaneTest, PositionsTellBimodalDurationsApart) {
  // One identity, launched twice a request behind another kernel: 40 us, then 160 us.
  Kernel* first = Make(5, 20);
  Kernel* k = kernels_.FindOrAdd(7, "k7");
  for (int i = 0; i < 24; ++i) kernels_.AddSample(*k, i % 2 == 0 ? 40 * kUs : 160 * kUs, false);
  ASSERT_TRUE(k->split);
  Forecast f;
  for (int request = 0; request < 60; ++request) {
    for (const std::int64_t device : {20 * kUs, 40 * kUs, 160 * kUs}) {
      const std::int64_t at = now_;
      f = lane_.OnSubmit({.kernel = device == 20 * kUs ? first : k, .now_ns = now_, .stream = 1});
      const bool wanted = lane_.WantsDuration();
      lane_.OnWaitEnter(now_);
      now_ += device;
      lane_.OnWaitReturn(now_, lane_.last_sequence());
      if (wanted) lane_.OnSampled(device == 20 * kUs ? *first : *k, at, device, at);
      if (request == 59) {
        EXPECT_EQ(f.busy_until_ns, at + device);
      }
      now_ += (device == 160 * kUs ? 700 : 100) * kUs;
    }
  }
  lane_.OnSubmit({.kernel = first, .now_ns = now_, .stream = 1});
  lane_.OnWaitEnter(now_);
  lane_.OnWaitReturn(now_ + 20 * kUs, lane_.last_sequence());
  // The next one is the short one: charged a sixteenth more than what it takes.
  EXPECT_EQ(lane_.LengthOf(*k), 42'500);
  EXPECT_FALSE(lane_.WantsDuration());
}

TEST_F(LaneTest, OnePlaceMayLastLongerThanAllOthersOfItsKernel) {
  // Known by twelve samples of 40 us; the second launch of a request takes 640 us, and only its place says
  // so.
  Kernel* first = Make(5, 20);
  Kernel* k = Make(7, 40);
  for (int i = 0; i < 11; ++i) kernels_.AddSample(*k, 40 * kUs, false);
  ASSERT_FALSE(k->split);
  std::int64_t charged = 0;
  for (int request = 0; request < 40; ++request) {
    for (const std::int64_t device : {20 * kUs, 40 * kUs, 640 * kUs}) {
      Kernel* kernel = device == 20 * kUs ? first : k;
      charged = lane_.LengthOf(*kernel);
      const std::int64_t at = now_;
      lane_.OnSubmit({.kernel = kernel, .now_ns = now_, .stream = 1});
      const bool wanted = lane_.WantsDuration();
      lane_.OnWaitEnter(now_);
      now_ += device;
      lane_.OnWaitReturn(now_, lane_.last_sequence());
      if (wanted) lane_.OnSampled(*kernel, at, device, at);
      now_ += 300 * kUs;
    }
  }
  EXPECT_EQ(charged, 680 * kUs);  // 640 and a sixteenth
}

TEST_F(LaneTest, ALongKernelIsChargedAsLongAsItLastsAtItsWorst) {
  // A collective that waits for its peers: 6 ms in one step of three.
  Kernel* k = Make(7, 2'500);
  for (int i = 0; i < 60; ++i) {
    const std::int64_t at = now_;
    const std::int64_t device = i % 3 == 0 ? 6'000 * kUs : 2'500 * kUs;
    Submit(k);
    lane_.OnSampled(*k, at, device, at);
    now_ += device - 2'500 * kUs;
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_EQ(lane_.LengthOf(*k), 6'000 * kUs);
}

TEST_F(LaneTest, OneOddSampleMakesNoDurationOfItsOwn) {
  Kernel* k = Make(7, 40);
  int samples = 0;
  for (int i = 0; i < 40; ++i) {
    const std::int64_t at = now_;
    Submit(k);
    if (lane_.WantsDuration()) lane_.OnSampled(*k, at, ++samples == 1 ? 400 * kUs : 40 * kUs, at);
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_EQ(samples, 2);  // the second one contradicts the first, and nothing differs any more
  EXPECT_EQ(lane_.LengthOf(*k), 40 * kUs);
}

TEST_F(LaneTest, SamplesThatNeverComeAreNotAskedForAnyMore) {
  Kernel* k = Make(7, 40);
  int asked = 0;
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    asked += lane_.WantsDuration() ? 1 : 0;
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_GT(asked, 0);
  EXPECT_LE(asked, 6);
}

TEST_F(LaneTest, SamplesOfOtherLanesAndOldOnesAreNotMistaken) {
  Kernel* k = Make(7, 185);
  k->split = true;
  for (int i = 0; i < 40; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  lane_.OnSampled(*k, now_ - 100 * kUs, 900 * kUs, 0);  // no submit of this lane
  lane_.OnSampled(*Make(8, 10), now_ - 685 * kUs, 900 * kUs, 0);
  EXPECT_EQ(lane_.LengthOf(*k), 185 * kUs);
}

TEST_F(LaneTest, OfflineMeansDriveFikit) {
  Kernel* k = Make(7, 185);
  k->offline_gap_ns = 321 * kUs;
  const Forecast f = lane_.OnSubmit({.kernel = k, .now_ns = now_, .stream = 1, .offline = true});
  EXPECT_EQ(f.next_submit_ns, now_ + (185 + 321) * kUs);
  EXPECT_EQ(f.latest_free_ns, 0);
}

TEST_F(LaneTest, RecordingYieldsMeanGaps) {
  Kernel* k = Make(7, 185);
  lane_.set_recording(true);
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    Wait();
    now_ += (i % 2 == 0 ? 400 : 600) * kUs;
  }
  EXPECT_NEAR(static_cast<double>(k->offline_gap_ns), 500e3, 5e3);
}

TEST_F(LaneTest, ControlIsTheSecondOfTwoRequestsWithoutFills) {
  Kernel* a = Make(7, 185);
  Kernel* b = Make(8, 50);
  controls_every_ = 50;
  int withheld = 0;
  for (int request = 0; request < 1000; ++request) {
    withheld += Submit(a).withheld ? 1 : 0;
    now_ += 20 * kUs;
    Submit(b);
    Wait();
    now_ += 3000 * kUs;
  }
  // One round is 50 treated requests, one to clear the device (its first submit is already under way when it
  // is planned) and one control.
  EXPECT_NEAR(controls_, 1000 / 52, 1);
  EXPECT_NEAR(withheld, controls_, 1);
}

TEST_F(LaneTest, FullCautionOffersNothingAndSomeCautionLess) {
  Kernel* k = Make(7, 185);
  for (int i = 0; i < 100; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  lane_.set_caution(0.5);
  const Forecast half = Submit(k);
  EXPECT_EQ(half.next_submit_ns, now_ + 685 * kUs - (500 / 4 + 50) * kUs / 2);
  lane_.set_caution(1);
  EXPECT_EQ(Wait().next_submit_ns, 0);
}

TEST_F(LaneTest, NothingIsForetoldWhileAnUnknownKernelIsInFlight) {
  Kernel* k = Make(7, 185);
  Kernel* unknown = kernels_.FindOrAdd(99, "unknown");
  for (int i = 0; i < 200; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  EXPECT_NE(Submit(k).next_submit_ns, 0);
  EXPECT_EQ(Submit(unknown).next_submit_ns, 0);
  EXPECT_EQ(Submit(k).next_submit_ns, 0) << "the unknown one may still be on the device";
}

TEST_F(LaneTest, CautionTakesAMarginFromGapsAndSlack) {
  Kernel* k = Make(7, 185);
  const auto run = [&] {
    for (int i = 0; i < 200; ++i) {
      Submit(k);
      Wait();
      now_ += 500 * kUs;
    }
  };
  run();
  const Forecast bold = Submit(k);
  EXPECT_EQ(bold.next_submit_ns, now_ + 685 * kUs);
  Wait();
  now_ += 500 * kUs;
  lane_.set_caution(0.5);
  run();
  const Forecast careful = Submit(k);
  // Half of (a quarter of the 500 us from the kernel to the next submit, and 50 us).
  const auto margin = static_cast<std::int64_t>((500 * kUs / 4 + 50 * kUs) * 0.5);
  EXPECT_NEAR(static_cast<double>(careful.next_submit_ns), static_cast<double>(now_ + 685 * kUs - margin),
              1e3);
  EXPECT_NEAR(static_cast<double>(careful.latest_free_ns), static_cast<double>(now_ + 685 * kUs - margin),
              1e3);
  lane_.set_caution(1.0);
  const Forecast none = Submit(k);
  EXPECT_EQ(none.next_submit_ns, 0);
  EXPECT_EQ(none.latest_free_ns, 0);
}

TEST_F(LaneTest, FloorHarmIsCountedApart) {
  Kernel* k = Make(7, 185);
  const auto run = [&](bool floor) {
    harm_ = floor_harm_ = 0;
    for (int i = 0; i < 21; ++i) {
      fill_until_ = i < 20 ? now_ + 60 * kUs : 0;
      fill_is_floor_ = floor;
      Submit(k);
      Wait();
      now_ += i >= 19 ? 50'000 * kUs : 500 * kUs;  // silence: the request ends
    }
  };
  for (int i = 0; i < 40; ++i) {
    Submit(k);
    Wait();
    now_ += 500 * kUs;
  }
  run(true);
  EXPECT_EQ(harm_, 0);
  EXPECT_EQ(floor_harm_, 20 * 60 * kUs);
  run(false);
  EXPECT_EQ(harm_, 20 * 60 * kUs);
  EXPECT_EQ(floor_harm_, 0);
}

TEST_F(LaneTest, FloorFillsBehindFillsAddToTheirHarm) {
  Kernel* k = Make(7, 100);
  for (int request = 0; request < 40; ++request) {
    harm_ = floor_harm_ = 0;
    fill_until_ = now_ + 30 * kUs;
    fill_is_floor_ = false;
    Submit(k);                       // ends at 130
    fill_until_ = now_ + 530 * kUs;  // a floor fill of 400 us behind it
    fill_is_floor_ = true;
    Submit(k);  // ends at 630 in place of 200; without the floor fill at 230
    Wait();
    EXPECT_EQ(lane_.last_harm_ns(), 30 * kUs) << request;
    EXPECT_EQ(lane_.last_floor_harm_ns(), 400 * kUs) << request;
    now_ += 5'000 * kUs;
  }
}

// A kernel that ends sooner than foretold frees the device in the model too: the next one's harm counts from
// there.
TEST_F(LaneTest, AnEarlyReturnCorrectsTheModel) {
  Kernel* k = Make(7, 185);
  Submit(k);
  lane_.OnWaitEnter(now_);
  now_ += 50 * kUs;  // 135 us early
  lane_.OnWaitReturn(now_, lane_.last_sequence());
  const Forecast f = lane_.OnSubmit({.kernel = k, .now_ns = now_, .stream = 1});
  EXPECT_EQ(f.busy_until_ns, now_ + 185 * kUs);
  lane_.OnWaitEnter(now_);
  now_ += 185 * kUs + 40 * kUs;  // 40 us late, without a fill: nobody's harm
  lane_.OnWaitReturn(now_, lane_.last_sequence());
  EXPECT_EQ(lane_.last_harm_ns(), 0);
}

TEST_F(LaneTest, AnOfferMovesTheLimitUntilHarmHasUsedItUp) {
  Kernel* k = Make(7, 185);
  const auto lap = [&] {
    Submit(k);
    const Forecast after = Wait();
    now_ += 500 * kUs;
    return after;
  };
  for (int i = 0; i < 100; ++i) lap();
  const std::int64_t before = lap().latest_free_ns - now_;
  lane_.set_offer(40 * kUs);
  EXPECT_EQ(lap().latest_free_ns - now_, before + 40 * kUs);
  // A request is twenty waits here. A fill that takes 25 us from one leaves 15 us to the rest of it.
  fill_until_ = now_ + 25 * kUs;
  EXPECT_EQ(lap().latest_free_ns - now_, before + 15 * kUs);
  EXPECT_EQ(lane_.last_harm_ns(), 25 * kUs);
  for (int i = 0; i < 20; ++i) lap();
  EXPECT_EQ(lap().latest_free_ns - now_, before + 40 * kUs);
}

}  // namespace
}  // namespace mortar::predict
