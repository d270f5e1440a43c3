// Streams being captured into graphs, with CUDA's rules: which calls join a capture, which are refused, which
// make it invalid. Any thread; guarded by the graphs' mutex (graphs.h).
//
//   none --BeginCapture--> active --EndCapture--> none, with a graph
//                            |  a call that cannot be captured, in a way that CUDA forbids
//                            v
//                        invalidated --EndCapture--> none, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
#pragma once

#include "simcuda/driver/graphs.h"

namespace mortar::simcuda {

enum class CaptureStatus : int { kNotCapturing = 0, kActive = 1, kInvalidated = 2 };
enum class CaptureMode : int { kGlobal = 0, kThreadLocal = 1, kRelaxed = 2 };

struct Capture {
  std::uint64_t id = 0;
  CaptureMode mode = CaptureMode::kGlobal;
  CaptureStatus status = CaptureStatus::kActive;
  pthread_t thread{};
  SimStream* origin = nullptr;
  SimGraph* graph = nullptr;
  bool to_graph = false;                               // the graph was the program's already
  std::map<SimStream*, std::vector<Node*>> frontiers;  // of each stream in it: what its next node needs
};

// Whether any stream is being captured: without the lock, for calls that would prepare more then.
bool CapturesOpen();

// Puts `operation` into the stream's capture, where there is one (`captured`). Errors: the capture is
// invalid, or the stream is the legacy default stream and may not be used while another is captured.
CUresult AddToCapture(SimStream& stream, const Operation& operation, bool* captured);
// The same for a record of an event, which is no node. False: the stream is not being captured.
bool RecordInCapture(SimStream& stream, SimEvent& event);
// The same for a wait, by which streams join a capture.
CUresult WaitInCapture(SimStream& stream, SimEvent& event, bool* captured);

// Whether a stream is asked for its end, or an event for its, that is being captured: an error, and the
// capture is invalid.
CUresult RefuseAsking(SimStream& stream);
CUresult RefuseAsking(SimEvent& event);
// For calls that CUDA calls unsafe while a capture is open (allocations, waits for everything): refused as
// the capture's mode and the thread's have it, and the capture is invalid.
CUresult RefuseUnsafe();

// The stream is destroyed; the context is, and all its streams.
void AbandonCapture(SimStream& stream);
void AbandonCaptures(const SimContext& context);

}  // namespace mortar::simcuda
