// An emergency is heard and, where the browser allows it, pops up: on devices that were told to. And the page for when the gateway is gone.
"use strict";
(() => {
  const keep = { get: (k) => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* a private window forgets */ } } };
  const on = (what) => keep.get("tuoan." + what) === "on";
  const muted = document.getElementById("muted"), panel = document.querySelector(".sound");

  // Two rising tones for an emergency, one low tone for blindness: not to be taken for a telephone, audible over a playroom.
  let audio = null;
  function tone(at, from, to, length) {
    const o = audio.createOscillator(), g = audio.createGain();
    o.type = "square";
    o.frequency.setValueAtTime(from, at); o.frequency.linearRampToValueAtTime(to, at + length);
    g.gain.setValueAtTime(0, at); g.gain.linearRampToValueAtTime(.5, at + .02); g.gain.setValueAtTime(.5, at + length - .05); g.gain.linearRampToValueAtTime(0, at + length);
    o.connect(g).connect(audio.destination); o.start(at); o.stop(at + length);
  }
  const held = () => { if (muted) muted.hidden = !on("sound") || !audio || audio.state === "running"; };
  async function ring(kind) {
    const Audio = window.AudioContext || window.webkitAudioContext;
    if (!Audio) return;
    audio = audio || new Audio();
    // Browsers stay silent until the page was touched; then that is said, not hidden.
    await Promise.race([audio.resume().catch(() => {}), new Promise((r) => setTimeout(r, 300))]);
    held();
    if (audio.state !== "running") return;
    const t = audio.currentTime + .05;
    if (kind === "blind") tone(t, 220, 200, .7);
    else for (let n = 0; n < 3; n++) { tone(t + n * .6, 780, 980, .25); tone(t + n * .6 + .27, 980, 1240, .25); }
  }
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { if (audio && audio.state === "suspended") audio.resume().then(held); }, { passive: true });
  if (muted) muted.addEventListener("click", () => ring("test"));

  if (panel) {
    panel.hidden = false;
    const sound = panel.querySelector("[data-sound]"), notify = panel.querySelector("[data-notify]");
    const allowed = "Notification" in window && window.isSecureContext;
    const show = () => {
      sound.textContent = on("sound") ? sound.dataset.on : sound.dataset.off; sound.setAttribute("aria-pressed", on("sound"));
      const may = allowed && Notification.permission !== "denied";
      notify.disabled = !may;
      notify.textContent = !may ? notify.dataset.no : on("notify") && Notification.permission === "granted" ? notify.dataset.on : notify.dataset.off;
    };
    sound.addEventListener("click", () => { keep.set("tuoan.sound", on("sound") ? "off" : "on"); show(); held(); if (on("sound")) ring("test"); });
    panel.querySelector("[data-sound-test]").addEventListener("click", () => ring("test"));
    notify.addEventListener("click", async () => { if (!on("notify")) await Notification.requestPermission(); keep.set("tuoan.notify", on("notify") ? "off" : "on"); show(); });
    show();
  }

  // Phones take notifications from the service worker alone. What cannot pop up must not keep the sound from being heard.
  async function pop(text, id) {
    const options = { tag: id, requireInteraction: true };
    try {
      const worker = navigator.serviceWorker && await navigator.serviceWorker.getRegistration();
      if (worker && worker.active) { await worker.showNotification(text, options); return; }
      const n = new Notification(text, options);
      n.onclick = () => { focus(); n.close(); document.getElementById(id)?.scrollIntoView(); };
    } catch { /* the sound and the page tell it */ }
  }

  const told = new Set();
  function look() {
    const cards = [...document.querySelectorAll("[data-announce]")], present = new Set(cards.map((c) => c.id));
    for (const id of told) if (!present.has(id)) told.delete(id);
    for (const c of cards) {
      if (told.has(c.id)) continue;
      told.add(c.id);
      if (on("notify") && "Notification" in window && Notification.permission === "granted" && "unheard" in c.dataset) pop(c.dataset.announce, c.id);
    }
    // It goes on until somebody has taken note.
    if (on("sound") && document.querySelector("[data-unheard]") && !document.body.classList.contains("offline")) ring("emergency");
  }
  // A browser that was started again stays silent until it is touched: that is said before there is anything to hear.
  if (on("sound")) setTimeout(() => { const Audio = window.AudioContext || window.webkitAudioContext; if (Audio) { audio = audio || new Audio(); audio.addEventListener("statechange", held); held(); } }, 1500);
  if (document.getElementById("live")) { look(); setInterval(look, 5000); addEventListener("tuoan:news", look); }
  let blind = false;
  new MutationObserver(() => { const now = document.body.classList.contains("offline"); if (now && !blind && on("sound")) ring("blind"); blind = now; }).observe(document.body, { attributes: true, attributeFilter: ["class"] });

  // The kept page tries until the gateway answers.
  const again = document.querySelector("[data-retry]");
  if (again) setInterval(async () => { try { if ((await fetch(again.dataset.retry, { cache: "no-store", signal: AbortSignal.timeout(4000) })).status < 600) location.reload(); } catch { /* still gone */ } }, 5000);
  // Over https or on the box itself the browser keeps that page; elsewhere it shows its own.
  else if (navigator.serviceWorker) navigator.serviceWorker.register("/sw.js").then((r) => { if (r.active) r.active.postMessage("refresh"); }).catch(() => {});
})();
