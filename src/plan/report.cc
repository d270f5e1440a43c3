#include "plan/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/html.h"
#include "plan/page.h"

namespace mortar::plan {
namespace {

constexpr char kSyntheticTitle[] = "synthetic: ranks strategies, says nothing of a real device";

std::vector<const EvaluationRow*> MeasuredFirst(const Evaluation& evaluation) {
  std::vector<const EvaluationRow*> rows;
  for (const auto& row : evaluation.rows) rows.push_back(&row);
  std::stable_partition(rows.begin(), rows.end(), [](const EvaluationRow* row) { return row->measured; });
  return rows;
}

std::string SetTitle(const EvaluationRow& row) {
  std::string title = fmt::format("{} ({}, {}", row.set, row.problem, row.profile);
  if (row.noise > 0) title += fmt::format(", readings with {:.0f} % noise", 100 * row.noise);
  return title + (row.measured ? ", measured, replayed)" : std::string(") — ") + kSyntheticTitle);
}

Outcome JudgeProbe(const Space& space, const Terms& terms, const Probe& probe) {
  return Judge(terms, space.batches()[static_cast<std::size_t>(probe.choice.batch)],
               space.batches2()[static_cast<std::size_t>(probe.choice.batch2)], probe.measured.sample,
               space.IdleWatts(probe.choice.mode));
}

}  // namespace

std::string EvaluationJson(const Evaluation& evaluation) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const EvaluationRow* row : MeasuredFirst(evaluation)) {
    const Tally& tally = row->tally;
    nlohmann::ordered_json one;
    one["strategy"] = row->strategy;
    one["set"] = row->set;
    one["problem"] = row->problem;
    one["profile"] = row->profile;
    one["measured"] = row->measured;
    one["noise"] = row->noise;
    one["queries"] = tally.queries();
    one["solved"] = tally.solved();
    one["violating"] = tally.violating();
    one["loss_median"] = tally.LossQuantile(0.5);
    one["loss_mean"] = tally.LossMean();
    one["loss_p95"] = tally.LossQuantile(0.95);
    one["points_mean"] = tally.PointsMean();
    one["profiling_seconds_mean"] = tally.SecondsMean();
    one["mode_switches_mean"] = tally.SwitchesMean();
    one["cpu_seconds"] = row->cpu_seconds;
    rows.push_back(std::move(one));
  }
  return rows.dump(1) + "\n";
}

std::string EvaluationText(const Evaluation& evaluation) {
  std::string text = fmt::format("{}: {} configurations\n", evaluation.suite, evaluation.configurations);
  std::string set;
  for (const EvaluationRow* row : MeasuredFirst(evaluation)) {
    if (row->set != set) {
      set = row->set;
      text += fmt::format("\n{}\n{:<12}{:>9}{:>11}{:>9}{:>9}{:>9}{:>9}{:>11}{:>9}{:>10}\n", SetTitle(*row),
                          "strategy", "solved", "violating", "median", "mean", "p95", "points", "profiling",
                          "switches", "ms/query");
    }
    const Tally& tally = row->tally;
    text += fmt::format(
        "{:<12}{:>8.2f}%{:>10.2f}%{:>8.2f}%{:>8.2f}%{:>8.2f}%{:>9.1f}{:>10.1f}s{:>9.1f}{:>10.3f}\n",
        row->strategy, 100 * tally.solved(), 100 * tally.violating(), 100 * tally.LossQuantile(0.5),
        100 * tally.LossMean(), 100 * tally.LossQuantile(0.95), tally.PointsMean(), tally.SecondsMean(),
        tally.SwitchesMean(), 1000 * row->cpu_seconds / static_cast<double>(std::max(1L, tally.queries())));
  }
  return text;
}

std::string EvaluationHtml(const Evaluation& evaluation) {
  std::string html = fmt::format(
      "<!doctype html><meta charset=utf-8><title>{0}</title>{1}<h1>Planner evaluation: {0}</h1><p>{2} "
      "configurations. Loss is against exhaustive search; solved is the share of feasible queries with a "
      "plan that "
      "breaks nothing. All of it is replayed tables; no measured one tests the choice of a batch under a "
      "latency "
      "budget.</p>",
      base::EscapeHtml(evaluation.suite), kStyle, evaluation.configurations);
  std::string set;
  for (const EvaluationRow* row : MeasuredFirst(evaluation)) {
    if (row->set != set) {
      if (!set.empty()) html += "</table>";
      set = row->set;
      html += fmt::format(
          "<h2{}>{}</h2><table><tr><th>strategy<th>solved<th><th>violating<th>loss "
          "median<th>mean<th>p95<th>points"
          "<th>profiling<th>mode switches",
          row->measured ? "" : " class=s", base::EscapeHtml(SetTitle(*row)));
    }
    const Tally& tally = row->tally;
    html += fmt::format(
        "<tr><td>{}<td>{:.2f} %<td><svg width=100 height=10><rect class=bar height=10 "
        "width={:.0f}></rect></svg>"
        "<td>{:.2f} %<td>{:.2f} %<td>{:.2f} %<td>{:.2f} %<td>{:.1f}<td>{:.1f} s<td>{:.1f}",
        base::EscapeHtml(row->strategy), 100 * tally.solved(), 100 * tally.solved(), 100 * tally.violating(),
        100 * tally.LossQuantile(0.5), 100 * tally.LossMean(), 100 * tally.LossQuantile(0.95),
        tally.PointsMean(), tally.SecondsMean(), tally.SwitchesMean());
  }
  return html + "</table>\n";
}

std::string VerdictText(const Space& space, const Terms& terms, const Probe& probe) {
  const Sample& sample = probe.measured.sample;
  if (terms.problem == Problem::kTrain) {
    if (sample.p_bg <= terms.power_w * (1 + kSlack)) return "feasible";
    return fmt::format("power {:.2f} of {:.2f} W", sample.p_bg, terms.power_w);
  }
  const int batch = space.batches()[static_cast<std::size_t>(probe.choice.batch)];
  const double latency = terms.Queueing(batch) + sample.t_in;
  if (sample.p_in > terms.power_w * (1 + kSlack)) {
    return fmt::format("power {:.2f} of {:.2f} W", sample.p_in, terms.power_w);
  }
  if (sample.t_in > terms.Window(batch) * (1 + kSlack)) {
    return fmt::format("unstable: {:.2f} ms of work every {:.2f} ms", sample.t_in, terms.Window(batch));
  }
  if (latency > terms.latency_ms * (1 + kSlack)) {
    return fmt::format("latency {:.2f} of {:.2f} ms", latency, terms.latency_ms);
  }
  if (space.has_background() && sample.p_bg > terms.power_w * (1 + kSlack)) {
    return fmt::format("feasible without background (it draws {:.2f} of {:.2f} W)", sample.p_bg,
                       terms.power_w);
  }
  return "feasible";
}

std::vector<const Probe*> MeasuredFront(const Space& space, const Terms& terms,
                                        const std::vector<Probe>& probes) {
  std::vector<const Probe*> front;
  Terms free = terms;
  free.power_w = kNoLimit;
  for (const Probe& one : probes) {
    const Outcome mine = JudgeProbe(space, free, one);
    if (!mine.feasible) continue;
    const bool beaten = std::any_of(probes.begin(), probes.end(), [&](const Probe& other) {
      const Outcome theirs = JudgeProbe(space, free, other);
      return theirs.feasible && theirs.score >= mine.score && theirs.power_w <= mine.power_w &&
             (theirs.score > mine.score || theirs.power_w < mine.power_w);
    });
    if (!beaten) front.push_back(&one);
  }
  std::sort(front.begin(), front.end(), [&](const Probe* a, const Probe* b) {
    return JudgeProbe(space, free, *a).power_w < JudgeProbe(space, free, *b).power_w;
  });
  return front;
}

}  // namespace mortar::plan
