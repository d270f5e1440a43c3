"""Measures Mortar on an NVIDIA GPU, part by part; see run.sh.

Each part is one command, needs no network and takes less than nine minutes. Results are merged by commit into
OUT/results.json, with a table beside it (OUT/results.md) and timelines in OUT/timelines. On a machine without a GPU every part
runs on the simulated device, or says what it skipped; nothing there is a measurement of a GPU, and the results say so.
No setting of the GPU is changed: MPS is the user's own, in a folder of its own, and ends with the part.

  conformance        the semantics suite on this driver: bare and under each policy
  launch-cost        what Mortar adds to cuLaunchKernel, and to a launch with a wait for it
  switch-cost        what changing programs costs, without and with MPS (mortar calibrate)
  pairs              two programs with kernels of known length: alone, time-slicing, MPS, each policy
  pytorch-A-B        PyTorch inference A (bert, resnet50, vit, llm, llm-graphs) against training B (resnet50, transformer)
  traces             Kineto traces, without stacks, of every PyTorch program alone; timelines of the pairs under fill

  bench/gpu/run.sh --part launch-cost
  for part in $(bench/gpu/run.sh --list); do bench/gpu/run.sh --part $part; done"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
import lines  # noqa: E402
from machine import Failure, Machine, commit, say  # noqa: E402
from parts import PARTS  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/gpu/run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/gpu", help=argparse.SUPPRESS)
    parser.add_argument("--part", action="append", choices=list(PARTS), help="repeatable")
    parser.add_argument("--list", action="store_true", help="names of the parts, one a line")
    parser.add_argument("--table", action="store_true", help="the table of what is in OUT, and end")
    parser.add_argument("--json", action="store_true", help="one JSON object a row on stdout")
    parser.add_argument("--out", default="out/gpu", metavar="DIR", help="where results are merged (out/gpu)")
    parser.add_argument("--simulated", action="store_true", help="the simulated device even where there is a GPU")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="launch-cost (5)")
    parser.add_argument("--requests", type=int, default=300, metavar="N", help="pairs: of the holder, a run (300)")
    parser.add_argument("--seconds", type=float, default=12, metavar="S", help="pytorch: of the holder, a run (12)")
    return parser.parse_args()


def read_results(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure(f"{path} is damaged ({error}); move it away") from None


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def table(results):
    """Markdown of everything, the newest commit last."""
    out = "# Mortar on GPUs, and on simulated devices where it says so\n"
    for version, devices in results.items():
        for device, parts in devices.items():
            out += f"\n## {device}, commit {version}\n"
            for part, one in parts.items():
                out += f"\n### {part} ({one['when']}, {one['host']})\n\n"
                columns = list(dict.fromkeys(key for row in one["rows"] for key in row))
                if columns:
                    out += "| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns) + "\n"
                for row in one["rows"]:
                    out += "| " + " | ".join(str(row.get(key, "")) for key in columns) + " |\n"
                out += "".join(f"\nSkipped: {words}\n" for words in one["skipped"])
    return out


def main():
    options = parse_arguments()
    if options.list:
        print("\n".join(PARTS))
        return 0
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "results.json")
    results = read_results(path)
    if options.table:
        print(table(results))
        return 0
    if not options.part:
        say("which part? --list names them")
        return 2
    machine = Machine(options.build, options.simulated)
    failed = False
    try:
        for name in options.part:
            say(f"{name}, on {machine.name}")
            try:
                found = PARTS[name](machine, options)
            except (Failure, OSError, ValueError, subprocess.SubprocessError) as error:
                say(f"{name}: {error}")
                found, failed = {"rows": [], "skipped": [f"failed: {error}"]}, True
            found["when"] = datetime.date.today().isoformat()
            found["host"] = f"{os.cpu_count()} processors, {platform.machine()}"
            results.setdefault(commit(), {}).setdefault(machine.name, {})[name] = found
            write(path, json.dumps(results, indent=1) + "\n")
            write(os.path.join(options.out, "results.md"), table(results))
            for row in found["rows"]:
                print(json.dumps({"part": name, **row}) if options.json else
                      "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            for words in found["skipped"]:
                say(f"{name}: skipped: {words}")
    finally:
        machine.close()
    return 1 if failed else 0


if __name__ == "__main__":
    lines.main(main, Failure, say)
