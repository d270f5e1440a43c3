// The page that `mortar sim --html` writes: one file, no scripts, nothing fetched. One thread.
#pragma once

#include <string>
#include <vector>

#include "sim/pair.h"

namespace mortar::cli {

class PageData {
 public:
  void Add(const sim::Row& row, const std::string& bound);
  std::string Html() const;

 private:
  struct Slice {
    double begin_ms = 0, end_ms = 0;
    bool fill = false;
  };
  struct Entry {
    sim::Row row;  // without its run
    std::string bound;
    std::vector<double> times;     // of the holder's requests, sorted, at most kPoints of them
    std::vector<Slice> device[2];  // holder, filler: the first of the window; empty without a trace
  };
  static std::string Timeline(const Entry& entry);
  std::string Distribution(const std::string& holder, const std::string& filler) const;
  std::string Table() const;

  std::vector<Entry> entries_;
};

}  // namespace mortar::cli
