// One camera's page: the blurred picture, what is seen drawn over it, areas and calibration. Coordinates are thousandths of the picture.
"use strict";
(() => {
  // What was drawn and not yet saved outlives the leave, in this tab: coordinates only, never a picture.
  const KEEP = (camera) => `tuoan-draft ${camera}`;
  const kept = (camera) => { try { return JSON.parse(sessionStorage.getItem(KEEP(camera))); } catch { return null; } };
  const keep = (camera, draft) => { try { if (draft) sessionStorage.setItem(KEEP(camera), JSON.stringify(draft)); else sessionStorage.removeItem(KEEP(camera)); } catch { /* then it does not outlive it */ } };
  const viewer = document.getElementById("viewer"), again = document.getElementById("kept-draft");
  if (again) again.hidden = !kept(again.dataset.camera);
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
  const button = (text, about, parent, act) => { const b = node("button", text, parent); b.type = "button"; b.setAttribute("aria-label", `${text} ${about}`); b.addEventListener("click", act); return b; };

  let ratio = 9 / 16, seen = null, tool = "look", paused = false, over_ = false;
  const dirty = { areas: false, floor: false };
  const unsaved = () => dirty.areas || dirty.floor;
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
    const shape_ = picture.height / picture.width;
    if (ratio !== shape_) at("stage").style.setProperty("--ratio", shape_);
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
    seen = null;
    if (drawing && drawing.length > 2) finish();
    drawing = null;
    store();
    // What is not saved has been put by.
    dirty.areas = dirty.floor = false;
    location.replace(base);
  }
  function countdown() {
    const s = Math.max(0, Math.floor((ends - performance.now()) / 1000));
    at("left").textContent = fill(t.tLeft, { m: Math.floor(s / 60), s: s % 60 });
    at("left").classList.toggle("bad", s < 60);
    if (s === 0 && !over_) end();
  }
  function hold(on) { paused = on; heard = performance.now(); at("paused-mark").hidden = !on; pause.textContent = on ? t.tResume : t.tPause; }
  document.addEventListener("visibilitychange", () => { heard = performance.now(); });
  pause.addEventListener("click", () => hold(!paused));

  // Areas.
  const areas = JSON.parse(t.areas || "[]"), kind = at("area-kind"), zone = at("area-zone");
  const word = (select, value) => { const o = [...select.options].find((o) => o.value === (value || "")); return o ? o.textContent : value; };
  let chosen = -1, drawing = null;
  // Calibration.
  const how = () => document.querySelector("input[name=how]:checked").value;
  let marks = [], errors = null, failed = false;
  // What was marked in the one way stays while the other is tried.
  const aside = { walked: [], rectangle: [] };
  function take(floor) {
    const set = (id, value) => { at(id).value = value; };
    if (floor && floor.walked) { document.querySelector("input[value=walked]").checked = true; marks = floor.walked.places.flat(); set("floor-height", floor.walked.height_cm); }
    if (floor && floor.rectangle) {
      const r = floor.rectangle;
      document.querySelector("input[value=rectangle]").checked = true;
      marks = r.corners; set("floor-width", r.width_cm); set("floor-depth", r.depth_cm); set("floor-camera", r.camera_cm);
    }
  }
  take(JSON.parse(t.floor || "null"));
  // Kept from before, when what it was drawn upon is still the same; dropped when it has been saved.
  function store() { keep(base, unsaved() ? { on: [t.areas, t.floor], areas: dirty.areas ? areas : null, floor: dirty.floor ? floor() : null } : null); }
  function restore() {
    const draft = kept(base);
    if (!draft || "refused" in t) return;
    if (draft.on[0] !== t.areas) draft.areas = null;
    if (draft.on[1] !== t.floor) draft.floor = null;
    if (!draft.areas && !draft.floor) { keep(base, null); return; }
    if (draft.areas) { areas.splice(0, areas.length, ...draft.areas); dirty.areas = true; at("areas-save").disabled = false; }
    if (draft.floor) { marks = []; take(draft.floor); dirty.floor = true; }
    at("restored").hidden = false;
    open(draft.areas ? "areas" : "floor");
  }
  const most = () => how() === "walked" ? 64 : 4;

  const BONES = [[5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16]];
  const points = (corners) => corners.map(([a, b]) => `${a},${y(b)}`).join(" ");
  // A finger is 44 px wide, whatever the size of the picture.
  let cross = null;
  const unit = () => 1000 / Math.max(1, over.clientWidth);

  function draw() {
    over.setAttribute("viewBox", `0 0 1000 ${1000 * ratio}`);
    over.replaceChildren();
    over.classList.toggle("editing", tool !== "look");
    over.setAttribute("role", tool === "look" ? "img" : "group");
    const points_ = (tool === "areas" && drawing) || (tool === "floor" && marks.length < most());
    if (points_) over.setAttribute("tabindex", 0); else over.removeAttribute("tabindex");
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
    if (points_ && cross) {
      const [a, b] = cross, r = 14 * unit();
      shape("path", { d: `M${a - r} ${y(b)}h${2 * r}M${a} ${y(b) - r}v${2 * r}`, class: "cross" }, over);
    }
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
    const [a, b] = list[n], g = shape("g", { class: "handle", tabindex: 0, role: "button", "aria-label": fill(t.tCornerN, { n: n + 1 }) }, over);
    shape("circle", { cx: a, cy: y(b), r: 22 * unit(), class: "reach" }, g);
    shape("circle", { cx: a, cy: y(b), r: 7 * unit(), class: "dot" }, g);
    g.dataset.n = n;
    g.addEventListener("pointerdown", (e) => {
      if (drawing) return;
      e.stopPropagation(); e.preventDefault();
      drag(list, n, done);
    });
    g.addEventListener("keydown", (e) => {
      if (e.key === "Delete" || e.key === "Backspace") { e.preventDefault(); e.stopPropagation(); without(list, n, done); return; }
      const step = { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5] }[e.key];
      if (!step) return;
      e.preventDefault(); e.stopPropagation();
      list[n] = [clamp(list[n][0] + step[0]), clamp(list[n][1] + step[1])];
      done(); draw();
      const again = over.querySelector(`.handle[data-n="${n}"]`);
      if (again) again.focus();
    });
  }
  function without(list, n, done) { if (list !== marks && list !== drawing && list.length > 3) { list.splice(n, 1); done(); draw(); } }
  // Half way between two corners: dragging it makes a new one.
  function middle(list, n, [a, b]) {
    const c = shape("circle", { cx: a, cy: y(b), r: 4.5 * unit(), class: "middle" }, over);
    c.addEventListener("pointerdown", (e) => { e.stopPropagation(); e.preventDefault(); list.splice(n + 1, 0, [clamp(a), clamp(b)]); changed(); drag(list, n + 1, changed); draw(); });
  }
  function place(e) {
    const box = over.getBoundingClientRect();
    return [clamp((e.clientX - box.left) / box.width * 1000), clamp((e.clientY - box.top) / box.height * 1000)];
  }
  let tapped = { list: null, n: -1, when: -1e9 };
  function drag(list, n, done) {
    let moved = false;
    const from = [...list[n]];
    const move = (e) => {
      const p = place(e);
      // A finger trembles.
      if (!moved && Math.hypot(p[0] - from[0], y(p[1] - from[1])) < 4 * unit()) return;
      moved = true; list[n] = p; draw();
    };
    const stop = (e) => {
      removeEventListener("pointermove", move); removeEventListener("pointerup", stop); removeEventListener("pointercancel", stop);
      const twice = !moved && tapped.list === list && tapped.n === n && performance.now() - tapped.when < 500;
      tapped = moved || twice || e.type !== "pointerup" ? { list: null, n: -1, when: -1e9 } : { list, n, when: performance.now() };
      if (twice) without(list, n, done); else { if (moved) done(); draw(); }
    };
    addEventListener("pointermove", move); addEventListener("pointerup", stop); addEventListener("pointercancel", stop);
  }

  function choose(n) { chosen = n; if (areas[n]) { kind.value = areas[n].kind; zone.value = areas[n].zone || ""; } list(); draw(); }
  function changed() { dirty.areas = true; at("areas-save").disabled = !!drawing; store(); list(); }
  function list() {
    const ul = at("area-list");
    ul.replaceChildren();
    areas.forEach((a, n) => {
      const li = node("li", "", ul);
      if (n === chosen) li.className = "chosen";
      const text = node("p", "", li);
      node("b", word(kind, a.kind), text);
      node("span", ` ${word(zone, a.zone)} · ${fill(t.tCorners, { n: a.corners.length })}`, text);
      const about = `${word(kind, a.kind)} ${n + 1}`;
      button(t.tPick, about, li, () => choose(n)).setAttribute("aria-pressed", n === chosen);
      button(t.tRemove, about, li, () => { areas.splice(n, 1); chosen = -1; changed(); draw(); });
    });
    at("area-undo").disabled = !drawing;
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
  at("area-new").addEventListener("click", () => { drawing = []; chosen = -1; at("areas-save").disabled = true; list(); draw(); over.scrollIntoView({ block: "nearest" }); over.focus({ preventScroll: true }); });
  // With nothing left to undo, the new area is given up.
  at("area-undo").addEventListener("click", () => { if (drawing.length) drawing.pop(); else { drawing = null; at("areas-save").disabled = !dirty.areas; } list(); draw(); });
  at("area-done").addEventListener("click", finish);
  for (const select of [kind, zone]) select.addEventListener("change", () => {
    const a = areas[chosen];
    if (!a || drawing) return;
    a.kind = kind.value;
    if (zone.value) a.zone = zone.value; else delete a.zone;
    changed(); draw();
  });
  at("areas-form").addEventListener("submit", (e) => { sent(e, "areas", () => { e.target.elements.areas.value = JSON.stringify(areas); }); });

  function floorMarks() {
    if (how() === "walked") {
      for (let n = 0; n + 1 < marks.length; n += 2) {
        const [[a, b], [c, d]] = [marks[n], marks[n + 1]];
        shape("line", { x1: a, y1: y(b), x2: c, y2: y(d), class: "stature" }, over);
        shape("text", { x: a + 10 * unit(), y: y(b), class: "person-says", "font-size": 14 * unit() }, over).textContent = n / 2 + 1;
      }
    } else if (marks.length > 1) shape(marks.length === 4 ? "polygon" : "polyline", { points: points(marks), class: "area drawing" }, over);
    marks.forEach((_, n) => handle(marks, n, () => { dirty.floor = true; tryFloor(); }));
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
    errors = null; failed = false;
    store(); says();
    if (!complete()) return;
    const mine = ++asked;
    try {
      const answer = await fetch(`${base}/floor/try`, { method: "POST", credentials: "same-origin", headers: { "x-csrf-token": t.csrf, "content-type": "application/json" }, body: JSON.stringify({ floor: floor(), ratio: 1 / ratio }), signal: AbortSignal.timeout(8000) });
      const found = answer.ok ? await answer.json() : null;
      if (mine === asked) { errors = found; failed = !found; says(); }
    } catch { if (mine === asked) { failed = true; says(); } }
  }
  function says() {
    const walked = how() === "walked", next_ = at("floor-next"), ol = at("floor-list"), result = at("floor-says");
    const missing = Math.max(0, 3 - Math.floor(marks.length / 2));
    next_.textContent = !walked ? (marks.length < 4 ? fill(t.tCorner, { n: marks.length + 1 }) : "")
      : marks.length % 2 ? t.tHead : `${missing ? "" : `${t.tEnough} · `}${fill(t.tPlace, { n: marks.length / 2 + 1 })} · ${t.tFeet}`;
    if (walked && missing && marks.length % 2 === 0) next_.textContent += ` · ${fill(t.tMore, { n: missing })}`;
    ol.replaceChildren();
    if (walked && errors && errors.places) errors.places.forEach((p, n) => {
      const li = node("li", "", ol);
      if (p.off > 10) li.className = "off";
      const place_ = fill(t.tPlace, { n: n + 1 });
      node("p", `${place_} · ${fill(t.tError, { n: p.cm, d: p.off })}`, li);
      button(t.tRemove, place_, li, () => { marks.splice(2 * n, 2); dirty.floor = true; tryFloor(); draw(); });
    });
    const mount = !walked && errors && errors.places ? errors.places[0] : null, off = mount && mount.off > 30;
    result.textContent = failed ? t.tFailed : !errors ? "" : errors.wrong || (mount ? `${fill(t.tMount, { h: mount.cm, d: mount.off })}${off ? ` · ${t.tMountOff}` : ""}` : fill(t.tFit, { h: errors.camera_cm, e: errors.spread_cm }));
    result.className = failed || off || (errors && errors.wrong) ? "error" : "help";
    at("floor-save").disabled = !errors || !!errors.wrong;
    at("floor-undo").disabled = at("floor-clear").disabled = !marks.length;
  }
  at("floor-undo").addEventListener("click", () => { marks.pop(); dirty.floor = true; hold(how() === "walked" && marks.length % 2 === 1); tryFloor(); draw(); });
  at("floor-clear").addEventListener("click", () => { marks = []; dirty.floor = true; hold(false); tryFloor(); draw(); });
  at("floor-form").addEventListener("submit", (e) => { sent(e, "floor", () => { e.target.elements.floor.value = JSON.stringify(floor()); }); });
  for (const id of ["floor-height", "floor-width", "floor-depth", "floor-camera"]) at(id).addEventListener("change", () => { dirty.floor = true; tryFloor(); });
  const ways = () => { for (const n of document.querySelectorAll("[data-how]")) n.hidden = n.dataset.how !== how(); };
  for (const radio of document.querySelectorAll("input[name=how]")) radio.addEventListener("change", () => { aside[radio.value === "walked" ? "rectangle" : "walked"] = marks; marks = aside[radio.value]; hold(false); ways(); tryFloor(); draw(); });

  // Only what is sent is saved: the rest is asked about, and with a no nothing is sent.
  function sent(e, which, put) {
    const other = which === "areas" ? dirty.floor : which === "floor" ? dirty.areas || drawing : unsaved() || drawing;
    if (other && !confirm(t.tUnsaved)) { e.preventDefault(); return; }
    put();
    // Refused for want of leave, it is still there.
    if (which) store(); else keep(base, null);
    dirty.areas = dirty.floor = false; drawing = null;
  }
  at("end-form").addEventListener("submit", (e) => sent(e, "", () => {}));

  over.addEventListener("pointerdown", (e) => { cross = null; mark(place(e)); });
  over.addEventListener("keydown", (e) => {
    if (e.target !== over) return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (step) { const [a, b] = cross || [500, 500], wide = e.shiftKey ? 5 : 20; cross = [clamp(a + step[0] * wide), clamp(b + step[1] * wide)]; e.preventDefault(); draw(); }
    else if ((e.key === "Enter" || e.key === " ") && cross) { e.preventDefault(); mark(cross); }
  });
  over.addEventListener("focus", () => { if (over.matches(":focus-visible")) { cross = cross || [500, 500]; draw(); } });
  function mark(p) {
    if (tool === "areas" && drawing) {
      const [first] = drawing, near = 22 * unit();
      if (drawing.length >= 3 && Math.hypot(p[0] - first[0], y(p[1] - first[1])) < near) { finish(); return; }
      if (drawing.length < 32) drawing.push(p);
      list(); draw();
    } else if (tool === "areas") choose(-1);
    else if (tool === "floor" && marks.length < most()) {
      marks.push(p);
      dirty.floor = true;
      // The head belongs to where the feet were just now.
      if (how() === "walked") hold(marks.length % 2 === 1);
      tryFloor(); draw();
    }
  }
  const tabs = [...viewer.querySelectorAll("[role=tab]")];
  function open(name) {
    tool = name; cross = null;
    for (const tab of tabs) { const on = tab.dataset.tool === name; tab.setAttribute("aria-selected", on); tab.tabIndex = on ? 0 : -1; }
    for (const panel of viewer.querySelectorAll(".tool")) panel.hidden = panel.dataset.for !== tool;
    if (tool === "floor") { ways(); tryFloor(); }
    draw();
  }
  tabs.forEach((tab, n) => {
    tab.addEventListener("click", () => open(tab.dataset.tool));
    tab.addEventListener("keydown", (e) => {
      const to = { ArrowLeft: n - 1, ArrowRight: n + 1, Home: 0, End: tabs.length - 1 }[e.key], next_ = tabs[to];
      if (next_) { e.preventDefault(); open(next_.dataset.tool); next_.focus(); }
    });
  });
  // Refused by the server: it is still unsaved, and its tool is open.
  if ("refused" in t) { keep(base, null); const which = location.pathname.endsWith("/floor") ? "floor" : "areas"; dirty[which] = true; at("areas-save").disabled = which !== "areas"; open(which); }
  addEventListener("beforeunload", (e) => { if (unsaved() || drawing) e.preventDefault(); });
  addEventListener("resize", draw);
  setInterval(countdown, 1000);
  restore();
  list(); draw(); countdown(); next();
})();
