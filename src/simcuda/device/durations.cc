#include "simcuda/device/durations.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <tuple>

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;
using Cells = std::vector<std::string>;
using Wrong = std::optional<std::string>;

constexpr std::size_t kNone = SIZE_MAX;
constexpr std::size_t kMostColumns = 256;  // chosen: exports have some twenty
constexpr std::size_t kMostName = 4096;    // mangled names of templates are long
constexpr double kMostNs = 10'000'000'000;
constexpr std::uint32_t kMostGrid = 2'147'483'647;

struct Columns {
  std::size_t name = kNone;
  std::size_t length = kNone;
  double ns_per_unit = 1;
  std::size_t grid = kNone;
  std::array<std::size_t, 3> grid_xyz{kNone, kNone, kNone};
  std::size_t ns_per_block = kNone;
  std::size_t occupancy = kNone;
  std::size_t error = kNone;
};

std::string_view TakeLine(std::string_view* text) {
  const std::size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// A cell in quotes, which may hold commas and, doubled, quotes; `line` begins behind the opening one.
bool TakeQuoted(std::string_view* line, std::string* cell) {
  for (;;) {
    const std::size_t quote = line->find('"');
    if (quote == std::string_view::npos) return false;
    cell->append(line->substr(0, quote));
    line->remove_prefix(quote + 1);
    if (!line->starts_with('"')) return true;
    cell->push_back('"');
    line->remove_prefix(1);
  }
}

Wrong Split(std::string_view line, Cells* cells) {
  cells->clear();
  for (;;) {
    std::string cell;
    if (line.starts_with('"')) {
      line.remove_prefix(1);
      if (!TakeQuoted(&line, &cell)) return "a quote is not closed on its line";
      if (!line.empty() && line.front() != ',') return "text behind a closing quote";
    } else {
      const std::size_t comma = std::min(line.find(','), line.size());
      cell = std::string(Trim(line.substr(0, comma)));
      line.remove_prefix(comma);
    }
    cells->push_back(std::move(cell));
    if (cells->size() > kMostColumns) return "more than " + std::to_string(kMostColumns) + " columns";
    if (line.empty()) return std::nullopt;
    line.remove_prefix(1);
  }
}

std::size_t Find(const Cells& header, std::string_view name) {
  const auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? kNone : static_cast<std::size_t>(found - header.begin());
}

Wrong FindColumns(Cells header, Columns* columns) {
  for (std::string& cell : header) {
    for (char& c : cell) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  columns->name = Find(header, "name");
  // Ours first: a table by hand may say more precisely what an export says as well.
  constexpr std::pair<std::string_view, double> kLengths[] = {
      {"us", 1000},         {"ns", 1},      {"med (ns)", 1}, {"median (ns)", 1}, {"duration", 1},
      {"duration (ns)", 1}, {"avg (ns)", 1}};
  for (const auto& [name, ns_per_unit] : kLengths) {
    columns->length = Find(header, name);
    columns->ns_per_unit = ns_per_unit;
    if (columns->length != kNone) break;
  }
  columns->grid = std::min(Find(header, "grid"), Find(header, "gridxyz"));
  if (columns->grid == kNone)
    columns->grid_xyz = {Find(header, "grdx"), Find(header, "grdy"), Find(header, "grdz")};
  columns->ns_per_block = Find(header, "ns_per_block");
  columns->occupancy = Find(header, "occupancy");
  columns->error = Find(header, "error");
  if (columns->name != kNone && columns->length != kNone) return std::nullopt;
  return std::string("the first line must name the columns: no '") +
         (columns->name == kNone ? "name'" : "us', 'ns' or 'Duration (ns)'");
}

std::string_view Cell(const Cells& cells, std::size_t column) {
  return column < cells.size() ? Trim(cells[column]) : std::string_view();
}

std::string Quote(std::string_view cell) {
  std::string text = "'" + std::string(cell.substr(0, 60)) + "'";
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      '?');
  return text;
}

bool ReadNumber(std::string_view cell, double least, double most, double* out) {
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), *out);
  return problem == std::errc() && end == cell.data() + cell.size() && *out >= least && *out <= most;
}

// "64", "64x2x1", "64 2 1", "(64,2,1)".
bool ReadGrid(std::string_view cell, Grid* grid) {
  std::size_t count = 0;
  const char* at = cell.data();
  const char* end = at + cell.size();
  for (; at != end; ++count) {
    const std::size_t skipped = std::string_view(at, end).find_first_of("0123456789");
    const std::string_view between = std::string_view(at, end).substr(0, skipped);
    if (between.find_first_not_of(" x,;()") != std::string_view::npos) return false;
    if (skipped == std::string_view::npos) break;
    if (count == grid->size()) return false;
    std::uint32_t& size = (*grid)[count];
    const auto read = std::from_chars(at + skipped, end, size);
    if (read.ec != std::errc() || size < 1 || size > kMostGrid) return false;
    at = read.ptr;
  }
  return count > 0;
}

Wrong ReadGridOf(const Cells& cells, const Columns& columns, KernelRule* rule) {
  std::string text(Cell(cells, columns.grid));
  for (const std::size_t column : columns.grid_xyz) text.append(" ").append(Cell(cells, column));
  const std::string_view grid = Trim(text);
  if (grid.empty()) return std::nullopt;
  rule->has_grid = true;
  if (ReadGrid(grid, &rule->grid)) return std::nullopt;
  return "grid " + Quote(grid) + " must be one to three whole numbers from 1, such as 64x2x1";
}

Wrong ReadRow(const Cells& cells, const Columns& columns, KernelRule* rule) {
  const std::string_view name = Cell(cells, columns.name);
  if (name.empty() || name.size() > kMostName)
    return "a name must have 1 to " + std::to_string(kMostName) + " characters";
  rule->glob = std::string(name);
  const std::string_view length = Cell(cells, columns.length);
  double value = 0;
  if (!ReadNumber(length, 0, kMostNs / columns.ns_per_unit, &value))
    return "length " + Quote(length) + " must be a number from 0 to 10 s";
  rule->base_ns = std::llround(value * columns.ns_per_unit);
  if (auto wrong = ReadGridOf(cells, columns, rule)) return wrong;
  if (const auto cell = Cell(cells, columns.ns_per_block);
      !cell.empty() && !ReadNumber(cell, 0, 1e9, &rule->ns_per_block))
    return "ns_per_block " + Quote(cell) + " must be a number from 0 to 1000000000";
  if (const auto cell = Cell(cells, columns.occupancy); !cell.empty()) {
    if (!ReadNumber(cell, 0.001, 1, &value))
      return "occupancy " + Quote(cell) + " must be a number from 0.001 to 1";
    rule->occupancy_permille = static_cast<std::int32_t>(std::lround(value * 1000));
  }
  if (const auto cell = Cell(cells, columns.error); !cell.empty()) {
    if (!ReadNumber(cell, 0, 999, &value) || value != std::floor(value))
      return "error " + Quote(cell) + " must be a whole number from 0 to 999";
    rule->error = static_cast<int>(value);
  }
  return std::nullopt;
}

// Lines that mean the same launch, collected; the first line's other columns hold.
class Table {
 public:
  void Add(KernelRule rule) {
    const auto [entry, added] =
        entries_.try_emplace({rule.glob, rule.has_grid, rule.has_grid ? rule.grid : Grid{}}, rules_.size());
    if (added) {
      lengths_.emplace_back();
      rules_.push_back(std::move(rule));
      lengths_.back().push_back(rules_.back().base_ns);
    } else {
      lengths_[entry->second].push_back(rule.base_ns);
    }
  }

  std::vector<KernelRule> Take() {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      std::vector<std::int64_t>& all = lengths_[i];
      const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
      std::nth_element(all.begin(), middle, all.end());
      rules_[i].base_ns = *middle;
    }
    return std::move(rules_);
  }

 private:
  std::map<std::tuple<std::string, bool, Grid>, std::size_t> entries_;
  std::vector<KernelRule> rules_;
  std::vector<std::vector<std::int64_t>> lengths_;  // by rule
};

}  // namespace

Result<std::vector<KernelRule>> ParseDurations(std::string_view text, std::string_view file,
                                               const KernelRule& fallback) {
  std::size_t number = 0;
  const auto refuse = [&](const std::string& what) {
    return Error{Code::kInvalid, std::string(file) + ":" + std::to_string(number) + ": " + what};
  };
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Columns columns;
  Cells cells;
  Table table;
  while (!text.empty()) {
    const std::string_view line = TakeLine(&text);
    ++number;
    if (Trim(line).empty() || line.front() == '#') continue;
    if (const auto wrong = Split(line, &cells)) return refuse(*wrong);
    if (columns.name == kNone) {
      if (const auto wrong = FindColumns(cells, &columns)) return refuse(*wrong);
      continue;
    }
    if (Cell(cells, columns.name).starts_with("[CUDA ")) continue;
    KernelRule rule = fallback;
    if (const auto wrong = ReadRow(cells, columns, &rule)) return refuse(*wrong);
    table.Add(std::move(rule));
  }
  number = std::max<std::size_t>(number, 1);
  if (columns.name == kNone) return refuse("no columns: the first line must name them, such as name,grid,us");
  return table.Take();
}

}  // namespace mortar::simcuda
