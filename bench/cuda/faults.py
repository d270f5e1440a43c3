"""Kills holders and fillers at random on the simulated CUDA device and measures how long the other stands still.

Two unmodified programs (bench/cuda/workload) share the device under the policy `fill`. Again and again one of them, at random,
is killed (SIGKILL) at a random instant, mostly in the middle of launches, and started anew. The survivor says at each launch
that it lives; its longest standstill that began within 60 ms of the kill is compared with the largest delay that the
injector itself suffered in that time, which is the machine's. At the end the last survivors count: kernels that were lost
or ran twice are an error. Killing a client of NVIDIA's MPS in mid-kernel is undefined, says NVIDIA, and not tried here.

Prints one row: kills of each role, survivor's standstill (median, largest), the machine's largest, how many exceeded it by
more than 50 ms, hangs (5 s without a launch), wrong results. Exit status: 0; 1 with a hang or a wrong result."""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from pulsed import HANG_S, Pulsed  # noqa: E402

WINDOW_S, LIMIT_NS = 0.06, 50_000_000


class Victim(Pulsed):
    """One of the two programs; killed and started anew."""

    def __init__(self, role, build, directory, device):
        self.role = role
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MORTAR_")}
        environment.update(MORTAR_DIR=directory, MORTAR_PROFILES="")
        workload = os.path.join(build, "bin", "cuda_workload")
        super().__init__(f"faults: {role}", [
            os.path.join(build, "bin", "mortar"), "run", "--no-check", "--name", role, "--priority",
            "0" if role == "holder" else "5", "--sim-device", device, "--", workload, "--role", role, "--warm-up", "0",
            "--check", "1"], os.path.join(directory, f"{role}-pulse"), environment)

    def ended_well(self):
        """False: it hung, or its results are wrong."""
        well, said = self.end()
        if not well:
            print(f"faults: {self.role}: {said[-300:]}", file=sys.stderr)
        return well


def watch(survivor):
    """(longest standstill that began in the window, the injector's own largest delay), ns."""
    began = time.monotonic_ns()
    before, longest, machine, seen = began, 0, 0, max(survivor.last(), began - 1)
    while True:
        time.sleep(0.0005)
        now, last = time.monotonic_ns(), survivor.last()
        machine = max(machine, now - before - 500_000)
        before = now
        if last > seen:
            longest, seen = max(longest, last - seen), last
        if now - began > WINDOW_S * 1e9 and (last > began or now - began > HANG_S * 1e9) and now - seen < 40_000_000:
            return longest, machine
        if now - seen > HANG_S * 1e9:
            return now - seen, machine


def main():
    parser = argparse.ArgumentParser(prog="faults.sh --cuda", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--kills", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="mortar-faults-", dir="/dev/shm")
    os.makedirs(os.path.join(directory, "description"))
    device = os.path.join(directory, "description", "device.toml")
    build = os.path.abspath(options.build)
    subprocess.run([os.path.join(build, "bin", "cuda_workload"), "--write-device", device, "--device-mode", "merged"],
                   check=True)
    both = [Victim(role, build, directory, device) for role in ("holder", "filler")]
    stalls, excesses, machine_worst, killed, hangs = [], [], 0, {"holder": 0, "filler": 0}, 0
    try:
        for one in both:
            one.start()
        for i in range(options.kills):
            victim = chance.choice(both)
            survivor = both[1 - both.index(victim)]
            time.sleep(chance.uniform(0.002, 0.04))
            victim.kill()
            killed[victim.role] += 1
            stall, machine = watch(survivor)
            stalls.append(stall)
            excesses.append(stall - machine)
            machine_worst = max(machine_worst, machine)
            hangs += stall >= HANG_S * 1e9
            victim.start()
            if i % 100 == 99:
                print(f"faults: {i + 1} of {options.kills}", file=sys.stderr, flush=True)
        wrong = sum(not one.ended_well() for one in both)
    finally:
        for one in both:
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
        shutil.rmtree(directory, ignore_errors=True)
    ordered = sorted(stalls)
    row = {"scenario": "cuda", "policy": "fill", "kills": options.kills, **{f"killed_{k}": v for k, v in killed.items()},
           "survivor_stall_median_ms": round(ordered[len(ordered) // 2] / 1e6, 2),
           "survivor_max_stall_ms": round(ordered[-1] / 1e6, 2), "machine_max_stall_ms": round(machine_worst / 1e6, 2),
           "worst_excess_ms": round(max(excesses) / 1e6, 2), "over_50ms": sum(one > LIMIT_NS for one in excesses),
           "hangs": hangs, "wrong": wrong}
    print(json.dumps(row) if options.json else "  ".join(f"{key} {value}" for key, value in row.items()))
    return 1 if hangs or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
