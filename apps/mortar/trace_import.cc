// mortar trace import: reads a recorded program once and keeps it as a compact file.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "board/view.h"
#include "mortar/output.h"
#include "mortar/show_report.h"
#include "mortar/trace_commands.h"
#include "trace/mtr.h"
#include "trace/read_recording.h"

namespace mortar::cli {
namespace {

struct Import {
  std::string file;
  std::string output;
  trace::ReadOptions read;
  bool json = false;
};

int Refuse(const base::Error& error) {
  Complain("mortar trace import: " + board::CleanText(error.message));
  return error.code == base::Code::kSystem || error.code == base::Code::kFull ? kFailed : kBadInput;
}

int ImportTrace(const Import& options) {
  const auto recording = trace::ReadRecording(options.file, options.read);
  if (!recording.ok()) return Refuse(recording.error());
  if (const auto written = trace::WriteMtr(*recording, options.output); !written.ok()) {
    Complain("mortar trace import: " + board::CleanText(written.error().message));
    return kFailed;
  }
  std::error_code unknown;
  const auto size = std::filesystem::file_size(options.output, unknown);
  Complain(fmt::format("mortar trace import: {}: {}; {} KiB", board::CleanText(options.output),
                       DescribeProgram(*recording), unknown ? 0 : (size + 1023) / 1024));
  for (const trace::Note& note : recording->notes) {
    Complain(fmt::format("mortar trace import: {}: {} {}", note.left_out ? "not used" : "assumed", note.count,
                         board::CleanText(note.what)));
  }
  if (options.json) {
    auto json = ToJson(MakeShowReport(*recording));
    json["output"] = options.output;
    Print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return kDone;
}

}  // namespace

void AddTraceImport(CLI::App& trace, Invocation& invocation) {
  auto* command =
      trace.add_subcommand("import", "Read a recorded program once and keep it as a compact file");
  auto options = std::make_shared<Import>();
  command->add_option("FILE", options->file, "Recording to read; FILE#NAME: the program NAME in it")
      ->required();
  command->add_option("-o,--output", options->output, "Compact recording to write: NAME.mtr")
      ->type_name("FILE")
      ->required();
  command->add_flag("--device-only", options->read.device_only,
                    "Use the device's times alone, for a file without a usable host side");
  command->add_flag("--json", options->json, "What `mortar trace show --json` says, on stdout");
  command->footer(
      "Reads Chrome traces of the PyTorch profiler (CUDA, ROCm), plain or gzip, timelines of `mortar trace "
      "record`, lists of\nkernels with durations (CSV with Name and Duration), and .mtr files. What cannot "
      "be used "
      "is named with its count.\nEvery command that takes a recording reads all of them directly; a .mtr "
      "file is "
      "smaller and opens at once.\n\n"
      "Example:\n  mortar trace import resnet.pt.trace.json.gz -o resnet.mtr");
  command->callback(
      [&invocation, options] { invocation.action = [options] { return ImportTrace(*options); }; });
}

}  // namespace mortar::cli
