// Keeps a page true: ages count on, news are fetched, a lost connection is said aloud. Pages work without it, only not live.
"use strict";
(() => {
  const FIELDS = "input,select,textarea", body = document.body, data = body.dataset, offline = document.getElementById("offline"), announce = document.getElementById("announce");
  const speed = Number(data.speed) || 1;
  let base = Number(data.now), from = performance.now(), rate = speed;
  // The server's clock, carried on at its speed: the browser's own may be wrong, and the demo's runs fast and stands still when its day is over.
  const now = () => base + (performance.now() - from) * rate;
  const settle = (ms) => {
    if (!Number.isFinite(ms)) return;
    rate = ms === base && performance.now() - from > 1000 ? 0 : speed;
    base = ms; from = performance.now();
  };
  const fill = (pattern, values) => pattern.replace(/\{(\w)\}/g, (_, k) => values[k]);
  const units = (ms) => { const t = Math.max(0, Math.floor(ms / 1000)); return { t, d: Math.floor(t / 86400) }; };
  function age(ms) {
    const { t, d } = units(ms);
    if (t < 60) return fill(data.ageS, { s: t });
    if (t < 3600) return fill(data.ageM, { m: Math.floor(t / 60) });
    if (t < 86400) return fill(data.ageH, { h: Math.floor(t / 3600) });
    return fill(data.ageD, { d });
  }
  function span(ms) {
    const { t, d } = units(ms);
    if (t < 60) return fill(data.spanS, { s: t });
    if (t < 3600) return fill(data.spanMs, { m: Math.floor(t / 60), s: t % 60 });
    if (t < 86400) return fill(data.spanHm, { h: Math.floor(t / 3600), m: Math.floor(t % 3600 / 60) });
    return fill(data.spanDh, { d, h: Math.floor(t % 86400 / 3600) });
  }
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const wall = (ms, offset) => new Date(ms + offset * 60000).toISOString().slice(11, 16);
  const clock = document.querySelector("[data-clock]");
  const offset = clock ? Number(clock.dataset.offset) : 480;
  function tick() {
    const at = now();
    for (const n of document.querySelectorAll("[data-age]")) put(n, age(at - Number(n.dataset.age)));
    for (const n of document.querySelectorAll("[data-since]")) put(n, span(at - Number(n.dataset.since)));
    if (clock && !body.classList.contains("offline")) put(clock, wall(at, offset));
  }

  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-print]")) window.print();
    const menu = document.querySelector(".menu[open]");
    if (menu && !menu.contains(e.target)) menu.open = false;
  });
  document.addEventListener("keydown", (e) => { const menu = document.querySelector(".menu[open]"); if (e.key === "Escape" && menu) { menu.open = false; menu.querySelector("summary").focus(); } });
  // One tap is one action.
  document.addEventListener("submit", (e) => { if (e.defaultPrevented) return; for (const b of e.target.querySelectorAll("button")) setTimeout(() => { b.disabled = true; }, 0); });
  // After an action or a mistake, what is read first is what came of it.
  const step = document.querySelector("main .notice.done") && document.querySelector("[data-next]");
  const first = step || document.querySelector("[aria-invalid=true], .field.wrong :is(input, select, textarea)") || document.querySelector("main .notice[role]:not([hidden])");
  if (first && !document.querySelector("[autofocus]:not([aria-invalid])")) { if (!first.matches(FIELDS)) first.tabIndex = -1; first.focus({ preventScroll: !first.matches(FIELDS) }); if (step) step.scrollIntoView({ block: "center" }); }
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  // What is being worked out is asked for again, but not under somebody's hands.
  const again = document.querySelector("meta[name=reload]");
  if (again) setInterval(() => { if (!document.hidden && !document.querySelector("details[open]")) location.reload(); }, Number(again.content) * 1000);

  // Originals do not stay on the screen when the leave is over.
  const leave = document.querySelector("[data-leave]"), over = performance.now() + Number(leave && leave.dataset.leave);
  if (leave) { const end = setInterval(() => { if (performance.now() >= over) { clearInterval(end); leave.remove(); location.replace(location.pathname); } }, 1000); }

  let live = document.getElementById("live"), said = new Set();
  const cards = (root) => [...root.querySelectorAll("[data-announce]")];
  if (live) for (const c of cards(live)) said.add(c.id);
  // A finger that is down must not find another button under it when it lifts.
  let pressed = -1e9;
  for (const kind of ["pointerdown", "pointerup", "pointercancel"]) addEventListener(kind, () => { pressed = performance.now(); }, { capture: true, passive: true });
  // Nor must what somebody is writing be pulled from under their hands; but a field that is only left focused must not keep the page as it was.
  let typed = -1e9, composing = false;
  addEventListener("input", () => { typed = performance.now(); }, { capture: true, passive: true });
  for (const kind of ["compositionstart", "compositionend"]) addEventListener(kind, () => { composing = kind === "compositionstart"; }, { capture: true, passive: true });
  function busy() {
    if (performance.now() - pressed < 600) return true;
    const a = document.activeElement, field = live && a && live.contains(a) && a.matches(FIELDS);
    return field && (composing || performance.now() - typed < 2000 || (a.tagName === "SELECT" && performance.now() - pressed < 5000));
  }

  // What tells one field of the page from the others.
  const field = (f) => f && f.matches(FIELDS) && f.form && f.name && live.contains(f) ? `${f.form.getAttribute("action")} ${f.name} ${f.type === "radio" ? f.value : ""}` : null;

  function swap(html) {
    const box = new DOMParser().parseFromString(html, "text/html"), whole = box.getElementById("live");
    if (!whole) return false;
    // Of a page that shows a part only, that part is taken.
    let next = whole;
    if (live.dataset.part) {
      const part = [...whole.querySelectorAll("[data-part]")].find((n) => n.dataset.part === live.dataset.part);
      if (!part) return false;
      next = live.cloneNode(false);
      next.append(...part.childNodes);
      next.dataset.now = whole.dataset.now;
      next.dataset.version = whole.dataset.version;
    }
    const open = new Set([...live.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
    for (const d of next.querySelectorAll("details[data-key]")) d.open = open.has(d.dataset.key);
    // What somebody has begun to fill in stays.
    for (const form of next.querySelectorAll("form[action]")) {
      const old = [...live.querySelectorAll("form[action]")].find((f) => f.getAttribute("action") === form.getAttribute("action") && f.elements.length === form.elements.length);
      if (!old) continue;
      for (const field of form.elements) {
        if (!field.name || field.type === "hidden") continue;
        const was = [...old.elements].find((f) => f.name === field.name && (f.type !== "radio" || f.value === field.value));
        if (!was) continue;
        if (field.type === "radio" || field.type === "checkbox") field.checked = was.checked;
        else if (field.tagName !== "SELECT" || [...field.options].some((o) => o.value === was.value)) field.value = was.value;
      }
    }
    const focus = document.activeElement, place = field(focus), caret = place && focus.type !== "radio" && "selectionStart" in focus ? [focus.selectionStart, focus.selectionEnd] : null;
    const kept = focus && live.contains(focus) && focus.closest("[id]") ? focus.closest("[id]").id : null, index = kept ? [...document.getElementById(kept).querySelectorAll("a,button,summary")].indexOf(focus) : -1;
    // What a script of its own keeps up to date goes on as it is.
    for (const kept of live.querySelectorAll("[data-keep]")) { const place = next.querySelector("#" + kept.id); if (place) { kept.dataset.active = place.dataset.active; place.replaceWith(kept); } }
    live.replaceWith(next);
    live = next;
    settle(Number(live.dataset.now));
    const present = new Set(), fresh = [];
    for (const c of cards(live)) { present.add(c.id); if (!said.has(c.id)) { fresh.push(c.dataset.announce); c.classList.add("fresh"); } }
    said = present;
    if (fresh.length) { announce.textContent = fresh.join("\n"); dispatchEvent(new Event("tuoan:news")); }
    if (place) { const again = [...live.querySelectorAll(FIELDS)].find((f) => field(f) === place); if (again) { again.focus({ preventScroll: true }); if (caret && caret[0] !== null) try { again.setSelectionRange(...caret); } catch { /* not of this type */ } } }
    else if (kept) { const again = document.getElementById(kept); const target = again && (again.querySelectorAll("a,button,summary")[index] || again); if (target && target.focus) target.focus({ preventScroll: true }); }
    if (live.dataset.title) { title = live.dataset.title; if (!blind()) document.title = title; }
    tick();
    return true;
  }

  // The page is live while the event stream speaks and what it told of has been fetched. Ten seconds without either are blindness, and are shown as such:
  // never a stale "safe". Silence is measured by both clocks, for one of them stands still while the device sleeps.
  const QUIET = 10000, WORD = offline.querySelector("p").textContent;
  offline.querySelector("p").textContent = "";
  let wanted = false, running = false, opened = false, seen = "", owed = null;
  let last = performance.now(), lastWall = Date.now(), lastNow = now(), source = null, retry = 0, title = document.title;
  const silent = () => performance.now() - last >= QUIET || Date.now() - lastWall >= QUIET;
  const behind = () => owed !== null && performance.now() - owed >= QUIET;

  async function refresh() {
    wanted = true;
    if (owed === null) owed = performance.now();
    // A page that is fetched now and then, with no word of what happens in between, must not look live.
    if (running || !live || silent()) return;
    running = true;
    while (wanted && !silent()) {
      if (busy()) { await new Promise((r) => setTimeout(r, 200)); continue; }
      // What is told of while this answer is on its way is owed anew.
      const since = owed;
      wanted = false; owed = null;
      try {
        const answer = await fetch(live.dataset.fragment, { credentials: "same-origin", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(8000) });
        if (answer.status === 401 || answer.status === 403) { running = false; location.reload(); return; }
        const text = answer.ok ? await answer.text() : "";
        if (!text || busy() || !swap(text)) throw new Error("not shown");
        see();
      } catch { wanted = true; owed = since; }
      await new Promise((r) => setTimeout(r, Number(live.dataset.pace) || 400));
    }
    running = false;
  }

  const blind = () => body.classList.contains("offline");
  function watch() {
    if (!live || blind() || (!silent() && !behind())) return;
    offline.querySelector("p").textContent = WORD.replace("{time}", wall(lastNow, offset));
    body.classList.add("offline"); offline.hidden = false;
    title = document.title;
    document.title = offline.querySelector("b").textContent;
    if (owed === null) owed = performance.now();
  }
  /** What the page shows is what is: it has just been fetched, and the stream speaks. */
  function see() {
    if (!blind() || silent()) return;
    body.classList.remove("offline"); offline.hidden = true; document.title = title;
  }
  function heard() {
    last = performance.now(); lastWall = Date.now();
    if (blind()) refresh(); else lastNow = now();
  }
  // A stream that is refused may mean that the login is over: that is no blindness, and the door says so.
  async function ask() {
    try { const answer = await fetch(live.dataset.fragment, { credentials: "same-origin", signal: AbortSignal.timeout(8000) }); if (answer.status === 401 || answer.status === 403) location.reload(); } catch { /* gone: that is told */ }
  }
  function connect() {
    if (!live) return;
    if (source) source.close();
    source = new EventSource("/events");
    // A page that has just been loaded is as new as it gets; after that a lost connection may have hidden something.
    source.addEventListener("open", () => { retry = 0; heard(); if (opened) refresh(); opened = true; });
    source.addEventListener("beat", (e) => { heard(); settle(Number(e.data)); });
    source.addEventListener("view", (e) => { heard(); const [version, at] = e.data.split(" "); settle(Number(at)); if (version !== seen) { seen = version; if (version !== live.dataset.version) refresh(); } });
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) { retry = Math.min(retry + 1, 5); setTimeout(connect, 1000 * retry); ask(); } });
  }
  setInterval(() => { tick(); watch(); }, 1000);
  // Queues and receipts change without a new version.
  setInterval(() => { if (!document.hidden) refresh(); }, 15000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { refresh(); if (!source || source.readyState === EventSource.CLOSED) connect(); } });
  connect();
})();
