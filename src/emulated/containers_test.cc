// PointerMap, TimerQueue and KernelBook.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "emulated/kernels.h"
#include "emulated/pointer_map.h"
#include "emulated/timer.h"

namespace mortar::emulated {
namespace {

const void* Key(std::uintptr_t value) { return std::bit_cast<const void*>(value * 16); }

// Against std::map, over random puts and removals of few keys, so that probes run into each other.
TEST(PointerMapTest, BehavesLikeAMap) {
  PointerMap<int> map;
  std::map<const void*, int*> reference;
  std::vector<int> values(64);
  base::Random random(7);
  for (int step = 0; step < 100'000; ++step) {
    const void* key = Key(1 + random.Next() % 300);
    if (random.Next() % 2 == 0) {
      int* value = &values[random.Next() % values.size()];
      ASSERT_TRUE(map.Put(key, value));
      reference[key] = value;
    } else {
      map.Remove(key);
      reference.erase(key);
    }
    const void* probe = Key(1 + random.Next() % 300);
    const auto expected = reference.find(probe);
    ASSERT_EQ(map.Find(probe), expected == reference.end() ? nullptr : expected->second);
    ASSERT_EQ(map.size(), reference.size());
  }
}

TEST(PointerMapTest, GrowsAndClears) {
  PointerMap<int> map;
  int value = 0;
  for (std::uintptr_t i = 1; i <= 5'000; ++i) ASSERT_TRUE(map.Put(Key(i), &value));
  for (std::uintptr_t i = 1; i <= 5'000; ++i) ASSERT_EQ(map.Find(Key(i)), &value);
  map.Clear();
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(map.Find(Key(1)), nullptr);
  EXPECT_EQ(map.Find(nullptr), nullptr);
}

TEST(TimerQueueTest, EarliestFirstAndEqualInOrder) {
  TimerQueue queue;
  int marks[4];
  const std::int64_t at[] = {30, 10, 20, 10};
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.Add(at[i], nullptr, &marks[i]));
  std::vector<std::ptrdiff_t> order;
  while (!queue.empty()) order.push_back(static_cast<int*>(queue.PopFirst().argument) - marks);
  EXPECT_EQ(order, (std::vector<std::ptrdiff_t>{1, 3, 2, 0}));
}

TEST(TimerQueueTest, GrowsPastItsFirstSize) {
  TimerQueue queue;
  for (int i = 1'000; i > 0; --i) ASSERT_TRUE(queue.Add(i, nullptr, nullptr));
  for (int i = 1; i <= 1'000; ++i) ASSERT_EQ(queue.PopFirst().at_ns, i);
  EXPECT_TRUE(queue.empty());
}

TEST(KernelBookTest, CountsLaunchesByName) {
  const auto table = Table::Parse("seed 3\nkernel a 100 20%\nkernel b 50\n", "t");
  ASSERT_TRUE(table.ok());
  KernelBook book(*table);
  EXPECT_EQ(book.NextNs(Key(1), 1), -1);
  book.Learn(Key(1), "a");
  book.Learn(Key(2), "a");  // another handle of the same name
  book.Learn(Key(3), "b");
  const std::uint64_t hash = base::HashBytes("a", 1);
  EXPECT_EQ(book.NextNs(Key(1), 1), Jittered(100'000, 200'000, 3, hash, 0));
  EXPECT_EQ(book.NextNs(Key(3), 1), 50'000);
  EXPECT_EQ(book.NextNs(Key(2), 1), Jittered(100'000, 200'000, 3, hash, 1));
  book.Forget(Key(1));
  EXPECT_EQ(book.NextNs(Key(1), 1), -1);
  book.Learn(Key(1), "a");
  EXPECT_EQ(book.NextNs(Key(1), 1), Jittered(100'000, 200'000, 3, hash, 2));
}

}  // namespace
}  // namespace mortar::emulated
