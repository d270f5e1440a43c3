#!/usr/bin/env python3
"""Runs an OpenCL program bare and again under layers, and compares what it prints, byte for byte.

Usage: compare.py [options] -- PROGRAM [ARGUMENT...]

  --layer FILE       a layer to load, lowest first (repeatable). A file that does not exist skips the test.
  --env NAME=VALUE   set for the layered run alone (repeatable). {dir} stands for a private directory on tmpfs.
  --launcher WORD    put before PROGRAM in the layered run (repeatable), as in: --launcher mortar --launcher run ...
  --holder COMMAND   a shell command that runs beside the layered run, with the same environment, until it ends
  --repeat N         layered runs                                                                     (default 1)
  --expect-work      fail if no command was placed on the emulated device's timeline
  --expect-board     fail if no client ever opened a board: Mortar's own layer was not at work
  --timeout S        of each run                                                                      (default 60)

Exit codes: 0 the same, 1 different or failed, 2 bad usage, 77 skipped.
"""

import argparse
import difflib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


def parse(words):
    if "--" not in words:
        sys.exit(__doc__)
    split = words.index("--")
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--launcher", action="append", default=[])
    parser.add_argument("--holder")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--expect-work", action="store_true")
    parser.add_argument("--expect-board", action="store_true")
    parser.add_argument("--timeout", type=float, default=60)
    options = parser.parse_args(words[:split])
    options.program = words[split + 1:]
    return options


def base_environment():
    """Two devices, one thread each: what the program prints must not depend on the machine."""
    environment = dict(os.environ)
    environment.setdefault("POCL_DEVICES", "pthread pthread")
    environment["POCL_MAX_PTHREAD_COUNT"] = "1"
    for name in ("OPENCL_LAYERS", "MORTAR_EMULATED"):
        environment.pop(name, None)
    return environment


def run(command, environment, timeout):
    """Returns (exit code or None if it hung, what it printed)."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            printed, _ = process.communicate(timeout=timeout)
            return process.returncode, printed.decode()
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
            return None, printed.decode()


def placed_commands(directory):
    """Commands on all timelines below `directory` (src/emulated/timeline.h: the sums are the third line of 64 bytes)."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".timeline"):
                with open(os.path.join(folder, name), "rb") as file:
                    total += struct.unpack_from("QQ", file.read(256), 128)[1]
    return total


def has_board(directory):
    """True if a file of `directory` begins with the magic of a board (src/board/layout.h)."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if file.read(8) == b"MARTBRD1":
                    return True
    return False


def start_holder(options, environment):
    if not options.holder:
        return None
    holder = subprocess.Popen(["/bin/sh", "-c", "exec " + options.holder], env=environment,
                              stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(0.5)  # until it is at work; what is compared does not depend on it
    return holder


def stop_holder(holder):
    if holder is None:
        return True
    ran = holder.poll() is None
    if ran:
        os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()
    return ran


def compare(options, directory):
    code, expected = run(options.program, base_environment(), options.timeout)
    if code == SKIPPED:
        return SKIPPED
    if code != 0:
        print(f"compare: the bare run ended with {code}")
        return 1
    environment = base_environment()
    environment["MORTAR_DIR"] = directory
    environment["MORTAR_PROFILES"] = ""  # nothing is kept
    environment["OPENCL_LAYERS"] = ":".join(options.layer)
    for setting in options.env:
        name, _, value = setting.partition("=")
        environment[name] = value.replace("{dir}", directory)
    holder = start_holder(options, environment)
    try:
        for _ in range(options.repeat):
            code, printed = run(options.launcher + options.program, environment, options.timeout)
            if code != 0 or printed != expected:
                sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), printed.splitlines(True),
                                                           "bare", "layered"))
                print("compare: the layered run " + ("hung" if code is None else f"ended with {code}"))
                return 1
    finally:
        held = stop_holder(holder)
    if not held:
        print("compare: the holder did not run until the end")
        return 1
    if options.expect_work and placed_commands(directory) == 0:
        print("compare: nothing was intercepted: the timeline is empty")
        return 1
    if options.expect_board and not has_board(directory):
        print("compare: nothing was intercepted: there is no board")
        return 1
    return 0


def main():
    options = parse(sys.argv[1:])
    for layer in options.layer:
        if not os.path.exists(layer):
            print(f"compare: skipped: {layer} does not exist")
            return SKIPPED
    directory = tempfile.mkdtemp(prefix="mortar-compare-", dir="/dev/shm")
    try:
        result = compare(options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if result == SKIPPED:
        print("compare: skipped: no OpenCL device; install pocl-opencl-icd")
    elif result == 0:
        print(f"compare: {options.repeat} layered run(s) printed the same as the bare one")
    return result


if __name__ == "__main__":
    sys.exit(main())
