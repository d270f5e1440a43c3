"""Watching the soak's programs: who stands still and whether by right, whose fault it is, and what grows."""

import collections
import os
import sys
import time

LIMIT_NS = 50_000_000    # the goal: no stall over 50 ms beyond the machine's own
HANG_NS = 5_000_000_000
REMEMBERED_NS = 10_000_000_000


def run_delay_ns(pid):
    """How long the threads of a process have waited for a processor so far; the machine's doing, not Mortar's."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        pass
    return total


def footprint(pid):
    """{what: how much} of a process: resident memory of its own (KiB), descriptors, mappings, threads."""
    found = {"descriptors": len(os.listdir(f"/proc/{pid}/fd"))}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        found["private_kib"] = sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        found["mappings"] = sum(1 for _ in file)
    found["threads"] = len(os.listdir(f"/proc/{pid}/task"))
    return found


class Rights:
    """Who is held by right: below somebody without gaps, or below two (nothing is promised to the third); or under a
    policy that holds everybody below the first."""

    def __init__(self):
        self.policy = {"opencl": "fill", "cuda": "fill"}
        self.off = False

    def may_be_held(self, program, others):
        if self.off or self.policy[program.api] == "share":
            return False
        above = [other for other in others if other.api == program.api and other.priority < program.priority
                 and not other.stopped]
        if len(above) > 1 or any(other.role == "filler" for other in above):
            return True
        return bool(above) and self.policy[program.api] in ("exclusive", "fikit")


class Watch:
    """Looks at all programs every tick. `controls`: those whose stalls are the machine's."""

    def __init__(self, rights, controls):
        self.rights, self.controls = rights, controls
        self.machine = collections.deque()        # (end, length) of the controls' stalls
        self.delays = {}                          # program: deque of (instant, ns waited for a processor so far)
        self.stalls = []                          # dicts, those over the limit and not by right
        self.by_right = self.machines = self.hangs = 0
        self.machine_longest = self.longest = self.longest_excess = 0
        self.events = collections.deque(maxlen=20)  # (instant, what)

    def tell(self, what):
        """Something was done; it is shown with the stalls that come soon after."""
        self.events.append((time.monotonic_ns(), what))

    def look(self, programs):
        now = time.monotonic_ns()
        for one in self.controls:
            length, end = one.take_longest()
            standing = now - one.last()
            for stall in ((end, length), (now, standing)):
                if stall[1] > 1_000_000:
                    self.machine.append(stall)
            self.machine_longest = max(self.machine_longest, length)
        while self.machine and self.machine[0][0] < now - REMEMBERED_NS:
            self.machine.popleft()
        for program in programs:
            self._look_at(program, programs, now)

    def allow(self, programs):
        """To be called before and after whatever changes who may be held."""
        now = time.monotonic_ns()
        for program in programs:
            if program.stopped or self.rights.may_be_held(program, programs):
                program.may_stall_until_ns = now

    def forget(self, program):
        self.delays.pop(program, None)

    def _look_at(self, program, programs, now):
        delays = self.delays.setdefault(program, collections.deque())
        delays.append((now, run_delay_ns(program.pid())))
        while delays[0][0] < now - REMEMBERED_NS:
            delays.popleft()
        if program.stopped or self.rights.may_be_held(program, programs):
            program.may_stall_until_ns = now
        last = program.last()
        if last == 0:  # not begun yet
            program.may_stall_until_ns = now
            return
        length, end = program.take_longest()
        self.longest = max(self.longest, end - max(end - length, program.may_stall_until_ns))
        if length > LIMIT_NS:
            self._judge(program, programs, end - length, end)
        if now - max(last, program.may_stall_until_ns) > HANG_NS:
            self.hangs += 1
            self._found({"program": program.name, "role": program.role, "stall_ms": None, "hang": True,
                         "policy": self.rights.policy[program.api]})
            program.may_stall_until_ns = now

    def _judge(self, program, programs, begin, end):
        begin = max(begin, program.may_stall_until_ns)
        if end - begin <= LIMIT_NS:
            self.by_right += 1
            return
        machine = max(self._controls(begin, end), self._delay(program, begin, end))
        excess = end - begin - machine
        self.longest_excess = max(self.longest_excess, excess)
        if excess <= LIMIT_NS:
            self.machines += 1
            return
        self._found({"program": program.name, "role": program.role, "priority": program.priority,
                     "policy": self.rights.policy[program.api], "off": self.rights.off,
                     "at_s": round(end / 1e9, 3), "stall_ms": round((end - begin) / 1e6, 1),
                     "machine_ms": round(machine / 1e6, 1), "excess_ms": round(excess / 1e6, 1),
                     "others": [f"{other.name}: {other.role}, {other.priority}" for other in programs
                                if other.api == program.api and other is not program],
                     "before": [f"{(at - begin) / 1e6:+.0f} ms: {what}" for at, what in self.events
                                if begin - 1_500_000_000 < at < end]})

    def _found(self, stall):
        print(f"soak: stall: {stall}", file=sys.stderr, flush=True)
        self.stalls.append(stall)

    def _controls(self, begin, end):
        """The longest stall of a control that overlaps."""
        return max((length for ended, length in self.machine if ended > begin and ended - length < end), default=0)

    def _delay(self, program, begin, end):
        before = after = None
        for instant, delay in self.delays[program]:
            if instant <= begin or before is None:
                before = delay
            after = delay
            if instant >= end:
                break
        return after - before if after is not None else 0


class Growth:
    """Footprints of what lives as long as the soak, from when it has settled to the end."""

    SLACK = {"private_kib": 1024, "descriptors": 0, "mappings": 4, "threads": 0}  # chosen

    def __init__(self):
        self.samples = collections.defaultdict(list)

    def sample(self, name, pid):
        try:
            self.samples[name].append(footprint(pid))
        except OSError:
            pass

    def rows(self):
        """A program each: what it had after a fifth of the samples (median of a fifth), and at the end; grown or not."""
        for name, samples in self.samples.items():
            fifth = max(1, len(samples) // 5)
            row = {"program": name, "samples": len(samples)}
            for what, slack in self.SLACK.items():
                values = [sample[what] for sample in samples]
                early, late = sorted(values[fifth:2 * fifth] or values), sorted(values[-fifth:])
                first, last = early[len(early) // 2], late[len(late) // 2]
                row[what] = [first, last]
                row["grown"] = row.get("grown", False) or last > first + slack
            yield row
