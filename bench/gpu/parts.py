"""The parts of bench/gpu/run.sh: each a function (machine, options) → {"rows": [...], "skipped": [...]}; under nine minutes
each. Standard library alone."""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "opencl"))
import emulated_figures as figures  # noqa: E402
from machine import HERE, Failure, last_line, say, torch_says  # noqa: E402

POLICIES = ["share", "exclusive", "priority", "fikit", "fill"]
BUDGET_S = 450
SWITCH_US = 100  # until switch-cost was measured
SERVED = {"bert": ["bert"], "resnet50": ["resnet50"], "vit": ["vit"], "llm": ["llm"], "llm-graphs": ["llm", "--graphs"]}
TRAINED = ["resnet50", "transformer"]


def conformance(machine, _):
    """The semantics suite on this driver: bare, and under Mortar with every policy. Results are compared test by test."""
    suite = machine.program("cuda_conformance")
    if not os.path.exists(suite):
        return {"rows": [], "skipped": ["cuda_conformance was not built (libgtest-dev, libtomlplusplus-dev)"]}
    rows, wanted = [], None
    for policy in [None] + POLICIES:
        machine.new_board()
        env = machine.scheduled("conformance", 0) if policy else machine.bare()
        if machine.gpu is None:
            env["MORTAR_SIM_DEVICE"] = os.path.join(HERE, "..", "..", "tests", "cuda", "conformance", "conformance.toml")
        if policy:  # makes the board
            subprocess.run([machine.program("gpu_launch_cost"), "600"], env=env, capture_output=True, check=False)
            machine.set_policy(policy, SWITCH_US)
        done = subprocess.run([suite], env=env, capture_output=True, text=True, timeout=90, check=False)
        found = {name: verdict for verdict, name in
                 re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+)", done.stdout, re.MULTILINE)}
        wanted = wanted or found
        rows.append({"policy": policy or "without Mortar", "exit": done.returncode, "tests": len(found),
                     "failed": " ".join(name for name, verdict in found.items() if verdict == "FAILED"),
                     "same": found == wanted})
    return {"rows": rows, "skipped": []}


def launch_cost(machine, options):
    """cuLaunchKernel through the driver, through the shim passing on, and as holder."""
    rows, direct = [], None
    cases = [("driver", machine.bare), ("passing on", lambda: dict(machine.scheduled("holder", 0), MORTAR_DISABLE="1")),
             ("holder", lambda: machine.scheduled("holder", 0))]
    for repetition in range(options.repetitions):
        for name, env in cases:
            row = machine.run([machine.program("gpu_launch_cost")], env())
            direct = row if name == "driver" else direct
            row["added_launch_ns"] = row["launch_p50_ns"] - direct["launch_p50_ns"]
            row["added_launch_sync_ns"] = row["launch_sync_p50_ns"] - direct["launch_sync_p50_ns"]
            rows.append({"through": name, "repetition": repetition + 1, **row})
    return {"rows": rows, "skipped": []}


def switch_cost(machine, _):
    """What changing programs costs: `mortar calibrate`, without and with MPS."""
    if not machine.has_command:
        return {"rows": [], "skipped": ["the mortar command was not built (CMake's output names the libraries)"]}
    rows, skipped = [], []
    for with_mps in (False, True):
        if with_mps and not machine.start_mps():
            skipped.append("MPS: not there, or not startable by this user")
            continue
        machine.new_board()
        env = machine.bare()
        if machine.gpu is None:
            env["MORTAR_CUDA_DRIVER"] = machine.simulated_driver
        done = subprocess.run([machine.program("mortar"), "calibrate", "--json"], env=env, capture_output=True, text=True,
                              timeout=200, check=False)
        machine.stop_mps()
        if done.returncode != 0:
            skipped.append(f"calibrate: {last_line(done.stderr)}")
            continue
        answer = json.loads(done.stdout)
        if done.stderr.strip():
            skipped.append(f"calibrate: {last_line(done.stderr)}")
        for device in answer if isinstance(answer, list) else answer.get("devices", [answer]):
            rows.append({"mps": with_mps, **device})
    return {"rows": rows, "skipped": skipped}


def _figures(held, filler, alone, rate):
    window = [(held["request_start_ns"][0], held["end_ns"])]
    times = held["latency_ns"]
    return {"requests": len(times), "p50_ms": round(figures.quantile(times, 0.5) / 1e6, 3),
            "p99_ms": round(figures.quantile(times, 0.99) / 1e6, 3), "mean_ms": round(sum(times) / len(times) / 1e6, 3),
            "p50_x": round(figures.quantile(times, 0.5) / figures.quantile(alone, 0.5), 3),
            "p99_x": round(figures.quantile(times, 0.99) / figures.quantile(alone, 0.99), 3),
            "filler_vs_alone": round(figures.Progress(filler["progress"]).rate(window) / rate, 3) if rate else None}


def _pair(machine, holder, filler, began, names, skipped):
    """Alone, by the driver's own sharing, under MPS, and under each policy with and without MPS."""
    alone = machine.run(holder, machine.bare())["latency_ns"]
    rate = figures.Progress(machine.run(filler + ["--seconds", "6"], machine.bare())["progress"]).rate(None)
    rows = [{**names, "condition": "alone", "p50_ms": round(figures.quantile(alone, 0.5) / 1e6, 3),
             "p99_ms": round(figures.quantile(alone, 0.99) / 1e6, 3), "mean_ms": round(sum(alone) / len(alone) / 1e6, 3),
             "filler_per_s": round(rate, 1)}]
    conditions = [("time-slicing", None, False)] + [(policy, policy, False) for policy in POLICIES] + \
        [("MPS", None, True), ("fill, MPS", "fill", True), ("priority, MPS", "priority", True)]
    for condition, policy, with_mps in conditions:
        if time.monotonic() - began > BUDGET_S:
            skipped.append(f"{names}: {condition}: out of time")
            continue
        if with_mps and not machine.start_mps():
            skipped.append(f"{condition}: MPS is not there, or not startable by this user")
            continue
        say(f"{names}, {condition}")
        try:
            if policy == "fikit":
                machine.learn(holder, filler + ["--seconds", "3"])
            held, filled, busy = machine.together(holder, filler, policy, SWITCH_US if machine.gpu else 20)
            row = {**names, "condition": condition, **_figures(held, filled, alone, rate)}
            if busy is not None:
                row["gpu_busy"] = round(busy, 3)
            rows.append(row)
        except (Failure, KeyError, IndexError, ValueError) as error:
            skipped.append(f"{names}: {condition}: {error}")
        finally:
            machine.end_all()
            machine.stop_mps()
    return rows


def pairs(machine, options):
    """The two programs of bench/cuda (kernels of known length) as holder and filler."""
    program = machine.program("cuda_workload")
    rows, skipped, began = [], [], time.monotonic()
    for pattern in ("blocking", "async"):
        holder = [program, "--mode", pattern, "--requests", str(options.requests)]
        rows += _pair(machine, holder, [program, "--role", "filler"], began, {"holder": pattern, "filler": "kernels"},
                      skipped)
    return {"rows": rows, "skipped": skipped}


def _torch(role, *words):
    return [sys.executable, os.path.join(HERE, "torch_workload.py"), role, *words]


def pytorch(holder, trained):
    """Makes the part of one holder against one filler."""
    def part(machine, options):
        usable, why = torch_says()
        if machine.gpu is None or not usable:
            return {"rows": [], "skipped": [f"PyTorch: {why if machine.gpu else 'no GPU on this machine'}"]}
        skipped = []
        serve = _torch("serve", *SERVED[holder], "--seconds", str(options.seconds))
        rows = _pair(machine, serve, _torch("train", trained, "--seconds", "0"), time.monotonic(),
                     {"holder": holder, "filler": trained}, skipped)
        return {"rows": rows, "skipped": skipped}
    part.__doc__ = f"PyTorch: {holder} as holder against training of {trained}."
    return part


def traces(machine, options):
    """Kineto traces, without stacks, of every PyTorch program alone; and one timeline of the pair by Mortar."""
    folder = os.path.join(options.out, "timelines")
    os.makedirs(folder, exist_ok=True)
    rows, skipped = [], []
    usable, why = torch_says()
    if machine.gpu is None or not usable:
        skipped.append(f"Kineto traces: {why if machine.gpu else 'no GPU on this machine'}")
    else:
        for name, words in [(name, ("serve", *words)) for name, words in SERVED.items()] + \
                [(f"train-{name}", ("train", name)) for name in TRAINED]:
            path = os.path.join(folder, f"{name}.pt.trace.json.gz")
            try:
                machine.run(_torch(*words, "--seconds", "0.1", "--trace", path), machine.bare())
                rows.append({"trace": os.path.basename(path), "bytes": os.path.getsize(path)})
            except (Failure, OSError) as error:
                skipped.append(f"{name}: {error}")
    if not machine.has_command:
        return {"rows": rows, "skipped": skipped + ["timeline: the mortar command was not built"]}
    program = machine.program("cuda_workload")
    for pattern in ("blocking", "async"):
        path = os.path.join(folder, f"pair-{pattern}.json.gz")
        holder = [program, "--mode", pattern, "--requests", "50"]
        why = machine.record(path, lambda: machine.together(holder, [program, "--role", "filler"],  # pylint: disable=W0640
                                                            "fill", SWITCH_US if machine.gpu else 20))
        if why is None:
            rows.append({"trace": os.path.basename(path), "bytes": os.path.getsize(path)})
        else:
            skipped.append(f"timeline of {pattern}: {why}")
    return {"rows": rows, "skipped": skipped}


PARTS = {"conformance": conformance, "launch-cost": launch_cost, "switch-cost": switch_cost, "pairs": pairs,
         **{f"pytorch-{name}-{trained}": pytorch(name, trained) for name in SERVED for trained in TRAINED},
         "traces": traces}
