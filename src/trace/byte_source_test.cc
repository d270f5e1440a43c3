#include "trace/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/test_trace.h"

namespace mortar::trace {
namespace {

using ::testing::HasSubstr;

std::string Numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + "\n";
  return text;
}

base::Result<std::string> ReadBytes(const std::string& bytes) {
  const auto source = MemorySource(bytes, "f.gz");
  return ReadAll(*source, std::size_t{1} << 30);
}

TEST(ByteSourceTest, PlainAndGzipReadTheSame) {
  const std::string text = Numbers(200'000);  // several pieces
  EXPECT_EQ(ReadBytes(text).value(), text);
  EXPECT_EQ(ReadBytes(Gzip(text)).value(), text);
  EXPECT_EQ(ReadBytes("").value(), "");
  EXPECT_EQ(ReadBytes("\x1f").value(), "\x1f");
}

TEST(ByteSourceTest, GzipOfSeveralMembersIsOneText) {
  EXPECT_EQ(ReadBytes(Gzip("one,") + Gzip("") + Gzip("two")).value(), "one,two");
  EXPECT_EQ(ReadBytes(Gzip("one") + std::string(100, '\0')).value(), "one");  // padding of tapes
}

TEST(ByteSourceTest, CutGzipIsNamedWithItsByte) {
  const std::string whole = Gzip(Numbers(1000));
  for (const std::size_t size : {std::size_t{2}, std::size_t{12}, whole.size() / 2, whole.size() - 1}) {
    const auto read = ReadBytes(whole.substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, base::Code::kCorrupt);
    EXPECT_THAT(read.error().message,
                HasSubstr("f.gz: byte " + std::to_string(size) + ": the gzip file is cut short"));
  }
}

TEST(ByteSourceTest, DamagedGzipIsNamed) {
  std::string bytes = Gzip(Numbers(1000));
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // its checksum
  const auto read = ReadBytes(bytes);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("the gzip data is damaged (incorrect data check)"));
}

TEST(ByteSourceTest, MissingFilesAndFoldersAreNamed) {
  const auto missing = OpenSource("/nonexistent/t.json");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  const auto folder = OpenSource("/");
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("a folder; name a file in it"));
}

TEST(ByteSourceTest, LimitOfReadAllHolds) {
  const auto source = MemorySource(Numbers(1000), "f");
  EXPECT_EQ(ReadAll(*source, 100).error().code, base::Code::kFull);
}

}  // namespace
}  // namespace mortar::trace
