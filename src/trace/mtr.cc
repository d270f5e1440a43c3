#include "trace/mtr.h"

#include <zlib.h>

#include <bit>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

#include "base/hash.h"
#include "trace/check_recording.h"
#include "trace/output_file.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

static_assert(std::endian::native == std::endian::little,
              "the head of a .mtr file is written as it lies in memory");

constexpr char kMagic[8] = {'M', 'O', 'R', 'T', 'A', 'R', 'M', 'T'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMostContent = std::uint64_t{1} << 30;
constexpr std::uint64_t kBestRatio = 1040;  // zlib packs no better

struct Head {
  char magic[8];
  std::uint32_t version;
  std::uint32_t zero;
  std::uint64_t content_size;
  std::uint64_t packed_size;
  std::uint64_t checksum;
};
static_assert(sizeof(Head) == 40);

std::uint64_t Checksum(const Head& head, std::string_view packed) {
  return base::Combine(base::Combine(head.content_size, head.packed_size),
                       base::HashBytes(packed.data(), packed.size()));
}

// The two directions of one description (Describe): Writer appends, Reader fills.
class Writer {
 public:
  void Number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  template <typename T>
  void Value(const T& value) {
    Number(static_cast<std::uint64_t>(value));
  }
  void Text(const std::string& text) {
    Number(text.size());
    bytes_ += text;
  }
  template <typename T>
  void Size(const std::vector<T>& items, std::size_t) {
    Number(items.size());
  }
  // Differences from one element to the next, signs folded in.
  template <typename Items, typename Field>
  void Column(const Items& items, Field field) {
    std::uint64_t before = 0;
    for (const auto& item : items) {
      const auto value = static_cast<std::uint64_t>(std::invoke(field, item));
      const std::uint64_t difference = value - before;
      Number(difference << 1 ^ (0 - (difference >> 63)));
      before = value;
    }
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size(); }

  std::uint64_t Number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  template <typename T>
  void Value(T& value) {
    value = static_cast<T>(Number());
  }
  void Text(std::string& text) {
    const std::uint64_t size = Number();
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return;
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }
  // An element takes `least` bytes at least, one a field: what claims more elements than that is damaged.
  template <typename T>
  void Size(std::vector<T>& items, std::size_t least) {
    const std::uint64_t size = Number();
    ok_ = ok_ && size <= bytes_.size() / least;
    if (ok_) items.resize(size);
  }
  template <typename Items, typename Field>
  void Column(Items& items, Field field) {
    std::uint64_t before = 0;
    for (auto& item : items) {
      if (!ok_) return;
      const std::uint64_t folded = Number();
      before += folded >> 1 ^ (0 - (folded & 1));
      auto& place = std::invoke(field, item);
      place = static_cast<std::remove_reference_t<decltype(place)>>(before);
    }
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

template <typename Archive, typename R>
void DescribeNames(Archive& a, R& r) {
  a.Text(r.recorder);
  a.Size(r.call_names, 1);
  for (auto& name : r.call_names) a.Text(name);
  a.Size(r.identities, 11);
  for (auto& identity : r.identities) a.Text(identity.name);
  for (std::size_t i = 0; i < 3; ++i) {
    a.Column(
        r.identities, [i](auto& item) -> auto& { return item.shape.grid[i]; });
    a.Column(
        r.identities, [i](auto& item) -> auto& { return item.shape.block[i]; });
  }
  a.Column(
      r.identities, [](auto& item) -> auto& { return item.shape.shared_bytes; });
  a.Column(r.identities, &Identity::shape_known);
  a.Column(r.identities, &Identity::kind);
  a.Column(r.identities, &Identity::path);
  a.Size(r.devices, 2);
  a.Column(r.devices, &Device::number);
  for (auto& device : r.devices) a.Text(device.name);
  a.Size(r.notes, 3);
  a.Column(r.notes, &Note::count);
  a.Column(r.notes, &Note::left_out);
  for (auto& note : r.notes) a.Text(note.what);
}

template <typename Archive, typename R>
void DescribeDevice(Archive& a, R& r) {
  a.Size(r.streams, 4);
  a.Column(r.streams, &Stream::device);
  a.Column(r.streams, &Stream::number);
  a.Column(
      r.streams, [](auto& item) -> auto& { return item.ops.first; });
  a.Column(
      r.streams, [](auto& item) -> auto& { return item.ops.count; });
  a.Size(r.ops, 7);
  a.Column(r.ops, &Op::start_ns);
  a.Column(r.ops, &Op::duration_ns);
  a.Column(r.ops, &Op::latency_ns);
  a.Column(r.ops, &Op::dispatch_ns);
  a.Column(r.ops, &Op::identity);
  a.Column(r.ops, &Op::stream);
  a.Column(r.ops, &Op::call);
  a.Size(r.stream_ops, 1);
  a.Column(
      r.stream_ops, [](auto& item) -> auto& { return item; });
  a.Size(r.dependencies, 2);
  a.Column(r.dependencies, &Dependency::op);
  a.Column(r.dependencies, &Dependency::after);
}

template <typename Archive, typename R>
void DescribeHost(Archive& a, R& r) {
  a.Size(r.threads, 5);
  a.Column(r.threads, &HostThread::process);
  a.Column(r.threads, &HostThread::number);
  a.Column(
      r.threads, [](auto& item) -> auto& { return item.calls.first; });
  a.Column(
      r.threads, [](auto& item) -> auto& { return item.calls.count; });
  for (auto& thread : r.threads) a.Text(thread.name);
  a.Size(r.calls, 12);
  a.Column(r.calls, &HostCall::start_ns);
  a.Column(r.calls, &HostCall::duration_ns);
  a.Column(r.calls, &HostCall::think_ns);
  a.Column(r.calls, &HostCall::tail_ns);
  a.Column(r.calls, &HostCall::after);
  a.Column(
      r.calls, [](auto& item) -> auto& { return item.ops.first; });
  a.Column(
      r.calls, [](auto& item) -> auto& { return item.ops.count; });
  a.Column(
      r.calls, [](auto& item) -> auto& { return item.waits.first; });
  a.Column(
      r.calls, [](auto& item) -> auto& { return item.waits.count; });
  a.Column(r.calls, &HostCall::name);
  a.Column(r.calls, &HostCall::request);
  a.Column(r.calls, &HostCall::kind);
  a.Size(r.waited, 1);
  a.Column(
      r.waited, [](auto& item) -> auto& { return item; });
  a.Size(r.requests, 4);
  a.Column(r.requests, &Request::start_ns);
  a.Column(r.requests, &Request::end_ns);
  a.Column(r.requests, &Request::number);
  a.Column(r.requests, &Request::thread);
}

template <typename Archive, typename R>
void Describe(Archive& a, R& r) {
  a.Value(r.form);
  a.Value(r.zero_ns);
  a.Value(r.end_ns);
  a.Value(r.median_latency_ns);
  a.Value(r.median_dispatch_ns);
  a.Value(r.resolution_ns);
  DescribeNames(a, r);
  DescribeDevice(a, r);
  DescribeHost(a, r);
}

Error Damaged(const std::string& name, std::uint64_t byte, const std::string& how) {
  return {Code::kCorrupt,
          "read " + name + ": byte " + std::to_string(byte) + ": " + how + "; import the trace again"};
}

base::Result<std::string> Unpack(std::string_view bytes, const std::string& name) {
  Head head;
  if (bytes.size() < sizeof head) return Damaged(name, bytes.size(), "cut short");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.version != kVersion) {
    return Error{Code::kMismatch, "read " + name + ": byte 8: version " + std::to_string(head.version) +
                                      ", this mortar reads " + std::to_string(kVersion) +
                                      "; import the trace again"};
  }
  const std::string_view packed = bytes.substr(sizeof head);
  if (packed.size() < head.packed_size) return Damaged(name, bytes.size(), "cut short");
  if (packed.size() > head.packed_size) {
    return Damaged(name, sizeof head + head.packed_size, "something follows the end");
  }
  if (head.zero != 0 || head.checksum != Checksum(head, packed))
    return Damaged(name, 32, "the checksum is wrong");
  if (head.content_size > kMostContent || head.content_size > packed.size() * kBestRatio) {
    return Damaged(name, 16, "impossible size");
  }
  std::string content(head.content_size, '\0');
  uLongf size = content.size();
  const int code = uncompress(reinterpret_cast<Bytef*>(content.data()), &size,
                              reinterpret_cast<const Bytef*>(packed.data()), packed.size());
  if (code != Z_OK || size != head.content_size)
    return Damaged(name, sizeof head, "the content does not unpack");
  return content;
}

}  // namespace

bool IsMtr(std::string_view beginning) {
  return beginning.starts_with(std::string_view(kMagic, sizeof kMagic));
}

std::string EncodeMtr(const Recording& recording) {
  Writer writer;
  Describe(writer, recording);
  const std::string content = writer.Take();
  uLongf size = compressBound(content.size());
  std::string bytes(sizeof(Head) + size, '\0');
  // Fails only where memory or room are short; there is room.
  const int code =
      compress2(reinterpret_cast<Bytef*>(bytes.data() + sizeof(Head)), &size,
                reinterpret_cast<const Bytef*>(content.data()), content.size(), Z_DEFAULT_COMPRESSION);
  if (code != Z_OK) throw std::bad_alloc();
  bytes.resize(sizeof(Head) + size);
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.version = kVersion;
  head.content_size = content.size();
  head.packed_size = size;
  head.checksum = Checksum(head, std::string_view(bytes).substr(sizeof head));
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

base::Result<Recording> DecodeMtr(std::string_view bytes, const std::string& name) {
  const auto content = Unpack(bytes, name);
  if (!content) return content.error();
  Reader reader(*content);
  Recording recording;
  Describe(reader, recording);
  if (!reader.ok() || reader.left() > 0)
    return Damaged(name, sizeof(Head), "the content is not what it says");
  recording.source = name;
  for (Identity& identity : recording.identities)
    identity.id = model::MakeKernelId(identity.name, identity.shape);
  if (const auto status = CheckRecording(recording); !status.ok()) {
    return Damaged(name, sizeof(Head), status.error().message);
  }
  return recording;
}

base::Status WriteMtr(const Recording& recording, const std::string& path) {
  auto file = OutputFile::Create(path, OutputFile::Kind::kPlain);
  if (!file) return file.error();
  const auto written = (*file)->Write(EncodeMtr(recording));
  return written.ok() ? (*file)->Commit() : written;
}

}  // namespace mortar::trace
