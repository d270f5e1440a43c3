"""Whose doing a blocking holder's slow requests are: of a recording of holder and filler, by `mortar trace record`, each
request's time over what its kernels and the host's work take is parted into what fills did and the rest. Pure."""

import bisect
import gzip
import json
import re

REST_BETWEEN_US = 1500  # the holder is away for longer than this between requests, and for less within one


def read(path):
    """(the holder's kernels [(submitted, length, waited until)], the filler's on the device [(begin, end)]), in us."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        trace = json.load(file)
    events = trace["traceEvents"] if isinstance(trace, dict) else trace
    role = {event["pid"]: event["args"]["name"].split()[0] for event in events if event["name"] == "process_name"}
    mine = [event for event in events if event["ph"] == "X" and role.get(event["pid"]) == "holder"]
    theirs = sorted((event["ts"], event["ts"] + event["dur"]) for event in events
                    if event["ph"] == "X" and role.get(event["pid"]) == "filler" and event["cat"].startswith("kernel"))
    waits = sorted(event["ts"] + event["dur"] for event in mine if event["cat"] == "wait")
    kernels = []
    for event in mine:
        length = re.search(r"(\d+)us", event["name"]) if event["cat"] == "kernel" else None
        if length is None:
            continue
        submitted = event["ts"] - event["args"].get("submitted_before_us", 0)
        at = bisect.bisect_left(waits, submitted)
        if at < len(waits):
            kernels.append((submitted, float(length.group(1)), waits[at]))
    return sorted(kernels), theirs


def requests(kernels, fills, warm_up):
    """Of each request (time, delay by fills, delay by anything else), in us."""
    begins = [begin for begin, _ in fills]
    late = sorted(until - submitted - length for submitted, length, until in kernels)
    usual = late[len(late) // 2]
    found, last = [], None
    for submitted, length, until in kernels:
        over = until - submitted - length - usual
        behind = bisect.bisect_right(begins, until)
        busy_until = max((end for _, end in fills[max(0, behind - 6):behind]), default=0)
        by_fills = max(0.0, min(over, busy_until - submitted)) if busy_until < until else 0.0
        if last is None or submitted - last > REST_BETWEEN_US:
            found.append([submitted, until, 0.0, 0.0])
        found[-1][1] = last = until
        found[-1][2] += by_fills
        found[-1][3] += over - by_fills
    return [(until - submitted, by_fills, other) for submitted, until, by_fills, other in found[warm_up:]]
