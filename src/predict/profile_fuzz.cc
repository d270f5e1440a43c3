// Arbitrary bytes as a profile file; with a right checksum appended, so that the lines behind it are reached
// too.
#include <cstdint>
#include <cstdio>
#include <string>

#include "predict/profile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  mortar::predict::KernelTable table;
  (void)mortar::predict::ReadProfile(text, "d", &table).ok();
  char line[32];
  std::snprintf(line, sizeof line, "checksum %016llx\n",
                static_cast<unsigned long long>(mortar::base::HashBytes(text.data(), text.size())));
  if (mortar::predict::ReadProfile(text + line, "d", &table).ok()) {
    mortar::predict::KernelTable again;
    if (!mortar::predict::ReadProfile(mortar::predict::WriteProfile(table, "d", "p"), "d", &again).ok())
      __builtin_trap();
  }
  return 0;
}
