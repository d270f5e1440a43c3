#include "trace/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"

namespace mortar::trace {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(text, &out);
  return out;
}

std::string Microseconds(std::int64_t ns) {
  std::string out;
  AppendMicroseconds(ns, &out);
  return out;
}

TEST(JsonTextTest, PlainTextIsQuotedAsItIs) {
  EXPECT_EQ(Quoted("gemm<float, 4>"), "\"gemm<float, 4>\"");
  EXPECT_EQ(Quoted("größe 矩阵 🙂"), "\"größe 矩阵 🙂\"");
}

TEST(JsonTextTest, QuotesAndBackslashesAreEscaped) { EXPECT_EQ(Quoted("a\"b\\c"), "\"a\\\"b\\\\c\""); }

TEST(JsonTextTest, ControlCharactersAndWrongUtf8BecomeQuestionMarks) {
  EXPECT_EQ(Quoted("a\nb\x7f"), "\"a?b?\"");
  EXPECT_EQ(Quoted("\xff\xc0\xaf"), "\"???\"");               // never in UTF-8; overlong
  EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"???\"");               // a surrogate
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"????\"");          // beyond U+10FFFF
  EXPECT_EQ(Quoted("\xe0\x80\x80x"), "\"???x\"");             // overlong
  EXPECT_EQ(Quoted(std::string("x\xe7\x9f", 3)), "\"x??\"");  // cut, as a name that filled its field
}

TEST(JsonTextTest, ArbitraryBytesParse) {
  base::Random random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 20; ++i) bytes.push_back(static_cast<char>(random.Next()));
    EXPECT_TRUE(nlohmann::json::accept(Quoted(bytes)));
  }
}

TEST(JsonTextTest, NanosecondsAreMicrosecondsWithThreeDecimals) {
  EXPECT_EQ(Microseconds(0), "0.000");
  EXPECT_EQ(Microseconds(7), "0.007");
  EXPECT_EQ(Microseconds(1'234'567), "1234.567");
  EXPECT_EQ(Microseconds(-1'050), "-1.050");
  EXPECT_EQ(Microseconds(INT64_MAX), "9223372036854775.807");
  EXPECT_EQ(Microseconds(INT64_MIN), "-9223372036854775.808");
}

TEST(JsonTextTest, ExcerptsFitIntoALine) {
  EXPECT_EQ(Excerpt("a\nb\x1b"), "\"a?b?\"");
  EXPECT_EQ(Excerpt(std::string(100, 'x')).size(), 62u);
}

}  // namespace
}  // namespace mortar::trace
