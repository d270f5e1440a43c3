#include "simcuda/driver/captures.h"

#include <algorithm>
#include <utility>

namespace mortar::simcuda {
namespace {

// Streams in captures; without any, nothing here needs the lock.
constinit std::atomic<int> open_captures{0};

// Guarded by the graphs' mutex; never destroyed.
std::vector<std::shared_ptr<Capture>>& Open() {
  static auto* open = new std::vector<std::shared_ptr<Capture>>;
  return *open;
}

thread_local CaptureMode thread_mode = CaptureMode::kGlobal;

CUresult Invalidate(Capture& capture, CUresult why) {
  capture.status = CaptureStatus::kInvalidated;
  return why;
}

// The captures that work in `stream` would touch: the legacy default stream orders all blocking streams of
// its context.
std::vector<Capture*> TouchedBy(const SimStream& stream) {
  std::vector<Capture*> touched;
  if (stream.kind != StreamKind::kLegacy) return touched;
  for (const auto& capture : Open()) {
    const auto& members = capture->frontiers;
    if (std::any_of(members.begin(), members.end(), [&](const auto& member) {
          return member.first->context == stream.context && member.first->kind == StreamKind::kBlocking;
        }))
      touched.push_back(capture.get());
  }
  return touched;
}

CUresult RefuseImplicit(const SimStream& stream) {
  CUresult result = CUDA_SUCCESS;
  for (Capture* capture : TouchedBy(stream))
    result = Invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  return result;
}

void AddAll(std::vector<Node*>& to, const std::vector<Node*>& from) {
  for (Node* node : from) {
    if (std::find(to.begin(), to.end(), node) == to.end()) to.push_back(node);
  }
}

// Whether all that `node` may be is needed by one of `from`, at any distance.
bool Reaches(const std::vector<Node*>& from, const Node* node) {
  std::vector<const Node*> open(from.begin(), from.end());
  std::unordered_set<const Node*> seen;
  while (!open.empty()) {
    const Node* next = open.back();
    open.pop_back();
    if (next == node) return true;
    if (!seen.insert(next).second) continue;
    open.insert(open.end(), next->needs.begin(), next->needs.end());
  }
  return false;
}

bool AllJoined(const Capture& capture) {
  const auto& origin = capture.frontiers.at(capture.origin);
  for (const auto& [stream, frontier] : capture.frontiers) {
    for (const Node* node : frontier) {
      if (!Reaches(origin, node)) return false;
    }
  }
  return true;
}

void Close(Capture& capture) {
  for (auto& [stream, frontier] : capture.frontiers) stream->capture = nullptr;
  capture.status = CaptureStatus::kNotCapturing;  // for events that were recorded in it
  std::erase_if(Open(), [&](const auto& other) { return other.get() == &capture; });
  open_captures.store(static_cast<int>(Open().size()));
}

// What it was in is invalid, or over where it began there: nobody can end it any more.
void Abandon(SimStream& stream) {
  const std::shared_ptr<Capture> capture = stream.capture;
  if (capture == nullptr) return;
  Invalidate(*capture, CUDA_SUCCESS);
  stream.capture = nullptr;
  capture->frontiers.erase(&stream);
  if (capture->origin != &stream) return;
  Close(*capture);
  if (!capture->to_graph) DropGraph(capture->graph);
}

CUresult Begin(CUstream handle, bool per_thread, int mode, SimGraph* into, std::vector<Node*> needs) {
  if (mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (stream->kind == StreamKind::kLegacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  const std::lock_guard lock(TheGraphs().mutex);
  if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  auto capture = std::make_shared<Capture>();
  capture->id = ++TheWorld()->last_id;
  capture->mode = static_cast<CaptureMode>(mode);
  capture->thread = pthread_self();
  capture->origin = stream;
  capture->to_graph = into != nullptr;
  capture->graph = into != nullptr ? into : MakeGraph();
  capture->frontiers[stream] = std::move(needs);
  stream->capture = capture;
  Open().push_back(std::move(capture));
  open_captures.store(static_cast<int>(Open().size()));
  return CUDA_SUCCESS;
}

CUresult BeginInto(CUstream handle, bool per_thread, CUgraph graph_handle, const CUgraphNode* nodes,
                   std::size_t count, int mode) {
  std::vector<Node*> needs;
  SimGraph* graph = nullptr;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    graph = FindGraph(graph_handle);
    if (graph == nullptr || (nodes == nullptr && count > 0)) return CUDA_ERROR_INVALID_VALUE;
    for (std::size_t i = 0; i < count; ++i) {
      Node* node = FindNode(nodes[i]);
      if (node == nullptr || node->graph != graph) return CUDA_ERROR_INVALID_VALUE;
      needs.push_back(node);
    }
  }
  return Begin(handle, per_thread, mode, graph, std::move(needs));
}

CUresult End(CUstream handle, bool per_thread, CUgraph* graph) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *graph = nullptr;
  const std::lock_guard lock(TheGraphs().mutex);
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  if (capture->mode != CaptureMode::kRelaxed && pthread_equal(capture->thread, pthread_self()) == 0)
    return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  if (capture->origin != stream) return Invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  CUresult result = CUDA_SUCCESS;
  if (capture->status == CaptureStatus::kInvalidated) {
    result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  } else if (!AllJoined(*capture)) {
    result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  }
  Close(*capture);
  if (result == CUDA_SUCCESS) {
    *graph = HandleOf<CUgraph>(capture->graph);
  } else if (!capture->to_graph) {
    DropGraph(capture->graph);
  }
  return result;
}

// What cuStreamGetCaptureInfo answers; each may be null but the status.
struct Info {
  int* status = nullptr;
  unsigned long long* id = nullptr;
  CUgraph* graph = nullptr;
  const CUgraphNode** nodes = nullptr;
  const void** edges = nullptr;
  std::size_t* count = nullptr;
};

CUresult GetInfo(CUstream handle, bool per_thread, const Info& info) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (info.status == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheGraphs().mutex);
  if (!TouchedBy(*stream).empty()) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  const Capture* capture = stream->capture.get();
  *info.status = static_cast<int>(capture != nullptr ? capture->status : CaptureStatus::kNotCapturing);
  if (capture == nullptr || capture->status != CaptureStatus::kActive) return CUDA_SUCCESS;
  if (info.id != nullptr) *info.id = capture->id;
  if (info.graph != nullptr) *info.graph = HandleOf<CUgraph>(capture->graph);
  const auto& frontier = capture->frontiers.at(stream);
  // Valid until the next call on the stream, as CUDA says. A handle is the node's address.
  if (info.nodes != nullptr) *info.nodes = reinterpret_cast<const CUgraphNode*>(frontier.data());
  if (info.edges != nullptr) *info.edges = nullptr;
  if (info.count != nullptr) *info.count = frontier.size();
  return CUDA_SUCCESS;
}

CUresult UpdateNeeds(CUstream handle, bool per_thread, CUgraphNode* nodes, std::size_t count,
                     unsigned int flags) {
  constexpr unsigned int kSet = 1;
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (flags > kSet || (nodes == nullptr && count > 0)) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheGraphs().mutex);
  Capture* capture = stream->capture.get();
  if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  std::vector<Node*> needs;
  for (std::size_t i = 0; i < count; ++i) {
    needs.push_back(FindNode(nodes[i]));
    if (needs.back() == nullptr || needs.back()->graph != capture->graph) return CUDA_ERROR_INVALID_VALUE;
  }
  auto& frontier = capture->frontiers[stream];
  if (flags == kSet) frontier.clear();
  AddAll(frontier, needs);
  return CUDA_SUCCESS;
}

}  // namespace

bool CapturesOpen() { return open_captures.load() > 0; }

CUresult AddToCapture(SimStream& stream, const Operation& operation, bool* captured) {
  *captured = false;
  if (!CapturesOpen()) return CUDA_SUCCESS;
  const std::lock_guard lock(TheGraphs().mutex);
  if (const CUresult refused = RefuseImplicit(stream); refused != CUDA_SUCCESS) return refused;
  if (stream.capture == nullptr) return CUDA_SUCCESS;
  *captured = true;
  Capture& capture = *stream.capture;
  if (capture.status != CaptureStatus::kActive) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  auto& frontier = capture.frontiers[&stream];
  frontier = {AddNode(*capture.graph, operation, frontier)};
  return CUDA_SUCCESS;
}

bool RecordInCapture(SimStream& stream, SimEvent& event) {
  const std::lock_guard lock(TheGraphs().mutex);
  const bool captured = stream.capture != nullptr && stream.capture->status == CaptureStatus::kActive;
  event.capture = captured ? stream.capture : nullptr;
  event.captured = captured ? stream.capture->frontiers[&stream] : std::vector<Node*>();
  return captured;
}

CUresult WaitInCapture(SimStream& stream, SimEvent& event, bool* captured) {
  const std::lock_guard lock(TheGraphs().mutex);
  *captured = false;
  const std::shared_ptr<Capture> of_event = event.capture;
  const std::shared_ptr<Capture> of_stream = stream.capture;
  if (of_event == nullptr && of_stream == nullptr) return CUDA_SUCCESS;
  *captured = true;
  if (of_stream != nullptr && of_stream->status != CaptureStatus::kActive)
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  // Work from outside the capture cannot be waited for inside.
  if (of_event == nullptr) return Invalidate(*of_stream, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  if (of_event->status != CaptureStatus::kActive) return CUDA_ERROR_CAPTURED_EVENT;
  if (stream.kind == StreamKind::kLegacy) return Invalidate(*of_event, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  if (of_stream != nullptr && of_stream != of_event) {
    Invalidate(*of_event, CUDA_SUCCESS);
    return Invalidate(*of_stream, CUDA_ERROR_STREAM_CAPTURE_MERGE);
  }
  stream.capture = of_event;
  AddAll(of_event->frontiers[&stream], event.captured);
  return CUDA_SUCCESS;
}

CUresult RefuseAsking(SimStream& stream) {
  if (!CapturesOpen()) return CUDA_SUCCESS;
  const std::lock_guard lock(TheGraphs().mutex);
  if (stream.capture != nullptr) return Invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  return RefuseImplicit(stream);
}

CUresult RefuseAsking(SimEvent& event) {
  const std::lock_guard lock(TheGraphs().mutex);
  if (event.capture == nullptr) return CUDA_SUCCESS;
  return Invalidate(*event.capture, CUDA_ERROR_CAPTURED_EVENT);
}

CUresult RefuseUnsafe() {
  if (!CapturesOpen() || thread_mode == CaptureMode::kRelaxed) return CUDA_SUCCESS;
  const std::lock_guard lock(TheGraphs().mutex);
  CUresult result = CUDA_SUCCESS;
  for (const auto& capture : Open()) {
    const bool own = pthread_equal(capture->thread, pthread_self()) != 0;
    const bool forbids = own ? capture->mode != CaptureMode::kRelaxed
                             : capture->mode == CaptureMode::kGlobal && thread_mode == CaptureMode::kGlobal;
    if (forbids) result = Invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  }
  return result;
}

void AbandonCapture(SimStream& stream) {
  const std::lock_guard lock(TheGraphs().mutex);
  Abandon(stream);
}

void AbandonCaptures(const SimContext& context) {
  const std::lock_guard lock(TheGraphs().mutex);
  std::vector<SimStream*> streams;
  for (const auto& capture : Open()) {
    for (const auto& [member, frontier] : capture->frontiers) {
      if (member->context == &context) streams.push_back(member);
    }
  }
  for (SimStream* stream : streams) Abandon(*stream);
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_PTSZ(cuStreamBeginCapture, (CUstream hStream), Begin(hStream, kPerThread, 0, nullptr, {}))
MORTAR_SIMCUDA_PTSZ(cuStreamBeginCapture_v2, (CUstream hStream, int mode),
                    Begin(hStream, kPerThread, mode, nullptr, {}))
MORTAR_SIMCUDA_PTSZ(cuStreamBeginCaptureToGraph,
                    (CUstream hStream, CUgraph hGraph, const CUgraphNode* dependencies, const void*,
                     std::size_t numDependencies, int mode),
                    BeginInto(hStream, kPerThread, hGraph, dependencies, numDependencies, mode))
MORTAR_SIMCUDA_PTSZ(cuStreamEndCapture, (CUstream hStream, CUgraph* phGraph),
                    End(hStream, kPerThread, phGraph))
MORTAR_SIMCUDA_PTSZ(cuStreamIsCapturing, (CUstream hStream, int* captureStatus),
                    GetInfo(hStream, kPerThread, {.status = captureStatus}))
MORTAR_SIMCUDA_PTSZ(cuStreamGetCaptureInfo,
                    (CUstream hStream, int* captureStatus_out, unsigned long long* id_out),
                    GetInfo(hStream, kPerThread, {.status = captureStatus_out, .id = id_out}))
MORTAR_SIMCUDA_PTSZ(cuStreamGetCaptureInfo_v2,
                    (CUstream hStream, int* captureStatus_out, unsigned long long* id_out, CUgraph* graph_out,
                     const CUgraphNode** dependencies_out, std::size_t* numDependencies_out),
                    GetInfo(hStream, kPerThread,
                            {captureStatus_out, id_out, graph_out, dependencies_out, nullptr,
                             numDependencies_out}))
MORTAR_SIMCUDA_PTSZ(
    cuStreamGetCaptureInfo_v3,
    (CUstream hStream, int* captureStatus_out, unsigned long long* id_out, CUgraph* graph_out,
     const CUgraphNode** dependencies_out, const void** edgeData_out, std::size_t* numDependencies_out),
    GetInfo(hStream, kPerThread,
            {captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out, numDependencies_out}))
MORTAR_SIMCUDA_PTSZ(cuStreamUpdateCaptureDependencies,
                    (CUstream hStream, CUgraphNode* dependencies, std::size_t numDependencies,
                     unsigned int flags),
                    UpdateNeeds(hStream, kPerThread, dependencies, numDependencies, flags))
MORTAR_SIMCUDA_PTSZ(cuStreamUpdateCaptureDependencies_v2,
                    (CUstream hStream, CUgraphNode* dependencies, const void*, std::size_t numDependencies,
                     unsigned int flags),
                    UpdateNeeds(hStream, kPerThread, dependencies, numDependencies, flags))

MORTAR_SIMCUDA_EXPORT CUresult cuThreadExchangeStreamCaptureMode(int* mode) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (mode == nullptr || *mode < 0 || *mode > 2) return CUDA_ERROR_INVALID_VALUE;
  *mode = static_cast<int>(std::exchange(thread_mode, static_cast<CaptureMode>(*mode)));
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
