#include "predict/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace mortar::predict {
namespace {

TEST(KernelTableTest, FindsWhatWasAddedAndNothingElse) {
  KernelTable table;
  EXPECT_EQ(table.Find(5), nullptr);
  Kernel* added = table.FindOrAdd(5, "gemm");
  EXPECT_EQ(table.Find(5), added);
  EXPECT_EQ(table.FindOrAdd(5, "other name"), added);
  EXPECT_STREQ(added->name, "gemm");
  EXPECT_EQ(table.size(), 1U);
}

TEST(KernelTableTest, FullTableAnswersUnknown) {
  KernelTable table;
  for (std::size_t i = 1; i <= KernelTable::kCapacity; ++i) ASSERT_NE(table.FindOrAdd(i, "k"), nullptr);
  EXPECT_EQ(table.FindOrAdd(KernelTable::kCapacity + 1, "k"), nullptr);
  EXPECT_NE(table.Find(17), nullptr);
}

TEST(KernelTableTest, ConstantDurationIsKnownExactly) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  for (int i = 0; i < 100; ++i) table.AddSample(*k, i % 20 == 0 ? 9'000'000 : 144'000, false);
  EXPECT_EQ(k->duration_ns, 144'000);
  EXPECT_EQ(k->length_ns, 144'000);
}

TEST(KernelTableTest, LengthIsTheNinthDecile) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  for (int i = 0; i < 16; ++i) table.AddSample(*k, 100'000 + i * 1000, false);
  EXPECT_NEAR(static_cast<double>(k->duration_ns), 107'500, 600);
  EXPECT_NEAR(static_cast<double>(k->length_ns), 114'000, 1000);
}

TEST(KernelTableTest, SamplesOftenAtFirstAndRarelyLater) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  int samples = 0;
  for (int launch = 0; launch < 100'000; ++launch) {
    if (!table.WantSample(*k, false)) continue;
    ++samples;
    table.AddSample(*k, 100'000, false);
    if (launch < 8) {
      EXPECT_EQ(samples, launch + 1);
    }
  }
  EXPECT_GT(samples, 100'000 / 130);
  EXPECT_LT(samples, 100'000 / 110);
  EXPECT_TRUE(table.WantSample(*k, true));
}

TEST(KernelTableTest, LongKernelsAreAlwaysTimed) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  for (int launch = 0; launch < 1000; ++launch) {
    ASSERT_TRUE(table.WantSample(*k, false));
    table.AddSample(*k, 1'000'000, false);
  }
}

TEST(KernelTableTest, SamplesFallOnEveryPlaceOfAPeriod) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  std::array<int, 16> places{};
  for (std::size_t launch = 0; launch < 16 * 400; ++launch) {
    if (!table.WantSample(*k, false)) continue;
    ++places[launch % 16];
    table.AddSample(*k, 100'000, false);
  }
  for (const int samples : places) EXPECT_GT(samples, 0);
}

TEST(KernelTableTest, TwoModesAreSplitAndOneIsNot) {
  KernelTable table;
  Kernel* one = table.FindOrAdd(1, "one");
  Kernel* two = table.FindOrAdd(2, "two");
  for (int i = 0; i < 40; ++i) {
    table.AddSample(*one, 100'000 + i * 1000, false);
    table.AddSample(*two, i % 2 == 0 ? 50'000 : 400'000, false);
  }
  EXPECT_FALSE(one->split);
  EXPECT_TRUE(two->split);
}

TEST(KernelTableTest, LooseSamplesCountOnlyWhereHardlyAnyOthersCome) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  // All there is at first.
  for (int i = 0; i < 40; ++i) table.AddSample(*k, i % 2 == 0 ? 9'000 : 11'000, false, /*loose=*/true);
  EXPECT_NEAR(static_cast<double>(k->duration_ns), 10'000, 1'000);
  EXPECT_FALSE(KernelTable::KnownExactly(*k));
  for (int i = 0; i < 4; ++i) table.AddSample(*k, 5'000, false);
  EXPECT_TRUE(KernelTable::KnownExactly(*k));
  EXPECT_EQ(k->duration_ns, 5'000) << "what came before is forgotten";
  for (int i = 0; i < 40; ++i) {
    table.AddSample(*k, 29'000, false, true);
    if (i % 8 == 7) table.AddSample(*k, 5'000, false);
  }
  EXPECT_EQ(k->duration_ns, 5'000);
  EXPECT_EQ(k->length_ns, 5'000);
  EXPECT_FALSE(k->split);
  // It is never launched behind others any more, and takes longer.
  for (int i = 0; i < 100; ++i) table.AddSample(*k, 21'000, false, true);
  EXPECT_NEAR(static_cast<double>(k->duration_ns), 21'000, 200);
}

TEST(KernelTableTest, AbsurdDurationsAreIgnored) {
  KernelTable table;
  Kernel* k = table.FindOrAdd(1, "k");
  table.AddSample(*k, -5, false);
  table.AddSample(*k, INT64_MAX, false);
  EXPECT_EQ(k->samples, 0U);
}

TEST(KernelTableTest, ThreadsMayAddAndSampleAtOnce) {
  KernelTable table;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (model::KernelId id = 1; id <= 2000; ++id) {
        Kernel* k = table.FindOrAdd(id, "k");
        table.AddSample(*k, 1000, false);
        EXPECT_EQ(k->id, id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.size(), 2000U);
  EXPECT_EQ(table.Find(1000)->samples, 4U);
}

}  // namespace
}  // namespace mortar::predict
