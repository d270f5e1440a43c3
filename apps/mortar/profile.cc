// mortar profile: times every launch of a program once and keeps what was learned; shows what is kept.
#include <fmt/format.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "board/view.h"
#include "mortar/child.h"
#include "mortar/cuda_setup.h"
#include "mortar/invocation.h"
#include "mortar/launch.h"
#include "mortar/layers.h"
#include "mortar/output.h"
#include "mortar/profile_report.h"
#include "mortar/run_options.h"

namespace mortar::cli {
namespace {

struct Record {
  RunOptions run;
  bool json = false;
};

struct Show {
  std::vector<std::string> names;
  bool json = false;
};

int Refuse(const char* command, int code, const std::string& why) {
  Complain(fmt::format("mortar profile {}: {}", command, why));
  return code;
}

void PrintJson(const nlohmann::ordered_json& json) {
  Print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

// A profile is replaced as a whole when its program ends: another file is a new one.
using Stamp = std::tuple<ino_t, std::int64_t, std::int64_t>;
std::map<std::string, Stamp> StampProfiles(const std::string& directory) {
  std::map<std::string, Stamp> stamps;
  for (const std::string& path : ListProfiles(directory)) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) continue;
    stamps[path] = {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
  }
  return stamps;
}

std::string Describe(const ProfileReport& report) {
  return fmt::format("{}: {} kernels, {} with offline means (program {}, device {})",
                     board::CleanText(report.path), report.kernels.size(), report.recorded,
                     board::CleanText(report.program), board::CleanText(report.device));
}

// The program has ended with `code`.
int ReportKept(const Record& options, const std::string& directory,
               const std::map<std::string, Stamp>& before, int code) {
  int kept = 0;
  for (const auto& [path, stamp] : StampProfiles(directory)) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == stamp) continue;
    const auto report = ReadProfileReport(path);
    if (!report.ok()) {
      Complain("mortar profile record: " + report.error().message);
      continue;
    }
    if (report->recorded == 0) continue;  // another program's
    ++kept;
    Complain("mortar profile record: " + Describe(*report));
    if (options.json) PrintJson(ToJson(*report));
  }
  if (kept > 0) return code;
  return Refuse(
      "record", code != 0 ? code : kFailed,
      "nothing was kept in " + directory +
          ": the program launched no kernel on a scheduled device, or was killed before its end; see "
          "mortar run --check");
}

int RecordProfile(const Record& options, const std::vector<std::string>& program) {
  const auto refuse = [](int code, const std::string& why) { return Refuse("record", code, why); };
  if (program.empty()) {
    return refuse(kBadInput,
                  "no program given; write it behind --, as in: mortar profile record -- ./server");
  }
  auto environment = ComposeEnvironment(options.run);
  if (!environment.ok()) return refuse(kBadInput, environment.error().message);
  if (!options.run.sim_device.empty()) {
    if (const auto used = UseSimDevice(options.run.sim_device); !used.ok())
      return refuse(kBadInput, used.error().message);
  }
  const char* existing = std::getenv("OPENCL_LAYERS");
  const auto setup = SetUpLayers(options.run, existing != nullptr ? existing : "");
  if (!setup.ok()) return refuse(kBadInput, setup.error().message);
  const auto path = FindProgram(program.front());
  if (!path.ok()) return refuse(ExitOf(path.error()), path.error().message);
  const auto directory = ProfileDirectory();
  if (!directory.ok()) return refuse(kBadInput, directory.error().message);
  // Unlike `mortar run`: a program that runs unscheduled records nothing.
  const CudaSetup cuda = SetUpCuda(ReadCudaSurroundings(options.run.priority), *path);
  std::string problem = cuda.problem;
  if (problem.empty() && cuda.environment.empty()) problem = setup->problem;
  if (problem.empty() && cuda.environment.empty()) {
    problem = Verdict(ProbeOpenCl(setup->environment.at("OPENCL_LAYERS"), setup->scheduling));
  }
  if (!problem.empty()) return refuse(kFailed, problem);
  environment->insert(setup->environment.begin(), setup->environment.end());
  environment->insert(cuda.environment.begin(), cuda.environment.end());
  (*environment)["MORTAR_PROFILE_RECORD"] = "1";
  (*environment)["MORTAR_PROFILES"] = *directory;
  const SignalsHeld held;
  const auto before = StampProfiles(*directory);
  const int code = RunChild(*path, program, *environment);
  return ReportKept(options, *directory, before, code);
}

int ShowProfiles(const Show& options) {
  std::vector<std::string> paths;
  std::string directory;
  if (const auto found = ProfileDirectory(); found.ok()) directory = *found;
  for (const std::string& name : options.names) {
    const auto found = FindProfiles(directory, name);
    if (!found.ok()) return Refuse("show", kFailed, found.error().message);
    paths.insert(paths.end(), found->begin(), found->end());
  }
  int code = kDone;
  for (const std::string& path : paths) {
    const auto report = ReadProfileReport(path);
    if (!report.ok()) {
      code = Refuse("show", kFailed, report.error().message);
    } else if (options.json) {
      PrintJson(ToJson(*report));
    } else {
      Print((&path == &paths.front() ? "" : "\n") + ToText(*report));
    }
  }
  return code;
}

void AddRecord(CLI::App& profile, Invocation& invocation) {
  auto* command = profile.add_subcommand("record", "Run a program alone, timing every launch");
  auto options = std::make_shared<Record>();
  AddRunOptions(*command, options->run);
  command->add_flag("--json", options->json, "What was kept as JSON on stdout, after the program's output");
  command->footer(
      "Policy fikit needs it: it goes by the mean durations and gaps of such a run. Run the program alone: "
      "what "
      "others do to\nits gaps would be recorded as its own. Ends with the program's exit code; with 1 if "
      "nothing "
      "was kept.\n\n"
      "Examples:\n  mortar profile record -- ./server --requests 1000\n"
      "  mortar profile record --name serve -- ./server --requests 1000      (for mortar run --name serve)");
  invocation.take_program.push_back(command);
  command->callback([&invocation, options] {
    invocation.action = [&invocation, options] { return RecordProfile(*options, invocation.program); };
  });
}

void AddShow(CLI::App& profile, Invocation& invocation) {
  auto* command = profile.add_subcommand("show", "Show what is kept of a program's kernels");
  auto options = std::make_shared<Show>();
  command->add_option("profile", options->names, "A profile's file, or the name of a client or program")
      ->type_name("FILE|NAME")
      ->required();
  command->add_flag("--json", options->json, "One JSON object a profile instead of tables");
  command->footer(
      "Columns: COUNT launches timed (old ones fade), their MEDIAN and 0.9 quantile; OFFLINE are the means "
      "of mortar "
      "profile\nrecord, GAP what followed the kernel on the idle device.\n\n"
      "Examples:\n  mortar profile show serve\n  mortar profile show --json train | jq '.kernels[0]'");
  command->callback(
      [&invocation, options] { invocation.action = [options] { return ShowProfiles(*options); }; });
}

}  // namespace

void AddProfile(CLI::App& app, Invocation& invocation) {
  auto* profile = app.add_subcommand("profile", "Record and show what is known of a program's kernels");
  profile->require_subcommand(1);
  AddRecord(*profile, invocation);
  AddShow(*profile, invocation);
}

}  // namespace mortar::cli
