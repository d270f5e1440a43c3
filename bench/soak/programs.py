"""The programs of the soak, and the two devices that they share: emulated (OpenCL) and simulated (CUDA)."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from pulsed import Pulsed  # noqa: E402

# Holders leave gaps in which every filler's kernel fits, and rests: whoever stands still then is not held by right.
ROLES = {
    "opencl": {"holder": ["--kernels", "3", "--kernel-us", "185", "--gap-us", "500", "--think", "periodic:12"],
               "filler": ["--filler-us", "1000", "--depth", "2"]},
    "cuda": {"holder": ["--mode", "blocking", "--kernels", "20", "--rest-us", "8000", "--check", "1"],
             "filler": ["--kernels", "40", "--depth", "8", "--check", "1"]},
}


class Worlds:
    """What programs need to run: directories, descriptions of the devices, environment."""

    def __init__(self, build, directory):
        self.build, self.directory = os.path.abspath(build), directory
        self.mortar = os.path.join(self.build, "bin", "mortar")
        self.workloads = {"opencl": os.path.join(self.build, "bin", "workload"),
                          "cuda": os.path.join(self.build, "bin", "cuda_workload")}
        for needed in (self.mortar, *self.workloads.values()):
            if not os.path.exists(needed):
                raise SystemExit(f"soak: {needed} does not exist: build first, or set MORTAR_BUILD")
        self.boards = self._folder("boards")
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("MORTAR_", "OPENCL_"))}
        self.environment.update(MORTAR_DIR=self.boards, MORTAR_PROFILES=self._folder("profiles"),
                                POCL_MAX_PTHREAD_COUNT="1")
        self.control_environment = dict(self.environment, MORTAR_DIR=self._folder("control-boards"))
        self.table = os.path.join(directory, "table.txt")
        self.device = os.path.join(self._folder("description"), "device.toml")
        self.control_device = os.path.join(self._folder("control"), "device.toml")
        self.call([self.workloads["opencl"], "--write-table", self.table, "--filler-us", "1000"])
        for path in (self.device, self.control_device):
            self.call([self.workloads["cuda"], "--write-device", path, "--device-mode", "merged"])

    def _folder(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path, 0o700)
        return path

    def call(self, command):
        """What it printed. A failure of ours ends the soak."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"soak: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def device_flags(self, api):
        return ["--emulate", self.table] if api == "opencl" else ["--sim-device", self.device]


class Program(Pulsed):
    """One program under Mortar. `anchor`: it lives as long as the soak, and is what growth is measured on."""

    def __init__(self, worlds, api, role, name, priority, anchor=False):
        self.api, self.role, self.priority, self.anchor = api, role, priority, anchor
        self.stopped = False
        self.may_stall_until_ns = time.monotonic_ns()  # held by right until then
        workload = [worlds.workloads[api], "--role", role] + ROLES[api][role]
        if api == "cuda":
            workload += ["--warm-up", "0"]
        super().__init__(name, [worlds.mortar, "run", "--no-check", "--name", name, "--priority", str(priority),
                                "--max-slowdown", "1000%"] + worlds.device_flags(api) + ["--"] + workload,
                         os.path.join(worlds.directory, f"pulse-{name}"), worlds.environment)

    def pid(self):
        return self.process.pid

    def lives(self):
        return self.process.poll() is None


def control(worlds, api):
    """The same program as a holder, alone on a device of its own, without Mortar: its stalls are the machine's."""
    workload = [worlds.workloads[api], "--role", "holder"] + ROLES[api]["holder"]
    environment = dict(worlds.control_environment)
    path = os.path.join(worlds.directory, f"pulse-control-{api}")
    if api == "opencl":
        environment.update(OPENCL_LAYERS=os.path.join(worlds.build, "lib", "libmortar-emulated.so"),
                           MORTAR_EMULATED=worlds.table)
        return Pulsed("soak: control-opencl", workload, path, environment)
    command = [worlds.mortar, "run", "--no-check", "--unscheduled", "--sim-device", worlds.control_device, "--"]
    return Pulsed("soak: control-cuda", command + workload + ["--warm-up", "0"], path, environment)
