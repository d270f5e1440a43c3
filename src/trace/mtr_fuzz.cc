// The content of a .mtr file behind a head and a checksum that are right.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/hash.h"
#include "trace/check_recording.h"
#include "trace/mtr.h"
#include "trace/test_replay.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar;
  uLongf packed = compressBound(size);
  std::string bytes(40 + packed, '\0');
  if (compress2(reinterpret_cast<Bytef*>(bytes.data() + 40), &packed, data, size, 0) != Z_OK) std::abort();
  bytes.resize(40 + packed);
  const std::uint32_t version[2] = {1, 0};
  const std::uint64_t sizes[2] = {size, packed};
  const std::uint64_t checksum =
      base::Combine(base::Combine(size, packed), base::HashBytes(bytes.data() + 40, packed));
  std::memcpy(bytes.data(), "MORTARMT", 8);
  std::memcpy(bytes.data() + 8, version, 8);
  std::memcpy(bytes.data() + 16, sizes, 16);
  std::memcpy(bytes.data() + 32, &checksum, 8);
  const auto recording = trace::DecodeMtr(bytes, "f");
  if (!recording) return 0;
  if (!trace::CheckRecording(*recording).ok()) std::abort();
  trace::ReplayAlone(*recording);
  return 0;
}
