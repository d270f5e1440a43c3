// What `mortar top` shows of one sample, as lines of styled text. Pure; any thread. Not here: the terminal.
#pragma once

#include <string>
#include <vector>

#include "mortar/watch.h"

namespace mortar::cli {

enum class Style { kPlain, kTitle, kDim, kHead, kHolder, kFiller, kWarn, kBad };

struct Span {
  std::string text;  // UTF-8, without control characters
  Style style = Style::kPlain;
};
using Line = std::vector<Span>;

enum class Order { kPriority, kDevice, kName };

struct FrameOptions {
  Order order = Order::kPriority;
  bool bars = true;     // of harm against its limit and of how busy the device is
  bool unicode = true;  // else the bars are of ASCII
};

const char* OrderName(Order order);
// The next in turn.
Order NextOrder(Order order);

std::vector<Line> ComposeFrame(const Sample& sample, const FrameOptions& options);

// The same without styles, for pipes.
std::string PlainText(const std::vector<Line>& lines);

}  // namespace mortar::cli
