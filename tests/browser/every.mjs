// Every page of a real gateway and a real district server, as each of those who may open it: found by following the links, held against the gateway's own
// table of routes. axe-core without a violation, nothing wider than the screen, nothing too small for a finger, no error of a script, in both languages on a phone, a tablet and a desk.
//
//   cargo build -p tuoan --bin tuoan
//   npm ci && node every.mjs [FOLDER FOR PICTURES]
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { demo, launch, people } from "./demo.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"), folder = process.argv[2];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** With QUICK=1 the director's pages on a phone and a desk, the others' on a phone, in Chinese: what `test.sh` has the time for. */
const QUICK = process.env.QUICK === "1";
const WIDTHS = [[390, 844], [820, 1180], [1440, 900]], LANGUAGES = QUICK ? ["zh-CN"] : ["zh-CN", "en"];
const widths = (who) => QUICK ? WIDTHS.filter(([w]) => w === 390 || (who === "director" && w === 1440)) : WIDTHS;
/** What is no mistake here: a message's link that leads nowhere is told so, with a page. */
const EXPECTED = { "/n/unknown": 404 };
/** There only while somebody tries a rule: the gallery shows it (`pages.mjs`). */
const ELSEWHERE = ["/rules/{id}/trial"];
/** Files and answers to scripts. */
const NO_PAGE = /^\/(fragment|api|assets|events)\b|\.toml$|\/(picture|stills\/[^/]+|live)$|^\/incidents\/[^/]+\/pictures\/.|^\/enter\//;

// The routes as the gateway names them, and who may read them.
const source = readFileSync(new URL("../../gateway/src/web/access.rs", import.meta.url), "utf8");
const routes = [...source.matchAll(/row\("([^"]+)", (\w+), \w+\)/g)].filter((m) => m[2] !== "NONE" && !NO_PAGE.test(m[1])).map((m) => m[1]);
const pattern = (route) => new RegExp(`^${route.replace(/\{[^}]+\}/g, "[^/]+")}$`);
const kind = (path) => routes.find((r) => pattern(r).test(path)) ?? path.replace(/\/[^/]*\d[^/]*/g, "/{id}");

const day = await demo(), browser = await launch();
let views = 0, alike = 0, wrong = 0;
const bad = (where, what) => { wrong++; console.log(`${where}: ${what}`); };
const seen = new Set(), built = new Set(), began = performance.now();
if (folder) mkdirSync(folder, { recursive: true });

async function look(page, who, origin, path, lang) {
  let where = `${who} ${path} ${lang}`;
  const error = (e) => bad(where, e.message);
  page.on("pageerror", error);
  const answer = await page.goto(`${origin}${path}`, { timeout: 60000 });
  if (!answer || (answer.status() >= 400 && answer.status() !== EXPECTED[path])) bad(where, `answers ${answer?.status()}`);
  // A page that loads itself again must not do so while it is looked at.
  const again = (url) => url.pathname === path, stay = (route) => route.request().isNavigationRequest() ? route.abort("aborted") : route.continue();
  await page.route(again, stay);
  await page.evaluate(axe);
  for (const [width, height] of widths(who)) {
    where = `${who} ${path} ${lang} ${width}`;
    await page.setViewportSize({ width, height });
    views++;
    // What is built of the same visible elements as a view that axe has seen, in the same language and width, is the same to axe.
    const shape = `${lang} ${width} ` + await page.evaluate(() => [...document.body.querySelectorAll("*")].filter((n) => n.checkVisibility())
      .map((n) => n.tagName + n.getAttribute("class") + [...n.attributes].filter((a) => /^(role|aria-|for|id|type|tabindex)/.test(a.name)).map((a) => a.name)).join());
    if (built.has(shape)) { alike++; continue; }
    built.add(shape);
    const { wide, small, violations } = await page.evaluate(async (tags) => ({
      wide: document.documentElement.scrollWidth - innerWidth,
      small: [...document.querySelectorAll("button, summary, select, input:not([type=hidden]):not([type=radio]):not([type=checkbox]), a.button")]
        .filter((n) => n.checkVisibility() && n.getClientRects().length && Math.min(n.offsetHeight, n.offsetWidth) > 0 && n.offsetHeight < 44).map((n) => n.outerHTML.slice(0, 80)).slice(0, 3),
      violations: (await axe.run(document, { runOnly: tags, resultTypes: ["violations"] })).violations
        .map((v) => `${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.any.concat(n.all).map((c) => c.message)[0] ?? ""}`).join(" | ")}`),
    }), TAGS);
    if (wide > 0) bad(where, `${wide} px wider than the screen`);
    // What a finger must hit.
    for (const n of small) bad(where, `less than 44 px high: ${n}`);
    for (const v of violations) bad(where, v);
    if (folder) await page.screenshot({ path: `${folder}/${who}${path.replace(/[^\w.-]/g, "_").slice(0, 60)}-${lang}-${width}.png`, fullPage: true });
  }
  const links = await page.evaluate(() => [...document.querySelectorAll("a[href]")].filter((a) => a.origin === location.origin && !a.download).map((a) => a.pathname));
  // A report of concern is two steps from every page of the institution.
  if (origin === day.site && !(await page.locator('a[href^="/report"]').count()) && path !== "/report") bad(where, "no way to the report of a concern");
  page.off("pageerror", error);
  await page.goto("about:blank");
  await page.unroute(again, stay);
  return links;
}

/** Goes through all that links lead to; a hundred pages are a loop, and end. */
async function walk(who, origin, cookies, starts, lang) {
  const context = await browser.newContext({ locale: lang, reducedMotion: "reduce", serviceWorkers: "block" });
  if (cookies) await context.addCookies(cookies);
  const page = await context.newPage();
  await page.goto(`${origin}${starts[0]}?lang=${lang}`);
  const queue = [...starts], known = new Set(queue), kinds = new Map();
  let count = 0;
  while (queue.length && count < 100) {
    const path = queue.shift(), of = kind(path);
    // Of pages that differ by an id alone the director opens two, the others one.
    if ((kinds.get(of) ?? 0) >= (who === "director" ? 2 : 1)) continue;
    kinds.set(of, (kinds.get(of) ?? 0) + 1);
    seen.add(of);
    count++;
    for (const next of await look(page, who, origin, path, lang)) if (!known.has(next) && !NO_PAGE.test(next) && next !== "/logout") { known.add(next); queue.push(next); }
  }
  await context.close();
  console.log(`${who} ${lang}: ${count} pages, ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

try {
  const { cookies, parents } = await people(browser, day);
  const district = await browser.newContext({ serviceWorkers: "block" });
  await (await district.newPage()).goto(day.links[1]);
  const officer = await district.cookies();
  await district.close();
  // The day must have come to where something has happened.
  const asking = await browser.newContext();
  await asking.addCookies(cookies.director);
  let pictures = "/";
  for (let n = 0; n < 120; n++) {
    const html = await (await asking.request.get(`${day.site}/incidents`)).text();
    const found = html.match(/href="\/incidents\/[^"?]+"/g) ?? [];
    if (found.length) pictures = `${found[0].slice(6, -1)}/pictures`;
    if (found.length >= 4) break;
    await new Promise((r) => setTimeout(r, 1000));
  }
  await asking.close();
  const all = [
    ["director", day.site, cookies.director, ["/", "/quarantine", pictures]], ["carer", day.site, cookies.carer, ["/"]], ["inspector", day.site, cookies.inspector, ["/"]],
    ["installer", day.site, cookies.installer, ["/", "/d/climate-infant-1"]], ["parent", day.site, null, [parents]], ["nobody", day.site, null, ["/login", "/recover", "/report", "/offline", "/n/unknown"]],
    ["district", day.district, officer, ["/"]], ["nobody-district", day.district, null, ["/login"]],
  ];
  for (const walker of all) await Promise.all(LANGUAGES.map((lang) => walk(...walker, lang)));
  const missed = routes.filter((r) => !seen.has(r) && !ELSEWHERE.includes(r));
  if (missed.length) bad("not looked at", missed.join(", "));
} finally {
  await browser.close();
  await day.stop();
}
console.log(`${views} views, ${alike} of them like another, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
