#include "base/toml_text.h"

#include <gtest/gtest.h>

namespace mortar::base {
namespace {

TEST(TomlTextTest, CharactersInStringsAndCommentsAreNotStray) {
  EXPECT_EQ(FindStrayCharacter("\xef\xbb\xbf"
                               "a = 1 # é\nb = \"é\"\nc = 'é\\'\n"),
            0u);
  EXPECT_EQ(FindStrayCharacter("a = \"\"\"e\n\"e\\\"\"\"\"\nb = '''é''''\n"), 0u);
  EXPECT_EQ(FindStrayCharacter("a = \"\\\"é\"\n# é"), 0u);
  EXPECT_EQ(FindStrayCharacter(""), 0u);
}

TEST(TomlTextTest, OneElsewhereIsFoundWithItsLine) {
  EXPECT_EQ(FindStrayCharacter("é = 1"), 1u);
  EXPECT_EQ(FindStrayCharacter("a = 1\nb = \"x\" é"), 2u);
  EXPECT_EQ(FindStrayCharacter("a = \"\"\"\n\"\"\"\né"), 3u);
  EXPECT_EQ(FindStrayCharacter("a = 'not closed é\né"), 2u);
  EXPECT_EQ(FindStrayCharacter("a = \"\"\n\xef\xbb\xbe"), 2u);
}

TEST(TomlTextTest, QuoteWhereNoStringMayBeginHidesNothing) {
  EXPECT_EQ(FindStrayCharacter("a = 1\nb = -p\"é"), 2u);
  EXPECT_EQ(FindStrayCharacter("a = \"x\" 'y'"), 1u);
  EXPECT_EQ(FindStrayCharacter("\"a\".'b' = [\n 'c', \"d\"]\r\n[['x']]\nt = {\"u\" = 1}\n"), 0u);
}

TEST(TomlTextTest, BlanksBehindALineOfAStringAreSkippedToo) {
  EXPECT_EQ(FindStrayCharacter("a = \"\"\"x\\\né\"\"\""), 2u);
}

}  // namespace
}  // namespace mortar::base
