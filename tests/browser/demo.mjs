// The demo's day with its two servers, and people of every role at its door.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const CODE = "ABCD-2345";

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Starts `tuoan demo` (`$TUOAN`, by default the debug build, which a busy machine is too slow for: its cameras must keep up with the day); gives the addresses and the two links that sign in once. */
export async function demo() {
  const binary = process.env.TUOAN ?? fileURLToPath(new URL("../../target/debug/tuoan", import.meta.url));
  const data = mkdtempSync(`${tmpdir()}/tuoan-demo-`);
  const process_ = spawn(binary, ["demo", "--data", data], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TUOAN_CLAIM_CODE: CODE } });
  let said = "";
  let over;
  const played = new Promise((end) => { over = end; });
  const links = await new Promise((found, failed) => {
    process_.stdout.on("data", (text) => { said += text; if (said.includes("The pages stay open")) over(); const all = [...said.matchAll(/http:\/\/\S+\/enter\/\S+/g)].map((m) => m[0]); if (all.length === 2) found(all); });
    process_.once("error", failed);
    process_.once("exit", (code) => failed(new Error(`${binary} demo ended with ${code}: build it first`)));
  });
  const gone = new Promise((end) => process_.once("exit", end));
  return {
    process: process_, gone, played, site: new URL(links[0]).origin, district: new URL(links[1]).origin, links, data,
    async stop() { process_.kill("SIGKILL"); await gone; rmSync(data, { recursive: true, force: true }); },
  };
}

/** Cookies of a director, a carer, an installer and an inspector of the demo's gateway, and the path of a class's page for parents. */
export async function people(browser, day) {
  const director = await browser.newContext({ locale: "zh-CN", serviceWorkers: "block" });
  const page = await director.newPage();
  await page.goto(`${day.site}/claim`);
  await page.fill("#code", CODE); await page.fill("#name", "王园长"); await page.fill("#password", "correct-horse-battery"); await page.fill("#again", "correct-horse-battery");
  await page.locator("button.big").click(); await page.waitForURL(`${day.site}/`);
  const add = async (name, role, secret) => {
    await page.goto(`${day.site}/people`);
    await page.locator("#name").evaluate((n) => { n.closest("details").open = true; });
    await page.fill("#name", name); await page.selectOption("#role", role); await page.fill("#secret", secret);
    await page.locator('form[action="/people"] button.big').click(); await page.waitForURL("**done=added");
  };
  await add("李老师", "carer", "2580");
  await add("安装师傅", "installer", "a-ladder-and-a-drill");
  await page.locator("#holder").evaluate((n) => { n.closest("details").open = true; });
  await page.fill("#holder", "王检查员"); await page.fill("#purpose", "双随机检查");
  await page.locator('form[action="/people/passes"] button.big').click();
  const code = await page.locator(".drawn .secret").innerText();
  await page.goto(`${day.site}/people`);
  await page.locator('form[action$="/link"] button').first().click();
  const parents = new URL(await page.locator(".drawn .link").innerText()).pathname;
  const sign = async (fill) => {
    const context = await browser.newContext({ locale: "zh-CN", serviceWorkers: "block" }), door = await context.newPage();
    await door.goto(`${day.site}/login`);
    await fill(door);
    await door.waitForURL(`${day.site}/`);
    const cookies = await context.cookies();
    await context.close();
    return cookies;
  };
  const account = (name, secret) => sign(async (door) => {
    await door.locator(".name-tiles label", { hasText: name }).click(); await door.fill("#password", secret);
    await door.locator('form[action="/login"] button').click();
  });
  const cookies = {
    director: await director.cookies(),
    carer: await account("李老师", "2580"),
    installer: await account("安装师傅", "a-ladder-and-a-drill"),
    inspector: await sign(async (door) => {
      await door.locator("#code").evaluate((n) => { n.closest("details").open = true; });
      await door.fill("#code", code); await door.locator('form[action="/login/code"] button').click();
    }),
  };
  await director.close();
  return { cookies, parents };
}
