"""Measures floors (--min-share, --floor-first) and weights on the emulated device; see limits.sh.

Floors: the holder runs requests of kernels of 185 us, back to back: 20 of them, each waited for and followed by a gap of
500 us (blocking), or 60 of them, 20 us apart, and one wait (async; its device is never idle for long). The filler's
kernels of 10 ms fit into no gap and no slack. Each row is one run of the holder together with the filler, against one
run of the holder alone in the same call.

Weights: clients of one priority with kernels of 200 us, four ahead, share the device alone for --seconds; the first
and last second are left out. `set` in the second row: the weights are changed by mortar set before the measurement.

Figures:
  share       the filler's device time (its kernels times 10 ms) over the time that the holder ran
  mean_x, p99_x   the holder's request time, together over alone
  modelled, by_floors, measured   what Mortar itself says of the holder near the end (mortar status)
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time

from emulated_runs import Runner, RunError

HOLDERS = {"blocking": ["--kernels", "20", "--kernel-us", "185", "--gap-us", "500"],
           "async": ["--kernels", "60", "--kernel-us", "185", "--gap-us", "20"]}
REQUEST_S = {"blocking": 0.0137, "async": 0.0123}
FILLER_US = 10_000
WARM_UP = 20  # requests that the figures leave out
FLOORS = [(None, False), ("5%", False), ("5%", True), ("10%", False), ("10%", True)]
WEIGHTS = [((1, 1, 1), None), ((1, 2, 4), None), ((1, 1, 1), (4, 2, 1))]
WEIGHT_US = 200


def parse_arguments():
    parser = argparse.ArgumentParser(prog="limits.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--mortar", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--pin", action="store_true", help="holder and filler on different processors")
    parser.add_argument("--requests", type=int, default=620, metavar="N", help="of the holder in each run (620)")
    parser.add_argument("--seconds", type=float, default=8, metavar="S", help="of each run with weights (8)")
    parser.add_argument("--mode", action="append", choices=["blocking", "async"], help="only this one")
    parser.add_argument("--max-slowdown", action="append", metavar="P", help="the holder's limit, repeatable (2%%)")
    parser.add_argument("--only", choices=["floors", "weights"])
    options = parser.parse_args()
    if options.requests <= WARM_UP or options.seconds < 3:
        parser.error("--requests begins at 21, --seconds at 3")
    options.mode = options.mode or ["blocking", "async"]
    options.max_slowdown = options.max_slowdown or ["2%"]
    return options


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def share_of(filler, start_ns, end_ns, kernel_us):
    """Device time of the kernels done between two instants, over that time; from what a filler says of its progress."""
    def done(at_ns):
        count = 0
        for when, kernels in filler["progress"]:
            if when > at_ns:
                break
            count = kernels
        return count
    return (done(end_ns) - done(start_ns)) * kernel_us * 1000 / max(1, end_ns - start_ns)


class Limits(Runner):
    """Programs with limits, through `mortar run`."""

    def start(self, name, arguments, flags):
        command = [self.mortar, "run", "--no-check", "--name", name, "--emulate", self.table] + flags
        command += ["--", self.workload, "--ready-file", self._ready_file(name)] + arguments
        if self.pin:
            command = ["taskset", "-c", "0" if name == "holder" else "1"] + command
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.started.append(process)
        self._await_ready(name, process)
        return process

    def status_of(self, name):
        done = subprocess.run([self.mortar, "status", "--json"], env=self.environment, stdout=subprocess.PIPE,
                              check=False)
        for client in json.loads(done.stdout or b"{}").get("clients", []):
            if client["name"] == name:
                return client
        return None

    def with_floor(self, scenario, floor, first, limit, requests):
        self._new_run()
        flags = ["--priority", "5"] + (["--min-share", floor] if floor else []) + (["--floor-first"] if first else [])
        filler = self.start("filler", ["--role", "filler", "--filler-us", str(FILLER_US), "--depth", "1"], flags)
        holder = self.start("holder", ["--role", "holder"] + self._holder(scenario, requests),
                            ["--priority", "0", "--max-slowdown", limit])
        # Near the end, so that the last look says almost all.
        time.sleep(max(0.5, requests * scenario["request_s"] - 1))
        status = self.status_of("holder")
        held = self._finish(holder)
        filler.send_signal(signal.SIGTERM)
        return held, self._finish(filler), status

    def with_weights(self, weights, changed, seconds):
        self._new_run()
        started = []
        for i, weight in enumerate(weights):
            started.append(self.start(f"equal{i}", ["--role", "filler", "--filler-us", str(WEIGHT_US)],
                                      ["--priority", "5", "--weight", str(weight)]))
        for i, weight in enumerate(changed or []):
            self._call([self.mortar, "set", f"equal{i}", "--weight", str(weight)])
        begin = time.monotonic_ns()
        time.sleep(seconds)
        end = time.monotonic_ns()
        for process in started:
            process.send_signal(signal.SIGTERM)
        results = [self._finish(process) for process in started]
        return [share_of(result, begin + 10**9, end - 10**9, WEIGHT_US) for result in results]


def percent(value):
    return "-" if value is None else f"{100 * value:.3g} %"


def floor_rows(runner, options):
    for mode in options.mode:
        scenario = {"name": mode, "holder": HOLDERS[mode] + ["--mode", mode], "filler_us": FILLER_US, "jitter": 0,
                    "request_s": REQUEST_S[mode]}
        runner.write_table(scenario, 1)
        alone = runner.holder_alone(scenario, options.requests)["latency_ns"][WARM_UP:]
        for limit in options.max_slowdown:
            for floor, first in FLOORS:
                held, filler, status = runner.with_floor(scenario, floor, first, limit, options.requests)
                latency = held["latency_ns"][WARM_UP:]
                measured = (status or {}).get("harm_measured") or {}
                yield {"benchmark": "floors", "holder": mode, "max_slowdown": limit, "min_share": floor or "-",
                       "floor_first": first, "requests": len(latency),
                       "share": share_of(filler, held["start_ns"], held["end_ns"], FILLER_US),
                       "mean_x": sum(latency) / len(latency) / (sum(alone) / len(alone)),
                       "p99_x": quantile(latency, 0.99) / quantile(alone, 0.99),
                       "modelled": (status or {}).get("harm_modelled"),
                       "by_floors": (status or {}).get("floor_harm_modelled"),
                       "measured": measured.get("mean"), "late_share": runner.late_share()}


def weight_rows(runner, options):
    runner.write_table({"jitter": 0, "filler_us": WEIGHT_US}, 1)
    for weights, changed in WEIGHTS:
        shares = runner.with_weights(weights, changed, options.seconds)
        final = changed or weights
        yield {"benchmark": "weights", "weights": list(weights), "set": list(changed) if changed else None,
               "shares": shares, "of_all": [share / max(1e-9, sum(shares)) for share in shares],
               "expected": [weight / sum(final) for weight in final], "late_share": runner.late_share()}


def show(row):
    if row["benchmark"] == "weights":
        shares = " ".join(f"{got:.3f}/{asked:.3f}" for got, asked in zip(row["of_all"], row["expected"]))
        changed = f" set to {row['set']}" if row["set"] else ""
        print(f"weights {row['weights']}{changed}: of all / expected {shares}; device busy {sum(row['shares']):.2f}")
        return
    print(f"{row['holder']:9} limit {row['max_slowdown']:>4}  floor {row['min_share']:>4}"
          f"{' first' if row['floor_first'] else '      '}  share {percent(row['share']):>7}  holder mean "
          f"{row['mean_x']:.3f} p99 {row['p99_x']:.2f}  modelled {percent(row['modelled'])} by floors "
          f"{percent(row['by_floors'])} measured {percent(row['measured'])}")


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="mortar-limits-", dir="/dev/shm") as directory:
        runner = Limits(options, directory)
        try:
            for rows, name in ((floor_rows, "floors"), (weight_rows, "weights")):
                if options.only in (None, name):
                    for row in rows(runner, options):
                        print(json.dumps(row), flush=True) if options.json else show(row)
        except RunError as error:
            sys.exit(f"limits: {error}")
        finally:
            runner.stop()


if __name__ == "__main__":
    main()
