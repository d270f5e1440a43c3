"""Pairs programs that we did not write on the emulated device, each as holder and as filler, and checks what they compute.

clFFT and ViennaCL (small programs of ours against them), OpenMM, leela-zero (a network of random weights), hashcat and ffmpeg
(two filters), as Debian ships them; really computed by PoCL, while a table says how long each kernel lasts: twice what PoCL
took in a run alone, 40 us at least. What is measured says nothing about any real device.

A pair: the filler runs again and again (priority 5), the holder once (priority 0); both through `mortar run`.
  holder_vs_alone     the holder's speed, its time alone on the emulated device without Mortar over its time in the pair
                      (from the first line of results to the last; hashcat: from start to end). Goal under fill: >= 0.95
  filler_vs_alone     the filler's laps a second meanwhile, over alone
  same_output         both printed exactly what they print without Mortar
Programs that differ between two runs without Mortar are named, and then only have to end well. Pairs that stand in
--results already are not run again."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from programs import Failed, Run, build, kinds  # noqa: E402

POLICIES = ["share", "exclusive", "priority", "fikit", "fill"]
FACTOR, LEAST_US = 2.0, 40
PATIENCE_S = 900


def log(text):
    print(f"thirdparty: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        build_folder = os.path.abspath(options.build)
        self.mortar = os.path.join(build_folder, "bin", "mortar")
        self.emulated = os.path.join(build_folder, "lib", "libmortar-emulated.so")
        for needed in (self.mortar, self.emulated):
            if not os.path.exists(needed):
                raise SystemExit(f"thirdparty: {needed} does not exist: build first, or set MORTAR_BUILD")
        self.work = os.path.abspath(options.work)
        self.table = os.path.join(self.work, f"durations-{options.scale}.txt")
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("MORTAR_", "OPENCL_"))}
        self.environment.update(POCL_MAX_PTHREAD_COUNT="1", MORTAR_PROFILES=os.path.join(directory, "profiles"))
        os.mkdir(self.environment["MORTAR_PROFILES"], 0o700)
        self.alone, self.runs = {}, 0

    def prepare(self, programs):
        build(self.work)
        recorded = {}
        if os.path.exists(self.table + ".json"):
            with open(self.table + ".json", encoding="utf-8") as file:
                recorded = json.load(file)
        for kind in programs:
            if kind.name not in recorded:
                log(f"{kind.name}: recording what its kernels take")
                recorded[kind.name] = self._kernels(kind)
                with open(self.table + ".json", "w", encoding="utf-8") as file:
                    json.dump(recorded, file)
        with open(self.table, "w", encoding="utf-8") as file:
            file.write("# Written by thirdparty.sh: twice what PoCL took.\ndevice thirdparty\n")
            for kind in programs:
                for name, us in sorted(recorded[kind.name].items()):
                    file.write(f"kernel {name} {us:.0f}\n")
            file.write(f"default {LEAST_US}\n")

    def _kernels(self, kind):
        """{kernel: us}: medians of a run alone on PoCL, which also warms its cache of compiled kernels."""
        environment = self._new_run()
        Run(kind, kind.command, environment, self.work).finish(PATIENCE_S)
        environment["MORTAR_PROFILES"] = os.path.join(environment["MORTAR_DIR"], "profiles")
        os.mkdir(environment["MORTAR_PROFILES"], 0o700)
        Run(kind, [self.mortar, "profile", "record", "--name", kind.name, "--"] + kind.command, environment,
            self.work).finish(PATIENCE_S)
        shown = subprocess.run([self.mortar, "profile", "show", kind.name, "--json"], env=environment, check=True,
                               capture_output=True, text=True).stdout
        kernels = {}
        for kernel in json.loads(shown.splitlines()[0])["kernels"]:
            if kernel["median_ns"] > 0 and kernel["name"] and " " not in kernel["name"]:  # else a transfer
                us = max(LEAST_US, FACTOR * kernel["median_ns"] / 1000)
                kernels[kernel["name"]] = max(us, kernels.get(kernel["name"], 0))
        return kernels

    def measure_alone(self, kind):
        """Twice, for its own spread; and a recording on the emulated device, for fikit."""
        if kind.name in self.alone:
            return
        log(f"{kind.name}: alone")
        runs = []
        for _ in range(2):
            environment = self._new_run()
            environment.update(OPENCL_LAYERS=self.emulated, MORTAR_EMULATED=self.table)
            runs.append(Run(kind, kind.command, environment, self.work).finish(PATIENCE_S))
        Run(kind, [self.mortar, "profile", "record", "--name", kind.name, "--emulate", self.table, "--"] + kind.command,
            self._new_run(), self.work).finish(PATIENCE_S)
        self.alone[kind.name] = {
            "seconds": statistics.mean(run.seconds() for run in runs),
            "spread": max(run.seconds() for run in runs) / min(run.seconds() for run in runs),
            "output": runs[0].output(), "repeats": runs[0].output() == runs[1].output(),
            "rate": len(runs[0].laps) / statistics.mean(run.seconds() for run in runs)}
        if not self.alone[kind.name]["repeats"]:
            log(f"{kind.name}: two runs without Mortar differ; its output is not compared")

    def _new_run(self):
        self.runs += 1
        environment = dict(self.environment, MORTAR_DIR=os.path.join(self.directory, f"run-{self.runs}"))
        os.mkdir(environment["MORTAR_DIR"], 0o700)
        return environment

    def _command(self, kind, name, priority):
        return [self.mortar, "run", "--no-check", "--name", name, "--priority", str(priority), "--emulate", self.table,
                "--"] + kind.command

    def pair(self, holder, filler, policy):
        environment = self._new_run()
        filling = Filling(filler, self._command(filler, filler.name, 5), environment, self.work)
        name = holder.name if holder is not filler else holder.name + "-2"
        try:
            filling.await_lap()
            subprocess.run([self.mortar, "set", "--policy", policy], env=environment, check=True)
            run = Run(holder, self._command(holder, name, 0), environment, self.work)
            try:
                run.finish(PATIENCE_S)
            finally:
                run.stop()
            begin, end = run.window()
            laps = sum(begin <= lap <= end for lap in filling.laps())
        finally:
            filling.end()
        alone_holder, alone_filler = self.alone[holder.name], self.alone[filler.name]
        said = [run.said] + filling.said
        return {"holder": holder.name, "filler": filler.name, "policy": policy,
                "holder_vs_alone": round(alone_holder["seconds"] / run.seconds(), 4),
                "filler_vs_alone": round(laps / max(end - begin, 1e-9) / alone_filler["rate"], 4),
                "same_output": (not alone_holder["repeats"] or run.output() == alone_holder["output"]) and
                               filling.same_as(alone_filler),
                "filler_runs_checked": filling.finished, "alone_spread": round(alone_holder["spread"], 3),
                "mortar_said": sorted({line for text in said for line in text.splitlines() if line.startswith("mortar")}),
                "ran_on": f"emulated device over PoCL, {os.cpu_count()} processors, {platform.machine()}"}


class Filling(threading.Thread):
    """A filler that runs again and again; every run that ends is kept for comparison."""

    def __init__(self, kind, command, environment, work):
        super().__init__(daemon=True)
        self.kind, self.start_one = kind, lambda: Run(kind, command, environment, work)
        self.runs, self.over, self.failure = [], False, None
        self.start()

    def run(self):
        while not self.over:
            one = self.start_one()
            self.runs.append(one)
            try:
                one.finish(PATIENCE_S)
            except Failed as failure:
                if not self.over or not self.killed:
                    self.failure = failure
                return

    killed = False

    def await_lap(self):
        until = time.monotonic() + PATIENCE_S
        while not self.laps():
            if self.failure or time.monotonic() > until:
                raise self.failure or Failed(f"{self.kind.name} did not begin")
            time.sleep(0.02)

    def laps(self):
        return [lap for run in list(self.runs) for lap in list(run.laps)]

    def end(self, patience_s=60):
        """The run that is under way may end by itself, so that its output is whole."""
        self.over = True
        self.join(timeout=patience_s)
        if self.is_alive():
            self.killed = True
            self.runs[-1].stop()
            self.join()
        self.said = [run.said for run in self.runs]
        self.finished = sum(run.process.returncode == 0 for run in self.runs)
        if self.failure:
            raise self.failure

    def same_as(self, alone):
        return not alone["repeats"] or all(run.output() == alone["output"] for run in self.runs
                                           if run.process.returncode == 0)


def plan(programs, options):
    """Pairs in the order in which they run: each program as holder and as filler first."""
    ring = [(programs[i], programs[(i + 1) % len(programs)]) for i in range(len(programs))]
    rest = [] if options.quick else [(a, b) for a in programs for b in programs if (a, b) not in ring]
    policies = options.policy or (["fill", "share"] if options.quick else POLICIES)
    policies = sorted(policies, key=lambda policy: policy not in ("fill", "share"))
    chosen = [(a, b) for a, b in ring + rest if (not options.holder or a.name in options.holder) and
              (not options.filler or b.name in options.filler)]
    first = [(a, b, policy) for policy in policies for a, b in chosen]
    return first


def parse_arguments():
    parser = argparse.ArgumentParser(prog="thirdparty.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="each program once as holder and once as filler; fill, share")
    parser.add_argument("--program", action="append", help="only these programs (repeatable)")
    parser.add_argument("--holder", action="append", help="only pairs with this holder (repeatable)")
    parser.add_argument("--filler", action="append", help="only pairs with this filler (repeatable)")
    parser.add_argument("--policy", action="append", choices=POLICIES, help="only this policy (repeatable)")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work a run is (1: some seconds)")
    parser.add_argument("--work", default="out/thirdparty", help="folder for what is built and recorded (out/thirdparty)")
    parser.add_argument("--results", help="file of results: pairs in it are not run again, new ones are added")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


def print_row(row):
    print(f"{row['holder']:<12}{row['filler']:<12}{row['policy']:<11}{row['holder_vs_alone']:>8.3f}"
          f"{row['filler_vs_alone']:>8.3f}  {'same' if row['same_output'] else 'DIFFERENT'}", flush=True)


def main():
    options = parse_arguments()
    rows = []
    if options.results and os.path.exists(options.results):
        with open(options.results, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    done = {(row["holder"], row["filler"], row["policy"]) for row in rows}
    directory = tempfile.mkdtemp(prefix="mortar-thirdparty-", dir="/dev/shm")
    bad = False
    try:
        bench = Bench(options, directory)
        programs = [kind for kind in kinds(bench.work, options.scale)
                    if not options.program or kind.name in options.program]
        bench.prepare(programs)
        if not options.json:
            print(f"{'holder':<12}{'filler':<12}{'policy':<11}{'holder':>8}{'filler':>8}  output    (x alone; an emulated "
                  "device)")
        for holder, filler, policy in plan(programs, options):
            if (holder.name, filler.name, policy) in done:
                continue
            for kind in (holder, filler):
                bench.measure_alone(kind)
            log(f"{holder.name} with {filler.name}, {policy}")
            try:
                row = bench.pair(holder, filler, policy)
            except Failed as failure:
                row = {"holder": holder.name, "filler": filler.name, "policy": policy, "failed": str(failure)}
                log(str(failure))
            bad = bad or "failed" in row or not row["same_output"]
            if options.results:
                with open(options.results, "a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            if options.json:
                print(json.dumps(row), flush=True)
            elif "failed" not in row:
                print_row(row)
    except Failed as failure:
        log(str(failure))
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
