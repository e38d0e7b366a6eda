// Keeps one page and what it looks like, for when the gateway cannot be reached. Never a page with readings: an old "safe" would be a lie.
"use strict";
const SHELF = "tuoan-offline", PAGE = "/offline";
async function keep() {
  const answer = await fetch(PAGE, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) return;
  const shelf = await caches.open(SHELF), parts = [...new Set((await answer.clone().text()).match(/\/assets\/[0-9a-f]+\/[\w.]+/g) || [])];
  await Promise.all(parts.map(async (p) => { if (!(await shelf.match(p))) await shelf.add(p); }));
  await shelf.put(PAGE, answer);
  for (const kept of await shelf.keys()) { const path = new URL(kept.url).pathname; if (path !== PAGE && !parts.includes(path)) await shelf.delete(kept); }
}
addEventListener("install", (e) => { skipWaiting(); e.waitUntil(keep()); });
addEventListener("activate", (e) => e.waitUntil(clients.claim()));
addEventListener("message", (e) => { if (e.data === "refresh") e.waitUntil(keep().catch(() => {})); });
addEventListener("fetch", (e) => {
  const path = new URL(e.request.url).pathname;
  if (e.request.mode === "navigate" && e.request.method === "GET") e.respondWith(fetch(e.request).catch(async () => (await caches.match(PAGE)) || Response.error()));
  else if (path.startsWith("/assets/")) e.respondWith(fetch(e.request).catch(async () => (await caches.match(path)) || Response.error()));
});
// A notification leads to the page that told it.
self.addEventListener("notificationclick", (e) => {
  e.notification.close();
  e.waitUntil(clients.matchAll({ type: "window" }).then((open) => open.length ? open[0].focus() : clients.openWindow("/")));
});
