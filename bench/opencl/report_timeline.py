"""The timeline of the demo's page: a few milliseconds of a recorded trace under each policy. Standard library alone.

A *cut* is {"policy", "span_ms", "requests": [(start, end)], "serve": [(start, end, name)], "train": [(start, end, name,
is_fill)]}; times in ms from the start of the cut."""

import gzip
import json

from report_plots import escape, key, line, nice_step, rect, svg, text


def timeline(cuts, width):
    """One block a policy, all on one scale: requests as brackets, the inference's kernels, the training's kernels."""
    narrow = width < 500
    left, right, lane, block = (6 if narrow else 92), 8, 16, (96 if narrow else 78)
    span = max(cut["span_ms"] for cut in cuts)
    scale = (width - left - right) / span
    parts = [key(left, 11, ("request", "key-request"), ("inference kernels", "key-serve"),
                 ("training kernels", "key-train"))]
    floor = 22 + block * len(cuts)
    step = nice_step(span, 4 if narrow else 8)
    for i in range(int(span / step) + 1):
        x = left + i * step * scale
        parts += [line(x, 22, x, floor, "grid"), text(x, floor + 16, f"{i * step:g}", "tick", "middle" if i else "start")]
    for i, cut in enumerate(cuts):
        parts += block_of(cut, 22 + block * i + (18 if narrow else 4), left, scale, lane, narrow)
    parts.append(text(left, floor + 34, "ms, recorded; all rows to one scale →", "label"))
    return svg(width, floor + 42, parts, "Recorded kernels of both programs under each policy")


def block_of(cut, top, left, scale, lane, narrow):
    strong = " fill-policy" if cut["policy"] == "fill" else ""
    parts = [text(left if narrow else left - 10, top - 3 if narrow else top + 28, cut["policy"], f"name{strong}",
                  "start" if narrow else "end")]
    for start, end in cut["requests"]:
        x1, x2 = left + start * scale, left + end * scale
        y = top + 8
        parts.append(f'<path d="M{x1:.1f},{y + 4:.1f} V{y:.1f} H{x2:.1f} V{y + 4:.1f}" class="bracket"/>')
        if x2 - x1 > 44:
            parts.append(f'<rect x="{(x1 + x2) / 2 - 24:.1f}" y="{y - 7:.1f}" width="48" height="13" class="paper"/>')
            parts.append(text((x1 + x2) / 2, y + 4, f"{end - start:.1f} ms", "value small", "middle"))
    for row, kind in enumerate(("serve", "train")):
        y = top + 18 + row * (lane + 4)
        parts.append(line(left, y + lane, left + cut["span_ms"] * scale, y + lane, "axis"))
        for kernel in cut[kind]:
            start, end, name = kernel[:3]
            classes = f"bar-{kind}" + (" is-fill" if len(kernel) > 3 and kernel[3] else "")
            parts.append(rect(left + start * scale, y, (end - start) * scale - 0.4, lane, classes,
                              f"{name}: {1000 * (end - start):.0f} µs"))
    return parts


def caption(cuts):
    fills = any(len(kernel) > 3 and kernel[3] for cut in cuts for kernel in cut["train"])
    words = ("Each row is cut from a recording of the run under that policy and begins with a request. "
             "Hover over a kernel for its name and length.")
    return escape(words + (" Outlined kernels are fills." if fills else ""))


def read_trace(path):
    """The complete events of a Chrome JSON trace, gzipped or not, each with its process's name as "client"."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        trace = json.load(file)
    events = trace["traceEvents"] if isinstance(trace, dict) else trace
    names = {event["pid"]: event["args"]["name"] for event in events
             if event.get("ph") == "M" and event.get("name") == "process_name"}
    return [dict(event, client=names.get(event["pid"], "")) for event in events if event.get("ph") == "X"]


def cut_trace(path, policy, span_ms=9.0):
    """A typical request of the client serve (the one of median length among those late in the recording), and what both
    programs ran on the device around it; None where the trace has no such request."""
    events = read_trace(path)

    def of(client, category):
        return sorted((event for event in events if event["client"].startswith(client) and event.get("cat") == category),
                      key=lambda event: event["ts"])

    requests = of("serve", "request")
    requests = requests[len(requests) // 3:]  # the first ones are still being learned
    if not requests:
        return None
    typical = sorted(requests, key=lambda event: event["dur"])[len(requests) // 2]
    begin_us, span_us = typical["ts"] - 300.0, 1000.0 * span_ms

    def inside(client, category):
        for event in of(client, category):
            start, end = event["ts"] - begin_us, event["ts"] + event["dur"] - begin_us
            if end > 0 and start < span_us:
                yield max(0.0, start) / 1000, min(end, span_us) / 1000, event

    kernels = {client: [(start, end, event["name"], bool(event.get("args", {}).get("fill")))
                        for start, end, event in inside(client, "kernel")] for client in ("serve", "train")}
    return {"policy": policy, "span_ms": span_ms, "serve": [kernel[:3] for kernel in kernels["serve"]],
            "train": kernels["train"], "requests": [(start, end) for start, end, _ in inside("serve", "request")]}
