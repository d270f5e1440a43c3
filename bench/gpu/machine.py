"""What bench/gpu runs on and how: the driver's place, Mortar's environment, programs alone and together, MPS. Standard
library alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 120


class Failure(Exception):
    """A program failed; the message says which and how."""


def say(words):
    print(f"gpu: {words}", file=sys.stderr, flush=True)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def torch_says():
    """(usable, why not)."""
    try:
        done = subprocess.run([sys.executable, "-c", "import torch; assert torch.cuda.is_available()"], capture_output=True,
                              text=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return False, f"PyTorch did not start within {PATIENCE_S} s"
    if done.returncode == 0:
        return True, ""
    return False, "no PyTorch" if "No module" in done.stderr else "PyTorch sees no GPU"


class Machine:
    """The device that is measured: a GPU, or the simulated one."""

    def __init__(self, build, simulated=None):
        self.build = os.path.abspath(build)
        self.gpu = None if simulated else self._ask_gpu()
        self.directory = tempfile.mkdtemp(prefix="mortar-gpu-", dir="/dev/shm")
        self.libraries = os.path.join(self.build, "lib", "mortar")
        self.simulated_driver = os.path.join(self.libraries, "simcuda", "libcuda.so.1")
        self.mps = None
        self.learned = None  # profiles of the pair's programs alone, which policy fikit needs
        self.spools = None  # where scheduled programs leave theirs, while a recorder runs
        self.started = []
        self.runs = 0
        if self.gpu is None and not os.path.exists(self.simulated_driver):
            raise Failure("no NVIDIA GPU here, and the simulated device was not built (libtomlplusplus-dev)")
        if self.gpu is None:
            self.device = os.path.join(self.directory, "device.toml")
            subprocess.run([self.program("cuda_workload"), "--write-device", self.device], check=True)
        self.new_board()

    @staticmethod
    def _ask_gpu():
        try:
            done = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,pci.bus_id", "--format=csv,noheader"],
                                  capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else None

    @property
    def name(self):
        return self.gpu or "simulated CUDA device (not a GPU)"

    def program(self, name):
        return os.path.join(self.build, "bin", name)

    @property
    def has_command(self):
        return os.path.exists(self.program("mortar"))

    def new_board(self):
        """Each run begins with nothing learned."""
        self.runs += 1
        self.boards = os.path.join(self.directory, f"run-{self.runs}")
        os.makedirs(os.path.join(self.boards, "profiles"), mode=0o700)

    def bare(self):
        """The environment of a program without Mortar."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("MORTAR_")}
        env.update(MORTAR_DIR=self.boards, PYTHONPATH=HERE)
        if self.mps:
            env.update(self.mps)
        if self.gpu is None:
            env.update(MORTAR_SIM_DEVICE=self.device)
            env["LD_LIBRARY_PATH"] = self._path(os.path.dirname(self.simulated_driver), env)
        return env

    @staticmethod
    def _path(first, env):
        return ":".join(part for part in (first, env.get("LD_LIBRARY_PATH", "")) if part)

    def scheduled(self, name, priority):
        """As `mortar run --name NAME --priority PRIORITY` sets it up."""
        env = self.bare()
        env.update(MORTAR_NAME=name, MORTAR_PRIORITY=str(priority), MORTAR_PROFILES=os.path.join(self.boards, "profiles"))
        if self.gpu is None:
            env["MORTAR_CUDA_DRIVER"] = self.simulated_driver
        env["LD_LIBRARY_PATH"] = self._path(os.path.join(self.libraries, "cuda"), env)
        env["LD_PRELOAD"] = os.path.join(self.libraries, "libmortar-cuda-hook.so")
        if self.spools:
            env["MORTAR_TRACE"] = self.spools
        if priority >= 5 and self.mps:
            env["CUDA_MPS_CLIENT_PRIORITY"] = "1"
        return env

    def set_policy(self, policy, switch_us):
        """On all boards of this run: policy, and how the device runs several programs."""
        mode, cost = ("merged", "0") if self.mps else ("sliced", str(int(switch_us)))
        done = subprocess.run([self.program("gpu_board"), policy, mode, cost], env=self.bare(), capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failure(f"gpu_board {policy}: {last_line(done.stderr) if done.stderr else 'no board'}")

    def run(self, command, env, timeout=PATIENCE_S):
        """To its end; its JSON line."""
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(command[:4])} did not end within {timeout} s") from None
        if done.returncode != 0:
            raise Failure(f"{os.path.basename(command[0])} {' '.join(command[1:3])} ended with {done.returncode}: "
                          f"{last_line(done.stderr)}")
        return json.loads(last_line(done.stdout))

    def start(self, command, env, ready):
        log = tempfile.TemporaryFile(dir=self.directory)
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        process.log = log
        self.started.append(process)
        until = time.monotonic() + PATIENCE_S
        while not os.path.exists(ready):
            if process.poll() is not None or time.monotonic() > until:
                log.seek(0)
                raise Failure(f"{' '.join(command[:4])} did not get ready: "
                              f"{last_line(log.read().decode(errors='replace'))}")
            time.sleep(0.02)
        return process

    def finish(self, process):
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(process.args[:4])} did not end within {PATIENCE_S} s") from None
        self.started.remove(process)
        if process.returncode != 0:
            process.log.seek(0)
            raise Failure(f"{' '.join(process.args[:4])} ended with {process.returncode}: "
                          f"{last_line(process.log.read().decode(errors='replace'))}")
        return json.loads(last_line(out))

    def learn(self, holder, filler):
        """Both programs alone, every launch timed, as `mortar profile record` does."""
        self.new_board()
        for name, priority, command in (("holder", 0, holder), ("filler", 5, filler)):
            self.run(command, dict(self.scheduled(name, priority), MORTAR_PROFILE_RECORD="1"))
        self.learned = os.path.join(self.boards, "profiles")

    def together(self, holder, filler, policy, switch_us=0):
        """Both programs, under Mortar's `policy` or (None) without Mortar: what they print, and the GPU's busy share."""
        self.new_board()
        if policy == "fikit" and self.learned:
            shutil.copytree(self.learned, os.path.join(self.boards, "profiles"), dirs_exist_ok=True)
        env = (lambda name, priority: self.scheduled(name, priority)) if policy else (lambda *_: self.bare())
        ready = {name: os.path.join(self.boards, f"{name}-ready") for name in ("holder", "filler")}
        second = self.start(filler + ["--ready-file", ready["filler"]], env("filler", 5), ready["filler"])
        if policy:
            self.set_policy(policy, switch_us)
        first = self.start(holder + ["--ready-file", ready["holder"]], env("holder", 0), ready["holder"])
        busy = self.busy_until(first)
        held = self.finish(first)
        second.send_signal(signal.SIGTERM)
        return held, self.finish(second), busy

    def record(self, path, together):
        """Calls `together`, whose scheduled programs are recorded at `path` by `mortar trace record`; None, or why not."""
        # A shell that lasts as long as its input.
        recorder = subprocess.Popen([self.program("mortar"), "trace", "record", "-o", path, "--", "sh", "-c",
                                     'echo "$MORTAR_TRACE"; read -r line'], env=self.bare(), text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(recorder)
        self.spools = recorder.stdout.readline().strip()
        try:
            together()
        finally:
            self.spools = None
            _, errors = recorder.communicate("\n", timeout=PATIENCE_S)
        self.started.remove(recorder)
        return last_line(errors) if recorder.returncode != 0 else None

    def busy_until(self, process):
        """Mean of nvidia-smi's utilisation while `process` runs; None without a GPU."""
        if self.gpu is None:
            return None
        seen = []
        while process.poll() is None:
            done = subprocess.run(["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip().splitlines()[0].isdigit():
                seen.append(int(done.stdout.split()[0]))
            time.sleep(0.25)
        return sum(seen) / len(seen) / 100 if seen else None

    def end_all(self):
        """Ends whatever a failed run left."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.started.clear()

    def start_mps(self):
        """NVIDIA's MPS of this user, in a folder of our own: no setting of the GPU changes. True: it runs."""
        if self.gpu is None or shutil.which("nvidia-cuda-mps-control") is None:
            return False
        pipe = os.path.join(self.directory, "mps")
        os.makedirs(pipe, exist_ok=True)
        env = {"CUDA_MPS_PIPE_DIRECTORY": pipe, "CUDA_MPS_LOG_DIRECTORY": pipe}
        done = subprocess.run(["nvidia-cuda-mps-control", "-d"], env=dict(os.environ, **env), capture_output=True,
                              check=False)
        if done.returncode != 0:
            return False
        self.mps = env
        return True

    def stop_mps(self):
        if self.mps:
            subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, env=dict(os.environ, **self.mps),
                           capture_output=True, check=False, timeout=60)
            self.mps = None

    def close(self):
        self.end_all()
        self.stop_mps()
        shutil.rmtree(self.directory, ignore_errors=True)


def commit():
    try:
        return subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
