"""Simulated against run on the emulated OpenCL device; see fidelity.sh.

For each scenario both programs are first recorded alone (`mortar trace record`), then `mortar sim` predicts each pair under
each policy, and only then the pair is run and measured. Compared: the holder's median and p99 request time against alone,
and the filler's kernels a second against alone; error: predicted minus measured. The emulated device computes kernels on
the processor and lets them end when a duration table says (docs/emulated.md); nothing is said about any real device.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "opencl"))
from emulated_runs import RunError, Runner  # noqa: E402

REQUEST = ["--kernels", "20", "--kernel-us", "185", "--gap-us", "500"]
SCENARIOS = [
    {"name": "blocking", "holder": REQUEST + ["--mode", "blocking"], "filler_us": 144, "jitter": 0},
    {"name": "blocking, long fills", "holder": REQUEST + ["--mode", "blocking"], "filler_us": 600, "jitter": 0},
    {"name": "async", "holder": REQUEST + ["--mode", "async"], "filler_us": 144, "jitter": 0},
]
POLICIES = ["share", "priority", "fill"]
WARM_UP = 20


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def record(runner, scenario, role, arguments, directory):
    """A timeline of one program alone."""
    path = os.path.join(directory, f"{role}-{scenario['name'].replace(' ', '-')}.json.gz")
    runner._new_run()  # pylint: disable=protected-access
    command = [runner.mortar, "trace", "record", "-o", path, "--", runner.mortar, "run", "--no-check", "--name", role,
               "--priority", "0", "--emulate", runner.table, "--", runner.workload, "--role", role] + arguments
    done = subprocess.run(command, env=runner.environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)} ended with {done.returncode}")
    return path


def predict(runner, holder, filler, seconds):
    command = [runner.mortar, "sim", "--holder", holder, "--filler", filler, "--policy", ",".join(POLICIES), "--for",
               f"{seconds}s", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)} ended with {done.returncode}")
    return {row["policy"]: row for row in map(json.loads, done.stdout.splitlines())}


def rate(result):
    return result["kernels"] * 1e9 / max(1, result["end_ns"] - result["start_ns"])


def measure(runner, scenario, policy, requests):
    alone = runner.holder_alone(scenario, requests)["latency_ns"][WARM_UP:]
    free = rate(runner.filler_alone(scenario))
    held, filled = runner.together(scenario, policy, None, requests)
    times = held["latency_ns"][WARM_UP:]
    return {"p50_x": quantile(times, 0.5) / quantile(alone, 0.5), "p99_x": quantile(times, 0.99) / quantile(alone, 0.99),
            "filler_vs_alone": filler_during(held, filled) / free, "late_share": runner.late_share()}


def filler_during(held, filled):
    """The filler's kernels a second while the holder ran."""
    begin, end = held["start_ns"], held["end_ns"]
    done = [(at, count) for at, count in filled["progress"] if begin <= at <= end]
    if len(done) < 2:
        return 0.0
    return (done[-1][1] - done[0][1]) * 1e9 / max(1, done[-1][0] - done[0][0])


def main():
    parser = argparse.ArgumentParser(prog="fidelity.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--mortar", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=300, help="of the holder, a run (300)")
    parser.add_argument("--pin", action="store_true", help="holder and filler on a core each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object a pair and policy")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="mortar-fidelity-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    runner = Runner(options, directory)
    try:
        for scenario in SCENARIOS:
            runner.write_table(scenario, options.seed)
            holder = record(runner, scenario, "holder", scenario["holder"] + ["--requests", "200"], directory)
            filler = record(runner, scenario, "filler",
                            ["--filler-us", str(scenario["filler_us"]), "--seconds", "1"], directory)
            predicted = predict(runner, holder, filler, 5)
            for policy in POLICIES:
                compare(options, scenario, policy, predicted[policy], measure(runner, scenario, policy, options.requests))
    except RunError as error:
        sys.exit(f"fidelity.sh: {error}")
    finally:
        runner.stop()
        shutil.rmtree(directory, ignore_errors=True)


def compare(options, scenario, policy, predicted, measured):
    row = {"scenario": scenario["name"], "policy": policy, "on": "emulated OpenCL device",
           "predicted_p50_x": predicted["holder_p50_x"], "measured_p50_x": measured["p50_x"],
           "error_p50": predicted["holder_p50_x"] - measured["p50_x"],
           "predicted_filler": predicted["filler_vs_alone"], "measured_filler": measured["filler_vs_alone"],
           "error_filler": predicted["filler_vs_alone"] - measured["filler_vs_alone"],
           "measured_p99_x": measured["p99_x"], "predicted_p99_x": predicted["holder_p99_x"],
           "late_share": measured["late_share"]}
    if options.json:
        print(json.dumps(row), flush=True)
        return
    print(f"{row['scenario']:22} {policy:9} p50 predicted {row['predicted_p50_x']:.3f} measured "
          f"{row['measured_p50_x']:.3f} ({row['error_p50']:+.3f})   filler predicted {row['predicted_filler']:.3f} "
          f"measured {row['measured_filler']:.3f} ({row['error_filler']:+.3f})   late {100 * row['late_share']:.1f} %",
          flush=True)


if __name__ == "__main__":
    main()
