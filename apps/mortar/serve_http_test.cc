// `mortar serve` as browsers, Prometheus, and those that mean no good meet it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "board/board.h"
#include "mortar/test_support.h"
#ifdef MORTAR_HAVE_MICROHTTPD
#include "mortar/serve_http.h"

namespace mortar::cli {
namespace {

// `mortar serve` on a free port, with a board that has one client.
class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = board::Board::Open(directory_.path(), "gpu <b>&\"", true);
    ASSERT_TRUE(opened.ok());
    board_ = std::move(*opened);
    const auto ref = board_.Join({"serve<script>alert(1)</script>", 1, 10'000});
    ASSERT_TRUE(ref.ok());
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    server_.emplace([&] {
      dup2(ends[1], STDERR_FILENO);
      execl(MORTAR_BINARY, "mortar", "serve", "--listen", "127.0.0.1:0", "--dir", directory_.path().c_str(),
            nullptr);
      return 125;
    });
    close(ends[1]);
    const base::Fd messages(ends[0]);
    std::string line;
    char byte = 0;
    while (read(messages.get(), &byte, 1) == 1 && byte != '\n') line += byte;
    const std::size_t start = line.find("127.0.0.1:");
    ASSERT_NE(start, std::string::npos) << line;
    port_ = static_cast<std::uint16_t>(std::stoi(line.substr(start + 10)));
  }

  base::Fd Connect() const {
    base::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Nothing here waits for ever.
    const timeval patience{60, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static bool Send(const base::Fd& fd, const std::string& bytes) {
    return send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  static std::string ReadAll(const base::Fd& fd) {
    std::string text;
    std::array<char, 4096> bytes{};
    for (ssize_t length = 0; (length = recv(fd.get(), bytes.data(), bytes.size(), 0)) > 0;)
      text.append(bytes.data(), static_cast<std::size_t>(length));
    return text;
  }
  // The whole answer to raw bytes, until the server closes.
  std::string Ask(const std::string& bytes) const {
    const base::Fd fd = Connect();
    Send(fd, bytes);
    return ReadAll(fd);
  }
  std::string Get(const std::string& path, const std::string& more = "Host: localhost\r\n") const {
    return Ask("GET " + path + " HTTP/1.1\r\n" + more + "Connection: close\r\n\r\n");
  }
  static std::string BodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
  void ExpectAlive() const { EXPECT_TRUE(Get("/metrics").starts_with("HTTP/1.1 200")); }

  board::TemporaryDirectory directory_;
  board::Board board_;
  std::optional<board::Child> server_;
  std::uint16_t port_ = 0;
};

TEST_F(ServeTest, ServesPageMetricsAndStatus) {
  const std::string page = Get("/");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200"));
  EXPECT_NE(page.find("Content-Type: text/html"), std::string::npos);
  EXPECT_NE(page.find("Content-Security-Policy: default-src 'none'"), std::string::npos);
  const std::string metrics = Get("/metrics");
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4"), std::string::npos);
  EXPECT_NE(metrics.find("device=\"gpu <b>&\\\"\""), std::string::npos) << metrics;
  const auto status = nlohmann::json::parse(BodyOf(Get("/api/status")));
  const auto told =
      nlohmann::json::parse(RunMortar({"status", "--json"}, {{"MORTAR_DIR", directory_.path()}}).out);
  EXPECT_EQ(status["devices"], told["devices"]);
  EXPECT_EQ(status["clients"][0]["name"], told["clients"][0]["name"]);
  const auto history = nlohmann::json::parse(BodyOf(Get("/api/history?after=-1")));
  EXPECT_EQ(history["now"]["devices"][0]["device"], "gpu <b>&\"");
  EXPECT_TRUE(Get("/nowhere").starts_with("HTTP/1.1 404"));
}

TEST_F(ServeTest, IsReadOnly) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const std::string answer =
        Ask(std::string(method) +
            " / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405")) << method << answer;
    EXPECT_NE(answer.find("Allow: GET, HEAD"), std::string::npos);
  }
  const std::string head = Ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200"));
  EXPECT_EQ(BodyOf(head), "");
}

TEST_F(ServeTest, OtherNamesAreRefusedOnLoopback) {
  for (const char* host :
       {"evil.example", "localhost.evil.example:9478", "127.0.0.1.evil.example", "10.0.0.1:9478"})
    EXPECT_TRUE(Get("/", std::string("Host: ") + host + "\r\n").starts_with("HTTP/1.1 403")) << host;
  for (const char* host : {"localhost:9478", "127.0.0.1:9478", "[::1]:9478", "127.0.0.1"})
    EXPECT_TRUE(Get("/", std::string("Host: ") + host + "\r\n").starts_with("HTTP/1.1 200")) << host;
}

TEST_F(ServeTest, MalformedAndHugeRequestsEndThemselvesAlone) {
  const std::string long_text(1U << 20, 'a');
  std::string many_headers;
  for (int i = 0; i < 20'000; ++i) many_headers += "X-" + std::to_string(i) + ": y\r\n";
  for (const std::string& request :
       {std::string("nonsense\r\n\r\n"), std::string("GET\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        "GET /" + long_text + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + long_text + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n" + many_headers + "\r\n",
        std::string("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"),
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n" + long_text,
        std::string(
            "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n"}) {
    const base::Fd fd = Connect();
    Send(fd, request);
    shutdown(fd.get(), SHUT_WR);
    const std::string answer = ReadAll(fd);
    EXPECT_FALSE(answer.starts_with("HTTP/1.1 200") && request.find("99999") != std::string::npos) << answer;
    ExpectAlive();
  }
  const base::Fd zeros = Connect();  // the library waits for more of these; others need not
  Send(zeros, std::string("\0\0\0\0\r\n\r\n", 8));
  ExpectAlive();
  for (const char* path : {"/api/history?after=99999999999999999999", "/api/history?after=x",
                           "/api/history?after", "/../../etc/passwd", "/%00", "/%zz", "//"}) {
    const std::string answer = Get(path);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 4")) << path << answer;
  }
}

TEST_F(ServeTest, ManySilentConnectionsAreCutOffAndOthersServed) {
  std::vector<base::Fd> silent;
  for (int i = 0; i < 150; ++i) {
    silent.push_back(Connect());
    if (i % 2 == 0) Send(silent.back(), "GET / HTTP/1.1\r\nX-Slow:");
  }
  ExpectAlive();  // as soon as those before it in the queue were cut off
}

// Never idle for long, never done: what a time-out between bytes does not catch.
TEST_F(ServeTest, RequestsThatDripInForEverAreCutOff) {
  std::vector<base::Fd> dripping;
  for (int i = 0; i < 70; ++i) {
    dripping.push_back(Connect());
    Send(dripping.back(), "GET / HTTP/1.1\r\nX-Slow:");
  }
  const base::Fd fd = Connect();
  Send(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  pollfd answered{fd.get(), POLLIN, 0};
  for (int i = 0; i < 600 && answered.revents == 0; ++i) {
    for (const auto& one : dripping) Send(one, "y");
    poll(&answered, 1, 100);
  }
  ASSERT_NE(answered.revents, 0);
  EXPECT_TRUE(ReadAll(fd).starts_with("HTTP/1.1 200"));
}

TEST_F(ServeTest, BrowsersThatGoAwayLeaveNothingBehind) {
  const auto descriptors = [&] {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(server_->pid()) + "/fd"))
      ++count;
    return count;
  };
  ExpectAlive();
  const std::size_t before = descriptors();
  for (int i = 0; i < 200; ++i) {
    const base::Fd fd = Connect();
    Send(fd,
         "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/history?after=-1 HTTP/1.1\r\nHost: "
         "localhost\r\n\r\n");
    const linger at_once{1, 0};  // a reset, with the answers unread
    setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ExpectAlive();
  // The last ones may not have been noticed yet; none of the 200 stays.
  while (descriptors() > before + 1) ExpectAlive();
}

TEST_F(ServeTest, MemoryStaysBoundedUnderManyRequests) {
  const auto resident_kib = [&] {
    std::ifstream status("/proc/" + std::to_string(server_->pid()) + "/status");
    std::string word;
    long kib = 0;
    while (status >> word) {
      if (word == "VmRSS:") status >> kib;
    }
    return kib;
  };
  for (int i = 0; i < 200; ++i) ExpectAlive();
  const long before = resident_kib();
  for (int i = 0; i < 2000; ++i) Get(i % 2 == 0 ? "/api/history?after=-1" : "/metrics");
  EXPECT_LT(resident_kib(), before + 4096);
}

TEST_F(ServeTest, KeepsConnectionsForFurtherRequests) {
  const base::Fd fd = Connect();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Send(fd, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    std::string answer;
    std::array<char, 4096> bytes{};
    while (answer.find("/api/status\n") == std::string::npos) {
      const ssize_t length = recv(fd.get(), bytes.data(), bytes.size(), 0);
      ASSERT_GT(length, 0);
      answer.append(bytes.data(), static_cast<std::size_t>(length));
    }
    ASSERT_TRUE(answer.starts_with("HTTP/1.1 404"));
  }
}

TEST_F(ServeTest, EndsAtASignal) {
  for (int i = 0; i < 3; ++i) Connect();
  const base::Fd open_one = Connect();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(ServeTest, BadAddressesAndPortsInUse) {
  const auto call = [&](const std::string& listen) {
    return RunMortar({"serve", "--listen", listen}, {{"MORTAR_DIR", directory_.path()}});
  };
  for (const char* listen :
       {"9478", "127.0.0.1:", ":9478", "127.0.0.1:99999", "127.0.0.1:http", "no such host:1"}) {
    const auto outcome = call(listen);
    EXPECT_EQ(outcome.code, 2) << listen << outcome.err;
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  }
  const auto used = call("127.0.0.1:" + std::to_string(port_));
  EXPECT_EQ(used.code, 1);
  EXPECT_NE(used.err.find("in use"), std::string::npos) << used.err;
}

// A browser really draws it: names stand in it as text, and nothing is reported wrong.
TEST_F(ServeTest, TheLivePageDrawsInABrowser) {
  if (system("command -v chromium > /dev/null 2>&1") != 0) GTEST_SKIP() << "chromium is not installed";
  board::TemporaryDirectory profile;
  const std::string command =
      "HOME=" + profile.path() +
      " timeout 90 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
      "--user-data-dir=" +
      profile.path() + " --virtual-time-budget=3000 --dump-dom http://127.0.0.1:" + std::to_string(port_) +
      "/ 2> /dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string dom;
  std::array<char, 4096> bytes{};
  for (std::size_t length = 0; (length = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;)
    dom.append(bytes.data(), length);
  pclose(pipe);
  EXPECT_NE(dom.find("data-state=\"live\""), std::string::npos) << dom.substr(0, 2000);
  EXPECT_NE(dom.find("<h2>gpu &lt;b&gt;&amp;\"</h2>"), std::string::npos) << dom;
  EXPECT_NE(dom.find("serve&lt;script&gt;alert(1)&lt;/script&gt;"), std::string::npos) << dom;
  EXPECT_NE(dom.find("policy fill"), std::string::npos);
}

}  // namespace
}  // namespace mortar::cli
#endif
