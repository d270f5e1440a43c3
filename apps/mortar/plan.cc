// mortar plan: the best power mode, batch and interleaving within budgets, from few profiled points.
#include <fmt/format.h>

#include <memory>

#include "mortar/invocation.h"
#include "mortar/output.h"
#include "mortar/plan_answer.h"
#include "mortar/plan_batch.h"
#include "mortar/plan_options.h"
#include "mortar/plan_source.h"
#include "plan/oracle.h"
#include "plan/query_json.h"
#include "plan/report.h"

namespace mortar::cli {
namespace {

constexpr double kServedSeconds = 600;  // simulated time of --verify and --keep
constexpr std::size_t kServedRequests = 100'000;

int Refuse(const std::string& what) {
  Complain("mortar plan: " + what);
  return kBadInput;
}

base::Status ServeRequests(const plan::Space& space, const PlanRequest& request, const PlanOptions& options,
                           PlanAnswer* answer) {
  const plan::Query& query = request.query;
  std::vector<std::pair<std::string, trace::ArrivalSpec>> specs{
      {"periodic", {trace::ArrivalKind::kPeriodic, query.rate, ""}},
      {"poisson", {trace::ArrivalKind::kPoisson, query.rate, ""}}};
  if (request.arrivals && request.arrivals->kind == trace::ArrivalKind::kFile) {
    specs.push_back({"recorded", *request.arrivals});
  }
  std::vector<double> last;
  for (const auto& [name, spec] : specs) {
    auto instants = trace::MakeArrivals(spec, kServedSeconds, options.seed, kServedRequests);
    if (!instants) return instants.error();
    last = std::move(instants).value();
    if (!options.verify || !answer->plan.feasible) continue;
    const plan::Serving serving{answer->plan.batch, answer->plan.outcome.tau, answer->plan.sample.t_in,
                                answer->plan.sample.t_bg, plan::kNoLimit};
    answer->served.push_back({name, plan::Serve(serving, last, query.latency_ms)});
  }
  if (options.keep.empty()) return {};
  answer->keep_asked = true;
  // Kept for the arrivals given: recorded where there are any, else Poisson, unless periodic was said.
  if (request.arrivals && request.arrivals->kind == trace::ArrivalKind::kPeriodic) {
    auto instants = trace::MakeArrivals(*request.arrivals, kServedSeconds, options.seed, kServedRequests);
    if (!instants) return instants.error();
    last = std::move(instants).value();
  }
  answer->kept = plan::KeepP99(space, plan::TermsOf(query), answer->probes, last);
  return {};
}

int PlanSchedule(const plan::Space& space, const PlanRequest& request, const PlanOptions& options,
                 plan::Planner& planner) {
  const plan::DynamicPlan schedule = plan::PlanRates(planner, request.query, !options.unannounced);
  Print(options.json
            ? plan::FormatDynamicAnswer(request.query, space.table(), schedule.plans, schedule.points) + "\n"
            : ScheduleText(space, request.query, schedule));
  for (const plan::Plan& plan : schedule.plans) {
    if (plan.feasible) return kDone;
  }
  return kNonePlan;
}

int Plan(const PlanOptions& options) {
  const auto request = ReadPlanOptions(options);
  if (!request) return Refuse(request.error().message);
  ProfileSource source;
  const auto table = source.Load(options.profiles);
  if (!table) return Refuse(table.error().message);
  const auto space = plan::Space::Make(**table, request->query);
  if (!space) return Refuse(space.error().message);
  plan::TableProfiler profiler(*space, options.noise_sigma, options.seed);
  const auto planner = plan::MakePlanner(request->strategy, *space, profiler, {options.probes, options.seed});
  if (request->query.problem == plan::Problem::kDynamic)
    return PlanSchedule(*space, *request, options, *planner);

  PlanAnswer answer;
  const plan::Terms terms = plan::TermsOf(request->query);
  answer.plan = planner->Solve(terms);
  answer.probes = planner->probes();
  answer.profiling_s = profiler.seconds();
  answer.advice = plan::Advise(*space, terms, answer.plan, answer.probes);
  if (options.verify || !options.keep.empty()) {
    if (const auto status = ServeRequests(*space, *request, options, &answer); !status) {
      return Refuse("--arrivals: " + status.error().message);
    }
  }
  if (!options.html.empty()) {
    const auto status =
        WriteFile(options.html, plan::PlanHtml(*space, request->query, answer.plan, answer.probes));
    if (!status) return Refuse(status.error().message);
  }
  Print(options.json ? AnswerJson(*space, *request, answer) : AnswerText(*space, *request, options, answer));
  return answer.plan.feasible || answer.kept ? kDone : kNonePlan;
}

}  // namespace

void AddPlan(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("plan", "Choose power mode, batch and interleaving within budgets");
  auto options = std::make_shared<PlanOptions>();
  PlanOptions& o = *options;
  command->add_option("--profiles", o.profiles, "Profile CSV, or sim:orin-agx (simulated)")
      ->type_name("FILE");
  command->add_option("--train", o.train, "The training workload")->type_name("NAME");
  command->add_option("--infer", o.infer, "The inference; for two, urgent=NAME and background=NAME")
      ->type_name("NAME");
  command->add_option("--rate", o.rate, "Requests, as 60/s")->type_name("RATE");
  command->add_option("--latency", o.latency, "Latency budget, as 100ms")->type_name("TIME");
  command->add_option("--power", o.power, "Power budget, as 30W")->type_name("POWER");
  command->add_option("--strategy", o.strategy, "auto, gmd, als, nn, random, max or oracle")
      ->type_name("NAME");
  command->add_option("--probes", o.probes, "Points to pay for at most")->type_name("N");
  command->add_option("--objective", o.objective, "throughput, energy or headroom")->type_name("NAME");
  command->add_option("--latency-rule", o.rule, "How long a batch takes to fill: b-1 or b arrivals")
      ->type_name("RULE");
  command->add_option("--arrivals", o.arrivals, "periodic:20/s, poisson:20/s or file:PATH")
      ->type_name("SPEC");
  command->add_option("--window", o.window, "A schedule: one plan for each such span of the arrivals")
      ->type_name("TIME");
  command->add_flag("--unannounced", o.unannounced, "Learn each window's rate when it starts, not before");
  command->add_flag("--verify", o.verify, "Run the plan request by request");
  command->add_option("--keep", o.keep, "p99: plan for the arrivals given, not for periodic ones")
      ->type_name("p99");
  command->add_option("--noise-sigma", o.noise_sigma, "Log-normal noise on readings, as 0.03")
      ->type_name("X");
  command->add_option("--seed", o.seed, "Seed of everything random")->type_name("N");
  command->add_flag("--explain", o.explain, "What was profiled, what was ruled out and why");
  command->add_option("--html", o.html, "Also write the points as a page")->type_name("FILE");
  command->add_flag("--json", o.json, "Machine-readable");
  command->footer(
      "Exit codes: 0 a plan, 3 none found, 2 bad input.\nExamples:\n"
      "  mortar plan --profiles orin.csv --train resnet18 --infer mobilenet --rate 60/s --latency 100ms "
      "--power 30W\n"
      "  mortar plan --profiles sim:orin-agx --infer urgent=mobilenet --infer background=bert-large --rate "
      "30/s "
      "--latency 200ms --power 35W\n"
      "  mortar plan batch queries.jsonl --profiles DIR --strategy gmd\n"
      "  mortar plan eval --suite fulcrum.toml --html report.html");
  AddPlanBatch(*command, invocation);
  AddPlanEval(*command, invocation);
  command->callback([&invocation, command, options] {
    if (command->get_subcommands().empty()) invocation.action = [options] { return Plan(*options); };
  });
}

}  // namespace mortar::cli
