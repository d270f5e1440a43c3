// mortar trace record: runs a command whose programs record what they do, and makes one timeline of it.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "model/trace_record.h"
#include "mortar/child.h"
#include "mortar/invocation.h"
#include "mortar/launch.h"
#include "mortar/output.h"
#include "mortar/trace_commands.h"
#include "mortar/trace_report.h"
#include "policy/view.h"
#include "sim/compile.h"
#include "sim/found.h"
#include "trace/chrome_trace.h"
#include "trace/output_file.h"
#include "trace/spool.h"
#include "trace/summary.h"
#include "trace/timeline.h"

namespace mortar::cli {
namespace {

// A spool on a file system that runs full kills its program: each client may need all of it.
constexpr std::uint64_t kClientsFitted = 8;

struct Record {
  std::string output;
  bool keep_spools = false;
  bool json = false;
};

int Refuse(int code, const std::string& why) {
  Complain("mortar trace record: " + why);
  return code;
}

bool HasRoom(const std::string& folder) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0) return false;
  return std::uint64_t{info.f_bavail} * info.f_frsize >= kClientsFitted * model::kSpoolSize;
}

// Private, empty, and removed at the end. Memory where there is enough of it: a file system on a disk stalls
// stores into mapped files.
class SpoolFolder {
 public:
  static base::Result<std::unique_ptr<SpoolFolder>> Make() {
    const char* set = std::getenv("TMPDIR");
    const std::string usual = set != nullptr && *set != '\0' ? set : "/tmp";
    std::string path = (HasRoom("/dev/shm") ? "/dev/shm" : usual) + "/mortar-trace-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return base::SystemError("make a folder " + path, errno);
    return std::unique_ptr<SpoolFolder>(new SpoolFolder(std::move(path)));
  }
  ~SpoolFolder() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  SpoolFolder(const SpoolFolder&) = delete;
  SpoolFolder& operator=(const SpoolFolder&) = delete;

  const std::string& path() const { return path_; }
  void Keep() { kept_ = true; }

 private:
  explicit SpoolFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
  bool kept_ = false;
};

const char* NameReason(std::uint32_t detail) {
  return detail <= static_cast<std::uint32_t>(policy::Reason::kOff)
             ? policy::ReasonName(static_cast<policy::Reason>(detail))
             : "unknown reason";
}

bool IsEmpty(const trace::SpoolSet& recording) {
  for (const trace::Client& client : recording.clients) {
    if (!client.records.empty()) return false;
  }
  return true;
}

std::string WhyEmpty(const trace::SpoolSet& recording) {
  if (!recording.unreadable.empty()) return "nothing usable was recorded: " + recording.unreadable.front();
  if (!recording.clients.empty()) {
    return "nothing was recorded: programs joined, but submitted nothing to a device";
  }
  return "nothing was recorded: no program joined a board; start the programs with `mortar run` inside the "
         "command, and see with `mortar run --check` whether this machine's OpenCL loader takes layers";
}

base::Status Export(const trace::SpoolSet& recording, const trace::Timeline& timeline,
                    trace::OutputFile& output) {
  const auto written = trace::WriteChromeTrace(recording.clients, timeline, NameReason, &output);
  return written.ok() ? output.Commit() : written;
}

// The command has ended with `code`.
int MakeTimeline(const Record& options, int code, SpoolFolder& folder, trace::OutputFile& output) {
  const auto recording = trace::ReadSpools(folder.path());
  if (!recording.ok()) return Refuse(kFailed, recording.error().message);
  if (IsEmpty(*recording)) return Refuse(code != 0 ? code : kFailed, WhyEmpty(*recording));
  const trace::Timeline timeline = trace::BuildTimeline(recording->clients);
  const trace::Summary summary = trace::Summarize(*recording, timeline);
  if (const auto exported = Export(*recording, timeline, output); !exported.ok()) {
    folder.Keep();
    return Refuse(kFailed, exported.error().message + "; the recording is kept in " + folder.path());
  }
  for (const std::string& unreadable : summary.unreadable)
    Complain("mortar trace record: left out: " + unreadable);
  Complain(fmt::format("mortar trace record: {}: {} Open it at https://ui.perfetto.dev or chrome://tracing.",
                       options.output, DescribeRecording(summary)));
  if (options.keep_spools) Complain("mortar trace record: spools kept in " + folder.path());
  if (options.json) {
    auto json = RecordingToJson(summary);
    json["output"] = options.output;
    if (options.keep_spools) json["spools"] = folder.path();
    Print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return code;
}

int RecordTrace(const Record& options, const std::vector<std::string>& program) {
  if (program.empty()) {
    return Refuse(
        kBadInput,
        "no command given; write it behind --, as in: mortar trace record -o run.json.gz -- mortar run "
        "-- ./server");
  }
  const auto path = FindProgram(program.front());
  if (!path.ok()) return Refuse(ExitOf(path.error()), path.error().message);
  const SignalsHeld held;  // first made, last gone: nothing below is left behind
  // Made before the command runs: what keeps it from being written shows now.
  auto output = trace::OutputFile::Create(options.output);
  if (!output.ok()) {
    return Refuse(output.error().code == base::Code::kInvalid ? kBadInput : kFailed, output.error().message);
  }
  auto folder = SpoolFolder::Make();
  if (!folder.ok()) return Refuse(kFailed, folder.error().message);
  if (options.keep_spools) (*folder)->Keep();
  const int code = RunChild(*path, program, {{"MORTAR_TRACE", (*folder)->path()}});
  return MakeTimeline(options, code, **folder, **output);
}

std::optional<Replayed> ReplayAlone(const trace::Recording& recording) {
  const auto report = sim::Replay(recording);
  const auto medians = sim::Replay(recording, /*median_latencies=*/true);
  if (!report || !medians) return std::nullopt;
  const auto gaps = [](sim::Ns p50, sim::Ns p90) {
    return Replayed::Gaps{static_cast<double>(p50) / 1e3, static_cast<double>(p90) / 1e3};
  };
  return Replayed{std::abs(report->span_error), gaps(report->gap_p50_ns, report->gap_p90_ns),
                  gaps(report->replayed_gap_p50_ns, report->replayed_gap_p90_ns),
                  std::abs(medians->span_error),
                  gaps(medians->replayed_gap_p50_ns, medians->replayed_gap_p90_ns)};
}

}  // namespace

void AddTrace(CLI::App& app, Invocation& invocation) {
  auto* trace =
      app.add_subcommand("trace", "Record what programs do on the device; show and keep recordings");
  trace->require_subcommand(1);
  auto* command = trace->add_subcommand("record", "Run a command and write a timeline of its programs");
  auto options = std::make_shared<Record>();
  command->add_option("-o,--output", options->output, "Timeline to write: NAME.json.gz or NAME.json")
      ->type_name("FILE")
      ->required();
  command->add_flag("--keep-spools", options->keep_spools, "Keep what the programs recorded, and say where");
  command->add_flag("--json", options->json,
                    "A summary as one JSON object on stdout, after the command's output");
  command->footer(
      "The timeline opens in https://ui.perfetto.dev and chrome://tracing: one process a client, with its "
      "requests, host\n(submits, waits and their modelled harm), gate (held submits and why), device "
      "(kernels; "
      "fills marked) and gaps.\nThe command's programs are recorded if they run under `mortar run`. Ends "
      "with "
      "the command's exit code; with 1 if\nnothing was recorded.\n\n"
      "Examples:\n  mortar trace record -o run.json.gz -- mortar run --name serve -- ./server\n"
      "  mortar trace record -o pair.json.gz -- sh -c 'mortar run --priority 0 -- ./serve & mortar run -- "
      "./train; "
      "wait'");
  invocation.take_program.push_back(command);
  command->callback([&invocation, options] {
    invocation.action = [&invocation, options] { return RecordTrace(*options, invocation.program); };
  });
  AddTraceImport(*trace, invocation);
  AddTraceShow(*trace, invocation, [](const trace::Recording& recording) {
    SoloReport solo;
    solo.replay = ReplayAlone(recording);
    if (const sim::FoundRequests found = sim::FindRequests(recording); found.requests > 0) {
      solo.steps_found = static_cast<double>(found.right) / static_cast<double>(found.requests);
    }
    return solo;
  });
}

}  // namespace mortar::cli
