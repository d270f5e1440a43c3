// Fuzzes the readers of arrival specifications and recordings.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "trace/arrivals.h"
#include "trace/arrivals_disb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)mortar::trace::ParseArrivals(text);
  const auto instants = mortar::trace::ParseArrivalFile(text, "fuzz");
  if (instants) (void)mortar::trace::RatesByWindow(*instants, 60);
  const auto tasks = mortar::trace::ParseDisb(text, "fuzz");
  if (tasks) (void)mortar::trace::ChooseDisbTask(*tasks, "", "fuzz");
  return 0;
}
