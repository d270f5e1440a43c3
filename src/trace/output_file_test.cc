#include "trace/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/owner.h"

namespace mortar::trace {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string text = fs::temp_directory_path() / "mortar-output-XXXXXX";
    ASSERT_NE(mkdtemp(text.data()), nullptr);
    folder_ = text;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ / name; }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::ptrdiff_t Files() const { return std::distance(fs::directory_iterator(folder_), {}); }

  fs::path folder_;
};

std::string Unzip(const std::string& path) {
  std::string text;
  char buffer[65536];
  const gzFile file = gzopen(path.c_str(), "rb");
  for (int got = 0; (got = gzread(file, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  gzclose(file);
  return text;
}

TEST_F(OutputFileTest, JsonIsWrittenAsItIs) {
  auto file = OutputFile::Create(Path("t.json"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_TRUE((*file)->Write("{\"a\":").ok());
  ASSERT_TRUE((*file)->Write("1}").ok());
  EXPECT_FALSE(fs::exists(Path("t.json")));  // not before it is whole
  ASSERT_TRUE((*file)->Commit().ok());
  EXPECT_EQ(Read(Path("t.json")), "{\"a\":1}");
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, GzIsCompressed) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i);
  auto file = OutputFile::Create(Path("t.json.gz"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_TRUE((*file)->Write(text).ok());
  ASSERT_TRUE((*file)->Commit().ok());
  EXPECT_EQ(Read(Path("t.json.gz")).substr(0, 2), "\x1f\x8b");
  EXPECT_LT(fs::file_size(Path("t.json.gz")), text.size() / 2);
  EXPECT_EQ(Unzip(Path("t.json.gz")), text);
}

TEST_F(OutputFileTest, UncommittedLeavesNothingAndTheOldFileStays) {
  std::ofstream(Path("t.json")) << "old";
  {
    auto file = OutputFile::Create(Path("t.json"));
    ASSERT_TRUE(file.ok()) << file.error().message;
    ASSERT_TRUE((*file)->Write("half").ok());
  }
  EXPECT_EQ(Read(Path("t.json")), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, OtherNamesAreRefused) {
  const auto file = OutputFile::Create(Path("t.txt"));
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, base::Code::kInvalid);
  EXPECT_EQ(Files(), 0);
}

TEST_F(OutputFileTest, MissingFolderIsAnError) {
  const auto file = OutputFile::Create(Path("missing/t.json"));
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, base::Code::kNotFound);
}

TEST_F(OutputFileTest, NameTakenByAFolderFailsAndLeavesNothing) {
  fs::create_directory(Path("t.json"));
  auto file = OutputFile::Create(Path("t.json"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_FALSE((*file)->Commit().ok());
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, LinksStayAndWhatTheyNameIsReplaced) {
  std::ofstream(Path("old")) << "old";
  fs::create_symlink(Path("old"), Path("t.json"));
  fs::create_symlink("new", Path("u.json"));  // of nothing yet
  for (const char* name : {"t.json", "u.json"}) {
    auto file = OutputFile::Create(Path(name));
    ASSERT_TRUE(file.ok()) << file.error().message;
    ASSERT_TRUE((*file)->Write("{}").ok());
    ASSERT_TRUE((*file)->Commit().ok());
    EXPECT_TRUE(fs::is_symlink(Path(name)));
  }
  EXPECT_EQ(Read(Path("old")), "{}");
  EXPECT_EQ(Read(Path("new")), "{}");
  EXPECT_EQ(Files(), 4);
}

TEST_F(OutputFileTest, PipesAreWrittenTo) {
  ASSERT_EQ(mkfifo(Path("t.json").c_str(), 0600), 0);
  const base::Fd reader(open(Path("t.json").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  auto file = OutputFile::Create(Path("t.json"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_TRUE((*file)->Write("{}").ok());
  ASSERT_TRUE((*file)->Commit().ok());
  char text[8];
  EXPECT_EQ(read(reader.get(), text, sizeof text), 2);
  EXPECT_TRUE(fs::is_fifo(Path("t.json")));
  EXPECT_EQ(Files(), 1);
}

// By a link: whatever happens to the name, the machine's device is safe.
TEST_F(OutputFileTest, AFullDeviceIsAnErrorAndItsLinkStays) {
  fs::create_symlink("/dev/full", Path("t.json"));
  auto file = OutputFile::Create(Path("t.json"));
  ASSERT_TRUE(file.ok()) << file.error().message;
  const bool written = (*file)->Write("x").ok();
  EXPECT_FALSE(written && (*file)->Commit().ok());
  EXPECT_TRUE(fs::is_symlink(Path("t.json")));
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, WriteThatFailsIsReportedAndLeavesNothing) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  bool failed = false;
  {
    auto file = OutputFile::Create(Path("t.json"));
    ASSERT_TRUE(file.ok()) << file.error().message;
    failed = !(*file)->Write(std::string(1 << 20, 'x')).ok() || !(*file)->Commit().ok();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_TRUE(failed);
  EXPECT_EQ(Files(), 0);
}

}  // namespace
}  // namespace mortar::trace
