#include "client/trace_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace mortar::client {
namespace {

constinit std::atomic<int> opened{0};

template <std::size_t N>
void Copy(char (&to)[N], std::string_view from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

}  // namespace

base::Result<std::unique_ptr<TraceWriter>> TraceWriter::Create(
    const std::string& directory, std::string_view client, std::string_view device, std::uint32_t priority,
    std::string_view policy, std::int64_t board_ns) {
  const std::string path =
      directory + "/" + std::to_string(getpid()) + "-" + std::to_string(opened.fetch_add(1)) + ".spool";
  const base::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return base::SystemError("create trace spool " + path, errno);
  // Allocated now: a hole in a file system that fills up later would be a SIGBUS in the program.
  if (const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(model::kSpoolSize)); error != 0) {
    unlink(path.c_str());
    return base::SystemError("allocate trace spool " + path, error);
  }
  base::Mapping mapping(mmap(nullptr, model::kSpoolSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0),
                        model::kSpoolSize);
  if (!mapping) return base::SystemError("map trace spool " + path, errno);
  std::unique_ptr<TraceWriter> writer(new TraceWriter(std::move(mapping)));
  model::SpoolHeader& header = writer->header();
  header.version = model::kSpoolVersion;
  header.pid = getpid();
  header.priority = priority;
  Copy(header.client, client);
  Copy(header.device, device);
  Copy(header.policy, policy);
  header.board_ns = board_ns;
  header.monotonic_ns = base::MonotonicNs();
  header.magic = model::kSpoolMagic;
  return writer;
}

void TraceWriter::Name(std::uint64_t id, std::string_view name) {
  const std::uint32_t at = std::atomic_ref(header().names).fetch_add(1, std::memory_order_relaxed);
  if (at >= model::kSpoolNames) return;
  auto* names = reinterpret_cast<model::SpoolName*>(&header() + 1);
  Copy(names[at].name, name);
  names[at].id = id;
}

void TraceWriter::Add(const model::TraceRecord& record) {
  const std::uint64_t at = std::atomic_ref(header().records).fetch_add(1, std::memory_order_relaxed);
  if (at >= model::kSpoolRecords) return;
  auto* base = reinterpret_cast<model::SpoolName*>(&header() + 1) + model::kSpoolNames;
  model::TraceRecord& slot = reinterpret_cast<model::TraceRecord*>(base)[at];
  model::TraceRecord copy = record;
  copy.kind = 0;
  slot = copy;
  // Written last, so that a reader of a killed process's spool sees whole records only.
  std::atomic_ref(slot.kind).store(record.kind, std::memory_order_release);
}

}  // namespace mortar::client
