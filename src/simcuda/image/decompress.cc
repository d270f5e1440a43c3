#include "simcuda/image/decompress.h"

#include <dlfcn.h>

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;

using Lz4Decompress = int (*)(const char* from, char* to, int from_bytes, int to_bytes);
using ZstdDecompress = std::size_t (*)(void* to, std::size_t to_bytes, const void* from,
                                       std::size_t from_bytes);

void* FindIn(const char* library, const char* function) {
  void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  return opened != nullptr ? dlsym(opened, function) : nullptr;
}

}  // namespace

base::Result<std::string> Unpack(Packing packing, std::string_view data, std::size_t bytes) {
  static const auto lz4 = reinterpret_cast<Lz4Decompress>(FindIn("liblz4.so.1", "LZ4_decompress_safe"));
  static const auto zstd = reinterpret_cast<ZstdDecompress>(FindIn("libzstd.so.1", "ZSTD_decompress"));
  const bool is_lz4 = packing == Packing::kLz4;
  if (is_lz4 ? lz4 == nullptr : zstd == nullptr) {
    return Error{Code::kNotFound, std::string("read fatbin: an entry is compressed and ") +
                                      (is_lz4 ? "liblz4.so.1 is not here: install liblz4-1"
                                              : "libzstd.so.1 is not here: install libzstd1")};
  }
  std::string out(bytes, '\0');
  const bool whole = is_lz4 ? lz4(data.data(), out.data(), static_cast<int>(data.size()),
                                  static_cast<int>(out.size())) == static_cast<int>(bytes)
                            : zstd(out.data(), out.size(), data.data(), data.size()) == bytes;
  if (!whole)
    return Error{Code::kInvalid, "read fatbin: a compressed entry is damaged; is the file cut off?"};
  return out;
}

}  // namespace mortar::simcuda
