"""The plots of the demo's page: functions from the demo's results to SVG text. Pure; the standard library alone.

Every plot is drawn for a width in CSS pixels and shown unscaled, so that text keeps its size on a phone: the page holds
each plot twice, for a wide and a narrow window (report.py). Colours are classes, defined once in the page."""

import math

# Policies as the page names them, in the order in which it shows them.
ORDER = ["share", "exclusive", "priority", "fikit", "fill"]


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def text(x, y, words, classes="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, classes):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{classes}"/>'


def rect(x, y, width, height, classes, title=""):
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (f'<rect x="{x:.2f}" y="{y:.1f}" width="{max(width, 0.1):.2f}" height="{height:.1f}" '
            f'class="{classes}">{inner}</rect>')


def key(x, y, *entries):
    """A legend in one line; `entries` are (words, class)."""
    spans = "".join(f'<tspan class="{classes}"{" dx=" + chr(34) + "14" + chr(34) if i else ""}>{escape(words)}</tspan>'
                    for i, (words, classes) in enumerate(entries))
    return f'<text x="{x:.1f}" y="{y:.1f}">{spans}</text>'


def svg(width, height, parts, label):
    return (f'<svg width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}" role="img" '
            f'aria-label="{escape(label)}">{"".join(parts)}</svg>')


def nice_step(span, count):
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into about `count` parts."""
    raw = span / count
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def log_ticks(low, high):
    """1, 2 and 5 times powers of ten from `low` to `high`."""
    ticks = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        ticks += [factor * 10 ** power for factor in (1, 2, 5) if low <= factor * 10 ** power <= high]
    return ticks


def place_labels(points, words, width, high):
    """For each (x, y) where its label begins or ends: a little above the point, elsewhere where that would meet another.

    Returns (x, y, anchor) a label; 7.6 px a letter is measured, generously."""
    placed, boxes = [], []
    for (x, y), word in zip(points, words):
        size = 7.6 * len(word)
        options = []
        for height in (y - 9, y + 18, y - 25, y + 34):
            options += [(x + 5, height, "start"), (x - 5, height, "end")]
        def box(option):
            left = option[0] if option[2] == "start" else option[0] - size
            return left, option[1] - 12, left + size, option[1] + 3
        def free(option):
            left, top, right, bottom = box(option)
            return right < width and bottom < high and all(
                right < other[0] or left > other[2] or bottom < other[1] or top > other[3] for other in boxes)
        chosen = next((option for option in options if free(option)), options[0])
        placed.append(chosen)
        boxes += [box(chosen), (x - 6, y - 6, x + 6, y + 6)]
    return placed


def trade_off(rows, width):
    """Each policy as a point: what it costs the inference, what it leaves to the training.

    `rows`: policies with serve.p99_x, serve.p99_x_range, train.x and train.x_range."""
    narrow = width < 500
    height, left, right, top, bottom = (330 if narrow else 380), 46, 16, 26, 46
    high_x = max(2.0, max(row["serve"]["p99_x_range"][1] for row in rows) * 1.15)
    low_x = min(0.9, min(row["serve"]["p99_x_range"][0] for row in rows) * 0.97)
    high_y = 1.08

    def at_x(value):
        return left + (width - left - right) * math.log(value / low_x) / math.log(high_x / low_x)

    def at_y(value):
        return top + (height - top - bottom) * (1 - value / high_y)

    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = at_y(percent / 100)
        parts += [line(left, y, width - right, y, "axis" if percent == 0 else "grid"),
                  text(left - 6, y + 4, f"{percent} %", "tick", "end")]
    candidates = [1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500]
    last = -100.0
    for value in (tick for tick in candidates if low_x <= tick <= high_x):
        x = at_x(value)
        if x - last < 34:
            continue
        last = x
        parts += [line(x, top, x, height - bottom, "mark" if value == 1 else "grid"),
                  text(x, height - bottom + 17, f"{value:g}×", "tick", "middle")]
    parts += [text(left, height - 8, "inference p99 against alone →" if narrow else
                   "inference p99 latency against alone (logarithmic) →", "label"),
              text(left - 36, 12, "↑ training speed against alone", "label"),
              text(at_x(1) + 7, at_y(1) - 5, "both as if alone", "note"),
              f'<circle cx="{at_x(1):.1f}" cy="{at_y(1):.1f}" r="5.5" class="ideal"/>']
    xs = [at_x(row["serve"]["p99_x"]) for row in rows]
    ys = [at_y(row["train"]["x"]) for row in rows]
    labels = place_labels(list(zip(xs, ys)), [row["policy"] for row in rows], width, height - bottom)
    for row, x, y, (label_x, label_y, anchor) in zip(rows, xs, ys, labels):
        strong = "fill-policy" if row["policy"] == "fill" else ""
        low, high = row["serve"]["p99_x_range"]
        low_train, high_train = row["train"]["x_range"]
        parts += [line(at_x(low), y, at_x(high), y, f"whisker {strong}"),
                  line(x, at_y(low_train), x, at_y(high_train), f"whisker {strong}"),
                  f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" class="dot {strong}"/>']
        parts.append(text(label_x, label_y, row["policy"], f"name {strong}", anchor))
    return svg(width, height, parts, "Training speed against inference tail latency, one point a policy")


def density(values, low, high, bins):
    """Share of `values` in each of `bins` bins, equal on a logarithmic axis, lightly smoothed."""
    counts = [0.0] * bins
    for value in values:
        place = int(bins * math.log(max(value, low) / low) / math.log(high / low))
        counts[min(max(place, 0), bins - 1)] += 1.0 / len(values)
    padded = [counts[0], *counts, counts[-1]]
    return [(padded[i] + 2 * padded[i + 1] + padded[i + 2]) / 4 for i in range(bins)]


def distributions(rows, width):
    """Latency distributions, one ridge a row, on one logarithmic axis. `rows`: alone first."""
    narrow = width < 500
    left, right, top, step, bottom = (76 if narrow else 84), 12, 30, (58 if narrow else 60), 40
    height = top + step * len(rows) + bottom
    values = [value for row in rows for value in row["serve"]["latencies_ms"]]
    low, high = min(values) * 0.9, max(values) * 1.1

    def at_x(value):
        return left + (width - left - right) * math.log(value / low) / math.log(high / low)

    floor = top + step * len(rows)
    parts = []
    last = -100.0
    for tick in log_ticks(low, high):
        x = at_x(tick)
        parts.append(line(x, top - 6, x, floor, "grid"))
        if x - last >= 30:
            parts.append(text(x, floor + 17, f"{tick:g}", "tick", "middle"))
            last = x
    alone = rows[0]["serve"]
    for value, words in ((alone["median_ms"], "median alone"), (alone["p99_ms"], "p99 alone")):
        parts.append(line(at_x(value), top - 10, at_x(value), floor, "mark"))
    apart = at_x(alone["p99_ms"]) - at_x(alone["median_ms"]) > 90
    parts.append(text(at_x(alone["median_ms"]) + (0 if apart else -4), top - 14, "median alone", "note",
                      "middle" if apart else "end"))
    parts.append(text(at_x(alone["p99_ms"]) + (0 if apart else 4), top - 14, "p99 alone", "note",
                      "middle" if apart else "start"))
    bins = 90 if narrow else 160
    shapes = [density(row["serve"]["latencies_ms"], low, high, bins) for row in rows]
    tallest = max(max(shape) for shape in shapes)
    for i, (row, shape) in enumerate(zip(rows, shapes)):
        parts += ridge(row, shape, tallest, top + step * (i + 1), step, left, width - right, at_x)
    parts.append(text(left, height - 6, "latency, ms (logarithmic) →" if narrow else
                      "latency from planned arrival to answer, ms (logarithmic) →", "label"))
    return svg(width, height, parts, "Distribution of inference latency under each policy")


def ridge(row, shape, tallest, base, step, left, end, at_x):
    """One row of `distributions`: its outline over the line at `base`, its median and its p99."""
    strong = " fill-policy" if row["policy"] == "fill" else ""
    width = (end - left) / len(shape)
    # Square root: a tail of a few per cent stays visible beside the peak (the caption says so).
    points = [(left + width * (i + 0.5), base - 0.72 * step * math.sqrt(share / tallest))
              for i, share in enumerate(shape)]
    path = f"M{left:.1f},{base:.1f} " + " ".join(f"L{x:.1f},{y:.1f}" for x, y in points) + f" L{end:.1f},{base:.1f}Z"
    serve = row["serve"]
    tail = at_x(serve["p99_ms"])
    flip = tail > end - 60
    return [f'<path d="{path}" class="ridge{strong}"/>', line(left, base, end, base, "axis"),
            text(left - 8, base - 5, row["policy"], f"name{strong}", "end"),
            line(at_x(serve["median_ms"]), base, at_x(serve["median_ms"]), base - 14, "tick-median"),
            f'<circle cx="{tail:.1f}" cy="{base - 4:.1f}" r="3.5" class="dot{strong}"/>',
            text(tail + (-7 if flip else 7), base - 9, f"p99 {serve['p99_ms']:.1f}", "value", "end" if flip else "start")]


def device_time(rows, width):
    """Where the device's time went: inference, training, idle, as shares of the run. `rows`: the two alone first."""
    narrow = width < 500
    left, right, top, step = (92 if narrow else 112), 6, 22, 30
    height = top + step * len(rows) + 26
    span = width - left - right
    parts = []
    for percent in (0, 25, 50, 75, 100):
        x = left + span * percent / 100
        parts += [line(x, top - 4, x, height - 24, "grid"),
                  text(x, height - 8, f"{percent} %", "tick", "end" if percent == 100 else "middle")]
    for i, row in enumerate(rows):
        y = top + step * i
        strong = " fill-policy" if row["policy"] == "fill" else ""
        parts.append(text(left - 8, y + 16, row["policy"], f"name{strong}", "end"))
        x = float(left)
        for kind, word in (("serve", "inference"), ("train", "training"), ("idle", "idle")):
            share = row["device"][kind]
            size = span * share
            parts.append(rect(x, y + 2, size, step - 9, f"bar-{kind}", f"{row['policy']}: {word} {share:.1%}"))
            if size > 34:
                parts.append(text(x + size / 2, y + 16.5, f"{100 * share:.0f}", f"inside-{kind}", "middle"))
            x += size
    first = rows[0]
    parts.append(key(left, 10, ("inference", "key-serve"), ("training", "key-train"), ("idle", "key-idle")))
    return svg(width, height, parts, f"Shares of the device's time, {first['policy']} to {rows[-1]['policy']}")


def training_bars(rows, width):
    """Training speed under each policy, with the span over the repetitions. `rows`: alone first."""
    narrow = width < 500
    left, right, top, step = (92 if narrow else 112), (72 if narrow else 96), 8, 30
    height = top + step * len(rows) + 26
    span = width - left - right
    high = max(row["train"]["range"][1] for row in rows)
    parts = []
    step_value = nice_step(high, 4 if narrow else 6)
    for i in range(int(high / step_value) + 1):
        x = left + span * i * step_value / high
        parts += [line(x, top - 4, x, height - 24, "grid"), text(x, height - 8, f"{i * step_value:g}", "tick", "middle")]
    for i, row in enumerate(rows):
        y = top + step * i
        train = row["train"]
        strong = " fill-policy" if row["policy"] == "fill" else ""
        low, top_value = train["range"]
        parts += [text(left - 8, y + 16, row["policy"], f"name{strong}", "end"),
                  rect(left, y + 2, span * train["steps_per_s"] / high, step - 9, "bar-train",
                       f"{row['policy']}: {train['steps_per_s']:.1f} steps/s"),
                  line(left + span * low / high, y + 11.5, left + span * top_value / high, y + 11.5, "whisker on-bar"),
                  text(left + span * top_value / high + 7, y + 16,
                       f"{train['steps_per_s']:.0f}" + (f" · {train['x']:.2f}×" if row["policy"] != "alone" else ""),
                       f"value{strong}")]
    return svg(width, height, parts, "Training steps a second under each policy")
