"""Measures what sharing the emulated device does to a holder and what it gives a filler; see emulated.sh.

Every repetition runs the holder alone, the filler alone, and both under each policy, so that every figure is a ratio
of neighbours in time. Everything here is emulated: kernels are computed by PoCL on the processor, their lengths come
from a duration table (docs/emulated.md). Nothing is said about any real device.

Scenarios (20 kernels of 185 us a request, each followed by a gap of 500 us):
  blocking      the holder waits for each kernel; filler kernels of 144 us
  async         the holder waits once a request; filler kernels of 144 us
  bursts        20 requests 2 ms apart, then 300 ms away; filler kernels of 10 ms, which fit into no gap
  max-slowdown  blocking, durations jittered by 20 %, --max-slowdown of 1, 2 and 5 %, policy fill alone

  slicing       back to back, so never away, for each kind of holder: filler kernels of 10 ms, which fit into no gap,
                whole and with `mortar run --slice 150us`; policy fill alone

Figures (medians over repetitions; [least, most] in ..._spread with --json):
  holder_p50_x, holder_p99_x   the holder's request time, together over alone
  filler_vs_alone              the filler's kernels a second, together over alone; in bursts: while the holder is away
                               and idle_after (50 ms at most) has passed
  filler_vs_possible           the filler's kernels over what arithmetic allows: floor(gap / kernel) a gap; in bursts
                               the kernels while the holder is away over that time's worth of them
  windows_within               max-slowdown: share of all 100 consecutive requests, after 20, whose slowdown (against
                               the same requests alone, same seed) is at or under the limit
  late_share                   of all commands: real computing, on the processor, took longer than the table says
  noise                        "machine too noisy" where the p99 of neighbouring runs alone, of 1,000 requests or more,
                               differs by more than 3 % (median of ratios)
"""

import argparse
import os
import platform
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
import lines  # noqa: E402
import emulated_figures as figures  # noqa: E402
from emulated_runs import Runner, RunError  # noqa: E402

POLICIES = ["share", "exclusive", "priority", "fikit", "fill"]
WARM_UP = 20          # requests that a holder's figures leave out
LIMITS = [1, 2, 5]    # --max-slowdown, percent
BURST = 20            # requests
IDLE_AFTER_NS = 50_000_000

REQUEST = ["--kernels", "20", "--kernel-us", "185", "--gap-us", "500"]
SCENARIOS = {
    "blocking": {"holder": REQUEST + ["--mode", "blocking"], "filler_us": 144, "gap_us": 500, "jitter": 0},
    "async": {"holder": REQUEST + ["--mode", "async"], "filler_us": 144, "gap_us": 500, "jitter": 0},
    "bursts": {"holder": REQUEST + ["--mode", "blocking", "--think", f"bursts:{BURST},2,300"], "filler_us": 10_000,
               "gap_us": 500, "jitter": 0},
    "max-slowdown": {"holder": REQUEST + ["--mode", "blocking"], "filler_us": 144, "gap_us": 500, "jitter": 20},
    "slicing-blocking": {"holder": REQUEST + ["--mode", "blocking"], "filler_us": 10_000, "filler_items": 65_536,
                         "gap_us": 500, "jitter": 0},
    "slicing-async": {"holder": REQUEST + ["--mode", "async"], "filler_us": 10_000, "filler_items": 65_536,
                      "gap_us": 500, "jitter": 0},
}
SLICE = "150us"  # three in a gap, as blocking's own kernels


def parse_arguments():
    parser = argparse.ArgumentParser(prog="emulated.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--mortar", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--repetitions", type=int, default=10, metavar="N")
    parser.add_argument("--requests", type=int, default=1020, metavar="N", help="of the holder in each run (1020)")
    parser.add_argument("--quick", action="store_true", help="2 repetitions of 120 requests: too few to cite")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one (repeatable)")
    parser.add_argument("--policy", action="append", choices=POLICIES, help="only this one (repeatable)")
    parser.add_argument("--pin", action="store_true", help="holder and filler on different processors")
    options = parser.parse_args()
    if options.quick:
        options.repetitions, options.requests = 2, 120
    if options.requests <= WARM_UP or options.repetitions < 1:
        parser.error("--requests begins at 21, --repetitions at 1")
    return options


def log(text):
    print(f"emulated: {text}", file=sys.stderr, flush=True)


def measure_pair(runner, scenario, policy, alone, filler_rate, limit=None, pieces=None):
    """The figures of one policy in one repetition."""
    requests = scenario["slow_requests"].get(policy, scenario["requests"])
    holder, filler = runner.together(scenario, policy, limit, requests, pieces)
    first = holder["request_start_ns"][WARM_UP]
    latencies = holder["latency_ns"][WARM_UP:]
    alone_latencies = alone["latency_ns"][WARM_UP:]
    row = {
        "requests": requests,
        "holder_p50_x": figures.quantile(latencies, 0.5) / figures.quantile(alone_latencies, 0.5),
        "holder_p99_x": figures.quantile(latencies, 0.99) / figures.quantile(alone_latencies, 0.99),
    }
    progress = figures.Progress(filler["progress"])
    filler_ns = scenario["filler_us"] * 1000
    if scenario["name"] == "bursts":
        away = figures.away_windows(holder["request_start_ns"], holder["latency_ns"], scenario["gap_us"] * 1000, BURST,
                                    holder["end_ns"], first)
        settled = [(start + IDLE_AFTER_NS, end) for start, end in away]
        row["filler_vs_alone"] = progress.rate(settled) / filler_rate
        row["filler_vs_possible"] = progress.kernels(away) / (sum(end - start for start, end in away) / filler_ns)
    else:
        window = [(first, holder["end_ns"])]
        row["filler_vs_alone"] = progress.rate(window) / filler_rate
        possible = scenario["gap_us"] // scenario["filler_us"] * 20 * len(latencies)
        if possible > 0:
            row["filler_vs_possible"] = progress.kernels(window) / possible
    if limit is not None:
        row["windows_within"] = figures.windows_within(latencies, alone_latencies, 100, limit / 100)
        row["slowdown"] = sum(latencies) / sum(alone_latencies) - 1
    row["late_share"] = runner.late_share()
    return row


def measure_scenario(runner, name, options):
    """Returns {(policy, limit, pieces): [row of each repetition]}, and the holder's p99 alone in each repetition."""
    scenario = dict(SCENARIOS[name], name=name, requests=options.requests, slow_requests={})
    if name == "bursts":
        # The holder's requests take up to 60 times as long where long kernels get in front of each of its own.
        scenario["requests"] = min(options.requests, WARM_UP + 20 * BURST)
        slow = min(options.requests, WARM_UP + 2 * BURST)
        scenario["slow_requests"] = {"share": slow, "priority": slow}
    if name == "max-slowdown":
        cases = [("fill", limit, None) for limit in LIMITS]
    elif name.startswith("slicing"):
        cases = [("fill", None, None), ("fill", None, SLICE)]
    else:
        cases = [(policy, None, None) for policy in options.policy or POLICIES]
    rows = {case: [] for case in cases}
    alone_p99 = []
    for repetition in range(options.repetitions):
        runner.write_table(scenario, seed=repetition + 1)
        alone = runner.holder_alone(scenario, options.requests)
        filler_rate = figures.Progress(runner.filler_alone(scenario)["progress"]).rate(None)
        alone_p99.append(figures.quantile(alone["latency_ns"][WARM_UP:], 0.99))
        turned = cases[repetition % len(cases):] + cases[:repetition % len(cases)]
        for policy, limit, pieces in turned:
            log(f"{name}, repetition {repetition + 1} of {options.repetitions}, {policy}"
                + (f", {limit} %" if limit else "") + (f", --slice {pieces}" if pieces else ""))
            rows[policy, limit, pieces].append(
                measure_pair(runner, scenario, policy, alone, filler_rate, limit, pieces))
    return rows, alone_p99


def commit():
    try:
        return subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
                              capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def result_line(name, case, rows, alone_p99, options):
    policy, limit, pieces = case
    requests = rows[0].pop("requests")
    for row in rows[1:]:
        row.pop("requests")
    line = {"scenario": name, "policy": policy}
    if limit is not None:
        line["limit_percent"] = limit
    if name.startswith("slicing"):
        line["slice"] = pieces or "none"
    for key in rows[0]:
        values = [row[key] for row in rows]
        line[key] = round(figures.median(values), 4)
        line[key + "_spread"] = [round(min(values), 4), round(max(values), 4)]
    line["repetitions"] = len(rows)
    line["requests"] = requests - WARM_UP
    noise = figures.noise(alone_p99, options.requests - WARM_UP)
    if noise:
        line["noise"] = noise
    line["ran_on"] = f"emulated device over PoCL, {os.cpu_count()} processors, {platform.machine()}"
    line["commit"] = commit()
    return line


def print_table(rows):
    columns = ["scenario", "policy", "limit_percent", "slice", "requests", "holder_p50_x", "holder_p99_x", "filler_vs_alone",
               "filler_vs_possible", "windows_within", "noise"]
    shown = [column for column in columns if any(column in line for line in rows)]
    table = [shown] + [[str(line.get(column, "")) for column in shown] for line in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(shown))]
    print(f"An emulated device, not a real one ({rows[0]['ran_on']}); medians of {rows[0]['repetitions']} "
          "repetitions.")
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def measure_all(runner, options):
    for name in options.scenario or SCENARIOS:
        rows, alone_p99 = measure_scenario(runner, name, options)
        for case, values in rows.items():
            yield result_line(name, case, values, alone_p99, options)


if __name__ == "__main__":
    lines.main(lambda: lines.run(Runner, parse_arguments(), measure_all, print_table, RunError, log))
