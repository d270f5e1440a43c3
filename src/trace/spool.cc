#include "trace/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/owner.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;
using model::SpoolHeader;
using model::SpoolName;
using model::TraceKind;
using model::TraceRecord;

template <std::size_t N>
std::string Text(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

bool TimeIsRight(TraceRecord* record) {
  // A submit whose end on the device was not foretold ends where it begins.
  if (record->kind == static_cast<std::uint32_t>(TraceKind::kSubmit)) {
    record->end_ns = std::max(record->end_ns, record->begin_ns);
  }
  return record->begin_ns > 0 && record->begin_ns <= kLatestNs && record->end_ns >= record->begin_ns &&
         record->end_ns - record->begin_ns <= kLongestNs && record->value_ns >= 0 &&
         (record->kind == static_cast<std::uint32_t>(TraceKind::kDevice) || record->value_ns <= kLongestNs);
}

void Keep(TraceRecord record, Client* client) {
  Unusable& unusable = client->unusable;
  if (record.kind == static_cast<std::uint32_t>(TraceKind::kEmpty)) {
    ++unusable.unwritten;
  } else if (record.kind > static_cast<std::uint32_t>(TraceKind::kRequest)) {
    ++unusable.bad_kind;
  } else if (record.lane >= kMostLanes) {
    ++unusable.bad_lane;
  } else if (!TimeIsRight(&record)) {
    ++unusable.bad_time;
  } else {
    client->records.push_back(record);
  }
}

// The header's counts, limited to what the tables can hold.
std::size_t NamesIn(const SpoolHeader& header) { return std::min(header.names, model::kSpoolNames); }
std::size_t RecordsIn(const SpoolHeader& header) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(header.records, model::kSpoolRecords));
}

base::Result<SpoolHeader> ParseHeader(std::span<const std::byte> bytes) {
  SpoolHeader header;
  if (bytes.size() < sizeof header) {
    return Error{Code::kCorrupt,
                 "holds " + std::to_string(bytes.size()) + " bytes, too few for a trace spool"};
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != model::kSpoolMagic)
    return Error{Code::kCorrupt, "is no trace spool, or was never begun"};
  if (header.version != model::kSpoolVersion) {
    return Error{Code::kMismatch, "is of version " + std::to_string(header.version) + ", this Mortar reads " +
                                      std::to_string(model::kSpoolVersion) +
                                      "; record with the same Mortar that exports"};
  }
  return header;
}

void ParseNames(const SpoolHeader& header, std::span<const std::byte> bytes, Client* client) {
  const std::size_t there = std::min(NamesIn(header), bytes.size() / sizeof(SpoolName));
  client->unusable.dropped_names = header.names - there;
  for (std::size_t i = 0; i < there; ++i) {
    SpoolName name;
    std::memcpy(&name, bytes.data() + i * sizeof name, sizeof name);
    if (name.id != 0) client->kernels.emplace(name.id, Text(name.name));
  }
}

void ParseRecords(const SpoolHeader& header, std::span<const std::byte> bytes, Client* client) {
  const std::size_t claimed = RecordsIn(header);
  const std::size_t there = std::min(claimed, bytes.size() / sizeof(TraceRecord));
  client->unusable.dropped_records = header.records - claimed;
  client->unusable.cut = claimed - there;
  client->records.reserve(there);
  for (std::size_t i = 0; i < there; ++i) {
    TraceRecord record;
    std::memcpy(&record, bytes.data() + i * sizeof record, sizeof record);
    Keep(record, client);
  }
}

// Up to `size` bytes from `offset`; fewer where the file ends.
base::Result<std::vector<std::byte>> ReadAt(int fd, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SystemError("read", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

base::Result<Client> ReadOpenSpool(int fd) {
  const auto head = ReadAt(fd, 0, sizeof(SpoolHeader));
  if (!head.ok()) return head.error();
  const auto header = ParseHeader(*head);
  if (!header.ok()) return header.error();
  const auto names = ReadAt(fd, sizeof(SpoolHeader), NamesIn(*header) * sizeof(SpoolName));
  if (!names.ok()) return names.error();
  const std::uint64_t at = sizeof(SpoolHeader) + std::uint64_t{model::kSpoolNames} * sizeof(SpoolName);
  const auto records = ReadAt(fd, at, RecordsIn(*header) * sizeof(TraceRecord));
  if (!records.ok()) return records.error();
  return ParseSpool(*head, *names, *records);
}

void Say(std::uint64_t count, const char* what, const char* why, std::string* text) {
  if (count == 0) return;
  if (!text->empty()) *text += ", ";
  *text += std::to_string(count) + " " + what + (count == 1 ? "" : "s") + " " + why;
}

}  // namespace

Unusable& Unusable::operator+=(const Unusable& other) {
  dropped_records += other.dropped_records;
  dropped_names += other.dropped_names;
  unwritten += other.unwritten;
  cut += other.cut;
  bad_kind += other.bad_kind;
  bad_lane += other.bad_lane;
  bad_time += other.bad_time;
  return *this;
}

std::string Describe(const Unusable& unusable) {
  std::string text;
  Say(unusable.dropped_records, "record", "dropped (spool full)", &text);
  Say(unusable.unwritten, "record", "unfinished", &text);
  Say(unusable.cut, "record", "beyond the end of the spool", &text);
  Say(unusable.bad_kind, "record", "of unknown kind", &text);
  Say(unusable.bad_lane, "record", "of an impossible thread", &text);
  Say(unusable.bad_time, "record", "with impossible times", &text);
  Say(unusable.dropped_names, "kernel name", "missing", &text);
  return text;
}

base::Result<Client> ParseSpool(std::span<const std::byte> header, std::span<const std::byte> names,
                                std::span<const std::byte> records) {
  const auto head = ParseHeader(header);
  if (!head.ok()) return head.error();
  Client client;
  client.name = Text(head->client);
  client.device = Text(head->device);
  client.policy = Text(head->policy);
  client.pid = head->pid;
  client.priority = static_cast<int>(std::min<std::uint32_t>(head->priority, 9));
  const auto instant = [](std::int64_t ns) { return ns > 0 && ns <= kLatestNs; };
  if (instant(head->board_ns) && instant(head->monotonic_ns)) {
    client.board_ns = head->board_ns;
    client.monotonic_ns = head->monotonic_ns;
  }
  ParseNames(*head, names, &client);
  ParseRecords(*head, records, &client);
  return client;
}

base::Result<Client> ReadSpool(const std::string& path) {
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return base::SystemError("open trace spool " + path, errno);
  auto client = ReadOpenSpool(fd.get());
  if (client.ok()) return client;
  return Error{client.error().code, "trace spool " + path + " " + client.error().message};
}

base::Result<SpoolSet> ReadSpools(const std::string& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  SpoolSet recording;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() != ".spool") continue;
    auto client = ReadSpool(entry->path().string());
    if (client.ok()) {
      recording.clients.push_back(std::move(*client));
    } else {
      recording.unreadable.push_back(client.error().message);
    }
  }
  if (error) return base::SystemError("read trace directory " + directory, error.value());
  const auto order = [](const Client& c) { return std::tie(c.priority, c.name, c.pid, c.board_ns); };
  std::sort(recording.clients.begin(), recording.clients.end(),
            [&](const Client& a, const Client& b) { return order(a) < order(b); });
  std::sort(recording.unreadable.begin(), recording.unreadable.end());
  return recording;
}

}  // namespace mortar::trace
