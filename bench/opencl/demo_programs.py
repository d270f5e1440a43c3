"""Running the demo's programs: alone or together, with or without Mortar, on the emulated device. Standard library."""

import json
import os
import select
import struct
import subprocess
import sys
import time

PATIENCE_S = 120  # for compiling kernels, the first time, on a slow machine


class Failure(Exception):
    """A program that ended wrongly; the words say which, how, and what it said."""


class Setup:
    """Where things are, and the environment that every program gets."""

    def __init__(self, arguments, directory):
        self.arguments = arguments
        self.directory = directory
        build = os.path.abspath(arguments.build)
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.mortar = os.path.join(build, "bin", "mortar")
        self.programs = {name: os.path.join(build, "bin", name) for name in ("serve", "train")}
        layer = os.path.join(build, "lib", "libmortar-emulated.so")
        for path in (self.mortar, *self.programs.values(), layer):
            if not os.path.exists(path):
                raise Failure(f"{path} is missing; run ./dev build, and see what it left out")
        self.environment = dict(
            os.environ, MORTAR_DIR=directory, MORTAR_PROFILES=os.path.join(directory, "profiles"),
            MORTAR_EMULATED=os.path.join(root, "examples", "tables", "demo.txt"), OPENCL_LAYERS=layer,
            # One computing thread a program: the kernels are small, and two programs share the processor.
            POCL_MAX_PTHREAD_COUNT="1")
        for name in ("MORTAR_NAME", "MORTAR_PRIORITY", "MORTAR_TRACE", "MORTAR_DISABLE", "MORTAR_STRICT"):
            self.environment.pop(name, None)
        os.makedirs(self.environment["MORTAR_PROFILES"], exist_ok=True)

    def command(self, name, seconds, seed):
        arguments = self.arguments
        if name == "serve":
            return [self.programs[name], "--rate", str(arguments.rate), "--seconds", str(seconds), "--seed", str(seed),
                    "--host-us", str(arguments.host_us), "--json", "--list", "--wait"]
        # The loss every second step: launches run ahead of the device, but not by more than 7 ms.
        return [self.programs[name], "--seconds", str(seconds), "--seed", str(seed), "--sync", "2", "--json", "--wait"]

    def under_mortar(self, name, command):
        """The command as a user would start it under Mortar."""
        limits = ["--priority", "0", "--max-slowdown", self.arguments.max_slowdown] if name == "serve" else \
            ["--priority", "5"]
        return [self.mortar, "run", "--name", name, *limits, "--", *command]

    def call(self, *words):
        """Runs a subcommand of mortar to its end; its stdout."""
        done = subprocess.run([self.mortar, *words], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise Failure(f"mortar {' '.join(words)} ended with {done.returncode}: {last_line(done.stderr)}")
        return done.stdout

    def learn(self):
        """Compiles all kernels, and records the offline means that the policy fikit needs."""
        for name in ("serve", "train"):
            command = self.command(name, 2, seed=99)
            command.remove("--wait")
            self.call("profile", "record", "--name", name, "--", *command)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


class Program:
    """A started program that says when it is ready, waits for go, and prints one JSON line."""

    def __init__(self, name, command, environment):
        self.name = name
        self.said = b""
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def wait_ready(self):
        deadline = time.monotonic() + PATIENCE_S
        stderr = self.process.stderr.fileno()
        while b": ready on " not in self.said:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"{self.name} was not ready within {PATIENCE_S} s: {last_line(self.words())}")
            if not select.select([stderr], [], [], left)[0]:
                continue
            chunk = os.read(stderr, 65536)
            if not chunk:
                raise Failure(f"{self.name} ended before it was ready: {last_line(self.words())}")
            self.said += chunk

    def words(self):
        return self.said.decode(errors="replace")

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def report(self):
        out, said = self.process.communicate(timeout=PATIENCE_S)
        self.said += said
        # serve ends with 1 on a wrong answer, and still reports.
        try:
            return json.loads(out)
        except ValueError:
            raise Failure(f"{self.name} ended with {self.process.returncode}: {last_line(self.words())}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def device_sums(setup):
    """Busy nanoseconds of the emulated device by program, as its timeline file has them (src/emulated/timeline.h)."""
    path = os.path.join(setup.directory, "emulated", "demo.timeline")
    with open(path, "rb") as file:
        data = file.read()
    sums = {}
    for offset in range(192, len(data) - 63, 64):
        busy, _, _, _, pid, _, program = struct.unpack_from("<QQQQiI16s", data, offset)
        if pid != 0:
            name = program.split(b"\0")[0].decode(errors="replace")
            sums[name] = sums.get(name, 0) + busy
    return sums


def start(setup, kind, names, seconds, seed):
    programs = []
    for name in names:
        command = setup.command(name, seconds, seed)
        if kind not in ("serve", "train"):
            command = setup.under_mortar(name, command)
        programs.append(Program(name, command, setup.environment))
    return programs


def run_pair(setup, kind, repetition, seconds=None):
    """One run: `kind` is a policy, or the one program that runs alone, bare. Returns what everyone reported."""
    seconds = seconds or setup.arguments.seconds
    if kind == "train":
        seconds = min(seconds, 2.5)  # nothing varies: no need for longer
    names = [kind] if kind in ("serve", "train") else ["serve", "train"]
    if kind not in ("serve", "train"):
        setup.call("set", "--policy", kind)
    programs = start(setup, kind, names, seconds, seed=repetition + 1)
    try:
        for program in programs:
            program.wait_ready()
        before, began = device_sums(setup), time.monotonic()
        for program in programs:
            program.go()
        status = None
        if len(names) == 2:
            time.sleep(max(0.0, seconds - 0.3))
            status = json.loads(setup.call("status", "--json"))
        reports = {program.name: program.report() for program in programs}
        elapsed = time.monotonic() - began
    finally:
        for program in programs:
            program.stop()
    after = device_sums(setup)
    busy = {name: after.get(name, 0) - before.get(name, 0) for name in ("serve", "train")}
    return {"kind": kind, "repetition": repetition, "reports": reports, "status": status,
            "elapsed_s": min(elapsed, max(report["seconds"] for report in reports.values())), "busy_ns": busy}


def trace_pair(setup, policy, path):
    """A short run under `policy`, recorded to `path`."""
    environment = json.dumps({"policy": policy, "build": setup.arguments.build, "directory": setup.directory,
                              "rate": setup.arguments.rate, "host_us": setup.arguments.host_us,
                              "max_slowdown": setup.arguments.max_slowdown})
    setup.call("trace", "record", "-o", path, "--", sys.executable, os.path.abspath(__file__), environment)


def main():
    """Inside `mortar trace record`: runs the pair that the argument describes."""
    wanted = json.loads(sys.argv[1])

    class Arguments:
        build, rate, host_us = wanted["build"], wanted["rate"], wanted["host_us"]
        max_slowdown, seconds = wanted["max_slowdown"], 1.5

    trace = os.environ.get("MORTAR_TRACE")
    setup = Setup(Arguments, wanted["directory"])
    if trace:
        setup.environment["MORTAR_TRACE"] = trace
    run_pair(setup, wanted["policy"], 0)


if __name__ == "__main__":
    main()
