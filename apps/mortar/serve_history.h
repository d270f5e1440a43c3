// The last minutes, for the plots of the live page: samples as JSON, ready to be sent. Bounded in number and
// in bytes. One thread. Not here: the boards, HTTP.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "mortar/watch.h"

namespace mortar::cli {

// What replies share: made once a look, however many ask for it.
using Body = std::shared_ptr<const std::string>;

class History {
 public:
  static constexpr std::size_t kMostSamples = 300;     // chosen: five minutes, a look a second
  static constexpr std::size_t kMostBytes = 8U << 20;  // chosen; older samples go first
  static constexpr std::int64_t kFewSamples = 10;      // an answer holds so many at most, or all

  void Add(const Sample& sample);
  // The samples behind number `after`, and the newest in full. A number that is not known: all of them.
  Body After(std::int64_t after);

  std::size_t size() const { return samples_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::string Compose(std::size_t count, bool restarted) const;

  std::deque<std::string> samples_;
  std::size_t bytes_ = 0;
  std::int64_t last_ = -1;  // number of the newest
  std::string now_ = "null";
  Body all_, newest_;  // answers since the last Add
};

// One sample for the plots, with short names: it is kept and sent many times.
nlohmann::json PlotJson(const Sample& sample);

}  // namespace mortar::cli
