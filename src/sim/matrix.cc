#include "sim/matrix.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <optional>
#include <thread>

namespace mortar::sim {
namespace {

constexpr double kKept = 1.05;  // issue C: what counts as unharmed

// Runs `work(i)` for all i below `count` on `threads` threads.
void ForAll(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> workers;
  for (unsigned i = 1; i < std::min<std::size_t>(std::max(1U, threads), count); ++i)
    workers.emplace_back(loop);
  loop();
}

}  // namespace

base::Status MeasureMatrix(Bench& bench, const std::vector<Source>& holders,
                           const std::vector<Source>& fillers, const std::vector<Policy>& policies,
                           unsigned threads, const std::function<void(const MatrixCell&, const Row&)>& done,
                           const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<MatrixCell> cells;
  for (std::size_t h = 0; h < holders.size(); ++h) {
    for (std::size_t f = 0; f < fillers.size(); ++f) {
      for (const Policy policy : policies) cells.push_back({h, f, policy});
    }
  }
  std::vector<std::optional<base::Result<Row>>> rows(cells.size());
  std::mutex mutex;
  std::condition_variable made;
  std::atomic<bool> stop{false};
  std::jthread pool([&] {
    ForAll(cells.size(), threads, [&](std::size_t i) {
      if (stop) return;
      auto row = bench.Measure(holders[cells[i].holder], fillers[cells[i].filler], cells[i].policy);
      const std::lock_guard lock(mutex);
      rows[i] = std::move(row);
      made.notify_one();
    });
  });
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::unique_lock lock(mutex);
    made.wait(lock, [&] { return rows[i].has_value(); });
    base::Result<Row> row = std::move(*rows[i]);
    lock.unlock();
    if (!row) {
      stop = true;
      return row.error();
    }
    done(cells[i], *row);
    progress(i + 1, cells.size());
  }
  return {};
}

base::Result<std::vector<std::string>> ExpandPaths(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      const std::string name = entry.path().string();
      const bool named = name.ends_with(".json") || name.ends_with(".json.gz") || name.ends_with(".mtr");
      if (named && entry.is_regular_file(error)) inside.push_back(name);
    }
    if (inside.empty()) {
      return base::Error{base::Code::kNotFound,
                         "look for recordings in " + path + ": no .json, .json.gz or .mtr file in it"};
    }
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

base::Result<std::vector<Source>> ReadSources(const std::vector<std::string>& paths, unsigned threads) {
  std::vector<std::optional<base::Result<Source>>> read(paths.size());
  ForAll(paths.size(), threads, [&](std::size_t i) { read[i] = ReadSource(paths[i]); });
  std::vector<Source> sources;
  for (auto& source : read) {
    if (!*source) return source->error();
    sources.push_back(std::move(**source));
  }
  return sources;
}

std::vector<Total> Totals(const std::vector<Row>& rows) {
  std::vector<Total> totals;
  for (const Row& row : rows) {
    auto at =
        std::find_if(totals.begin(), totals.end(), [&](const Total& t) { return t.policy == row.policy; });
    if (at == totals.end()) {
      totals.push_back({});
      at = totals.end() - 1;
      at->policy = row.policy;
    }
    const double tail = std::isnan(row.p99_x) ? row.max_x : row.p99_x;
    ++at->pairs;
    at->kept += tail <= kKept ? 1 : 0;
    if (tail > at->worst) {
      at->worst = tail;
      at->worst_pair = row.holder + " × " + row.filler;
    }
    at->work += row.filler_work_ns;
    at->gap += row.gap_work_ns;
    at->slack += row.slack_work_ns;
    at->alone += row.alone_work_ns;
  }
  return totals;
}

}  // namespace mortar::sim
