// Whatever is read as a recording can be replayed, and comes back the same from a .mtr file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "trace/check_recording.h"
#include "trace/device_use.h"
#include "trace/kernel_list.h"
#include "trace/mtr.h"
#include "trace/read_recording.h"
#include "trace/test_replay.h"

namespace {

using namespace mortar::trace;

void Use(Recording recording) {
  if (!CheckRecording(recording).ok()) std::abort();
  ReplayAlone(recording);
  MeasureUse(recording).Fits(1000);
  BusyBySlice(recording, 7);
  const std::string bytes = EncodeMtr(recording);
  const auto back = DecodeMtr(bytes, "f");
  if (!back || EncodeMtr(*back) != bytes) std::abort();
  AssumeHost(&recording);
  if (!CheckRecording(recording).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool device_only : {false, true}) {
    ReadOptions options;
    options.device_only = device_only;
    auto recording = ReadRecording(MemorySource(bytes, "f"), options);
    if (recording) {
      Use(std::move(recording).value());
    } else if (recording.error().message.find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
