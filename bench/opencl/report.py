"""The demo's page: one self-contained HTML file with inline SVG, no script and no external resource.

Usage by itself, from the results that a demo left:
  report.py results.json > page.html
  report.py results.json --timeline share,fill > timeline.svg    (a picture for a document)"""

import json
import sys

import report_plots as plots
import report_timeline

WIDE, NARROW = 760, 330

STYLE = """
:root { color-scheme: light dark;
  --paper: #fcfbf9; --ink: #1d1d22; --quiet: #63636e; --faint: #dcdad4; --rule: #8d8c94;
  --serve: #1f6fb5; --train: #d98324; --train-ink: #9a5609; --fill: #8f3b76; --idle: #e4e2dc; --accent: #b0185a; --ridge: #b9c9da;
  --card: #f4f2ed; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16171b; --ink: #ecebe7; --quiet: #a2a2ad; --faint: #32343c; --rule: #74757f;
  --serve: #5aa6e6; --train: #e39a45; --train-ink: #efb676; --fill: #d98bc4; --idle: #2c2e36; --accent: #ff7fb0; --ridge: #3c5068;
  --card: #1f2127; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 2.2rem 20px 4rem; }
header p.kicker { margin: 0; color: var(--quiet); font-size: .84rem; letter-spacing: .02em; }
h1 { font-size: clamp(1.55rem, 4.6vw, 2.3rem); line-height: 1.18; margin: .3rem 0 .9rem; letter-spacing: -.015em;
  text-wrap: balance; }
h2 { font-size: 1.18rem; margin: 2.9rem 0 .25rem; letter-spacing: -.005em; }
p { margin: .35rem 0 .8rem; max-width: 66ch; }
.lead { font-size: 1.06rem; }
.warning { border-left: 4px solid var(--accent); padding: .2rem 0 .2rem .9rem; font-weight: 600; }
.caption { color: var(--quiet); font-size: .9rem; }
.what { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.6rem; background: var(--card); border-radius: 8px;
  padding: .8rem 1.1rem; margin: 1.2rem 0; font-size: .92rem; }
.what b { display: block; font-size: .84rem; color: var(--quiet); font-weight: 600; }
.what p { margin: .15rem 0 .4rem; }
@media (max-width: 620px) { .what { grid-template-columns: 1fr; } main { padding: 1.4rem 14px 3rem; }
  table { font-size: .86rem; } th, td { padding-left: 9px; } td small { display: block; } th { hyphens: auto; } }
.scroll { overflow-x: auto; margin: .6rem -4px 0; padding: 0 4px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th { font-weight: 600; color: var(--quiet); text-align: right; vertical-align: bottom; padding: 2px 0 6px 16px;
  font-size: .82rem; line-height: 1.3; }
td { text-align: right; padding: 6px 0 6px 16px; border-top: 1px solid var(--faint); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead tr:last-child th { border-bottom: 1px solid var(--rule); }
td small { color: var(--quiet); font-size: .86em; }
tr.fill-policy td { font-weight: 650; } tr.fill-policy td:first-child { color: var(--accent); }
figure { margin: .7rem 0 0; }
svg { display: block; max-width: 100%; font: 12.5px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink);
  font-variant-numeric: tabular-nums; }
.narrow { display: none; }
@media (max-width: 799px) { .wide { display: none; } .narrow { display: block; } }
.grid { stroke: var(--faint); stroke-width: 1; } .axis { stroke: var(--rule); stroke-width: 1; }
.mark { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 3 3; }
.tick, .note { fill: var(--quiet); font-size: 11.5px; } .label { fill: var(--quiet); font-size: 12px; }
.name { font-weight: 600; } .name.fill-policy { fill: var(--accent); } .value { font-size: 11.5px; } .small { font-size: 11px; }
.ideal { fill: none; stroke: var(--quiet); stroke-width: 1.4; }
.dot { fill: var(--ink); } .dot.fill-policy { fill: var(--accent); }
.whisker { stroke: var(--ink); stroke-width: 1.3; opacity: .55; } .whisker.fill-policy { stroke: var(--accent); }
.whisker.on-bar { stroke: var(--ink); opacity: .8; }
.ridge { fill: var(--ridge); stroke: none; } .ridge.fill-policy { fill: var(--accent); fill-opacity: .38; }
.tick-median { stroke: var(--ink); stroke-width: 2; }
.bar-serve { fill: var(--serve); } .bar-train { fill: var(--train); } .bar-idle { fill: var(--idle); }
.bar-fill { fill: var(--fill); } .key-fill { fill: var(--fill); font-weight: 600; }
.inside-serve, .inside-train { fill: var(--paper); font-weight: 600; font-size: 11.5px; }
.inside-idle { fill: var(--quiet); font-size: 11.5px; }
.key-serve { fill: var(--serve); font-weight: 600; } .key-train { fill: var(--train-ink); font-weight: 600; }
.key-idle { fill: var(--quiet); font-weight: 600; } .key-request { fill: var(--ink); font-weight: 600; }
.bracket { fill: none; stroke: var(--ink); stroke-width: 1.2; } .paper { fill: var(--paper); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; background: var(--card); border-radius: 4px;
  padding: .08em .3em; overflow-wrap: anywhere; }
"""


def both(draw, *arguments):
    """A plot for wide and for narrow windows; the page shows one of them."""
    return (f'<figure><div class="wide">{draw(*arguments, WIDE)}</div>'
            f'<div class="narrow">{draw(*arguments, NARROW)}</div></figure>')


def percent(share, digits=1):
    return f"{100 * share:.{digits}f}\u00a0%"


def harm_cells(harm):
    """Modelled and measured slowdown as words, or a dash where the policy keeps no such account."""
    if harm is None:
        return "–", "–"
    modelled = "–" if harm.get("modelled") is None else percent(harm["modelled"])
    if harm.get("measured") is None:
        return modelled, "–"
    return modelled, f"{percent(harm['measured'])} ({100 * harm['low']:.1f} … {100 * harm['high']:.1f})"


HEAD = ("<thead><tr><th>policy</th><th>inference<br>median, ms</th><th>inference<br>p99, ms</th>"
        "<th>training,<br>steps/s</th><th>device<br>idle</th><th>harm,<br>modelled</th>"
        "<th>harm,<br>measured</th></tr></thead>")


def table(results):
    alone = results["alone"]
    rows = [f"<tr><td>alone</td><td>{alone['serve']['median_ms']:.2f}</td><td>{alone['serve']['p99_ms']:.2f}</td>"
            f"<td>{alone['train']['steps_per_s']:.1f}</td><td><small>{percent(alone['serve_idle'], 0)} | "
            f"{percent(alone['train_idle'], 0)}</small></td><td>–</td><td>–</td></tr>"]
    for row in results["policies"]:
        serve, train = row["serve"], row["train"]
        modelled, measured = harm_cells(row["harm"])
        strong = ' class="fill-policy"' if row["policy"] == "fill" else ""
        rows.append(f"<tr{strong}><td>{row['policy']}</td>"
                    f"<td>{serve['median_ms']:.2f} <small>{serve['median_x']:.2f}×</small></td>"
                    f"<td>{serve['p99_ms']:.2f} <small>{serve['p99_x']:.2f}×</small></td>"
                    f"<td>{train['steps_per_s']:.1f} <small>{train['x']:.2f}×</small></td>"
                    f"<td>{percent(row['device']['idle'], 0)}</td><td>{modelled}</td><td>{measured}</td></tr>")
    return f'<div class="scroll"><table>{HEAD}<tbody>{"".join(rows)}</tbody></table></div>'


def find(results, policy):
    return next((row for row in results["policies"] if row["policy"] == policy), None)


def headline(results):
    fill, share = find(results, "fill"), find(results, "share")
    if fill is None:
        return "One device, two programs"
    words = f"Training keeps {100 * fill['train']['x']:.0f}\u00a0% of its speed; inference’s p99 is {fill['serve']['p99_x']:.2f}× alone"
    return words + (f", not {share['serve']['p99_x']:.1f}×" if share else "")


def opening(results):
    settings = results["settings"]
    return (f"<p class='lead'>An inference service ({settings['rate']:g} requests a second, Poisson) and a training job share one "
            f"device, unmodified, under each of Mortar’s policies. <code>share</code> is what the device does by itself; "
            f"<code>fill</code> is Mortar’s default: training’s kernels run where inference will not notice.</p>")


def what_is_real(results):
    return (f"<div class='what'><div><b>Real</b><p>{escape_list(results['real'])}</p></div>"
            f"<div><b>Emulated</b><p>{escape_list(results['emulated'])}</p></div></div>")


def warning(results):
    words = results["noise"]["words"]
    return f"<p class='warning'>{plots.escape(words)}</p>" if words else ""


def escape_list(items):
    return "<br>".join(plots.escape(item) for item in items)


def footer(results):
    settings, machine = results["settings"], results["machine"]
    facts = [("made", results["made"]), ("command", settings["command"]), ("device", results["device"]),
             ("machine", f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"),
             ("commit", results["commit"]),
             ("runs", f"{settings['repetitions']} interleaved repetitions of {settings['seconds']:g} s a policy; "
                      f"{settings['requests']} requests a policy; arrivals of a repetition are the same for all"),
             ("wrong answers", f"{results['wrong']} of {results['answers']} (each is checked against the processor)"),
             ("training loss", results["loss"])]
    return "<dl>" + "".join(f"<dt>{plots.escape(key)}</dt><dd>{plots.escape(value)}</dd>" for key, value in facts) + "</dl>"


def page(results):
    alone = dict(results["alone"], policy="alone")
    rows = results["policies"]
    device_rows = [row for row in (results["alone"].get("device_rows") or [])] + rows
    parts = [
        f"<header><p class='kicker'>Mortar demo · {results.get('where', 'emulated device')} · {plots.escape(results['made'])}</p>"
        f"<h1>{plots.escape(headline(results))}</h1></header>",
        warning(results), opening(results), what_is_real(results), table(results),
        "<p class='caption'>× is against alone, from the same repetitions. Device idle of alone: inference by itself | training by "
        "itself. Harm is the slowdown of inference’s requests by fills: modelled from what was let pass, and measured against "
        "requests with fills withheld (95 % interval).</p>",
        "<h2>What each policy costs, and what it leaves</h2>",
        "<p class='caption'>Left is good for inference, up is good for training. Lines: span over the repetitions.</p>",
        both(plots.trade_off, rows),
        "<h2>Latency of every request</h2>",
        "<p class='caption'>Heights are square roots of shares, so that tails show. Bar: median; dot: p99.</p>",
        both(plots.distributions, [alone, *rows]),
    ]
    if results.get("cuts"):
        parts += ["<h2>What the device did</h2>",
                  f"<p class='caption'>{report_timeline.caption(results['cuts'])}</p>",
                  both(report_timeline.timeline, results["cuts"])]
    parts += ["<h2>Where the device’s time went</h2>",
              "<p class='caption'>Per cent of the run. Kernels and copies at their modelled lengths.</p>",
              both(plots.device_time, device_rows),
              "<h2>Training speed</h2>",
              "<p class='caption'>Steps a second, and against alone. Lines: span over the repetitions.</p>",
              both(plots.training_bars, [alone, *rows]),
              "<h2>How this was made</h2>", footer(results)]
    return (f"<!doctype html><html lang='en'><head><meta charset='utf-8'>"
            f"<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>Mortar demo: one device, two programs</title><style>{STYLE}</style></head>"
            f"<body><main>{''.join(parts)}</main></body></html>\n")


def picture(results, policies):
    """The recorded timelines of some policies as an SVG file of its own."""
    drawing = report_timeline.timeline([cut for cut in results["cuts"] if cut["policy"] in policies], WIDE)
    style = STYLE[:STYLE.index("* {")].replace(":root", "svg") + STYLE[STYLE.index("svg {"):STYLE.index("dl {")]
    head, body = drawing.split(">", 1)
    return (f'{head.replace("<svg", "<svg xmlns=" + chr(34) + "http://www.w3.org/2000/svg" + chr(34))}>'
            f"<style>{style}</style><rect width='100%' height='100%' class='paper'/>{body}\n")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        content = json.load(file)
    sys.stdout.write(picture(content, sys.argv[3].split(",")) if len(sys.argv) == 4 else page(content))
