// One time axis for all that is known of an incident: curves, doors, what people did, who was told, where nothing was seen, when the clock was unsure.
// Without it the page shows the same as drawings and lists.
"use strict";
(() => {
  const root = document.getElementById("scope");
  if (!root || !window.uPlot) return;
  const words = root.dataset, still = root.querySelector(".still"), stage = root.querySelector(".stage-lanes"), tools = root.querySelector(".scope-tools"), says = root.querySelector(".scope-says");
  const GUTTER = 72, RIGHT = 12, NS = "http://www.w3.org/2000/svg";
  let data = null, range = null, plots = [], lanes = [], whole = true, setting = false;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const local = (ms) => new Date(ms + data.utc_offset_minutes * 60000).toISOString();
  const clock = (ms, fine) => local(ms).slice(11, fine ? 19 : 16);
  const date = (ms) => local(ms).slice(5, 10).replace("-", "/");
  const span = () => range[1] - range[0];
  const say = (ms) => (span() > 86400000 ? date(ms) + " " : "") + clock(ms, true);
  const make = (tag, attributes, ...inside) => { const n = document.createElementNS(NS, tag); for (const k in attributes) n.setAttribute(k, attributes[k]); n.append(...inside); return n; };
  const element = (tag, name, text) => { const n = document.createElement(tag); if (name) n.className = name; if (text) n.textContent = text; return n; };
  const long = (ms) => { const s = Math.max(0, Math.round(ms / 1000)); return s < 120 ? s + " s" : s < 7200 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h"; };

  function set(from, to) {
    const least = 10000, all = [data.from, data.to];
    let width = Math.min(Math.max(to - from, least), all[1] - all[0]);
    from = Math.min(Math.max(from, all[0]), all[1] - width);
    range = [from, from + width];
    whole = width >= all[1] - all[0];
    setting = true;
    for (const p of plots) p.setScale("x", { min: range[0], max: range[1] });
    setting = false;
    for (const l of lanes) l();
  }
  const pan = (part) => set(range[0] + span() * part, range[1] + span() * part);
  const zoom = (factor, at = .5) => { const middle = range[0] + span() * at, width = span() * factor; set(middle - width * at, middle + width * (1 - at)); };

  // What lies behind every lane: the incident, the unsure clock, and what of this lane was not seen.
  function hatch(c, x, y, w, h) {
    c.save(); c.beginPath(); c.rect(x, y, w, h); c.clip(); c.fillStyle = css("--hatch-ground"); c.fillRect(x, y, w, h); c.strokeStyle = css("--faint"); c.lineWidth = devicePixelRatio; c.globalAlpha = .5;
    for (let d = x - h; d < x + w; d += 8 * devicePixelRatio) { c.beginPath(); c.moveTo(d, y + h); c.lineTo(d + h, y); c.stroke(); }
    c.restore();
  }
  function behind(u, s) {
    const c = u.ctx, { left, top, width, height } = u.bbox, x = (ms) => Math.min(Math.max(u.valToPos(ms, "x", true), left), left + width);
    c.save();
    c.fillStyle = css("--brand"); c.globalAlpha = .14; c.fillRect(x(data.span.from), top, Math.max(x(data.span.to) - x(data.span.from), 2), height);
    c.globalAlpha = 1;
    // Where the place was blind, nothing is proven absent by any curve.
    for (const w of data.watch) if (w.blind) hatch(c, x(w.from), top, x(w.to) - x(w.from), height);
    for (const [a, b] of s.gaps) hatch(c, x(a), top, x(b) - x(a), height);
    for (const [a, b] of data.unsure) soft(c, x(a), x(b), top, height);
    c.restore();
  }
  function soft(c, a, b, top, height) {
    if (b <= a) return;
    const edge = Math.min(24 * devicePixelRatio, (b - a) / 2), g = c.createLinearGradient(a, 0, b, 0), ink = css("--s3");
    g.addColorStop(0, "transparent"); g.addColorStop(Math.min(.5, edge / (b - a)), ink); g.addColorStop(Math.max(.5, 1 - edge / (b - a)), ink); g.addColorStop(1, "transparent");
    c.save(); c.globalAlpha = .28; c.fillStyle = g; c.fillRect(a, top, b - a, height); c.restore();
  }
  function limit(u, s) {
    if (s.limit === null) return;
    const c = u.ctx, y = u.valToPos(s.limit, "y", true), { left, width } = u.bbox;
    c.save(); c.strokeStyle = css("--s1-text"); c.lineWidth = 1.5 * devicePixelRatio; c.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]); c.beginPath(); c.moveTo(left, y); c.lineTo(left + width, y); c.stroke();
    c.restore();
  }

  function curve(s, width) {
    const box = element("figure", "scope-chart"), head = element("figcaption"), name = element("b", "", s.title), unit = element("span", "", s.unit), where = element("span", "device", s.device), value = element("output");
    head.append(name, unit, where, value);
    if (s.limit !== null) head.append(element("span", "limit-says", s.limit_text));
    box.append(head);
    // A gap is a point that is not there.
    const rows = s.at.map((t, n) => [t, s.value[n]]).concat(s.gaps.map(([a, b]) => [(a + b) / 2, null])).sort((a, b) => a[0] - b[0]);
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: "14px system-ui" };
    const plot = new uPlot({
      width, height: 170, ms: 1, padding: [12, RIGHT, 0, 0], legend: { show: false }, cursor: { sync: { key: "incident" }, drag: { x: true, y: false }, points: { size: 7 } },
      scales: { x: { time: false, range: () => range }, y: { range: (u, low, high) => { let l = low ?? s.limit ?? 0, h = high ?? s.limit ?? 1; if (s.limit !== null) { l = Math.min(l, s.limit); h = Math.max(h, s.limit); } const room = Math.max((h - l) * .08, 10 ** -s.decimals); return [l - room, h + room]; } } },
      axes: [{ ...axis, size: 28, space: 84, values: (u, ticks) => ticks.map((t) => span() > 86400000 ? date(t) + " " + clock(t) : clock(t, span() < 600000)), incrs: [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400].map((n) => n * 1000) }, { ...axis, size: GUTTER, space: 34, values: (u, ticks) => ticks.map((t) => t.toFixed(Math.min(s.decimals, 1))) }],
      series: [{}, { stroke: css("--curve"), width: 2, points: { show: rows.length < 60, size: 4 }, spanGaps: false }],
      hooks: {
        drawClear: [(u) => behind(u, s)], draw: [(u) => limit(u, s)],
        setScale: [(u, key) => { if (key === "x" && !setting) { const { min, max } = u.scales.x; queueMicrotask(() => set(min, max)); } }],
        setSelect: [(u) => { if (u.select.width > 8) { const a = u.posToVal(u.select.left, "x"), b = u.posToVal(u.select.left + u.select.width, "x"); u.setSelect({ width: 0 }, false); set(a, b); } }],
        setCursor: [(u) => {
          const n = u.cursor.idx, t = n === null || n === undefined ? null : rows[n];
          if (!t || u.cursor.left < 0) { value.textContent = ""; return; }
          const at = u.posToVal(u.cursor.left, "x"), in_gap = s.gaps.some(([a, b]) => a < at && at < b);
          value.textContent = in_gap || t[1] === null ? `${say(at)} · ${words.unseen}` : `${say(t[0])} · ${t[1].toFixed(s.decimals)} ${s.unit}` + (s.uncertainty_ms ? ` · ±${long(s.uncertainty_ms)}` : "");
        }],
      },
    }, [rows.map((r) => r[0]), rows.map((r) => r[1])], box);
    plots.push(plot);
    stage.append(box);
  }

  // A lane of marks or bars.
  function lane(title, draw) {
    const row = element("div", "scope-lane"), name = element("b", "", title), svg = make("svg", { height: 34, role: "img", "aria-label": title });
    row.append(name, svg); stage.append(row);
    const redraw = () => {
      const width = svg.clientWidth || stage.clientWidth, x = (ms) => GUTTER + (Math.min(Math.max(ms, range[0]), range[1]) - range[0]) / span() * (width - GUTTER - RIGHT);
      const inside = (ms) => ms >= range[0] && ms <= range[1];
      svg.replaceChildren(make("rect", { class: "span", x: x(data.span.from), y: 0, width: Math.max(x(data.span.to) - x(data.span.from), 2), height: 34 }));
      draw({ svg, x, inside, bar: (from, to, name, text) => { if (to < range[0] || from > range[1]) return; const b = make("rect", { class: name, x: x(from), y: 9, width: Math.max(x(to) - x(from), 2), height: 16, rx: 3 }, make("title", {}, text)); tell(b, text); svg.append(b); },
        dot: (at, name, text) => { if (!inside(at)) return; const d = make("circle", { class: name, cx: x(at), cy: 17, r: 6 }, make("title", {}, text)); tell(d, text); svg.append(d); } });
    };
    lanes.push(redraw);
  }
  const tell = (node, text) => node.addEventListener("pointerenter", () => { says.textContent = text; });

  function draw() {
    const fresh = element("div");
    stage.replaceChildren(fresh); fresh.remove();
    for (const p of plots) p.destroy();
    plots = []; lanes = [];
    const width = Math.max(stage.clientWidth, 240);
    lane(words.entries, ({ dot }) => { for (const e of data.entries) dot(e.at, (e.person ? "act" : "sev s" + e.severity) + (e.sure ? "" : " unsure"), `${e.sure ? "" : "≈ "}${say(e.at)} · ${e.text}`); });
    if (data.told.length) lane(words.told, ({ dot }) => { for (const t of data.told) dot(t.at, t.bad ? "bad-dot" : "told", `${say(t.at)} · ${t.text}`); });
    if (data.blind.length) lane(words.blind, ({ bar }) => { for (const b of data.blind) bar(b.from, b.to, "blind", `${say(b.from)}–${say(b.to)} · ${b.text}`); });
    if (data.watch.length) lane(words.watch, ({ bar }) => { for (const w of data.watch) bar(w.from, w.to, w.blind ? "blind" : "part", `${say(w.from)}–${say(w.to)} · ${w.text}`); });
    if (data.unsure.length) lane(words.unsure, ({ bar }) => { for (const [a, b] of data.unsure) bar(a, b, "unsure", `${say(a)}–${say(b)} · ${words.unsure}`); });
    for (const s of data.series.filter((s) => s.states)) lane(`${s.title} ${s.device}`, ({ bar }) => {
      s.at.forEach((at, n) => { const end = n + 1 < s.at.length ? s.at[n + 1] : data.to; bar(at, end, s.value[n] ? "on" : "off", `${say(at)}–${say(end)} · ${s.title} ${s.states[s.value[n] ? 1 : 0]}`); });
    });
    for (const s of data.series.filter((s) => !s.states)) curve(s, width);
    set(...range);
  }

  async function load(around) {
    const answer = await fetch(words.src + "?around=" + around, { credentials: "same-origin", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = await answer.json(), kept = range && !whole ? range : null;
    data = next; range = kept && words.around === around ? kept : [data.from, data.to];
    words.around = around;
    if (still) still.hidden = true;
    root.classList.add("live"); tools.hidden = false;
    draw();
    root.querySelector(".scope-cut").hidden = !data.cut;
    root.querySelector(".scope-minutes").hidden = !data.by_minute;
    for (const b of tools.querySelectorAll("[data-around]")) b.setAttribute("aria-pressed", b.dataset.around === around);
  }

  const act = { left: () => pan(-.25), right: () => pan(.25), in: () => zoom(.5), out: () => zoom(2), all: () => set(data.from, data.to), mark: () => { const d = data.span, room = Math.max((d.to - d.from) * .15, 60000); set(d.from - room, d.to + room); } };
  tools.addEventListener("click", (e) => {
    const b = e.target.closest("button");
    if (!b || !data) return;
    if (b.dataset.around) load(b.dataset.around).catch(() => { says.textContent = words.failed; });
    else act[b.dataset.act]();
  });
  stage.addEventListener("keydown", (e) => {
    if (!data || e.ctrlKey || e.altKey || e.metaKey) return;
    const does = { ArrowLeft: "left", ArrowRight: "right", "+": "in", "=": "in", "-": "out", "0": "all", Home: "all" }[e.key];
    if (does) { e.preventDefault(); act[does](); says.textContent = `${say(range[0])} – ${say(range[1])}`; }
  });
  stage.addEventListener("dblclick", () => act.all());
  let resized = 0;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => data && draw(), 200); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw());
  // While it lasts, it grows.
  setInterval(() => { if (root.dataset.active === "true" && !document.hidden && !stage.contains(document.activeElement) && whole) load(words.around).catch(() => {}); }, 15000);
  load(words.around).catch(() => {});
})();
