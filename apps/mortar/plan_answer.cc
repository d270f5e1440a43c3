#include "mortar/plan_answer.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "mortar/output.h"
#include "plan/measured.h"
#include "plan/query_json.h"
#include "plan/report.h"

namespace mortar::cli {
namespace {

using plan::Problem;

std::string UnitOf(Problem problem) {
  return problem == Problem::kMultiInfer ? "background requests/s" : "training minibatches/s";
}

bool Simulated(const plan::Table& table) { return table.device.find("simulated") != std::string::npos; }

std::string Head(const plan::Space& space, const PlanRequest& request, const PlanAnswer& answer) {
  const plan::Plan& plan = answer.plan;
  const std::string note =
      Simulated(space.table()) ? " (simulated; says nothing of a real device)" : " (replayed)";
  const std::string searched =
      plan.exhaustive ? fmt::format("every one of {} points", plan.points)
                      : fmt::format("{} points, {:.1f} s of profiling", plan.points, answer.profiling_s);
  return fmt::format("device     {}{}\nproblem    {}, {} by {}: {}\n", space.table().device, note,
                     plan::ProblemName(request.query.problem), plan::ObjectiveName(request.query.objective),
                     plan::StrategyName(request.strategy), searched);
}

std::string None(const PlanAnswer& answer) {
  std::string text = answer.plan.exhaustive
                         ? "infeasible: every (mode, batch) was tried, none keeps the budgets\n"
                         : fmt::format("none found in {} points\n", answer.plan.points);
  for (const plan::Relaxation& one : answer.advice.relaxations) {
    text += "nearest    " + plan::RelaxationText(one) + "\n";
  }
  if (answer.advice.together) text += "nearest    " + plan::RelaxationText(*answer.advice.together) + "\n";
  return text;
}

// Relative standard error of a reading: root mean square over all that were paid; 0: exact.
double MeanSpread(const std::vector<plan::Probe>& probes) {
  double squares = 0;
  int readings = 0;
  for (const plan::Probe& probe : probes) {
    const plan::Spread& spread = probe.measured.spread;
    for (const double error : {spread.t_in, spread.p_in, spread.t_bg, spread.p_bg}) {
      squares += error * error;
      ++readings;
    }
  }
  return readings > 0 ? std::sqrt(squares / readings) : 0;
}

// What a gain of the advice is counted in: the objective's unit.
std::string GainText(double gain, const plan::Query& query) {
  if (query.objective == plan::Objective::kEnergy) return fmt::format("{:.3g} J each", gain / 1000);
  if (query.objective == plan::Objective::kHeadroom)
    return fmt::format("{:.2g} points of head-room", 100 * gain);
  if (query.problem == Problem::kInfer) return fmt::format("{:.3g} ms less latency", gain);
  return fmt::format("{:.3g} {}", gain, UnitOf(query.problem));
}

std::string Binding(const PlanAnswer& answer, const plan::Query& query) {
  const plan::Advice& advice = answer.advice;
  std::string text = "binding    " + advice.binding;
  if (advice.used > 0) text += fmt::format(" ({:.0f} % used)", 100 * advice.used);
  const auto gain = [&](const char* what, const std::optional<double>& value) {
    if (!value) return;
    text += fmt::format("; one more {} buys {}", what, *value > 1e-9 ? GainText(*value, query) : "nothing");
  };
  gain("watt", advice.per_watt);
  gain("millisecond", advice.per_ms);
  return text + (advice.estimated ? " (estimated)\n" : "\n");
}

std::string Served(const std::string& name, const plan::ServingReport& report, const plan::Query& query) {
  std::string text = fmt::format(
      "{:<11}{} requests, p50 {:.1f} ms, p99 {:.1f} ms of {:.1f} ms, missed {} ({:.2f} %)", name,
      report.requests, report.p50_ms, report.p99_ms, query.latency_ms, report.missed,
      report.requests > 0 ? 100.0 * static_cast<double>(report.missed) / static_cast<double>(report.requests)
                          : 0.0);
  if (query.problem != Problem::kInfer)
    text += fmt::format(", {:.2f} background {}/s", report.background_per_s,
                        query.problem == Problem::kMultiInfer ? "batches" : "minibatches");
  return text + "\n";
}

}  // namespace

std::string ExplainText(const plan::Space& space, const plan::Query& query,
                        const std::vector<plan::Probe>& probes) {
  const plan::Terms terms = plan::TermsOf(query);
  std::vector<std::vector<std::string>> rows{{"#", "mode", "batch", "inference", "background", "verdict"}};
  const auto cell = [](double ms, double watts) {
    return watts > 0 ? fmt::format("{:.2f} ms {:.1f} W", ms, watts) : std::string("-");
  };
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const plan::Probe& probe = probes[i];
    const plan::Sample& sample = probe.measured.sample;
    rows.push_back({std::to_string(i + 1), plan::ModeText(space.table(), probe.choice.mode),
                    std::to_string(space.batches()[static_cast<std::size_t>(probe.choice.batch)]),
                    cell(sample.t_in, sample.p_in), cell(sample.t_bg, sample.p_bg),
                    plan::VerdictText(space, terms, probe)});
  }
  std::string text = "\nprofiled\n" + FormatTable(rows, {0, 2});
  text += "\nPareto front of the measured points (power against objective)\n";
  for (const plan::Probe* probe : plan::MeasuredFront(space, terms, probes)) {
    const plan::Outcome outcome =
        plan::Judge(terms, space.batches()[static_cast<std::size_t>(probe->choice.batch)],
                    space.batches2()[static_cast<std::size_t>(probe->choice.batch2)], probe->measured.sample,
                    space.IdleWatts(probe->choice.mode));
    text += fmt::format("  {:.2f} W  score {:.4g}  {}\n", outcome.power_w, outcome.score,
                        plan::ModeText(space.table(), probe->choice.mode));
  }
  return text;
}

std::string AnswerText(const plan::Space& space, const PlanRequest& request, const PlanOptions& options,
                       const PlanAnswer& answer) {
  const plan::Query& query = request.query;
  const plan::Plan& plan = answer.plan;
  std::string text = Head(space, request, answer);
  if (!plan.feasible) {
    text += None(answer);
  } else {
    text += "mode       " + plan::ModeText(space.table(), plan.mode) + "\n";
    const plan::Outcome& outcome = plan.outcome;
    if (query.problem == Problem::kTrain) {
      text += fmt::format("training   {:.3f} minibatches/s\n", outcome.throughput);
    } else {
      text += fmt::format("batch      {}", plan.batch);
      if (query.problem == Problem::kMultiInfer) text += fmt::format(", background batch {}", plan.batch2);
      if (query.problem != Problem::kInfer) {
        text += fmt::format(", then {} of the background: {:.3f} {}", outcome.tau, outcome.throughput,
                            UnitOf(query.problem));
      }
      text += fmt::format("\nlatency    {:.2f} ms", outcome.latency_ms);
      if (query.latency_ms < plan::kNoLimit) text += fmt::format(" of {:.2f} ms", query.latency_ms);
      text += " (periodic arrivals, by the formula)\n";
    }
    text += fmt::format("power      {:.2f} W", outcome.power_w);
    if (query.power_w < plan::kNoLimit) text += fmt::format(" of {:.2f} W", query.power_w);
    text += "\n";
    if (query.objective == plan::Objective::kEnergy && outcome.energy_mj < plan::kNoLimit) {
      const bool busy = space.IdleWatts(plan.mode) < 0;
      text += fmt::format("energy     {:.3f} J each{}\n", outcome.energy_mj / 1000,
                          busy ? " (busy energy: the profile has no idle rows)" : " (idle draw included)");
    }
    if (const double spread = MeanSpread(answer.probes); spread > 0) {
      text += fmt::format(
          "confidence each budget is kept at 99 % (readings off by {:.1f} %, as their spread shows)\n",
          100 * spread);
    }
    text += Binding(answer, query);
  }
  for (const ServedPlan& one : answer.served) text += Served(one.arrivals, one.report, query);
  for (const ServedPlan& one : answer.served) {
    if (one.report.p99_ms > query.latency_ms) {
      text += fmt::format(
          "the formula's {:.1f} ms is not kept at p99 under {} arrivals; --keep p99 plans for them\n",
          query.latency_ms, one.arrivals);
    }
  }
  if (answer.kept) {
    const plan::KeptPlan& kept = *answer.kept;
    text += fmt::format("kept p99   {}, batch {}, {}, {} of the background after each\n",
                        plan::ModeText(space.table(), kept.plan.mode), kept.serving.batch,
                        kept.serving.timeout_ms < plan::kNoLimit
                            ? fmt::format("time-out {:.1f} ms", kept.serving.timeout_ms)
                            : std::string("no time-out"),
                        kept.serving.tau);
    text += Served("", kept.report, query);
  } else if (answer.keep_asked) {
    text += "kept p99   none of the measured points keeps p99 under these arrivals; try more --probes\n";
  }
  if (options.explain) text += ExplainText(space, query, answer.probes);
  return text;
}

std::string AnswerJson(const plan::Space& space, const PlanRequest& request, const PlanAnswer& answer) {
  auto json = nlohmann::ordered_json::parse(plan::FormatAnswer(request.query, space.table(), answer.plan));
  json.erase("id");
  json["device"] = space.table().device;
  json["simulated"] = Simulated(space.table());
  json["strategy"] = plan::StrategyName(request.strategy);
  json["exhaustive"] = answer.plan.exhaustive;
  if (answer.plan.feasible && request.query.problem != Problem::kTrain && request.query.rate > 0) {
    // What `mortar sim --plan` runs.
    json["rate"] = request.query.rate;
    json["t_in_ms"] = answer.plan.sample.t_in;
    if (std::isfinite(answer.plan.sample.t_bg)) json["t_background_ms"] = answer.plan.sample.t_bg;
  }
  json["profiling_seconds"] = answer.profiling_s;
  if (answer.plan.feasible && answer.plan.outcome.energy_mj < plan::kNoLimit) {
    json["energy_mj"] = answer.plan.outcome.energy_mj;
    json["energy_is_busy"] = space.IdleWatts(answer.plan.mode) < 0;
  }
  json["binding"] = answer.advice.binding;
  if (answer.advice.per_watt) json["gain_per_watt"] = *answer.advice.per_watt;
  if (answer.advice.per_ms) json["gain_per_ms"] = *answer.advice.per_ms;
  json["gains_estimated"] = answer.advice.estimated;
  auto relaxations = nlohmann::ordered_json::array();
  for (const plan::Relaxation& one : answer.advice.relaxations) {
    const char* kinds[] = {"power_w", "latency_ms", "rate"};
    relaxations.push_back({{"budget", kinds[static_cast<int>(one.kind)]},
                           {"value", one.value},
                           {"away", one.away},
                           {"measured", one.measured}});
  }
  json["relaxations"] = relaxations;
  if (const auto& together = answer.advice.together) {
    json["relaxed_together"] = {{"power_w", together->power_w},
                                {"latency_ms", together->latency_ms},
                                {"rate", together->rate},
                                {"measured", together->measured}};
  }
  const auto report_json = [](const plan::ServingReport& report) {
    return nlohmann::ordered_json{
        {"requests", report.requests}, {"p50_ms", report.p50_ms},
        {"p99_ms", report.p99_ms},     {"max_ms", report.max_ms},
        {"missed", report.missed},     {"background_per_s", report.background_per_s},
        {"busy", report.busy}};
  };
  for (const ServedPlan& one : answer.served) json["verify"][one.arrivals] = report_json(one.report);
  if (answer.kept) {
    auto kept = report_json(answer.kept->report);
    kept["mode"] = plan::ModeText(space.table(), answer.kept->plan.mode);
    kept["batch"] = answer.kept->serving.batch;
    kept["tau"] = answer.kept->serving.tau;
    if (answer.kept->serving.timeout_ms < plan::kNoLimit)
      kept["timeout_ms"] = answer.kept->serving.timeout_ms;
    json["kept_p99"] = kept;
  }
  return json.dump(1) + "\n";
}

std::string ScheduleText(const plan::Space& space, const plan::Query& query,
                         const plan::DynamicPlan& schedule) {
  std::vector<std::vector<std::string>> rows{
      {"from", "rate", "mode", "batch", "tau", "minibatches/s", "latency", "W"}};
  int unserved = 0;
  for (std::size_t w = 0; w < schedule.plans.size(); ++w) {
    const plan::Plan& plan = schedule.plans[w];
    const std::string from = fmt::format("{:.0f} s", static_cast<double>(w) * query.window_s);
    const std::string rate = fmt::format("{:.2f}/s", query.rates[w]);
    if (!plan.feasible) {
      ++unserved;
      rows.push_back({from, rate, "none found", "-", "-", "-", "-", "-"});
      continue;
    }
    rows.push_back({from, rate, plan::ModeText(space.table(), plan.mode), std::to_string(plan.batch),
                    std::to_string(plan.outcome.tau), fmt::format("{:.2f}", plan.outcome.throughput),
                    fmt::format("{:.1f} ms", plan.outcome.latency_ms),
                    fmt::format("{:.1f}", plan.outcome.power_w)});
  }
  return FormatTable(rows, {0, 1, 3, 4, 5, 6, 7}) +
         fmt::format("{} points, {} mode changes, {} windows without a plan\n", schedule.points,
                     schedule.mode_changes, unserved);
}

}  // namespace mortar::cli
