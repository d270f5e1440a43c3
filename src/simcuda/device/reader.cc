#include "simcuda/device/reader.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/toml_text.h"

// Without exceptions and without its shared library: this loads into other people's programs.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr double kMaxUs = 10'000'000;  // 10 s

// What is wrong with the text, and where.
struct Complaint {
  std::string what;
  std::size_t line = 0;
};
using Wrong = std::optional<Complaint>;

Wrong Refuse(const toml::node& node, std::string what) {
  // Text from the file reaches the message: one line of printable characters.
  std::replace_if(
      what.begin(), what.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      '?');
  return Complaint{std::move(what), node.source().begin.line};
}

std::string Quote(std::string_view word) { return "'" + std::string(word.substr(0, 60)) + "'"; }

std::string Plain(double value) {
  char text[40];
  snprintf(text, sizeof text, "%.10g", value);
  return text;
}

// A number from `least` to `most`, whole or not.
Wrong ReadNumber(const toml::node& node, std::string_view key, double least, double most, double* out) {
  const auto value = node.value<double>();
  if (!value || !node.is_number() || !(*value >= least && *value <= most)) {
    return Refuse(node, Quote(key) + " must be a number from " + Plain(least) + " to " + Plain(most));
  }
  *out = *value;
  return std::nullopt;
}

Wrong ReadWhole(const toml::node& node, std::string_view key, std::int64_t least, std::int64_t most,
                std::int64_t* out) {
  const auto* value = node.as_integer();
  if (value == nullptr || value->get() < least || value->get() > most) {
    return Refuse(node, Quote(key) + " must be a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most));
  }
  *out = value->get();
  return std::nullopt;
}

Wrong ReadInt(const toml::node& node, std::string_view key, int least, int most, int* out) {
  std::int64_t whole = 0;
  auto wrong = ReadWhole(node, key, least, most, &whole);
  if (!wrong) *out = static_cast<int>(whole);
  return wrong;
}

Wrong ReadUs(const toml::node& node, std::string_view key, std::int64_t* ns) {
  double us = 0;
  auto wrong = ReadNumber(node, key, 0, kMaxUs, &us);
  if (!wrong) *ns = std::llround(us * 1000);
  return wrong;
}

Wrong ReadText(const toml::node& node, std::string_view key, std::size_t most, std::string* out) {
  const auto* value = node.as_string();
  const bool good = value != nullptr && !value->get().empty() && value->get().size() <= most &&
                    std::none_of(value->get().begin(), value->get().end(),
                                 [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  if (!good) {
    return Refuse(node,
                  Quote(key) + " must be text of 1 to " + std::to_string(most) + " printable characters");
  }
  *out = value->get();
  return std::nullopt;
}

Wrong ReadCapability(const toml::node& node, Description* device) {
  std::string text;
  if (auto wrong = ReadText(node, "compute_capability", 8, &text)) return wrong;
  int end = 0;
  int major = 0;
  int minor = 0;
  if (sscanf(text.c_str(), "%2d.%1d%n", &major, &minor, &end) != 2 || end != static_cast<int>(text.size()) ||
      major < 1 || minor < 0) {
    return Refuse(node, "'compute_capability' must be text such as \"9.0\"");
  }
  device->capability_major = major;
  device->capability_minor = minor;
  return std::nullopt;
}

Wrong ReadPci(const toml::node& node, Description* device) {
  std::string text;
  if (auto wrong = ReadText(node, "pci_address", 16, &text)) return wrong;
  int end = 0;
  PciAddress& pci = device->pci;
  const bool shape = text.size() == 12 && text[4] == ':' && text[7] == ':' && text[10] == '.' &&
                     text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
  if (!shape ||
      sscanf(text.c_str(), "%4x:%2x:%2x.%1x%n", &pci.domain, &pci.bus, &pci.device, &pci.function, &end) !=
          4 ||
      end != 12 || pci.device > 31 || pci.function > 7) {
    return Refuse(node, "'pci_address' must be text such as \"0000:01:00.0\"");
  }
  return std::nullopt;
}

Wrong ReadMode(const toml::node& node, Description* device) {
  const auto text = node.value<std::string_view>();
  for (const auto mode : {model::DeviceMode::kFifo, model::DeviceMode::kSliced, model::DeviceMode::kMerged}) {
    if (text && *text == model::DeviceModeName(mode)) {
      device->mode = mode;
      return std::nullopt;
    }
  }
  return Refuse(node, "'mode' must be \"sliced\", \"merged\" or \"fifo\"");
}

Wrong ReadDeviceKey(std::string_view key, const toml::node& node, Description* device) {
  if (key == "name") return ReadText(node, key, 200, &device->name);
  if (key == "compute_capability") return ReadCapability(node, device);
  if (key == "pci_address") return ReadPci(node, device);
  if (key == "multiprocessors") return ReadInt(node, key, 1, 1024, &device->multiprocessors);
  if (key == "clock_mhz") return ReadInt(node, key, 1, 100'000, &device->clock_mhz);
  if (key == "memory_mib") {
    std::int64_t mib = 0;
    auto wrong = ReadWhole(node, key, 1, 16'777'216, &mib);
    if (!wrong) device->memory_bytes = static_cast<std::uint64_t>(mib) << 20;
    return wrong;
  }
  return Refuse(node, Quote(key) +
                          " is unknown in [device]: use name, memory_mib, compute_capability, pci_address, "
                          "multiprocessors or clock_mhz");
}

Wrong ReadTimeKey(std::string_view key, const toml::node& node, Description* device) {
  constexpr double kLeastRate = 0.001;  // 1 MB/s
  constexpr double kMostRate = 1e6;
  if (key == "mode") return ReadMode(node, device);
  if (key == "slice_us") {
    auto wrong = ReadUs(node, key, &device->slice_ns);
    if (!wrong && device->slice_ns < 1000) return Refuse(node, "'slice_us' must be at least 1");
    return wrong;
  }
  if (key == "switch_us") return ReadUs(node, key, &device->switch_ns);
  if (key == "launch_latency_us") return ReadUs(node, key, &device->launch_latency_ns);
  if (key == "copy_latency_us") return ReadUs(node, key, &device->copy_latency_ns);
  if (key == "copy_engines") return ReadInt(node, key, 1, 2, &device->copy_engines);
  if (key == "durations") return ReadText(node, key, 4096, &device->durations);
  constexpr std::string_view kRates[] = {"host_to_device_gb_s", "device_to_host_gb_s",
                                         "device_to_device_gb_s"};
  for (std::size_t i = 0; i < std::size(kRates); ++i) {
    if (key == kRates[i]) return ReadNumber(node, key, kLeastRate, kMostRate, &device->copy_bytes_per_ns[i]);
  }
  return Refuse(node, Quote(key) +
                          " is unknown in [time]: use mode, slice_us, switch_us, launch_latency_us, "
                          "copy_latency_us, host_to_device_gb_s, device_to_host_gb_s, device_to_device_gb_s, "
                          "copy_engines or durations");
}

Wrong ReadGrid(const toml::node& node, KernelRule* rule) {
  const toml::array* list = node.as_array();
  if (list == nullptr || list->empty() || list->size() > 3) {
    return Refuse(node, "'grid' must be a list of one to three whole numbers");
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    std::int64_t size = 0;
    if (auto wrong = ReadWhole((*list)[i], "grid", 1, 2'147'483'647, &size)) return wrong;
    rule->grid[i] = static_cast<std::uint32_t>(size);
  }
  rule->has_grid = true;
  return std::nullopt;
}

// `named`: an entry of [[kernel]], which has a name and perhaps a grid.
Wrong ReadRuleKey(std::string_view key, const toml::node& node, bool named, KernelRule* rule) {
  if (key == "us") return ReadUs(node, key, &rule->base_ns);
  if (key == "ns_per_block") return ReadNumber(node, key, 0, 1e9, &rule->ns_per_block);
  if (key == "occupancy") {
    double part = 0;
    auto wrong = ReadNumber(node, key, 0.001, 1, &part);
    if (!wrong) rule->occupancy_permille = static_cast<std::int32_t>(std::lround(part * 1000));
    return wrong;
  }
  if (key == "error") return ReadInt(node, key, 0, 999, &rule->error);
  if (named && key == "name") return ReadText(node, key, 1024, &rule->glob);
  if (named && key == "grid") return ReadGrid(node, rule);
  return Refuse(
      node,
      Quote(key) + (named ? " is unknown in [[kernel]]: use name, grid, us, ns_per_block, occupancy or error"
                          : " is unknown in [default]: use us, ns_per_block, occupancy or error"));
}

Wrong ReadKernels(const toml::node& node, Description* device) {
  const toml::array* list = node.as_array();
  if (list == nullptr || !list->is_array_of_tables()) {
    return Refuse(node, "'kernel' must be entries, each headed [[kernel]]");
  }
  if (list->size() > kMaxKernels) {
    return Refuse(node, "more than " + std::to_string(kMaxKernels) + " [[kernel]] entries: use patterns");
  }
  for (const toml::node& entry : *list) {
    KernelRule rule = device->fallback;
    for (const auto& [key, value] : *entry.as_table()) {
      if (auto wrong = ReadRuleKey(key.str(), value, true, &rule)) return wrong;
    }
    if (!entry.as_table()->contains("name")) return Refuse(entry, "this [[kernel]] has no 'name'");
    device->kernels.push_back(std::move(rule));
  }
  return std::nullopt;
}

template <typename ReadKey>
Wrong ReadSection(const toml::table& root, std::string_view name, ReadKey&& read_key) {
  const toml::node* node = root.get(name);
  if (node == nullptr) return std::nullopt;
  if (!node->is_table())
    return Refuse(*node, Quote(name) + " must be a section, [" + std::string(name) + "]");
  for (const auto& [key, value] : *node->as_table()) {
    if (auto wrong = read_key(key.str(), value)) return wrong;
  }
  return std::nullopt;
}

Wrong ReadRoot(const toml::table& root, Description* device) {
  for (const auto& [key, value] : root) {
    const std::string_view name = key.str();
    if (name != "device" && name != "time" && name != "default" && name != "kernel") {
      return Refuse(value, Quote(name) + " is unknown: use [device], [time], [default] or [[kernel]]");
    }
  }
  using Node = const toml::node&;
  auto wrong = ReadSection(root, "device",
                           [&](std::string_view key, Node node) { return ReadDeviceKey(key, node, device); });
  if (wrong) return wrong;
  wrong = ReadSection(root, "time",
                      [&](std::string_view key, Node node) { return ReadTimeKey(key, node, device); });
  if (wrong) return wrong;
  // Before the entries, whose absent keys it gives.
  wrong = ReadSection(root, "default", [&](std::string_view key, Node node) {
    return ReadRuleKey(key, node, false, &device->fallback);
  });
  if (wrong) return wrong;
  const toml::node* kernels = root.get("kernel");
  return kernels == nullptr ? std::nullopt : ReadKernels(*kernels, device);
}

std::string At(std::string_view file, std::size_t line) {
  return std::string(file) + ":" + std::to_string(line) + ": ";
}

}  // namespace

Result<Description> ReadDescription(std::string_view text, std::string_view file) {
  if (text.find('\0') != std::string_view::npos) {
    return Error{Code::kInvalid, std::string(file) + ": a NUL byte: a device description must be text"};
  }
  if (const std::size_t line = base::FindStrayCharacter(text)) {
    return Error{Code::kInvalid, At(file, line) + "not TOML: " + std::string(base::kStrayCharacter)};
  }
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    std::string what(parsed.error().description());
    std::replace_if(
        what.begin(), what.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
        '?');
    return Error{Code::kInvalid,
                 At(file, parsed.error().source().begin.line) + "not TOML: " + what.substr(0, 200)};
  }
  Description device;
  if (const auto wrong = ReadRoot(parsed.table(), &device)) {
    return Error{Code::kInvalid, At(file, wrong->line) + wrong->what};
  }
  return device;
}

}  // namespace mortar::simcuda
