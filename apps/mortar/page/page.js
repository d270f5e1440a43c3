"use strict";
// Draws what /api/history tells. All texts from there are set as text, never as markup.
const WINDOW_MS = 300000, LEAST_MS = 60000;
const PALETTE = ["#3b7ddd", "#e0861a", "#2aa173", "#c2578a", "#7f6ae0", "#a3941a", "#3fa9c4", "#d0574b"];
const HEIGHT = 168, LEFT = 38, BOTTOM = 18, TOP = 6, STRIP = 8;
let samples = [];
let last = -1;
let failures = 0;
let timer = 0;
let span = LEAST_MS;  // of the plots: what has been seen, up to the whole window
const cards = new Map();

const percent = (x) => x == null ? "–" : (100 * x).toFixed(Math.abs(x) < 0.0995 && x !== 0 ? 1 : 0) + " %";
const rate = (x) => x >= 99.5 ? Math.round(x).toLocaleString("en") : String(+x.toPrecision(3));
const keyOf = (client) => client.n + "\u0000" + client.p;

function make(tag, attributes, ...children) {
  const svg = ["svg", "path", "line", "text", "rect", "g"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function colourOf(card, key) {
  if (!card.colours.has(key)) card.colours.set(key, PALETTE[card.colours.size % PALETTE.length]);
  return card.colours.get(key);
}

function makePlot(title) {
  const svg = make("svg", { role: "img", "aria-label": title });
  return { svg, figure: make("figure", {}, make("figcaption", {}, title), svg) };
}

function makeCard(name) {
  const card = { colours: new Map(), chips: make("div", { class: "chips" }), figures: make("div", { class: "figures" }),
    table: make("table"), notes: make("div") };
  const share = makePlot("Who had the device: solid, work of its own accord; pale, fills in others' gaps. Below, who held it");
  const harm = makePlot("Harm done by fills, against the limit that each client allows");
  card.share = share.svg;
  card.harm = harm.svg;
  card.node = make("section", { class: "card" }, make("h2", {}, name), card.chips, card.figures,
    make("div", { class: "plots" }, share.figure, harm.figure), make("div", { class: "scroll" }, card.table), card.notes);
  for (const svg of [card.share, card.harm]) {
    svg.addEventListener("mousemove", (event) => showTip(event, name, card, svg));
    svg.addEventListener("mouseleave", hideTip);
  }
  return card;
}

// Time and value to the plot's coordinates.
const place = (end, floor, width) => ({
  x: (t) => LEFT + (width - LEFT) * (1 - (end - t) / span),
  y: (share) => TOP + (floor - TOP) * (1 - Math.min(Math.max(share, 0), 1)),
});

// As wide as it is shown, so that letters are not stretched.
function clear(svg) {
  const width = svg.clientWidth || 720;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren();
  return width;
}

function axes(svg, floor, width, labels) {
  for (const [share, label] of labels) {
    const y = TOP + (floor - TOP) * (1 - share);
    svg.append(make("line", { class: "grid", x1: LEFT, x2: width, y1: y, y2: y }),
      make("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end" }, label));
  }
  const step = span <= 90000 ? 15000 : span <= 180000 ? 30000 : 60000;
  for (let ago = 0; ago <= span; ago += step) {
    const x = LEFT + (width - LEFT) * (1 - ago / span);
    const label = ago === 0 ? "now" : step < 60000 ? `−${ago / 1000} s` : `−${ago / 60000} min`;
    svg.append(make("text", { x, y: HEIGHT - 3, "text-anchor": ago === 0 ? "end" : x < LEFT + 25 ? "start" : "middle" }, label));
  }
}

// The outline of a band between two lists of points; parts where the watching paused stay apart.
function band(points) {
  let path = "";
  for (let start = 0; start < points.length;) {
    let end = start + 1;
    while (end < points.length && points[end].t - points[end - 1].t < 5000) ++end;
    const part = points.slice(start, end);
    path += "M" + part.map((p) => `${p.x.toFixed(1)} ${p.high.toFixed(1)}`).join("L") + "L" +
      part.reverse().map((p) => `${p.x.toFixed(1)} ${p.low.toFixed(1)}`).join("L") + "Z";
    start = end;
  }
  return path;
}

function line(points) {
  let path = "";
  points.forEach((p, i) => {
    const joined = i > 0 && p.t - points[i - 1].t < 5000;
    path += `${joined ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
  });
  return path;
}

function drawShares(card, seen, end) {
  const floor = HEIGHT - BOTTOM - STRIP - 4;
  const width = clear(card.share);
  const at = place(end, floor, width);
  axes(card.share, floor, width, [[0, "0"], [0.5, "50 %"], [1, "100 %"]]);
  const keys = [];
  for (const { device } of seen) for (const c of device.c) if (!keys.includes(keyOf(c))) keys.push(keyOf(c));
  const rank = (key) => Math.min(...seen.flatMap(({ device }) => device.c.filter((c) => keyOf(c) === key).map((c) => c.r)));
  const ranks = new Map(keys.map((key) => [key, rank(key)]));
  keys.sort((a, b) => ranks.get(a) - ranks.get(b));
  const base = seen.map(() => 0);
  for (const key of keys) {
    const own = [], fill = [];
    seen.forEach(({ t, device }, i) => {
      const c = device.c.find((one) => keyOf(one) === key) || { d: 0, f: 0 };
      const filled = Math.min(c.f, c.d);
      const x = at.x(t), low = base[i], middle = low + c.d - filled, high = low + c.d;
      own.push({ t, x, low: at.y(low), high: at.y(middle) });
      fill.push({ t, x, low: at.y(middle), high: at.y(high) });
      base[i] = high;
    });
    const fillColour = colourOf(card, key);
    card.share.append(make("path", { d: band(own), fill: fillColour }),
      make("path", { d: band(fill), fill: fillColour, "fill-opacity": ".45" }));
  }
  const measured = seen.filter(({ device }) => device.m != null).map(({ t, device }) => ({ t, x: at.x(t), y: at.y(device.m) }));
  if (measured.length) card.share.append(make("path", { d: line(measured), class: "driver" }));
  seen.forEach(({ t, device }, i) => {
    const holders = device.c.filter((c) => c.h);
    const next = i + 1 < seen.length ? seen[i + 1].t : t + 1000;
    if (next - t > 5000) return;
    holders.forEach((c, j) => card.share.append(make("rect", { x: at.x(t), y: floor + 4 + j * STRIP / holders.length,
      width: Math.max(at.x(next) - at.x(t), 0.5) + 0.4, height: STRIP / holders.length,
      "shape-rendering": "crispEdges", fill: colourOf(card, keyOf(c)) })));
  });
}

// Of the limit; a client that allows nothing stands at twice the limit as soon as there is any.
const ofLimit = (harm, limit) => limit > 0 ? harm / limit : harm > 0 ? 2 : 0;

function drawHarm(card, seen, end) {
  const floor = HEIGHT - BOTTOM;
  const width = clear(card.harm);
  const at = place(end, floor, width);
  const lines = new Map();
  for (const { t, device } of seen) {
    for (const c of device.c) {
      if (c.x == null && c.y == null) continue;
      if (!lines.has(keyOf(c))) lines.set(keyOf(c), { model: [], measured: [], smooth: null });
      const one = lines.get(keyOf(c));
      if (c.x != null) {
        const now = ofLimit(c.x, c.l);
        one.smooth = one.smooth == null ? now : one.smooth + 0.2 * (now - one.smooth);
        one.model.push({ t, value: one.smooth });
      }
      if (c.y != null) one.measured.push({ t, value: ofLimit(c.y, c.l) });
    }
  }
  let most = 1.25;
  for (const one of lines.values()) for (const p of [...one.model, ...one.measured]) most = Math.max(most, Math.min(p.value, 4));
  axes(card.harm, floor, width, most < 2 ? [[0, "0"], [0.5 / most, "½"], [1 / most, "limit"]] : [[0, "0"], [1 / most, "limit"], [2 / most, "2×"]]);
  const y = at.y(1 / most);
  card.harm.append(make("line", { class: "limit", x1: LEFT, x2: width, y1: y, y2: y }));
  for (const [key, one] of lines) {
    const points = (list) => list.map((p) => ({ t: p.t, x: at.x(p.t), y: at.y(p.value / most) }));
    const stroke = { stroke: colourOf(card, key), fill: "none", "vector-effect": "non-scaling-stroke" };
    card.harm.append(make("path", { d: line(points(one.model)), "stroke-width": 2, ...stroke }),
      make("path", { d: line(points(one.measured)), "stroke-width": 1.5, "stroke-dasharray": "6 4", ...stroke }));
  }
  card.harm.append(make("text", { x: width - 4, y: TOP + 10, "text-anchor": "end" },
    lines.size ? "line: modelled, over 5 s; dashes: measured" : "no request has ended yet"));
}

const figure = (label, value, colour) => make("div", { class: "figure" }, make("span", {}, label),
  make("b", colour ? { style: `color:${colour}` } : {}, value));

function drawFigures(card, device) {
  const holder = device.clients.find((c) => c.holds);
  const names = (list) => list.length ? list.join(", ") : "nobody";
  card.figures.replaceChildren(
    figure("holds the device", names(device.holders), holder && colourOf(card, holder.name + "\u0000" + holder.pid)),
    figure("fills its gaps", names(device.fillers)),
    figure("busy", percent(device.busy)),
    figure("of the holder's gaps filled", percent(device.filled)));
  if (device.busy_measured != null) card.figures.append(figure("busy, says the driver", percent(device.busy_measured)));
  card.chips.replaceChildren(make("span", { class: "chip" }, "policy " + device.policy), make("span", { class: "chip" }, "mode " + device.mode));
  if (device.off) card.chips.append(make("span", { class: "chip bad" }, "OFF: nobody is held"));
}

function drawTable(card, device) {
  const head = ["client", "state", "pid", "priority", "submits/s", "fills/s", "device", "held", "harm now", "measured", "limit"];
  const floors = device.clients.some((c) => c.min_share != null || c.floor_harm_modelled_since_joining > 0);
  const memory = device.clients.some((c) => c.memory > 0 || c.memory_limit != null);
  if (floors) head.push("floor", "by floor", "harm by floors");
  if (memory) head.push("memory");
  const rows = [...device.clients].sort((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1)).map((c) => {
    const harm = Math.max(c.harm_modelled ?? c.harm_modelled_since_joining ?? 0, c.harm_measured ? c.harm_measured.mean : 0);
    const part = ofLimit(harm, c.max_slowdown);
    const dot = make("span", { class: "dot", style: `background:${colourOf(card, c.name + "\u0000" + c.pid)}` });
    const meter = make("span", { class: "meter" }, make("i", { style: `width:${Math.min(Math.max(100 * part, 0), 100)}%` }));
    const row = make("tr", { class: (c.holds ? "holds " : "") + (part > 1 ? "over" : part > 0.8 ? "near" : "") });
    row.append(make("td", {}, dot, c.name), make("td", {}, c.state));
    for (const text of [c.pid, c.priority, rate(c.submits_per_s), rate(c.fills_per_s), percent(c.device_share), percent(c.held_share)])
      row.append(make("td", {}, String(text)));
    row.append(make("td", { class: "harm" }, percent(c.harm_modelled)),
      make("td", { class: "harm" }, c.harm_measured ? percent(c.harm_measured.mean) : "–"), make("td", {}, percent(c.max_slowdown), meter));
    if (floors) for (const text of [c.min_share == null ? "–" : percent(c.min_share) + (c.floor_first ? " first" : ""), percent(c.floor_share), percent(c.floor_harm_modelled)])
      row.append(make("td", {}, text));
    if (memory) row.append(make("td", {}, bytes(c.memory) + (c.memory_limit == null ? "" : ` of ${bytes(c.memory_limit)}`)));
    return row;
  });
  card.table.replaceChildren(make("thead", {}, make("tr", {}, ...head.map((text) => make("th", {}, text)))), make("tbody", {}, ...rows));
}

const bytes = (n) => n >= 2 ** 30 ? `${(n / 2 ** 30).toPrecision(3)} GiB` : `${Math.round(n / 2 ** 20)} MiB`;
const describeUser = (u) => `${u.pid} ${u.program || "?"} (${u.through}${u.memory_bytes ? `, ${u.memory_bytes >> 20} MiB` : ""})`;

function drawNotes(card, device) {
  card.notes.replaceChildren();
  const say = (text, warn) => card.notes.append(make("p", { class: warn ? "note warn" : "note" }, text));
  if (!device.clients.length) say("No clients at present.");
  if (device.unmanaged == null) say("Processes that use the device without Mortar: not known here.");
  else if (device.unmanaged.length) say("Without Mortar, and so never held: " + device.unmanaged.map(describeUser).join(", "), true);
}

// Cards of the devices that there are, and what is to be said beside them. In the page before they are drawn: widths
// are known only there.
function arrange(main, now) {
  for (const name of cards.keys()) if (!now.devices.some((d) => d.device === name)) cards.delete(name);
  const extra = [];
  if (!now.devices.length) {
    extra.push(make("section", { class: "card empty" }, "No device is shared yet. Start a program with ", make("code", {}, "mortar run -- PROGRAM")));
  }
  if (now.elsewhere.length) extra.push(make("p", { class: "note" }, "On devices without a board: " + now.elsewhere.map(describeUser).join(", ")));
  for (const error of now.errors) extra.push(make("p", { class: "note warn" }, error));
  main.replaceChildren(...now.devices.map((d) => cards.get(d.device).node), ...extra);
}

function draw(now) {
  const main = document.getElementById("devices");
  const end = samples.length ? samples[samples.length - 1].t : now.time_ms;
  span = Math.min(Math.max(samples.length ? end - samples[0].t : 0, LEAST_MS), WINDOW_MS);
  for (const device of now.devices) {
    if (!cards.has(device.device)) cards.set(device.device, makeCard(device.device));
  }
  arrange(main, now);
  for (const device of now.devices) {
    const card = cards.get(device.device);
    const seen = samples.map((s) => ({ t: s.t, device: s.d.find((d) => d.n === device.device) })).filter((s) => s.device);
    drawFigures(card, device);
    drawShares(card, seen, end);
    drawHarm(card, seen, end);
    drawTable(card, device);
    drawNotes(card, device);
  }
  document.getElementById("where").textContent = now.directory;
  const holders = now.devices.flatMap((d) => d.holders);
  document.title = (holders.length ? holders.join(", ") + " · " : "") + "Mortar";
}

function showTip(event, name, card, svg) {
  if (!samples.length) return;
  const box = svg.getBoundingClientRect();
  const part = (event.clientX - box.left - LEFT) / (box.width - LEFT);
  const time = samples[samples.length - 1].t - span * (1 - part);
  let best = samples[0];
  for (const s of samples) if (Math.abs(s.t - time) < Math.abs(best.t - time)) best = s;
  const device = best.d.find((d) => d.n === name);
  const tip = document.getElementById("tip");
  if (!device || Math.abs(best.t - time) > 5000) return hideTip();
  tip.replaceChildren(make("div", {}, `${new Date(best.t).toLocaleTimeString()} · busy ${percent(device.b)}`), ...device.c.map((c) =>
    make("div", {}, make("span", { class: "dot", style: `background:${colourOf(card, keyOf(c))}` }),
      `${c.n}${c.h ? " (holds)" : ""}: ${percent(c.d)}, ${rate(c.s)} submits/s` + (c.x == null ? "" : `, harm ${percent(c.x)} of ${percent(c.l)}`))));
  tip.hidden = false;
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = event.clientY + 16 + "px";
}

function hideTip() { document.getElementById("tip").hidden = true; }

function setState(state, text) {
  document.body.dataset.state = state;
  document.getElementById("state").textContent = text;
}

async function update() {
  try {
    const reply = await fetch("/api/history?after=" + last, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!reply.ok) throw new Error(String(reply.status));
    const history = await reply.json();
    if (history.restarted) samples = [];
    samples.push(...history.samples);
    last = history.last;
    const newest = samples.length ? samples[samples.length - 1].t : 0;
    samples = samples.filter((s) => s.t > newest - WINDOW_MS);
    draw(history.now);
    failures = 0;
    setState("live", "live");
  } catch (error) {
    ++failures;
    setState("lost", "no answer from mortar serve; trying again");
  }
  // Nobody looks: nothing is asked. An answer that does not come is asked for ever more rarely.
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(update, Math.min(1000 * (1 + failures), 10000));
}

document.addEventListener("visibilitychange", () => { 
  clearTimeout(timer);
  if (!document.hidden) update();
});
update();
