"""A program that says at each launch that it lives (bench/pulse.h), started and ended by a benchmark."""

import mmap
import os
import signal
import struct
import subprocess
import time

HANG_S = 5.0


class Pulsed:
    """`command` gets --pulse-file; a killed program may be started anew."""

    def __init__(self, name, command, pulse_path, environment):
        self.name, self.pulse_path, self.environment = name, pulse_path, environment
        self.command = command + ["--pulse-file", pulse_path]
        self.process, self.map = None, None

    def launch(self, stderr=subprocess.PIPE):
        """Starts it and does not wait until it lives."""
        with open(self.pulse_path, "wb") as file:
            file.write(bytes(24))
        # mortar becomes the program: the process that is killed is the one that launches.
        self.process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=stderr)
        with open(self.pulse_path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 24)

    def start(self, patience_s=HANG_S):
        self.launch()
        until = time.monotonic() + patience_s
        while self.last() == 0:
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit(f"{self.name} did not start: {self.process.stderr.read().decode()[-300:]}")
            time.sleep(0.001)

    def last(self):
        return struct.unpack_from("<q", self.map)[0]

    def take_longest(self):
        """(length, end) of the longest time between two launches since the last call, ns; (0, 0): none."""
        length, ended = struct.unpack_from("<qq", self.map, 8)
        struct.pack_into("<q", self.map, 8, 0)
        return length, ended

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self, patience_s=30):
        """(whether it ended well and its results are right, what it said on stderr)"""
        self.process.send_signal(signal.SIGTERM)
        try:
            _, said = self.process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return False, f"did not end within {patience_s} s"
        return self.process.returncode == 0, (said or b"").decode(errors="replace").strip()

    def remove(self):
        if self.map is not None:
            self.map.close()
        if os.path.exists(self.pulse_path):
            os.unlink(self.pulse_path)
