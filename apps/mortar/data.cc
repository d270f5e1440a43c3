// mortar data: brings public traces and profiles into a cache, each known by its commit and checksum.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "board/view.h"
#include "mortar/data_cache.h"
#include "mortar/data_sets.h"
#include "mortar/invocation.h"
#include "mortar/output.h"
#include "trace/byte_source.h"

namespace mortar::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLargestList = std::size_t{16} << 20;

struct Data {
  std::string name;
  std::string list;  // a file; empty: the built-in one
  bool json = false;
};

int Refuse(const char* command, int code, const std::string& why) {
  Complain(fmt::format("mortar data {}: {}", command, board::CleanText(why)));
  return code;
}

void PrintJson(const ordered_json& json) {
  Print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

base::Result<std::vector<DataSet>> ReadSets(const std::string& list) {
  if (list.empty()) return ParseDataSets(kBuiltInDataSets, "the built-in list");
  auto source = trace::OpenSource(list);
  if (!source.ok()) return source.error();
  const auto text = trace::ReadAll(**source, kLargestList);
  if (!text.ok()) return text.error();
  return ParseDataSets(*text, list);
}

std::uint64_t SizeOf(const DataSet& set) {
  std::uint64_t size = 0;
  for (const DataFile& file : set.files) size += file.size;
  return size;
}

int ListData(const Data& options) {
  const auto sets = ReadSets(options.list);
  if (!sets.ok()) return Refuse("list", kBadInput, sets.error().message);
  if (options.json) {
    ordered_json json = ordered_json::array();
    for (const DataSet& set : *sets) {
      json.push_back({{"name", set.name},
                      {"what", set.what},
                      {"licence", set.licence},
                      {"files", set.files.size()},
                      {"bytes", SizeOf(set)}});
    }
    PrintJson(json);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"name", "size", "licence", "what"}};
  for (const DataSet& set : *sets) {
    rows.push_back(
        {set.name, fmt::format("{:.1f} MB", static_cast<double>(SizeOf(set)) / 1e6), set.licence, set.what});
  }
  Print(FormatTable(rows, {1}));
  return kDone;
}

std::string KnownNames(const std::vector<DataSet>& sets) {
  std::string names;
  for (const DataSet& set : sets) names += (names.empty() ? "" : ", ") + set.name;
  return names;
}

void ReportFetched(const DataSet& set, const std::vector<Fetched>& fetched, bool json) {
  std::string sources;
  for (const DataFile& file : set.files) {
    const std::string source = fmt::format("github.com/{} at {}", file.repository, file.commit.substr(0, 10));
    if (sources.find(source) == std::string::npos) sources += (sources.empty() ? "" : ", ") + source;
  }
  Complain(fmt::format("mortar data fetch: {}: {}; from {}; licence {}", set.name, set.what, sources,
                       set.licence));
  if (!json) {
    for (const Fetched& file : fetched) Print(file.path + "\n");
    return;
  }
  ordered_json files = ordered_json::array();
  for (std::size_t i = 0; i < fetched.size(); ++i) {
    files.push_back({{"path", fetched[i].path},
                     {"from_cache", fetched[i].from_cache},
                     {"repository", set.files[i].repository},
                     {"commit", set.files[i].commit},
                     {"sha256", set.files[i].sha256}});
  }
  PrintJson({{"name", set.name}, {"licence", set.licence}, {"files", files}});
}

int Fetch(const Data& options) {
  const auto sets = ReadSets(options.list);
  if (!sets.ok()) return Refuse("fetch", kBadInput, sets.error().message);
  const auto directory = DataDirectory();
  if (!directory.ok()) return Refuse("fetch", kBadInput, directory.error().message);
  const char* mirror = std::getenv("MORTAR_DATA_URL");
  const std::string base_url =
      mirror != nullptr && *mirror != '\0' ? mirror : "https://raw.githubusercontent.com";
  for (const DataSet& set : *sets) {
    if (set.name != options.name) continue;
    const auto fetched = FetchData(set, *directory, base_url);
    if (!fetched.ok()) return Refuse("fetch", kFailed, fetched.error().message);
    ReportFetched(set, *fetched, options.json);
    return kDone;
  }
  return Refuse("fetch", kBadInput,
                fmt::format("there is no data set '{}'; there are {}", options.name, KnownNames(*sets)));
}

}  // namespace

void AddData(CLI::App& app, Invocation& invocation) {
  auto* data = app.add_subcommand("data", "Bring public traces and profiles");
  data->require_subcommand(1);
  auto options = std::make_shared<Data>();
  auto* list = data->add_subcommand("list", "Show which data sets there are, and under what licence");
  auto* fetch = data->add_subcommand("fetch", "Bring a data set into the cache and print its files' paths");
  fetch->add_option("NAME", options->name, "Data set, as `mortar data list` names it")->required();
  for (auto* command : {list, fetch}) {
    command->add_option("--list", options->list, "A list of your own instead of the built-in one (JSON)")
        ->type_name("FILE");
    command->add_flag("--json", options->json, "JSON on stdout");
  }
  fetch->footer(
      "Files come from public repositories at the commits that the list names, and are kept only if their "
      "SHA-256 is "
      "the one\nlisted; what is in the cache is used without the network. They are others' work under "
      "others' "
      "licences: see the list.\nCache: $XDG_CACHE_HOME/mortar/data, else ~/.cache/mortar/data. "
      "$MORTAR_DATA_URL: a "
      "mirror to fetch from.\n\n"
      "Example:\n  mortar trace show $(mortar data fetch linear-2080ti)");
  list->callback([&invocation, options] { invocation.action = [options] { return ListData(*options); }; });
  fetch->callback([&invocation, options] { invocation.action = [options] { return Fetch(*options); }; });
}

}  // namespace mortar::cli
