// `mortar data` as its users call it, against a server of its own on this machine.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "mortar/data_sets.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

// SHA-256 of "hello, data\n".
constexpr const char* kHash = "cb589a267f0bed3b0e21f41590056f324b820e00a13e73ce406ecf04df581645";
constexpr const char* kCommit = "0123456789012345678901234567890123456789";

// Answers every request with `answer`, and keeps what was asked for.
class Server {
 public:
  explicit Server(std::string answer)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& url() const { return url_; }
  int requests() const { return requests_; }
  std::string asked() const { return asked_; }  // REQUIRES: the client has ended

 private:
  void Serve() {
    while (true) {
      const base::Fd peer(accept(listener_.get(), nullptr, nullptr));
      if (!peer) return;
      std::string request;
      std::array<char, 4096> bytes{};
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = read(peer.get(), bytes.data(), bytes.size());
        if (got <= 0) break;
        request.append(bytes.data(), static_cast<std::size_t>(got));
      }
      asked_ = request.substr(0, request.find('\r'));
      ++requests_;
      if (write(peer.get(), answer_.data(), answer_.size()) < 0) return;
    }
  }

  std::string answer_;
  base::Fd listener_;
  std::string url_, asked_;
  std::atomic<int> requests_{0};
  std::thread thread_;
};

std::string Ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "data_test." + std::to_string(getpid());
    fs::create_directories(folder_);
    std::ofstream(List())
        << R"({"sets":[{"name":"hello","what":"a greeting","licence":"MIT","files":[{"name":"a.txt",
      "repository":"some/one","commit":")"
        << kCommit << R"(","path":"x/a.txt","sha256":")" << kHash << R"(","size":12}]}]})";
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string List() const { return folder_ + "/list.json"; }
  std::string Cached() const { return folder_ + "/mortar/data/hello/a.txt"; }
  Outcome Fetch(const std::string& url, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"data", "fetch", "hello", "--list", List()};
    words.insert(words.end(), more.begin(), more.end());
    return RunMortar(
        words,
        {{"XDG_CACHE_HOME", folder_}, {"MORTAR_DATA_URL", url}, {"http_proxy", ""}, {"all_proxy", ""}});
  }
  std::size_t Kept() const {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      files += entry.is_regular_file() ? 1 : 0;
    return files - 1;  // the list
  }
  std::string folder_;
};

TEST_F(DataTest, FetchesOnceAndThenNeedsNoNetwork) {
  std::string dead;
  {
    const Server server(Ok("hello, data\n"));
    dead = server.url();
    const Outcome first = Fetch(server.url());
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(first.out, Cached() + "\n");
    EXPECT_EQ(server.asked(), std::string("GET /some/one/") + kCommit + "/x/a.txt HTTP/1.1");
    EXPECT_THAT(first.err, HasSubstr("licence MIT"));
    EXPECT_THAT(first.err, HasSubstr("github.com/some/one at 0123456789"));
    EXPECT_EQ(Fetch(server.url()).code, 0);
    EXPECT_EQ(server.requests(), 1);
  }
  const Outcome offline = Fetch(dead, {"--json"});
  EXPECT_EQ(offline.code, 0) << offline.err;
  const auto json = nlohmann::json::parse(offline.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << offline.out;
  EXPECT_EQ(json["licence"], "MIT");
  EXPECT_EQ(json["files"][0]["from_cache"], true);
  EXPECT_EQ(json["files"][0]["sha256"], kHash);
}

TEST_F(DataTest, DamagedCacheIsFetchedAgain) {
  const Server server(Ok("hello, data\n"));
  ASSERT_EQ(Fetch(server.url()).code, 0);
  std::ofstream(Cached()) << "hello, dat4\n";
  EXPECT_EQ(Fetch(server.url()).code, 0);
  EXPECT_EQ(server.requests(), 2);
  std::ifstream file(Cached());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "hello, data\n");
}

TEST_F(DataTest, WhatIsNotAsListedIsNotKept) {
  const std::pair<std::string, const char*> kCases[] = {
      {Ok("hello, dat4\n"), "instead of cb589a26"},
      {Ok("hello"), "fewer than the 12 bytes expected; nothing was kept"},
      {Ok(std::string(100000, 'x')), "more than the 12 bytes expected; nothing was kept"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "404"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\nhell",
       "what is in the cache works without"},
  };
  for (const auto& [answer, error] : kCases) {
    const Server server(answer);
    const Outcome outcome = Fetch(server.url());
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(error));
    EXPECT_EQ(Kept(), 0u);
  }
}

TEST_F(DataTest, UnknownNamesAreAnsweredWithThoseThereAre) {
  const Outcome outcome = RunMortar({"data", "fetch", "nothing"}, {{"XDG_CACHE_HOME", folder_}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no data set 'nothing'; there are resnet50-v100, "));
  const Outcome homeless = RunMortar({"data", "fetch", "disb"}, {{"XDG_CACHE_HOME", ""}, {"HOME", ""}});
  EXPECT_EQ(homeless.code, 2);
  EXPECT_THAT(homeless.err, HasSubstr("neither XDG_CACHE_HOME nor HOME"));
}

TEST_F(DataTest, ListShowsLicences) {
  const Outcome text = RunMortar({"data", "list"}, {});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, HasSubstr("CC-BY-4.0"));
  const auto json = nlohmann::json::parse(RunMortar({"data", "list", "--json"}, {}).out, nullptr, false);
  ASSERT_TRUE(json.is_array());
  for (const auto& set : json) EXPECT_FALSE(set["licence"].get<std::string>().empty());
}

TEST(DataSetsTest, BuiltInListIsRight) {
  const auto sets = ParseDataSets(kBuiltInDataSets, "built-in");
  ASSERT_TRUE(sets.ok()) << sets.error().message;
  EXPECT_GE(sets->size(), 5u);
}

TEST(DataSetsTest, BadListsAreNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "no JSON object with a list 'sets'"},
      {R"({"sets":[{}]})", "set 0 has no list 'files'"},
      {R"({"sets":[{"name":"../x","files":[]}]})", "a set without a plain 'name'"},
      {R"({"sets":[{"name":"x","files":[]}]})", "set x: no 'licence'"},
      {R"({"sets":[{"name":"x","licence":"y","files":[{"name":".."}]}]})", "a file without a plain 'name'"},
      {R"({"sets":[{"name":"x","licence":"y","files":[{"name":"f","repository":"a/b","commit":"12"}]}]})",
       "'commit' is not 40"},
  };
  for (const auto& [text, error] : kCases) {
    const auto sets = ParseDataSets(text, "l");
    ASSERT_FALSE(sets.ok()) << text;
    EXPECT_THAT(sets.error().message, HasSubstr(error)) << text;
  }
}

}  // namespace
}  // namespace mortar::cli
