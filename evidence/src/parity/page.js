"use strict";
// node page.js PAGE TASKS: runs the scripts of an evidence page, all but the one that draws it, and answers each task with null (it holds) or why not.
// With `old` behind them it is a browser without TextDecoder. Used by mod.rs.
const { readFileSync } = require("node:fs"), vm = require("node:vm");
const [, , page, tasks, old] = process.argv;
const world = { atob, btoa };
world.self = world;
if (!old) world.TextDecoder = TextDecoder;
vm.createContext(world);
const scripts = [...readFileSync(page, "utf8").matchAll(/<script>\n([\s\S]*?)\n<\/script>\n/g)].map((m) => m[1]);
for (const script of scripts.slice(0, 3)) vm.runInContext(script, world);
const Evidence = vm.runInContext("Evidence", world);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const why = (found) => found.faults.length ? JSON.stringify(found.faults[0]) : null;
const one = (read) => (text) => { read(text); return null; };
const HOW = {
  body: (text) => why(Evidence.check(text)),
  file: (hex) => why(Evidence.checkFile(bytes(hex))),
  event: one(Evidence.event), day: one(Evidence.day), looks: one(Evidence.looks),
  signature: (text) => { const [m, s, k] = text.split(" ").map(bytes); return Evidence.verifies(m, s, k) ? null : "signature"; },
};
const answers = JSON.parse(readFileSync(tasks, "utf8")).map(([how, what]) => {
  try { return HOW[how](what); } catch (e) { return String(e && e.message) || "refused"; }
});
process.stdout.write(JSON.stringify(answers));
