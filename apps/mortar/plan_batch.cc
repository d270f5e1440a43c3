// mortar plan batch: answers a file of queries; mortar plan eval: runs strategies over a suite.
#include "mortar/plan_batch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "mortar/output.h"
#include "mortar/plan_source.h"
#include "plan/batch.h"
#include "plan/csv.h"
#include "plan/evaluate.h"
#include "plan/query_json.h"
#include "plan/report.h"

namespace mortar::cli {
namespace {

struct BatchArguments {
  std::string queries;
  std::string profiles;
  std::string strategy = "auto";
  plan::BatchOptions options;
  bool timing = false;
};

int RunBatch(const BatchArguments& arguments) {
  const auto refuse = [](const std::string& what) {
    Complain("mortar plan batch: " + what);
    return kBadInput;
  };
  plan::BatchOptions options = arguments.options;
  const auto strategy = plan::FindStrategy(arguments.strategy);
  if (!strategy)
    return refuse("--strategy " + arguments.strategy + ": auto, gmd, als, nn, random, max or oracle");
  options.strategy = *strategy;
  if (options.probes < 0 || options.probes > 100000) return refuse("--probes: from 1 to 100000");
  if (!(options.noise_sigma >= 0) || options.noise_sigma > 1) return refuse("--noise-sigma: from 0 to 1");
  const auto text = plan::ReadFile(arguments.queries == "-" ? "/dev/stdin" : arguments.queries);
  if (!text) return refuse(text.error().message);

  plan::Batch batch(arguments.profiles, options);
  std::vector<double> milliseconds;
  int bad = 0;
  std::size_t number = 0;
  for (std::size_t from = 0; from < text->size();) {
    const std::size_t end = std::min(text->find('\n', from), text->size());
    const std::string_view line(text->data() + from, end - from);
    from = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    const auto query = plan::ParseQuery(line);
    const auto answer = query ? batch.Answer(*query) : base::Result<std::string>(query.error());
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    if (answer) {
      Print(*answer + "\n");
    } else {
      // One bad query does not take the answers of the others; it fails the call.
      ++bad;
      Complain(
          fmt::format("mortar plan batch: {}:{}: {}", arguments.queries, number, answer.error().message));
    }
  }
  if (arguments.timing && !milliseconds.empty()) {
    std::sort(milliseconds.begin(), milliseconds.end());
    Complain(fmt::format("{} queries, median {:.3f} ms, p99 {:.3f} ms", milliseconds.size(),
                         milliseconds[milliseconds.size() / 2],
                         milliseconds[milliseconds.size() * 99 / 100]));
  }
  return bad > 0 ? kBadInput : kDone;
}

struct EvalArguments {
  std::string suite;
  std::string profiles = ".";
  std::string strategies = "oracle,max,random150,gmd,als50,als145,auto";
  std::string html;
  bool json = false;
  bool count = false;
  int threads = 0;
};

int RunEval(const EvalArguments& arguments) {
  const auto refuse = [](const std::string& what) {
    Complain("mortar plan eval: " + what);
    return kBadInput;
  };
  const auto text = plan::ReadFile(arguments.suite);
  if (!text) return refuse(text.error().message);
  const auto suite = plan::ParseSuite(*text, arguments.suite);
  if (!suite) return refuse(suite.error().message);
  const auto contenders = plan::ParseContenders(arguments.strategies);
  if (!contenders) return refuse("--strategies: " + contenders.error().message);
  ProfileSource source(arguments.profiles);
  const plan::TableSource load = [&](const std::string& name) { return source.Load(name); };
  const auto count = plan::CountConfigurations(*suite, load);
  if (!count) return refuse(count.error().message);
  Complain(fmt::format("{}: {} configurations, {} strategies", suite->name, *count, contenders->size()));
  if (arguments.count) {
    Print(fmt::format("{}\n", *count));
    return kDone;
  }
  const bool live = isatty(STDERR_FILENO) != 0;
  const plan::Progress progress = [live](long done, long all) {
    if (live && (done % 10 == 0 || done == all))
      fmt::print(stderr, "\r{} of {} pairs{}", done, all, done == all ? "\n" : "");
  };
  const int threads = arguments.threads > 0
                          ? arguments.threads
                          : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const auto evaluation = plan::Evaluate(*suite, *contenders, load, std::min(threads, 256), progress);
  if (!evaluation) return refuse(evaluation.error().message);
  Print(arguments.json ? plan::EvaluationJson(*evaluation) : plan::EvaluationText(*evaluation));
  Complain(fmt::format("{:.1f} s on {} threads", evaluation->wall_seconds, threads));
  if (!arguments.html.empty()) {
    const auto status = WriteFile(arguments.html, plan::EvaluationHtml(*evaluation));
    if (!status) return refuse(status.error().message);
  }
  return kDone;
}

}  // namespace

void AddPlanBatch(CLI::App& plan, Invocation& invocation) {
  auto* command = plan.add_subcommand("batch", "Answer a file of queries, one JSON object a line");
  auto arguments = std::make_shared<BatchArguments>();
  command->add_option("queries", arguments->queries, "The queries; - for stdin")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--profiles", arguments->profiles,
                   "Directory of the profiles that queries name, or one profile")
      ->required()
      ->type_name("DIR");
  command->add_option("--strategy", arguments->strategy, "auto, gmd, als, nn, random, max or oracle")
      ->type_name("NAME");
  command->add_option("--probes", arguments->options.probes, "Points a query; modes for random and nn")
      ->type_name("N");
  command->add_option("--noise-sigma", arguments->options.noise_sigma, "Log-normal noise on readings")
      ->type_name("X");
  command->add_option("--seed", arguments->options.seed, "Seed of everything random")->type_name("N");
  command->add_flag("--timing", arguments->timing, "Say on stderr how long a query took");
  command->footer(
      "Example:\n  mortar plan batch queries.jsonl --profiles profiles --strategy auto > answers.jsonl");
  command->callback(
      [&invocation, arguments] { invocation.action = [arguments] { return RunBatch(*arguments); }; });
}

void AddPlanEval(CLI::App& plan, Invocation& invocation) {
  auto* command = plan.add_subcommand("eval", "Run every strategy over a grid of queries");
  auto arguments = std::make_shared<EvalArguments>();
  command->add_option("--suite", arguments->suite, "The grid, a TOML file")->required()->type_name("FILE");
  command->add_option("--profiles", arguments->profiles, "Directory of the profiles that it names")
      ->type_name("DIR");
  command
      ->add_option("--strategies", arguments->strategies, "Which, with points where wanted: gmd,als145,auto")
      ->type_name("LIST");
  command->add_option("--html", arguments->html, "Also write a report")->type_name("FILE");
  command->add_option("--threads", arguments->threads, "How many; all processors if not given")
      ->type_name("N");
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->add_flag("--count", arguments->count, "Only count the configurations");
  command->footer(
      "Example:\n  mortar plan eval --suite bench/plan/fulcrum.toml --profiles profiles --html report.html");
  command->callback(
      [&invocation, arguments] { invocation.action = [arguments] { return RunEval(*arguments); }; });
}

}  // namespace mortar::cli
