// The command line as man and shells are told of it, against what it is.
#include "mortar/reference.h"

#include <gmock/gmock.h>

#include "mortar/invocation.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;

CLI::App* AddTree(CLI::App& app) {
  auto* group = app.add_subcommand("trace", "Look - closely");
  auto* leaf = group->add_subcommand("show", "Show one");
  leaf->add_option("FILE", "What to \\ read");
  leaf->add_option("-o,--output", ".hidden file")->type_name("FILE");
  static bool json = false;
  leaf->add_flag("--json", json, "It's JSON");
  leaf->footer("Examples:\n.dangerous line\n'quoted");
  return leaf;
}

TEST(ReferenceTest, ManPageSaysWhatHelpSays) {
  CLI::App app("Root", "mortar");
  const std::string page = ManPage(*AddTree(app), "1.2-3");
  EXPECT_THAT(page, HasSubstr(".TH \"MORTAR\\-TRACE\\-SHOW\" 1 \"\" \"mortar 1.2\\-3\""));
  EXPECT_THAT(page, HasSubstr("\\fBmortar trace show\\fR [\\fIOPTIONS\\fR] \\fIFILE\\fR"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIFILE\\fR\n\\&.hidden file"));
  EXPECT_THAT(page, HasSubstr("\n\\fB\\-\\-json\\fR\nIt's JSON")) << "a flag takes no value";
  EXPECT_THAT(page, HasSubstr("What to \\e read"));
  EXPECT_THAT(page, HasSubstr("\n\\&.dangerous line\n\\&'quoted")) << "not taken for commands";
  EXPECT_THAT(page, HasSubstr("\\fBmortar\\-trace\\fR(1)"));
}

TEST(ReferenceTest, EveryCommandHasAPage) {
  const board::TemporaryDirectory folder;
  ASSERT_EQ(RunMortar({"man", "--all", folder.path()}, {}).code, kDone);
  for (const char* name : {"mortar", "mortar-run", "mortar-trace-record", "mortar-sim-matrix", "mortar-man"})
    EXPECT_EQ(access((folder.path() + "/" + name + ".1").c_str(), R_OK), 0) << name;
  const Outcome absent = RunMortar({"man", "--all", folder.path() + "/absent"}, {});
  EXPECT_EQ(absent.code, kFailed);
  EXPECT_EQ(absent.lines(), 1);
}

// What bash offers for `line`, by running the script in it.
std::string Offered(const std::string& line) {
  const board::TemporaryDirectory folder;
  const std::string script = folder.path() + "/completion";
  std::string words;
  std::string command = MORTAR_BINARY " completion bash > " + script + " && bash -c '. " + script +
                        "; COMP_WORDS=(" + line + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mortar; echo " +
                        "\"${COMPREPLY[@]}\"'";
  FILE* shell = popen(command.c_str(), "r");
  if (shell == nullptr) return "(no shell)";
  char buffer[4096];
  while (const std::size_t got = fread(buffer, 1, sizeof buffer, shell)) words.append(buffer, got);
  pclose(shell);
  return words;
}

TEST(ReferenceTest, BashCompletes) {
  EXPECT_EQ(Offered("mortar tr"), "trace\n");
  EXPECT_EQ(Offered("mortar trace re"), "record\n");
  EXPECT_EQ(Offered("mortar --version trace sh"), "show\n");
  EXPECT_EQ(Offered("mortar sim matrix --holders a --split-c"), "--split-cost-us\n");
  EXPECT_EQ(Offered("mortar run --max"), "--max-slowdown\n");
  EXPECT_THAT(Offered("mortar run -- /bin/tru"), HasSubstr("/bin/true")) << "behind --, programs";
}

TEST(ReferenceTest, OtherShellsToo) {
  const Outcome fish = RunMortar({"completion", "fish"}, {});
  EXPECT_THAT(
      fish.out,
      HasSubstr("-n '__fish_seen_subcommand_from trace; and __fish_seen_subcommand_from show' -l json"));
  EXPECT_THAT(RunMortar({"completion", "zsh"}, {}).out, HasSubstr("#compdef mortar"));
  const Outcome bad = RunMortar({"completion", "tcsh"}, {});
  EXPECT_EQ(bad.code, kBadInput);
  EXPECT_EQ(bad.lines(), 1);
}

}  // namespace
}  // namespace mortar::cli
