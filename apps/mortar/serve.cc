// mortar serve: metrics for Prometheus, status as JSON and a live page, read-only, over HTTP.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>

#include "base/clock.h"
#include "base/owner.h"
#include "mortar/invocation.h"
#include "mortar/output.h"
#ifdef MORTAR_HAVE_MICROHTTPD
#include "mortar/serve_http.h"
#include "mortar/serve_metrics.h"
#include "mortar/serve_page.h"
#endif

namespace mortar::cli {
namespace {

struct Serve {
  std::string listen = "127.0.0.1:9478";
};

#ifdef MORTAR_HAVE_MICROHTTPD

constexpr std::int64_t kEveryNs = 1'000'000'000;

// What is served; made at most once a look, however many ask.
class Content {
 public:
  Content() : page_(std::make_shared<const std::string>(kLivePage)) { Look(); }

  void Look() {
    sample_ = watcher_.Look();
    history_.Add(sample_);
    metrics_.reset();
    status_.reset();
  }

  Reply Answer(const std::string& path, std::int64_t after) {
    if (path == "/") return {200, "text/html; charset=utf-8", page_};
    if (path == "/metrics") {
      if (metrics_ == nullptr) metrics_ = std::make_shared<const std::string>(ToMetrics(sample_));
      return {200, kMetricsType, metrics_};
    }
    if (path == "/api/history") return {200, kJson, history_.After(after)};
    if (path == "/api/status") {
      if (status_ == nullptr) {
        status_ = std::make_shared<const std::string>(
            ToJson(watcher_.report()).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
      }
      return {200, kJson, status_};
    }
    static const Body kNothing =
        std::make_shared<const std::string>("there are /, /metrics and /api/status\n");
    return {404, "text/plain; charset=utf-8", kNothing};
  }

 private:
  static constexpr char kJson[] = "application/json";
  Watcher watcher_;
  Sample sample_;
  History history_;
  Body page_, metrics_, status_;
};

// Until a signal asks for the end.
void RunLoop(HttpServer& server, Content& content, int signals) {
  std::int64_t next_ns = base::MonotonicNs() + kEveryNs;
  for (;;) {
    std::array<pollfd, 2> ends{{{server.fd(), POLLIN, 0}, {signals, POLLIN, 0}}};
    const std::int64_t left_ns = std::max<std::int64_t>(next_ns - base::MonotonicNs(), 0);
    int timeout_ms = static_cast<int>(left_ns / 1'000'000 + 1);
    if (const int wanted = server.TimeoutMs(); wanted >= 0) timeout_ms = std::min(timeout_ms, wanted);
    poll(ends.data(), ends.size(), timeout_ms);
    if ((ends[1].revents & POLLIN) != 0) return;
    server.Run();
    if (base::MonotonicNs() < next_ns) continue;
    content.Look();
    server.CutOffTheSlow();
    // After a pause (a suspended machine) it goes on from now, and does not catch up.
    next_ns = std::max(next_ns + kEveryNs, base::MonotonicNs());
  }
}

int RunServe(const Serve& serve) {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ours, number);
  sigprocmask(SIG_BLOCK, &ours, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const base::Fd signals(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  Content content;
  auto server = HttpServer::Start(
      serve.listen,
      [&content](const std::string& path, std::int64_t after) { return content.Answer(path, after); }, {});
  if (!server.ok()) {
    Complain("mortar serve: " + server.error().message);
    return server.error().code == base::Code::kInvalid ? kBadInput : kFailed;
  }
  Complain("mortar serve: " + (*server)->url() + " (metrics: " + (*server)->url() +
           "metrics); Ctrl-C ends it");
  RunLoop(**server, content, signals.get());
  return kDone;
}

#else

int RunServe(const Serve& /*serve*/) {
  Complain("mortar serve: built without libmicrohttpd; install libmicrohttpd-dev and build again");
  return kFailed;
}

#endif

}  // namespace

void AddServe(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("serve", "Serve metrics for Prometheus and a live page");
  auto serve = std::make_shared<Serve>();
  command->add_option("--listen", serve->listen, "Where to listen (127.0.0.1:9478); port 0: any free one")
      ->type_name("ADDRESS:PORT");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "  /             a live page: who holds, who fills, harm against its limit, how busy; the last five "
      "minutes\n"
      "  /metrics      Prometheus' text format\n"
      "  /api/status   as mortar status --json\n\n"
      "Read-only: nobody can change a setting through it. There is no password: whoever reaches the address "
      "sees the names\nand figures of all clients. By default that is this machine alone; listen elsewhere "
      "only "
      "where all may see them, or\nthrough ssh: ssh -L 9478:127.0.0.1:9478 HOST. SIGTERM and Ctrl-C end it "
      "(0).\n\n"
      "Exit codes: 0, 1 where it cannot listen, 2 where the address makes no sense.\n\n"
      "Examples:\n  mortar serve\n  mortar serve --listen 0.0.0.0:9478\n  curl -s "
      "http://127.0.0.1:9478/metrics");
  command->callback([&invocation, serve] { invocation.action = [serve] { return RunServe(*serve); }; });
}

}  // namespace mortar::cli
