"""FIKIT's claims (arXiv 2311.10359) on recorded programs, simulated; see fikit.sh.

Each recording is holder and filler of each other. The filler runs continuously; the holder back to back, and
periodically at half its solo rate; asynchronous as recorded, and waiting after every launch. Default sharing: contexts
that take turns of 0.5, 1, 2 and 5 ms, with a cost of 0 to 200 us a switch. Against it, on the same device: `fikit` (our
reconstruction) and `fill`. Neither slice nor cost is known for the paper's machine, so results are ranges.

  speed-up   the holder's mean request time under default sharing over its time under the policy
             (paper: 1.32 to 16.41, more than half above 3.4)
  low JCT    both readings of the paper's 0.86 to 1: the filler's request time under the policy over that under default
             sharing, and the other way round. From throughput: a filler's long requests seldom end in the time simulated.

Everything here is simulated from recordings, without interference on the chip; not validated on a GPU.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

SLICES_MS = [0.5, 1, 2, 5]
COSTS_US = [0, 50, 200]
POLICIES = ["timeslice", "fikit", "fill"]
SETTINGS = {
    "back to back, asynchronous": [],
    "back to back, blocking": ["--blocking"],
    "periodic, asynchronous": ["--arrivals", "periodic:50%"],
    "periodic, blocking": ["--arrivals", "periodic:50%", "--blocking"],
}
PERIODIC_TIMES = 5  # as long: a request must come, and end


def find_root():
    return os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def find_tool(root):
    if os.environ.get("MORTAR"):
        return os.environ["MORTAR"]
    for build in ("release", "dev"):
        path = os.path.join(root, "build", build, "bin", "mortar")
        if os.path.exists(path):
            return path
    sys.exit("fikit.sh: no mortar; build it first (./dev build release) or set MORTAR")


def duration(options, flags):
    return f"{options.seconds * (PERIODIC_TIMES if '--arrivals' in flags else 1)}s"


def run(tool, options, extra):
    command = [tool, "sim", "matrix", "--holders", *options.recordings, "--fillers", *options.recordings, "--policies",
               ",".join(POLICIES), "--without-yardsticks", "--for", duration(options, extra), "--json"] + extra
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"fikit.sh: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ratios(rows):
    """By policy: speed-ups, low-priority ratios, and the same the other way round, of the pairs that have them."""
    by_pair = {}
    for row in rows:
        by_pair.setdefault((row["holder"], row["filler"]), {})[row["policy"]] = row
    found = {policy: {"speedup": [], "low": [], "low_inverse": [], "starved": 0} for policy in POLICIES[1:]}
    for pair in by_pair.values():
        default = pair["timeslice"]
        for policy, into in found.items():
            own = pair[policy]
            if default["holder_mean_x"] and own["holder_mean_x"]:
                into["speedup"].append(default["holder_mean_x"] / own["holder_mean_x"])
            if own["filler_vs_alone"] and default["filler_vs_alone"]:
                into["low"].append(default["filler_vs_alone"] / own["filler_vs_alone"])
                into["low_inverse"].append(own["filler_vs_alone"] / default["filler_vs_alone"])
            else:
                into["starved"] += 1
    return found


def summary(values):
    if not values:
        return None
    return {"least": min(values), "median": statistics.median(values), "most": max(values), "pairs": len(values)}


def main():
    root = find_root()
    shared = os.environ.get("MORTAR_SHARED_DATA", os.path.join(root, "..", "shared", "data"))
    parser = argparse.ArgumentParser(prog="fikit.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", default=[os.path.join(shared, "traces")],
                        help="files or folders (default: the shared recordings)")
    parser.add_argument("--for", dest="seconds", default=1.0, type=lambda text: float(text.removesuffix("s")), metavar="TIME",
                        help="to simulate each pair back to back (1s); periodic five times as long")
    parser.add_argument("--setting", action="append", choices=list(SETTINGS), help="only this one (repeatable)")
    parser.add_argument("--json", action="store_true", help="one JSON object a setting, slice, cost and policy")
    options = parser.parse_args()
    tool = find_tool(root)
    settings = {name: SETTINGS[name] for name in options.setting or SETTINGS}
    total = len(settings) * len(SLICES_MS) * len(COSTS_US)
    made = 0
    for setting, flags in settings.items():
        for slice_ms in SLICES_MS:
            for cost in COSTS_US:
                found = ratios(run(tool, options, ["--device", "sliced", "--slice", f"{slice_ms}ms", "--switch-cost",
                                                   f"{cost}us"] + flags))
                made += 1
                print(f"{made} of {total}", file=sys.stderr)
                for policy, values in found.items():
                    show(options, setting, slice_ms, cost, policy, values)
    if not options.json:
        print("\nSimulated from recordings, without interference on the chip; not validated on a GPU.")


def show(options, setting, slice_ms, cost, policy, values):
    speedups = values["speedup"]
    row = {"setting": setting, "slice_ms": slice_ms, "switch_us": cost, "policy": policy,
           "speedup": summary(speedups),
           "share_above_3.4": sum(s > 3.4 for s in speedups) / len(speedups) if speedups else None,
           "low_jct": summary(values["low"]), "low_jct_inverse": summary(values["low_inverse"]),
           "starved": values["starved"], "simulated": True}
    if options.json:
        print(json.dumps(row), flush=True)
        return
    if not speedups:
        print(f"{setting:28} slice {slice_ms:3} ms, switch {cost:3} us  {policy:5}  no request ended", flush=True)
        return
    s, low = row["speedup"], row["low_jct"] or {"least": 0, "median": 0, "most": 0}
    print(f"{setting:28} slice {slice_ms:3} ms, switch {cost:3} us  {policy:5}  speed-up {s['least']:.2f}–"
          f"{s['most']:.2f}, median {s['median']:.2f}, above 3.4: {100 * row['share_above_3.4']:.0f} %  "
          f"low JCT {low['least']:.2f}–{low['most']:.2f}, median {low['median']:.2f}, starved {values['starved']}",
          flush=True)


if __name__ == "__main__":
    main()
