"""From the demo's runs to one row a policy, the table, and the results that the page is made from. Pure but for the
facts about the machine. Ratios are against alone in the same repetition; the table shows their medians over repetitions
(latencies: of all requests of a policy together)."""

import json
import os
import platform
import statistics
import subprocess
import time

REAL = ["Two unmodified OpenCL programs, their launches, waits and copies.",
        "Every result: a convolutional network’s answers, checked one by one, and a loss that falls.",
        "Mortar: the layer, the board, all decisions; wall-clock time; the host’s own work."]
EMULATED = ["The device’s speed. Results come from the processor (PoCL); each kernel ends at a modelled time from "
            "examples/tables/demo.txt, one kernel at a time across processes.",
            "No GPU was used. These figures say how the policies act, not how fast a GPU would be."]


def quantile(values, share):
    """Nearest rank: the smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def pick(runs, kind):
    return [run for run in runs if run["kind"] == kind]


def latencies(runs):
    return [value for run in runs for value in run["reports"]["serve"]["latencies_ms"]]


def span(values):
    return [min(values), max(values)]


def device_shares(runs):
    elapsed = sum(run["elapsed_s"] for run in runs) * 1e9
    shares = {name: sum(run["busy_ns"][name] for run in runs) / elapsed for name in ("serve", "train")}
    return {**shares, "idle": max(0.0, 1.0 - sum(shares.values()))}


def serve_figures(runs):
    values = latencies(runs)
    return {"latencies_ms": [round(value, 4) for value in values], "median_ms": statistics.median(values),
            "p99_ms": quantile(values, 0.99)}


def train_figures(runs):
    speeds = [run["reports"]["train"]["steps_per_s"] for run in runs]
    return {"steps_per_s": statistics.median(speeds), "range": span(speeds)}


def by_repetition(runs, alone, figure):
    """figure(run) / figure(alone run of the same repetition), in order."""
    base = {run["repetition"]: figure(run) for run in alone}
    return [figure(run) / base[run["repetition"]] for run in runs]


NOISY = 1.1  # chosen: by how much medians of the inference alone may differ; arrivals make them differ by some per cent


def noise(alone_serve):
    """Largest over smallest median of the inference alone, over the repetitions; and the verdict in words, or none."""
    medians = [statistics.median(run["reports"]["serve"]["latencies_ms"]) for run in alone_serve]
    spread = max(medians) / min(medians)
    words = ""
    if spread > NOISY:
        words = (f"Machine too noisy: the inference alone took {min(medians):.1f} to {max(medians):.1f} ms (medians of "
                 f"{len(medians)} repetitions). These figures say little; repeat on an idle machine.")
    return {"median_spread": spread, "words": words}


def harm(runs):
    """From `mortar status --json`, the figures of the client serve: means over repetitions, None where not known."""
    clients = [client for run in runs for client in (run["status"] or {}).get("clients", [])
               if client.get("name") == "serve"]
    modelled = [client["harm_modelled"] for client in clients if client.get("harm_modelled") is not None]
    measured = [client["harm_measured"] for client in clients if client.get("harm_measured") is not None]
    if not modelled and not measured:
        return None
    figures = {"modelled": statistics.mean(modelled) if modelled else None}
    if measured:
        figures.update(measured=statistics.mean(one["mean"] for one in measured),
                       low=statistics.mean(one["low"] for one in measured),
                       high=statistics.mean(one["high"] for one in measured))
    return figures


def policy_row(runs, policy, alone_serve, alone_train):
    mine = pick(runs, policy)
    serve, train = serve_figures(mine), train_figures(mine)
    everything_alone = serve_figures(alone_serve)

    def p99(run):
        return quantile(run["reports"]["serve"]["latencies_ms"], 0.99)

    def speed(run):
        return run["reports"]["train"]["steps_per_s"]

    serve.update(median_x=serve["median_ms"] / everything_alone["median_ms"],
                 p99_x=serve["p99_ms"] / everything_alone["p99_ms"],
                 p99_x_range=span(by_repetition(mine, alone_serve, p99)))
    ratios = by_repetition(mine, alone_train, speed)
    train.update(x=statistics.median(ratios), x_range=span(ratios))
    return {"policy": policy, "serve": serve, "train": train, "device": device_shares(mine), "harm": harm(mine)}


def machine():
    processor = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    return {"processor": processor, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}"}


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=os.path.dirname(os.path.abspath(__file__)), text=True, check=False)
    return done.stdout.strip() or "unknown"


def summarize(runs, cuts, arguments):
    alone_serve, alone_train = pick(runs, "serve"), pick(runs, "train")
    serve_device, train_device = device_shares(alone_serve), device_shares(alone_train)
    reports = [run["reports"] for run in runs]
    served = [report["serve"] for report in reports if "serve" in report]
    trained = [report["train"] for report in reports if "train" in report]
    rows = [policy_row(runs, policy, alone_serve, alone_train) for policy in arguments.policies]
    return {
        "alone": {"serve": serve_figures(alone_serve), "train": train_figures(alone_train),
                  "serve_idle": serve_device["idle"], "train_idle": train_device["idle"],
                  "device_rows": [{"policy": "infer. alone", "device": serve_device},
                                  {"policy": "train alone", "device": train_device}]},
        "noise": noise(alone_serve), "policies": rows, "cuts": cuts, "real": REAL, "emulated": EMULATED,
        "settings": {"rate": arguments.rate, "seconds": arguments.seconds, "repetitions": arguments.repetitions,
                     "requests": len(rows[0]["serve"]["latencies_ms"]), "max_slowdown": arguments.max_slowdown,
                     "host_us": arguments.host_us, "command": "./dev demo"},
        "device": f"emulated, over {served[0]['device']}", "machine": machine(), "commit": commit(),
        "made": time.strftime("%Y-%m-%d %H:%M"), "wrong": sum(one["wrong"] for one in served),
        "answers": sum(one["requests"] for one in served),
        "loss": f"{trained[0]['first_loss']:.2f} at first, at most {max(one['last_loss'] for one in trained):.2f} at last",
    }


def harm_words(figures):
    if figures is None:
        return "-", "-"
    modelled = "-" if figures["modelled"] is None else f"{100 * figures['modelled']:.1f} %"
    if "measured" not in figures:
        return modelled, "-"
    return modelled, f"{100 * figures['measured']:.1f} % ({100 * figures['low']:.1f} to {100 * figures['high']:.1f})"


def json_lines(results):
    lines = []
    for row in results["policies"]:
        figures = {key: value for key, value in row["serve"].items() if key != "latencies_ms"}
        lines.append(json.dumps({"scenario": "demo", "policy": row["policy"], **figures,
                                 "train_steps_per_s": row["train"]["steps_per_s"], "train_x": row["train"]["x"],
                                 "train_x_range": row["train"]["x_range"], "device_idle": row["device"]["idle"],
                                 "harm": row["harm"], "noisy": bool(results["noise"]["words"]),
                                 "device": results["device"]}))
    return "\n".join(lines)


def table(results, as_json):
    """The text for stdout: one table, or one JSON object a policy."""
    if as_json:
        return json_lines(results)
    alone, settings = results["alone"], results["settings"]
    head = ["policy", "inference median ms", "p99 ms", "training steps/s", "device idle", "harm modelled",
            "harm measured"]
    rows = [["alone", f"{alone['serve']['median_ms']:.2f}", f"{alone['serve']['p99_ms']:.2f}",
             f"{alone['train']['steps_per_s']:.1f}",
             f"{100 * alone['serve_idle']:.0f} | {100 * alone['train_idle']:.0f} %", "-", "-"]]
    for row in results["policies"]:
        serve, train = row["serve"], row["train"]
        rows.append([row["policy"], f"{serve['median_ms']:.2f} ({serve['median_x']:.2f}x)",
                     f"{serve['p99_ms']:.2f} ({serve['p99_x']:.2f}x)",
                     f"{train['steps_per_s']:.1f} ({train['x']:.2f}x)", f"{100 * row['device']['idle']:.0f} %",
                     *harm_words(row["harm"])])
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths))) for row in [head, *rows]]
    lines.insert(1, "-" * len(lines[0]))
    notes = [f"x: against alone, in the same repetitions ({settings['repetitions']} of {settings['seconds']:g} s each, "
             f"{settings['requests']} requests a policy). Idle of alone: inference | training.",
             f"Answers: {results['wrong']} wrong of {results['answers']}. Training loss: {results['loss']}.",
             results.get("note", "EMULATED DEVICE: programs and results are real (PoCL); kernels end at modelled times, one "
                         "at a time.")]
    if results["noise"]["words"]:
        notes.insert(0, results["noise"]["words"].upper())
    return "\n".join([*lines, "", *notes])
