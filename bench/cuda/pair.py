"""Measures what sharing the simulated CUDA device does to a holder and what it gives a filler; see pair.sh.

Two unmodified programs (bench/cuda/workload): a holder whose requests are 60 kernels of 5 to 200 us, the host at work for 20
to 150 us after each and away for 2 ms after each request, blocking after every kernel or asynchronous with one wait a
request; a filler that launches kernels of 5 to 400 us ahead, without end (without the 2 ms its long kernels would fit nowhere,
and with them nothing behind them). Every repetition runs the holder alone, the filler alone, and both under each policy, so
that every figure is a ratio of neighbours in time; the order turns. The device is simulated in wall-clock time, in each of
its modes: sliced (contexts take turns of 2 ms, --switch-us between two) and merged (as under MPS; every kernel fills the
device). Nothing is said about any real device.

Figures (medians over repetitions; [least, most] in ..._spread with --json):
  holder_p50_x, holder_p99_x   the holder's request time, together over alone
  filler_vs_alone              the filler's kernels a second while the holder ran, over alone
  filler_vs_yardstick          that over the yardstick's: whole gaps (blocking) or slack (async) with perfect knowledge, which
                               `mortar sim` computes from recordings of the two programs made before
  alone_p50_spread             the holder's median alone, most over least among neighbours
  fills_p50_x, fills_p99_x     with --attribute, blocking: the holder's request time alone plus what fills alone added to it,
                               over alone, from a traced run of its own: without what else the machine does
  others_p99_x                 the same with what everything but fills added: the machine's own hiccups
  noise                        said where that is more than 1.03: the machine was too noisy
"""

import argparse
import os
import platform
import sys

import delays
from runs import Runner, RunError
import emulated_figures as figures
import lines
from emulated import commit

POLICIES = ["share", "priority", "fikit", "fill"]
WARM_UP = 20  # requests that a holder's figures leave out


def parse_arguments():
    parser = argparse.ArgumentParser(prog="pair.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--mortar", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--repetitions", type=int, default=10, metavar="N")
    parser.add_argument("--requests", type=int, default=140, metavar="N", help="of the holder in each run (140)")
    parser.add_argument("--quick", action="store_true", help="2 repetitions of 60 requests: too few to cite")
    parser.add_argument("--device-mode", action="append", choices=["sliced", "merged"], help="only this one (repeatable)")
    parser.add_argument("--pattern", action="append", choices=["blocking", "async"], help="only this one (repeatable)")
    parser.add_argument("--policy", action="append", choices=POLICIES, help="only this one (repeatable)")
    parser.add_argument("--switch-us", type=int, default=20, metavar="N", help="sliced: what a switch costs (20)")
    parser.add_argument("--attribute", action="store_true", help="also part the holder's delays: fills', and all other")
    parser.add_argument("--pin", action="store_true", help="holder and filler on different processors")
    options = parser.parse_args()
    if options.quick:
        options.repetitions, options.requests = 2, 60
    if options.requests <= WARM_UP or options.repetitions < 1:
        parser.error("--requests begins at 21, --repetitions at 1")
    return options


def log(text):
    print(f"pair: {text}", file=sys.stderr, flush=True)


def measure_pair(runner, scenario, policy, requests, alone, filler_rate):
    """The figures of one policy in one repetition."""
    holder, filler = runner.together(scenario, policy, None, requests)
    times = holder["latency_ns"][WARM_UP:]
    before = alone["latency_ns"][WARM_UP:]
    window = [(holder["request_start_ns"][WARM_UP], holder["end_ns"])]
    return {
        "holder_p50_x": figures.quantile(times, 0.5) / figures.quantile(before, 0.5),
        "holder_p99_x": figures.quantile(times, 0.99) / figures.quantile(before, 0.99),
        "filler_vs_alone": figures.Progress(filler["progress"]).rate(window) / filler_rate,
    }


def measure(runner, mode, pattern, options):
    """({policy: [row of each repetition]}, the holder's median alone in each, the yardstick)."""
    scenario = {"name": f"{mode}-{pattern}", "holder": ["--mode", pattern]}
    runner.write_device(mode)
    holder = runner.record("holder", ["--mode", pattern, "--requests", "60"])
    filler = runner.record("filler", ["--requests", "60"])
    yardstick = runner.yardstick(holder, filler, pattern == "blocking")
    policies = options.policy or POLICIES
    rows = {policy: [] for policy in policies}
    alone_p50 = []
    for repetition in range(options.repetitions):
        alone = runner.holder_alone(scenario, options.requests)
        rate = figures.Progress(runner.filler_alone({"filler_us": 0})["progress"]).rate(None)
        alone_p50.append(figures.quantile(alone["latency_ns"][WARM_UP:], 0.5))
        turn = repetition % len(policies)
        for policy in policies[turn:] + policies[:turn]:
            log(f"{mode}, {pattern}, repetition {repetition + 1} of {options.repetitions}, {policy}")
            rows[policy].append(measure_pair(runner, scenario, policy, options.requests, alone, rate))
    parts = {policy: attribute(runner, scenario, policy, options.requests, figures.median(alone_p50)) for policy in policies
             if options.attribute and pattern == "blocking"}
    return rows, alone_p50, yardstick, parts


def attribute(runner, scenario, policy, count, alone_ns):
    kernels, fills = delays.read(runner.together_recorded(scenario, policy, count))
    times = delays.requests(kernels, fills, WARM_UP)
    by_fills, other = [one[1] * 1e3 for one in times], [one[2] * 1e3 for one in times]
    return {"fills_p50_x": round(1 + figures.quantile(by_fills, 0.5) / alone_ns, 4),
            "fills_p99_x": round(1 + figures.quantile(by_fills, 0.99) / alone_ns, 4),
            "others_p99_x": round(1 + figures.quantile(other, 0.99) / alone_ns, 4)}


def result_line(mode, pattern, policy, measured, options):
    rows, alone_p50, yardstick, parts = measured
    line = {"device_mode": mode, "pattern": pattern, "policy": policy}
    for row in rows[policy]:
        row["filler_vs_yardstick"] = row["filler_vs_alone"] / yardstick if yardstick else 0.0
    for key in rows[policy][0]:
        values = [row[key] for row in rows[policy]]
        line[key] = round(figures.median(values), 4)
        line[key + "_spread"] = [round(min(values), 4), round(max(values), 4)]
    line.update(parts.get(policy, {}))
    line["yardstick_vs_alone"] = round(yardstick, 4)
    line["repetitions"] = len(rows[policy])
    line["requests"] = options.requests - WARM_UP
    neighbours = [max(a, b) / min(a, b) for a, b in zip(alone_p50, alone_p50[1:])] or [1.0]
    line["alone_p50_spread"] = round(figures.median(neighbours), 4)
    if line["alone_p50_spread"] > 1.03:
        line["noise"] = "machine too noisy"
    line["switch_us"] = options.switch_us if mode == "sliced" else 0
    line["ran_on"] = f"simulated CUDA device, {os.cpu_count()} processors, {platform.machine()}"
    line["commit"] = commit()
    return line


def print_table(rows):
    columns = ["device_mode", "pattern", "policy", "holder_p50_x", "holder_p99_x", "filler_vs_alone",
               "filler_vs_yardstick", "fills_p99_x", "others_p99_x", "alone_p50_spread", "noise"]
    shown = [column for column in columns if any(column in line for line in rows)]
    table = [shown] + [[str(line.get(column, "")) for column in shown] for line in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(shown))]
    print(f"A simulated device, not a real one ({rows[0]['ran_on']}); medians of {rows[0]['repetitions']} repetitions of "
          f"{rows[0]['requests']} requests.")
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def measure_all(runner, options):
    for mode in options.device_mode or ["sliced", "merged"]:
        for pattern in options.pattern or ["blocking", "async"]:
            measured = measure(runner, mode, pattern, options)
            for policy in measured[0]:
                yield result_line(mode, pattern, policy, measured, options)


if __name__ == "__main__":
    lines.main(lambda: lines.run(Runner, parse_arguments(), measure_all, print_table, RunError, log))
