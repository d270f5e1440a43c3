"""Simulated against run: on the emulated OpenCL device and on the simulated CUDA device; see fidelity.sh.

For each scenario both programs are first recorded alone (`mortar trace record`), then `mortar sim` predicts each pair under
each policy, and only then the pair is run and measured. Compared: the holder's median and p99 request time against alone,
and the filler's kernels a second against alone; error: predicted minus measured, and where `mortar sim` gives two bounds
(merged), by how much the measured value lies outside them. The emulated device computes kernels on the processor and lets
them end when a duration table says (docs/emulated.md); the simulated CUDA device computes nothing and says when kernels end
(docs/simcuda.md). Nothing is said about any real device.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("opencl", "cuda", "common")]
import emulated_runs  # noqa: E402
import lines  # noqa: E402
import runs  # noqa: E402
from emulated_figures import Progress, quantile  # noqa: E402
from emulated_runs import RunError  # noqa: E402

REQUEST = ["--kernels", "20", "--kernel-us", "185", "--gap-us", "500"]
EMULATED = [
    {"name": "blocking", "holder": REQUEST + ["--mode", "blocking"], "filler_us": 144, "jitter": 0},
    {"name": "blocking, long fills", "holder": REQUEST + ["--mode", "blocking"], "filler_us": 600, "jitter": 0},
    {"name": "async", "holder": REQUEST + ["--mode", "async"], "filler_us": 144, "jitter": 0},
]
CUDA = [{"name": f"{mode}, {pattern}", "mode": mode, "holder": ["--mode", pattern], "filler_us": 0}
        for mode in ("sliced", "merged") for pattern in ("blocking", "async")]
POLICIES = ["share", "priority", "fill"]
WARM_UP = 20


class Emulated(emulated_runs.Runner):
    on = "emulated OpenCL device"
    scenarios = EMULATED

    def prepare(self, scenario, options):
        """Recordings of holder and filler, each alone."""
        self.write_table(scenario, options.seed)
        return (self._record(scenario, "holder", scenario["holder"] + ["--requests", "200"]),
                self._record(scenario, "filler", ["--filler-us", str(scenario["filler_us"]), "--seconds", "1"]))

    def device_flags(self, _):
        return []

    def _record(self, scenario, role, arguments):
        path = os.path.join(self.directory, f"{role}-{scenario['name'].replace(' ', '-')}.json.gz")
        self._new_run()
        self._call([self.mortar, "trace", "record", "-o", path, "--", self.mortar, "run", "--no-check", "--name", role,
                    "--priority", "0", "--emulate", self.table, "--", self.workload, "--role", role] + arguments)
        return path


class Cuda(runs.Runner):
    on = "simulated CUDA device"
    scenarios = CUDA

    def prepare(self, scenario, _):
        self.write_device(scenario["mode"])
        return (self.record("holder", scenario["holder"] + ["--requests", "60"]),
                self.record("filler", ["--requests", "60"]))

    def device_flags(self, scenario):
        if scenario["mode"] == "merged":
            return ["--device", "merged"]  # two bounds
        return ["--device", "sliced", "--slice", "2ms", "--switch-cost", f"{self.switch_us}us"]

    def late_share(self):
        return None  # it computes nothing that could be late


def predict(runner, scenario, holder, filler):
    command = [runner.mortar, "sim", "--holder", holder, "--filler", filler, "--policy", ",".join(POLICIES), "--for",
               "5s", "--no-jitter", "--json"] + runner.device_flags(scenario)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)} ended with {done.returncode}")
    rows = {}
    for row in map(json.loads, done.stdout.splitlines()):
        rows.setdefault(row["policy"], []).append(row)
    return rows


def measure(runner, scenario, policy, requests):
    alone = runner.holder_alone(scenario, requests)["latency_ns"][WARM_UP:]
    free = Progress(runner.filler_alone(scenario)["progress"]).rate(None)
    held, filled = runner.together(scenario, policy, None, requests)
    times = held["latency_ns"][WARM_UP:]
    filler = Progress(filled["progress"]).rate([(held["start_ns"], held["end_ns"])])
    return {"p50_x": quantile(times, 0.5) / quantile(alone, 0.5), "p99_x": quantile(times, 0.99) / quantile(alone, 0.99),
            "filler_vs_alone": filler / free, "late_share": runner.late_share()}


def beside(predicted, measured):
    """([least, most] predicted, error): one prediction is its own bounds."""
    least, most = min(predicted), max(predicted)
    return [least, most], round(max(0, least - measured) + min(0, most - measured) if least < most else least - measured, 4)


def compare(runner, scenario, policy, predicted, measured):
    p50, error_p50 = beside([row["holder_p50_x"] for row in predicted], measured["p50_x"])
    filler, error_filler = beside([row["filler_vs_alone"] for row in predicted], measured["filler_vs_alone"])
    return {"on": runner.on, "scenario": scenario["name"], "policy": policy,
            "predicted_p50_x": p50, "measured_p50_x": round(measured["p50_x"], 4), "error_p50": error_p50,
            "predicted_filler": filler, "measured_filler": round(measured["filler_vs_alone"], 4), "error_filler": error_filler,
            "measured_p99_x": round(measured["p99_x"], 4), "late_share": measured["late_share"]}


def measure_all(runner, options):
    for scenario in runner.scenarios:
        holder, filler = runner.prepare(scenario, options)
        predicted = predict(runner, scenario, holder, filler)
        for policy in POLICIES:
            log(f"{runner.on}: {scenario['name']}, {policy}")
            yield compare(runner, scenario, policy, predicted[policy],
                          measure(runner, scenario, policy, options.requests))


def shown(bounds):
    return "–".join(f"{value:.3f}" for value in (bounds if bounds[0] < bounds[1] else bounds[:1]))


def print_row(row):
    late = "" if row["late_share"] is None else f"   late {100 * row['late_share']:.1f} %"
    print(f"{row['on']:22} {row['scenario']:20} {row['policy']:9} p50 predicted {shown(row['predicted_p50_x'])} measured "
          f"{row['measured_p50_x']:.3f} ({row['error_p50']:+.3f})   filler predicted {shown(row['predicted_filler'])} "
          f"measured {row['measured_filler']:.3f} ({row['error_filler']:+.3f}){late}", flush=True)


def print_table(rows):
    for row in rows:
        print_row(row)


def log(text):
    print(f"fidelity.sh: {text}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="fidelity.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--mortar", help=argparse.SUPPRESS)
    parser.add_argument("--on", choices=["emulated", "cuda"], help="only on this device")
    parser.add_argument("--requests", type=int, default=300, help="of the holder, a run (300)")
    parser.add_argument("--pin", action="store_true", help="holder and filler on a core each")
    parser.add_argument("--switch-us", type=int, default=20, help="simulated CUDA device: what a switch of contexts costs (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object a pair and policy")
    options = parser.parse_args()
    if options.requests <= WARM_UP:
        parser.error(f"--requests begins at {WARM_UP + 1}")
    return options


def run():
    options = parse_arguments()
    kinds = [kind for name, kind in (("emulated", Emulated), ("cuda", Cuda)) if options.on in (None, name)]
    return max(lines.run(kind, options, measure_all, print_table, RunError, log) for kind in kinds)


if __name__ == "__main__":
    lines.main(run)
