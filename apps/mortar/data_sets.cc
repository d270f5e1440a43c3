#include "mortar/data_sets.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace mortar::cli {

const char kBuiltInDataSets[] = R"({"sets": [
{"name": "resnet50-v100", "licence": "BSD-3-Clause",
 "what": "PyTorch profiler traces of ResNet-50 training on a V100, with 0 and 4 loading processes",
 "files": [
  {"name": "workers0.json.gz", "repository": "pytorch/kineto", "commit": "be239c044d2f4b62982e1ff64144097acd69f59a",
   "path": "tb_plugin/samples/resnet50_num_workers_0/worker0.1623143089861.pt.trace.json.gz", "size": 1159569,
   "sha256": "a91798b500ce9d6e21c416ce32dcd8ecf4788489df86f59ba2f944906c90b853"},
  {"name": "workers4.json.gz", "repository": "pytorch/kineto", "commit": "c6e5fe205a8be11181aac547f88424cb3a28c8f8",
   "path": "tb_plugin/samples/resnet50_num_workers_4/worker0.1623212756351.pt.trace.json.gz", "size": 1095617,
   "sha256": "c290eb249e74824736f81886587614fc5d96660d3e60d0c256dee4b4a0e268f6"}]},
{"name": "cnn-ddp-v100", "licence": "MIT",
 "what": "PyTorch profiler trace of distributed CNN training on a V100, device saturated",
 "files": [
  {"name": "rank0.json.gz", "repository": "facebookresearch/HolisticTraceAnalysis",
   "commit": "c980c48309f7d59edf89271e771db4233dd3ccfa",
   "path": "tests/data/ns_resolution_trace/rank-0.Apr_03_18_51_38.1102.pt.trace.json.gz", "size": 1152519,
   "sha256": "e279d7280e73719e8dd9550e120cfe081fbe268596bd297fe5fcbf63e2b75a09"}]},
{"name": "linear-2080ti", "licence": "MIT",
 "what": "PyTorch profiler trace of training a small multilayer perceptron on an RTX 2080 Ti",
 "files": [
  {"name": "linear.json.gz", "repository": "facebookresearch/param",
   "commit": "fe2a39d0850bd1da12142577411231bd9f3a8da8", "path": "et_replay/tests/inputs/linear_kineto.json.gz",
   "size": 1187026, "sha256": "c2c4a2661c767ca22e89f18c945b7ba9aeb9d050b2e48f9adfbb2c45a59a9d42"}]},
{"name": "orion-v100", "licence": "MIT",
 "what": "durations of kernels in launch order on a V100: inference and training of ResNet-50, Transformer-XL, BERT",
 "files": [
  {"name": "resnet50_4_fwd", "repository": "eth-easl/orion", "commit": "d73c0c85a24526584f8f0c14213b3284bab72580",
   "path": "benchmarking/model_kernels/resnet50_4_fwd", "size": 6345,
   "sha256": "81c62a94966102fa27a37950b03ad3b9214ab17ecb4f93184caabfb8a1576434"},
  {"name": "resnet50_32_fb1", "repository": "eth-easl/orion", "commit": "cf04f97f2355e7d1652b367ce4bde6fe629ca3a2",
   "path": "benchmarking/model_kernels/resnet50_32_fb1", "size": 46121,
   "sha256": "9872021a12a2c611421320b9bd3f12a9696bf651c8d69e8f6de242af4e3eabfe"},
  {"name": "transformer_xl_8_fb1", "repository": "eth-easl/orion",
   "commit": "d73c0c85a24526584f8f0c14213b3284bab72580", "path": "benchmarking/model_kernels/transformer_xl_8_fb1",
   "size": 243739, "sha256": "489a3ce0742a32c6d948c475ba3110dd9b7ac748b908567f2c9908ff027e8467"},
  {"name": "bert_8_fb1", "repository": "eth-easl/orion", "commit": "27837ac17236c2e37ada40d36f7c3e140909016d",
   "path": "benchmarking/model_kernels/v100/bert_8_fb1", "size": 267376,
   "sha256": "a9a58694e1f36dcb3383eb3a0ee91130f52f67124d59a905f9876ab375698217"}]},
{"name": "azure-llm", "licence": "CC-BY-4.0",
 "what": "arrivals of 19,366 requests to conversational LLM services, 2023-11-16",
 "files": [
  {"name": "conv.csv", "repository": "Azure/AzurePublicDataset", "commit": "790921015d50dd6aae7f7e47f39ba0e235ad6b08",
   "path": "data/AzureLLMInferenceTrace_conv.csv", "size": 719188,
   "sha256": "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8"}]},
{"name": "disb", "licence": "Apache-2.0",
 "what": "real-time and best-effort inference tasks with recorded arrivals",
 "files": [
  {"name": "REAL.json", "repository": "SJTU-IPADS/disb", "commit": "7ad5fba6d5304a9501cca49406652f85ce7e1887",
   "path": "benchmarks/workloads/REAL.json", "size": 49371,
   "sha256": "38054deed9b8bff6c1d60da9c4fd071b9dba968b52ea844d1ac60ab385f49ae2"}]}
]})";

namespace {

using nlohmann::json;

base::Error Bad(const std::string& source, const std::string& what) {
  return {base::Code::kInvalid, "read " + source + ": " + what};
}

bool IsHex(const std::string& text, std::size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f');
         });
}

// Becomes the name of a file or folder.
bool IsPlainName(const std::string& text) {
  return !text.empty() && text.size() <= 100 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

// Becomes part of an address.
bool IsPlainPath(const std::string& text) {
  return !text.empty() && text.front() != '/' && text.find("..") == std::string::npos &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
         });
}

std::string Text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

base::Result<DataFile> ParseFile(const json& object, const std::string& where) {
  if (!object.is_object()) return Bad(where, "a file is no object");
  DataFile file;
  file.name = Text(object, "name");
  file.repository = Text(object, "repository");
  file.commit = Text(object, "commit");
  file.path = Text(object, "path");
  file.sha256 = Text(object, "sha256");
  const auto size = object.find("size");
  if (!IsPlainName(file.name)) return Bad(where, "a file without a plain 'name'");
  const std::string which = where + ": file " + file.name;
  if (!IsPlainPath(file.repository)) return Bad(which, "'repository' is not owner/name");
  if (!IsHex(file.commit, 40)) return Bad(which, "'commit' is not 40 hexadecimal digits");
  if (!IsPlainPath(file.path)) return Bad(which, "'path' is no plain path");
  if (!IsHex(file.sha256, 64)) return Bad(which, "'sha256' is not 64 hexadecimal digits");
  if (size == object.end() || !size->is_number_unsigned()) return Bad(which, "'size' is no number of bytes");
  file.size = size->get<std::uint64_t>();
  return file;
}

}  // namespace

base::Result<std::vector<DataSet>> ParseDataSets(std::string_view text, const std::string& source) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object() || !root.contains("sets") || !root["sets"].is_array()) {
    return Bad(source, "no JSON object with a list 'sets'");
  }
  std::vector<DataSet> sets;
  for (const json& object : root["sets"]) {
    if (!object.is_object() || !object.contains("files") || !object["files"].is_array()) {
      return Bad(source, "set " + std::to_string(sets.size()) + " has no list 'files'");
    }
    DataSet& set = sets.emplace_back();
    set.name = Text(object, "name");
    set.what = Text(object, "what");
    set.licence = Text(object, "licence");
    if (!IsPlainName(set.name)) return Bad(source, "a set without a plain 'name'");
    const std::string where = source + ": set " + set.name;
    if (set.licence.empty()) return Bad(where, "no 'licence'");
    for (const json& file : object["files"]) {
      auto parsed = ParseFile(file, where);
      if (!parsed.ok()) return parsed.error();
      set.files.push_back(std::move(parsed).value());
    }
  }
  return sets;
}

}  // namespace mortar::cli
