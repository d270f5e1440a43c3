#!/usr/bin/env python3
"""Checks the board's protocol with spin: every model holds, and every bug planted in it is found.

usage: check.py [MODEL.pml …]
Each model's header names what it claims and its planted bugs (lines "BUG_NAME  what it does"). Needs spin and a C
compiler. Ends with 1 if a claim fails, a bug is not found, or a search is not exhaustive.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ["wake.pml", "claim.pml", "slot.pml"]


class Failed(Exception):
    pass


def run(command, directory):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def search(model, bug, directory, liveness):
    """Errors found, states stored. Safety: assertions and invalid ends; liveness: the model's LTL under weak fairness."""
    define = [f"-D{bug}"] if bug else []
    run(["spin", "-a"] + define + [model], directory)
    compile_for = ["-DNFAIR=4"] if liveness else ["-DSAFETY", "-DNOCLAIM"]
    run(["cc", "-O1", "-w", "-DVECTORSZ=2048", "-DMEMLIM=2048"] + compile_for + ["-o", "pan", "pan.c"], directory)
    out = run(["./pan", "-m1000000"] + (["-a", "-f"] if liveness else ["-E"]), directory)
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if errors is None or states is None:
        raise Failed(f"{os.path.basename(model)}: cannot read what spin printed:\n{out}")
    if errors[1] == "0" and ("max search depth too small" in out or "Search not completed" in out):
        raise Failed(f"{os.path.basename(model)}: the search is not exhaustive:\n{out}")
    return int(errors[1]), int(states[1])


def check(model):
    name = os.path.basename(model)
    with open(model, encoding="utf-8") as file:
        bugs = re.findall(r"^ \*   (BUG_\w+)", file.read(), re.MULTILINE)
    if not bugs:
        raise Failed(f"{name} names no planted bug")
    with tempfile.TemporaryDirectory() as directory:
        for liveness in (False, True):
            errors, states = search(model, None, directory, liveness)
            what = "liveness" if liveness else "safety"
            if errors != 0:
                raise Failed(f"{name}: {what} does not hold")
            print(f"{name}: {what} holds, {states} states", flush=True)
        for bug in bugs:
            found = next((kind for kind in (False, True) if search(model, bug, directory, kind)[0] > 0), None)
            if found is None:
                raise Failed(f"{name}: {bug} is not found")
            print(f"{name}: {bug} found by {'liveness' if found else 'safety'}", flush=True)


def main():
    models = sys.argv[1:] or [os.path.join(HERE, model) for model in MODELS]
    try:
        for model in models:
            check(os.path.abspath(model))
    except (Failed, OSError) as problem:
        print(f"check.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
