// The floor plan by hand: rooms and devices are dragged, or moved by the arrow keys; a picture is sent. The numbers below it do the same without a script.
"use strict";
(() => {
  const error = document.getElementById("plan-error"), token = error.dataset.csrf;
  const say = (text) => { error.textContent = text; error.hidden = !text; if (text) error.scrollIntoView({ block: "nearest" }); };
  const limit = (n, most) => Math.max(0, Math.min(most, Math.round(n)));
  // One change after another: each is written whole before the next is asked for.
  let last = Promise.resolve();
  const put = (fields) => last = last.then(async () => {
    try {
      const answer = await fetch("/setup/plan", { method: "POST", credentials: "same-origin", headers: { "x-csrf-token": token, "accept": "text/plain" }, body: new URLSearchParams(fields) });
      const text = await answer.text();
      if (answer.status === 422) { say(text); return false; }
      if (!answer.ok) throw new Error(String(answer.status));
      say("");
      // It hangs in another room now, which the lists have to show.
      if (text === "moved") location.reload();
      return true;
    } catch { say(error.dataset.failed); return false; }
  });

  for (const svg of document.querySelectorAll("[data-floor]")) {
    const floor = svg.dataset.floor, tall = Number(svg.dataset.tall);
    const point = (e) => { const box = svg.getBoundingClientRect(); return [(e.clientX - box.left) / box.width * 1000, (e.clientY - box.top) / box.height * tall]; };
    const share = (y) => limit(y / tall * 1000, 1000);

    for (const spot of svg.querySelectorAll("[data-spot]")) {
      let at = [Number(spot.dataset.x), Number(spot.dataset.y) / 1000 * tall], kept = at, wait = 0;
      const show = () => spot.setAttribute("transform", `translate(${at[0]} ${at[1]})`);
      const send = async () => { if (await put({ floor, device: spot.dataset.spot, x: limit(at[0], 1000), y: share(at[1]) })) kept = at; else { at = kept; show(); } };
      spot.addEventListener("pointerdown", (e) => {
        e.preventDefault(); spot.setPointerCapture(e.pointerId); spot.focus();
        const move = (m) => { const [x, y] = point(m); at = [limit(x, 1000), limit(y, tall)]; show(); };
        spot.addEventListener("pointermove", move);
        spot.addEventListener("lostpointercapture", () => { spot.removeEventListener("pointermove", move); if (at !== kept) send(); }, { once: true });
      });
      spot.addEventListener("keydown", (e) => {
        const by = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[e.key];
        if (!by) return;
        e.preventDefault();
        at = [limit(at[0] + by[0], 1000), limit(at[1] + by[1], tall)]; show();
        clearTimeout(wait); wait = setTimeout(send, 600);
      });
    }

    for (const zone of svg.querySelectorAll("[data-zone-id]")) {
      const area = zone.querySelector(".area"), grip = zone.querySelector(".grip"), name = zone.querySelector(".name");
      const read = () => ["x", "y", "width", "height"].map((k) => Number(area.getAttribute(k)));
      const draw = ([x, y, w, h]) => {
        for (const [k, n] of [["x", x], ["y", y], ["width", w], ["height", h]]) area.setAttribute(k, n);
        grip.setAttribute("x", x + w - 24); grip.setAttribute("y", y + h - 24); name.setAttribute("x", x + w / 2); name.setAttribute("y", y + 32);
      };
      zone.addEventListener("pointerdown", (e) => {
        e.preventDefault(); zone.setPointerCapture(e.pointerId);
        const from = point(e), was = read(), sizes = e.target === grip;
        const move = (m) => {
          const [dx, dy] = point(m).map((n, i) => n - from[i]), [x, y, w, h] = was;
          draw(sizes ? [x, y, Math.max(40, limit(w + dx, 1000 - x)), Math.max(40, limit(h + dy, tall - y))] : [limit(x + dx, 1000 - w), limit(y + dy, tall - h), w, h]);
        };
        zone.addEventListener("pointermove", move);
        zone.addEventListener("lostpointercapture", async () => {
          zone.removeEventListener("pointermove", move);
          const [x, y, w, h] = read();
          if ([x, y, w, h].join() !== was.join() && !await put({ floor, zone: zone.dataset.zoneId, x: limit(x, 1000), y: share(y), w: limit(w, 1000), h: share(h) })) draw(was);
        }, { once: true });
      });
    }

    // New devices out of the tray.
    svg.addEventListener("dragover", (e) => e.preventDefault());
    svg.addEventListener("drop", (e) => {
      e.preventDefault();
      const chip = [...document.querySelectorAll("[data-new]")].find((c) => c.dataset.new === e.dataTransfer.getData("text/plain"));
      if (!chip) return;
      const [x, y] = point(e);
      put({ floor, device: chip.dataset.new, role: chip.querySelector("select").value, x: limit(x, 1000), y: share(y) });
    });
  }
  for (const chip of document.querySelectorAll("[data-new]")) chip.addEventListener("dragstart", (e) => e.dataTransfer.setData("text/plain", chip.dataset.new));

  for (const input of document.querySelectorAll("[data-picture]")) input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    if (file.size > Number(input.dataset.most)) { say(input.dataset.large); return; }
    try {
      const answer = await fetch(`/setup/plan/picture?floor=${encodeURIComponent(input.dataset.picture)}`, { method: "POST", credentials: "same-origin", headers: { "x-csrf-token": token, "content-type": "application/octet-stream" }, body: file });
      if (answer.ok) { location.reload(); return; }
      say(answer.status === 422 ? await answer.text() : error.dataset.failed);
    } catch { say(error.dataset.failed); }
    input.value = "";
  });
})();
