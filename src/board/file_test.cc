// The file itself: made, opened, refused, and lost while in use.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/random.h"
#include "board/board.h"
#include "board/internal.h"
#include "board/test_support.h"
#include "board/view.h"

namespace mortar::board {
namespace {

using base::Code;

class FileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(directory_.path().empty()); }
  Board Make() const {
    auto board = Board::Open(directory_.path(), "gpu", true);
    EXPECT_TRUE(board.ok()) << board.error().message;
    return board.ok() ? std::move(*board) : Board();
  }
  std::string Path() const { return directory_.path() + "/gpu"; }
  // Opens what stands there now, which must be refused with `code` and name the file and a way out.
  void ExpectRefused(Code code) const {
    const auto again = Board::Open(directory_.path(), "gpu", true);
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code, code) << again.error().message;
    EXPECT_NE(again.error().message.find(Path()), std::string::npos) << again.error().message;
    EXPECT_NE(again.error().message.find(';'), std::string::npos) << again.error().message;
    EXPECT_EQ(again.error().message.find('\n'), std::string::npos) << again.error().message;
  }
  TemporaryDirectory directory_;
};

TEST_F(FileTest, FreshBoardHasTheDefaults) {
  const Board board = Make();
  ASSERT_TRUE(board.open());
  const Settings settings = ReadSettings(board.header());
  EXPECT_EQ(settings.policy, model::PolicyId::kFill);
  EXPECT_EQ(settings.mode, model::DeviceMode::kFifo);
  EXPECT_FALSE(settings.off);
  EXPECT_EQ(settings.in_flight_bound_ns, 200'000);
  EXPECT_EQ(ReadText(board.header().device), "gpu");
  EXPECT_GT(board.NowNs(), 0);
  EXPECT_FALSE(board.Lost());
  EXPECT_TRUE(board.StillInPlace(nullptr));
}

TEST_F(FileTest, FileIsAllocatedInFullAndPrivate) {
  const Board board = Make();
  struct stat info {};
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::size_t>(info.st_size), kFileSize);
  EXPECT_GE(static_cast<std::size_t>(info.st_blocks) * 512, kFileSize);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(FileTest, GroupWritableDirectorySharesWithItsGroup) {
  ASSERT_EQ(chmod(directory_.path().c_str(), 0770), 0);
  const mode_t before = umask(077);
  const Board board = Make();
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
}

TEST_F(FileTest, LeavesNoDescriptorOpen) {
  const int before = dup(0);
  close(before);
  Board board = Make();
  ASSERT_TRUE(board.Join({"a"}).ok());
  const int after = dup(0);
  close(after);
  EXPECT_EQ(before, after);
}

TEST_F(FileTest, SecondOpenSharesBoardAndClock) {
  const Board first = Make();
  const Board second = Make();
  first.header().margin_ns = 77;
  EXPECT_EQ(second.header().margin_ns.load(), 77);
  EXPECT_EQ(first.clock().base, second.clock().base);
}

TEST_F(FileTest, AbsentIsNotMadeUnlessAsked) {
  const auto opened = Board::Open(directory_.path(), "gpu", false);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

TEST_F(FileTest, NotOnTmpfs) {
  const auto opened = Board::Open("/proc", "gpu", true);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
}

TEST_F(FileTest, NoRoom) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
  const std::string mount_point = directory_.path() + "/small";
  std::filesystem::create_directory(mount_point);
  if (mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "may not mount a tmpfs";
  const auto unmount = [](const std::string* path) { umount(path->c_str()); };
  const std::unique_ptr<const std::string, decltype(unmount)> mounted(&mount_point, unmount);
  const auto opened = Board::Open(mount_point, "gpu", true);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kFull) << opened.error().message;
  EXPECT_TRUE(ListBoards(mount_point).empty());
}

TEST_F(FileTest, LimitOnFileSizesDoesNotKill) {
  Child child([&] {
    const rlimit limit{4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const auto opened = Board::Open(directory_.path(), "gpu", true);
    return !opened.ok() && opened.error().code == Code::kFull ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(FileTest, FileDenied) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  const Board board = Make();
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  Child child([&] {
    if (setuid(65534) != 0) return 2;
    const auto opened = Board::Open(directory_.path(), "gpu", true);
    return !opened.ok() && opened.error().code == Code::kDenied ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(FileTest, CreationDenied) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  Child child([&] {
    if (setuid(65534) != 0) return 2;
    const auto opened = Board::Open(directory_.path(), "gpu", true);
    return !opened.ok() && opened.error().code == Code::kDenied ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(FileTest, OtherLayoutVersion) {
  Make().header().layout_version = kLayoutVersion + 1;
  ExpectRefused(Code::kMismatch);
  const auto opened = Board::OpenFile(Path());
  EXPECT_NE(opened.error().message.find("version " + std::to_string(kLayoutVersion + 1)), std::string::npos);
  EXPECT_NE(opened.error().message.find("version " + std::to_string(kLayoutVersion)), std::string::npos);
}

TEST_F(FileTest, OtherBoot) {
  Make().header().boot_id.fetch_xor(1);
  ExpectRefused(Code::kMismatch);
}

TEST_F(FileTest, MonotonicClockOfAnotherTimeNamespace) {
  {
    const Board board = Make();
    board.header().clock_kind = static_cast<std::uint32_t>(base::ClockKind::kMonotonic);
    board.header().clock_base = static_cast<std::uint64_t>(base::MonotonicNs() - 1'000'000'000);
  }
  EXPECT_TRUE(Board::OpenFile(Path()).ok());
  {
    const Board board = Make();
    board.header().time_namespace.fetch_add(1);
  }
  ExpectRefused(Code::kMismatch);
}

TEST_F(FileTest, FieldsOutOfRange) {
  struct Case {
    const char* what;
    void (*spoil)(Header&);
    Code code;
  };
  const Case cases[] = {
      {"magic", [](Header& h) { h.magic = 1; }, Code::kCorrupt},
      {"file size", [](Header& h) { h.file_size = 7; }, Code::kCorrupt},
      {"header size", [](Header& h) { h.header_size = 7; }, Code::kCorrupt},
      {"clock kind", [](Header& h) { h.clock_kind = 9; }, Code::kCorrupt},
      {"clock shift", [](Header& h) { h.clock_kind = 2, h.clock_shift = 200; }, Code::kCorrupt},
      {"clock rate", [](Header& h) { h.clock_kind = 2, h.clock_multiplier = 0; }, Code::kCorrupt},
      {"clock base", [](Header& h) { h.clock_base = ~std::uint64_t{0} / 2; }, Code::kCorrupt},
      {"policy", [](Header& h) { h.policy = 99; }, Code::kMismatch},
      {"device mode", [](Header& h) { h.device_mode = 0; }, Code::kCorrupt},
      {"off", [](Header& h) { h.off = 2; }, Code::kCorrupt},
      {"switch cost", [](Header& h) { h.switch_cost_ns = -1; }, Code::kCorrupt},
      {"bound", [](Header& h) { h.in_flight_bound_ns = INT64_MAX; }, Code::kCorrupt},
      {"margin", [](Header& h) { h.margin_ns = INT64_MIN; }, Code::kCorrupt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    std::filesystem::remove(Path());
    c.spoil(Make().header());
    if (std::string(c.what).starts_with("clock") && !base::CounterIsInvariant()) continue;
    ExpectRefused(c.code);
  }
}

TEST_F(FileTest, ShortLongEmptyOrForeignFile) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{12}, kFileSize - 4096, kFileSize + 4096}) {
    SCOPED_TRACE(size);
    std::filesystem::remove(Path());
    static_cast<void>(Make());
    std::filesystem::resize_file(Path(), size);
    ExpectRefused(Code::kCorrupt);
  }
  std::ofstream(Path(), std::ios::trunc) << std::string(kFileSize, 'x');
  ExpectRefused(Code::kCorrupt);
}

TEST_F(FileTest, LinkFifoOrDirectoryUnderItsName) {
  ASSERT_EQ(mkfifo(Path().c_str(), 0600), 0);
  ExpectRefused(Code::kCorrupt);
  std::filesystem::remove(Path());
  std::filesystem::create_symlink(directory_.path() + "/other", Path());
  ExpectRefused(Code::kCorrupt);
  std::filesystem::remove(Path());
  std::filesystem::create_directory(Path());
  EXPECT_FALSE(Board::Open(directory_.path(), "gpu", true).ok());
}

TEST_F(FileTest, TruncatedWhileInUseReadsAsZeros) {
  Board board = Make();
  const auto ref = board.Join({"a"});
  ASSERT_TRUE(ref.ok());
  std::filesystem::resize_file(Path(), 0);
  std::string why;
  EXPECT_EQ(board.header().active.load(), 0U);  // the access that would have been fatal
  EXPECT_TRUE(board.Lost());
  EXPECT_FALSE(board.IsCurrent(*ref));
  EXPECT_TRUE(ReadClients(board).empty());
  EXPECT_FALSE(board.StillInPlace(&why));
  EXPECT_NE(why.find("truncated"), std::string::npos) << why;
  // And everything else is harmless.
  board.header().fill_until = 5;
  board.Bump();
  board.WaitForChange(board.header().version.load(), 1'000'000);
  board.Leave(*ref);
  EXPECT_FALSE(board.Join({"b"}).ok());
}

TEST_F(FileTest, TruncatedButNotYetTouched) {
  const Board board = Make();
  std::filesystem::resize_file(Path(), 4096);
  std::string why;
  EXPECT_FALSE(board.StillInPlace(&why));
  EXPECT_NE(why.find("truncated"), std::string::npos) << why;
}

TEST_F(FileTest, RemovedAndReplacedWhileInUse) {
  Board board = Make();
  const auto ref = board.Join({"a"});
  ASSERT_TRUE(ref.ok());
  std::filesystem::remove(Path());
  std::string why;
  EXPECT_FALSE(board.StillInPlace(&why));
  EXPECT_NE(why.find("removed"), std::string::npos) << why;
  EXPECT_FALSE(board.Lost());
  EXPECT_TRUE(board.OwnerAlive(ref->index));
  const Board replacement = Make();
  EXPECT_FALSE(board.StillInPlace(&why));
  EXPECT_NE(why.find("replaced"), std::string::npos) << why;
  board.Leave(*ref);
  const auto again = board.Join({"a"});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kMismatch);
}

std::atomic<int> handled{0};
void* forgiven = nullptr;

void Forgive(int, siginfo_t*, void*) {
  ++handled;
  mmap(forgiven, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

// Touches a page of `path` beyond its end.
int TouchBeyondEnd(const std::string& path) {
  const base::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  forgiven = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
  return *static_cast<volatile char*>(forgiven);
}

TEST_F(FileTest, SigbusOfTheProgramGoesToItsOwnHandler) {
  Child child([&] {
    struct sigaction own {};
    own.sa_sigaction = Forgive;
    own.sa_flags = SA_SIGINFO;
    signal(SIGBUS, SIG_DFL);
    if (sigaction(SIGBUS, &own, nullptr) != 0) return 2;
    const Board board = Make();
    struct sigaction now {};
    sigaction(SIGBUS, nullptr, &now);
    if (now.sa_sigaction == Forgive) return 77;  // ours was installed by an earlier test, and now replaced
    TouchBeyondEnd(directory_.path() + "/other");
    return handled.load() == 1 ? 0 : 1;
  });
  const int result = child.Wait();
  if (result == 77) GTEST_SKIP() << "needs a process of its own (ctest gives it one)";
  EXPECT_EQ(result, 0);
}

// What ends a child that nobody saves from SIGBUS; a sanitizer's handler stands before ours and picks its own
// status.
void ExpectEndedBySigbus(Child& child) {
  const int result = child.Wait();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_NE(result, 0);
#else
  EXPECT_EQ(result, -SIGBUS);
#endif
}

TEST_F(FileTest, SigbusOfTheProgramStillEndsIt) {
  Child child([&] {
    const Board board = Make();
    TouchBeyondEnd(directory_.path() + "/other");
    return 0;
  });
  ExpectEndedBySigbus(child);
  Child sent([&] {
    const Board board = Make();
    raise(SIGBUS);
    return 0;
  });
  ExpectEndedBySigbus(sent);
}

TEST_F(FileTest, TwoCreateAtOnceAndShareOne) {
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const std::string device = "gpu" + std::to_string(round);
    const auto create = [&] {
      auto board = Board::Open(directory_.path(), device, true);
      if (!board.ok()) return 1;
      board->header().fill_until.fetch_add(1);
      return 0;
    };
    Child a(create);
    Child b(create);
    Child c(create);
    EXPECT_EQ(a.Wait() + b.Wait() + c.Wait(), 0);
    const auto board = Board::Open(directory_.path(), device, false);
    ASSERT_TRUE(board.ok());
    EXPECT_EQ(board->header().fill_until.load(), 3U);
  }
  EXPECT_EQ(ListBoards(directory_.path()).size(), 40U);
}

TEST_F(FileTest, ManyBoardsInOneProcessEndInAMessage) {
  std::vector<Board> boards;
  for (int i = 0; i < 300; ++i) {
    auto board = Board::Open(directory_.path(), "gpu", true);
    if (!board.ok()) {
      EXPECT_EQ(board.error().code, Code::kFull);
      break;
    }
    boards.push_back(std::move(*board));
  }
  EXPECT_EQ(boards.size(), 256U);
  boards.clear();
  EXPECT_TRUE(Board::Open(directory_.path(), "gpu", true).ok());
}

TEST_F(FileTest, RandomBytesNeverCrashReaders) {
  base::Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::filesystem::remove(Path());
    Board board = Make();
    const auto ref = board.Join({"a"});
    ASSERT_TRUE(ref.ok());
    auto* words = reinterpret_cast<std::uint64_t*>(&board.header());
    const std::size_t first = round % 2 == 0 ? 0 : sizeof(Header) / 8;  // with and without a sound header
    for (std::size_t i = first; i < kFileSize / 8; ++i)
      __atomic_store_n(words + i, random.Next(), __ATOMIC_RELAXED);
    EXPECT_EQ(board.Lost(), first == 0);
    for (const ClientView& client : ReadClients(board)) {
      EXPECT_LE(client.priority, 9U);
      EXPECT_LE(client.name.size(), 64U);
    }
    ReadSettings(board.header());
    board.ClearStale();
    board.Leave(*ref);
    const auto again = Board::OpenFile(Path());
    EXPECT_EQ(again.ok(), first != 0);
  }
}

}  // namespace
}  // namespace mortar::board
