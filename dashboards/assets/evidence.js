// Sends a chosen file to be checked and puts the verdict into the page.
"use strict";
(() => {
  const input = document.querySelector("[data-evidence]"), verdict = document.getElementById("verdict");
  if (!input || !verdict) return;
  const say = (text) => { const p = document.createElement("p"); p.textContent = text; verdict.replaceChildren(p); };
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    if (file.size > Number(input.dataset.max)) { say(input.dataset.tooLarge); return; }
    say(input.dataset.busy);
    try {
      const headers = { "x-csrf-token": input.dataset.csrf, "content-type": "application/octet-stream" };
      const answer = await fetch(input.dataset.evidence, { method: "POST", credentials: "same-origin", headers, body: file });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html"), found = page.getElementById("verdict");
      if (!answer.ok || !found) throw new Error(String(answer.status));
      verdict.replaceChildren(...found.childNodes);
    } catch {
      say(input.dataset.failed);
    }
  });
})();
