"""The timeline of the demo's page: a few milliseconds of a recorded trace under each policy. Standard library alone.

A *cut* is {"policy", "span_ms", "requests": [(start, end)], "serve" and "train": [(start, end, name, is a fill, was
measured)]}; times in ms from the start of the cut."""

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
                 ("training kernels", "key-train"), ("of them, fills", "key-fill"))]
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
            start, end, name, is_fill, _ = kernel
            parts.append(rect(left + start * scale, y, (end - start) * scale - 0.5, lane,
                              "bar-fill" if is_fill else f"bar-{kind}",
                              f"{name}: {1000 * (end - start):.0f} µs"))
    return parts


def caption(cuts):
    kernels = [kernel for cut in cuts for kind in ("serve", "train") for kernel in cut[kind]]
    measured = sum(kernel[4] for kernel in kernels) / max(1, len(kernels))
    words = ("Cut from a recording of a run under each policy, around a request of usual length and usual fills. Hover over a kernel for its "
             "name and length. ")
    if measured >= 0.995:
        return escape(words + "All of these kernels were timed on the device.")
    return escape(words + f"{100 * measured:.0f}\u00a0% of these kernels were timed on the device; the others stand where "
                  "Mortar predicted them.")


def read_trace(path):
    """The complete events of a Chrome JSON trace, gzipped or not, by (client, category), ascending: a client is named by
    the first word of its process's name; of an event's categories the first one counts."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    names = {event["pid"]: event["args"]["name"].split(" ")[0] for event in events
             if event["ph"] == "M" and event["name"] == "process_name"}
    found = {}
    for event in sorted((event for event in events if event["ph"] == "X"), key=lambda event: event["ts"]):
        found.setdefault((names.get(event["pid"], ""), event["cat"].split(",")[0]), []).append(event)
    return found


def find_requests(events):
    """(start, end) in microseconds of each request of the client serve: from the first submit after a wait to the end of
    the wait that brings the answer. (A trace's own requests begin where the last one ended: they include idle time.)"""
    submits = [event["ts"] - event["args"].get("submitted_before_us", 0) for event in events.get(("serve", "kernel"), [])]
    requests, i = [], 0
    for wait in events.get(("serve", "wait"), []):
        end = wait["ts"] + wait["dur"]
        mine = []
        while i < len(submits) and submits[i] < end:
            mine.append(submits[i])
            i += 1
        if len(mine) > 3:  # not a stray wait
            requests.append((min(mine), end))
    return requests


def typical_of(requests, fills):
    """Of the middle half by length, the request during which the other program had the median of device time: now and then
    one runs without fills, as a control, and that one would show nothing."""
    by_length = sorted(requests, key=lambda request: request[1] - request[0])
    middle = by_length[len(by_length) // 4:max(3 * len(by_length) // 4, len(by_length) // 4 + 1)]

    def filled(request):
        return sum(max(0.0, min(event["ts"] + event["dur"], request[1]) - max(event["ts"], request[0])) for event in fills)

    return sorted(middle, key=filled)[len(middle) // 2]


def cut_trace(path, policy, span_ms=9.0):
    """A typical request among those late in the recording, and what both programs ran on the device around it; None where
    the trace has no request."""
    events = read_trace(path)
    requests = find_requests(events)
    requests = requests[len(requests) // 3:]  # the first ones are still being learned
    if not requests:
        return None
    typical = typical_of(requests, events.get(("train", "kernel"), []))
    zero, span_us = typical[0] - 400.0, 1000.0 * span_ms

    def clip(start, end):
        return max(0.0, start - zero) / 1000, min(end - zero, span_us) / 1000

    def kernels(client):
        return [(*clip(event["ts"], event["ts"] + event["dur"]), event["name"].removeprefix("fill: "),
                 bool(event["args"].get("fill")), event["args"].get("time") == "measured")
                for event in events.get((client, "kernel"), [])
                if event["ts"] + event["dur"] > zero and event["ts"] < zero + span_us]

    return {"policy": policy, "span_ms": span_ms, "serve": kernels("serve"), "train": kernels("train"),
            "requests": [clip(*request) for request in requests if request[1] > zero and request[0] < zero + span_us]}
