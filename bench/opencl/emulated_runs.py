"""Running the benchmark's programs: alone on the emulated device, or together through `mortar run`."""

import glob
import json
import os
import signal
import struct
import subprocess
import time


class RunError(Exception):
    """A program failed; the message says which and how."""


class Runner:
    def __init__(self, options, directory):
        self.directory = directory
        self.pin = options.pin
        self.workload = os.path.join(options.build, "bin", "workload")
        self.mortar = options.mortar or os.path.join(options.build, "bin", "mortar")
        self.layer = os.path.join(options.build, "lib", "libmortar-emulated.so")
        self.table = os.path.join(directory, "durations.txt")
        self.runs = 0
        self.started = []
        self.environment = dict(os.environ, POCL_MAX_PTHREAD_COUNT="1")
        for name in ("OPENCL_LAYERS", "MORTAR_EMULATED", "POCL_DEVICES"):
            self.environment.pop(name, None)
        for needed in (self.workload, self.mortar, self.layer):
            if not os.path.exists(needed):
                raise SystemExit(f"emulated: {needed} does not exist: build first, or set MORTAR_BUILD")

    def write_table(self, scenario, seed):
        self._call([self.workload, "--write-table", self.table, "--seed", str(seed), "--jitter",
                    str(scenario["jitter"])] + self._filler(scenario))

    def holder_alone(self, scenario, requests):
        self._new_run()
        return self._finish(self._start("holder", self._holder(scenario, requests), gated=False))

    def filler_alone(self, scenario):
        self._new_run()
        return self._finish(self._start("filler", self._filler(scenario) + ["--seconds", "2"], gated=False))

    def together(self, scenario, policy, limit, requests, pieces=None):
        """Both through Mortar under `policy`: returns what holder and filler print."""
        self._new_run()
        if policy == "fikit":
            self._record_profiles(scenario)
        filler = self._start("filler", self._filler(scenario), gated=True, pieces=pieces)
        self._await_ready("filler", filler)
        self._call([self.mortar, "set", "--policy", policy])
        holder = self._start("holder", self._holder(scenario, requests), gated=True, limit=limit)
        held = self._finish(holder)
        filler.send_signal(signal.SIGTERM)
        return held, self._finish(filler)

    def late_share(self):
        """Of the last run's commands on the device: how many were waited for beyond their modelled end, as computing
        took longer than the table says (src/emulated/timeline.h)."""
        commands = late = 0
        for path in glob.glob(os.path.join(self.environment["MORTAR_DIR"], "emulated", "*.timeline")):
            with open(path, "rb") as file:
                _, more, more_late = struct.unpack_from("QQQ", file.read(256), 128)
            commands, late = commands + more, late + more_late
        return late / commands if commands else 0.0

    def stop(self):
        """Ends whatever still runs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _record_profiles(self, scenario):
        """The offline means that fikit needs, learned once a scenario from a few requests of each program alone."""
        self.environment["MORTAR_PROFILES"] = os.path.join(self.directory, f"profiles-{scenario['name']}")
        if os.path.isdir(self.environment["MORTAR_PROFILES"]):
            return
        os.mkdir(self.environment["MORTAR_PROFILES"])
        for role, arguments in (("holder", self._holder(scenario, 50)),
                                ("filler", self._filler(scenario) + ["--seconds", "1"])):
            self._call([self.mortar, "profile", "record", "--name", role, "--emulate", self.table, "--",
                        self.workload, "--role", role] + arguments)

    def _new_run(self):
        """Each run has a board and a timeline of its own, and starts with nothing learned."""
        self.runs += 1
        self.environment["MORTAR_DIR"] = os.path.join(self.directory, f"run-{self.runs}")
        self.environment["MORTAR_PROFILES"] = os.path.join(self.environment["MORTAR_DIR"], "profiles")
        os.mkdir(self.environment["MORTAR_DIR"], 0o700)
        os.mkdir(self.environment["MORTAR_PROFILES"], 0o700)

    def _holder(self, scenario, requests):
        return scenario["holder"] + ["--requests", str(requests)]

    def _filler(self, scenario):
        return ["--filler-us", str(scenario["filler_us"]), "--filler-items", str(scenario.get("filler_items", 64))]

    def _ready_file(self, role):
        return os.path.join(self.environment["MORTAR_DIR"], f".{role}-ready")

    def _start(self, role, arguments, gated, limit=None, pieces=None):
        environment = dict(self.environment)
        command = [self.workload, "--role", role, "--ready-file", self._ready_file(role)] + arguments
        if gated:
            flags = ["--name", role, "--priority", "0" if role == "holder" else "5", "--emulate", self.table]
            if limit is not None:
                flags += ["--max-slowdown", f"{limit}%"]
            if pieces is not None:
                flags += ["--slice", pieces]
            command = [self.mortar, "run", "--no-check"] + flags + ["--"] + command
        else:
            environment["OPENCL_LAYERS"] = self.layer
            environment["MORTAR_EMULATED"] = self.table
        if self.pin:
            command = ["taskset", "-c", "0" if role == "holder" else "1"] + command
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.started.append(process)
        return process

    def _await_ready(self, role, process):
        until = time.monotonic() + 20
        while not os.path.exists(self._ready_file(role)):
            if process.poll() is not None or time.monotonic() > until:
                raise RunError(f"the {role} did not get ready; its messages are above")
            time.sleep(0.005)

    def _finish(self, process):
        printed, _ = process.communicate(timeout=600)
        self.started.remove(process)
        if process.returncode != 0:
            raise RunError(f"{' '.join(process.args)} ended with {process.returncode}")
        result = json.loads(printed)
        if not result["correct"]:
            raise RunError(f"{' '.join(process.args)} computed a wrong result")
        return result

    def _call(self, command):
        done = subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise RunError(f"{' '.join(command)} ended with {done.returncode}")
