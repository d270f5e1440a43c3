"""Runs the example programs on whatever OpenCL device there is. Usage: examples_test.py CASE DIRECTORY_OF_PROGRAMS

Exit code 77 (skipped, for CTest) where there is no OpenCL device."""

import json
import os
import signal
import subprocess
import sys

NO_DEVICE = 77


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode == NO_DEVICE:
        print("skipped: no OpenCL device")
        sys.exit(NO_DEVICE)
    return done


def report(*command):
    done = run(*command)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}"
    return json.loads(done.stdout)


def serve_answers_right(programs):
    got = report(f"{programs}/serve", "--requests", "100", "--rate", "400", "--host-us", "0", "--json", "--list")
    assert got["wrong"] == 0, got
    assert got["requests"] == 100 and len(got["latencies_ms"]) == 100, got
    assert got["accuracy"] >= 0.85, f"reads only {got['accuracy']:.0%} of the digits; guessing reads 10 %"
    assert 0 < got["median_ms"] <= got["p99_ms"] <= got["max_ms"], got


def serve_plans_periodic_arrivals(programs):
    got = report(f"{programs}/serve", "--requests", "10", "--rate", "100", "--arrivals", "periodic", "--json")
    # The tenth request is planned at 10 / 100 s and cannot be answered before.
    assert got["seconds"] >= 0.1, got


def train_loss_falls(programs):
    got = report(f"{programs}/train", "--steps", "600", "--json")
    assert got["steps"] == 600, got
    assert got["first_loss"] > 2.0, "an untrained network of ten classes starts near ln 10 = 2.30"
    assert got["last_loss"] < 0.5, got


def train_stops_on_sigterm(programs):
    job = subprocess.Popen([f"{programs}/train", "--seconds", "600", "--json"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    for line in job.stderr:
        if "step" in line:
            break
    job.send_signal(signal.SIGTERM)
    out, _ = job.communicate(timeout=60)
    if job.returncode == NO_DEVICE:
        sys.exit(NO_DEVICE)
    assert job.returncode == 0, job.returncode
    assert json.loads(out)["steps"] > 0, out


def bad_usage_is_refused(programs):
    for command in (["serve", "--rate", "-1"], ["serve", "--arrivals", "never"], ["train", "--batch", "0"],
                    ["train", "--no-such-flag"]):
        done = subprocess.run([f"{programs}/{command[0]}", *command[1:]], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, (command, done.returncode)
        assert command[1] in done.stderr, (command, done.stderr)


def unknown_device_is_named(programs):
    done = subprocess.run([f"{programs}/serve", "--device", "no such device"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == NO_DEVICE, done.returncode
    assert "no such device" in done.stderr, done.stderr


CASES = [serve_answers_right, serve_plans_periodic_arrivals, train_loss_falls, train_stops_on_sigterm,
         bad_usage_is_refused, unknown_device_is_named]

if __name__ == "__main__":
    for case in CASES:
        if case.__name__ == sys.argv[1]:
            case(os.path.abspath(sys.argv[2]))
            sys.exit(0)
    sys.exit(f"no case {sys.argv[1]}; there are: {', '.join(case.__name__ for case in CASES)}")
