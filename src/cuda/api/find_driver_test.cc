#include "cuda/api/find_driver.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "board/test_support.h"

namespace mortar::cuda {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kOurs = 0x0303;
#else
constexpr std::uint32_t kOurs = 0x0a03;
#endif

struct Library {
  std::uint32_t flags;
  const char* name;
  const char* path;
};

// A cache as ldconfig writes it: header, entries, texts; offsets count from the start of the file.
std::string MakeCache(const std::vector<Library>& libraries) {
  const std::size_t texts_at = 48 + 24 * libraries.size();
  std::string texts;
  std::string entries;
  const auto put = [](std::string& out, auto value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof bytes);
  };
  for (const Library& library : libraries) {
    put(entries, library.flags);
    put(entries, static_cast<std::uint32_t>(texts_at + texts.size()));
    texts += std::string(library.name) + '\0';
    put(entries, static_cast<std::uint32_t>(texts_at + texts.size()));
    texts += std::string(library.path) + '\0';
    put(entries, std::uint32_t{0});
    put(entries, std::uint64_t{0});
  }
  std::string cache = "glibc-ld.so.cache1.1";
  put(cache, static_cast<std::uint32_t>(libraries.size()));
  put(cache, static_cast<std::uint32_t>(texts.size()));
  cache.append(20, '\0');
  return cache + entries + texts;
}

TEST(LinkerCacheTest, ListsDriversOfThisMachineOnly) {
  const std::string cache = MakeCache({{kOurs, "libc.so.6", "/lib/libc.so.6"},
                                       {0x0003, "libcuda.so.1", "/usr/lib/i386-linux-gnu/libcuda.so.1"},
                                       {kOurs, "libcuda.so.1", "/usr/lib/first/libcuda.so.1"},
                                       {kOurs, "libcuda.so", "/usr/lib/libcuda.so"},
                                       {kOurs, "libcuda.so.1", "/usr/lib/second/libcuda.so.1"}});
  EXPECT_EQ(ReadLinkerCache(cache.data(), cache.size()),
            (std::vector<std::string>{"/usr/lib/first/libcuda.so.1", "/usr/lib/second/libcuda.so.1"}));
}

TEST(LinkerCacheTest, DamageIsNotFollowed) {
  const std::string whole = MakeCache({{kOurs, "libcuda.so.1", "/usr/lib/libcuda.so.1"}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A text without its end is no text.
    EXPECT_TRUE(ReadLinkerCache(whole.data(), size).empty()) << size;
  }
  std::string other = whole;
  other[0] = 'x';
  EXPECT_TRUE(ReadLinkerCache(other.data(), other.size()).empty());
  other = whole;
  std::memset(other.data() + 20, 0xff, 4);  // more entries than there can be
  EXPECT_TRUE(ReadLinkerCache(other.data(), other.size()).empty());
  other = whole;
  std::memset(other.data() + 48 + 4, 0xff, 8);  // texts beyond the end
  EXPECT_TRUE(ReadLinkerCache(other.data(), other.size()).empty());
}

class DriverCandidatesTest : public testing::Test {
 protected:
  void SetUp() override { unsetenv("MORTAR_CUDA_DRIVER"); }
  void TearDown() override {
    unsetenv("MORTAR_CUDA_DRIVER");
    unsetenv("LD_LIBRARY_PATH");
  }
  std::string MakeFile(const std::string& folder) {
    std::filesystem::create_directories(directory.path() + "/" + folder);
    std::string path = directory.path() + "/" + folder + "/libcuda.so.1";
    std::ofstream(path) << folder;
    return path;
  }
  board::TemporaryDirectory directory;
};

TEST_F(DriverCandidatesTest, LibraryPathComesFirstWithoutOurselves) {
  const std::string own = MakeFile("own");
  const std::string first = MakeFile("first");
  const std::string second = MakeFile("second");
  const std::string folder = directory.path();
  // Another name of ourselves, and of the first.
  std::filesystem::create_directories(folder + "/linked");
  std::filesystem::create_symlink(own, folder + "/linked/libcuda.so.1");
  std::filesystem::create_directories(folder + "/again");
  std::filesystem::create_hard_link(first, folder + "/again/libcuda.so.1");
  const std::string path = folder + "/own::" + folder + "/linked:" + folder + "/absent:" + folder +
                           "/first;" + folder + "/again:" + folder + "/second";
  setenv("LD_LIBRARY_PATH", path.c_str(), 1);
  const std::vector<std::string> found = DriverCandidates(own);
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found[0], first);
  EXPECT_EQ(found[1], second);
  for (const std::string& candidate : found) EXPECT_NE(candidate, own);
}

TEST_F(DriverCandidatesTest, NamedDriverIsTheOnlyOne) {
  const std::string named = MakeFile("named");
  setenv("LD_LIBRARY_PATH", (directory.path() + "/other").c_str(), 1);
  MakeFile("other");
  setenv("MORTAR_CUDA_DRIVER", named.c_str(), 1);
  EXPECT_EQ(DriverCandidates("/nowhere"), std::vector<std::string>{named});
  EXPECT_TRUE(DriverCandidates(named).empty()) << "never ourselves";
  setenv("MORTAR_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  EXPECT_TRUE(DriverCandidates("").empty());
}

}  // namespace
}  // namespace mortar::cuda
