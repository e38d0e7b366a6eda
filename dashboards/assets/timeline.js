// One time axis for all that is known of an incident: curves, doors, what people did, who was told, where nothing was seen, when the clock was unsure.
// Without it the page shows the same as drawings and lists.
"use strict";
(() => {
  const root = document.getElementById("scope");
  if (!root || !window.uPlot) return;
  const words = root.dataset, still = root.querySelector(".still"), stage = root.querySelector(".stage-lanes"), tools = root.querySelector(".scope-tools"), says = root.querySelector(".scope-says");
  const GUTTER = 72, RIGHT = 20, NS = "http://www.w3.org/2000/svg";
  // COCO's key points: which are joined.
  const LIMBS = [[5, 6], [11, 12], [5, 11], [6, 12], [5, 7], [7, 9], [6, 8], [8, 10], [11, 13], [13, 15], [12, 14], [14, 16]];
  // A look says nothing of a moment further away.
  const NEAR = 35000;
  let data = null, range = null, plots = [], lanes = [], whole = true, setting = false, moment = null;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const local = (ms) => new Date(ms + data.utc_offset_minutes * 60000).toISOString();
  const clock = (ms, fine) => local(ms).slice(11, fine ? 19 : 16);
  const date = (ms) => local(ms).slice(5, 10).replace("-", "/");
  const span = () => range[1] - range[0];
  const say = (ms) => (span() > 86400000 ? date(ms) + " " : "") + clock(ms, true);
  const make = (tag, attributes, ...inside) => { const n = document.createElementNS(NS, tag); for (const k in attributes) n.setAttribute(k, attributes[k]); n.append(...inside); return n; };
  const element = (tag, name, text) => { const n = document.createElement(tag); if (name) n.className = name; if (text) n.textContent = text; return n; };
  const long = (ms) => { const s = Math.max(0, ms / 1000), put = (pattern, n) => pattern.replace("#", n); return s < 10 ? put(words.s, +s.toFixed(1)) : s < 120 ? put(words.s, Math.round(s)) : s < 7200 ? put(words.m, Math.round(s / 60)) : put(words.h, +(s / 3600).toFixed(1)); };
  // Round by the clock on the wall, not by UTC.
  const round = (from, to, step) => { const shift = data.utc_offset_minutes * 60000, ticks = []; for (let t = Math.ceil((from + shift) / step) * step - shift; t <= to; t += step) ticks.push(t); return ticks; };
  // As many decimals as tell two ticks apart.
  const places = (step) => { let d = 0; while (d < 4 && Math.abs(Math.round(step * 10 ** d) - step * 10 ** d) > 1e-6) d++; return d; };
  // A label that would stick out is left out.
  const whole_labels = (u, ticks, label) => ticks.map((t) => { const text = label(t), room = u.bbox.width / devicePixelRatio - u.valToPos(t, "x") + RIGHT; return text.length * 4.2 > room ? null : text; });

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
      axes: [{ ...axis, size: 28, space: () => span() > 86400000 ? 116 : 84, splits: (u, n, from, to, step) => round(from, to, step), values: (u, ticks) => whole_labels(u, ticks, (t) => span() > 86400000 ? date(t) + " " + clock(t) : clock(t, span() < 600000)), incrs: [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((n) => n * 1000) }, { ...axis, size: GUTTER, space: 34, values: (u, ticks, n, space, step) => ticks.map((t) => t.toFixed(places(step))) }],
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

  // The look of a camera that is nearest to a moment.
  function nearest(all, at) {
    let low = 0, high = all.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (all[middle].at < at) low = middle + 1; else high = middle; }
    return low > 0 && at - all[low - 1].at <= all[low].at - at ? low - 1 : low;
  }
  // Boxes and stick figures on an empty frame: where somebody was, and not who.
  function sketch(svg, look) {
    const [w, h] = look ? look.size : [16, 9], x = (v) => v / 10000 * w, y = (v) => v / 10000 * h, parts = [];
    svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    const put = (tag, name, attributes, ...inside) => parts.push(make(tag, { class: name, "vector-effect": "non-scaling-stroke", ...attributes }, ...inside));
    for (const [kind, posture, track, [x0, y0, x1, y1], points] of look ? look.seen : []) {
      const tone = `p${posture}`, joints = new Map(points.map(([n, a, b]) => [n, [x(a), y(b)]]));
      put("rect", `found ${tone}`, { x: x(x0), y: y(y0), width: x(x1 - x0), height: y(y1 - y0) });
      for (const [a, b] of LIMBS) if (joints.has(a) && joints.has(b)) put("line", `limb ${tone}`, { x1: joints.get(a)[0], y1: joints.get(a)[1], x2: joints.get(b)[0], y2: joints.get(b)[1] });
      const head = joints.get(0), sides = [5, 6].map((n) => joints.get(n));
      if (head) put("circle", `limb ${tone}`, { cx: head[0], cy: head[1], r: sides[0] && sides[1] ? Math.max(Math.hypot(sides[0][0] - sides[1][0], sides[0][1] - sides[1][1]) * .32, h / 80) : h / 45 });
      const size = h / 15, name = [kind === 1 ? (track ? `#${track}` : "") : data.classes[kind - 1], posture > 1 ? data.postures[posture] : ""].filter(Boolean).join(" ");
      if (name) parts.push(make("text", { class: tone, x: Math.min(Math.max(x(x0), 2), w - size * name.length * .8), y: Math.max(y(y0) - size * .3, size), "font-size": size }, name));
    }
    svg.replaceChildren(...parts);
  }
  // A lane for each camera, a mark for each look, and what all of them saw at the chosen moment.
  function looks() {
    const all = data.looks, frames = element("div", "looks"), shown = all.map((c) => {
      const figure = element("figure"), svg = make("svg", { class: "sketch", role: "img" }), caption = element("figcaption"), text = element("span");
      caption.append(element("b", "", c.camera), text); figure.append(svg, caption); frames.append(figure);
      return { svg, text };
    });
    const sliders = [];
    const choose = (at) => {
      moment = at;
      all.forEach((c, n) => {
        const index = nearest(c.looks, at), look = c.looks[index], near = Math.abs(look.at - at) <= NEAR, text = near ? `${say(look.at)} · ${look.says}` : words.none;
        sketch(shown[n].svg, near ? look : null);
        shown[n].svg.setAttribute("aria-label", `${c.camera} · ${text}`);
        shown[n].text.textContent = text;
        shown[n].svg.parentNode.classList.toggle("unseen", !near);
        const s = sliders[n];
        s.svg.setAttribute("aria-valuenow", index + 1);
        s.svg.setAttribute("aria-valuetext", `${say(look.at)} · ${look.says}`);
        s.mark();
      });
    };
    all.forEach((c, n) => {
      let place = null;
      const lane_of = lane(c.title, ({ svg, x, inside, width }) => {
        place = x;
        const ticks = c.looks.filter((l) => inside(l.at)), path = (some) => some.map((l) => { const at = x(l.at).toFixed(1); return `M${at} 8V36`; }).join("");
        const people = (l) => l.seen.length > 0;
        svg.append(make("path", { class: "look-none", d: path(ticks.filter((l) => !people(l))) }), make("path", { class: "look", d: path(ticks.filter(people)) }),
          make("path", { class: "look-lies", d: path(ticks.filter((l) => l.seen.some((s) => s[1] === 5))) }), make("path", { class: "look-chosen", d: "" }));
        sliders[n].mark();
      }, 44);
      const svg = lane_of;
      sliders.push({ svg, mark: () => { const m = svg.querySelector(".look-chosen"); if (m && place && moment !== null) m.setAttribute("d", moment >= range[0] && moment <= range[1] ? `M${place(moment).toFixed(1)} 2V42` : ""); } });
      for (const [k, v] of Object.entries({ role: "slider", tabindex: 0, "aria-label": c.title, "aria-valuemin": 1, "aria-valuemax": c.looks.length, "aria-valuenow": 1, "aria-valuetext": "" })) svg.setAttribute(k, v);
      const at = (e) => { const box = svg.getBoundingClientRect(), t = range[0] + (e.clientX - box.left - GUTTER) / Math.max(box.width - GUTTER - RIGHT, 1) * span(); choose(c.looks[nearest(c.looks, t)].at); };
      svg.addEventListener("pointerdown", (e) => { if (e.button) return; svg.setPointerCapture(e.pointerId); at(e); });
      svg.addEventListener("pointermove", (e) => { if (svg.hasPointerCapture(e.pointerId)) at(e); });
      svg.addEventListener("dblclick", (e) => e.stopPropagation());
      svg.addEventListener("keydown", (e) => {
        if (e.ctrlKey || e.altKey || e.metaKey) return;
        const now = nearest(c.looks, moment), step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -c.looks.length, End: c.looks.length }[e.key];
        if (!step) return;
        e.preventDefault(); e.stopPropagation();
        const next = c.looks[Math.min(Math.max(now + step, 0), c.looks.length - 1)].at;
        // What is chosen is in view.
        if (next < range[0] || next > range[1]) set(next - span() / 2, next + span() / 2);
        choose(next);
      });
    });
    const step = (by) => { const first = all.reduce((a, c) => c.looks.length > a.looks.length ? c : a), now = nearest(first.looks, moment); choose(first.looks[Math.min(Math.max(now + by, 0), first.looks.length - 1)].at); };
    const bar = element("div", "looks-bar"), button = (text, label, by) => { const b = element("button", "", text); b.type = "button"; b.setAttribute("aria-label", label); b.addEventListener("click", () => step(by)); return b; };
    const near = element("button", "", words.near), times = all.flatMap((c) => [c.looks[0].at, c.looks[c.looks.length - 1].at]);
    near.type = "button"; near.addEventListener("click", () => set(Math.min(...times) - 10000, Math.min(Math.max(...times), data.span.from + 60000) + 10000));
    bar.append(button("◀", words.earlier, -1), button("▶", words.later, 1), near, element("p", "", words.help));
    stage.append(frames, bar);
    choose(moment ?? data.span.from);
  }

  // A lane of marks or bars.
  function lane(title, draw, height = 34) {
    const row = element("div", "scope-lane"), name = element("b", "", title), svg = make("svg", { height, role: "img", "aria-label": title });
    row.append(name, svg); stage.append(row);
    const redraw = () => {
      const width = svg.clientWidth || stage.clientWidth, x = (ms) => GUTTER + (Math.min(Math.max(ms, range[0]), range[1]) - range[0]) / span() * (width - GUTTER - RIGHT);
      const inside = (ms) => ms >= range[0] && ms <= range[1];
      svg.replaceChildren(make("rect", { class: "span", x: x(data.span.from), y: 0, width: Math.max(x(data.span.to) - x(data.span.from), 2), height }));
      draw({ svg, x, inside, width, bar: (from, to, name, text) => { if (to < range[0] || from > range[1]) return; const b = make("rect", { class: name, x: x(from), y: 9, width: Math.max(x(to) - x(from), 2), height: 16, rx: 3 }, make("title", {}, text)); tell(b, text); svg.append(b); },
        dot: (at, name, text) => { if (!inside(at)) return; const d = make("circle", { class: name, cx: x(at), cy: 17, r: 6 }, make("title", {}, text)); tell(d, text); svg.append(d); } });
    };
    lanes.push(redraw);
    return svg;
  }
  const tell = (node, text) => node.addEventListener("pointerenter", () => { says.textContent = text; });

  function draw() {
    const fresh = element("div");
    stage.replaceChildren(fresh); fresh.remove();
    for (const p of plots) p.destroy();
    plots = []; lanes = [];
    const width = Math.max(stage.clientWidth, 240);
    lane(words.entries, ({ dot }) => { for (const e of data.entries) dot(e.at, (e.person ? "act" : "sev s" + e.severity) + (e.sure ? "" : " unsure"), `${e.sure ? "" : "≈ "}${say(e.at)} · ${e.text}`); });
    if (data.looks.length) looks();
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
