"use strict";
// Checks a bundle as `tuoan evidence verify` does: ECMAScript 5 with typed arrays, because an office computer's browser may be old.
// Of its own page it cannot see the bytes, only the text of the records; of a file that is chosen it checks every byte.
var Evidence = (function () {
  var OPEN = "\n<script type=\"text/plain\" id=\"evidence\">\n", TAIL = "<" + "/script>\n</body>\n</html>\n";
  function utf8(text) {
    var s = unescape(encodeURIComponent(text)), out = new Uint8Array(s.length);
    for (var i = 0; i < s.length; i++) out[i] = s.charCodeAt(i);
    return out;
  }
  function text(bytes) {
    if (typeof TextDecoder !== "undefined") return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    var s = "";
    for (var i = 0; i < bytes.length; i += 8192) s += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
    return decodeURIComponent(escape(s));
  }
  function hex(bytes) {
    var s = "";
    for (var i = 0; i < bytes.length; i++) s += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
    return s;
  }
  function unhex(s) {
    if (typeof s !== "string" || s.length % 2 || /[^0-9a-f]/.test(s)) throw new Error("hex");
    var out = new Uint8Array(s.length / 2);
    for (var i = 0; i < out.length; i++) out[i] = parseInt(s.substr(2 * i, 2), 16);
    return out;
  }
  function join(parts) {
    var n = 0, at = 0;
    parts.forEach(function (p) { n += p.length; });
    var out = new Uint8Array(n);
    parts.forEach(function (p) { out.set(p, at); at += p.length; });
    return out;
  }
  function digest(bytes) { return sha256(bytes); }
  function same(a, b) { return hex(a) === hex(b); }
  // S must be below the group's order, or a signature would have a second spelling.
  var ORDER = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  function verifies(message, signature, key) {
    if (signature.length !== 64 || key.length !== 32) return false;
    for (var i = 31; i >= 0; i--) {
      if (signature[32 + i] < ORDER[i]) break;
      if (signature[32 + i] > ORDER[i] || i === 0) return false;
    }
    return nacl.sign.detached.verify(message, signature, key);
  }
  function leafHash(kind, bytes) { return digest(join([new Uint8Array([0, kind]), bytes])); }
  function nodeHash(l, r) { return digest(join([new Uint8Array([1]), l, r])); }
  function half(n) { return Math.floor(n / 2); }
  function included(leaf, index, size, proof, root) {
    if (!(index >= 0 && index < size) || proof.length > 64) return false;
    var f = index, s = size - 1, r = leaf;
    for (var i = 0; i < proof.length; i++) {
      if (s === 0) return false;
      if (f % 2 === 1 || f === s) {
        r = nodeHash(proof[i], r);
        while (f % 2 === 0 && f !== 0) { f = half(f); s = half(s); }
      } else r = nodeHash(r, proof[i]);
      f = half(f); s = half(s);
    }
    return s === 0 && same(r, root);
  }
  function consistent(older, oldRoot, newer, newRoot, proof) {
    if (older > newer || proof.length > 64) return false;
    if (older === 0) return proof.length === 0 && same(oldRoot, digest(new Uint8Array(0)));
    if (older === newer) return proof.length === 0 && same(oldRoot, newRoot);
    var whole = older;
    while (whole % 2 === 0) whole = half(whole);
    var list = whole === 1 ? [oldRoot].concat(proof) : proof.slice();
    if (!list.length) return false;
    var f = older - 1, s = newer - 1;
    while (f % 2 === 1) { f = half(f); s = half(s); }
    var fr = list[0], sr = list[0];
    for (var i = 1; i < list.length; i++) {
      if (s === 0) return false;
      if (f % 2 === 1 || f === s) {
        fr = nodeHash(list[i], fr); sr = nodeHash(list[i], sr);
        while (f % 2 === 0 && f !== 0) { f = half(f); s = half(s); }
      } else sr = nodeHash(sr, list[i]);
      f = half(f); s = half(s);
    }
    return s === 0 && same(fr, oldRoot) && same(sr, newRoot);
  }
  // One CBOR item of the kinds that events are made of; nothing nests deeper than 8.
  function cbor(bytes) {
    var at = 0;
    function size(info) {
      if (info < 24) return info;
      var n = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0, v = 0;
      if (!n || at + n > bytes.length) throw new Error("cbor");
      for (; n > 0; n--) v = v * 256 + bytes[at++];
      return v;
    }
    function item(depth) {
      if (depth > 8 || at >= bytes.length) throw new Error("cbor");
      var first = bytes[at++], kind = first >> 5, info = first & 31, n, i, out;
      if (kind === 7) { if (info === 20) return false; if (info === 21) return true; if (info === 22) return null; throw new Error("cbor"); }
      n = size(info);
      if (kind === 0) return n;
      if (kind === 1) return -1 - n;
      if (kind === 2 || kind === 3) {
        if (at + n > bytes.length) throw new Error("cbor");
        out = bytes.subarray(at, at + n); at += n;
        return kind === 2 ? hex(out) : text(out);
      }
      if (kind === 4) { for (out = [], i = 0; i < n; i++) out.push(item(depth + 1)); return out; }
      if (kind === 5) { for (out = {}, i = 0; i < n; i++) { var k = item(depth + 1); out[k] = item(depth + 1); } return out; }
      throw new Error("cbor");
    }
    var value = item(0);
    if (at !== bytes.length) throw new Error("cbor");
    return value;
  }
  var FIELDS = ["v", "site", "institution", "supervisor", "log", "sequence", "position", "id", "incident", "at", "clock_trusted", "transition", "state", "hazard",
    "place", "severity", "basis", "rule", "trigger", "activations", "found_on_connect", "actor", "note", "engine", "rules", "overridden_by", "via", "cause",
    "until", "assignee", "other", "rung", "exercise"];
  function event(digits) {
    var map = cbor(unhex(digits)), out = {};
    Object.keys(map).forEach(function (k) { if (FIELDS[k]) out[FIELDS[k]] = map[k]; });
    if (out.state) out.state = { active: out.state[1], acknowledged: out.state[2], closed: out.state[3], inhibited: out.state[4] };
    if (out.place) out.place = { zone: out.place[1], device: out.place[2] };
    return out;
  }
  // A day of the coverage ledger from its canonical bytes.
  function day(record) {
    var map = cbor(unhex(record.canonical));
    if (map[0] !== 1 || map[3] !== record.number || map[4] !== record.date) throw new Error("day");
    var zones = map[8].map(function (z) {
      var run = [], sum = 0;
      for (var i = 0; i < z[1].length; i += 4) { run.push({ minutes: z[1][i], level: z[1][i + 1], cause: z[1][i + 2], need: z[1][i + 3] }); sum += z[1][i]; }
      if (sum !== 1440) throw new Error("day");
      return { id: z[0], run: run };
    });
    return { site: map[1], log: map[2], number: map[3], date: map[4], offset: map[5], closed: map[6], trusted: map[7], zones: zones };
  }
  // What a camera's looks found, from its canonical bytes.
  function looks(digits) {
    var map = cbor(unhex(digits)), last = -Infinity;
    if (map[0] !== 1) throw new Error("looks");
    var all = map[6].map(function (l) {
      if (l.length !== 5 || l[0] <= last || !(l[1] > 0) || !(l[2] > 0)) throw new Error("looks");
      last = l[0];
      return { at: l[0], width: l[1], height: l[2], least: l[3], seen: l[4].map(function (s) {
        if (s.length !== 9 || (s[8].length && s[8].length !== 17)) throw new Error("looks");
        return { kind: s[0], score: s[1], track: s[2], posture: s[3], box: s.slice(4, 8), points: s[8] };
      }) };
    });
    return { site: map[1], log: map[2], incident: map[3], camera: map[4], model: map[5], looks: all };
  }
  var KINDS = { event: 1, picture: 2, coverage: 3, deletion: 4, access: 5, looks: 6 };
  function headText(h) {
    return utf8("tuoan-head 1\nsite " + h.site + "\nlog " + h.log + "\nkey " + h.key + "\nsize " + h.size + "\nroot " + h.root + "\ntime " + h.time + "\n");
  }
  function headHolds(h, header) {
    return h.site === header.site && h.log === header.log && h.key === header.key && verifies(headText(h), unhex(h.signature), unhex(h.key));
  }
  function witnessHolds(w, head, header) {
    if (!headHolds(w.head, header)) return false;
    var c = w.countersignature, seen = digest(join([headText(w.head), unhex(w.head.signature)]));
    var said = utf8("tuoan-witness 1\nhead " + hex(seen) + "\nkey " + c.key + "\ntime " + c.time + "\n");
    return verifies(said, unhex(c.signature), unhex(c.key)) &&
      consistent(w.head.size, unhex(w.head.root), head.size, unhex(head.root), w.proof.map(unhex));
  }
  // `body`: what stands between the marks. Gives { header, sections, events, head, witness, faults: [{ code, record, detail }] }.
  function check(body) {
    var out = { header: null, sections: {}, events: [], leaves: [], days: [], looks: [], head: null, witness: null, faults: [] };
    function fault(code, record, detail) { if (out.faults.length < 50) out.faults.push({ code: code, record: record || null, detail: detail || "" }); }
    try {
      if (/[\r\0<]/.test(body)) fault("content");
      var lines = body.split("\n"), list = [], n = 2;
      if (lines[0] !== "tuoan-evidence 1") { fault("foreign"); return out; }
      out.header = JSON.parse(lines[1]);
      for (; n < lines.length && lines[n].indexOf("signature ") !== 0; n++) {
        var m = /^([0-9a-f]{64}) ([a-z]+) (-|-?[0-9]+) (.*)$/.exec(lines[n]);
        if (!m) { fault("list", null, String(n + 1)); return out; }
        list.push({ hash: m[1], section: m[2], at: m[3] === "-" ? null : Number(m[3]), label: m[4] });
      }
      if (n >= lines.length) { fault("cut"); return out; }
      var signature = lines[n].slice(10), signed = utf8(lines.slice(0, n).join("\n") + "\n");
      if (!verifies(signed, unhex(signature), unhex(out.header.key))) fault("signature");
      var records = lines.slice(n + 1);
      if (records.pop() !== "" || records.pop() !== "end") fault("cut");
      compare(list, records, fault);
      list.forEach(function (l, i) {
        (out.sections[l.section] = out.sections[l.section] || []).push({ at: l.at, label: l.label, line: records[i], number: i + 1 });
      });
      if (!out.faults.length) content(out, fault);
    } catch (e) { fault("content", null, String(e && e.message)); }
    return out;
  }
  function compare(list, records, fault) {
    var have = records.map(function (r) { return hex(digest(utf8(r))); }), wanted = {}, there = {}, late = {}, early = {}, i = 0, j = 0;
    list.forEach(function (l, k) { wanted[l.hash] = k; });
    have.forEach(function (h, k) { (there[h] = there[h] || []).push(k); });
    function next(hash, after) {
      var all = there[hash] || [];
      for (var k = 0; k < all.length; k++) if (all[k] > after) return all[k];
      return -1;
    }
    function named(k) { return (k + 1) + " (" + list[k].section + ": " + list[k].label + ")"; }
    while (i < list.length || j < have.length) {
      if (early[i]) { i++; continue; }
      if (j < have.length && late[have[j]]) { delete late[have[j]]; j++; continue; }
      if (i >= list.length) { fault("added", String(i)); j++; continue; }
      if (j >= have.length) { fault("cut", named(i), String(list.length - i)); break; }
      if (list[i].hash === have[j]) { i++; j++; continue; }
      var t = next(list[i].hash, j), k = wanted[have[j]];
      if (t < 0 && k === undefined) { fault("altered", named(i)); i++; j++; }
      else if (t < 0 && k > i) { fault("removed", named(i)); i++; }
      else if (t >= 0 && k > i && t - j > k - i) { fault("moved", named(i)); late[list[i].hash] = true; i++; }
      else if (t >= 0 && k > i && next(have[j], j) < 0) { fault("moved", named(k)); early[k] = true; j++; }
      else { fault("added", String(i)); j++; }
    }
  }
  function parsed(out, section) {
    return (out.sections[section] || []).map(function (r) { return JSON.parse(r.line); });
  }
  function content(out, fault) {
    out.head = parsed(out, "head")[0] || null;
    if (!out.head || !headHolds(out.head, out.header)) { fault("head"); return; }
    out.witness = parsed(out, "witness")[0] || null;
    if (out.witness && !witnessHolds(out.witness, out.head, out.header)) fault("witness");
    (out.sections.leaf || []).forEach(function (r) {
      var leaf = JSON.parse(r.line), kind = KINDS[leaf.kind], bytes = leaf.kind === "event" || leaf.kind === "looks" ? unhex(leaf.record) : utf8(leaf.record);
      if (!kind || !included(leafHash(kind, bytes), leaf.leaf, out.head.size, leaf.proof.map(unhex), unhex(out.head.root))) {
        fault("proof", r.number + " (leaf: " + r.label + ")");
      }
      if (leaf.kind === "coverage") {
        var d = day(JSON.parse(leaf.record));
        if (d.site !== out.header.site || d.log !== out.header.log) fault("content", r.number + " (leaf: " + r.label + ")");
        out.days.push(d);
        return;
      }
      if (leaf.kind === "looks") {
        var p = looks(leaf.record);
        if (p.incident !== out.header.incident || p.site !== out.header.site || p.log !== out.header.log || p.looks[0].at !== r.at) {
          fault("content", r.number + " (leaf: " + r.label + ")");
        }
        p.leaf = leaf.leaf;
        out.looks.push(p);
        return;
      }
      if (leaf.kind !== "event") { out.leaves.push({ leaf: leaf.leaf, kind: leaf.kind, record: JSON.parse(leaf.record) }); return; }
      var e = event(leaf.record);
      if (e.incident !== out.header.incident || e.site !== out.header.site || e.log !== out.header.log || e.at !== r.at) {
        fault("content", r.number + " (leaf: " + r.label + ")");
      }
      e.leaf = leaf.leaf;
      out.events.push(e);
    });
    if (!out.events.length) fault("head");
  }
  // Every byte of a file.
  function checkFile(bytes) {
    var open = utf8(OPEN), tail = utf8(TAIL), at = -1;
    for (var i = 0; i + open.length <= bytes.length && at < 0; i++) {
      var k = 0;
      while (k < open.length && bytes[i + k] === open[k]) k++;
      if (k === open.length) at = i;
    }
    if (at < 0 || bytes.length < at + open.length + tail.length) return { faults: [{ code: "foreign", record: null, detail: "" }] };
    var body, end = bytes.length - tail.length;
    try { body = text(bytes.subarray(at + open.length, end)); } catch (e) { return { faults: [{ code: "content", record: null, detail: "UTF-8" }] }; }
    var out = check(body);
    if (!same(bytes.subarray(end), tail)) out.faults.push({ code: "end", record: null, detail: "" });
    if (out.header && hex(digest(bytes.subarray(0, at))) !== out.header.page) out.faults.push({ code: "page", record: null, detail: "" });
    out.whole = true;
    return out;
  }
  function fingerprint(key) { return hex(digest(unhex(key))).replace(/(....)(?=.)/g, "$1 "); }
  // What a person pastes: PEM, 64 digits, or a fingerprint. Gives the key's digits, { print: .. } or null.
  function pasted(value) {
    var v = value.trim(), der;
    if (/^-----BEGIN PUBLIC KEY-----/.test(v)) {
      try { der = atob(v.replace(/-----[A-Z ]+-----/g, "").replace(/\s/g, "")); } catch (e) { return null; }
      var bytes = new Uint8Array(der.length);
      for (var i = 0; i < der.length; i++) bytes[i] = der.charCodeAt(i);
      return hex(bytes.subarray(0, 12)) === "302a300506032b6570032100" && bytes.length === 44 ? { key: hex(bytes.subarray(12)) } : null;
    }
    v = v.replace(/\s/g, "").toLowerCase();
    return /^[0-9a-f]{64}$/.test(v) ? { key: v, print: v } : null;
  }
  return { check: check, checkFile: checkFile, fingerprint: fingerprint, pasted: pasted, parsed: parsed, event: event, hex: hex, verifies: verifies };
})();
