// One search as a page: what was measured, power against what it is worth, and why each point is a plan or
// none.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/html.h"
#include "plan/page.h"
#include "plan/report.h"

namespace mortar::plan {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 380;
constexpr double kLeft = 60;
constexpr double kRight = 20;
constexpr double kTop = 20;
constexpr double kBottom = 45;

constexpr char kGood[] = "#283";    // keeps every budget
constexpr char kPartly[] = "#c80";  // without its background
constexpr char kBad[] = "#c33";

struct Dot {
  const Probe* probe;
  double power;
  double value;
  std::string verdict;
  const char* colour;
  bool chosen;
};

// The largest of 1, 2 and 5 times a power of ten of which `most` holds at least three.
double Tick(double most) {
  const double power = std::pow(10, std::floor(std::log10(most / 3)));
  for (const double factor : {5.0, 2.0}) {
    if (most / (factor * power) >= 3) return factor * power;
  }
  return power;
}

class Chart {
 public:
  Chart(const std::vector<Dot>& dots, double power_budget) : budget_(power_budget) {
    if (power_budget < 1e30) most_power_ = power_budget;
    for (const Dot& dot : dots) {
      most_power_ = std::max(most_power_, dot.power);
      most_value_ = std::max(most_value_, dot.value);
    }
  }

  std::string Draw(const std::vector<Dot>& dots, const std::string& line, const char* value_name) const {
    std::string svg = fmt::format("<svg width={} height={}>", kWidth, kHeight);
    for (double watts = 0; watts <= most_power_; watts += Tick(most_power_)) {
      svg += fmt::format(
          "<line x1={0:.1f} x2={0:.1f} y1={1} y2={2} stroke=#e4e4e4 /><text x={0:.1f} y={3} "
          "text-anchor=middle>{4:g}</text>",
          X(watts), kTop, kHeight - kBottom, kHeight - kBottom + 16, watts);
    }
    for (double value = 0; value <= most_value_; value += Tick(most_value_)) {
      svg += fmt::format(
          "<line x1={1} x2={2} y1={0:.1f} y2={0:.1f} stroke=#e4e4e4 /><text x={3} y={4:.1f} "
          "text-anchor=end>{5:g}</text>",
          Y(value), kLeft, kWidth - kRight, kLeft - 6, Y(value) + 4, value);
    }
    if (budget_ < 1e30) {
      svg += fmt::format("<line x1={0:.1f} x2={0:.1f} y1={1} y2={2} stroke={3} stroke-dasharray=4 />",
                         X(budget_), kTop, kHeight - kBottom, kBad);
    }
    svg += fmt::format("<polyline points=\"{}\" fill=none stroke=#47a />", line);
    for (const Dot& dot : dots) {
      svg += fmt::format("<circle cx={:.1f} cy={:.1f} r={} fill={}{}><title>{}</title></circle>",
                         X(dot.power), Y(dot.value), dot.chosen ? 8 : 4.5, dot.colour,
                         dot.chosen ? " stroke=#222 stroke-width=2" : "", base::EscapeHtml(dot.verdict));
    }
    return svg + fmt::format(
                     "<text x={} y={} text-anchor=middle>power, W (budget dashed)</text><text x={} "
                     "y=14>{}</text></svg>",
                     kWidth / 2, kHeight - 8, kLeft, value_name);
  }

  double X(double power) const { return kLeft + power / (1.05 * most_power_) * (kWidth - kLeft - kRight); }
  double Y(double value) const {
    return kHeight - kBottom - value / (1.05 * most_value_) * (kHeight - kTop - kBottom);
  }

 private:
  double budget_;
  double most_power_ = 1e-9;
  double most_value_ = 1e-9;
};

const char* ValueName(Problem problem) {
  switch (problem) {
    case Problem::kInfer:
      return "latency, ms";
    case Problem::kMultiInfer:
      return "background requests/s";
    default:
      return "training minibatches/s";
  }
}

std::string Rows(const Space& space, const std::vector<Dot>& dots, const char* value_name) {
  std::string html =
      fmt::format("<table><tr><th>#<th class=l>mode<th>batch<th>{}<th>W<th class=l>verdict", value_name);
  for (std::size_t i = 0; i < dots.size(); ++i) {
    const Dot& dot = dots[i];
    html += fmt::format("<tr{}><td>{}<td class=l>{}<td>{}<td>{:.3f}<td>{:.2f}<td class=l style=color:{}>{}",
                        dot.chosen ? " style=font-weight:bold" : "", i + 1,
                        base::EscapeHtml(ModeText(space.table(), dot.probe->choice.mode)),
                        space.batches()[static_cast<std::size_t>(dot.probe->choice.batch)], dot.value,
                        dot.power, dot.colour, base::EscapeHtml(dot.verdict));
  }
  return html + "</table>\n";
}

}  // namespace

std::string PlanHtml(const Space& space, const Query& query, const Plan& plan,
                     const std::vector<Probe>& probes) {
  const Terms terms = TermsOf(query);
  Terms free = terms;  // what a point would yield if power did not matter
  free.power_w = kNoLimit;
  std::vector<Dot> dots;
  for (const Probe& probe : probes) {
    const Outcome outcome = Judge(free, space.batches()[static_cast<std::size_t>(probe.choice.batch)],
                                  space.batches2()[static_cast<std::size_t>(probe.choice.batch2)],
                                  probe.measured.sample, space.IdleWatts(probe.choice.mode));
    Dot dot{&probe,
            outcome.power_w,
            terms.problem == Problem::kInfer ? outcome.latency_ms : outcome.throughput,
            VerdictText(space, terms, probe),
            kBad,
            false};
    if (dot.verdict.starts_with("feasible")) dot.colour = dot.verdict == "feasible" ? kGood : kPartly;
    dot.chosen = plan.feasible && probe.choice.mode == plan.mode &&
                 space.batches()[static_cast<std::size_t>(probe.choice.batch)] == plan.batch &&
                 (terms.problem != Problem::kMultiInfer ||
                  space.batches2()[static_cast<std::size_t>(probe.choice.batch2)] == plan.batch2);
    dots.push_back(dot);
  }
  const Chart chart(dots, terms.power_w);
  std::string line;
  for (const Probe* probe : MeasuredFront(space, terms, probes)) {
    const Dot& dot = dots[static_cast<std::size_t>(probe - probes.data())];
    line += fmt::format("{:.1f},{:.1f} ", chart.X(dot.power), chart.Y(dot.value));
  }
  const char* name = ValueName(terms.problem);
  const std::string title =
      fmt::format("Plan: {} on {}", ProblemName(query.problem), base::EscapeHtml(space.table().device));
  const std::string chosen =
      plan.feasible
          ? fmt::format("{}, batch {}", base::EscapeHtml(ModeText(space.table(), plan.mode)), plan.batch)
          : "no plan";
  return fmt::format(
             "<!doctype html><meta charset=utf-8><title>{}</title>{}<h1>{}</h1><p>{} points measured; "
             "chosen: "
             "<b>{}</b>.</p>",
             title, kStyle, title, probes.size(), chosen) +
         chart.Draw(dots, line, name) +
         fmt::format(
             "<p><span class=dot style=background:{}></span>keeps the budgets<span class=dot "
             "style=background:{}></span>without its background<span class=dot style=background:{}></span>"
             "breaks one. Each stands where it would without a power budget; the line is their Pareto "
             "front.</p>",
             kGood, kPartly, kBad) +
         Rows(space, dots, name);
}

}  // namespace mortar::plan
