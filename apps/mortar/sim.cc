// mortar sim: what would happen if programs shared a device. One pair, a matrix of pairs, or a scenario.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <thread>

#include "board/view.h"
#include "mortar/invocation.h"
#include "mortar/output.h"
#include "mortar/sim_options.h"
#include "mortar/sim_page.h"
#include "mortar/sim_report.h"
#include "mortar/sim_timeline.h"
#include "sim/matrix.h"
#include "sim/scenario.h"
#include "trace/output_file.h"

namespace mortar::cli {
namespace {

struct SimRequest {
  SimText text;
  std::vector<std::string> holders, fillers, policies;
  std::string holder, filler, policy = "fill", scenario, plan;
  std::string page, perfetto;
  unsigned threads = 0;
  bool json = false, csv = false, all = false;
};

int Refuse(const base::Error& error) {
  Complain("mortar sim: " + board::CleanText(error.message));
  return error.code == base::Code::kSystem ? kFailed : kBadInput;
}

base::Status WriteFile(const std::string& path, const std::string& text) {
  auto file = trace::OutputFile::Create(path, trace::OutputFile::Kind::kPlain);
  if (!file) return file.error();
  if (auto status = (*file)->Write(text); !status) return status;
  return (*file)->Commit();
}

// Written at once, with its neighbours, so that a reader of a pipe sees whole lines.
void Progress(std::size_t made, std::size_t of, const std::string& what) {
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r{} of {} {}{}", made, of, what, made == of ? "\n" : "");
  } else if (made == of || made % 100 == 0) {
    fmt::print(stderr, "{} of {} {}\n", made, of, what);
  }
}

// What is to be said of the row's recordings, whatever they are paired with.
void AddRemarks(const sim::Row& row, std::set<std::string>* remarks) {
  if (row.alone_requests == 0) {
    remarks->insert(
        row.holder +
        " as holder: no request of it ends in the time simulated, even alone; simulate longer with --for");
  }
  remarks->insert(LeftOutText(row.holder, row.run.clients[0].program->left_out));
  remarks->insert(LeftOutText(row.filler, row.run.clients[1].program->left_out));
  remarks->erase("");
}

int RunMatrix(const SimRequest& request) {
  const auto choices = ReadSimOptions(request.text);
  if (!choices) return Refuse(choices.error());
  const auto policies = ReadPolicies(request.policies);
  if (!policies) return Refuse(policies.error());
  const unsigned threads =
      request.threads != 0 ? request.threads : std::max(1U, std::thread::hardware_concurrency());
  std::vector<sim::Source> sources[2];
  const std::vector<std::string>* named[2] = {&request.holders, &request.fillers};
  for (int side = 0; side < 2; ++side) {
    const auto paths = sim::ExpandPaths(*named[side]);
    if (!paths) return Refuse(paths.error());
    auto read = sim::ReadSources(*paths, threads);
    if (!read) return Refuse(read.error());
    sources[side] = std::move(read).value();
  }
  if (request.csv) Print(CsvHeader());
  std::vector<sim::Row> rows;
  std::set<std::string> remarks;  // each once
  PageData page;
  for (const DeviceChoice& choice : *choices) {
    sim::Bench bench(choice.options);
    const auto done = [&](const sim::MatrixCell&, const sim::Row& row) {
      if (request.json) Print(RowJson(row, choice.bound).dump() + "\n");
      if (request.csv) Print(CsvLine(row, choice.bound));
      if (!request.page.empty()) page.Add(row, choice.bound);
      AddRemarks(row, &remarks);
      rows.push_back(row);
      rows.back().run = {};
    };
    const auto status =
        sim::MeasureMatrix(bench, sources[0], sources[1], *policies, threads, done,
                           [](std::size_t made, std::size_t of) { Progress(made, of, "rows"); });
    if (!status) return Refuse(status.error());
    if (!request.json && !request.csv) {
      if (!choice.bound.empty()) Print("Merged device, bound: " + choice.bound + "\n");
      Print(RowTable(rows) + "\n" + TotalsText(rows) + "\n");
      rows.clear();
    }
  }
  for (const std::string& remark : remarks) Complain("mortar sim matrix: " + board::CleanText(remark));
  if (!request.json && !request.csv) Print(std::string(kNotValidated) + "\n");
  if (!request.page.empty()) {
    if (const auto status = WriteFile(request.page, page.Html()); !status) return Refuse(status.error());
  }
  return kDone;
}

int RunPair(const SimRequest& request) {
  const auto choices = ReadSimOptions(request.text);
  if (!choices) return Refuse(choices.error());
  const auto policies = ReadPolicies({request.policy});
  if (!policies) return Refuse(policies.error());
  const auto holder = sim::ReadSource(request.holder);
  if (!holder) return Refuse(holder.error());
  const auto filler = sim::ReadSource(request.filler);
  if (!filler) return Refuse(filler.error());
  if (request.csv) Print(CsvHeader());
  PageData page;
  bool first = true;
  for (const DeviceChoice& choice : *choices) {
    sim::Bench bench(choice.options);
    for (const sim::Policy policy : *policies) {
      const bool keep = !request.page.empty() || (first && !request.perfetto.empty());
      const auto row = bench.Measure(*holder, *filler, policy, keep);
      if (!row) return Refuse(row.error());
      if (row->alone_requests == 0) return Refuse(sim::NoRequest(*holder));
      if (request.json) Print(RowJson(*row, choice.bound).dump() + "\n");
      if (request.csv) Print(CsvLine(*row, choice.bound));
      if (!request.json && !request.csv) Print(PairText(*row, choice.bound) + "\n");
      if (!request.page.empty()) page.Add(*row, choice.bound);
      if (first && !request.perfetto.empty()) {
        const auto status = WriteTimeline(row->run, {row->holder, row->filler}, {0, model::kLowestPriority},
                                          std::string(sim::PolicyName(policy)), request.perfetto);
        if (!status) return Refuse(status.error());
      }
      first = false;
    }
  }
  if (!request.json && !request.csv) Print(std::string(kNotValidated) + "\n");
  if (!request.page.empty()) {
    if (const auto status = WriteFile(request.page, page.Html()); !status) return Refuse(status.error());
  }
  return kDone;
}

int RunMix(const SimRequest& request) {
  std::ifstream file(request.scenario, std::ios::binary);
  if (!file) return Refuse({base::Code::kNotFound, "read " + request.scenario + ": it cannot be opened"});
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto scenario = sim::ReadScenario(text, request.scenario);
  if (!scenario) return Refuse(scenario.error());
  const std::size_t slash = request.scenario.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "" : request.scenario.substr(0, slash);
  const auto result = sim::RunScenario(*scenario, folder, !request.perfetto.empty());
  if (!result) return Refuse(result.error());
  Print(request.json ? ScenarioJson(*scenario, *result) : ScenarioText(*scenario, *result));
  if (request.perfetto.empty()) return kDone;
  std::vector<std::string> names;
  std::vector<int> priorities;
  for (const std::size_t at : result->order) {
    names.push_back(result->clients[at].name);
    priorities.push_back(result->clients[at].priority);
  }
  const auto status = WriteTimeline(result->run, names, priorities,
                                    std::string(sim::PolicyName(scenario->policy)), request.perfetto);
  return status.ok() ? kDone : Refuse(status.error());
}

int RunPlan(const SimRequest& request) {
  const auto choices = ReadSimOptions(request.text);
  if (!choices) return Refuse(choices.error());
  std::ifstream file(request.plan, std::ios::binary);
  if (!file)
    return Refuse({base::Code::kNotFound, "read the plan " + request.plan + ": it cannot be opened"});
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto work = sim::ReadPlanned(text, request.plan);
  if (!work) return Refuse(work.error());
  const sim::PairOptions& options = (*choices)[0].options;
  const sim::PlannedReport report = sim::RunPlanned(*work, options.for_ns, options.seed);
  Print(request.json ? PlannedJson(report) : PlannedText(report));
  return kDone;
}

// What is not heeded must not look as if it were: the first option given that is not among `heeded`.
base::Status CheckOptions(const CLI::App& command, const std::string& with,
                          const std::vector<std::string>& heeded, const std::string& advice) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::find(heeded.begin(), heeded.end(), name) != heeded.end()) continue;
    return base::Error{base::Code::kInvalid, fmt::format("{} has no effect with {}; {}", name, with, advice)};
  }
  return {};
}

int Simulate(const SimRequest& request, const CLI::App& command) {
  if (!request.plan.empty()) {
    const auto status =
        CheckOptions(command, "--plan", {"--plan", "--for", "--seed", "--json"}, "leave it out");
    return status.ok() ? RunPlan(request) : Refuse(status.error());
  }
  if (!request.scenario.empty()) {
    const auto status = CheckOptions(command, "--scenario", {"--scenario", "--json", "--perfetto"},
                                     "leave it out, and write what is simulated in the scenario");
    return status.ok() ? RunMix(request) : Refuse(status.error());
  }
  if (request.holder.empty() || request.filler.empty()) {
    return Refuse(
        {base::Code::kInvalid, "name two recordings, --holder FILE --filler FILE, or a --scenario FILE"});
  }
  return RunPair(request);
}

void AddMatrix(CLI::App& sim, Invocation& invocation) {
  auto* matrix = sim.add_subcommand("matrix", "Every holder with every filler under every policy");
  auto request = std::make_shared<SimRequest>();
  matrix->add_option("--holders", request->holders, "Recordings, or folders of them")->required();
  matrix->add_option("--fillers", request->fillers, "Recordings, or folders of them")->required();
  matrix->add_option("--policies", request->policies, "Policies, separated by commas; all: every one")
      ->default_val(std::vector<std::string>{"all"});
  AddSimOptions(*matrix, &request->text);
  matrix->add_option("--threads", request->threads, "Runs side by side; by default one a core")
      ->type_name("N");
  matrix->add_flag("--json", request->json, "One JSON object a row on stdout");
  matrix->add_flag("--csv", request->csv, "CSV on stdout");
  matrix->add_option("--html", request->page, "Also write a page that stands alone")->type_name("FILE");
  matrix->footer(
      "Ratios are to what the same program had alone with the same requests.\n\n"
      "Examples:\n  mortar sim matrix --holders traces --fillers traces --policies fill,priority --json\n"
      "  mortar sim matrix --holders bert.json.gz --fillers traces --arrivals poisson:50% --for 60s");
  matrix->callback([&invocation, request] { invocation.action = [request] { return RunMatrix(*request); }; });
}

}  // namespace

void AddSim(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("sim", "Simulate programs that share a device, from their recordings");
  auto request = std::make_shared<SimRequest>();
  command->add_option("--holder", request->holder, "Recording of the program that matters")
      ->type_name("FILE");
  command->add_option("--filler", request->filler, "Recording of the program that may have the rest")
      ->type_name("FILE");
  command->add_option("--policy", request->policy, "A policy, several separated by commas, or all");
  command->add_option("--scenario", request->scenario, "Any number of programs, written down in TOML")
      ->type_name("FILE");
  command->add_option("--plan", request->plan, "What `mortar plan --json` printed: run it, and with fill")
      ->type_name("FILE");
  AddSimOptions(*command, &request->text);
  command->add_flag("--json", request->json, "JSON on stdout");
  command->add_flag("--csv", request->csv, "CSV on stdout");
  command->add_option("--html", request->page, "Also write a page that stands alone")->type_name("FILE");
  command->add_option("--perfetto", request->perfetto, "Also write a timeline for ui.perfetto.dev")
      ->type_name("FILE");
  command->footer(
      "Recordings: PyTorch profiler traces and what else `mortar trace import` reads. See "
      "docs/simulator.md.\n\n"
      "Examples:\n"
      "  mortar sim --holder bert.json.gz --filler resnet.json.gz --arrivals poisson:20/s --for 60s\n"
      "  mortar sim --holder bert.json.gz --filler resnet.json.gz --policy all --html report.html\n"
      "  mortar sim --scenario mix.toml\n"
      "  mortar sim --plan plan.json --for 60s");
  AddMatrix(*command, invocation);
  command->require_subcommand(0, 1);
  command->callback([&invocation, request, command] {
    if (!command->get_subcommands().empty()) return;
    invocation.action = [request, command] { return Simulate(*request, *command); };
  });
}

}  // namespace mortar::cli
