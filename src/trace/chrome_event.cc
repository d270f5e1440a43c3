#include "trace/chrome_event.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "trace/json_cutter.h"

namespace mortar::trace {
namespace {

namespace json = simdjson::ondemand;

static_assert(kCutterPadding >= simdjson::SIMDJSON_PADDING);

bool EndsWithWord(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.ends_with(end) && text[text.size() - end.size() - 1] == '_';
}

EventClass ClassOfSlice(std::string_view category, std::string_view name, std::string_view pid) {
  if (category == "kernel" || category == "Kernel" || category.starts_with("kernel,"))
    return EventClass::kKernel;
  if (category == "gpu_memcpy" || category == "Memcpy") return EventClass::kCopy;
  if (category == "gpu_memset" || category == "Memset") return EventClass::kSet;
  if (category == "Runtime" || EndsWithWord(category, "runtime") || EndsWithWord(category, "driver"))
    return EventClass::kCall;
  if (category == "cuda_sync") return EventClass::kSync;
  if (category == "wait") return EventClass::kWait;
  if (category == "request" || category == "request,control") return EventClass::kRequest;
  if (name.starts_with("ProfilerStep") && !category.starts_with("gpu_")) return EventClass::kStep;
  if (category.empty() && (pid == "CUDA functions" || pid == "CUDA Functions")) return EventClass::kLegacy;
  return EventClass::kOther;
}

bool IsOperation(EventClass what) {
  return what == EventClass::kKernel || what == EventClass::kCopy || what == EventClass::kSet;
}

EventClass Classify(const ChromeEvent& event) {
  switch (event.phase) {
    case 'B':
      return IsOperation(ClassOfSlice(event.category, event.name, event.pid)) ? EventClass::kHalf
                                                                              : EventClass::kOther;
    case 'X':
      return ClassOfSlice(event.category, event.name, event.pid);
    case 'M':
      return event.name == "process_name" || event.name == "thread_name" || event.name == "process_labels"
                 ? EventClass::kName
                 : EventClass::kOther;
    case 's':
    case 'f':
      return event.category == "fwdbwd" ? EventClass::kFlow : EventClass::kOther;
    case 'i':
      return event.category == "submit" ? EventClass::kSubmit : EventClass::kOther;
    default:
      return EventClass::kOther;
  }
}

std::string_view Trimmed(std::string_view token) {
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"') {
    token.remove_prefix(1);
    token.remove_suffix(1);
  }
  return token;
}

std::int64_t Integer(std::string_view token) {
  std::int64_t value = 0;
  const std::string_view digits = Trimmed(token);
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value);
  if (parsed.ec == std::errc() && parsed.ptr == end) return value;
  // Some writers have floats only: 7.0 is 7.
  constexpr double kExact = 9007199254740992;  // 2^53
  double number = 0;
  const auto again = std::from_chars(digits.data(), end, number);
  const bool whole = again.ec == std::errc() && again.ptr == end && std::abs(number) <= kExact &&
                     std::trunc(number) == number;
  return whole ? static_cast<std::int64_t>(number) : kMissing;
}

// A field's name as it stands in the text: those that we look for have no escapes.
std::string_view KeyOf(json::raw_json_string key) {
  const char* text = key.raw();
  return {text, static_cast<std::size_t>(static_cast<const char*>(std::strchr(text, '"')) - text)};
}

simdjson::error_code ReadTriple(json::value value, std::array<std::uint64_t, 3>* out, bool* known) {
  json::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return simdjson::SUCCESS;
  std::size_t i = 0;
  for (auto item : array) {
    json::value element;
    if (const auto error = item.get(element)) return error;
    const std::int64_t number = Integer(element.raw_json_token());
    if (i < out->size() && number >= 0) (*out)[i++] = static_cast<std::uint64_t>(number);
  }
  *known = *known || i > 0;
  return simdjson::SUCCESS;
}

struct ArgumentField {
  std::string_view key;
  std::int64_t ChromeEvent::*place;
};
constexpr ArgumentField kArgumentFields[] = {
    {"correlation", &ChromeEvent::correlation},
    {"stream", &ChromeEvent::stream},
    {"device", &ChromeEvent::device},
    {"bytes", &ChromeEvent::bytes},
    {"wait_on_stream", &ChromeEvent::wait_on_stream},
    {"wait_on_cuda_event_record_corr_id", &ChromeEvent::wait_on_record},
};

simdjson::error_code ReadArgument(std::string_view key, json::value value, ChromeEvent* event) {
  if (key == "grid") return ReadTriple(value, &event->shape.grid, &event->shape_known);
  if (key == "block") return ReadTriple(value, &event->shape.block, &event->shape_known);
  if (key == "name" || key == "labels" || key == "cuda_sync_kind") {
    auto& place = key == "cuda_sync_kind" ? event->sync_kind : event->label;
    if (value.get_string().get(place) != simdjson::SUCCESS) place = {};
    return simdjson::SUCCESS;
  }
  for (const ArgumentField& field : kArgumentFields) {
    if (key != field.key) continue;
    event->*field.place = Integer(value.raw_json_token());
    return simdjson::SUCCESS;
  }
  if (key == "shared memory") {
    const std::int64_t bytes = Integer(value.raw_json_token());
    if (bytes > 0) event->shape.shared_bytes = static_cast<std::uint64_t>(bytes);
  } else if (key.ends_with("_us")) {
    std::int64_t ns = 0;
    if (!ParseMicroseconds(Trimmed(value.raw_json_token()), &ns)) return simdjson::SUCCESS;
    if (key == "submitted_before_us") event->submitted_before_ns = ns;
    if (key == "drawn_late_us") event->drawn_late_ns = ns;
    if (key == "drawn_short_us") event->drawn_short_ns = ns;
  } else if (key == "time") {
    event->measured = Trimmed(value.raw_json_token()) != "predicted";
    event->predicted_seen = true;
  }
  return simdjson::SUCCESS;
}

simdjson::error_code ReadArguments(json::value value, ChromeEvent* event) {
  json::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return simdjson::SUCCESS;
  for (auto item : object) {
    json::field field;
    if (const auto error = std::move(item).get(field)) return error;
    if (const auto error = ReadArgument(KeyOf(field.key()), field.value(), event)) return error;
  }
  return simdjson::SUCCESS;
}

void ReadTime(json::value value, ChromeEvent* event, std::int64_t* ns) {
  if (!ParseMicroseconds(Trimmed(value.raw_json_token()), ns)) event->bad_time = true;
}

// Every string that a parser hands out lives in its own buffer until the next document.
void ReadText(json::value value, std::string_view* text) {
  if (value.get_string().get(*text) != simdjson::SUCCESS) *text = {};
}

simdjson::error_code ReadField(std::string_view key, json::value value, ChromeEvent* event) {
  if (key == "args") return ReadArguments(value, event);
  if (key == "ts") {
    ReadTime(value, event, &event->ts_ns);
  } else if (key == "dur") {
    ReadTime(value, event, &event->dur_ns);
  } else if (key == "pid") {
    event->pid = Trimmed(value.raw_json_token());
  } else if (key == "tid") {
    event->tid = Trimmed(value.raw_json_token());
  } else if (key == "name") {
    ReadText(value, &event->name);
  } else if (key == "cat") {
    ReadText(value, &event->category);
  } else if (key == "ph") {
    std::string_view phase;
    ReadText(value, &phase);
    event->phase = phase.size() == 1 ? phase.front() : '?';
  }
  return simdjson::SUCCESS;
}

// Whether the rest need not be read. Kineto writes ph, cat and name first.
bool IsKnownUseless(const ChromeEvent& event) {
  switch (event.phase) {
    case 0:
      return false;
    case 'B':
    case 'X':
      return !event.category.empty() && !event.name.empty() &&
             ClassOfSlice(event.category, event.name, event.pid) == EventClass::kOther;
    case 's':
    case 'f':
      return !event.category.empty() && event.category != "fwdbwd";
    case 'i':
    case 'M':
      return false;
    default:
      return true;
  }
}

simdjson::error_code ReadEvent(json::document& document, ChromeEvent* event) {
  json::object object;
  if (const auto error = document.get_object().get(object)) return error;
  int known = 0;
  for (auto item : object) {
    json::field field;
    if (const auto error = std::move(item).get(field)) return error;
    const std::string_view key = KeyOf(field.key());
    if (const auto error = ReadField(key, field.value(), event)) return error;
    if (key == "ph" || key == "cat" || key == "name") {
      if (++known >= 2 && IsKnownUseless(*event)) return simdjson::SUCCESS;
    }
  }
  event->what = Classify(*event);
  return simdjson::SUCCESS;
}

}  // namespace

struct EventParser::Impl {
  json::parser parser;
};

EventParser::EventParser() : impl_(std::make_unique<Impl>()) {}
EventParser::~EventParser() = default;

base::Result<ChromeEvent> EventParser::Parse(std::string_view text) {
  ChromeEvent event;
  json::document document;
  auto error = impl_->parser.iterate(text.data(), text.size(), text.size() + kCutterPadding).get(document);
  if (!error) error = ReadEvent(document, &event);
  if (error == simdjson::UTF8_ERROR) return base::Error{base::Code::kInvalid, "text that is not UTF-8"};
  if (error) return base::Error{base::Code::kCorrupt, simdjson::error_message(error)};
  return event;
}

std::vector<std::pair<std::int64_t, std::string>> ParseDeviceProperties(std::string_view text) {
  std::vector<std::pair<std::int64_t, std::string>> devices;
  simdjson::padded_string padded(text);
  simdjson::dom::parser parser;
  simdjson::dom::array array;
  if (parser.parse(padded).get(array) != simdjson::SUCCESS) return devices;
  for (const simdjson::dom::element device : array) {
    std::int64_t number = 0;
    std::string_view name;
    if (device["id"].get(number) != simdjson::SUCCESS) continue;
    if (device["name"].get(name) != simdjson::SUCCESS) name = {};
    devices.emplace_back(number, name);
  }
  return devices;
}

bool ParseMicroseconds(std::string_view text, std::int64_t* ns) {
  constexpr std::int64_t kMost =
      4'000'000'000'000'000;  // µs, as after 1970 until 2096; sums of two fit in ns
  if (text.empty()) return false;
  const bool negative = text.front() == '-';
  std::size_t i = negative ? 1 : 0;
  const std::size_t digits = i;
  std::int64_t whole = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    whole = whole * 10 + (text[i] - '0');
    if (whole > kMost) return false;
  }
  if (i == digits) return false;
  std::int64_t fraction = 0;
  if (i < text.size() && text[i] == '.') {
    std::int64_t scale = 100;
    for (++i; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      if (scale > 0) fraction += scale * (text[i] - '0');
      if (scale == 0 && text[i] >= '5') ++fraction;
      scale = scale == 0 ? -1 : scale / 10;
    }
  }
  if (i < text.size()) {  // an exponent: rare, and then no more exact than the writer's own arithmetic
    double value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return false;
    if (!(std::abs(value) <= static_cast<double>(kMost))) return false;
    *ns = std::llround(value * 1000);
    return true;
  }
  const std::int64_t size = whole * 1000 + fraction;
  *ns = negative ? -size : size;
  return true;
}

bool ParseTrailingNumber(std::string_view text, std::int64_t* number) {
  std::size_t first = text.size();
  while (first > 0 && text[first - 1] >= '0' && text[first - 1] <= '9') --first;
  if (first == text.size()) return false;
  if (first > 0 && text[first - 1] == '-') --first;
  const auto parsed = std::from_chars(text.data() + first, text.data() + text.size(), *number);
  return parsed.ec == std::errc();
}

}  // namespace mortar::trace
