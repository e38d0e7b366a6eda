"use strict";
// Shows the evidence that stands in this page, and says what its check found. Everything is put in as text, never as markup.
(function () {
  var WORDS = {
    zh: {
      other: "English", print: "打印", checking: "正在核验…", good: "内容完整，与签名相符", bad: "证据不成立：文件已被改动", whole: "这个文件的每个字节都已核验。", otherpage: "这个文件的每个字节都已核验，但它的页面程序与本页的不同：可能来自另一个版本，也可能是别人编写的。请再用 tuoan evidence verify 核验；不要相信那个页面自己显示的内容。",
      own: "本页核验了全部记录、签名和证明，但看不到自己的程序。要核验文件的每个字节，请在下面选择它，或使用 tuoan evidence verify。",
      whose: "是谁的签名", print1: "签名公钥的指纹", ask: "粘贴机构事先提供的公钥（PEM 或 64 位十六进制）或指纹，与签名比对：", match: "相符：正是这把公钥签的名。",
      nomatch: "不相符：签名的不是这把公钥！", nokey: "这不是公钥或指纹。", alone: "这一页自己不能证明是谁签的名：请与事先从机构得到的公钥比对。",
      file: "核验一个文件", fileask: "选择证据文件（可以就是本文件）。文件不会离开这台电脑。", notread: "文件无法读取。", unshown: "这一部分无法显示", site: "机构", hazard: "事件", zone: "地点", severity: "级别",
      opened: "开始", changed: "最后变化", id: "事件编号", made: "导出", by: "导出人", purpose: "用途", timeline: "经过", time: "时间", what: "发生了什么", who: "人员", proof: "证明",
      leaf: "日志第 {n} 条", seen: "区级已见证", unseen: "区级尚未见证", clock: "时钟未校准", rule: "依据的规则", source: "来源", clause: "条款", unchecked: "条款尚未与原文核对",
      readings: "当时的读数", band: "色带：从事件开始到最后变化", from: "从", to: "到", low: "最低", still: "这段时间没有变化的", yes: "是", no: "否", high: "最高", notices: "通知", person: "收件人", everybody: "所有人", ways: "途径与结果", receipts: "接收方回执", receiver: "接收方", receipt: "回执",
      frames: "打码图片", camera: "摄像头", originals: "封存的原始图片（仅散列值）", models: "使用的模型", deeds: "谁看过、做过什么", log: "日志与见证", head: "机构签名的日志头", records: "{n} 条记录", root: "根散列", witness: "区级见证", witnessed: "区级平台于 {t} 见证了前 {n} 条",
      nowitness: "区级平台还没有见证这份日志。", replay: "重放", replayin: "文件内含规则引擎的输入，可用 tuoan replay 重新推出这一事件。", replaynot: "文件不含规则引擎的输入（已过保存期），不能重放。", replaycut: "输入过多，只含事件开始的一段。", replayother: "事件由另一版本的引擎写出，重放结果可能不同。",
      says: { opened: "发现", raised: "级别升高", lowered: "级别降低", reactivated: "再次发生", returned: "恢复正常", acknowledged: "已确认收到", closed: "关闭", gathered: "并入相关发现", chattering: "反复发生，改为计数", escalated: "升级通知", assigned: "指派", commented: "备注", shelved: "搁置", suppressed: "检修中不通知", out_of_service: "设备停用", released: "解除搁置", resolved: "已处理", reopened: "重新打开", merged: "合并" },
      coverage: "当时是否看得到", covday: "日期", covwhen: "起止", covhow: "状态", covwhy: "原因", covduring: "事件期间：{w} 分钟已监测，{d} 分钟部分监测，{b} 分钟看不到。", covnone: "已关闭的监测台账没有记录这个地点当时的情况。", covmissing: "这些日期的台账在导出时还没有关闭（当天午夜关闭），未包含在内：", covhelp: "每格一分钟，0 点到 24 点：空白为已监测，半高为部分监测，全高为看不到；顶部色条为事件期间。", covall: "全天已监测", covclock: "关账时网关时钟不可信", removedlog: "日志第 {a} 至 {b} 条",
      sights: ["未要求", "已监测", "部分监测", "看不到"], why: ["", "未安装", "安装后从未收到数据", "失联", "故障", "画面或数据卡死", "没有画面", "被遮挡", "画面过暗", "画面过曝", "画面模糊", "被移动", "画面重复播放", "时钟不准", "分辨率过低", "帧率过低", "已停用", "维护中", "网关停机", "网关时钟不可信", "录像中断"], needs: ["", "摄像头", "温度", "二氧化碳", "门磁", "燃气报警器", "烟雾报警器", "录像"],
      acts: { picture: "图片", access: "系统操作", deletion: "保存期满后删除", incident_seen: "查看事件", still_seen: "查看打码图片", open: "打开原始图片", watch: "查看实时画面", hold: "要求保留", release: "解除保留", "export": "导出证据", "delete": "删除图片", keep_days: "读数超过保存期", budget_mb: "磁盘空间不足", keep_events_days: "事件超过保存期", stills_days: "摄像头观察超过保存期", looks_mb: "摄像头观察占满了空间" },
      looks: "摄像头看到的", looksnote: "只有方框和关键点，不是画面。拖动滑块或用左右方向键选择时刻。", looksat: "{c}：选择时刻", nobody: "没有看到人", people: "{n} 人", person1: "{n} 人", least: "至少 {n} 人", things: { 2: "{n} 辆自行车", 3: "{n} 辆摩托车或电动车" }, postures: ["姿势不明", "站立", "坐着", "蹲着", "弯腰", "躺卧"], join: "，", holds: "{n} 人{p}", looksmany: "{n} 次观察，{a} 至 {b}",
      levels: ["", "紧急", "严重", "一般", "提示"], causes: { real: "属实", "false": "误报", test: "测试", maintenance: "检修" },
      faults: { large: "文件过大，不是证据文件", foreign: "这不是证据文件，或开头缺失", page: "页面程序被改动", list: "签名目录第 {d} 行被改动", signature: "签名不成立：签名目录或签名被改动", altered: "记录 {r} 被改动", removed: "记录 {r} 被删除", added: "在第 {r} 条之后加入了记录", moved: "记录 {r} 被移动", cut: "文件被截断：从记录 {r} 起缺失", end: "文件结尾被改动或附加了内容", content: "记录内容不成立：{r} {d}", proof: "记录 {r} 不在机构签名的日志中", head: "日志头不成立", witness: "区级见证不成立" }
    },
    en: {
      other: "中文", print: "Print", checking: "Checking…", good: "Complete, and as it was signed", bad: "NOT VALID: the file was changed", whole: "Every byte of this file was checked.", otherpage: "Every byte of this file was checked, but its page is another programme than this one: of another version, or of a stranger. Check it with tuoan evidence verify, too, and do not rely on what that page shows by itself.",
      own: "This page has checked all records, the signature and the proofs, but cannot see its own programme. To check every byte of the file, choose it below, or use tuoan evidence verify.",
      whose: "Whose signature", print1: "Fingerprint of the signing key", ask: "Paste the public key that the institution gave you beforehand (PEM or 64 hexadecimal digits), or its fingerprint:", match: "They match: it was signed by this key.",
      nomatch: "They do NOT match: it was signed by another key!", nokey: "This is no public key or fingerprint.", alone: "This page cannot prove by itself whose signature it is: compare the key with one that you had from the institution beforehand.",
      file: "Check a file", fileask: "Choose an evidence file (this one, too). It does not leave this computer.", notread: "The file cannot be read.", unshown: "This part cannot be shown", site: "Institution", hazard: "Incident", zone: "Place", severity: "Severity",
      opened: "Began", changed: "Last change", id: "Number", made: "Exported", by: "By", purpose: "Purpose", timeline: "What happened", time: "Time", what: "What", who: "Who", proof: "Proof",
      leaf: "log record {n}", seen: "witnessed by the district", unseen: "not witnessed yet", clock: "clock not certain", rule: "The rule", source: "Source", clause: "Clause", unchecked: "the clause was not compared with the printed text",
      readings: "Readings around it", band: "Shaded: from its beginning to its last change", from: "from", to: "to", low: "lowest", still: "What did not change", yes: "yes", no: "no", high: "highest", notices: "Who was told", person: "To", everybody: "everybody", ways: "Way and result", receipts: "Receipts", receiver: "Receiver", receipt: "Receipt",
      frames: "Blurred pictures", camera: "Camera", originals: "Sealed originals (hashes only)", models: "Models in use", deeds: "Who looked, who did what", log: "Log and witness", head: "Head signed by the institution", records: "{n} records", root: "Root hash", witness: "District's witness", witnessed: "The district's platform witnessed the first {n} on {t}",
      nowitness: "The district's platform has not witnessed this log.", replay: "Replay", replayin: "The inputs of the rule engine are enclosed: tuoan replay derives the incident again.", replaynot: "The inputs of the rule engine are not enclosed (no longer kept): it cannot be replayed.", replaycut: "Too many inputs: those of the beginning are enclosed.", replayother: "Another version of the engine wrote the events; a replay may differ.",
      says: { opened: "Found", raised: "Severity raised", lowered: "Severity lowered", reactivated: "Again", returned: "Returned to normal", acknowledged: "Acknowledged", closed: "Closed", gathered: "Another finding joined", chattering: "Again and again: counted from here on", escalated: "Escalated", assigned: "Assigned", commented: "Comment", shelved: "Shelved", suppressed: "Suppressed for maintenance", out_of_service: "Device out of service", released: "No longer set aside", resolved: "Handled", reopened: "Reopened", merged: "Merged" },
      coverage: "Was it watched", covday: "Date", covwhen: "From and to", covhow: "State", covwhy: "Cause", covduring: "While it lasted: {w} min watched, {d} min in part, {b} min blind.", covnone: "No closed day of the coverage ledger tells of this place at that time.", covmissing: "The ledger of these days was not closed when this was exported (a day is closed at its midnight), and is not enclosed: ", covhelp: "Midnight to midnight, minute by minute: empty is watched, half high is watched in part, full height is blind; the strip on top is the incident.", covall: "Watched all day", covclock: "closed by a clock that was not trusted", removedlog: "entries {a} to {b} of the log",
      sights: ["Not required", "Watched", "Watched in part", "Blind"], why: ["", "not installed", "never heard since it was installed", "silent", "faulty", "picture or numbers stand still", "no picture", "covered", "too dark", "overexposed", "blurred", "moved", "the picture repeats itself", "its clock is wrong", "resolution too low", "too few pictures", "out of service", "under maintenance", "the gateway was off", "the gateway's clock was not to be trusted", "not recorded"], needs: ["", "Camera", "Temperature", "CO2", "Door contact", "Gas detector", "Smoke detector", "Recording"],
      acts: { picture: "Pictures", access: "Deed", deletion: "Removed by retention", incident_seen: "Looked at the incident", still_seen: "Looked at blurred pictures", open: "Opened originals", watch: "Watched live", hold: "Held", release: "Hold ended", "export": "Exported evidence", "delete": "Removed pictures", keep_days: "readings kept long enough", budget_mb: "disk short of room", keep_events_days: "events kept long enough", stills_days: "what cameras found, kept long enough", looks_mb: "what cameras found took too much room" },
      looks: "What cameras saw", looksnote: "Boxes and key points only, no picture. Drag the slider or use the arrow keys to choose a moment.", looksat: "{c}: choose a moment", nobody: "nobody seen", people: "{n} people", person1: "{n} person", least: "at least {n} people", things: { 2: "{n} bicycle(s)", 3: "{n} motorcycle(s)" }, postures: ["posture unknown", "standing", "sitting", "crouching", "bending", "lying"], join: ", ", holds: "{n} {p}", looksmany: "{n} looks, {a} to {b}",
      levels: ["", "Emergency", "Serious", "General", "Advisory"], causes: { real: "real", "false": "false alarm", test: "test", maintenance: "maintenance" },
      faults: { large: "the file is larger than evidence may be", foreign: "this is no evidence file, or its beginning is missing", page: "the page's programme was changed", list: "line {d} of the signed list was changed", signature: "the signature does not hold: the signed list or the signature was changed", altered: "record {r} was altered", removed: "record {r} was removed", added: "a record was added after record {r}", moved: "record {r} was moved", cut: "the file is cut off: records from {r} on are missing", end: "the end was changed, or something was added", content: "what a record says does not hold: {r} {d}", proof: "record {r} is not in the log that the institution signed", head: "the log's head does not hold", witness: "the district's witness does not hold" }
    }
  };
  var lang = "zh", result = null, about = null, offset = 480;

  function t(key, values) {
    var text = WORDS[lang][key] || key;
    Object.keys(values || {}).forEach(function (k) { text = text.split("{" + k + "}").join(values[k]); });
    return text;
  }
  function el(name, className, children) {
    var e = document.createElement(name);
    if (className) e.className = className;
    [].concat(children === undefined ? [] : children).forEach(function (c) {
      if (c !== null) e.appendChild(typeof c === "object" ? c : document.createTextNode(String(c)));
    });
    return e;
  }
  function two(n) { return (n < 10 ? "0" : "") + n; }
  function when(ms) {
    if (typeof ms !== "number") return "";
    var d = new Date(ms + offset * 60000), clock = two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()) + ":" + two(d.getUTCSeconds());
    return lang === "zh" ? d.getUTCFullYear() + "年" + (d.getUTCMonth() + 1) + "月" + d.getUTCDate() + "日 " + clock
      : d.getUTCFullYear() + "-" + two(d.getUTCMonth() + 1) + "-" + two(d.getUTCDate()) + " " + clock;
  }
  function words(pair) { return pair ? pair[lang] || pair.zh || "" : ""; }
  function name(map, id) { return (about && about[map] && about[map][id]) || id || ""; }
  function table(heads, rows) {
    var head = el("tr", "", heads.map(function (h) { var c = el("th", "", t(h)); c.scope = "col"; return c; }));
    return el("table", "", [el("thead", "", head), el("tbody", "", rows.map(function (cells) {
      return el("tr", "", cells.map(function (c, i) { return el("td", heads[i] === "time" ? "time" : "", c); }));
    }))]);
  }
  function section(title, children) { return el("section", "", [el("h2", "", t(title))].concat(children)); }

  function verdict(found, whole) {
    var good = !found.faults.length, children = [el("p", "mark", (good ? "✓ " : "✗ ") + t(good ? "good" : "bad"))];
    if (!good) {
      children.push(el("ul", "", found.faults.map(function (f) {
        var text = WORDS[lang].faults[f.code] || f.code;
        return el("li", "", text.split("{r}").join(f.record || "").split("{d}").join(f.detail || ""));
      })));
    }
    // A chosen file's page is known to be a published one only if it is this one; of this one it is the file that says which it is.
    var known = result && result.header && found.header && result.header.page === found.header.page;
    if (good) children.push(el("p", "soft", t(!whole ? "own" : known ? "whole" : "otherpage")));
    var box = el("section", "verdict " + (good ? "good" : "bad"), children);
    box.setAttribute("role", "status");
    return box;
  }
  function whose(header) {
    var input = el("input"), answer = el("p"), label = el("label", "", t("ask"));
    input.type = "text"; input.id = "known"; label.htmlFor = "known"; answer.setAttribute("role", "status");
    input.addEventListener("input", function () {
      if (!input.value.trim()) { answer.textContent = ""; return; }
      var given = Evidence.pasted(input.value);
      var same = given && (given.key === header.key || given.print === Evidence.fingerprint(header.key).replace(/ /g, ""));
      answer.textContent = t(!given ? "nokey" : same ? "match" : "nomatch");
      answer.className = same ? "good" : "bad";
    });
    return section("whose", [el("p", "", t("print1")), el("p", "mono", Evidence.fingerprint(header.key)), el("p", "soft", t("alone")), el("div", "ask", [label, input, answer])]);
  }
  function chooser() {
    var input = el("input"), answer = el("div"), label = el("label", "", t("fileask"));
    input.type = "file"; input.id = "file"; label.htmlFor = "file";
    input.addEventListener("change", function () {
      var file = input.files && input.files[0], reader = new FileReader();
      if (!file) return;
      answer.textContent = t("checking");
      reader.onerror = function () { answer.textContent = t("notread"); };
      reader.onload = function () {
        var found = Evidence.checkFile(new Uint8Array(reader.result));
        answer.textContent = "";
        answer.appendChild(verdict(found, true));
        if (found.header && !found.faults.length) {
          answer.appendChild(el("p", "", found.header.site_name + " · " + found.header.incident + " · " + when(found.header.made_at)));
          answer.appendChild(el("p", "mono", Evidence.fingerprint(found.header.key)));
        }
      };
      reader.readAsArrayBuffer(file);
    });
    var box = section("file", [label, input, answer]);
    box.className = "ask";
    return box;
  }
  function summary(found) {
    var h = found.header, first = found.events[0] || {}, last = found.events[found.events.length - 1] || {};
    function row(key, value) { return value ? el("tr", "", [el("th", "", t(key)), el("td", "", value)]) : null; }
    return el("section", "", [
      el("h1", "", (words(about && about.title) || first.hazard || "") + " · " + ((about && about.zone && about.zone.name) || (first.place && first.place.zone) || "")),
      el("table", "", el("tbody", "", [
        row("site", h.site_name + (about && about.site ? " · " + about.site.district + " " + about.site.street : "")), row("severity", WORDS[lang].levels[last.severity]),
        row("opened", when(first.at)), row("changed", when(last.at)), row("id", h.incident), row("made", when(h.made_at)), row("by", h.made_by), row("purpose", h.purpose)
      ]))
    ]);
  }
  function timeline(found) {
    var seen = found.witness ? found.witness.head.size : 0;
    return section("timeline", table(["time", "what", "who", "proof"], found.events.map(function (e) {
      var what = [WORDS[lang].says[e.transition] || e.transition, WORDS[lang].levels[e.severity]];
      if (e.cause) what.push(WORDS[lang].causes[e.cause] || e.cause);
      if (e.note) what.push(e.note);
      if (e.until) what.push("→ " + when(e.until));
      if (e.assignee) what.push("→ " + name("people", e.assignee));
      if (e.clock_trusted === false) what.push(t("clock"));
      return [when(e.at), what.join(" · "), name("people", e.actor), t("leaf", { n: e.leaf + 1 }) + " · " + t(e.leaf < seen ? "seen" : "unseen")];
    })));
  }
  function rules(found) {
    var list = Evidence.parsed(found, "rule");
    if (!list.length) return null;
    return section("rule", list.map(function (r) {
      return el("div", "", [el("h3", "", words(r.title) + " (" + r.id + ")"), el("p", "", words(r.advice)),
        el("p", "", t("source") + ": " + r.source + (r.clause ? " · " + t("clause") + ": " + r.clause : "") + (r.verified ? "" : " (" + t("unchecked") + ")")),
        el("p", "mono soft", JSON.stringify(r.rule))]);
    }));
  }
  function curve(points, from, to, first, last, steps) {
    var ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg"), low = Infinity, high = -Infinity, d = "";
    points.forEach(function (p) { if (p[1] < low) low = p[1]; if (p[1] > high) high = p[1]; });
    function x(at) { return to > from ? (at - from) / (to - from) * 1000 : 0; }
    function y(v) { return high > low ? 110 - (v - low) / (high - low) * 100 : 60; }
    svg.setAttribute("viewBox", "0 0 1000 120"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
    var band = document.createElementNS(ns, "rect");
    band.setAttribute("class", "span"); band.setAttribute("x", x(Math.max(first, from))); band.setAttribute("y", 0); band.setAttribute("height", 120);
    band.setAttribute("width", Math.max(2, x(Math.min(last, to)) - x(Math.max(first, from))));
    // A gap of more than five times the usual distance is drawn as one.
    var gaps = points.map(function (p, i) { return i ? p[0] - points[i - 1][0] : 0; }).slice(1).sort(function (a, b) { return a - b; });
    var usual = gaps.length ? Math.max(gaps[Math.floor(gaps.length / 2)], 1000) * 5 : 0;
    points.forEach(function (p, i) {
      var pen = i && p[0] - points[i - 1][0] <= usual ? "L" : "M";
      var at = x(p[0]).toFixed(1), height = y(p[1]).toFixed(1);
      // A state holds until the next one.
      d += pen === "M" ? "M" + at + " " + height + "h1" : steps ? "H" + at + "V" + height : "L" + at + " " + height;
    });
    var path = document.createElementNS(ns, "path");
    path.setAttribute("class", "curve"); path.setAttribute("d", d); path.setAttribute("vector-effect", "non-scaling-stroke");
    svg.appendChild(band); svg.appendChild(path);
    return { svg: svg, low: low, high: high };
  }
  function readings(found) {
    var list = Evidence.parsed(found, "reading").filter(function (r) { return r.points.length; });
    if (!list.length) return null;
    var first = found.events[0].at, last = found.events[found.events.length - 1].at, from = Infinity, to = -Infinity;
    list.forEach(function (r) { r.points.forEach(function (p) { from = Math.min(from, p[0]); to = Math.max(to, p[0]); }); });
    function title(r) { return name("devices", r.device) + " · " + (words(about && about.quantities && about.quantities[r.quantity]) || r.quantity); }
    function says(r, value) { return r.unit === "bool" ? t(value ? "yes" : "no") : value + (r.unit && r.unit !== "1" ? " " + r.unit : ""); }
    var moving = [], still = [];
    list.forEach(function (r) {
      var c = curve(r.points, from, to, first, last, r.unit === "bool");
      if (c.low === c.high) still.push(title(r) + ": " + says(r, c.low));
      else moving.push(el("div", "", [el("h3", "", title(r)), c.svg, el("p", "soft", t("low") + " " + says(r, c.low) + " · " + t("high") + " " + says(r, c.high))]));
    });
    return section("readings", [el("p", "soft", t("from") + " " + when(from) + " " + t("to") + " " + when(to) + " · " + t("band"))].concat(moving,
      still.length ? [el("h3", "", t("still")), el("ul", "", still.map(function (s) { return el("li", "", s); }))] : []));
  }
  function notices(found) {
    var list = Evidence.parsed(found, "notice");
    return list.length ? section("notices", table(["time", "person", "ways"], list.map(function (n) {
      var ways = (n.ways || []).map(function (w) { return w.channel + ": " + w.state + " " + when(w.at); }).join("; ");
      return [when(n.at), n.person ? name("people", n.person) : t("everybody"), ways];
    }))) : null;
  }
  function receipts(found) {
    var list = Evidence.parsed(found, "receipt");
    return list.length ? section("receipts", table(["time", "receiver", "receipt"], list.map(function (r) { return [when(r.at), r.sink, r.receipt]; }))) : null;
  }
  function frames(found) {
    var list = Evidence.parsed(found, "frame").filter(function (f) { return /^[A-Za-z0-9+\/]+=*$/.test(f.jpeg); });
    return list.length ? section("frames", list.map(function (f) {
      var img = el("img"), says = name("devices", f.camera) + " · " + when(f.at);
      img.src = "data:image/jpeg;base64," + f.jpeg; img.alt = t("camera") + " " + says;
      return el("figure", "", [img, el("figcaption", "", says)]);
    })) : null;
  }
  // COCO's key points: which are joined.
  var LIMBS = [[5, 6], [11, 12], [5, 11], [6, 12], [5, 7], [7, 9], [6, 8], [8, 10], [11, 13], [13, 15], [12, 14], [14, 16]];
  function says(look) {
    var people = look.seen.filter(function (s) { return s.kind === 1; }), parts = [];
    parts.push(!people.length && !look.least ? t("nobody") : t(look.least ? "least" : people.length === 1 ? "person1" : "people", { n: people.length }));
    [5, 4, 3, 2, 1].forEach(function (p) {
      var n = people.filter(function (s) { return s.posture === p; }).length;
      if (n) parts.push(t("holds", { n: n, p: WORDS[lang].postures[p] }));
    });
    [2, 3].forEach(function (k) {
      var n = look.seen.filter(function (s) { return s.kind === k; }).length;
      if (n) parts.push(WORDS[lang].things[k].replace("{n}", n));
    });
    return parts.join(t("join"));
  }
  function sketch(svg, look) {
    var ns = "http://www.w3.org/2000/svg", w = look.width, h = look.height;
    svg.textContent = "";
    svg.setAttribute("viewBox", "0 0 " + w + " " + h);
    function put(tag, name, values) {
      var n = document.createElementNS(ns, tag);
      n.setAttribute("class", name); n.setAttribute("vector-effect", "non-scaling-stroke");
      Object.keys(values).forEach(function (k) { n.setAttribute(k, values[k]); });
      svg.appendChild(n);
    }
    function x(v) { return v / 10000 * w; }
    function y(v) { return v / 10000 * h; }
    look.seen.forEach(function (s) {
      put("rect", "found p" + s.posture, { x: x(s.box[0]), y: y(s.box[1]), width: x(s.box[2] - s.box[0]), height: y(s.box[3] - s.box[1]) });
      function there(i) { return s.points[i] && s.points[i][2] >= 15; }
      LIMBS.forEach(function (l) {
        var a = s.points[l[0]], b = s.points[l[1]];
        if (there(l[0]) && there(l[1])) put("line", "limb p" + s.posture, { x1: x(a[0]), y1: y(a[1]), x2: x(b[0]), y2: y(b[1]) });
      });
      if (there(0)) put("circle", "limb p" + s.posture, { cx: x(s.points[0][0]), cy: y(s.points[0][1]), r: Math.max(3, y(s.box[3] - s.box[1]) / 16) });
    });
  }
  function looks(found) {
    var cameras = {}, begun = found.events[0].at;
    found.looks.forEach(function (p) { var c = cameras[p.camera] = cameras[p.camera] || { looks: [], model: p.model }; c.looks = c.looks.concat(p.looks); });
    var names = Object.keys(cameras).sort();
    if (!names.length) return null;
    return section("looks", [el("p", "soft", t("looksnote"))].concat(names.map(function (camera) {
      var all = cameras[camera].looks, title = name("devices", camera), first = 0;
      var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), range = el("input"), line = el("p");
      svg.setAttribute("class", "sketch"); svg.setAttribute("role", "img");
      all.forEach(function (l, i) { if (Math.abs(l.at - begun) < Math.abs(all[first].at - begun)) first = i; });
      range.type = "range"; range.min = 0; range.max = all.length - 1; range.value = first; range.setAttribute("aria-label", t("looksat", { c: title }));
      function choose() {
        var look = all[Number(range.value)], text = when(look.at) + " · " + says(look);
        sketch(svg, look); svg.setAttribute("aria-label", text); range.setAttribute("aria-valuetext", text); line.textContent = text;
      }
      range.addEventListener("input", choose);
      choose();
      return el("div", "", [el("h3", "", title), el("p", "soft", t("looksmany", { n: all.length, a: when(all[0].at), b: when(all[all.length - 1].at) }) + " · " + cameras[camera].model), svg, range, line]);
    })));
  }
  function deeds(found) {
    return found.leaves.length ? section("deeds", table(["time", "who", "what", "proof"], found.leaves.map(function (l) {
      var r = l.record, acts = WORDS[lang].acts, what = r.what || (l.kind === "deletion" ? r.rule : r.kind), says = [acts[l.kind] || l.kind, acts[what] || what, r.reason || r.purpose, r.detail];
      if (l.kind === "deletion" && !r.incident) says.push(t("removedlog", { a: r.first, b: r.last }));
      return [when(r.at), r.actor || "", says.filter(Boolean).join(" · "), t("leaf", { n: l.leaf + 1 })];
    }))) : null;
  }
  function clock(minute) { return two(Math.floor(minute / 60)) + ":" + two(minute % 60); }
  function dateOf(days) { return when(days * 86400000 - offset * 60000).split(" ")[0]; }
  // One day of one zone as a bar of minutes; `span`: the minutes of the incident.
  function minutes(run, span) {
    var ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg"), at = 0;
    svg.setAttribute("viewBox", "0 0 1440 40"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true"); svg.setAttribute("class", "day");
    function box(name, x, width, y, height) {
      var r = document.createElementNS(ns, "rect");
      r.setAttribute("class", name); r.setAttribute("x", x); r.setAttribute("width", width); r.setAttribute("y", y); r.setAttribute("height", height);
      svg.appendChild(r);
    }
    run.forEach(function (s) { if (s.level > 1) box(s.level === 3 ? "blind" : "part", at, s.minutes, s.level === 3 ? 10 : 25, s.level === 3 ? 30 : 15); at += s.minutes; });
    if (span[1] > span[0]) box("mark", span[0], Math.max(6, span[1] - span[0]), 0, 8);
    return svg;
  }
  function coverage(found) {
    var first = found.events[0].at, last = found.events[found.events.length - 1].at, zone = (found.events[0].place || {}).zone, newest = {}, sum = [0, 0, 0, 0], parts = [], missing = [];
    found.days.forEach(function (d) { if (!newest[d.date] || newest[d.date].number < d.number) newest[d.date] = d; });
    Object.keys(newest).map(Number).sort(function (a, b) { return a - b; }).forEach(function (date) {
      var d = newest[date], begin = date * 86400000 - d.offset * 60000;
      function minute(at) { return Math.max(0, Math.min(1440, Math.floor((at - begin) / 60000))); }
      var span = last < begin || first >= begin + 86400000 ? [0, 0] : [minute(first), minute(last + 60000)];
      d.zones.filter(function (z) { return z.id === zone; }).forEach(function (z) {
        var at = 0, rows = [];
        z.run.forEach(function (s) {
          sum[s.level] += Math.max(0, Math.min(at + s.minutes, span[1]) - Math.max(at, span[0]));
          if (s.level > 1 && rows.length < 100) rows.push([clock(at) + "–" + clock(at + s.minutes), WORDS[lang].sights[s.level], [WORDS[lang].needs[s.need], WORDS[lang].why[s.cause]].filter(Boolean).join(": ")]);
          at += s.minutes;
        });
        parts.push(el("h3", "", dateOf(date) + (d.trusted ? "" : " · " + t("covclock"))), minutes(z.run, span), rows.length ? table(["covwhen", "covhow", "covwhy"], rows) : el("p", "", t("covall")));
      });
    });
    var wanted = about && about.coverage;
    for (var n = wanted ? wanted.from : 0; wanted && n <= wanted.to && missing.length < 100; n++) if (!newest[n]) missing.push(dateOf(n));
    var lead = sum[1] + sum[2] + sum[3] ? t("covduring", { w: sum[1], d: sum[2], b: sum[3] }) : t("covnone");
    return section("coverage", [el("p", "", lead), parts.length ? el("p", "soft", t("covhelp")) : null].concat(parts, missing.length ? [el("p", "soft", t("covmissing") + missing.join(", "))] : []));
  }
  function hashes(title, list, label) {
    return list.length ? section(title, el("ul", "", list.map(function (r) { return el("li", "mono", r[label] + "  " + r.sha256); }))) : null;
  }
  function log(found) {
    if (!found.head) return null;
    var w = found.witness, r = about && about.replay;
    return section("log", [
      el("p", "", t("head") + ": " + t("records", { n: found.head.size }) + ", " + when(found.head.time)), el("p", "mono", t("root") + " " + found.head.root),
      el("p", "", w ? t("witnessed", { n: w.head.size, t: when(w.countersignature.time) }) : t("nowitness")),
      w ? el("p", "mono", t("print1") + " " + Evidence.fingerprint(w.countersignature.key)) : null,
      r ? el("p", "", t(r.inputs ? "replayin" : "replaynot") + (r.inputs && !r.whole ? " " + t("replaycut") : "") + (r.inputs && !r.same ? " " + t("replayother") : "")) : null
    ]);
  }

  function show() {
    var main = document.getElementById("page"), bar = el("div", "bar"), other = el("button", "", t("other")), print = el("button", "", t("print"));
    document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
    other.type = print.type = "button";
    other.addEventListener("click", function () { lang = lang === "zh" ? "en" : "zh"; show(); });
    print.addEventListener("click", function () { window.print(); });
    bar.appendChild(other); bar.appendChild(print);
    main.textContent = "";
    main.appendChild(bar);
    main.appendChild(verdict(result, false));
    var parts = [];
    // What was changed is not shown as if it were evidence.
    if (!result.faults.length) {
      // What one part cannot show must not take the others with it.
      parts = [summary, function (r) { return whose(r.header); }, timeline, rules, coverage, readings, looks, frames, notices, receipts, deeds,
        function (r) { return hashes("originals", Evidence.parsed(r, "original"), "file"); }, function (r) { return hashes("models", Evidence.parsed(r, "model"), "contract"); },
        log].map(function (part) { try { return part(result); } catch (e) { return section("unshown", el("p", "mono", String(e && e.message))); } });
    } else if (result.header && result.header.key) parts = [whose(result.header)];
    parts.concat(chooser()).forEach(function (p) { if (p) main.appendChild(p); });
  }
  document.addEventListener("DOMContentLoaded", function () {
    document.getElementById("page").textContent = t("checking");
    var at = document.getElementById("evidence");
    // The words above are painted first: a large file takes a second or two.
    setTimeout(function () {
      result = Evidence.check(at ? at.textContent.slice(1) : "");
      try {
        about = Evidence.parsed(result, "incident")[0] || null;
        if (about && typeof about.utc_offset_minutes === "number") offset = about.utc_offset_minutes;
      } catch (e) { about = null; }
      if (result.header) document.title = result.header.site_name + " · " + result.header.incident + " · " + document.title;
      show();
    }, 30);
  });
})();
