"""Lets programs share two devices for half an hour while everything happens to them that can, and watches.

OpenCL programs on the emulated device and CUDA programs on the simulated one, unmodified, through `mortar run`; a holder and a
filler of each live to the end, others join, end, are killed (SIGKILL) and stopped (SIGSTOP, SIGCONT) at random, while
`mortar set`, `off` and `on` change policies, priorities, limits and settings, `mortar serve` is asked once a second, and
`mortar status` is compared with who really lives. Nothing here is a real device.

A stall is a time between two launches of a program that is over 50 ms, less what it is held by right: stopped; below a
program without gaps, or two programs; below anybody under `exclusive` or `fikit`; not begun. From what is left the machine's own part is
taken off: the longest stall, at that time, of controls that run alone and without Mortar, or the time that the program's
threads waited for a processor (schedstat), whichever is more. What remains over 50 ms counts (`stalls`). A program that
launches nothing for 5 s is a hang. Growth is that of memory (private, 1 MiB), descriptors, mappings (4) and threads of
what lives throughout, from the second fifth of the time to the last. At the end all boards must be empty of clients, and no
file may be left behind but boards, timelines and profiles. Programs count their kernels: one lost or run twice is an error.

Exit status: 0; 1 with a stall, a hang, growth or an error."""

import argparse
import collections
import glob
import heapq
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from programs import Program, Worlds, control  # noqa: E402
from watch import Growth, Rights, Watch  # noqa: E402

EXPECTED = "policy fikit needs offline means"  # said once by whoever meets that policy
TICK_S, SAMPLE_S, MOST_OF_A_DEVICE = 0.1, 5.0, 4
POLICIES = ["fill", "fill", "fill", "priority", "share", "exclusive", "fikit"]


class Soak:
    def __init__(self, options, directory):
        self.options, self.chance = options, random.Random(options.seed)
        self.worlds = Worlds(options.build, directory)
        self.rights = Rights()
        self.controls = [control(self.worlds, api) for api in ("opencl", "cuda")]
        self.watch = Watch(self.rights, self.controls)
        self.growth = Growth()
        self.programs, self.counts, self.errors = [], collections.Counter(), []
        self.later = []  # (instant, number, what)
        self.number = 0
        self.boards = {}
        self.serve = None

    # What happens.

    def run(self):
        for one in self.controls:
            one.start(patience_s=60)
        for api in ("opencl", "cuda"):
            before = set(os.listdir(self.worlds.boards))
            self._start(Program(self.worlds, api, "holder", f"{api}-holder", 0, anchor=True))
            self._await_begun()
            self.boards[api] = next(name for name in set(os.listdir(self.worlds.boards)) - before
                                    if os.path.isfile(os.path.join(self.worlds.boards, name)))
            self._start(Program(self.worlds, api, "filler", f"{api}-filler", 5, anchor=True))
        self._await_begun()
        self._start_serve()
        over = time.monotonic() + self.options.minutes * 60
        next_event = next_sample = next_ask = next_word = time.monotonic()
        while time.monotonic() < over:
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                heapq.heappop(self.later)[2]()
            if now >= next_event:
                next_event = now + self.chance.expovariate(1 / self.options.event_s)
                self._event()
            if now >= next_ask:
                next_ask = now + 1
                self._ask_serve()
            if now >= next_sample:
                next_sample = now + SAMPLE_S
                self._sample()
            if now >= next_word:
                next_word = now + 60
                print(f"soak: {int((over - now) / 60)} minutes left; {sum(self.counts.values())} events, "
                      f"{len(self.watch.stalls)} stalls, {len(self.errors)} errors", file=sys.stderr, flush=True)
            self._notice_deaths()
            self.watch.look(self.programs)
            time.sleep(TICK_S)
        while self.later:
            heapq.heappop(self.later)[2]()
        self._end_all()

    def _event(self):
        events = [(self._join, 4), (self._end, 2), (self._kill, 3), (self._stop, 3), (self._policy, 3),
                  (self._switch_off, 1), (self._set_client, 3), (self._set_board, 1), (self._status, 1)]
        happens = self.chance.choices([event for event, _ in events], [weight for _, weight in events])[0]
        self.watch.allow(self.programs)
        happens()
        self.watch.allow(self.programs)

    def _error(self, text):
        print(f"soak: error: {text}", file=sys.stderr, flush=True)
        self.errors.append(text)

    def _count(self, what, detail=""):
        self.counts[what] += 1
        self.watch.tell(f"{what} {detail}".strip())

    def _join(self):
        api = self.chance.choice(("opencl", "cuda"))
        if sum(one.api == api for one in self.programs) >= MOST_OF_A_DEVICE:
            return
        role = self.chance.choice(("holder", "filler"))
        self.number += 1
        self._start(Program(self.worlds, api, role, f"{api}-{role}-{self.number}",
                            self.chance.randint(0, 3) if role == "holder" else self.chance.randint(4, 9)))
        self._count("joins", self.programs[-1].name)

    def _some(self, anchors):
        some = [one for one in self.programs if not one.stopped and one.last() != 0 and (anchors or not one.anchor)]
        return self.chance.choice(some) if some else None

    def _end(self):
        program = self._some(anchors=False)
        # Who is held by right for long would end late.
        if program is not None and not self.rights.may_be_held(program, self.programs):
            self._finish(program)
            self._count("ends", program.name)

    def _finish(self, program):
        self.watch.look(self.programs)
        self.programs.remove(program)
        self.watch.forget(program)
        well, said = program.end()
        said = "\n".join(line for line in said.splitlines() if EXPECTED not in line)
        if not well or said:
            self._error(f"{program.name}: {said or 'ended with ' + str(program.process.returncode)}")
        program.remove()

    def _kill(self):
        program = self._some(anchors=False)
        if program is None:
            return
        self.programs.remove(program)
        self.watch.forget(program)
        program.kill()
        program.remove()
        self._count("kills", program.name)

    def _stop(self):
        program = self._some(anchors=True)
        if program is None:
            return
        program.process.send_signal(signal.SIGSTOP)
        program.stopped = True
        self._count("stops", program.name)
        self._later(self.chance.uniform(0.02, 1.0), lambda: self._continue(program))

    def _continue(self, program):
        if program not in self.programs:
            return
        self.watch.allow(self.programs)
        program.process.send_signal(signal.SIGCONT)
        program.stopped = False
        self.watch.tell(f"continued {program.name}")

    def _policy(self):
        api, policy = self.chance.choice(("opencl", "cuda")), self.chance.choice(POLICIES)
        self._mortar("set", "--device", self.boards[api], "--policy", policy)
        self.watch.allow(self.programs)
        self.rights.policy[api] = policy
        self._count("policies set", f"{api} {policy}")

    def _switch_off(self):
        if self.rights.off:
            return
        self._mortar("off")
        self.watch.allow(self.programs)
        self.rights.off = True
        self._count("off and on")
        self._later(self.chance.uniform(0.1, 2.0), self._switch_on)

    def _switch_on(self):
        self._mortar("on")
        self.rights.off = False
        self.watch.allow(self.programs)
        self.watch.tell("on")

    def _set_client(self):
        program = self._some(anchors=True)
        if program is None:
            return
        flag = self.chance.choice(("--priority", "--weight", "--max-slowdown"))
        value = {"--priority": str(self.chance.randint(0, 3) if program.role == "holder" else self.chance.randint(4, 9)),
                 "--weight": str(self.chance.choice((0.5, 1, 2, 4))),
                 "--max-slowdown": f"{self.chance.choice((100, 300, 1000))}%"}[flag]
        self._mortar("set", program.name, flag, value)
        if flag == "--priority":
            self.watch.allow(self.programs)
            program.priority = int(value)
        self._count("clients set", f"{program.name} {flag} {value}")

    def _set_board(self):
        api = self.chance.choice(("opencl", "cuda"))
        setting = self.chance.choice((("--margin", "0us"), ("--margin", "20us"), ("--bound", "200us"), ("--bound", "1ms"),
                                      ("--mode", "fifo"), ("--mode", "merged")))
        self._mortar("set", "--device", self.boards[api], *setting)
        self._count("settings set", f"{api} {' '.join(setting)}")

    def _status(self):
        """Whoever launches is on its board."""
        shown = json.loads(self._mortar("status", "--json"))
        names = {client["name"] for client in shown["clients"]}
        for program in self.programs:
            if program.last() != 0 and program.name not in names and not program.stopped:
                self._error(f"mortar status does not show {program.name}")
        self._count("status")

    # What it takes.

    def _later(self, seconds, what):
        self.number += 1
        heapq.heappush(self.later, (time.monotonic() + seconds, self.number, what))

    def _mortar(self, *words):
        done = subprocess.run([self.worlds.mortar, *words], env=self.worlds.environment, capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode != 0:
            self._error(f"mortar {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout or "{}"

    def _start(self, program):
        program.launch()
        self.programs.append(program)
        self.counts["programs"] += 1

    def _await_begun(self):
        until = time.monotonic() + 60
        while any(program.last() == 0 for program in self.programs):
            if time.monotonic() > until or not all(program.lives() for program in self.programs):
                raise SystemExit("soak: a program did not begin within 60 s")
            time.sleep(0.01)

    def _notice_deaths(self):
        for program in list(self.programs):
            if not program.lives():
                _, said = program.process.communicate()
                self._error(f"{program.name} ended by itself with {program.process.returncode}: "
                                   f"{said.decode(errors='replace').strip()[-300:]}")
                self.programs.remove(program)
                self.watch.forget(program)

    def _start_serve(self):
        self.serve = subprocess.Popen([self.worlds.mortar, "serve", "--listen", f"127.0.0.1:{self.options.port}"],
                                      env=self.worlds.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def _ask_serve(self):
        path = self.chance.choice(("/metrics", "/api/status", "/api/history", "/"))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.options.port}{path}", timeout=10) as answer:
                if answer.status != 200 or not answer.read():
                    self._error(f"mortar serve answers {answer.status} to {path}")
        except OSError as error:
            self._error(f"mortar serve does not answer {path}: {error}")
        self.counts["pages asked for"] += 1

    def _sample(self):
        for program in self.programs:
            if program.anchor:
                self.growth.sample(program.name, program.pid())
        self.growth.sample("mortar serve", self.serve.pid)

    def _end_all(self):
        self._mortar("off")
        for program in list(self.programs):
            self._finish(program)
        for one in self.controls:
            well, said = one.end()
            if not well:
                self._error(f"{one.name}: {said}")
            one.remove()
        self.serve.send_signal(signal.SIGTERM)
        self.serve.communicate(timeout=30)
        if self.serve.returncode not in (0, -signal.SIGTERM):
            self._error(f"mortar serve ended with {self.serve.returncode}")
        left = json.loads(self._mortar("status", "--json"))["clients"]
        if left:
            self._error(f"clients left on the boards: {[client['name'] for client in left]}")
        self._look_for_files()

    def _look_for_files(self):
        expected = set(self.boards.values()) | {"emulated", "simcuda"}
        strange = [name for name in os.listdir(self.worlds.boards) if name not in expected]
        strange += [path for path in glob.glob(os.path.join(self.worlds.environment["MORTAR_PROFILES"], "**"),
                                               recursive=True)
                    if os.path.isfile(path) and (".damaged" in path or ".tmp" in path or os.path.getsize(path) == 0)]
        if strange:
            self._error(f"files left behind: {strange[:10]}")

    def stop(self):
        for one in self.programs + self.controls:
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
        if self.serve is not None and self.serve.poll() is None:
            self.serve.kill()

    def result(self):
        watch, growth = self.watch, list(self.growth.rows())
        grown = [row["program"] for row in growth if row["grown"]]
        return {
            "minutes": self.options.minutes, "seed": self.options.seed, "counts": dict(self.counts),
            "stalls": len(watch.stalls), "hangs": watch.hangs, "errors": len(self.errors), "grown": grown,
            "longest_excess_ms": round(watch.longest_excess / 1e6, 1),
            "longest_stall_ms": round(watch.longest / 1e6, 1),
            "over_50ms_by_the_machine": watch.machines, "over_50ms_by_right": watch.by_right,
            "control_longest_stall_ms": round(watch.machine_longest / 1e6, 1),
            "the_stalls": watch.stalls[:50], "the_errors": self.errors[:50], "growth": growth,
            "verdict": "passed" if not (watch.stalls or watch.hangs or self.errors or grown) else "failed",
            "ran_on": f"emulated OpenCL device over PoCL and simulated CUDA device, {os.cpu_count()} processors, "
                      f"{platform.machine()}"}


def print_text(result):
    print(f"On an {result['ran_on']}: {result['minutes']} minutes.")
    for what, count in result["counts"].items():
        print(f"  {what:<24}{count:>8}")
    for key in ("stalls", "hangs", "errors", "longest_excess_ms", "longest_stall_ms", "over_50ms_by_the_machine",
                "over_50ms_by_right", "control_longest_stall_ms"):
        print(f"  {key:<26}{result[key]:>8}")
    for row in result["growth"]:
        print(f"  {row['program']:<16}" + "  ".join(f"{what} {row[what][0]} -> {row[what][1]}" for what in Growth.SLACK))
    for line in result["the_stalls"] + result["the_errors"]:
        print(f"  {line}")
    print(result["verdict"])


def main():
    parser = argparse.ArgumentParser(prog="soak.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=30, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--event-s", type=float, default=0.7, metavar="S", help="something happens every S seconds (0.7)")
    parser.add_argument("--port", type=int, default=9479, help="of mortar serve (9479)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="mortar-soak-", dir="/dev/shm")
    soak = Soak(options, directory)
    try:
        soak.run()
    finally:
        soak.stop()
        shutil.rmtree(directory, ignore_errors=True)
    result = soak.result()
    if options.json:
        print(json.dumps(result))
    else:
        print_text(result)
    return 0 if result["verdict"] == "passed" else 1


if __name__ == "__main__":
    sys.exit(main())
