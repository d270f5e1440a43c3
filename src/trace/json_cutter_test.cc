#include "trace/json_cutter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mortar::trace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Events as they stand, members as key=value, an error as its message.
std::vector<std::string> Cut(const std::string& text) {
  const auto source = MemorySource(text, "t");
  JsonCutter cutter(*source);
  std::vector<std::string> pieces;
  while (true) {
    const auto piece = cutter.Next();
    if (!piece) {
      pieces.push_back("error: " + piece.error().message);
      return pieces;
    }
    if (piece->what == JsonCutter::What::kEnd) return pieces;
    const std::string key = piece->what == JsonCutter::What::kMember ? std::string(piece->key) + "=" : "";
    pieces.push_back(std::to_string(piece->line) + ":" + key + std::string(piece->text));
  }
}

TEST(JsonCutterTest, PiecesComeWithTheirLines) {
  EXPECT_THAT(Cut("{ \"a\" : 1,\n\"traceEvents\":[\n{\"x\":[1,2]} , {},\n7 ],\"b\":{\"}\":\"]\"}}"),
              ElementsAre("1:a=1", "3:{\"x\":[1,2]}", "3:{}", "4:7", "4:b={\"}\":\"]\"}"));
  EXPECT_THAT(Cut("\xef\xbb\xbf[{\"a\":\"\\\"}\\\\\"}]\n"), ElementsAre("1:{\"a\":\"\\\"}\\\\\"}"));
  EXPECT_THAT(Cut("{\"traceEvents\":[]}"), ElementsAre());
  EXPECT_THAT(Cut("[{},]"), ElementsAre("1:{}"));  // as some writers end it
}

TEST(JsonCutterTest, PiecesLongerThanTheBufferComeWhole) {
  const std::string name(3'000'000, 'n');
  const std::string event = "{\"name\":\"" + name + "\\\\\"}";
  const auto pieces = Cut("[" + event + ",{\"b\":1}," + event + "]");
  EXPECT_THAT(pieces, ElementsAre("1:" + event, "1:{\"b\":1}", "1:" + event));
}

TEST(JsonCutterTest, MembersNobodyNeedsMayBeOfAnySize) {
  std::string member = "[\"\\\\\"";
  while (member.size() < 20'000'000) member += ",\"\\\"]\\\\\"";
  const auto pieces = Cut("{\"stackFrames\":" + member + "],\"traceEvents\":[{}]}");
  EXPECT_THAT(pieces, ElementsAre("1:stackFrames=", "1:{}"));
}

TEST(JsonCutterTest, BrokenJsonIsNamedWithItsLine) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "read t:1:1: the file is empty"},
      {"\n\nhello", "read t:3:1: neither JSON"},
      {"{\"traceEvents\":[\n{\"a\":1},\n{\"b\":",
       "read t:3:1: cut short: the file ends inside what begins here"},
      {"{\"traceEvents\":[\n{\"a\":1},\n", "read t:3:1: cut short: the file ends inside traceEvents"},
      {"{\"traceEvents\":[\n{\"a\":1}\n{\"b\":2}]}", "read t:3:1: not JSON: a comma or a bracket"},
      {"{\"traceEvents\":[{\"a\":\n[}]}", "read t:2:2: not JSON: a bracket closes"},
      {"{\"traceEvents\":[]", "read t:1:18: cut short: the file ends inside its outermost object"},
      {"{\"traceEvents\":[]}\nx", "read t:2:1: not JSON: something follows"},
      {"{\"traceEvents\":[],\"traceEvents\":[]}", "read t:1:33: a second traceEvents"},
      {"{\"other\":[]}", "read t:1:13: no traceEvents in it"},
      {"{other:1}", "read t:1:2: not JSON: a member's name"},
      {"{\"a\" 1}", "read t:1:6: not JSON: a colon should follow the name \"a\""},
      {"{\"a\":}", "read t:1:6: not JSON: a value is missing"},
      {"{\"a\":\"b", "read t:1:6: cut short"},
      {"{\"a\":1 \"b\":2}", "read t:1:8: not JSON: a comma or a brace"},
  };
  for (const auto& [text, error] : kCases) {
    const auto pieces = Cut(text);
    ASSERT_FALSE(pieces.empty()) << text;
    EXPECT_THAT(pieces.back(), HasSubstr(error)) << text;
  }
  EXPECT_THAT(Cut(std::string(100, '[')).back(), HasSubstr("nested deeper than 64 levels"));
}

}  // namespace
}  // namespace mortar::trace
