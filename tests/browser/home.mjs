// The home page of a real gateway on a cheap phone: time to interactive and bytes, cold and again; then what it does when the gateway is gone.
//
//   cargo build -p tuoan --bin tuoan
//   npm ci && node home.mjs [RUNS]
//
// Time to interactive: the first moment after the first paint with the page's scripts run, no request but the event stream under way, and no long task
// (50 ms) in the half second after it; counted from the start of the navigation.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { chromium } from "playwright-core";

const here = new URL(".", import.meta.url).pathname, runs = Number(process.argv[2] ?? 5);
// Lighthouse's "slow 4G" for phones, and its processor: 150 ms round trip, 1.6 Mbit/s down, 750 kbit/s up, four times slower.
const NETWORK = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 }, SLOWER = 4;
const LIMIT_MS = 1000, LIMIT_BYTES = 400_000;

const data = mkdtempSync(`${tmpdir()}/tuoan-home-`);
const demo = spawn(process.env.TUOAN ?? `${here}/../../target/debug/tuoan`, ["demo", "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
const enter = await new Promise((found, failed) => {
  let said = "";
  demo.stdout.on("data", (text) => { said += text; const link = said.match(/http:\/\/\S+\/enter\/\S+/); if (link) found(link[0]); });
  demo.once("exit", () => failed(new Error("the demo does not start: build it first")));
});
const base = new URL(enter).origin;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
let failed = false;
try {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: "zh-CN", serviceWorkers: "block" });
  const page = await context.newPage();
  await page.goto(enter);
  const cookies = await context.cookies();
  async function measure(warm) {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: "zh-CN", serviceWorkers: "block" });
    await context.addCookies(cookies);
    const page = await context.newPage(), cdp = await context.newCDPSession(page);
    await cdp.send("Network.enable");
    if (warm) await page.goto(base + "/", { waitUntil: "load" });
    await cdp.send("Network.emulateNetworkConditions", NETWORK);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
    let bytes = 0, counted = true;
    cdp.on("Network.loadingFinished", (e) => { if (counted) bytes += e.encodedDataLength; });
    await page.addInitScript(() => { window.__long = []; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.__long.push(e.startTime + e.duration); }).observe({ type: "longtask", buffered: true }); });
    await page.goto(base + "/", { waitUntil: "load" });
    await page.waitForTimeout(700);
    counted = false;
    const t = await page.evaluate(() => {
      const n = performance.getEntriesByType("navigation")[0], paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
      const quiet = window.__long.filter((end) => end < n.loadEventEnd + 500);
      const shift = performance.getEntriesByType("layout-shift").reduce((s, e) => s + e.value, 0);
      return { paint, interactive: Math.max(paint, n.domContentLoadedEventEnd, ...quiet), shift };
    });
    await context.close();
    return { ...t, bytes };
  }
  for (const warm of [false, true]) {
    const all = [];
    for (let n = 0; n < runs; n++) all.push(await measure(warm));
    const middle = (key) => all.map((m) => m[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)], most = (key) => Math.max(...all.map((m) => m[key]));
    console.log(`${warm ? "again" : "first visit"}: first paint ${middle("paint").toFixed(0)} ms, interactive ${middle("interactive").toFixed(0)} ms (slowest ${most("interactive").toFixed(0)}), ${most("bytes")} bytes`);
    if (middle("interactive") > LIMIT_MS || most("bytes") > LIMIT_BYTES) failed = true;
  }

  // The gateway goes: the page that is open says so, and a page that is opened is the kept one, never an old "safe".
  const watching = await browser.newContext({ viewport: { width: 360, height: 740 }, locale: "zh-CN" });
  await watching.addCookies(cookies);
  const open = await watching.newPage();
  await open.goto(base + "/");
  await open.waitForFunction(() => navigator.serviceWorker.ready.then((r) => r.active?.state === "activated"));
  await open.waitForFunction(async () => Boolean(await caches.match("/offline")));
  const ended = new Promise((r) => demo.once("exit", r));
  demo.kill("SIGKILL");
  await ended;
  await open.waitForSelector("body.offline", { timeout: 20000 });
  const hidden = await open.locator(".whole").isHidden(), says = await open.locator("#offline b").innerText();
  const fresh = await watching.newPage();
  await fresh.goto(base + "/");
  const kept = await fresh.locator("h1").innerText();
  console.log(`gateway gone: the open page says “${says}”, state of the whole hidden: ${hidden}; a page opened now says “${kept}”`);
  if (!hidden || !kept.includes("看不到") || await fresh.locator(".tile").count()) failed = true;
} finally {
  await browser.close();
  demo.kill("SIGKILL");
  rmSync(data, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
