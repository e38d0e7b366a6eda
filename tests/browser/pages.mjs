// Every page of the gallery, in both languages, light and dark: axe-core without a violation, nothing wider than the screen, no error in the console;
// and a picture of each at three widths, to be looked at.
//
//   cargo build -p tuoan-dashboards --example gallery
//   npm ci && node pages.mjs [FOLDER FOR PICTURES] [PAGE ...]
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const here = new URL(".", import.meta.url).pathname, axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [folder = "pictures", ...only] = process.argv.slice(2);
const PAGES = ("calm busy blind empty incident fresh taken shelved closed drill aside deed link link-group link-taken link-expired quarantine rules rule trial trial-running cameras camera " +
  "pictures pictures-open quality quality-report coverage evidence evidence-whole evidence-changed witness witness-refused report report-done concern sweep search who offline live platform-incident " +
  "first-claim sign-in name confirm commissioning plan plan-edit passes error camera-watched link-unknown link-closed link-locked").split(" ");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WIDTHS = [[360, 740], [800, 1280], [1280, 800]];

const gallery = spawn(process.env.GALLERY ?? `${here}/../../target/debug/examples/gallery`, [], { stdio: ["ignore", "pipe", "inherit"] });
const base = await new Promise((found, failed) => {
  gallery.stdout.once("data", (line) => found(String(line).trim().replace(/\/busy$/, "")));
  gallery.once("exit", () => failed(new Error("the gallery does not start: build it first")));
});
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
let looked = 0, wrong = 0;
const bad = (page, what) => { wrong++; console.log(`${page}: ${what}`); };
try {
  for (const lang of ["zh-CN", "en"]) for (const theme of ["light", "dark"]) for (const [width, height] of WIDTHS) {
    if (theme === "dark" && width === 800) continue;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale: lang, reducedMotion: "reduce" });
    const page = await context.newPage();
    let name = "";
    page.on("pageerror", (e) => bad(name, e.message));
    for (const path of only.length ? only : PAGES) {
      name = `${path} ${lang} ${theme} ${width}`;
      await page.goto("about:blank");
      await page.unrouteAll();
      await page.goto(`${base}/${path}?lang=${lang}&theme=${theme}`);
      // A page that loads itself again must not do so while it is looked at.
      await page.route(`**/${path}?*`, (route) => route.abort("aborted"));
      // What only a script shows is part of the page; the gallery has no events, and so the notice of that does not count.
      await page.waitForTimeout(path === "taken" ? 500 : 60);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) bad(name, `${wide} px wider than the screen`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate((tags) => axe.run(document, { runOnly: tags }), TAGS);
      for (const v of violations) bad(name, `${v.id} (${v.impact}): ${v.help}\n    ${v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " | " + n.any.concat(n.all).map((c) => c.message)[0]).join("\n    ")}`);
      looked++;
      await page.screenshot({ path: `${folder}/${path}-${lang}-${theme}-${width}.png`, fullPage: true });
    }
    await context.close();
  }
} finally {
  await browser.close();
  gallery.kill();
}
console.log(`${looked} views, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
