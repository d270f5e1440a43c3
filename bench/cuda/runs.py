"""Running the benchmark's CUDA programs: alone on the simulated device, or together through `mortar run`."""

import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "opencl"), os.path.join(HERE, "..", "common")]
import emulated_runs  # noqa: E402
from emulated_runs import RunError  # noqa: E402,F401


class Runner(emulated_runs.Runner):
    """As for the emulated device, with the simulated CUDA device's programs and description."""

    def __init__(self, options, directory):
        # pylint: disable=super-init-not-called
        self.directory = directory
        self.pin = options.pin
        self.workload = os.path.join(options.build, "bin", "cuda_workload")
        self.mortar = options.mortar or os.path.join(options.build, "bin", "mortar")
        self.device = os.path.join(directory, "device.toml")
        self.real = getattr(options, "real", False)
        self.runs = 0
        self.started = []
        self.mode, self.switch_us = "sliced", options.switch_us
        self.environment = dict(os.environ)
        for name in ("MORTAR_SIM_DEVICE", "MORTAR_CUDA_DRIVER"):
            self.environment.pop(name, None)
        for needed in (self.workload, self.mortar):
            if not os.path.exists(needed):
                raise SystemExit(f"pair: {needed} does not exist: build first, or set MORTAR_BUILD")

    def write_device(self, mode):
        self.mode = mode
        self._call([self.workload, "--write-device", self.device, "--device-mode", mode, "--switch-us",
                    str(self.switch_us)])

    def record(self, role, arguments):
        """A recording of one program alone."""
        path = os.path.join(self.directory, f"{role}-{self.runs}.json.gz")
        self._new_run()
        self._call([self.mortar, "trace", "record", "-o", path, "--", self.mortar, "run", "--no-check", "--name", role,
                    "--priority", "0"] + self._where() + ["--", self.workload, "--role", role] + arguments)
        return path

    def yardstick(self, holder, filler, blocking, seconds=5):
        """The filler's work a second, against alone, that perfect knowledge would give it: whole gaps for a holder that
        blocks, slack for one that does not. Without jitter: these programs think for the same time in every request."""
        device = ["--device", "sliced", "--slice", "2ms", "--switch-cost", f"{self.switch_us}us"] \
            if self.mode == "sliced" else ["--device", "fifo"]
        command = [self.mortar, "sim", "--holder", holder, "--filler", filler, "--policy", "share", "--for",
                   f"{seconds}s", "--no-jitter", "--json"] + device
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
        if done.returncode != 0:
            raise RunError(f"{' '.join(command)} ended with {done.returncode}")
        row = json.loads(done.stdout.splitlines()[0])
        against = row["filler_vs_oracle_gap" if blocking else "filler_vs_oracle_slack"]
        return row["filler_vs_alone"] / against if against else 0.0

    def together(self, scenario, policy, limit, requests):
        self._new_run()
        if policy == "fikit":
            self._record_profiles(scenario)
        filler = self._start("filler", self._filler(scenario), gated=True)
        self._await_ready("filler", filler)
        # What mortar calibrate finds out, which would take longer here than a run.
        settings = ["--policy", policy]
        if not self.real:
            settings += ["--mode", self.mode, "--switch-cost", f"{self.switch_us if self.mode == 'sliced' else 0}us"]
        self._call([self.mortar, "set"] + settings)
        holder = self._start("holder", self._holder(scenario, requests), gated=True, limit=limit)
        held = self._finish(holder)
        filler.send_signal(signal.SIGTERM)
        return held, self._finish(filler)

    def together_recorded(self, scenario, policy, requests):
        """As together(), traced: the recording's path."""
        path = os.path.join(self.directory, f"pair-{self.runs}.json.gz")
        # A shell that lasts as long as its input: what it is given, the programs are.
        recorder = subprocess.Popen([self.mortar, "trace", "record", "-o", path, "--", "sh", "-c",
                                     'echo "$MORTAR_TRACE"; read -r line'], env=self.environment, text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.started.append(recorder)
        self.environment["MORTAR_TRACE"] = recorder.stdout.readline().strip()
        try:
            self.together(scenario, policy, None, requests)
        finally:
            del self.environment["MORTAR_TRACE"]
            recorder.communicate("\n", timeout=120)
        self.started.remove(recorder)
        return path

    def filler_alone(self, scenario):
        self._new_run()
        return self._finish(self._start("filler", ["--seconds", "1"], gated=False))

    def _where(self):
        return [] if self.real else ["--sim-device", self.device]

    def _record_profiles(self, scenario):
        """The offline means that fikit needs, learned once a scenario from a few requests of each program alone."""
        self.environment["MORTAR_PROFILES"] = os.path.join(self.directory, f"profiles-{scenario['name']}")
        if os.path.isdir(self.environment["MORTAR_PROFILES"]):
            return
        os.mkdir(self.environment["MORTAR_PROFILES"])
        for role, arguments in (("holder", self._holder(scenario, 30)), ("filler", ["--requests", "50"])):
            self._call([self.mortar, "profile", "record", "--name", role] + self._where() +
                       ["--", self.workload, "--role", role] + arguments)

    def _filler(self, scenario):
        return []

    def _start(self, role, arguments, gated, limit=None):
        command = [self.workload, "--role", role, "--ready-file", self._ready_file(role)] + arguments
        flags = self._where()
        if gated:
            flags += ["--name", role, "--priority", "0" if role == "holder" else "5"]
            if limit is not None:
                flags += ["--max-slowdown", f"{limit}%"]
        elif not self.real:
            flags += ["--unscheduled"]
        if gated or not self.real:
            command = [self.mortar, "run", "--no-check"] + flags + ["--"] + command
        if self.pin:
            command = ["taskset", "-c", "0" if role == "holder" else "1"] + command
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.started.append(process)
        return process
