// Fat binaries: a header, then entries of PTX and cubins for several devices, each with a header of its own,
// packed or not. What the fields mean was found by looking at the output of NVIDIA's compilers (testdata).
#include <optional>

#include "simcuda/image/bytes.h"
#include "simcuda/image/decompress.h"
#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint32_t kMagic = 0xba55ed50;
constexpr std::uint32_t kPointerMagic =
    0x466243b1;  // what compilers put into programs: leads to a fat binary
constexpr std::uint64_t kLz4 = 0x2000;
constexpr std::uint64_t kZstd = 0x8000;
constexpr std::size_t kMaxUnpacked = std::size_t{1} << 30;  // chosen
constexpr std::size_t kMaxRatio = 4096;                     // chosen: of unpacked to packed, against bombs

struct Header {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t header_bytes;
  std::uint64_t bytes;  // behind the header
};
static_assert(sizeof(Header) == 16);

struct Pointer {
  std::uint32_t magic;
  std::uint32_t version;
  const void* data;
  const void* rest;
};

enum class Kind : std::uint16_t { kPtx = 1, kCubin = 2 };

struct EntryHeader {
  Kind kind;
  std::uint16_t version;
  std::uint32_t header_bytes;
  std::uint64_t bytes;  // padded
  std::uint32_t packed_bytes;
  std::uint32_t unknown;
  std::uint16_t minor, major;  // of the code
  std::uint32_t capability;    // 90: 9.0
  std::uint32_t name_offset, name_bytes;
  std::uint64_t flags;
  std::uint64_t zero;
  std::uint64_t unpacked_bytes;
};
static_assert(sizeof(EntryHeader) == 64);

struct Entry {
  EntryHeader header{};
  std::string_view data;
};

Error Broken(const char* what) {
  return {Code::kInvalid, std::string("read fatbin: ") + what + "; is the file cut off?"};
}

Result<std::vector<Entry>> ReadEntries(std::string_view bytes) {
  Header header;
  if (!LooksLikeFatbin(bytes) || !ReadAt(bytes, 0, &header) || header.header_bytes < sizeof header)
    return Broken("no header");
  const std::string_view body = PartOf(bytes, header.header_bytes, header.bytes);
  if (body.size() != header.bytes) return Broken("it ends before its length");
  std::vector<Entry> entries;
  for (std::uint64_t at = 0; at < body.size();) {
    Entry entry;
    if (!ReadAt(body, at, &entry.header) || entry.header.header_bytes < sizeof entry.header)
      return Broken("an entry's header is damaged");
    entry.data = PartOf(body, at + entry.header.header_bytes, entry.header.bytes);
    if (entry.data.size() != entry.header.bytes) return Broken("an entry ends beyond it");
    at += entry.header.header_bytes + entry.header.bytes;
    entries.push_back(entry);
  }
  return entries;
}

// How well an entry fits, higher is better; none: it does not run there.
std::optional<std::uint32_t> Fitness(const EntryHeader& entry, int capability) {
  const auto device = static_cast<std::uint32_t>(capability);
  constexpr std::uint32_t kCubinFirst = 1000;
  if (entry.capability > device) return std::nullopt;
  if (entry.kind == Kind::kPtx) return entry.capability;
  if (entry.kind != Kind::kCubin || entry.capability / 10 != device / 10) return std::nullopt;
  return kCubinFirst + entry.capability;
}

Result<std::string> DataOf(const Entry& entry) {
  const EntryHeader& header = entry.header;
  if ((header.flags & (kLz4 | kZstd)) == 0) return std::string(entry.data);
  const std::string_view packed = PartOf(entry.data, 0, header.packed_bytes);
  if (packed.size() != header.packed_bytes || packed.empty())
    return Broken("a compressed entry ends beyond it");
  if (header.unpacked_bytes > kMaxUnpacked || header.unpacked_bytes / packed.size() > kMaxRatio)
    return Broken("a compressed entry claims to be too large");
  return Unpack((header.flags & kZstd) != 0 ? Packing::kZstd : Packing::kLz4, packed, header.unpacked_bytes);
}

}  // namespace

bool LooksLikeFatbin(std::string_view bytes) {
  std::uint32_t magic = 0;
  return ReadAt(bytes, 0, &magic) && magic == kMagic;
}

Result<ModuleImage> ReadFatbin(std::string_view bytes, int capability) {
  const auto entries = ReadEntries(bytes);
  if (!entries) return entries.error();
  const Entry* best = nullptr;
  std::uint32_t best_fitness = 0;
  for (const Entry& entry : *entries) {
    const auto fitness = Fitness(entry.header, capability);
    if (!fitness || (best != nullptr && *fitness <= best_fitness)) continue;
    best = &entry;
    best_fitness = *fitness;
  }
  if (best == nullptr) {
    return Error{Code::kNotFound,
                 "read fatbin: none of its " + std::to_string(entries->size()) +
                     " entries runs on compute capability " + std::to_string(capability / 10) + "." +
                     std::to_string(capability % 10) + "; compile it for that, or describe another"};
  }
  const auto data = DataOf(*best);
  if (!data) return data.error();
  return best->header.kind == Kind::kCubin ? ReadElf(*data) : ReadPtx(*data);
}

Result<ModuleImage> ReadImage(std::string_view bytes, int capability) {
  if (LooksLikeFatbin(bytes)) return ReadFatbin(bytes, capability);
  if (LooksLikeElf(bytes)) return ReadElf(bytes);
  if (LooksLikePtx(bytes)) return ReadPtx(bytes);
  return Error{Code::kInvalid, "read module: neither PTX nor a cubin nor a fat binary; give one of these"};
}

std::size_t LengthOf(const void** image) {
  const auto starts_with = [&](const void* magic, std::size_t bytes) {
    return std::memcmp(*image, magic, bytes) == 0;
  };
  if (starts_with(&kPointerMagic, sizeof kPointerMagic)) {
    Pointer pointer;
    std::memcpy(&pointer, *image, sizeof pointer);
    if (pointer.data == nullptr) return 0;
    *image = pointer.data;
  }
  if (starts_with(&kMagic, sizeof kMagic)) {
    Header header;
    std::memcpy(&header, *image, sizeof header);
    return header.header_bytes + header.bytes;
  }
  if (starts_with("\x7f"
                  "ELF",
                  4))
    return LengthOfElf(*image);
  return std::strlen(static_cast<const char*>(*image));
}

}  // namespace mortar::simcuda
