#include "mortar/serve_http.h"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/owner.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;

struct Place {
  std::string host, port;
};

base::Result<Place> ParsePlace(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  Place place;
  if (colon != std::string::npos) {
    place.host = listen.substr(0, colon);
    place.port = listen.substr(colon + 1);
  }
  if (place.host.size() > 2 && place.host.front() == '[' && place.host.back() == ']')
    place.host = place.host.substr(1, place.host.size() - 2);
  unsigned port = 0;
  const char* end = place.port.data() + place.port.size();
  const auto [rest, error] = std::from_chars(place.port.data(), end, port);
  if (place.host.empty() || place.port.empty() || error != std::errc() || rest != end || port > 65535) {
    return Error{Code::kInvalid,
                 "--listen: \"" + listen + "\" is not an address and a port; write 127.0.0.1:9478"};
  }
  return place;
}

bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    return (ntohl(four.sin_addr.s_addr) >> 24) == 127;
  }
  sockaddr_in6 six{};
  std::memcpy(&six, address, sizeof six);
  return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

// The host of a Host header, without its port: is it this machine's own?
bool NamesLoopback(std::string_view host) {
  if (host.starts_with("[::1]")) return true;
  host = host.substr(0, host.rfind(':'));
  constexpr std::string_view kNumbers = "127.";
  return host == "localhost" ||
         (host.starts_with(kNumbers) && host.find_first_not_of("0123456789.") == host.npos);
}

struct Listener {
  base::Fd socket;
  std::string url;
  bool loopback = true;
};

base::Result<Listener> Listen(const std::string& listen) {
  const auto place = ParsePlace(listen);
  if (!place.ok()) return place.error();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string operation = "listen on " + listen;
  if (const int error = getaddrinfo(place->host.c_str(), place->port.c_str(), &hints, &found); error != 0) {
    return Error{Code::kInvalid,
                 "--listen: " + listen + ": " + gai_strerror(error) + "; write an address of this machine"};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  base::Fd socket_fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket_fd) setsockopt(socket_fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!socket_fd || bind(socket_fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(socket_fd.get(), SOMAXCONN) != 0) {
    Error error = base::SystemError(operation, errno);
    error.message += errno == EADDRINUSE ? "; is another mortar serve running? Choose a port with --listen"
                                         : "; choose another with --listen";
    return error;
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(socket_fd.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  getnameinfo(reinterpret_cast<sockaddr*>(&bound), length, host.data(), host.size(), port.data(), port.size(),
              NI_NUMERICHOST | NI_NUMERICSERV);
  const bool six = bound.ss_family == AF_INET6;
  Listener listener;
  listener.url =
      std::string("http://") + (six ? "[" : "") + host.data() + (six ? "]:" : ":") + port.data() + "/";
  listener.loopback = IsLoopback(reinterpret_cast<sockaddr*>(&bound));
  listener.socket = std::move(socket_fd);
  return listener;
}

std::int64_t NumberOf(const char* text) {
  if (text == nullptr) return -1;
  std::int64_t number = -1;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  return error == std::errc() && rest == end ? number : -1;
}

Reply Plain(unsigned status, const char* text) {
  return {status, "text/plain; charset=utf-8", std::make_shared<const std::string>(std::string(text) + "\n")};
}

MHD_Response* ToResponse(const Reply& reply) {
  // The body lives as long as anybody is being sent it, and once.
  auto* keep = new Body(reply.body);
  MHD_Response* response = MHD_create_response_from_buffer_with_free_callback_cls(
      (*keep)->size(), const_cast<char*>((*keep)->data()),
      [](void* body) { delete static_cast<Body*>(body); }, keep);
  if (response == nullptr) {
    delete keep;
    return nullptr;
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response, "X-Frame-Options", "DENY");
  MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
  MHD_add_response_header(response, "Content-Security-Policy",
                          "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                          "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'");
  if (reply.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  return response;
}

}  // namespace

struct HttpServer::Peer {
  int fd = -1;
  std::int64_t since_ns = 0;  // of its opening, or its last answer
};

struct HttpServer::Hooks {
  static void OnConnection(void* self, MHD_Connection* connection, void** context,
                           MHD_ConnectionNotificationCode what) {
    auto& server = *static_cast<HttpServer*>(self);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      auto peer = std::make_unique<Peer>();
      const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info != nullptr) peer->fd = info->connect_fd;
      peer->since_ns = base::MonotonicNs();
      *context = peer.get();
      server.peers_.push_back(std::move(peer));
    } else {
      std::erase_if(server.peers_, [&](const auto& peer) { return peer.get() == *context; });
      *context = nullptr;
    }
  }

  static void OnCompleted(void* /*self*/, MHD_Connection* connection, void** /*request*/,
                          MHD_RequestTerminationCode /*how*/) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != nullptr && info->socket_context != nullptr)
      static_cast<Peer*>(info->socket_context)->since_ns = base::MonotonicNs();
  }

  static Reply Decide(HttpServer& server, MHD_Connection* connection, const char* url,
                      std::string_view method) {
    const char* host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (server.loopback_ && host != nullptr && !NamesLoopback(host))
      return Plain(MHD_HTTP_FORBIDDEN, "mortar serve answers under the name localhost only");
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD)
      return Plain(MHD_HTTP_METHOD_NOT_ALLOWED, "mortar serve is read-only: GET and HEAD");
    const char* after = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "after");
    return server.answer_(url, NumberOf(after));
  }

  static bool HasBody(MHD_Connection* connection) {
    const char* length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length != nullptr && std::string_view(length) != "0") return true;
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) !=
           nullptr;
  }

  // Called at the end of a request's head, and again at its own end. An answer at the first call makes the
  // library close the connection without reading on: right where there is a body, which is never taken.
  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* url, const char* method,
                              const char* /*version*/, const char* /*data*/, std::size_t* /*size*/,
                              void** request) {
    if (*request == nullptr && !HasBody(connection)) {
      *request = self;  // any mark
      return MHD_YES;
    }
    // Nothing is thrown into the library: without memory the connection is closed.
    try {
      const Reply reply = Decide(*static_cast<HttpServer*>(self), connection, url, method);
      MHD_Response* response = ToResponse(reply);
      if (response == nullptr) return MHD_NO;
      const MHD_Result queued = MHD_queue_response(connection, reply.status, response);
      MHD_destroy_response(response);
      return queued;
    } catch (const std::exception&) {
      return MHD_NO;
    }
  }
};

HttpServer::HttpServer() = default;

base::Result<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen, Answer answer,
                                                            const HttpLimits& limits) {
  auto listener = Listen(listen);
  if (!listener.ok()) return listener.error();
  std::unique_ptr<HttpServer> server(new HttpServer);
  server->answer_ = std::move(answer);
  server->limits_ = limits;
  server->url_ = listener->url;
  server->loopback_ = listener->loopback;
  // The daemon closes the socket, also where it does not start.
  server->daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, &Hooks::OnRequest, server.get(), MHD_OPTION_LISTEN_SOCKET,
      listener->socket.Release(), MHD_OPTION_CONNECTION_LIMIT, limits.connections,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.memory, MHD_OPTION_CONNECTION_TIMEOUT, limits.idle_s,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, &Hooks::OnConnection, server.get(),
      MHD_OPTION_NOTIFY_COMPLETED, &Hooks::OnCompleted, server.get(), MHD_OPTION_END);
  if (server->daemon_ == nullptr)
    return Error{Code::kSystem, "start the HTTP server: libmicrohttpd refused; see ulimit -n and ulimit -v"};
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

int HttpServer::fd() const { return MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd; }

int HttpServer::TimeoutMs() const {
  MHD_UNSIGNED_LONG_LONG timeout = 0;
  if (MHD_get_timeout(daemon_, &timeout) != MHD_YES) return -1;
  return static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(timeout, 60'000));
}

void HttpServer::Run() { MHD_run(daemon_); }

void HttpServer::CutOffTheSlow() {
  const bool crowded = peers_.size() * 4 >= static_cast<std::size_t>(limits_.connections) * 3;
  const std::int64_t patience_ns = crowded ? limits_.crowded_ns : limits_.request_ns;
  const std::int64_t now = base::MonotonicNs();
  for (const auto& peer : peers_) {
    // The library sees the end of the connection at its next turn, and cleans up.
    if (now - peer->since_ns > patience_ns) shutdown(peer->fd, SHUT_RDWR);
  }
}

}  // namespace mortar::cli
