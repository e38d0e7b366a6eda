// From an empty data folder to a printed commissioning report, timed step by step.
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import mqtt from "mqtt";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const out = process.argv[2] || mkdtempSync(join(tmpdir(), "tuoan-browser-"));
mkdirSync(out, { recursive: true });
const binary = process.env.TUOAN || fileURLToPath(new URL("../../target/debug/tuoan", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "tuoan-data-"));
const free = () => new Promise((done) => { const s = createServer().listen(0, "127.0.0.1", () => { const { port } = s.address(); s.close(() => done(port)); }); });
const [web, broker] = [await free(), await free()];
const base = `http://127.0.0.1:${web}`;

const steps = [], failures = [];
let began = performance.now();
function step(name) { const now = performance.now(); steps.push([name, Math.round(now - began)]); began = now; console.log(`${String(steps.at(-1)[1]).padStart(6)} ms  ${name}`); }
function must(holds, what) { if (!holds) { failures.push(what); console.error(`FAILED  ${what}`); } }

// The gateway, and the code that whoever stands before the box reads on its console.
const gateway = spawn(binary, ["run", "--data", data, "--listen", `127.0.0.1:${web}`, "--mqtt", `127.0.0.1:${broker}`], { stdio: ["ignore", "ignore", "pipe"] });
let console_ = "";
const code = new Promise((done, fail) => {
  gateway.stderr.on("data", (d) => { console_ += d; const m = console_.match(/：\s+([0-9A-Z]{4}-[0-9A-Z]{4})/); if (m) done(m[1]); });
  gateway.on("exit", (c) => fail(new Error(`the gateway ended with ${c}:\n${console_}`)));
});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const devices = [];
try {
  const claim = await code;
  step("gateway waits for its first page");
  const context = await browser.newContext({ locale: "zh-CN", viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.on("pageerror", (e) => must(false, `script error: ${e.message}`));
  // Each page as people see it: three widths, two languages, and what axe-core makes of it. `keep` pages answer a POST and cannot be fetched again.
  async function look(name, keep = false) {
    const spent = performance.now() - began;
    for (const lang of keep ? [null] : ["en", "zh-CN"]) {
      if (lang) await page.goto(`${page.url().split(/[?#]/)[0]}?lang=${lang}`);
      for (const width of [360, 800, 1280]) {
        await page.setViewportSize({ width, height: width === 360 ? 740 : 800 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        must(!wide, `${name} at ${width} px is wider than the screen`);
        await page.screenshot({ path: join(out, `${name}-${width}-${lang || "zh-CN"}.png`), fullPage: true });
      }
      const found = await page.evaluate(`${axe}; axe.run({ resultTypes: ["violations"] })`);
      for (const v of found.violations) must(false, `axe on ${name} (${lang || "zh-CN"}): ${v.id} ${v.nodes.slice(0, 2).map((n) => n.target.join(" ")).join(", ")}`);
    }
    // Looking is not part of the installation's time.
    began = performance.now() - spent;
  }
  await page.goto(base);
  await look("claim");
  await page.goto(base);
  await page.fill("#code", claim); await page.fill("#name", "王园长"); await page.fill("#password", "correct-horse-battery"); await page.fill("#again", "correct-horse-battery");
  await page.click("button.big"); await page.waitForSelector("#staff_hours");
  step("claimed, director's account made");
  await page.fill("#name", ""); await page.click("button.big"); await page.waitForSelector(".field.wrong");
  await look("first-wrong", true);
  await page.goto(base);
  await look("first");
  await page.goto(base);
  await page.fill("#name", "星原托育"); await page.fill("#district", "下城区"); await page.fill("#street", "石桥街道"); await page.fill("#c0_name", "托小一班");
  const site = await page.inputValue("#id");
  await page.click("form.wide-form > button.big"); await page.waitForSelector("#recovery");
  step("site described");
  must(/^([0-9A-Z]{4}-){4}[0-9A-Z]{4}$/.test(await page.textContent("#recovery")), "a recovery code is shown");
  await look("ready", true);
  await page.click("button.big");
  await page.waitForURL("**/setup", { timeout: 60000 });
  step("gateway started in the same process");
  await look("setup");
  // Credentials for three devices, then in force.
  const kit = [["air-1", "climate", "room-1", "环境一"], ["door-1", "door", "exit-1", "大门"], ["panic-1", "panic", "exit-1", "一键报警"]];
  for (const [id] of kit) {
    await page.goto(`${base}/setup/devices`);
    await page.click("details.adder:last-of-type > summary"); await page.fill("#enrol-name", id); await page.click("details.adder:last-of-type button.big");
    const password = await page.textContent(".drawn .secret");
    devices.push({ id, password });
  }
  await look("credential", true);
  await page.click(".apply button.big"); await page.waitForURL("**/setup/devices?done=applied", { timeout: 60000 });
  step("three credentials given and in force");
  let seq = 0;
  for (const d of devices) {
    d.client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker}`, { username: d.id, password: d.password, clientId: d.id, reconnectPeriod: 300 });
    d.say = (kind, body) => d.client.publishAsync(`tuoan/v1/${site}/${d.id}/${kind}`, JSON.stringify({ v: 1, site, device: d.id, boot: 1, seq: ++seq, time: Date.now(), ...body }), { qos: 1 });
  }
  const [air, door, panic] = devices;
  await air.say("telemetry", { readings: { co2: 620, temperature: 22.4, humidity: 45 } });
  await door.say("telemetry", { readings: { open: false } });
  await panic.say("telemetry", { readings: { battery: 98 } });
  for (let n = 0; n < 40; n++) { await page.goto(`${base}/setup/devices`); if (await page.locator(".chip").count() === 3) break; await page.waitForTimeout(250); }
  must(await page.locator(".chip").count() === 3, "all three devices appear");
  step("devices appear");
  await look("devices");
  // One is dragged, the others are chosen from the lists.
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${base}/setup/devices`);
  await page.fill('[data-device="air-1"] [name=name]', "环境一");
  await page.dragAndDrop('[data-device="air-1"]', '[data-room="room-1"]', { sourcePosition: { x: 12, y: 8 } }); await page.waitForURL("**done=placed");
  for (const [id, role, zone, name] of kit.slice(1)) {
    const chip = page.locator(`[data-device="${id}"]`);
    await chip.locator("[name=role]").selectOption(role); await chip.locator("[name=zone]").selectOption(zone); await chip.locator("[name=name]").fill(name);
    await chip.locator("button").click(); await page.waitForURL("**done=placed");
  }
  step("devices placed");
  // The floor plan: one is dragged within its room, another moved by the keyboard, a picture laid beneath.
  await page.goto(`${base}/setup/plan`);
  const kept = () => page.waitForResponse((r) => r.url().endsWith("/setup/plan") && r.request().method() === "POST");
  const spot = page.locator('[data-spot="air-1"]'), box = await spot.locator(".body").boundingBox();
  await page.mouse.move(box.x + 8, box.y + 8);
  await page.mouse.down(); await page.mouse.move(box.x + 30, box.y + 20, { steps: 4 });
  let answer = kept(); await page.mouse.up(); must((await answer).status() === 200, "a device is dragged on the plan");
  await page.locator('[data-spot="door-1"]').focus();
  answer = kept(); await page.keyboard.press("ArrowRight"); must((await answer).status() === 200, "a device is moved by the keyboard");
  const drawn = await page.evaluate(() => fetch("/setup/site.toml").then((r) => r.text()));
  must(drawn.includes("[[plan]]") && drawn.includes("air-1"), "the plan stands in the site file");
  const sheet = await page.evaluate(() => { const c = document.createElement("canvas"); c.width = 1200; c.height = 800; const g = c.getContext("2d"); g.fillStyle = "#f7f4ec"; g.fillRect(0, 0, 1200, 800); g.strokeRect(40, 40, 1120, 720); g.strokeRect(40, 40, 560, 360); return c.toDataURL("image/png").split(",")[1]; });
  await page.setInputFiles("[data-picture]", { name: "plan.png", mimeType: "image/png", buffer: Buffer.from(sheet, "base64") });
  await page.waitForSelector(".sheet-plan image");
  step("floor plan drawn");
  await look("plan-edit");
  await page.goto(`${base}/plan`); await look("plan");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${base}/setup/devices`);
  // A camera is refused where children are washed.
  await page.click("details.adder > summary >> nth=0"); await page.fill("#scan-id", "cam-1"); await page.selectOption("#scan-role", "camera"); await page.selectOption("#scan-zone", "washroom-1");
  await page.click("[data-scan-form] button.big");
  must((await page.textContent("main")).includes("799"), "a camera in the washroom is refused");
  await look("camera-refused", true);
  // Proofs, ticked as they arrive.
  await page.goto(`${base}/setup/proofs`);
  for (const [d, act] of [[air, async () => { await air.say("telemetry", { readings: { co2: 640 } }); await air.say("telemetry", { readings: { co2: 980 } }); }],
    [door, async () => { await door.say("telemetry", { readings: { open: true } }); await door.say("telemetry", { readings: { open: false } }); }],
    [panic, () => panic.say("event", { kind: "panic_pressed" })]]) {
    await page.click(`#proof-${d.id} button`); await page.waitForSelector(`#proof-${d.id}.asked`);
    if (d === door) await look("proofs-waiting");
    await page.goto(`${base}/setup/proofs`);
    await act();
    await page.waitForSelector(`#proof-${d.id}.done`, { timeout: 15000 });
  }
  step("three proofs ticked live");
  await look("proofs");
  await page.goto(base);
  must((await page.textContent("main")).includes("调试进行中"), "commissioning is seen on the home page");
  await look("commissioning");
  for (const item of ["consent", "impact"]) {
    await page.goto(`${base}/setup/checklist`);
    const form = page.locator(`form:has([value="${item}"])`);
    await form.locator("[name=date]").fill("2026-11-20"); await form.locator("button").click(); await page.waitForURL("**done=checked");
  }
  step("checklist dated");
  await look("checklist");
  await page.goto(`${base}/setup/duty`); await look("duty");
  await page.goto(`${base}/setup/labels`); await look("labels");
  await page.goto(`${base}/setup/site`); await look("site-file");
  await page.goto(`${base}/people`); await look("people");
  await page.click("details.adder > summary >> nth=0"); await page.fill("#name", "李老师"); await page.fill("#secret", "2580"); await page.click("details.adder >> nth=0 >> button.big"); await page.waitForURL("**done=added");
  await page.goto(`${base}/account`); await look("account");
  await page.goto(`${base}/notices`); await look("notices");
  await page.goto(`${base}/audit`); await look("audit");
  began = performance.now();
  await page.goto(`${base}/setup/devices`); await page.click(".apply button.big"); await page.waitForURL("**/setup/devices?done=applied", { timeout: 60000 });
  step("placements in force");
  await page.goto(`${base}/setup/report`); await look("report");
  await page.goto(`${base}/setup/report`);
  await page.pdf({ path: join(out, "commissioning-report.pdf"), format: "A4", preferCSSPageSize: true });
  must((await page.textContent("article")).includes("大门"), "the report lists the door");
  step("commissioning report printed");
  // What parents and strangers see.
  await page.goto(`${base}/people`); await page.click('form[action*="/classes/"] button'); await look("parent-link", true);
  const link = await page.textContent(".drawn .link");
  const stranger = await (await browser.newContext({ locale: "zh-CN" })).newPage();
  await stranger.goto(link); must((await stranger.textContent("main")).includes("托小一班"), "parents see their class");
  await stranger.screenshot({ path: join(out, "parent-1280-zh-CN.png"), fullPage: true });
  await stranger.goto(base); await stranger.screenshot({ path: join(out, "login-1280-zh-CN.png"), fullPage: true });
  must(await stranger.locator(".name-tiles label").count() === 2, "the login page shows a tile for each account");
  const incidents = await page.request.get(`${base}/api/v1/view`).then((r) => r.json());
  must((incidents.incidents ?? []).every((i) => i.exercise === "commissioning"), "what was proved raised no incident but tests");
} catch (e) { failures.push(String(e && e.stack || e)); console.error(e); }
finally {
  for (const d of devices) await d.client?.endAsync(true).catch(() => {});
  await browser.close();
  gateway.removeAllListeners("exit"); gateway.kill("SIGTERM");
  const report = { steps: steps.map(([name, ms]) => ({ name, ms })), total_ms: steps.reduce((a, s) => a + s[1], 0), failures };
  writeFileSync(join(out, "report.json"), JSON.stringify(report, null, 2));
  writeFileSync(join(out, "gateway.log"), console_);
  console.log(`\n${steps.length} steps in ${(report.total_ms / 1000).toFixed(1)} s, ${failures.length} failure(s); pictures and report in ${out}`);
  process.exitCode = failures.length ? 1 : 0;
}
