"""The simulator's goals, measured on recordings; see goals.sh.

Goals, by the names that --goal takes:
  replay        solo replay of each recording: span within 2 %, gaps p50 and p90 within max(5 %, 2 us), as recorded and
                with launch latencies at the recording's medians
  speed         completed operations a second, policy fill: BM_Sim_Events/2 at least 3 million, /16 at least 1 million
  import        BM_Kineto_Import: 200 MB/s of plain JSON, 100 MB/s from gzip
  matrix        every pair under every policy, 5 simulated seconds: 60 s at most
  threads       the same bytes with 1 and with 3 worker threads
  beside        fill beside priority, kernels whole, holder back to back: fill keeps p99 <= 1.05 on every pair, and has
                at least priority's throughput wherever priority keeps it too
  headline1     of those, fillers whose kernels are all under 1 ms: filler at least 0.80 of oracle-slack
  headline2     holder blocks after every launch, filler kernels of 50 us at most: p99 <= 1.03, 0.95 of oracle-gap
  cut           kernels cut to 50 us at 0, 5 and 20 us a piece: p99 <= 1.02; at no cost 0.90 of oracle-slack
  load          requests at 50 % load, periodic and Poisson: p99 <= 1.05, 0.95 of the better yardstick
  max-slowdown  0.5, 1, 2, 5 %: 99 % of the windows of 100 requests (after 20) at or under the limit; harvest at 1 % 0.8
                of oracle-slack, growing with the limit

Holders are run for --requests requests (1000: a p99 needs them) and at most --longest of simulated time; a tail is the
p99 where there are 1000 requests, else the maximum. Harvests are sums over pairs; pairs in which a yardstick starves
stay in. Everything is simulated from recordings, without interference on the chip; not validated on a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time


def fail(text):
    sys.exit(f"goals.sh: {text}")


class Bench:
    """Runs the tools; keeps matrices that several goals look at."""

    def __init__(self, options):
        self.options = options
        self.bin = os.path.join(options.build, "bin")
        self.kept = {}

    def output(self, command, alone=False):
        prefix = (self.options.alone if alone else self.options.prefix).split()
        done = subprocess.run(prefix + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            fail(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def tool(self, *arguments, alone=False):
        return self.output([os.path.join(self.bin, "mortar"), *arguments], alone)

    def matrix(self, holders, *flags, policies="fill", alone=False):
        return self.tool("sim", "matrix", "--holders", *holders, "--fillers", *self.options.recordings, "--policies", policies,
                         "--json", *flags, alone=alone)

    def rows(self, name, *flags, policies="fill", long=True):
        """One run a holder, so that no command takes long."""
        key = (name, flags, policies, long)
        if key not in self.kept:
            rows = []
            for holder in self.options.recordings:
                length = ["--for", self.options.longest, "--requests", str(self.options.requests)] if long else []
                text = self.matrix([holder], *length, *flags, policies=policies)
                rows += [json.loads(line) for line in text.splitlines()]
            if self.options.keep:
                with open(self.options.keep, "a", encoding="utf-8") as file:
                    for row in rows:
                        file.write(json.dumps({"run": name, **row}) + "\n")
            self.kept[key] = rows
        return self.kept[key]


def tail(row):
    value = row["holder_p99_x"] if row["holder_p99_x"] is not None else row["holder_max_x"]
    return value if value is not None else float("inf")


def pair(row):
    return f"{row['holder']} x {row['filler']}"


def verdict(met, figure, pairs=None, worst=None):
    return {"met": met, "figure": figure, "pairs": pairs, "worst": worst}


def tails(rows, limit):
    kept = [row for row in rows if tail(row) <= limit]
    worst = max(rows, key=tail)
    return verdict(len(kept) == len(rows), f"tail <= {limit} on {len(kept)} of {len(rows)}", f"{len(kept)}/{len(rows)}",
                   f"{pair(worst)} {tail(worst):.3f}")


def harvest(rows, yardsticks, least):
    """Sum of filler work over the sum of a yardstick's, or of each pair's better one."""
    own = sum(row["filler_work_ms_per_s"] or 0 for row in rows)
    best = sum(max(row[f"{name}_work_ms_per_s"] or 0 for name in yardsticks) for row in rows)

    def share(row):
        yard = max(row[f"{name}_work_ms_per_s"] or 0 for name in yardsticks)
        return (row["filler_work_ms_per_s"] or 0) / yard if yard else float("inf")

    met = [row for row in rows if share(row) >= least]
    worst = min(rows, key=share)
    ratio = own / best if best else float("nan")
    return verdict(ratio >= least, f"{ratio:.3f} of {' or '.join(yardsticks)}", f"{len(met)}/{len(rows)}",
                   f"{pair(worst)} {share(worst):.3f}")


def near(found, wanted):
    return abs(found - wanted) <= max(0.05 * wanted, 2)


def goal_replay(bench):
    for path in bench.options.recordings:
        shown = json.loads(bench.tool("trace", "show", path, "--json"))
        name = os.path.basename(path)
        if shown["replay_span_error"] is None:
            yield name, verdict(False, "not replayed")
            continue
        replay, wanted = shown["replay"], shown["replay"]["recorded_gap_us"]
        for kind, error, gaps in (("as recorded", shown["replay_span_error"], replay["gap_us"]),
                                  ("median latencies", replay["median_latencies"]["span_error"],
                                   replay["median_latencies"]["gap_us"])):
            met = error <= 0.02 and all(near(gaps[q], wanted[q]) for q in ("p50", "p90"))
            yield f"{name}, {kind}", verdict(met, f"span {100 * error:.2f} %, gaps p50 {gaps['p50']:.1f} of {wanted['p50']:.1f}, "
                                             f"p90 {gaps['p90']:.1f} of {wanted['p90']:.1f} us")


def google_benchmark(bench, program, pattern, field):
    text = bench.output([os.path.join(bench.bin, program), f"--benchmark_filter={pattern}", "--benchmark_format=json",
                         "--benchmark_min_time=0.5"], alone=True)
    return {run["name"]: run[field] for run in json.loads(text)["benchmarks"]}


def goal_speed(bench):
    found = google_benchmark(bench, "sim_bench", "BM_Sim_Events", "items_per_second")
    for name, least in (("BM_Sim_Events/2", 3e6), ("BM_Sim_Events/16", 1e6)):
        yield name, verdict(found[name] >= least, f"{found[name] / 1e6:.2f} million/s of {least / 1e6:.0f}")


def goal_import(bench):
    found = google_benchmark(bench, "trace_bench", "BM_Kineto_Import", "bytes_per_second")
    for name, rate in found.items():
        least = 100 if "gzip" in name.lower() or name.endswith("/1") else 200
        yield name, verdict(rate >= least * 1e6, f"{rate / 1e6:.0f} MB/s of {least}")


def goal_matrix(bench):
    begun = time.monotonic()
    bench.matrix(bench.options.recordings, policies="all", alone=True)
    took = time.monotonic() - begun
    yield "all policies, 5 s", verdict(took <= 60, f"{took:.1f} s of 60, waiting for the machine included")


def goal_threads(bench):
    texts = {n: bench.matrix(bench.options.recordings, "--for", "500ms", "--threads", n, policies="fill,oracle-slack")
             for n in ("1", "3")}
    yield "1 and 3 threads", verdict(texts["1"] == texts["3"], "the same bytes" if texts["1"] == texts["3"] else "differ")


def goal_beside(bench):
    rows = bench.rows("whole, long", "--without-yardsticks", policies="fill,priority")
    fill = {(row["holder"], row["filler"]): row for row in rows if row["policy"] == "fill"}
    priority = {(row["holder"], row["filler"]): row for row in rows if row["policy"] == "priority"}
    yield "fill's tails", tails(list(fill.values()), 1.05)
    both = [key for key, row in priority.items() if tail(row) <= 1.05]
    more = [key for key in both if fill[key]["filler_vs_alone"] >= priority[key]["filler_vs_alone"]]
    worst = min(both, key=lambda key: fill[key]["filler_vs_alone"] / max(1e-9, priority[key]["filler_vs_alone"]), default=None)
    yield "fill at least priority's", verdict(
        len(more) == len(both), f"on {len(more)} of the {len(both)} pairs that priority keeps", f"{len(more)}/{len(both)}",
        worst and f"{worst[0]} x {worst[1]} {fill[worst]['filler_vs_alone']:.3f} of {priority[worst]['filler_vs_alone']:.3f}")


def short_kernels(bench):
    """Fillers whose kernels are all under 1 ms."""
    names = set()
    for path in bench.options.recordings:
        text = bench.tool("trace", "show", path, "--json")
        if json.loads(text)["longest_kernel_us"] < 1000:
            names.add(json.loads(bench.matrix([path], "--for", "200ms", "--without-yardsticks").splitlines()[0])["holder"])
    return names


def goal_headline1(bench):
    names = short_kernels(bench)
    yield "tails", tails([row for row in bench.rows("whole, long", "--without-yardsticks", policies="fill,priority")
                          if row["policy"] == "fill" and row["filler"] in names], 1.05)
    short = [row for row in bench.rows("whole", long=False) if row["filler"] in names]
    yield "harvest", harvest(short, ["oracle_slack"], 0.80)


def goal_headline2(bench):
    flags = ("--blocking", "--split-us", "50")
    yield "tails", tails(bench.rows("blocking, long", *flags, "--without-yardsticks"), 1.03)
    yield "harvest", harvest(bench.rows("blocking", *flags, long=False), ["oracle_gap"], 0.95)


def goal_cut(bench):
    for cost in ("0", "5", "20"):
        flags = ("--split-us", "50", "--split-cost-us", cost)
        yield f"{cost} us a piece, tails", tails(bench.rows(f"cut {cost}, long", *flags, "--without-yardsticks"), 1.02)
    yield "no cost, harvest", harvest(bench.rows("cut 0", "--split-us", "50", long=False), ["oracle_slack"], 0.90)


def goal_load(bench):
    for arrivals in ("periodic:50%", "poisson:50%"):
        flags = ("--arrivals", arrivals)
        yield f"{arrivals}, tails", tails(bench.rows(f"{arrivals}, long", *flags, "--without-yardsticks"), 1.05)
        yield f"{arrivals}, harvest", harvest(bench.rows(arrivals, *flags, long=False), ["oracle_gap", "oracle_slack"], 0.95)


def goal_max_slowdown(bench):
    works = {}
    for limit in ("0.5", "1", "2", "5"):
        rows = bench.rows(f"limit {limit}, long", "--max-slowdown", f"{limit}%", "--without-yardsticks")
        rows = [row for row in rows if row["windows"]]
        kept = [row for row in rows if row["windows_over_limit"] <= 0.01]
        worst = max(rows, key=lambda row: row["windows_over_limit"])
        all_windows = sum(row["windows"] for row in rows)
        over = sum(row["windows"] * row["windows_over_limit"] for row in rows)
        yield f"{limit} %, windows", verdict(
            len(kept) == len(rows), f"{100 * (1 - over / max(1, all_windows)):.2f} % of all windows within; 99 % on {len(kept)} of "
            f"{len(rows)} pairs", f"{len(kept)}/{len(rows)}", f"{pair(worst)} {100 * (1 - worst['windows_over_limit']):.1f} %")
        works[limit] = sum(row["filler_work_ms_per_s"] for row in rows)
    yield "1 %, harvest", harvest(bench.rows("limit 1", "--max-slowdown", "1%", long=False), ["oracle_slack"], 0.8)
    order = [works[limit] for limit in ("0.5", "1", "2", "5")]
    yield "harvest grows", verdict(order == sorted(order), " <= ".join(f"{work:.0f}" for work in order) + " ms/s, sums")


GOALS = {"replay": goal_replay, "speed": goal_speed, "import": goal_import, "matrix": goal_matrix, "threads": goal_threads,
         "beside": goal_beside, "headline1": goal_headline1, "headline2": goal_headline2, "cut": goal_cut,
         "load": goal_load, "max-slowdown": goal_max_slowdown}


def find_recordings(paths):
    found = []
    for path in paths:
        if os.path.isdir(path):
            for folder, _, files in os.walk(path):
                found += [os.path.join(folder, name) for name in files if name.endswith((".json", ".json.gz", ".mtr"))]
        else:
            found.append(path)
    return sorted(found)


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    shared = os.environ.get("MORTAR_SHARED_DATA", os.path.join(root, "..", "shared", "data"))
    parser = argparse.ArgumentParser(prog="goals.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", default=[os.path.join(shared, "traces")],
                        help="files or folders (default: the shared recordings)")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--goal", action="append", choices=list(GOALS), help="only this one (repeatable)")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="of each holder, for tails (1000)")
    parser.add_argument("--longest", default="1000s", metavar="TIME", help="simulated for them at most (1000s)")
    parser.add_argument("--prefix", default="", metavar="CMD", help="put before every command, such as 'nice -n 5'")
    parser.add_argument("--alone", default="", metavar="CMD", help="the same for what is timed")
    parser.add_argument("--keep", metavar="FILE", help="append every row to it")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    options = parser.parse_args()
    options.recordings = find_recordings(options.recordings)
    if not options.recordings:
        fail("no recordings; name some, or set MORTAR_SHARED_DATA")
    bench = Bench(options)
    for name in options.goal or GOALS:
        begun = time.monotonic()
        for what, found in GOALS[name](bench):
            if options.json:
                print(json.dumps({"goal": name, "what": what, **found}), flush=True)
                continue
            worst = f"; worst {found['worst']}" if found["worst"] else ""
            print(f"{name:12} {what:32} {'met' if found['met'] else 'NOT MET':8} {found['figure']}{worst}", flush=True)
        print(f"goals.sh: {name} took {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if not options.json:
        print("\nSimulated from recordings, without interference on the chip; not validated on a GPU.")


if __name__ == "__main__":
    main()
