// Never a stale "safe", and no emergency that is not heard: the home page of the demo behind a proxy that cuts, holds and falsifies what the gateway says.
//
//   cargo build -p tuoan --bin tuoan
//   npm ci && node blind.mjs
import { createServer, request } from "node:http";
import { demo, launch, people } from "./demo.mjs";

const day = await demo(), target = new URL(day.site), browser = await launch();
/** What the proxy does to the event stream and the page's fragment: `pass`, `hold` (connected, and silent), `refuse`. */
const way = { events: "pass", fragment: "pass", emergency: false };
const streams = new Set();
const EMERGENCY = '<article class="card s1" id="i-drawn" data-unheard data-announce="厨房 烟雾报警"><h3>厨房 烟雾报警</h3></article>';
const proxy = createServer((asked, answer) => {
  const kind = asked.url.startsWith("/events") ? "events" : asked.url.startsWith("/fragment/") ? "fragment" : null;
  if (kind && way[kind] === "hold") { streams.add(answer); return; }
  if (kind && way[kind] === "refuse") { answer.writeHead(503).end(); return; }
  const onward = request({ host: target.hostname, port: target.port, path: asked.url, method: asked.method, headers: { ...asked.headers, "accept-encoding": "identity" } }, (got) => {
    if (kind === "events") streams.add(answer);
    if (kind !== "fragment") { answer.writeHead(got.statusCode, got.headers); got.pipe(answer); return; }
    const parts = [];
    got.on("data", (d) => parts.push(d));
    got.on("end", () => {
      let text = Buffer.concat(parts).toString();
      if (way.emergency) text = text.replace('<section class="incidents"', `<section>${EMERGENCY}</section><section class="incidents"`);
      const { "content-length": _, ...headers } = got.headers;
      answer.writeHead(got.statusCode, headers); answer.end(text);
    });
  });
  onward.on("error", () => answer.destroy());
  asked.pipe(onward);
});
await new Promise((open) => proxy.listen(0, "127.0.0.1", open));
const base = `http://127.0.0.1:${proxy.address().port}`;
const cut = () => { for (const s of streams) s.destroy(); streams.clear(); };

let failed = 0;
async function must(what, holds) {
  const good = await holds().then((v) => v !== false, (e) => { console.log(`  ${String(e.message).split("\n")[0]}`); return false; });
  console.log(`${good ? "ok    " : "FAILED"} ${what}`);
  if (!good) failed++;
}
try {
  const { cookies } = await people(browser, day);
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "zh-CN", permissions: ["notifications"] });
  await context.addCookies(cookies.carer);
  // What is heard and what pops up is counted; a headless browser has no loudspeaker. Time can be set by hand.
  await context.addInitScript(() => {
    window.heard = 0; window.popped = [];
    class Param { setValueAtTime() {} linearRampToValueAtTime() {} }
    class Node { constructor() { this.frequency = new Param(); this.gain = new Param(); } connect(n) { return n; } start() { window.heard++; } stop() {} }
    window.AudioContext = class extends EventTarget { state = "running"; currentTime = 0; destination = new Node(); createOscillator() { return new Node(); } createGain() { return new Node(); } async resume() {} };
    ServiceWorkerRegistration.prototype.showNotification = async (text) => { window.popped.push(text); };
    window.Notification = class { static permission = "granted"; constructor(text) { window.popped.push(text); } };
    const real = Date.now.bind(Date); let shift = 0; Date.now = () => real() + shift; window.slept = (ms) => { shift += ms; };
    if (location.protocol === "http:") { localStorage.setItem("tuoan.sound", "on"); localStorage.setItem("tuoan.notify", "on"); }
  });
  const page = await context.newPage();
  const open = async () => { await page.goto(`${base}/`); await page.waitForFunction(() => document.querySelector("#live")); };
  const blind = (ms = 14000) => page.waitForSelector("body.offline", { timeout: ms }), sees = (ms = 14000) => page.waitForSelector("body:not(.offline)", { timeout: ms });
  await open();

  await must("a page with the stream sees", async () => { await page.waitForTimeout(4500); return !(await page.locator("body.offline").count()); });
  await must("a stream that is open and silent is blindness, and the state of the whole is not shown", async () => {
    way.events = "hold"; cut();
    await blind(20000);
    return await page.locator(".whole").isHidden() && (await page.title()).includes("连接中断");
  });
  await must("a stream that speaks again is not enough: what happened meanwhile must have been fetched", async () => {
    way.fragment = "hold"; way.events = "pass"; cut();
    await page.waitForTimeout(6000);
    return Boolean(await page.locator("body.offline").count());
  });
  await must("then it sees, and says so in its title", async () => { way.fragment = "pass"; cut(); await sees(30000); return !(await page.title()).includes("连接中断") && await page.locator(".whole").isVisible(); });
  await must("news that cannot be fetched are blindness, though the stream speaks", async () => { way.fragment = "refuse"; await blind(30000); });
  await must("and pass", async () => { way.fragment = "pass"; await sees(30000); });
  await must("a device that wakes says at once that it has not looked, and looks", async () => {
    way.events = "hold"; cut();
    await page.waitForTimeout(300);
    await page.evaluate(() => window.slept(8 * 3600e3));
    await blind(2500);
    way.events = "pass"; cut();
    await sees(30000);
  });
  await must("a clock that is set back hides no silence", async () => {
    await page.evaluate(() => window.slept(-16 * 3600e3));
    way.events = "hold"; cut();
    await blind(20000);
    way.events = "pass"; cut();
    await sees(30000);
  });
  await must("a field that is left focused does not keep the page as it was", async () => {
    const other = await context.newPage();
    let first = null;
    for (let n = 0; n < 90 && !first; n++) { await other.goto(`${base}/incidents`); first = await other.evaluate(() => document.querySelector('.found a[href^="/incidents/"]')?.pathname); if (!first) await other.waitForTimeout(1000); }
    await other.goto(base + first);
    await other.evaluate(() => { for (const d of document.querySelectorAll("#live details")) d.open = true; });
    await other.locator("#live textarea").first().focus();
    const before = await other.locator("#live").getAttribute("data-now");
    await other.waitForFunction((b) => document.querySelector("#live").dataset.now !== b, before, { timeout: 25000 });
    const stayed = await other.evaluate(() => document.activeElement.matches("#live textarea"));
    await other.close();
    return stayed;
  });
  await must("an emergency is announced, heard, pops up once, and goes on until it is taken", async () => {
    await page.evaluate(() => { window.heard = 0; window.popped = []; });
    way.emergency = true;
    await page.waitForSelector("#i-drawn", { timeout: 25000 });
    await page.waitForFunction(() => window.heard >= 12 && window.popped.length === 1, null, { timeout: 15000 });
    return (await page.locator("#announce").innerText()).includes("厨房 烟雾报警");
  });
  await must("it falls silent when it is taken", async () => {
    way.emergency = false;
    await page.waitForSelector("#i-drawn", { state: "detached", timeout: 25000 });
    const before = await page.evaluate(() => window.heard);
    await page.waitForTimeout(6000);
    return before === await page.evaluate(() => window.heard);
  });
  await must("a browser that lets nothing pop up is heard all the same", async () => {
    await page.evaluate(() => { window.heard = 0; ServiceWorkerRegistration.prototype.showNotification = () => { throw new TypeError("Illegal constructor"); }; window.Notification = class { static permission = "granted"; constructor() { throw new TypeError("Illegal constructor"); } }; });
    way.emergency = true;
    await page.waitForFunction(() => window.heard >= 6, null, { timeout: 30000 });
    way.emergency = false;
  });
  await must("a login that is over leads to the door, and is not called blindness", async () => {
    const other = await browser.newContext();
    await other.addCookies(cookies.carer);
    const elsewhere = await other.newPage();
    await elsewhere.goto(`${day.site}/account`);
    await elsewhere.locator('form[action="/logout"]').evaluate((f) => f.requestSubmit());
    await elsewhere.waitForURL("**/login*");
    cut();
    await page.waitForURL("**/login**", { timeout: 20000 });
    await other.close();
  });
  await context.clearCookies();
  await context.addCookies(cookies.director);
  await open();
  await page.waitForFunction(() => navigator.serviceWorker.ready.then((r) => r.active?.state === "activated"));
  await page.waitForFunction(async () => Boolean(await caches.match("/offline")));
  await must("a gateway that is killed: the open page is blind, a new one is the kept page, and neither says safe", async () => {
    day.process.kill("SIGKILL"); await day.gone; cut();
    // The day may have an emergency open, which rings until the page is blind: only blindness is to be heard.
    await page.evaluate(() => { document.querySelectorAll("[data-unheard]").forEach((n) => n.removeAttribute("data-unheard")); window.heard = 0; });
    await blind(20000);
    const rang = await page.evaluate(() => window.heard === 1), fresh = await context.newPage();
    proxy.close(); proxy.closeAllConnections();
    await fresh.goto(`${base}/`);
    return rang && await page.locator(".whole").isHidden() && (await fresh.locator("h1").innerText()).includes("看不到") && !(await fresh.locator(".tile").count());
  });
} finally {
  await browser.close();
  proxy.close(); proxy.closeAllConnections();
  await day.stop();
}
console.log(failed ? `${failed} failed` : "all held");
process.exit(failed ? 1 : 0);
