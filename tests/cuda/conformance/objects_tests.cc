// User objects: kept by graphs, their copies and what is made ready of them, until nothing uses them any
// more.
#include <unistd.h>

#include <atomic>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr unsigned int kNoDestructorSync = 1;
constexpr unsigned int kMove = 1;

class ObjectTest : public SuiteTest {
 protected:
  // Counted in `destroyed` when it is; the one reference to it is `graph`'s.
  static void GiveObject(CUgraph graph, std::atomic<int>* destroyed) {
    CUuserObject object = nullptr;
    const CUhostFn destroy = [](void* count) { ++*static_cast<std::atomic<int>*>(count); };
    ASSERT_CU(CU(cuUserObjectCreate)(&object, destroyed, destroy, 1, kNoDestructorSync));
    ASSERT_CU(CU(cuGraphRetainUserObject)(graph, object, 1, kMove));
  }
  // A graph of one kernel.
  CUgraph Graph() {
    CUstream stream = Stream(1);
    CUgraph graph = nullptr;
    EXPECT_CU(CU(cuStreamBeginCapture_v2)(stream, 2));
    EXPECT_CU(ScaleAdd(data_, 10, 1, stream));
    EXPECT_CU(CU(cuStreamEndCapture)(stream, &graph));
    return graph;
  }
  CUgraph WithObject(std::atomic<int>* destroyed) {
    CUgraph graph = Graph();
    GiveObject(graph, destroyed);
    return graph;
  }
  // A graph of one child, which has the object.
  CUgraph ParentOfOne(std::atomic<int>* destroyed, CUgraphNode* node) {
    CUgraph child = WithObject(destroyed);
    CUgraph parent = nullptr;
    EXPECT_CU(CU(cuGraphCreate)(&parent, 0));
    EXPECT_CU(CU(cuGraphAddChildGraphNode)(node, parent, nullptr, 0, child));
    EXPECT_CU(CU(cuGraphDestroy)(child));
    return parent;
  }
  CUgraphExec Ready(CUgraph graph) {
    CUgraphExec exec = nullptr;
    EXPECT_CU(CU(cuGraphInstantiateWithFlags)(&exec, graph, 0));
    return exec;
  }
  // Objects are destroyed by a thread of the driver's, soon.
  static bool Becomes(const std::atomic<int>& destroyed, int expected) {
    constexpr int kLongestMs = 10000;
    for (int i = 0; i < kLongestMs && destroyed != expected; ++i) usleep(1000);
    return destroyed == expected;
  }
  void SetUp() override {
    SuiteTest::SetUp();
    if (context_ != nullptr) data_ = Ints({1});
  }
  CUdeviceptr data_ = 0;
};

TEST_P(ObjectTest, LastsUntilTheLaunchesOfADestroyedExecAreDone) {
  std::atomic<int> destroyed{0};
  CUstream stream = Stream(1);
  CUgraph graph = WithObject(&destroyed);
  CUgraphExec exec = Ready(graph);
  EXPECT_CU(CU(cuGraphDestroy)(graph));
  EXPECT_EQ(destroyed, 0);
  Plug plug(stream);
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_EQ(destroyed, 0) << "both launches are still to come";
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_TRUE(Becomes(destroyed, 1));
  EXPECT_EQ(ReadOne(data_), 111);
}

TEST_P(ObjectTest, UpdateOfAnExecReplacesItsObjects) {
  std::atomic<int> old_destroyed{0};
  std::atomic<int> new_destroyed{0};
  CUstream stream = Stream(1);
  CUgraph old_graph = WithObject(&old_destroyed);
  CUgraph new_graph = WithObject(&new_destroyed);
  CUgraphExec exec = Ready(old_graph);
  EXPECT_CU(CU(cuGraphDestroy)(old_graph));
  Plug plug(stream);
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  struct {
    int result = -1;
    CUgraphNode node = nullptr, from = nullptr;
  } info;
  EXPECT_CU(CU(cuGraphExecUpdate_v2)(exec, new_graph, &info));
  EXPECT_CU(CU(cuGraphDestroy)(new_graph));
  EXPECT_EQ(old_destroyed, 0) << "a launch of it is under way";
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_TRUE(Becomes(old_destroyed, 1));
  EXPECT_EQ(new_destroyed, 0) << "the exec has it";
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_TRUE(Becomes(new_destroyed, 1));
}

TEST_P(ObjectTest, ChildrenHaveTheirOwn) {
  std::atomic<int> destroyed{0};
  CUgraphNode node = nullptr;
  CUgraph parent = ParentOfOne(&destroyed, &node);
  EXPECT_EQ(destroyed, 0);
  CUgraph clone = nullptr;
  ASSERT_CU(CU(cuGraphClone)(&clone, parent));
  EXPECT_CU(CU(cuGraphDestroyNode)(node));
  EXPECT_CU(CU(cuGraphDestroy)(parent));
  EXPECT_EQ(destroyed, 0) << "the clone's child has it";
  CUgraphExec exec = Ready(clone);
  EXPECT_CU(CU(cuGraphDestroy)(clone));
  EXPECT_EQ(destroyed, 0) << "what was made ready of the clone has it";
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_TRUE(Becomes(destroyed, 1));
}

TEST_P(ObjectTest, GoWithTheNodeThatHasThem) {
  std::atomic<int> destroyed{0};
  CUgraphNode node = nullptr;
  CUgraph parent = ParentOfOne(&destroyed, &node);
  EXPECT_EQ(destroyed, 0);
  EXPECT_CU(CU(cuGraphDestroyNode)(node));
  EXPECT_TRUE(Becomes(destroyed, 1));
  EXPECT_CU(CU(cuGraphDestroy)(parent));
}

CONFORMANCE_BOTH_WAYS(ObjectTest);

}  // namespace
}  // namespace mortar::conformance
