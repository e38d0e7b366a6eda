// The home page of a real gateway on a cheap phone: time to interactive and bytes, cold and again.
//
//   cargo build --release -p tuoan --bin tuoan
//   npm ci && TUOAN=../../target/release/tuoan node home.mjs [RUNS]
//
// Time to interactive: the first moment after the first paint with the page's scripts run, no request but the event stream under way, and no long task
// (50 ms) in the half second after it; counted from the start of the navigation. Measured twice: while the demo plays a day in three minutes beside it, models
// and all, and after it, when the gateway has as little to do as in a nursery. Both are judged.
import { demo, launch } from "./demo.mjs";

const runs = Number(process.argv[2] ?? 5);
// Lighthouse's "slow 4G" for phones, and its processor: 150 ms round trip, 1.6 Mbit/s down, 750 kbit/s up, four times slower.
const NETWORK = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 }, SLOWER = 4;
const LIMIT_MS = 1000, LIMIT_BYTES = 400_000;

const day = await demo(), browser = await launch(), base = day.site;
let failed = false;
try {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: "zh-CN", serviceWorkers: "block" });
  const page = await context.newPage();
  await page.goto(day.links[0]);
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
  for (const [rest, warm] of [[false, false], [false, true], [true, false], [true, true]]) {
    if (rest) await day.played;
    const all = [];
    for (let n = 0; n < runs; n++) all.push(await measure(warm));
    const middle = (key) => all.map((m) => m[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)], most = (key) => Math.max(...all.map((m) => m[key]));
    console.log(`${rest ? "at rest" : "while a day passes in three minutes"}, ${warm ? "again" : "first visit"}: first paint ${middle("paint").toFixed(0)} ms, interactive ${middle("interactive").toFixed(0)} ms (slowest ${most("interactive").toFixed(0)}), ${most("bytes")} bytes`);
    if (middle("interactive") > LIMIT_MS || most("bytes") > LIMIT_BYTES) failed = true;
  }
} finally {
  await browser.close();
  await day.stop();
}
process.exit(failed ? 1 : 0);
