// The HTTP side of `mortar serve`, over GNU libmicrohttpd: one thread, driven by its caller's loop.
//
// Read-only: GET and HEAD, no bodies. Bounded: so many connections, so much memory for each, so long for each
// request; whoever exceeds a bound is cut off, and the others do not notice. Not here: what is served.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "mortar/serve_history.h"

struct MHD_Daemon;

namespace mortar::cli {

struct Reply {
  unsigned status = 200;
  const char* type = "text/plain; charset=utf-8";
  Body body;
};

// `after`: the query's number of that name; -1 where there is none.
using Answer = std::function<Reply(const std::string& path, std::int64_t after)>;

struct HttpLimits {
  unsigned connections = 64;
  std::size_t memory = 16384;                // of one connection: longest request
  unsigned idle_s = 10;                      // without a byte
  std::int64_t request_ns = 10'000'000'000;  // from one answer to the next
  std::int64_t crowded_ns = 2'000'000'000;   // the same when three quarters of the connections are taken
};

class HttpServer {
 public:
  // `listen`: "ADDRESS:PORT", "[::1]:PORT"; port 0: any that is free. On a loopback address only requests for
  // a loopback name are answered, so that no web site can have a browser read it under the site's own name.
  // Errors: kInvalid, kExists (in use), kDenied, kSystem.
  static base::Result<std::unique_ptr<HttpServer>> Start(const std::string& listen, Answer answer,
                                                         const HttpLimits& limits);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& url() const { return url_; }
  int fd() const;         // readable when Run has something to do
  int TimeoutMs() const;  // or after so long; -1: never
  void Run();             // serves what is ready; does not block
  void CutOffTheSlow();   // to be called about once a second

 private:
  struct Hooks;  // the library's callbacks
  struct Peer;
  HttpServer();

  MHD_Daemon* daemon_ = nullptr;
  Answer answer_;
  HttpLimits limits_;
  std::string url_;
  bool loopback_ = true;
  std::vector<std::unique_ptr<Peer>> peers_;  // open connections
};

}  // namespace mortar::cli
