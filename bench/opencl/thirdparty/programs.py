"""The programs of others: how each is started, what of its output is a lap, and what of it must always be the same."""

import hashlib
import os
import random
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """A program could not be built, ended badly, or did not end."""


class Kind:
    """`lap`: matches a line of stdout that says that the program got on; all such lines together are its output."""

    def __init__(self, name, command, lap, typed=""):
        self.name, self.command, self.lap, self.typed = name, command, re.compile(lap), typed


def kinds(work, scale):
    """Each does a fixed amount of work, `scale` times some seconds; work: folder of what is made here."""
    clips = max(2, round(8 * scale))
    video = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i",
             f"testsrc2=size=160x120:rate=25:duration={clips}", "-init_hw_device", "opencl=gpu:0.0", "-filter_hw_device",
             "gpu", "-vf", "format=yuv420p,hwupload,avgblur_opencl=sizeX=3,unsharp_opencl,hwdownload,format=yuv420p",
             "-f", "framemd5", "-"]
    moves = max(4, round(200 * scale))
    game = "".join(f"genmove {'bw'[move % 2]}\n" for move in range(moves)) + "quit\n"
    return [
        Kind("clfft", [os.path.join(work, "clfft"), str(round(2000 * scale))], r"lap \d+ "),
        Kind("viennacl", [os.path.join(work, "viennacl"), str(round(1200 * scale))], r"lap \d+ "),
        Kind("openmm", ["/usr/bin/python3", os.path.join(HERE, "openmm_argon.py"), str(round(300 * scale))], r"lap \d+ "),
        Kind("ffmpeg", video, r"\d+, "),
        Kind("leela-zero", ["/usr/games/leelaz", "--gtp", "--weights", os.path.join(work, "network.txt"), "--gpu", "0",
                            "--precision", "single", "--threads", "1", "--playouts", "10", "--noponder", "--seed", "1"],
             r"= \S", game),
        # A session of its own: two of one name refuse to run side by side.
        Kind("hashcat", ["sh", "-c", 'exec stdbuf -oL hashcat --session mortar-$$ "$@"', "sh", "--hash-type", "0",
                         "--attack-mode", "3", "--force", "--opencl-device-types", "1", "--potfile-disable", "--quiet",
                         "--self-test-disable", "--restore-disable", "--logfile-disable", "--markov-disable",
                         "--custom-charset1", "123", os.path.join(work, "hashes.txt"), "?1" + "?d" * 6], r"[0-9a-f]{32}:"),
    ]


def build(work):
    """What is ours: two programs against libraries, a network of random weights, digests to be found."""
    os.makedirs(work, exist_ok=True)
    for name, libraries in (("clfft", ["-lclFFT"]), ("viennacl", [])):
        command = ["g++", "-O1", "-w", "-DCL_TARGET_OPENCL_VERSION=120", "-o", os.path.join(work, name), os.path.join(HERE, name + ".cc"), *libraries,
                   "-lOpenCL"]
        if subprocess.run(command, check=False).returncode != 0:
            raise Failed(f"{' '.join(command)} failed")
    subprocess.run([sys.executable, os.path.join(HERE, "leela_network.py"), os.path.join(work, "network.txt")], check=True)
    with open(os.path.join(work, "hashes.txt"), "w", encoding="ascii") as file:
        for word in random.Random(1).sample(range(1_000_000, 4_000_000), 40):
            file.write(hashlib.md5(str(word).encode()).hexdigest() + "\n")


class Run:
    """A program that runs; its laps are noted as they come."""

    def __init__(self, kind, command, environment, work, processors):
        self.kind, self.laps, self.lines, self.began = kind, [], [], time.monotonic()
        pinned = ["taskset", "--cpu-list", ",".join(map(str, processors))] + command
        self.process = subprocess.Popen(pinned, env=environment, cwd=work, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self.said = ""
        self.readers = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._listen, daemon=True)]
        for reader in self.readers:
            reader.start()
        try:
            self.process.stdin.write(kind.typed)
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        for line in self.process.stdout:
            if self.kind.lap.match(line):
                self.laps.append(time.monotonic())
                self.lines.append(line.rstrip())

    def _listen(self):
        self.said = self.process.stderr.read()

    def finish(self, patience_s):
        try:
            self.process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"{self.kind.name} did not end within {patience_s} s") from None
        for reader in self.readers:
            reader.join(timeout=10)
        self.ended = time.monotonic()
        if self.process.returncode != 0 or not self.lines:
            raise Failed(f"{self.kind.name} ended with {self.process.returncode}: {self.said.strip()[-400:]}")
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def window(self):
        """Of its work: from the first lap to the last; from start to end where laps do not tell (few, or all at once)."""
        if len(self.laps) >= 4 and self.laps[-1] - self.laps[0] > 0.3:
            return self.laps[0], self.laps[-1]
        return self.began, self.ended

    def seconds(self):
        begin, end = self.window()
        return end - begin

    def output(self):
        return sorted(self.lines) if self.kind.name == "hashcat" else self.lines
