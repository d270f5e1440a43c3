#include "trace/kineto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/check_recording.h"
#include "trace/test_replay.h"
#include "trace/test_trace.h"

namespace mortar::trace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Note* FindNote(const Recording& recording, std::string_view part) {
  for (const Note& note : recording.notes) {
    if (note.what.find(part) != std::string::npos) return &note;
  }
  return nullptr;
}

Recording MustRead(const TestTrace& trace, const ReadOptions& options = {}) {
  auto recording = trace.Read(options);
  EXPECT_TRUE(recording) << recording.error().message;
  if (!recording) return {};
  EXPECT_TRUE(CheckRecording(*recording).ok()) << CheckRecording(*recording).error().message;
  return std::move(recording).value();
}

TEST(KinetoTest, CallsAndOperationsArePairedAndTimed) {
  const Recording r =
      MustRead(TestTrace()
                   .Call("cudaLaunchKernel", "100", "5.5", 1)
                   .Kernel("k", "110.25", "20", 1, 7, ", \"grid\": [4, 1, 1], \"block\": [32, 1, 1]")
                   .Call("cudaMemsetAsync", "108", "3", 2)
                   .Event("gpu_memset", "Memset (Device)", "0", "7", "131", "4",
                          "\"device\": 0, \"stream\": 7, \"correlation\": 2, \"bytes\": 64")
                   .Call("cudaDeviceSynchronize", "112", "30", 3));
  ASSERT_EQ(r.ops.size(), 2u);
  ASSERT_EQ(r.calls.size(), 3u);
  EXPECT_EQ(r.recorder, "Kineto (CUDA)");
  EXPECT_EQ(r.zero_ns, 100'000);
  EXPECT_EQ(r.end_ns, 42'000);
  EXPECT_EQ(r.ops[0].start_ns, 10'250);
  EXPECT_EQ(r.ops[0].duration_ns, 20'000);
  EXPECT_EQ(r.ops[0].call, 0u);
  const Identity& kernel = r.identities[r.ops[0].identity];
  EXPECT_EQ(kernel.name, "k");
  EXPECT_TRUE(kernel.shape_known);
  EXPECT_EQ(kernel.id, model::MakeKernelId("k", {{4, 1, 1}, {32, 1, 1}, 0}));
  const Identity& fill = r.identities[r.ops[1].identity];
  EXPECT_EQ(fill.kind, OpKind::kSet);
  EXPECT_EQ(fill.shape.shared_bytes, 64u);
  EXPECT_EQ(r.calls[0].kind, CallKind::kLaunch);
  EXPECT_EQ(r.calls[1].kind, CallKind::kSet);
  EXPECT_EQ(r.calls[1].think_ns, 2'500);  // 108 − 105.5
  // Waits for the stream's last operation, which ended at 135; returns at 142.
  EXPECT_EQ(r.calls[2].kind, CallKind::kWaitDevice);
  ASSERT_EQ(r.calls[2].waits.count, 1u);
  EXPECT_EQ(r.waited[0], 1u);
  EXPECT_EQ(r.calls[2].tail_ns, 7'000);
}

TEST(KinetoTest, RocmTakesShapesFromTheLaunch) {
  const Recording r = MustRead(
      TestTrace()
          .Event("cuda_runtime", "hipLaunchKernel", "9", "9", "1", "1",
                 "\"correlation\": 5, \"grid\": [8, 1, 1], \"block\": [64, 1, 1], \"shared memory\": 16")
          .Kernel("k", "3", "1", 5, 0));
  EXPECT_EQ(r.recorder, "Kineto (ROCm)");
  EXPECT_EQ(r.identities[0].id, model::MakeKernelId("k", {{8, 1, 1}, {64, 1, 1}, 16}));
}

TEST(KinetoTest, GraphLaunchHasManyOperations) {
  const Recording r = MustRead(TestTrace()
                                   .Call("cudaGraphLaunch", "0", "10", 1)
                                   .Kernel("a", "20", "5", 1)
                                   .Kernel("b", "26", "5", 1)
                                   .Kernel("c", "24", "9", 1, 8));
  ASSERT_EQ(r.calls.size(), 1u);
  EXPECT_EQ(r.calls[0].kind, CallKind::kGraph);
  EXPECT_EQ(r.calls[0].ops.count, 3u);
  EXPECT_EQ(r.streams.size(), 2u);
  EXPECT_EQ(r.ops[2].dispatch_ns, 1'000);  // b: 26 − 25
}

TEST(KinetoTest, OverlapsInAStreamAreCutShort) {
  const Recording r = MustRead(TestTrace()
                                   .Call("cudaLaunchKernel", "0", "1", 1)
                                   .Call("cudaLaunchKernel", "2", "1", 2)
                                   .Call("cudaLaunchKernel", "4", "1", 3)
                                   .Kernel("a", "10", "30", 1)
                                   .Kernel("b", "20", "5", 2)
                                   .Kernel("c", "50", "5", 3));
  // The stream is busy from 10 to 40: with a until b begins, then with b.
  EXPECT_EQ(r.ops[0].duration_ns, 10'000);
  EXPECT_EQ(r.ops[1].duration_ns, 20'000);
  EXPECT_EQ(r.ops[2].duration_ns, 5'000);
  EXPECT_EQ(FindNote(r, "has ended: that one cut short")->count, 1u);
}

TEST(KinetoTest, PageableCopyWaitsForItselfAndPinnedDoesNot) {
  const auto copy = [](const char* kind, const char* duration) {
    return MustRead(TestTrace()
                        .Call("cudaLaunchKernel", "0", "5", 1)
                        .Kernel("k", "10", "5", 1)
                        .Call("cudaMemcpyAsync", "20", duration, 2)
                        .Event("gpu_memcpy", kind, "0", "7", "25", "100",
                               "\"device\": 0, \"stream\": 7, \"correlation\": 2, \"bytes\": 4096"));
  };
  const Recording pageable = copy("Memcpy DtoH (Device -> Pageable)", "110");
  EXPECT_EQ(pageable.calls[1].kind, CallKind::kSyncCopy);
  EXPECT_EQ(pageable.calls[1].tail_ns, 5'000);  // 130 − 125
  EXPECT_EQ(pageable.identities[1].path, CopyPath::kDeviceToHost);
  // The driver has staged the last piece, which is still on its way.
  EXPECT_EQ(copy("Memcpy HtoD (Pageable -> Device)", "90").calls[1].tail_ns, -15'000);
  const Recording pinned = copy("Memcpy DtoH (Device -> Pinned)", "4");
  EXPECT_EQ(pinned.calls[1].kind, CallKind::kCopy);
  EXPECT_EQ(pinned.calls[1].waits.count, 0u);
}

TEST(KinetoTest, StreamWaitFindsTheStreamThatExplainsIt) {
  const Recording r = MustRead(TestTrace()
                                   .Call("cudaLaunchKernel", "0", "5", 1)
                                   .Kernel("a", "10", "200", 1, 7)
                                   .Call("cudaLaunchKernel", "6", "5", 2)
                                   .Kernel("b", "15", "20", 2, 8)
                                   .Call("cudaStreamSynchronize", "12", "203", 3));
  ASSERT_EQ(r.calls[2].waits.count, 1u);
  // b, of the stream used last, had long ended; a's end at 210 explains the return at 215.
  EXPECT_EQ(r.identities[r.ops[r.waited[0]].identity].name, "a");
  EXPECT_EQ(r.calls[2].tail_ns, 5'000);
}

TEST(KinetoTest, EventWaitFollowsTheRecordedEvent) {
  const Recording r = MustRead(TestTrace()
                                   .Call("cudaLaunchKernel", "0", "2", 1)
                                   .Kernel("a", "10", "50", 1)
                                   .Call("cudaEventRecord", "3", "1", 2)
                                   .Call("cudaLaunchKernel", "5", "2", 3)
                                   .Kernel("b", "61", "500", 3)
                                   .Call("cudaEventSynchronize", "8", "55", 4));
  ASSERT_EQ(r.calls[2].kind, CallKind::kWaitEvent);
  ASSERT_EQ(r.calls[2].waits.count, 1u);
  EXPECT_EQ(r.identities[r.ops[r.waited[0]].identity].name, "a");
}

TEST(KinetoTest, ProfilersWordOnSynchronisationCounts) {
  const auto sync = [](const char* args) {
    return TestTrace()
        .Call("cudaLaunchKernel", "0", "2", 1)
        .Kernel("a", "10", "50", 1, 7)
        .Call("cudaLaunchKernel", "3", "2", 2)
        .Kernel("b", "12", "40", 2, 8)
        .Call("cudaStreamSynchronize", "6", "60", 3)
        .Event("cuda_sync", "Stream Sync", "0", "8", "6", "60", args);
  };
  const Recording said =
      MustRead(sync("\"cuda_sync_kind\": \"Stream Sync\", \"stream\": 8, \"correlation\": 3, \"device\": 0"));
  EXPECT_EQ(said.identities[said.ops[said.waited[0]].identity].name, "b");
}

// A stream that nothing ran on is there because somebody waited for it.
TEST(KinetoTest, WaitsForStreamsWithoutOperationsAreRead) {
  for (const char* stream : {"3", "9"}) {
    const Recording r =
        MustRead(TestTrace()
                     .Call("cudaLaunchKernel", "0", "2", 1)
                     .Kernel("a", "10", "50", 1, 7)
                     .Call("cudaStreamSynchronize", "100", "3", 2)
                     .Event("cuda_sync", "Stream Sync", "0", stream, "100", "3",
                            std::string("\"stream\": ") + stream + ", \"correlation\": 2, \"device\": 0"));
    ASSERT_EQ(r.streams.size(), 2u);
    EXPECT_EQ(r.calls[1].waits.count, 0u);
  }
}

// Of records with the same number the newest before the wait counts; a number that nothing bears is guessed.
TEST(KinetoTest, EventWaitFollowsTheRecordThatTheProfilerNames) {
  const auto wait_for = [](int record) {
    return MustRead(TestTrace()
                        .Call("cudaLaunchKernel", "0", "2", 1)
                        .Kernel("a", "10", "50", 1)
                        .Call("cudaEventRecord", "3", "1", 2)
                        .Call("cudaLaunchKernel", "5", "2", 3)
                        .Kernel("b", "60", "40", 3)
                        .Call("cudaEventRecord", "8", "1", 4)
                        .Call("cudaEventSynchronize", "10", "95", 5)
                        .Event("cuda_sync", "Event Sync", "0", "-1", "10", "95",
                               "\"stream\": -1, \"correlation\": 5, \"device\": 0, "
                               "\"wait_on_cuda_event_record_corr_id\": " +
                                   std::to_string(record)));
  };
  for (const auto& [record, name] : {std::pair{2, "a"}, {4, "b"}, {77, "b"}}) {
    const Recording r = wait_for(record);
    ASSERT_EQ(r.waited.size(), 1u);
    EXPECT_EQ(r.identities[r.ops[r.waited[0]].identity].name, name) << record;
  }
}

TEST(KinetoTest, StreamsWaitForEventsOfOthers) {
  const Recording r = MustRead(TestTrace()
                                   .Call("cudaLaunchKernel", "0", "2", 1)
                                   .Kernel("grad", "10", "50", 1, 7)
                                   .Call("cudaEventRecord", "3", "1", 2)
                                   .Call("cudaStreamWaitEvent", "5", "1", 3)
                                   .Call("cudaLaunchKernel", "7", "2", 4)
                                   .Kernel("allreduce", "62", "30", 4, 8));
  ASSERT_EQ(r.dependencies.size(), 1u);
  EXPECT_EQ(r.identities[r.ops[r.dependencies[0].op].identity].name, "allreduce");
  EXPECT_EQ(r.identities[r.ops[r.dependencies[0].after].identity].name, "grad");
  EXPECT_EQ(r.ops[r.dependencies[0].op].dispatch_ns, 2'000);
  EXPECT_EQ(FindNote(r, "waits of one stream for another")->count, 1u);
}

// Two threads that take turns of ten launches: forward and backward.
TestTrace Turns(bool concurrent) {
  TestTrace trace;
  int correlation = 1;
  for (int turn = 0; turn < 4; ++turn) {
    for (int i = 0; i < 10; ++i, ++correlation) {
      const int place = concurrent ? i * 8 + turn % 4 * 2 : turn * 100 + i * 5;
      trace.Call("cudaLaunchKernel", std::to_string(place), "1", correlation, 1 + turn % 2);
      trace.Kernel("k", std::to_string(place + 500 * (concurrent ? 1 : 0) + 3), "1", correlation);
    }
  }
  return trace;
}

TEST(KinetoTest, ThreadsThatTakeTurnsHandOver) {
  const Recording r = MustRead(Turns(false));
  ASSERT_EQ(r.threads.size(), 2u);
  int hand_overs = 0;
  for (Index c = 0; c < r.calls.size(); ++c) {
    const HostCall& call = r.calls[c];
    if (call.after == kNone || (c > 0 && call.after == c - 1)) continue;
    ++hand_overs;
    EXPECT_EQ(call.think_ns, 54'000);  // turns of 46 µs begin every 100 µs
  }
  EXPECT_EQ(hand_overs, 3);
}

TEST(KinetoTest, ThreadsThatInterleaveAreTheirOwn) {
  const Recording r = MustRead(Turns(true));
  EXPECT_EQ(FindNote(r, "hand-overs"), nullptr);
}

TEST(KinetoTest, StepsBecomeRequests) {
  TestTrace trace;
  trace.Event("user_annotation", "ProfilerStep#7", "100", "1", "10", "40", "");
  trace.Event("user_annotation", "ProfilerStep#8", "100", "1", "50", "40", "");
  trace.Event("gpu_user_annotation", "ProfilerStep#8", "0", "7", "55", "40", "");
  int correlation = 1;
  for (const char* at : {"5", "12", "45", "52", "95"}) {
    trace.Call("cudaLaunchKernel", at, "1", correlation)
        .Kernel("k", at + std::string(".900"), "0.5", correlation);
    ++correlation;
  }
  const Recording r = MustRead(trace);
  ASSERT_EQ(r.requests.size(), 2u);
  EXPECT_EQ(r.requests[1].number, 8);
  EXPECT_EQ(r.requests[1].start_ns, 45'000);
  std::vector<Index> of;
  for (const HostCall& call : r.calls) of.push_back(call.request);
  EXPECT_THAT(of, ElementsAre(kNone, 0, 0, 1, kNone));
}

TEST(KinetoTest, FullLaunchQueueIsWaitedFor) {
  TestTrace trace;
  // 1,000 kernels of 100 µs, launched every 2 µs; the last launch takes 50 ms, until the 500th has ended.
  for (int i = 0; i < 1000; ++i) {
    trace.Call("cudaLaunchKernel", std::to_string(i * 2), i == 999 ? "50000" : "1", i + 1);
    trace.Kernel("k", std::to_string(2000 + i * 100), "100", i + 1);
  }
  const Recording r = MustRead(trace);
  EXPECT_EQ(r.calls[998].waits.count, 0u);
  ASSERT_EQ(r.calls[999].waits.count, 1u);
  // It returns at 51,998 µs; kernel 499 ends at 52,000 µs, kernel 498 at 51,900.
  EXPECT_EQ(r.waited[0], 498u);
  EXPECT_EQ(r.calls[999].tail_ns, 98'000);
}

TEST(KinetoTest, ReplayedAloneEverythingComesAsRecorded) {
  const Recording r = MustRead(Turns(false));
  const Replayed replayed = ReplayAlone(r);
  for (Index i = 0; i < r.ops.size(); ++i) EXPECT_EQ(replayed.op_start_ns[i], r.ops[i].start_ns) << i;
  for (Index i = 0; i < r.calls.size(); ++i) EXPECT_EQ(replayed.call_start_ns[i], r.calls[i].start_ns) << i;
}

TEST(KinetoTest, WhatCannotBeUsedIsCounted) {
  TestTrace trace = Turns(false);
  for (int i = 0; i < 30; ++i) trace.Kernel("early", std::to_string(i) + ".1", "0.1", 9000 + i, 9);
  trace.Call("cudaLaunchKernel", "400", "1", 5000);  // whose kernel is missing
  trace.Call("cudaMalloc", "402", "1", 5001);
  trace.Call("cudaGetDevice", "403", "1", 5002);
  trace.Raw("[1]");
  const Recording r = MustRead(trace);
  EXPECT_EQ(FindNote(r, "no call in the file submitted")->count, 30u);
  EXPECT_EQ(FindNote(r, "whose operation is not in the file")->count, 1u);
  EXPECT_EQ(FindNote(r, "neither submit nor wait")->count, 1u);
  const Note* odd = FindNote(r, "events that are no objects");
  ASSERT_NE(odd, nullptr);
  EXPECT_TRUE(odd->left_out);
  EXPECT_THAT(odd->what, HasSubstr("the first in line 115"));  // line 1, 80 + 30 + 3 events
}

TEST(KinetoTest, DeviceTimesAloneAreUsedOnRequest) {
  const TestTrace trace = TestTrace().Kernel("a", "10", "5", 0).Kernel("b", "20", "5", 0);
  const auto refused = trace.Read();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("t.json:2: no operation in it is tied to the call"));
  EXPECT_THAT(refused.error().message, HasSubstr("--device-only"));
  ReadOptions options;
  options.device_only = true;
  const Recording r = MustRead(trace, options);
  EXPECT_EQ(r.form, Form::kDeviceOnly);
  EXPECT_EQ(r.ops.size(), 2u);
  EXPECT_TRUE(r.calls.empty());
}

// What the host did is not looked at then: calls of another clock or of overlapping times do no harm.
TEST(KinetoTest, DeviceTimesAloneNeedNoClockOfTheHost) {
  const TestTrace trace = TestTrace()
                              .Call("cudaLaunchKernel", "900000000", "5", 1)
                              .Kernel("a", "10", "5", 1)
                              .Kernel("b", "20", "5", 2);
  EXPECT_FALSE(trace.Read());
  ReadOptions options;
  options.device_only = true;
  const Recording r = MustRead(trace, options);
  EXPECT_EQ(r.ops.size(), 2u);
  EXPECT_EQ(r.end_ns, 15'000);
  EXPECT_EQ(FindNote(r, "host calls, as only the device's times are used")->count, 1u);
}

// As writers in languages whose numbers are all floats make them.
TEST(KinetoTest, WholeNumbersMayHaveAPoint) {
  const Recording r =
      MustRead(TestTrace()
                   .Event("cuda_runtime", "cudaLaunchKernel", "100", "1", "0", "2", "\"correlation\": 1.0")
                   .Event("kernel", "a", "0", "7", "10", "5",
                          "\"device\": 0.0, \"stream\": 7.0, \"correlation\": 1e0"));
  EXPECT_EQ(r.ops[0].call, 0u);
  EXPECT_EQ(r.streams[0].number, 7);
  EXPECT_FALSE(TestTrace()
                   .Event("cuda_runtime", "cudaLaunchKernel", "100", "1", "0", "2", "\"correlation\": 1.5")
                   .Event("kernel", "a", "0", "7", "10", "5", "\"correlation\": 1.5")
                   .Read());
}

TEST(KinetoTest, OperationsOfTwoEventsAreCounted) {
  TestTrace trace;
  trace.Call("cudaLaunchKernel", "0", "2", 1).Kernel("a", "10", "5", 1);
  for (const char* category : {"kernel", "gpu_memcpy"}) {
    const std::string both =
        std::string("\"cat\": \"") + category + "\", \"name\": \"b\", \"pid\": 0, \"tid\": 7";
    trace.Raw("{\"ph\": \"B\", " + both + ", \"ts\": 20}").Raw("{\"ph\": \"E\", " + both + ", \"ts\": 25}");
  }
  trace.Raw(R"({"ph": "B", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 1})");
  const Note* note = FindNote(MustRead(trace), "a begin and an end");
  ASSERT_NE(note, nullptr);
  EXPECT_EQ(note->count, 2u);
  EXPECT_TRUE(note->left_out);
}

TEST(KinetoTest, BadInputIsRefusedWithItsLine) {
  const auto launch = [](const char* at, const char* duration, int n) {
    return TestTrace()
        .Call("cudaLaunchKernel", "0", "1", 1)
        .Kernel("k", "2", "1", 1)
        .Call("cudaLaunchKernel", at, duration, n);
  };
  const auto million = [] {
    TestTrace trace;
    for (int i = 0; i < 5000; ++i) trace.Kernel("k", std::to_string(i), "1", 1, i);
    return trace;
  };
  const std::pair<TestTrace, const char*> kCases[] = {
      {TestTrace(), "read t.json: no kernels in it (0 copies and fills, 0 host calls)"},
      {TestTrace().Call("cudaLaunchKernel", "0", "1", 1),
       "no kernels in it (0 copies and fills, 1 host calls)"},
      {launch("10", "5", 2)
           .Call("cudaLaunchKernel", "12", "9", 3)
           .Kernel("k", "19", "1", 2)
           .Kernel("k", "29", "1", 3),
       "read t.json:5: 1 calls of one thread overlap"},
      {launch("900000000", "1", 2).Kernel("k", "900000002", "1", 2), "lies 899 s from the rest"},
      {launch("10", "1", 2).Kernel("k", "20", "900000000", 2), "read t.json:5: lasts over ten minutes"},
      {launch("10", "-1", 2), "read t.json:4: 1 events of negative length"},
      {launch("true", "1", 2), "read t.json:4: 1 events whose time is no number"},
      {launch("9000", "1", 2).Kernel("k", "100", "1", 2), "operations begin over 1 ms before the calls"},
      {launch("10", "1", 2)
           .Kernel("k", "2.5", "30", 2)
           .Kernel("k", "3", "30", 2)
           .Kernel("k", "4", "30", 2)
           .Kernel("k", "5", "30", 2)
           .Kernel("k", "6", "30", 2)
           .Kernel("k", "7", "30", 2)
           .Kernel("k", "8", "30", 2),
       "5 of 8 operations overlap two others of their stream"},
      {million(), "read t.json:4098:1: more than 4096 streams"},
      {launch("1", "1", 2).Raw("{\"ph\":\"X\" \"cat\"}"), "read t.json:5:1: not JSON"},
  };
  for (const auto& [trace, error] : kCases) {
    const auto read = trace.Read();
    ASSERT_FALSE(read) << error;
    EXPECT_THAT(read.error().message, HasSubstr(error));
  }
}

}  // namespace
}  // namespace mortar::trace
