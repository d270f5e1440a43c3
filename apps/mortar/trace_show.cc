// mortar trace show: what is in a recording, as text, JSON or a page.
#include <fmt/format.h>

#include <memory>

#include "board/view.h"
#include "mortar/output.h"
#include "mortar/show_page.h"
#include "mortar/show_report.h"
#include "mortar/trace_commands.h"
#include "trace/output_file.h"
#include "trace/read_recording.h"

namespace mortar::cli {
namespace {

constexpr std::size_t kPageSlices = 960;

struct Show {
  std::string file;
  std::string page;
  trace::ReadOptions read;
  bool json = false;
};

int WritePage(const trace::Recording& recording, const Show& options, const SoloReport& solo) {
  ShowReport report = MakeShowReport(recording, kPageSlices);
  report.replay = solo.replay;
  report.steps_found = solo.steps_found;
  auto file = trace::OutputFile::Create(options.page, trace::OutputFile::Kind::kPlain);
  auto status = file.ok() ? (*file)->Write(ToPage(report)) : base::Status(file.error());
  if (status.ok()) status = (*file)->Commit();
  if (status.ok()) return kDone;
  Complain("mortar trace show: " + board::CleanText(status.error().message));
  return kFailed;
}

int ShowTrace(const Show& options, const SoloReplay& replay) {
  const auto recording = trace::ReadRecording(options.file, options.read);
  if (!recording.ok()) {
    Complain("mortar trace show: " + board::CleanText(recording.error().message));
    return recording.error().code == base::Code::kSystem ? kFailed : kBadInput;
  }
  ShowReport report = MakeShowReport(*recording);
  const SoloReport solo = replay ? replay(*recording) : SoloReport{};
  report.replay = solo.replay;
  report.steps_found = solo.steps_found;
  if (!options.page.empty()) {
    if (const int code = WritePage(*recording, options, solo); code != kDone) return code;
  }
  Print(options.json ? ToJson(report).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                     : ToText(report));
  return kDone;
}

}  // namespace

void AddTraceShow(CLI::App& trace, Invocation& invocation, const SoloReplay& replay) {
  auto* command =
      trace.add_subcommand("show", "Show a recording: kernels, busy and idle, gaps, what could be filled");
  auto options = std::make_shared<Show>();
  command->add_option("FILE", options->file, "Recording to read; FILE#NAME: the program NAME in it")
      ->required();
  command->add_option("--html", options->page, "Also write a page that stands alone")->type_name("FILE");
  command->add_flag("--device-only", options->read.device_only,
                    "Use the device's times alone, for a file without a usable host side");
  command->add_flag("--json", options->json, "One JSON object on stdout");
  command->footer(
      "A device is busy while any operation of any stream is on it; a gap is the time between two busy "
      "times.\n"
      "Recordings: see `mortar trace import --help` and docs/traces.md.\n\n"
      "Examples:\n  mortar trace show resnet.pt.trace.json.gz\n"
      "  mortar trace show --json resnet.mtr | jq .gap_us.p50");
  command->callback([&invocation, options, replay] {
    invocation.action = [options, replay] { return ShowTrace(*options, replay); };
  });
}

}  // namespace mortar::cli
