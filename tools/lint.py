"""Runs clang-tidy over our sources as the compile database builds them. Prints findings; exit code 1 if there are any.

Usage: lint.py [--jobs N] [--tests] [--deep] COMPILE_COMMANDS [PART_OF_A_PATH…]

Tests, benchmarks and fuzz targets are left out unless --tests is given or a path names them, and then get a short list of
checks: most of the time on them goes into the headers and macros of the test framework. --deep adds clang's
path-sensitive analysis and what else is slow, which takes most of an hour."""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

LIGHT = ("_test.cc", "_bench.cc", "_fuzz.cc")
LIGHT_CHECKS = ("-*,bugprone-use-after-move,bugprone-dangling-handle,bugprone-infinite-loop,"
                "modernize-use-nullptr,modernize-use-override,performance-for-range-copy,misc-definitions-in-headers")
DEEP_CHECKS = "performance-unnecessary-value-param,clang-analyzer-*,-clang-analyzer-optin.performance.Padding"


def check(build, source, deep):
    # GCC's options of link-time optimisation stand in the database too.
    command = ["clang-tidy", "--quiet", "--extra-arg=-Wno-ignored-optimization-argument", "-p", build]
    if source.endswith(LIGHT):
        command.append(f"--checks={LIGHT_CHECKS}")
    elif deep:
        command.append(f"--checks={DEEP_CHECKS}")
    done = subprocess.run([*command, source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # "N warnings generated" is about what was suppressed in other people's headers.
    errors = [line for line in done.stderr.splitlines() if "warnings generated" not in line and
              "warning generated" not in line]
    return done.returncode, done.stdout + "\n".join(errors)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--deep", action="store_true")
    parser.add_argument("database")
    parser.add_argument("only", nargs="*")
    arguments = parser.parse_intermixed_args()
    with open(arguments.database, encoding="utf-8") as file:
        sources = {os.path.normpath(os.path.join(entry["directory"], entry["file"])) for entry in json.load(file)}
    root = os.getcwd() + os.sep
    sources = sorted(source for source in sources
                     if source.startswith(root) and source.endswith((".cc", ".c")) and "/generated/" not in source
                     and os.path.exists(source)
                     and not source.startswith(root + "build")
                     and (not arguments.only or any(part in source for part in arguments.only))
                     and (arguments.tests or arguments.only or not source.endswith(LIGHT)))
    # The longest first, so that no core waits for the other at the end.
    sources.sort(key=os.path.getsize, reverse=True)
    start, failed = time.monotonic(), 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        checks = {pool.submit(check, os.path.dirname(arguments.database), source, arguments.deep): source for source in sources}
        for number, done in enumerate(as_completed(checks), 1):
            code, text = done.result()
            print(f"lint: {number}/{len(sources)} {checks[done].removeprefix(root)}", file=sys.stderr, flush=True)
            if code != 0:
                failed += 1
                print(text, flush=True)
    print(f"lint: {len(sources) - failed} files passed, {failed} failed in {time.monotonic() - start:.0f} s",
          file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
