"""The demo: an inference service and a training job share an emulated device under each of Mortar's policies.

Both programs are real and compute for real (OpenCL on the processor, through PoCL); the device's speed is emulated: a
layer below Mortar lets every kernel end at a modelled time, one kernel at a time across processes. Prints one table;
writes OUT/index.html (one self-contained page), OUT/results.json and OUT/timeline-POLICY.json.gz (for ui.perfetto.dev).

Usage: demo.py --build DIRECTORY [--out DIRECTORY] [--repetitions N] [--seconds S] [--json] …    (./dev demo calls it)
Exit codes: 0 done, 1 a program failed or answered wrongly, 2 bad usage. Standard library alone."""

import json
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
import demo_options  # noqa: E402
import lines  # noqa: E402
import report  # noqa: E402
import report_plots  # noqa: E402
import report_timeline  # noqa: E402
from demo_programs import Failure, Setup, run_pair, trace_pair  # noqa: E402
from demo_summary import summarize, table  # noqa: E402

POLICIES = report_plots.ORDER


def say(words):
    print(f"demo: {words}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = demo_options.make_parser("./dev demo", __doc__, "out/demo", 80.0, POLICIES)
    parser.add_argument("--host-us", type=float, default=300.0,
                        help="inference's host work after each launch (default: %(default)s)")
    return demo_options.parse(parser, POLICIES)


def run_all(setup, arguments):
    """All runs, repetition by repetition, the order turned by one each time so that no policy always comes first."""
    kinds = ["serve", "train", *arguments.policies]
    runs, total = [], arguments.repetitions * len(kinds)
    for repetition in range(arguments.repetitions):
        for i in range(len(kinds)):
            kind = kinds[(i + repetition) % len(kinds)]
            name = f"{kind} alone" if kind in ("serve", "train") else kind
            say(f"run {len(runs) + 1} of {total}: {name}")
            runs.append(run_pair(setup, kind, repetition))
    return runs


def record_timelines(setup, arguments, out):
    """One short traced run a policy, apart from the measured ones; returns the cuts for the page."""
    cuts = []
    for policy in arguments.policies:
        say(f"recording a timeline under {policy}")
        path = os.path.join(out, f"timeline-{policy}.json.gz")
        trace_pair(setup, policy, path)
        cut = report_timeline.cut_trace(path, policy)
        if cut is None:
            say(f"{path} holds no request with kernels of both programs; the page leaves this policy's timeline out")
        else:
            cuts.append(cut)
    return cuts


def main():
    arguments = parse_arguments()
    started = time.monotonic()
    os.makedirs(arguments.out, exist_ok=True)
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > 0.7 * cores:
        say(f"this machine is busy (load {busy:.1f} on {cores} cores); the figures will be noisy")
    say("the programs and their results are real, computed by PoCL on this processor; the device's speed is emulated")
    directory = tempfile.mkdtemp(prefix="mortar-demo-", dir="/dev/shm")
    try:
        setup = Setup(arguments, directory)
        say("compiling kernels and learning how long they take (the first time takes half a minute)")
        setup.learn()
        runs = run_all(setup, arguments)
        cuts = record_timelines(setup, arguments, arguments.out)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    results = summarize(runs, cuts, arguments)
    with open(os.path.join(arguments.out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file)
    with open(os.path.join(arguments.out, "index.html"), "w", encoding="utf-8") as file:
        file.write(report.page(results))
    print(table(results, arguments.json))
    say(f"took {time.monotonic() - started:.0f} s; page: {arguments.out}/index.html, timelines for ui.perfetto.dev: "
        f"{arguments.out}/timeline-*.json.gz")
    return 1 if results["wrong"] else 0


if __name__ == "__main__":
    lines.main(main, Failure, say)
