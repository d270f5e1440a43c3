"""Pairs programs that we did not write on the emulated device, each as holder and as filler, and checks what they compute.

clFFT and ViennaCL (small programs of ours against them), OpenMM, leela-zero (a network of random weights), hashcat and ffmpeg
(two filters), as Debian ships them; really computed by PoCL, while a table says how long each kernel lasts: twice what PoCL
took in a run alone, 40 us at least. What is measured says nothing about any real device.

A pair: the filler runs again and again (priority 5), the holder once (priority 0); both through `mortar run`. Each has half of
the processors to itself, so that what they share is the device. Alone and every policy take turns; medians count.
  holder_vs_alone     the holder's speed, its time alone on the emulated device without Mortar over its time in the pair
                      (from the first line of results to the last). Goal under fill: >= 0.95
  filler_vs_alone     the filler's laps a second meanwhile, over alone
  same_output         both printed exactly what they print without Mortar
The policy `apart` is none: both run without Mortar, each on an emulated device of its own. What it costs the holder, processors
and memory cost. Programs that differ between two runs without Mortar are named, and then only have to end well. Pairs that stand
in --results already are not run again."""

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

POLICIES = ["fill", "share", "priority", "exclusive", "fikit"]
APART = "apart"
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
        processors = sorted(os.sched_getaffinity(0))
        half = len(processors) // 2
        self.for_holder = processors[:half] or processors
        self.for_filler = processors[half:]
        self.filler_alone, self.runs = {}, 0

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
        self._run(kind, kind.command, environment)
        environment["MORTAR_PROFILES"] = os.path.join(environment["MORTAR_DIR"], "profiles")
        os.mkdir(environment["MORTAR_PROFILES"], 0o700)
        self._run(kind, [self.mortar, "profile", "record", "--name", kind.name, "--"] + kind.command, environment)
        shown = subprocess.run([self.mortar, "profile", "show", kind.name, "--json"], env=environment, check=True,
                               capture_output=True, text=True).stdout
        kernels = {}
        for kernel in json.loads(shown.splitlines()[0])["kernels"]:
            if kernel["median_ns"] > 0 and kernel["name"] and " " not in kernel["name"]:  # else a transfer
                us = max(LEAST_US, FACTOR * kernel["median_ns"] / 1000)
                kernels[kernel["name"]] = max(us, kernels.get(kernel["name"], 0))
        return kernels

    def _run(self, kind, command, environment, processors=None):
        return Run(kind, command, environment, self.work, processors or self.for_holder).finish(PATIENCE_S)

    def _bare(self):
        return dict(self._new_run(), OPENCL_LAYERS=self.emulated, MORTAR_EMULATED=self.table)

    def measure_filler(self, kind):
        """Twice, to see whether it repeats itself; and a recording on the emulated device, for fikit."""
        if kind.name in self.filler_alone:
            return self.filler_alone[kind.name]
        log(f"{kind.name}: alone, as filler")
        runs = [self._run(kind, kind.command, self._bare(), self.for_filler) for _ in range(2)]
        self._run(kind, [self.mortar, "profile", "record", "--name", kind.name, "--emulate", self.table, "--"] +
                  kind.command, self._new_run())
        outputs = [run.output() for run in runs]
        if outputs[0] != outputs[1]:
            log(f"{kind.name}: two runs without Mortar differ; its output is not compared")
        self.filler_alone[kind.name] = {"output": outputs[0], "repeats": outputs[0] == outputs[1],
                                        "rate": sum(len(run.laps) for run in runs) / sum(run.seconds() for run in runs)}
        return self.filler_alone[kind.name]

    def _new_run(self):
        self.runs += 1
        environment = dict(self.environment, MORTAR_DIR=os.path.join(self.directory, f"run-{self.runs}"))
        os.mkdir(environment["MORTAR_DIR"], 0o700)
        return environment

    def _command(self, kind, name, priority):
        return [self.mortar, "run", "--no-check", "--name", name, "--priority", str(priority), "--emulate", self.table,
                "--"] + kind.command

    def pair(self, holder, filler, policies):
        """Rows, one a policy."""
        alone = {kind.name: self.measure_filler(kind) for kind in (holder, filler)}
        seconds, turns = [], {policy: [] for policy in policies}
        for _ in range(self.options.repetitions):
            seconds.append(self._run(holder, holder.command, self._bare()).seconds())
            for policy in policies:
                turns[policy].append(self._turn(holder, filler, policy, alone))
        return [self._row(holder, filler, policy, seconds, turns[policy]) for policy in policies]

    def _turn(self, holder, filler, policy, alone):
        if policy == APART:
            filler_command, holder_command = filler.command, holder.command
            filler_environment, holder_environment = self._bare(), self._bare()
        else:
            filler_command = self._command(filler, filler.name, 5)
            holder_command = self._command(holder, holder.name if holder is not filler else holder.name + "-2", 0)
            filler_environment = holder_environment = self._new_run()
        filling = Filling(filler, lambda: Run(filler, filler_command, filler_environment, self.work, self.for_filler))
        try:
            filling.await_lap()
            if policy != APART:
                subprocess.run([self.mortar, "set", "--policy", policy], env=holder_environment, check=True)
            run = Run(holder, holder_command, holder_environment, self.work, self.for_holder)
            try:
                run.finish(PATIENCE_S)
            finally:
                run.stop()
            begin, end = run.window()
            laps = sum(begin <= lap <= end for lap in filling.laps())
        finally:
            filling.end()
        one, other = alone[holder.name], alone[filler.name]
        return {"seconds": run.seconds(), "filler": laps / max(end - begin, 1e-9) / other["rate"],
                "same": (not one["repeats"] or run.output() == one["output"]) and filling.same_as(other),
                "finished": filling.finished,
                "said": [line for text in [run.said] + filling.said for line in text.splitlines()
                         if line.startswith("mortar")]}

    def _row(self, holder, filler, policy, seconds, turns):
        return {"holder": holder.name, "filler": filler.name, "policy": policy,
                "holder_vs_alone": round(statistics.median(seconds) / statistics.median(t["seconds"] for t in turns), 4),
                "filler_vs_alone": round(statistics.median(t["filler"] for t in turns), 4),
                "same_output": all(t["same"] for t in turns), "filler_runs_checked": sum(t["finished"] for t in turns),
                "repetitions": len(turns), "holder_alone_s": round(statistics.median(seconds), 3),
                "alone_spread": round(max(seconds) / min(seconds), 3),
                "pair_spread": round(max(t["seconds"] for t in turns) / min(t["seconds"] for t in turns), 3),
                "mortar_said": sorted({line for t in turns for line in t["said"]}),
                "ran_on": f"emulated device over PoCL, {os.cpu_count()} processors, {platform.machine()}"}


class Filling(threading.Thread):
    """A filler that runs again and again; every run that ends is kept for comparison."""

    def __init__(self, kind, start_one):
        super().__init__(daemon=True)
        self.kind, self.start_one = kind, start_one
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
    """The pairs (holder, filler), first some that have each program in both roles; and the policies."""
    ring = [(programs[i], programs[(i + 1) % len(programs)]) for i in range(len(programs))]
    rest = [] if options.quick else [(a, b) for a in programs for b in programs if (a, b) not in ring]
    policies = options.policy or (["fill", "share"] if options.quick else POLICIES + [APART])
    chosen = [(a, b) for a, b in ring + rest if (not options.holder or a.name in options.holder) and
              (not options.filler or b.name in options.filler)]
    return chosen, policies


def parse_arguments():
    parser = argparse.ArgumentParser(prog="thirdparty.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="each program once as holder and once as filler; fill, share")
    parser.add_argument("--program", action="append", help="only these programs (repeatable)")
    parser.add_argument("--holder", action="append", help="only pairs with this holder (repeatable)")
    parser.add_argument("--filler", action="append", help="only pairs with this filler (repeatable)")
    parser.add_argument("--policy", action="append", choices=POLICIES + [APART],
                        help="only this policy (repeatable)")
    parser.add_argument("--repetitions", type=int, default=3, help="of each policy, and alone before each (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work a run is (1: some seconds)")
    parser.add_argument("--work", default="out/thirdparty", help="folder for what is built and recorded (out/thirdparty)")
    parser.add_argument("--results", help="file of results: pairs in it are not run again, new ones are added")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


def print_row(row):
    print(f"{row['holder']:<12}{row['filler']:<12}{row['policy']:<11}{row['holder_vs_alone']:>8.3f}"
          f"{row['filler_vs_alone']:>8.3f}  {'same' if row['same_output'] else 'DIFFERENT'}", flush=True)


def report(rows, options):
    """Writes them down; returns whether any is bad."""
    for row in rows:
        if options.results:
            with open(options.results, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if options.json:
            print(json.dumps(row), flush=True)
        elif "failed" not in row:
            print_row(row)
    return any("failed" in row or not row["same_output"] for row in rows)


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
        pairs, policies = plan(programs, options)
        for holder, filler in pairs:
            wanted = [policy for policy in policies if (holder.name, filler.name, policy) not in done]
            if not wanted:
                continue
            log(f"{holder.name} with {filler.name}")
            try:
                new = bench.pair(holder, filler, wanted)
            except Failed as failure:
                new = [{"holder": holder.name, "filler": filler.name, "policy": ",".join(wanted), "failed": str(failure)}]
                log(str(failure))
            bad = report(new, options) or bad
    except Failed as failure:
        log(str(failure))
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
