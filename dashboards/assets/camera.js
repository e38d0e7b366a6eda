// One camera's page: the blurred picture, what is seen drawn over it, areas and calibration. Coordinates are thousandths of the picture.
"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const t = viewer.dataset, base = t.camera, at = (id) => document.getElementById(id);
  const canvas = at("picture"), over = at("over"), note = at("stage-note"), pause = at("pause"), draw2d = canvas.getContext("2d");
  const fill = (pattern, values) => pattern.replace(/\{(\w)\}/g, (_, k) => values[k]);
  const clamp = (n) => Math.max(0, Math.min(1000, Math.round(n)));
  const SVG = "http://www.w3.org/2000/svg";
  const shape = (name, attributes, parent) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  };
  const node = (name, text, parent) => { const n = document.createElement(name); if (text) n.textContent = text; parent.append(n); return n; };
  const button = (text, parent, act) => { const b = node("button", text, parent); b.type = "button"; b.addEventListener("click", act); return b; };

  let ratio = 9 / 16, seen = null, tool = "look", paused = false, over_ = false, dirty = false;
  const y = (n) => n * ratio;

  // The picture: asked for anew while the page is looked at and leave lasts.
  let newest = 0, heard = performance.now();
  const ends = performance.now() + Number(t.left);
  async function next() {
    if (!over_ && !paused && !document.hidden) {
      try {
        const answer = await fetch(`${base}/picture?after=${newest}`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(8000) });
        if (answer.status === 403 || answer.status === 401) { end(); return; }
        if (answer.status === 200) {
          const told = JSON.parse(answer.headers.get("x-seen")), picture = await createImageBitmap(await answer.blob());
          if (paused) picture.close(); else show(told, picture);
        } else if (performance.now() - heard > 10000) say(newest ? t.tLost : t.tWait);
      } catch { if (performance.now() - heard > 10000) say(t.tLost); }
    }
    setTimeout(next, 400);
  }
  function say(text) { note.textContent = text; note.hidden = !text; }
  function show(told, picture) {
    [seen, newest, heard] = [told, told.at, performance.now()];
    if (canvas.width !== picture.width || canvas.height !== picture.height) { canvas.width = picture.width; canvas.height = picture.height; }
    ratio = picture.height / picture.width;
    draw2d.drawImage(picture, 0, 0);
    picture.close();
    say("");
    at("figures").textContent = told.says;
    draw();
  }
  function end() {
    over_ = true;
    draw2d.clearRect(0, 0, canvas.width, canvas.height);
    seen = null; draw();
    if (dirty) { say(t.tLost); return; }
    location.reload();
  }
  function countdown() {
    const s = Math.max(0, Math.floor((ends - performance.now()) / 1000));
    at("left").textContent = fill(t.tLeft, { m: Math.floor(s / 60), s: s % 60 });
    if (s === 0 && !over_) end();
  }
  function hold(on) { paused = on; pause.setAttribute("aria-pressed", on); pause.textContent = on ? t.tResume : t.tPause; }
  pause.addEventListener("click", () => hold(!paused));

  // Areas.
  const areas = JSON.parse(t.areas || "[]"), kind = at("area-kind"), zone = at("area-zone");
  const word = (select, value) => { const o = [...select.options].find((o) => o.value === (value || "")); return o ? o.textContent : value; };
  let chosen = -1, drawing = null;
  // Calibration.
  const how = () => document.querySelector("input[name=how]:checked").value;
  let marks = [], errors = null;
  {
    const floor = JSON.parse(t.floor || "null"), set = (id, value) => { at(id).value = value; };
    if (floor && floor.walked) { marks = floor.walked.places.flat(); set("floor-height", floor.walked.height_cm); }
    if (floor && floor.rectangle) {
      const r = floor.rectangle;
      document.querySelector("input[value=rectangle]").checked = true;
      marks = r.corners; set("floor-width", r.width_cm); set("floor-depth", r.depth_cm); set("floor-camera", r.camera_cm);
    }
  }
  const most = () => how() === "walked" ? 64 : 4;

  const BONES = [[5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16]];
  const points = (corners) => corners.map(([a, b]) => `${a},${y(b)}`).join(" ");
  // A finger is 44 px wide, whatever the size of the picture.
  const unit = () => 1000 / Math.max(1, over.clientWidth);

  function draw() {
    over.setAttribute("viewBox", `0 0 1000 ${1000 * ratio}`);
    over.replaceChildren();
    over.classList.toggle("editing", tool !== "look");
    areas.forEach((a, n) => {
      const edited = tool === "areas" && n === chosen;
      const p = shape("polygon", { points: points(a.corners), class: `area k-${a.kind}${edited ? " chosen" : ""}` }, over);
      if (tool === "areas" && !drawing) p.addEventListener("pointerdown", (e) => { choose(n); e.stopPropagation(); });
      const [cx, cy] = a.corners.reduce(([x0, y0], [x1, y1]) => [x0 + x1 / a.corners.length, y0 + y1 / a.corners.length], [0, 0]);
      if (tool !== "floor") shape("text", { x: cx, y: y(cy), class: "area-name", "font-size": 13 * unit() }, over).textContent = word(kind, a.kind).replace(/[（(].*/, "");
    });
    if (seen && tool === "look") people();
    if (drawing) {
      shape("polyline", { points: points(drawing), class: "area drawing" }, over);
      drawing.forEach((c, n) => handle(drawing, n, () => {}));
    } else if (tool === "areas" && areas[chosen]) {
      const { corners } = areas[chosen];
      corners.forEach(([a, b], n) => {
        const [c, d] = corners[(n + 1) % corners.length];
        if (corners.length < 32) middle(corners, n, [(a + c) / 2, (b + d) / 2]);
      });
      corners.forEach((_, n) => handle(corners, n, changed));
    }
    if (tool === "floor") floorMarks();
  }

  function people() {
    for (const p of seen.people) {
      const [x0, y0, x1, y1] = p.box, who = p.adult == null ? "unknown" : p.adult >= 500 ? "adult" : "child";
      shape("rect", { x: x0, y: y(y0), width: x1 - x0, height: y(y1 - y0), class: `person ${who}` }, over);
      if (p.pose) for (const [a, b] of BONES) {
        const [m, n] = [p.pose[a], p.pose[b]];
        if (m && n) shape("line", { x1: m[0], y1: y(m[1]), x2: n[0], y2: y(n[1]), class: "bone" }, over);
      }
      const says = [who === "adult" ? t.tAdult : who === "child" ? t.tChild : "", p.cm ? fill(t.tCm, { n: p.cm }) : ""].filter(Boolean).join(" ");
      if (says) shape("text", { x: x0, y: Math.max(14 * unit(), y(y0) - 4 * unit()), class: "person-says", "font-size": 13 * unit() }, over).textContent = says;
    }
    for (const [x0, y0, x1, y1] of seen.things) shape("rect", { x: x0, y: y(y0), width: x1 - x0, height: y(y1 - y0), class: "thing" }, over);
  }

  // A corner to be dragged or moved with the arrow keys; pressed twice, it goes.
  function handle(list, n, done) {
    const [a, b] = list[n], g = shape("g", { class: "handle", tabindex: 0, role: "button", "aria-label": `${n + 1}` }, over);
    shape("circle", { cx: a, cy: y(b), r: 22 * unit(), class: "reach" }, g);
    shape("circle", { cx: a, cy: y(b), r: 7 * unit(), class: "dot" }, g);
    g.dataset.n = n;
    g.addEventListener("pointerdown", (e) => {
      if (drawing) return;
      e.stopPropagation(); e.preventDefault();
      drag(list, n, done);
    });
    g.addEventListener("dblclick", () => { if (list !== marks && list.length > 3) { list.splice(n, 1); done(); draw(); } });
    g.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5] }[e.key];
      if (!step) return;
      e.preventDefault();
      list[n] = [clamp(list[n][0] + step[0]), clamp(list[n][1] + step[1])];
      done(); draw();
      const again = over.querySelector(`.handle[data-n="${n}"]`);
      if (again) again.focus();
    });
  }
  // Half way between two corners: dragging it makes a new one.
  function middle(list, n, [a, b]) {
    const c = shape("circle", { cx: a, cy: y(b), r: 4.5 * unit(), class: "middle" }, over);
    c.addEventListener("pointerdown", (e) => { e.stopPropagation(); e.preventDefault(); list.splice(n + 1, 0, [clamp(a), clamp(b)]); drag(list, n + 1, changed); draw(); });
  }
  function place(e) {
    const box = over.getBoundingClientRect();
    return [clamp((e.clientX - box.left) / box.width * 1000), clamp((e.clientY - box.top) / box.height * 1000)];
  }
  function drag(list, n, done) {
    const move = (e) => { list[n] = place(e); draw(); };
    const stop = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", stop); removeEventListener("pointercancel", stop); done(); draw(); };
    addEventListener("pointermove", move); addEventListener("pointerup", stop); addEventListener("pointercancel", stop);
  }

  function choose(n) { chosen = n; if (areas[n]) { kind.value = areas[n].kind; zone.value = areas[n].zone || ""; } list(); draw(); }
  function changed() { dirty = true; at("areas-save").disabled = !!drawing; list(); }
  function list() {
    const ul = at("area-list");
    ul.replaceChildren();
    areas.forEach((a, n) => {
      const li = node("li", "", ul);
      if (n === chosen) li.className = "chosen";
      const text = node("p", "", li);
      node("b", word(kind, a.kind), text);
      node("span", ` ${word(zone, a.zone)} · ${fill(t.tCorners, { n: a.corners.length })}`, text);
      button(t.tPick, li, () => choose(n));
      button(t.tRemove, li, () => { areas.splice(n, 1); chosen = -1; changed(); draw(); });
    });
    at("area-undo").disabled = !drawing || !drawing.length;
    at("area-done").disabled = !drawing || drawing.length < 3;
    at("area-new").disabled = !!drawing || areas.length >= 64;
    at("area-hint").textContent = drawing ? t.tDraw : at("area-hint").dataset.text;
  }
  at("area-hint").dataset.text = at("area-hint").textContent;
  function finish() {
    const area = { kind: kind.value, corners: drawing };
    if (zone.value) area.zone = zone.value;
    areas.push(area);
    drawing = null; chosen = areas.length - 1;
    changed(); draw();
  }
  at("area-new").addEventListener("click", () => { drawing = []; chosen = -1; at("areas-save").disabled = true; list(); draw(); });
  at("area-undo").addEventListener("click", () => { drawing.pop(); list(); draw(); });
  at("area-done").addEventListener("click", finish);
  for (const select of [kind, zone]) select.addEventListener("change", () => {
    const a = areas[chosen];
    if (!a || drawing) return;
    a.kind = kind.value;
    if (zone.value) a.zone = zone.value; else delete a.zone;
    changed(); draw();
  });
  at("areas-form").addEventListener("submit", (e) => { e.target.elements.areas.value = JSON.stringify(areas); dirty = false; });

  function floorMarks() {
    if (how() === "walked") {
      for (let n = 0; n + 1 < marks.length; n += 2) {
        const [[a, b], [c, d]] = [marks[n], marks[n + 1]];
        shape("line", { x1: a, y1: y(b), x2: c, y2: y(d), class: "stature" }, over);
        shape("text", { x: a + 10 * unit(), y: y(b), class: "person-says", "font-size": 14 * unit() }, over).textContent = n / 2 + 1;
      }
    } else if (marks.length > 1) shape(marks.length === 4 ? "polygon" : "polyline", { points: points(marks), class: "area drawing" }, over);
    marks.forEach((_, n) => handle(marks, n, () => { dirty = true; tryFloor(); }));
  }
  const number = (id) => Number.parseInt(at(id).value, 10) || 0;
  function floor() {
    if (how() === "walked") {
      const places = [];
      for (let n = 0; n + 1 < marks.length; n += 2) places.push([marks[n], marks[n + 1]]);
      return { walked: { height_cm: number("floor-height"), places } };
    }
    return { rectangle: { corners: marks, width_cm: number("floor-width"), depth_cm: number("floor-depth"), camera_cm: number("floor-camera") } };
  }
  const complete = () => how() === "walked" ? marks.length >= 6 && marks.length % 2 === 0 : marks.length === 4;
  let asked = 0;
  async function tryFloor() {
    errors = null;
    says();
    if (!complete()) return;
    const mine = ++asked;
    try {
      const answer = await fetch(`${base}/floor/try`, { method: "POST", credentials: "same-origin", headers: { "x-csrf-token": t.csrf, "content-type": "application/json" }, body: JSON.stringify({ floor: floor(), ratio: 1 / ratio }), signal: AbortSignal.timeout(8000) });
      if (mine === asked && answer.ok) { errors = await answer.json(); says(); }
    } catch { /* said by what is missing */ }
  }
  function says() {
    const walked = how() === "walked", next_ = at("floor-next"), ol = at("floor-list"), result = at("floor-says");
    const missing = Math.max(0, 3 - Math.floor(marks.length / 2));
    next_.textContent = !walked ? (marks.length < 4 ? fill(t.tCorner, { n: marks.length + 1 }) : "")
      : marks.length % 2 ? t.tHead : `${fill(t.tPlace, { n: marks.length / 2 + 1 })}：${t.tFeet}${missing ? "" : ` · ${t.tEnough}`}`;
    if (walked && missing && marks.length % 2 === 0) next_.textContent += ` · ${fill(t.tMore, { n: missing })}`;
    ol.replaceChildren();
    if (errors && errors.places) errors.places.forEach((p, n) => {
      const li = node("li", "", ol);
      if (p.off > 10) li.className = "off";
      node("p", `${fill(t.tPlace, { n: n + 1 })} · ${fill(t.tError, { n: p.cm, d: p.off })}`, li);
      if (walked) button(t.tRemove, li, () => { marks.splice(2 * n, 2); dirty = true; tryFloor(); draw(); });
    });
    result.textContent = !errors ? "" : errors.wrong || fill(t.tFit, { h: errors.camera_cm, e: errors.spread_cm });
    result.className = errors && errors.wrong ? "error" : "help";
    at("floor-save").disabled = !errors || !!errors.wrong;
    at("floor-undo").disabled = at("floor-clear").disabled = !marks.length;
  }
  at("floor-undo").addEventListener("click", () => { marks.pop(); tryFloor(); draw(); });
  at("floor-clear").addEventListener("click", () => { marks = []; hold(false); tryFloor(); draw(); });
  at("floor-form").addEventListener("submit", (e) => { e.target.elements.floor.value = JSON.stringify(floor()); dirty = false; });
  for (const id of ["floor-height", "floor-width", "floor-depth", "floor-camera"]) at(id).addEventListener("change", tryFloor);
  const ways = () => { for (const n of document.querySelectorAll("[data-how]")) n.hidden = n.dataset.how !== how(); };
  for (const radio of document.querySelectorAll("input[name=how]")) radio.addEventListener("change", () => { marks = []; ways(); tryFloor(); draw(); });

  over.addEventListener("pointerdown", (e) => {
    const p = place(e);
    if (tool === "areas" && drawing) {
      const [first] = drawing, near = 22 * unit();
      if (drawing.length >= 3 && Math.hypot(p[0] - first[0], y(p[1] - first[1])) < near) { finish(); return; }
      if (drawing.length < 32) drawing.push(p);
      dirty = true; list(); draw();
    } else if (tool === "areas") choose(-1);
    else if (tool === "floor" && marks.length < most()) {
      marks.push(p);
      dirty = true;
      // The head belongs to where the feet were just now.
      if (how() === "walked") hold(marks.length % 2 === 1);
      tryFloor(); draw();
    }
  });
  for (const tab of viewer.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => {
    tool = tab.dataset.tool;
    for (const other of viewer.querySelectorAll("[role=tab]")) other.setAttribute("aria-selected", other === tab);
    for (const panel of viewer.querySelectorAll(".tool")) panel.hidden = panel.dataset.for !== tool;
    if (tool === "floor") { ways(); tryFloor(); }
    draw();
  });
  addEventListener("beforeunload", (e) => { if (dirty) e.preventDefault(); });
  addEventListener("resize", draw);
  setInterval(countdown, 1000);
  list(); draw(); countdown(); next();
})();
