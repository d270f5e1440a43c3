#include "mortar/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <tuple>

#include "board/view.h"
#include "client/options.h"
#include "predict/kernels.h"
#include "predict/profile_file.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestFile = 64 << 20;  // as client/profile_store reads
constexpr std::size_t kMostNamed = 8;

base::Result<std::string> ReadText(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return base::SystemError("read profile " + path, error.value());
  if (size > kLargestFile) return Error{Code::kCorrupt, "read profile " + path + ": too large to be one"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::SystemError("open profile " + path, errno);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What stands behind `key` on a line of its own.
std::string Field(const std::string& text, const std::string& key) {
  const std::size_t at = text.find("\n" + key + " ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size() + 2;
  return text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
}

KernelRow RowOf(const predict::Kernel& kernel) {
  KernelRow row;
  row.id = kernel.id;
  row.name = kernel.name;
  row.count = kernel.durations.total();
  row.median_ns = kernel.durations.Quantile(0.5);
  row.p90_ns = kernel.durations.Quantile(0.9);
  row.offline_duration_ns = kernel.offline_duration_ns.load();
  row.offline_gap_ns = kernel.offline_gap_ns.load();
  return row;
}

std::string OrDash(std::int64_t ns) { return ns > 0 ? FormatDuration(ns) : "-"; }

std::string NameSome(const std::vector<std::string>& paths) {
  std::string names;
  for (std::size_t i = 0; i < std::min(paths.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + board::CleanText(fs::path(paths[i]).stem().string());
  }
  return paths.size() > kMostNamed ? names + ", …" : names;
}

}  // namespace

base::Result<ProfileReport> ReadProfileReport(const std::string& path) {
  const auto text = ReadText(path);
  if (!text.ok()) return text.error();
  ProfileReport report{path, Field(*text, "device"), Field(*text, "program"), {}, 0};
  predict::KernelTable table;
  if (const auto read = predict::ReadProfile(*text, report.device, &table); !read.ok()) {
    const bool other = read.error().code == Code::kMismatch;
    return Error{read.error().code, "read profile " + path + ": " + read.error().message +
                                        (other ? "; record it again" : "; delete it and record it again")};
  }
  const std::lock_guard lock(table.mutex());
  for (std::size_t i = 0; i < table.size(); ++i) {
    report.kernels.push_back(RowOf(table.at(i)));
    if (report.kernels.back().offline_duration_ns > 0) ++report.recorded;
  }
  const auto order = [](const KernelRow& row) {
    return std::make_tuple(-static_cast<double>(row.count) * static_cast<double>(row.median_ns), row.name,
                           row.id);
  };
  std::sort(report.kernels.begin(), report.kernels.end(),
            [&](const KernelRow& a, const KernelRow& b) { return order(a) < order(b); });
  return report;
}

std::string ToText(const ProfileReport& report) {
  std::string text = fmt::format("{}: program {}, device {}, {} kernels, {} with offline means\n",
                                 board::CleanText(report.path), board::CleanText(report.program),
                                 board::CleanText(report.device), report.kernels.size(), report.recorded);
  std::vector<std::vector<std::string>> rows = {
      {"KERNEL", "ID", "COUNT", "MEDIAN", "P90", "OFFLINE MEAN", "OFFLINE GAP"}};
  for (const KernelRow& row : report.kernels) {
    rows.push_back({board::CleanText(row.name), fmt::format("{:016x}", row.id), std::to_string(row.count),
                    FormatDuration(row.median_ns), FormatDuration(row.p90_ns),
                    OrDash(row.offline_duration_ns), OrDash(row.offline_gap_ns)});
  }
  return text + FormatTable(rows, {2, 3, 4, 5, 6});
}

nlohmann::ordered_json ToJson(const ProfileReport& report) {
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  for (const KernelRow& row : report.kernels) {
    nlohmann::ordered_json kernel = {{"id", fmt::format("{:016x}", row.id)},
                                     {"name", row.name},
                                     {"count", row.count},
                                     {"median_ns", row.median_ns},
                                     {"p90_ns", row.p90_ns},
                                     {"offline_duration_ns", nullptr},
                                     {"offline_gap_ns", nullptr}};
    if (row.offline_duration_ns > 0) kernel["offline_duration_ns"] = row.offline_duration_ns;
    if (row.offline_gap_ns > 0) kernel["offline_gap_ns"] = row.offline_gap_ns;
    kernels.push_back(std::move(kernel));
  }
  return {{"path", report.path},
          {"device", report.device},
          {"program", report.program},
          {"recorded", report.recorded},
          {"kernels", std::move(kernels)}};
}

base::Result<std::string> ProfileDirectory() {
  const char* set = std::getenv("MORTAR_PROFILES");
  if (set != nullptr && *set == '\0') {
    return Error{Code::kInvalid, "MORTAR_PROFILES is set and empty, which keeps no profiles; unset it"};
  }
  const std::string directory = set != nullptr ? set : client::DefaultProfileDirectory();
  if (!directory.empty()) return directory;
  return Error{Code::kInvalid, "there is no HOME to keep profiles in; set MORTAR_PROFILES to a folder"};
}

std::vector<std::string> ListProfiles(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".mprof") paths.push_back(entry->path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

base::Result<std::vector<std::string>> FindProfiles(const std::string& directory, const std::string& name) {
  if (name.find('/') != std::string::npos || fs::path(name).extension() == ".mprof") {
    std::error_code ignored;
    if (fs::exists(name, ignored)) return std::vector{name};
  }
  const std::vector<std::string> all = ListProfiles(directory);
  std::vector<std::string> named;
  std::vector<std::string> exact;
  for (const std::string& path : all) {
    const fs::path file = fs::path(path).filename();
    if (file == name || file.stem() == name) exact.push_back(path);
    if (file.string().starts_with(name + "-")) named.push_back(path);
  }
  if (!exact.empty()) return exact;
  if (!named.empty()) return named;
  const std::string there =
      all.empty() ? "there are none; make one with mortar profile record" : "there are " + NameSome(all);
  return Error{Code::kNotFound,
               "no profile \"" + board::CleanText(name) + "\" in " + directory + ": " + there};
}

}  // namespace mortar::cli
