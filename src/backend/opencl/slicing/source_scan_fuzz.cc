// Arbitrary bytes as OpenCL C source and as build options. What is found safe must stay so where the source
// is followed by harmless text, and must not where it is preceded by a macro that makes it ask for its group.
#include <cstdint>
#include <string>

#include "backend/opencl/slicing/source_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mortar::slicing::ScanSource;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)mortar::slicing::OptionsAreHarmless(text);
  const auto safe = ScanSource(text);
  if (safe.empty()) return 0;
  if (!ScanSource(text + "\n\nint at_top = get_group_id(0);\n").empty()) __builtin_trap();
  if (!ScanSource("#include \"more.h\"\n" + text).empty()) __builtin_trap();
  if (ScanSource(text + "\n\n// nothing\n").size() != safe.size()) __builtin_trap();
  return 0;
}
