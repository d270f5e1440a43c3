"""The demo on the simulated CUDA device: an inference service and a training job share it under each policy.

Both are unmodified CUDA programs (bench/cuda/workload): the service answers requests of 60 kernels, the host waiting for
each and working in between; the training job launches iterations of 60 kernels ahead. Kernels count themselves, so a lost or
repeated one shows; they compute nothing else. The device is simulated in wall-clock time, in the way that contexts take
turns on a GPU without MPS (--device-mode merged: as with it). Prints one table; writes OUT/index.html, OUT/results.json and
OUT/timeline-POLICY.json.gz (for ui.perfetto.dev).

Usage: demo.py --build DIRECTORY [--out DIRECTORY] [--repetitions N] [--seconds S] [--json] …    (./dev demo --cuda calls it)
Exit codes: 0 done, 1 a program failed or counted wrongly, 2 bad usage. Standard library alone."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "opencl"), os.path.join(HERE, "..", "common")]
import demo_options  # noqa: E402
import lines  # noqa: E402
import demo_programs  # noqa: E402
import demo_summary  # noqa: E402
import report  # noqa: E402
import report_plots  # noqa: E402
import report_timeline  # noqa: E402
from demo_programs import Failure, Program  # noqa: E402

POLICIES = report_plots.ORDER
REAL = ["Two unmodified CUDA programs: their launches and waits, through the driver’s own interface.",
        "Mortar: the shim, the board, all decisions; wall-clock time; the host’s own work.",
        "That no kernel was lost or ran twice: each counts itself."]
SIMULATED = ["The device and its driver: kernels take the time that their names say, and contexts take turns as a description says.",
             "No GPU was used. These figures say how the policies act, not how fast a GPU would be."]


def say(words):
    print(f"demo: {words}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = demo_options.make_parser("./dev demo --cuda", __doc__, "out/demo-cuda", 30.0, POLICIES)
    parser.add_argument("--device-mode", default="sliced", choices=["sliced", "merged"], help="(default: %(default)s)")
    arguments = demo_options.parse(parser, POLICIES)
    arguments.host_us = 0
    return arguments


class Setup(demo_programs.Setup):
    """As the other demo's, for the simulated CUDA device."""

    SWITCH_US = 20

    def __init__(self, arguments, directory):
        # pylint: disable=super-init-not-called
        self.arguments, self.directory = arguments, directory
        build = os.path.abspath(arguments.build)
        self.mortar, self.workload = (os.path.join(build, "bin", name) for name in ("mortar", "cuda_workload"))
        for path in (self.mortar, self.workload, os.path.join(build, "lib", "mortar", "simcuda", "libcuda.so.1")):
            if not os.path.exists(path):
                raise Failure(f"{path} is missing; run ./dev build, and see what it left out")
        os.makedirs(os.path.join(directory, "description"), exist_ok=True)  # files beside boards pass for boards
        self.device = os.path.join(directory, "description", "device.toml")
        subprocess.run([self.workload, "--write-device", self.device, "--device-mode", arguments.device_mode, "--switch-us",
                        str(self.SWITCH_US)], check=True)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MORTAR_")}
        self.environment.update(MORTAR_DIR=directory, MORTAR_PROFILES=os.path.join(directory, "profiles"))
        os.makedirs(self.environment["MORTAR_PROFILES"], exist_ok=True)

    def command(self, name, seconds, seed):
        words = [self.workload, "--seconds", str(seconds), "--seed", str(seed), "--check", "1", "--wait", "1"]
        if name == "serve":
            return words + ["--role", "holder", "--rate", str(self.arguments.rate)]
        return words + ["--role", "filler"]

    def bare(self, command):
        return [self.mortar, "run", "--no-check", "--sim-device", self.device, "--unscheduled", "--", *command]

    def under_mortar(self, name, command):
        limits = ["--priority", "0", "--max-slowdown", self.arguments.max_slowdown] if name == "serve" else \
            ["--priority", "5"]
        return [self.mortar, "run", "--no-check", "--name", name, *limits, "--sim-device", self.device, "--", *command]

    def learn(self):
        for name in ("serve", "train"):
            command = self.command(name, 1, seed=1)
            self.call("profile", "record", "--name", name, "--sim-device", self.device, "--",
                      *command[:command.index("--wait")], *command[command.index("--wait") + 2:])

    def set_policy(self, policy):
        """Also what `mortar calibrate` would find out."""
        sliced = self.arguments.device_mode == "sliced"
        self.call("set", "--policy", policy, "--mode", self.arguments.device_mode, "--switch-cost",
                  f"{self.SWITCH_US if sliced else 0}us")


def as_reported(name, line):
    """A program's JSON line in the words that the other demo's programs use."""
    seconds = (line["end_ns"] - line["start_ns"]) * 1e-9
    common = {"seconds": seconds, "device": line["device"], "wrong": 0, "busy_ns": line["device_ns"]}
    if name == "serve":
        return {**common, "requests": len(line["latency_ns"]), "latencies_ms": [ns / 1e6 for ns in line["latency_ns"]]}
    return {**common, "steps_per_s": line["kernels"] / 60 / seconds, "first_loss": 0.0, "last_loss": 0.0}


def run_pair(setup, kind, repetition, seconds=None):
    """One run: `kind` is a policy, or the one program that runs alone, bare. Returns what everyone reported."""
    alone = kind in ("serve", "train")
    seconds = min(seconds or setup.arguments.seconds, 2.5 if kind == "train" else 1e9)
    names = [kind] if alone else ["serve", "train"]
    if not alone:
        setup.set_policy(kind)
    programs = []
    try:
        for name in names:
            command = setup.command(name, seconds, repetition + 1)
            command = setup.bare(command) if alone else setup.under_mortar(name, command)
            programs.append(Program(name, command, setup.environment))
        for program in programs:
            program.wait_ready()
        for program in programs:
            program.go()
        status = None
        if not alone:
            time.sleep(max(0.0, seconds - 0.3))
            status = json.loads(setup.call("status", "--json"))
        reports = {program.name: as_reported(program.name, program.report()) for program in programs}
    finally:
        for program in programs:
            program.stop()
    busy = {name: reports[name]["busy_ns"] if name in reports else 0 for name in ("serve", "train")}
    return {"kind": kind, "repetition": repetition, "reports": reports, "status": status,
            "elapsed_s": max(report["seconds"] for report in reports.values()), "busy_ns": busy}


def trace_pair(setup, policy, path):
    """A short run under `policy`, recorded to `path`."""
    wanted = {"policy": policy, "build": setup.arguments.build, "directory": setup.directory,
              "rate": setup.arguments.rate, "max_slowdown": setup.arguments.max_slowdown,
              "device_mode": setup.arguments.device_mode}
    setup.call("trace", "record", "-o", path, "--", sys.executable, os.path.abspath(__file__), "--inside",
               json.dumps(wanted))


def inside(wanted):
    """Inside `mortar trace record`: runs the pair that `wanted` describes."""
    trace = os.environ.get("MORTAR_TRACE")
    setup = Setup(argparse.Namespace(seconds=1.5, host_us=0, **wanted), wanted["directory"])
    if trace:
        setup.environment["MORTAR_TRACE"] = trace
    run_pair(setup, wanted["policy"], 0)
    return 0


def run_all(setup, arguments):
    """All runs, repetition by repetition, the order turned by one each time so that no policy always comes first."""
    kinds = ["serve", "train", *arguments.policies]
    runs, total = [], arguments.repetitions * len(kinds)
    for repetition in range(arguments.repetitions):
        for i in range(len(kinds)):
            kind = kinds[(i + repetition) % len(kinds)]
            say(f"run {len(runs) + 1} of {total}: {kind if kind in POLICIES else kind + ' alone'}")
            runs.append(run_pair(setup, kind, repetition))
    return runs


def timelines(setup, arguments):
    cuts = []
    for policy in arguments.policies:
        say(f"recording a timeline under {policy}")
        path = os.path.join(arguments.out, f"timeline-{policy}.json.gz")
        trace_pair(setup, policy, path)
        cut = report_timeline.cut_trace(path, policy)
        if cut is not None:
            cuts.append(cut)
    return cuts


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--inside":
        return inside(json.loads(sys.argv[2]))
    arguments = parse_arguments()
    os.makedirs(arguments.out, exist_ok=True)
    say("the programs are real; the CUDA device is simulated in wall-clock time: no GPU is used")
    directory = tempfile.mkdtemp(prefix="mortar-demo-", dir="/dev/shm")
    try:
        setup = Setup(arguments, directory)
        setup.learn()
        runs = run_all(setup, arguments)
        cuts = timelines(setup, arguments)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    results = demo_summary.summarize(runs, cuts, arguments)
    results.update(real=REAL, emulated=SIMULATED, where="simulated CUDA device", loss="none: kernels only count themselves",
                   device=f"simulated, {arguments.device_mode}",
                   note="SIMULATED DEVICE: the programs are real; kernels take the time that their names say.")
    results["settings"]["command"] = "./dev demo --cuda"
    with open(os.path.join(arguments.out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file)
    with open(os.path.join(arguments.out, "index.html"), "w", encoding="utf-8") as file:
        file.write(report.page(results))
    print(demo_summary.table(results, arguments.json))
    say(f"page: {arguments.out}/index.html, timelines for ui.perfetto.dev: {arguments.out}/timeline-*.json.gz")
    return 0


if __name__ == "__main__":
    lines.main(main, Failure, say)
