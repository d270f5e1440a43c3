// User objects: whose references are whose.
#include <utility>

#include "simcuda/driver/graphs.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kNoDestructorSync = 1;  // CU_USER_OBJECT_NO_DESTRUCTOR_SYNC, which must be given
constexpr unsigned int kMove = 1;              // CU_GRAPH_USER_OBJECT_MOVE

// REQUIRES: TheGraphs().mutex held. False: the program has not as many references of its own.
bool GiveUp(SimObject* object, unsigned int count) {
  const auto found = TheGraphs().objects.find(object);
  if (found == TheGraphs().objects.end() || object->owned < count) return false;
  object->owned -= count;
  if (object->owned == 0) TheGraphs().objects.erase(found);
  return true;
}

}  // namespace

SimObject::~SimObject() {
  if (SimDevice* device = FindDevice(0))
    CallLater(device->calls, {nullptr, [call = destroy, with = data] { call(with); }, {}});
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectCreate(CUuserObject* object_out, void* ptr, CUhostFn destroy,
                                                  unsigned int initialRefcount, unsigned int flags) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (object_out == nullptr || destroy == nullptr || initialRefcount == 0 || flags != kNoDestructorSync)
    return CUDA_ERROR_INVALID_VALUE;
  auto object = std::make_shared<SimObject>(ptr, destroy, initialRefcount);
  *object_out = HandleOf<CUuserObject>(object.get());
  const std::lock_guard lock(TheGraphs().mutex);
  SimObject* key = object.get();
  TheGraphs().objects[key] = std::move(object);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectRetain(CUuserObject handle, unsigned int count) {
  const std::lock_guard lock(TheGraphs().mutex);
  auto* object = reinterpret_cast<SimObject*>(handle);
  if (!TheGraphs().objects.contains(object) || count == 0) return CUDA_ERROR_INVALID_VALUE;
  object->owned += count;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectRelease(CUuserObject handle, unsigned int count) {
  const std::lock_guard lock(TheGraphs().mutex);
  return count > 0 && GiveUp(reinterpret_cast<SimObject*>(handle), count) ? CUDA_SUCCESS
                                                                          : CUDA_ERROR_INVALID_VALUE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphRetainUserObject(CUgraph graph_handle, CUuserObject handle,
                                                       unsigned int count, unsigned int flags) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimGraph* graph = FindGraph(graph_handle);
  auto* object = reinterpret_cast<SimObject*>(handle);
  const auto found = TheGraphs().objects.find(object);
  if (graph == nullptr || found == TheGraphs().objects.end() || count == 0 || flags > kMove)
    return CUDA_ERROR_INVALID_VALUE;
  const std::shared_ptr<SimObject> shared = found->second;
  if (flags == kMove && !GiveUp(object, count)) return CUDA_ERROR_INVALID_VALUE;
  HeldObject& held = graph->objects[object];
  held.object = shared;
  held.count += count;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphReleaseUserObject(CUgraph graph_handle, CUuserObject handle,
                                                        unsigned int count) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimGraph* graph = FindGraph(graph_handle);
  if (graph == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
  const auto held = graph->objects.find(reinterpret_cast<SimObject*>(handle));
  if (held == graph->objects.end() || held->second.count < count) return CUDA_ERROR_INVALID_VALUE;
  held->second.count -= count;
  if (held->second.count == 0) graph->objects.erase(held);
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
