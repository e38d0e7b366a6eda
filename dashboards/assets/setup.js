// Set-up: waits for a gateway that starts, follows proofs, drags devices onto rooms, reads labels. Every page works without it, only more slowly.
"use strict";
(() => {
  // The gateway starts or restarts its parts: go on as soon as it answers.
  const awaited = document.querySelector("[data-await]");
  if (awaited) {
    const to = awaited.dataset.await;
    const look = async () => {
      try { if ((await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(2000) })).ok) { location.replace(to); return; } } catch { /* not yet */ }
      setTimeout(look, 400);
    };
    setTimeout(look, 1200);
  }

  // Proofs are ticked as their events arrive.
  let proofs = document.querySelector("[data-proofs]");
  if (proofs) {
    const follow = async () => {
      try {
        const answer = await fetch(proofs.dataset.proofs, { credentials: "same-origin", headers: { Accept: "text/html" }, signal: AbortSignal.timeout(5000) });
        if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
        if (answer.ok) {
          const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-proofs]");
          if (next && next.innerHTML !== proofs.innerHTML && !proofs.contains(document.activeElement)) { proofs.replaceWith(next); proofs = next; }
          else if (next) for (const li of next.querySelectorAll("li")) { const old = document.getElementById(li.id); if (old && old.className !== li.className && !old.contains(document.activeElement)) old.replaceWith(li); }
        }
      } catch { /* the next try tells */ }
      setTimeout(follow, 1000);
    };
    setTimeout(follow, 1000);
  }

  // A firmware file is sent as it is; what the gateway says of it stands beside the field.
  const firmware = document.querySelector("[data-firmware]"), wrong = document.querySelector("[data-firmware-error]");
  if (firmware && wrong) firmware.addEventListener("change", async () => {
    if (!firmware.files[0]) return;
    let text = firmware.dataset.failed;
    try {
      const answer = await fetch("/setup/firmware/file", { method: "POST", credentials: "same-origin", headers: { "x-csrf-token": firmware.dataset.firmware, "content-type": "application/octet-stream" }, body: firmware.files[0] });
      if (answer.ok) { location.reload(); return; }
      if (answer.status === 422) text = await answer.text();
    } catch { /* said below */ }
    wrong.textContent = text; wrong.hidden = false; firmware.value = "";
  });

  // Dragging is a short cut for the two lists in each device's form.
  let dragged = null;
  for (const chip of document.querySelectorAll("[data-device]")) {
    chip.addEventListener("dragstart", (e) => { dragged = chip; e.dataTransfer.setData("text/plain", chip.dataset.device); e.dataTransfer.effectAllowed = "move"; });
    chip.addEventListener("dragend", () => { dragged = null; });
  }
  for (const room of document.querySelectorAll("[data-room]")) {
    room.addEventListener("dragover", (e) => { if (dragged) { e.preventDefault(); room.classList.add("over"); } });
    room.addEventListener("dragleave", () => room.classList.remove("over"));
    room.addEventListener("drop", (e) => {
      e.preventDefault();
      room.classList.remove("over");
      const form = dragged && dragged.querySelector("form");
      if (!form) return;
      form.querySelector("[data-zone]").value = room.dataset.room;
      form.requestSubmit();
    });
  }

  // Labels, where the browser can read them; typing is always there.
  const button = document.querySelector("[data-scan]"), view = document.querySelector("[data-scan-view]"), id = document.getElementById("scan-id");
  if (button && view && id && "BarcodeDetector" in window && navigator.mediaDevices) {
    button.hidden = false;
    let stream = null;
    const end = () => { if (stream) for (const t of stream.getTracks()) t.stop(); stream = null; view.hidden = true; };
    button.addEventListener("click", async () => {
      if (stream) { end(); return; }
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        view.srcObject = stream; view.hidden = false; await view.play();
        const detector = new BarcodeDetector({ formats: ["qr_code"] });
        const look = async () => {
          if (!stream) return;
          const [found] = await detector.detect(view).catch(() => []);
          const text = found && found.rawValue.match(/^(?:tuoan:device:|https?:\/\/[^/]+\/d\/)([\x21-\x7e]{1,64})$/);
          if (text) { id.value = text[1]; end(); id.focus(); return; }
          requestAnimationFrame(look);
        };
        look();
      } catch { end(); button.hidden = true; }
    });
  }
})();
