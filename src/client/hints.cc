#include "client/hints.h"

#include <mortar/mortar.h>

#include "client/process.h"

namespace mortar::client {
namespace {

struct Setting {
  unsigned hint;
  long long least, most;
  std::uint32_t board::JoinRequest::*asked;
  board::Atomic<std::uint32_t> board::Slot::*field;
};
constexpr Setting kSettings[] = {
    {MORTAR_HINT_PRIORITY, 0, 9, &board::JoinRequest::priority, &board::Slot::priority},
    {MORTAR_HINT_MAX_SLOWDOWN_PPM, 0, 10'000'000, &board::JoinRequest::max_slowdown_ppm,
     &board::Slot::max_slowdown_ppm},
    {MORTAR_HINT_WEIGHT_PERMILLE, 1, 1'000'000, &board::JoinRequest::weight_permille,
     &board::Slot::weight_permille},
};

int Set(const Setting& setting, long long value) {
  if (value < setting.least || value > setting.most) return MORTAR_INVALID;
  const auto checked = static_cast<std::uint32_t>(value);
  const bool scheduled =
      ForEachSession([&](board::JoinRequest& join) { join.*setting.asked = checked; },
                     [&](Session& session) {
                       (session.slot().*setting.field).store(checked, std::memory_order_relaxed);
                       session.board().Bump();
                     });
  return scheduled ? MORTAR_OK : MORTAR_NOT_THERE;
}

int Take(unsigned hint, long long value) {
  switch (hint) {
    case MORTAR_HINT_REQUEST_BEGIN:
      return MarkThread(Mark::kRequestBegin) ? MORTAR_OK : MORTAR_NOT_THERE;
    case MORTAR_HINT_REQUEST_END:
      return MarkThread(Mark::kRequestEnd) ? MORTAR_OK : MORTAR_NOT_THERE;
    case MORTAR_HINT_MINIBATCH_BEGIN:
      return MarkThread(Mark::kMinibatchBegin) ? MORTAR_OK : MORTAR_NOT_THERE;
    case MORTAR_HINT_MINIBATCH_END:
      return MarkThread(Mark::kMinibatchEnd) ? MORTAR_OK : MORTAR_NOT_THERE;
    default:
      break;
  }
  for (const Setting& setting : kSettings) {
    if (setting.hint == hint) return Set(setting, value);
  }
  return MORTAR_INVALID;
}

}  // namespace

int TakeHint(unsigned hint, long long value) noexcept {
  try {
    return Take(hint, value);
  } catch (...) {  // out of memory: the program goes on, unheard
    return MORTAR_NOT_THERE;
  }
}

}  // namespace mortar::client
