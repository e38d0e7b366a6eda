"use strict";
// Checks a bundle as `tuoan evidence verify` does: ECMAScript 5 with typed arrays, because an office computer's browser may be old.
// Of its own page it cannot see the bytes, only the text of the records; of a file that is chosen it checks every byte.
// What `verify` refuses must be refused here, too (a test holds the two against each other). Whole numbers beyond 2^53 are refused where they would
// have to be compared or shown: JavaScript keeps them inexactly, and no log has them.
var Evidence = (function () {
  var MOST = 9007199254740991, MAX_FILE = 134217728, MAX_RECORDS = 400000;
  var OPEN = "\n<script type=\"text/plain\" id=\"evidence\">\n", TAIL = "<" + "/script>\n</body>\n</html>\n";
  function must(holds, what) { if (!holds) throw new Error(what); }
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
  // Of a key, too, there is one spelling: y below the field's order, no sign where x is 0.
  function isPoint(key) {
    var y = "", order = "7" + new Array(62).join("f") + "ed";
    for (var i = 31; i >= 0; i--) y += hex([i === 31 ? key[i] & 127 : key[i]]);
    return y < order && !(key[31] > 127 && (/^0+1$/.test(y) || /^7f+ec$/.test(y)));
  }
  function verifies(message, signature, key) {
    if (signature.length !== 64 || key.length !== 32 || !isPoint(key)) return false;
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
  // One CBOR item in its canonical form: shortest numbers, definite lengths, whole-number keys in ascending order, nothing behind it. Maps become
  // `Fields`, bytes an `Uint8Array`, numbers beyond 2^53 `Wide`. Nothing nests deeper than 8.
  function Fields() {}
  function Wide(negative, high) { this.negative = negative; this.high = high; }
  function cbor(bytes) {
    var at = 0, wide = null;
    function size(info) {
      var n = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0, v = 0, start = at;
      wide = null;
      if (info < 24) return info;
      must(n && at + n <= bytes.length, "cbor");
      for (; at < start + n; at++) {
        if (at - start === 4) wide = v;
        v = v * 256 + bytes[at];
      }
      must(n === 1 ? v > 23 : n === 2 ? v > 255 : n === 4 ? v > 65535 : v > 4294967295, "cbor");
      if (v <= MOST) wide = null;
      return v;
    }
    function item(depth) {
      must(depth <= 8 && at < bytes.length, "cbor");
      var first = bytes[at++], kind = first >> 5, info = first & 31, n, i, out, key, last = -1;
      if (kind === 7) { must(info > 19 && info < 23, "cbor"); return info === 22 ? null : info === 21; }
      n = size(info);
      if (kind < 2) return wide !== null ? new Wide(kind === 1, wide) : kind ? -1 - n : n;
      // Whatever it holds takes at least a byte each.
      must(n <= bytes.length - at, "cbor");
      if (kind === 2 || kind === 3) {
        out = bytes.subarray(at, at + n); at += n;
        return kind === 2 ? out : text(out);
      }
      if (kind === 4) { for (out = [], i = 0; i < n; i++) out.push(item(depth + 1)); return out; }
      must(kind === 5, "cbor");
      for (out = new Fields(), i = 0; i < n; i++, last = key) {
        key = item(depth + 1);
        must(typeof key === "number" && key > last, "cbor");
        out[key] = item(depth + 1);
      }
      return out;
    }
    var value = item(0);
    must(at === bytes.length, "cbor");
    return value;
  }
  // What a value may be: each of these makes, or is, a test.
  function whole(v) { return typeof v === "number" && v % 1 === 0 && v >= -MOST && v <= MOST; }
  function count(v) { return whole(v) && v >= 0; }
  function to(most) { return function (v) { return count(v) && v <= most; }; }
  function signed32(v) { return whole(v) && v >= -2147483648 && v <= 2147483647; }
  function unsigned64(v) { return count(v) || (v instanceof Wide && !v.negative); }
  function signed64(v) { return whole(v) || v === -1 - MOST || (v instanceof Wide && v.high < 2147483648); }
  function flag(v) { return typeof v === "boolean"; }
  function string(v) { return typeof v === "string"; }
  function fields(v) { return v instanceof Fields; }
  function list(most) { return function (v) { return v instanceof Array && v.length <= most; }; }
  function upTo(bytes) { return function (v) { return string(v) && utf8(v).length <= bytes; }; }
  function one(words) { words = words.split(" "); return function (v) { return words.indexOf(v) >= 0; }; }
  function digits(bytes) { return function (v) { return string(v) && v.length === 2 * bytes && !/[^0-9a-f]/.test(v); }; }
  function is(wanted) { return function (v) { return v === wanted; }; }
  var CONTROL = /[\x00-\x1f\x7f-\x9f]/, SPACE = /[\x09-\x0d \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
  function named(bytes) {
    var fits = upTo(bytes);
    return function (v) { return fits(v) && v !== "" && !CONTROL.test(v) && !SPACE.test(v) && !/^\$|[\/+#"\\]/.test(v); };
  }
  // A map by its table (name, test, whether it may be left out): every field is known and what it must be.
  function read(map, table) {
    var out = {};
    must(fields(map), "map");
    Object.keys(map).forEach(function (k) { must(table[k], "field " + k); });
    table.forEach(function (f, k) {
      must(map.hasOwnProperty(k) ? f[1](map[k]) : f[2], f[0]);
      if (map.hasOwnProperty(k)) out[f[0]] = map[k];
    });
    return out;
  }
  // The quantities that this version knows: with their decimals, and the states, which are 0 or 1. All others have three decimals.
  var MEASURED = "temperature:2 humidity:2 pressure:1 co2:0 co:1 pm1:1 pm25:1 pm10:1 hcho:3 tvoc:3 voc_index:0 sound_level:1 illuminance:1 gas_lel:1 " +
    "gas_flow:3 gas_volume:3 water_volume:3 water_flow:2 water_temperature:2 water_level:1 fridge_temperature:2 body_temperature:2 " +
    "power:1 energy:3 voltage:1 current:3 uv_runtime:0 people:0 adults:0 children:0 carers_missing:0 occupancy_likelihood:1 " +
    "climate_rarity:1 tilt:1 distance:1 battery:0 battery_voltage:3 link_quality:0 rssi:0";
  var STATES = "smoke heat gas co_alarm water_leak open locked motion presence unattended fallen climbing intrusion prone face_covered nap_unseen " +
    "ebike crowded count_capped camera_offline camera_covered camera_dark camera_overexposed camera_defocused camera_moved " +
    "camera_frozen camera_looped camera_clock camera_low_resolution camera_low_rate unconfirmed chain_broken vibration blocked " +
    "recording tamper uv_lamp mains valve switched_on siren fault";
  var INHIBITION = one("shelved suppressed out_of_service");
  var EVENT = [["v", is(1)], ["site", named(48)],
    ["institution", one("public employer community private kindergarten station")],
    ["supervisor", one("health education township union civil_affairs")],
    ["log", named(26)], ["sequence", count], ["position", unsigned64], ["id", named(26)], ["incident", named(26)], ["at", whole], ["clock_trusted", flag],
    ["transition", one("opened raised lowered reactivated returned acknowledged closed gathered chattering escalated assigned commented shelved " +
      "suppressed out_of_service released resolved reopened merged")],
    ["state", fields], ["hazard", named(32)], ["place", fields], ["severity", one4], ["basis", one("confirmed inferred")], ["rule", named(48)],
    ["trigger", fields, true], ["activations", to(4294967295)], ["found_on_connect", flag], ["actor", upTo(48), true], ["note", upTo(256), true],
    ["engine", upTo(16)], ["rules", function (v) { return v instanceof Uint8Array && v.length === 32; }], ["overridden_by", upTo(48), true],
    ["via", one("page link platform device command_line gateway"), true], ["cause", one("real false test maintenance"), true],
    ["until", signed64, true], ["assignee", upTo(48), true], ["other", named(26), true], ["rung", one("carer director deputy district"), true],
    ["exercise", one("drill canary commissioning"), true]];
  var STATE = [, ["active", flag], ["acknowledged", flag], ["closed", flag], ["inhibited", INHIBITION, true]];
  var PLACE = [, ["zone", named(48)], ["device", named(64), true]];
  var TRIGGER = [, ["device", named(64)], ["quantity", named(32), true], ["mantissa", whole, true], ["decimals", to(255), true], ["seq", unsigned64, true]];
  function one4(v) { return count(v) && v > 0 && v < 5; }
  function trigger(map) {
    var t = read(map, TRIGGER), q = t.quantity, state, at;
    if (q === undefined) { must(t.mantissa === undefined && t.decimals === undefined, "trigger"); return t; }
    state = (" " + STATES + " ").indexOf(" " + q + " ") >= 0;
    at = (" " + MEASURED).indexOf(" " + q + ":");
    must(t.mantissa !== undefined && t.decimals === (state ? 0 : at < 0 ? 3 : Number(MEASURED.charAt(at + q.length + 1))), "trigger");
    must(!state || t.mantissa === 0 || t.mantissa === 1, "trigger");
    return t;
  }
  function event(hexadecimal) {
    must(string(hexadecimal) && hexadecimal.length <= 8192, "event");
    var e = read(cbor(unhex(hexadecimal)), EVENT);
    e.state = read(e.state, STATE);
    e.place = read(e.place, PLACE);
    if (e.trigger) e.trigger = trigger(e.trigger);
    e.rules = hex(e.rules);
    return e;
  }
  // A day of the coverage ledger: the one text of its record.
  var DAY = [["v", is(1)], ["site", named(48)], ["log", named(26)], ["number", count], ["date", whole], ["offset", signed32], ["closed", signed64],
    ["trusted", flag], ["zones", list(256)]], CAUSES = 20, NEEDS = 7;
  function day(record) {
    var canonical = JSON.parse(record).canonical;
    must(string(canonical) && canonical.length <= 524288, "day");
    var d = read(cbor(unhex(canonical)), DAY);
    must(record === "{\"number\":" + d.number + ",\"date\":" + d.date + ",\"canonical\":\"" + canonical + "\"}", "day");
    d.zones = d.zones.map(function (z) {
      must(list(2)(z) && z.length === 2 && named(48)(z[0]) && list(384)(z[1]) && z[1].length % 4 === 0, "zone");
      var run = [], sum = 0, before = "";
      for (var i = 0; i < z[1].length; i += 4) {
        var s = { minutes: z[1][i], level: z[1][i + 1], cause: z[1][i + 2], need: z[1][i + 3] }, sight = [s.level, s.cause, s.need].join();
        must(to(1440)(s.minutes) && s.minutes > 0 && to(3)(s.level) && sight !== before, "stretch");
        must(s.level < 2 ? s.cause === 0 && s.need === 0 : to(CAUSES)(s.cause) && s.cause > 0 && to(NEEDS)(s.need), "stretch");
        run.push(s); sum += s.minutes; before = sight;
      }
      must(sum === 1440, "minutes");
      return { id: z[0], run: run };
    });
    return d;
  }
  // What a camera's looks found.
  var PIECE = [["v", is(1)], ["site", named(48)], ["log", named(26)], ["incident", named(26)], ["camera", named(64)],
    ["model", function (v) { return upTo(200)(v) && !CONTROL.test(v); }], ["looks", list(64)]];
  var LOOK = [whole, to(65535), to(65535), flag, list(48)];
  var edge = to(10000), percent = to(100);
  var SEEN = [to(3), percent, to(4294967295), to(5), edge, edge, edge, edge, list(17)], POINT = [edge, edge, percent];
  function row(v, tests) {
    must(v instanceof Array && v.length === tests.length && tests.every(function (fits, i) { return fits(v[i]); }), "looks");
  }
  function looks(hexadecimal) {
    must(string(hexadecimal) && hexadecimal.length <= 2097152, "looks");
    var p = read(cbor(unhex(hexadecimal)), PIECE), last = -Infinity;
    must(p.looks.length, "looks");
    p.looks = p.looks.map(function (l) {
      row(l, LOOK);
      must(l[0] > last && l[1] && l[2], "looks");
      last = l[0];
      return { at: l[0], width: l[1], height: l[2], least: l[3], seen: l[4].map(function (s) {
        row(s, SEEN);
        must(s[0] && s[4] <= s[6] && s[5] <= s[7] && (s[8].length === 0 || s[8].length === 17), "looks");
        s[8].forEach(function (point) { if (point !== null) row(point, POINT); });
        return { kind: s[0], score: s[1], track: s[2], posture: s[3], box: s.slice(4, 8), points: s[8] };
      }) };
    });
    return p;
  }
  // A line of JSON in the one form in which it is written: no field twice, no number that JavaScript would change, no half of a character.
  function json(line) {
    var value = JSON.parse(line, function (key, v) { if (string(v)) encodeURIComponent(v); return v; });
    must(JSON.stringify(value).replace(/</g, "\\u003c") === line, "json");
    return value;
  }
  function shaped(v, shape) {
    var names = Object.keys(shape);
    must(v && typeof v === "object" && Object.keys(v).join() === names.join(), "fields");
    names.forEach(function (k) { must(shape[k](v[k]), k); });
    return v;
  }
  function shape(of) { return function (v) { return !!shaped(v, of); }; }
  function plain(v) { return upTo(64)(v) && v !== "" && !CONTROL.test(v) && !SPACE.test(v); }
  function proof(v) { return list(64)(v) && v.every(digits(32)); }
  var HEADER = { site: string, site_name: string, log: string, incident: string, key: digits(32), page: string, made_at: whole, made_by: string,
    purpose: string, program: string };
  var HEAD = { site: string, log: string, size: count, root: digits(32), time: whole, key: digits(32), signature: digits(64) };
  var WITNESS = { head: shape(HEAD), countersignature: shape({ key: digits(32), time: whole, signature: digits(64) }), proof: proof };
  var LEAF = { leaf: count, kind: string, record: string, proof: proof };
  var LOGGED = { sequence: count, cbor: string };
  var SECTIONS = ["incident", "rule", "head", "witness", "leaf", "reading", "notice", "receipt", "frame", "original", "model", "log"];
  var KINDS = { event: 1, picture: 2, coverage: 3, deletion: 4, access: 5, looks: 6 };
  function headText(h) {
    return utf8("tuoan-head 1\nsite " + h.site + "\nlog " + h.log + "\nkey " + h.key + "\nsize " + h.size + "\nroot " + h.root + "\ntime " + h.time + "\n");
  }
  function headHolds(h, header) {
    return plain(h.site) && plain(h.log) && h.site === header.site && h.log === header.log && h.key === header.key &&
      verifies(headText(h), unhex(h.signature), unhex(h.key));
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
      if (body.length > MAX_FILE) { fault("large"); return out; }
      if (/[\x00-\x09\x0b-\x1f\x7f<]/.test(body)) fault("content");
      var lines = body.split("\n"), listed = [], n = 2, order = 0;
      if (lines[0] !== "tuoan-evidence 1") { fault("foreign"); return out; }
      try { out.header = shaped(json(lines[1]), HEADER); } catch (e) { fault("list", null, "2"); return out; }
      for (; n < lines.length && lines[n].indexOf("signature ") !== 0; n++) {
        var m = /^([0-9a-f]{64}) ([a-z]+) (-|0|-?[1-9][0-9]{0,15}) ([\s\S]*)$/.exec(lines[n]), section = m ? SECTIONS.indexOf(m[2]) : -1;
        if (section < order || !(m[3] === "-" || whole(Number(m[3]))) || listed.length >= MAX_RECORDS) { fault("list", null, String(n + 1)); return out; }
        order = section;
        listed.push({ hash: m[1], section: m[2], at: m[3] === "-" ? null : Number(m[3]), label: m[4] });
      }
      if (n >= lines.length) { fault("cut"); return out; }
      var signature = lines[n].slice(10), signed = utf8(lines.slice(0, n).join("\n") + "\n");
      if (!digits(64)(signature)) { fault("list", null, String(n + 1)); return out; }
      if (!verifies(signed, unhex(signature), unhex(out.header.key))) fault("signature");
      var records = lines.slice(n + 1);
      if (records.pop() !== "" || records.pop() !== "end") fault("cut");
      compare(listed, records, fault);
      listed.forEach(function (l, i) {
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
  // What the records say, now that they are known to be the signed ones.
  function content(out, fault) {
    var header = out.header, last = -1, cameras = {}, logged = [];
    function ours(v, incident) {
      must(v.site === header.site && v.log === header.log && (!incident || v.incident === header.incident), "site, log or incident");
    }
    var HOW = {
      head: function (r) {
        var h = shaped(json(r.line), HEAD);
        must(!out.head && headHolds(h, header), "head");
        out.head = h;
      },
      witness: function (r) {
        var w = shaped(json(r.line), WITNESS);
        if (out.witness || !out.head || !witnessHolds(w, out.head, header)) fault("witness");
        out.witness = w;
      },
      leaf: function (r) {
        var leaf = shaped(json(r.line), LEAF), kind = KINDS.hasOwnProperty(leaf.kind) ? leaf.kind : null, bytes;
        must(kind, "kind");
        must(leaf.leaf > last, "order");
        last = leaf.leaf;
        if (kind === "event") ofEvent(r, leaf);
        else if (kind === "coverage") ofDay(leaf);
        else if (kind === "looks") ofLooks(r, leaf);
        else out.leaves.push({ leaf: leaf.leaf, kind: kind, record: JSON.parse(leaf.record) });
        bytes = kind === "event" || kind === "looks" ? unhex(leaf.record) : utf8(leaf.record);
        must(out.head, "head");
        if (!included(leafHash(KINDS[kind], bytes), leaf.leaf, out.head.size, leaf.proof.map(unhex), unhex(out.head.root))) {
          fault("proof", r.number + " (leaf: " + r.label + ")");
        }
      },
      frame: function (r) {
        var f = json(r.line), picture, bytes;
        must(f && string(f.jpeg) && string(f.sha256), "frame");
        picture = atob(f.jpeg);
        must(btoa(picture) === f.jpeg, "base64");
        bytes = new Uint8Array(picture.length);
        for (var i = 0; i < bytes.length; i++) bytes[i] = picture.charCodeAt(i);
        must(hex(digest(bytes)) === f.sha256, "picture");
      },
      // `tuoan replay` reads the inputs; here they need only be what was signed. The events among them must be the proven ones.
      log: function (r) {
        if (r.line.indexOf("{\"sequence\":") !== 0) return;
        var e = shaped(json(r.line), LOGGED), before = logged[logged.length - 1];
        logged.push(e);
        must(!before || before.sequence + 1 === e.sequence, "an event is missing before it");
      }
    };
    function ofEvent(r, leaf) {
      var e = event(leaf.record), before = out.events[out.events.length - 1];
      ours(e, true);
      must(e.at === r.at, "time");
      must(!before || e.sequence > before.sequence, "order");
      e.leaf = leaf.leaf;
      e.cbor = leaf.record;
      out.events.push(e);
    }
    function ofDay(leaf) {
      var d = day(leaf.record), before = out.days[out.days.length - 1];
      ours(d, false);
      must(!before || d.number > before.number, "order");
      out.days.push(d);
    }
    function ofLooks(r, leaf) {
      var p = looks(leaf.record), key = "camera " + p.camera;
      ours(p, true);
      must(p.looks[0].at === r.at, "time");
      must(!cameras.hasOwnProperty(key) || p.looks[0].at > cameras[key], "order");
      cameras[key] = p.looks[p.looks.length - 1].at;
      p.leaf = leaf.leaf;
      out.looks.push(p);
    }
    SECTIONS.forEach(function (section) {
      (out.sections[section] || []).forEach(function (r) {
        try {
          if (HOW.hasOwnProperty(section)) HOW[section](r); else JSON.parse(r.line);
        } catch (e) { fault("content", r.number + " (" + section + ": " + r.label + ")", String(e && e.message)); }
      });
    });
    if (!out.faults.length && (!out.head || !out.events.length)) fault("head");
    if (!out.faults.length) {
      try { sameStory(out, logged); } catch (e) { fault("content", null, "log: " + String(e && e.message)); }
    }
  }
  // The events that a replay compares are those that the proofs are about; none of the incident's is left out among them.
  function sameStory(out, logged) {
    var proven = {}, told = 0, within;
    if (!logged.length) return;
    out.events.forEach(function (e) { proven[e.sequence] = e; });
    logged.forEach(function (l) {
      var e = event(l.cbor), known = proven[l.sequence];
      must(e.sequence === l.sequence, "number of event " + l.sequence);
      must(known ? known.cbor === l.cbor : e.incident !== out.header.incident, "event " + l.sequence);
      if (known) told++;
    });
    within = out.events.filter(function (e) { return e.sequence >= logged[0].sequence && e.sequence <= logged[logged.length - 1].sequence; });
    must(within.length === told, "events of the incident are missing");
  }
  // Every byte of a file.
  function checkFile(bytes) {
    var open = utf8(OPEN), tail = utf8(TAIL), at = -1;
    if (bytes.length > MAX_FILE) return { faults: [{ code: "large", record: null, detail: "" }] };
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
  return { check: check, checkFile: checkFile, fingerprint: fingerprint, pasted: pasted, parsed: parsed, event: event, day: day, looks: looks, hex: hex,
    verifies: verifies };
})();
