// By keyboard alone, as a screen reader's user goes: what is focused is seen, an action's answer is where reading goes on, and nothing is done twice by a
// second stroke of a key.
//
//   cargo build -p tuoan --bin tuoan
//   npm ci && node keyboard.mjs
import { demo, launch, people } from "./demo.mjs";

const day = await demo(), browser = await launch();
let failed = 0;
async function must(what, holds) {
  const good = await holds().then((v) => v !== false, (e) => { console.log(`  ${String(e.message).split("\n")[0]}`); return false; });
  console.log(`${good ? "ok    " : "FAILED"} ${what}`);
  if (!good) failed++;
}
try {
  const { cookies } = await people(browser, day);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "zh-CN", serviceWorkers: "block" });
  await context.addCookies(cookies.director);
  const page = await context.newPage();
  const now = () => page.evaluate(() => { const a = document.activeElement, s = getComputedStyle(a); return { tag: a.tagName, text: (a.innerText || a.getAttribute("aria-label") || a.value || "").trim(), href: a.getAttribute("href"), id: a.id, main: Boolean(a.closest("main")), seen: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 }; });
  /** Goes on until something of that kind is focused; what is passed on the way must be seen to be focused. */
  async function tabTo(is, key = "Tab", most = 300) {
    for (let n = 0; n < most; n++) {
      await page.keyboard.press(key);
      const a = await now();
      if (a.tag !== "BODY" && !a.seen && !["INPUT", "SELECT", "TEXTAREA"].includes(a.tag)) throw new Error(`the focus cannot be seen on ${a.tag} “${a.text.slice(0, 40)}”`);
      if (is(a)) return a;
    }
    throw new Error("the keyboard does not come there");
  }
  const go = (path) => page.goto(`${day.site}${path}`);

  for (let n = 0; n < 90; n++) { await go("/"); if (await page.locator(".card .act form button").count()) break; await page.waitForTimeout(1000); }
  await must("the first stop leads over the head to the contents", async () => { await go("/"); await tabTo((a) => a.href === "#main", "Tab", 1); await page.keyboard.press("Enter"); return (await now()).id === "main"; });
  await must("the menu opens and closes by keys, and the focus comes back to it", async () => {
    await go("/"); await tabTo((a) => a.tag === "SUMMARY"); await page.keyboard.press("Enter");
    await tabTo((a) => a.href === "/sweep"); await page.keyboard.press("Escape");
    return (await now()).tag === "SUMMARY" && !(await page.locator(".menu[open]").count());
  });
  await must("an incident is taken, and what came of it is read next", async () => {
    await go("/"); const a = await tabTo((a) => a.main && a.tag === "BUTTON" && a.text.startsWith("我来处理"));
    if (a.text.length < 7) throw new Error("the button does not say for which room");
    await Promise.all([page.waitForURL("**done=**"), page.keyboard.press("Enter")]);
    return (await now()).text.includes("已由你处理");
  });
  await must("a mistake in a form is where the focus is", async () => {
    await go("/check"); await page.locator("form.page-form button.big").focus(); await page.keyboard.press("Enter"); await page.waitForSelector(".field.wrong, .error");
    return (await page.evaluate(() => document.activeElement !== document.body));
  });
  await must("rooms are swept one after the other, without the way through all that are done", async () => {
    await go("/sweep"); await tabTo((a) => a.main && a.tag === "BUTTON" && a.text.startsWith("这间已清场"));
    await Promise.all([page.waitForURL("**done=swept"), page.keyboard.press("Enter")]);
    const second = (await now()).text;
    // A second stroke does nothing: the room is read first, and its button is one step further.
    await page.keyboard.press("Enter"); await page.waitForTimeout(300);
    if (await page.locator(".sweep .done").count() > 1) throw new Error("a second stroke swept another room");
    const a = await tabTo((a) => a.tag === "BUTTON" && a.main, "Tab", 2);
    return second.includes("这间已清场") && a.text.startsWith("这间已清场") && second.startsWith(a.text.replace("这间已清场", "").trim());
  });
  await must("a device is asked for its proof", async () => {
    await go("/setup/proofs"); await tabTo((a) => a.main && a.tag === "BUTTON" && a.text.split("\n")[0] === "开始"); await page.keyboard.press("Enter");
    await page.waitForSelector("li.asked");
  });
  await must("a concern is reported in two steps from a page like any other", async () => {
    await go("/rules"); await tabTo((a) => a.href === "/report", "Shift+Tab", 3); await Promise.all([page.waitForURL("**/report"), page.keyboard.press("Enter")]);
    await tabTo((a) => a.tag === "INPUT"); await page.keyboard.press("Space");
    await tabTo((a) => a.tag === "BUTTON" && a.text === "确认报告"); await page.keyboard.press("Enter");
    await page.waitForSelector(".ticks");
    return (await page.locator("h1").innerText()) === "已收到您的报告";
  });
} finally {
  await browser.close();
  await day.stop();
}
console.log(failed ? `${failed} failed` : "all held");
process.exit(failed ? 1 : 0);
