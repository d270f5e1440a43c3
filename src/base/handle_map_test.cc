#include "base/handle_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace mortar::base {
namespace {

const void* Handle(std::uintptr_t number) { return reinterpret_cast<const void*>(number * 16); }

TEST(HandleMapTest, FindsWhatWasPut) {
  HandleMap<int> map;
  int one = 1;
  int two = 2;
  EXPECT_EQ(map.Find(Handle(1)), nullptr);
  map.Put(Handle(1), &one);
  map.Put(Handle(2), &two);
  EXPECT_EQ(map.Find(Handle(1)), &one);
  EXPECT_EQ(map.Find(Handle(2)), &two);
  EXPECT_EQ(map.Find(Handle(3)), nullptr);
}

TEST(HandleMapTest, PutAgainReplaces) {
  HandleMap<int> map;
  int values[2] = {};
  for (int i = 0; i < 1000; ++i) {  // more often than the table has places: it must not fill up
    map.Put(Handle(7), &values[i % 2]);
    ASSERT_EQ(map.Find(Handle(7)), &values[i % 2]);
  }
}

TEST(HandleMapTest, GrowsAndKeepsEverything) {
  HandleMap<std::uintptr_t> map;
  constexpr std::uintptr_t kMany = 20'000;
  std::vector<std::uintptr_t> values(kMany);
  for (std::uintptr_t i = 1; i < kMany; ++i) {
    values[i] = i;
    map.Put(Handle(i), &values[i]);
  }
  for (std::uintptr_t i = 1; i < kMany; ++i) {
    const std::uintptr_t* found = map.Find(Handle(i));
    ASSERT_NE(found, nullptr) << i;
    ASSERT_EQ(*found, i);
  }
  EXPECT_EQ(map.Find(Handle(kMany)), nullptr);
}

// Handles whose home is the same place: drivers hand out addresses at large, even strides.
TEST(HandleMapTest, CollidingHandlesStayApart) {
  HandleMap<int> map;
  std::vector<int> values(300);
  const auto handle = [](std::size_t i) { return reinterpret_cast<const void*>((i + 1) << 44); };
  for (std::size_t i = 0; i < values.size(); ++i) map.Put(handle(i), &values[i]);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(map.Find(handle(i)), &values[i]);
}

// Readers run while writers add and replace: a handle that was put is always found, with a value of its own.
TEST(HandleMapTest, ReadersSeeWholeEntriesWhileItGrows) {
  struct Value {
    std::uintptr_t number;
    int version;
  };
  constexpr std::uintptr_t kMany = 3000;
  HandleMap<Value> map;
  std::vector<Value> values;
  for (std::uintptr_t i = 0; i < kMany; ++i) values.insert(values.end(), {{i, 0}, {i, 1}});
  std::atomic<std::uintptr_t> put{0};
  std::atomic<int> wrong{0};
  const auto read = [&] {
    for (std::uintptr_t done = 0; done + 1 < kMany;) {
      done = put.load();
      for (std::uintptr_t i = 1; i <= done; ++i) {
        const Value* found = map.Find(Handle(i));
        if (found == nullptr || found->number != i) wrong.fetch_add(1);
      }
    }
  };
  std::thread readers[] = {std::thread(read), std::thread(read)};
  for (std::uintptr_t i = 1; i < kMany; ++i) {
    map.Put(Handle(i), &values[2 * i]);
    put.store(i);
    map.Put(Handle(1 + i / 2), &values[2 * (1 + i / 2) + 1]);
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace mortar::base
