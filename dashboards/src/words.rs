//! Names of things and how numbers and times are written.
use crate::lang::{Lang, Ui};
use crate::view::alarm::{CAUSES, FORMS, Until, cause_name, rung_name};
use crate::view::gateway::Device;
use crate::view::{Incident, Whole};
use std::borrow::Borrow;
use time::{OffsetDateTime, UtcOffset};
use tuoan_protocol::{Basis, CauseCode, Fixed, Inhibition, Quantity, Rung, Severity, Transition, Via};

/// Ids of the hazard catalogue, each with a name and an advice in both languages.
pub const HAZARDS: [&str; 44] = [
    "fire.smoke",
    "gas.leak",
    "co.high",
    "panic.button",
    "exit.child_unattended",
    "door.held_open",
    "door.after_hours",
    "window.open_upper",
    "room.unattended",
    "ratio.low",
    "nap.prone",
    "child.fall",
    "child.climb",
    "zone.intrusion",
    "stranger.after_hours",
    "left.behind",
    "water.hot",
    "water.leak",
    "air.co2",
    "air.pm25",
    "air.hcho",
    "air.tvoc",
    "climate.temp",
    "climate.rh",
    "noise.high",
    "uv.unsafe",
    "uv.missing",
    "fridge.temp",
    "power.after_close",
    "ebike.in_escape",
    "crowding",
    "health.fever",
    "health.cluster",
    "exit.blocked",
    "power.lost",
    "recorder.gap",
    "coverage.gap",
    "detector.untested",
    "concern.report",
    "camera.blind",
    "sensor.silent",
    "gateway.silent",
    "env.anomaly",
    "store.degraded",
];

/// Why the gateway may refuse what a person asks.
pub const REFUSALS: [&str; 29] = [
    "concern_aside",
    "not_open",
    "reason",
    "time",
    "too_long",
    "too_many",
    "acknowledged",
    "handled",
    "district",
    "no_cause",
    "drill",
    "not_shelved",
    "shelved",
    "comment",
    "nobody",
    "open",
    "within",
    "newer",
    "long_ago",
    "itself",
    "urgent",
    "apart",
    "concern",
    "zone",
    "not_maintained",
    "device",
    "in_service",
    "no_drill",
    "other",
];

/// One thing that is known of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpkeepLine {
    pub text: String,
    /// Someone should do something about it.
    pub is_bad: bool,
}

/// Enumerations that have a message for each member: (prefix, members).
pub const WORDS: [(&str, &[&str]); 39] = [
    ("posture", &["unknown", "standing", "sitting", "crouching", "bending", "lying"]),
    ("class", &["person", "bicycle", "motorcycle"]),
    (
        "trouble",
        &[
            "disk-full",
            "read-only",
            "damaged",
            "secure",
            "name",
            "silent",
            "unreachable",
            "key",
            "recipient",
            "often",
            "address",
            "large",
            "refused",
            "later",
            "other",
        ],
    ),
    ("around", &["10m", "30m", "2h", "6h", "24h"]),
    ("report-district", &crate::view::tasks::District::ALL),
    ("quality", &["acknowledge", "handle"]),
    ("quality-care", &["place", "link", "battery", "value", "test"]),
    ("quality-def", &["alarm", "flood", "chatter", "stale", "false", "targets"]),
    ("do-title", &FORMS),
    ("do-help", &FORMS),
    ("do-button", &FORMS),
    ("cause", &CAUSES),
    ("rung", &["carer", "director", "deputy", "district"]),
    ("via", &["page", "link", "platform", "device", "command_line", "gateway"]),
    ("refused", &REFUSALS),
    ("told", &["waiting", "trying", "sent", "digest", "refused", "moot"]),
    ("aside-kind", &["alarm", "zone", "device"]),
    ("aside", &["shelved", "suppressed", "out_of_service", "shelved-plain", "suppressed-plain", "out_of_service-plain"]),
    ("link-over", &["unknown", "expired", "closed", "locked"]),
    ("link-over-help", &["unknown", "expired", "closed", "locked"]),
    ("watch-reason", &crate::view::cameras::REASONS),
    ("area", &crate::view::cameras::AREAS),
    ("deed", &["watch", "watch_ended", "open", "hold", "release", "delete", "set_up", "export"]),
    ("evidence-fault", &crate::view::evidence::FAULTS),
    ("evidence-signer", &crate::view::evidence::KeyState::NAMES),
    ("severity", &["1", "2", "3", "4"]),
    ("basis", &["confirmed", "inferred"]),
    ("symptom", &["fever", "cough", "vomiting", "diarrhoea", "rash", "blisters", "red_eyes", "swollen_cheeks"]),
    (
        "transition",
        &[
            "opened",
            "raised",
            "lowered",
            "reactivated",
            "returned",
            "acknowledged",
            "closed",
            "gathered",
            "chattering",
            "escalated",
            "assigned",
            "commented",
            "shelved",
            "suppressed",
            "out_of_service",
            "released",
            "resolved",
            "reopened",
            "merged",
        ],
    ),
    (
        "zone-kind",
        &[
            "activity",
            "nap",
            "corridor",
            "washroom",
            "changing",
            "nursing",
            "kitchen",
            "exit",
            "stairs_gate",
            "yard",
            "office",
            "power",
            "storage",
        ],
    ),
    ("phase", &["care", "drop_off", "nap", "collection", "staff", "closed"]),
    (
        "role",
        &[
            "climate",
            "door",
            "window",
            "smoke",
            "heat",
            "gas",
            "co",
            "water",
            "hot_water",
            "panic",
            "occupancy",
            "lock",
            "power",
            "siren",
            "beacon",
            "gas_valve",
            "camera",
            "meter",
            "uv_lamp",
            "uv_circulating",
            "fridge",
            "thermometer",
            "recorder",
            "estimate",
            "gateway",
            "other",
        ],
    ),
    ("eyes", &["blind", "uncalibrated"]),
    ("eyes-help", &["blind", "uncalibrated"]),
    ("doubt", &["implausible", "flat", "drifting"]),
    ("period-by", &["site", "device", "learned"]),
    ("institution", &["public", "employer", "community", "private", "kindergarten", "station"]),
    ("supervisor", &["health", "education", "township", "union", "civil_affairs"]),
    (
        "duty",
        &[
            "health",
            "disease_control",
            "maternal_child_health",
            "fire",
            "housing",
            "gas",
            "police",
            "civil_affairs",
            "womens_federation",
            "market",
            "environment",
            "education",
            "township",
        ],
    ),
];

pub fn transition_name(t: Transition) -> &'static str {
    match t {
        Transition::Opened => "opened",
        Transition::Raised => "raised",
        Transition::Lowered => "lowered",
        Transition::Reactivated => "reactivated",
        Transition::Returned => "returned",
        Transition::Acknowledged => "acknowledged",
        Transition::Closed => "closed",
        Transition::Gathered => "gathered",
        Transition::Chattering => "chattering",
        Transition::Escalated => "escalated",
        Transition::Assigned => "assigned",
        Transition::Commented => "commented",
        Transition::Shelved => "shelved",
        Transition::Suppressed => "suppressed",
        Transition::OutOfService => "out_of_service",
        Transition::Released => "released",
        Transition::Resolved => "resolved",
        Transition::Reopened => "reopened",
        Transition::Merged => "merged",
    }
}

/// A dotted or snake_case id as part of a message key.
fn key_part(id: &str) -> String {
    id.replace('.', "-")
}

/// Templates pass references and servers values; the methods below take either.
impl Ui {
    /// A member of an enumeration of [`WORDS`]; one that has no message is shown as it is.
    pub fn word(&self, prefix: &str, member: &str) -> String {
        self.lang.message(&format!("{prefix}-{member}"), None).unwrap_or_else(|| member.to_owned())
    }
    pub fn severity(&self, s: impl Borrow<Severity>) -> String {
        let s = *s.borrow();
        self.t(&format!("severity-{}", u8::from(s)))
    }
    pub fn basis(&self, b: impl Borrow<Basis>) -> String {
        let b = *b.borrow();
        self.t(match b {
            Basis::Confirmed => "basis-confirmed",
            Basis::Inferred => "basis-inferred",
        })
    }
    pub fn transition(&self, t: impl Borrow<Transition>) -> String {
        let t = *t.borrow();
        self.word("transition", transition_name(t))
    }
    pub fn whole(&self, w: impl Borrow<Whole>) -> String {
        let w = *w.borrow();
        self.word("whole", w.name())
    }
    /// What: the rule's own words, else the catalogue's, else the id.
    pub fn title(&self, i: &Incident) -> String {
        if i.title.is_empty() { self.word("hazard", &key_part(&i.hazard)) } else { self.text(&i.title).to_owned() }
    }
    /// What to do: the rule's own words, else the catalogue's, else the general advice.
    pub fn advice(&self, i: &Incident) -> String {
        if !i.advice.is_empty() {
            return self.text(&i.advice).to_owned();
        }
        self.lang.message(&format!("advice-{}", key_part(&i.hazard)), None).unwrap_or_else(|| self.t("advice-general"))
    }
    pub fn cause(&self, c: impl Borrow<CauseCode>) -> String {
        self.word("cause", cause_name(*c.borrow()))
    }
    pub fn rung(&self, r: impl Borrow<Rung>) -> String {
        self.word("rung", rung_name(*r.borrow()))
    }
    pub fn via(&self, v: impl Borrow<Via>) -> String {
        self.word(
            "via",
            match v.borrow() {
                Via::Page => "page",
                Via::Link => "link",
                Via::Platform => "platform",
                Via::Device => "device",
                Via::CommandLine => "command_line",
                Via::Gateway => "gateway",
            },
        )
    }
    /// Why an incident is told to nobody, and until when where that is known.
    pub fn aside(&self, why: impl Borrow<Inhibition>, until: Option<&Until>) -> String {
        let name = match why.borrow() {
            Inhibition::Shelved => "shelved",
            Inhibition::Suppressed => "suppressed",
            Inhibition::OutOfService => "out_of_service",
        };
        match until {
            Some(u) => self.t1(&format!("aside-{name}"), "time", self.clock(u.until)),
            None => self.word("aside", &format!("{name}-plain")),
        }
    }
    /// "王老师：换风机".
    pub fn why(&self, u: &Until) -> String {
        self.t2("aside-why", ("by", u.by.as_str().into()), ("why", u.why.as_str().into()))
    }
    /// "王老师 · 14:32 起".
    pub fn aside_by(&self, by: &str, since: impl Borrow<i64>) -> String {
        self.t2("aside-by", ("by", by.into()), ("time", self.clock(since).into()))
    }
    /// "15 分钟", "8 小时", "7 天".
    pub fn minutes(&self, n: impl Borrow<u32>) -> String {
        let n = *n.borrow();
        match n {
            0..60 => self.t1("minutes-m", "n", n),
            60..1440 => self.t1("minutes-h", "n", n / 60),
            _ => self.t1("minutes-d", "n", n / 1440),
        }
    }
    /// The same, and when that is over.
    pub fn minutes_until(&self, n: impl Borrow<u32>) -> String {
        let n = *n.borrow();
        let end = self.now.saturating_add(i64::from(n) * 60_000);
        self.t2("minutes-until", ("span", self.minutes(n).into()), ("time", self.clock(end).into()))
    }
    /// "+3 秒": how long after.
    pub fn after(&self, from: impl Borrow<i64>, at: impl Borrow<i64>) -> String {
        let s = at.borrow().saturating_sub(*from.borrow()).max(0) / 1000;
        if s < 600 { self.t1("receipts-after", "s", s) } else { format!("+{}", self.span(s.saturating_mul(1000))) }
    }
    /// For the live region: severity, where, what, what to do.
    pub fn announcement(&self, i: &Incident) -> String {
        format!("{} · {} · {} · {}", self.severity(i.severity), i.place, self.title(i), self.advice(i))
    }
    pub fn quantity(&self, q: &Quantity) -> String {
        self.word("quantity", q.name())
    }
    /// Unit for display: counts have a counter word in Chinese, states have none.
    pub fn unit(&self, q: &Quantity) -> String {
        match q {
            Quantity::People | Quantity::Adults | Quantity::Children => self.t("unit-people"),
            Quantity::LinkQuality => String::new(),
            q if q.is_state() => String::new(),
            q => q.unit().to_owned(),
        }
    }
    /// The number alone, or the word of a state.
    pub fn figure(&self, q: &Quantity, value: impl Borrow<Fixed>) -> String {
        let value = *value.borrow();
        if q.is_state() {
            let state = if value.0 == 1 { "1" } else { "0" };
            return self.word("state", &format!("{}-{state}", q.name()));
        }
        decimal(value.0, q.decimals(), shown_decimals(q))
    }
    /// Number and unit.
    pub fn value(&self, q: &Quantity, value: impl Borrow<Fixed>) -> String {
        let value = *value.borrow();
        let unit = self.unit(q);
        let figure = self.figure(q, value);
        if unit.is_empty() { figure } else { format!("{figure} {unit}") }
    }
    fn local(&self, ms: i64) -> Option<OffsetDateTime> {
        let offset = UtcOffset::from_whole_seconds(self.utc_offset_minutes.checked_mul(60)?).ok()?;
        let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
        utc.checked_to_offset(offset)
    }
    /// "14:32", with the date where it is not today's.
    pub fn clock(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        let Some(t) = self.local(ms) else { return "–".into() };
        let time = format!("{:02}:{:02}", t.hour(), t.minute());
        match self.local(self.now) {
            Some(now) if now.date() == t.date() => time,
            _ => format!("{} {time}", self.day(t)),
        }
    }
    /// "14:32:05".
    pub fn clock_seconds(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        self.local(ms).map_or_else(|| "–".into(), |t| format!("{:02}:{:02}:{:02}", t.hour(), t.minute(), t.second()))
    }
    /// "14:32", whatever the day.
    pub fn clock_minutes(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        self.local(ms).map_or_else(|| "–".into(), |t| format!("{:02}:{:02}", t.hour(), t.minute()))
    }
    /// "11月22日 14:32" or "22 Nov 14:32".
    pub fn date_time(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        self.local(ms).map_or_else(|| "–".into(), |t| format!("{} {:02}:{:02}", self.day(t), t.hour(), t.minute()))
    }
    /// With the year, for paper.
    pub fn full_date_time(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        self.local(ms).map_or_else(
            || "–".into(),
            |t| format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second()),
        )
    }
    fn day(&self, t: OffsetDateTime) -> String {
        match self.lang {
            Lang::Zh => format!("{}月{}日", u8::from(t.month()), t.day()),
            Lang::En => {
                let month = t.month().to_string();
                format!("{} {}", t.day(), month.get(..3).unwrap_or(&month))
            }
        }
    }
    /// "12 秒前". The page's script keeps it counting.
    pub fn age(&self, ms: impl Borrow<i64>) -> String {
        let ms = *ms.borrow();
        let s = self.now.saturating_sub(ms).max(0) / 1000;
        match s {
            0..60 => self.t1("age-s", "s", s),
            60..3600 => self.t1("age-m", "m", s / 60),
            3600..86_400 => self.t1("age-h", "h", s / 3600),
            _ => self.t1("age-d", "d", s / 86_400),
        }
    }
    /// "1 分 20 秒", from then to now.
    pub fn lasting(&self, since: impl Borrow<i64>) -> String {
        let since = *since.borrow();
        self.span(self.now.saturating_sub(since))
    }
    pub fn between(&self, from: impl Borrow<i64>, to: impl Borrow<i64>) -> String {
        self.span(to.borrow().saturating_sub(*from.borrow()))
    }
    /// A length of time in milliseconds in its two largest units.
    pub fn span(&self, ms: i64) -> String {
        let s = ms.max(0) / 1000;
        let two = |key: &str, a: (&str, i64), b: (&str, i64)| self.t2(key, (a.0, a.1.into()), (b.0, b.1.into()));
        match s {
            0..60 => self.t1("span-s", "s", s),
            60..3600 => two("span-ms", ("m", s / 60), ("s", s % 60)),
            3600..86_400 => two("span-hm", ("h", s / 3600), ("m", s % 3600 / 60)),
            _ => two("span-dh", ("d", s / 86_400), ("h", s % 86_400 / 3600)),
        }
    }
    /// How well a device does, a line for each thing known.
    pub fn upkeep(&self, d: &Device) -> Vec<UpkeepLine> {
        let u = &d.upkeep;
        let mut out = Vec::new();
        let mut say = |text: String, is_bad| out.push(UpkeepLine { text, is_bad });
        if !u.quantities.is_empty() {
            say(u.quantities.iter().map(|q| self.quantity(q)).collect::<Vec<_>>().join(" · "), false);
        }
        if let Some((ms, by)) = u.period {
            say(format!("{} · {}", self.t1("upkeep-period", "span", self.span(ms)), self.word("period-by", by)), false);
        }
        if let Some(n) = d.battery {
            say(self.t1("upkeep-battery", "n", n), n < 20);
        }
        if let Some((days, least, most)) = u.battery_days {
            let most = most.map(|m| m.to_string()).unwrap_or_default();
            say(format!("{} ({least}–{most})", self.n("upkeep-days", days)), days < 14);
        }
        if let Some((ms, band)) = u.clock {
            let key = if ms < 0 { "clock-ahead" } else { "clock-behind" };
            // A band of half a second is shown as one.
            let band = self.span(band.saturating_add(999));
            say(self.t2(key, ("span", self.span(ms.saturating_abs()).into()), ("band", band.into())), u.clock_is_off());
        }
        for (key, n) in [("upkeep-duplicate", u.duplicate), ("upkeep-late", u.late), ("upkeep-implausible", u.implausible)] {
            if n > 0 {
                say(self.n(key, n), false);
            }
        }
        if let Some(hardware) = &u.hardware {
            say(self.t1("upkeep-hardware", "board", hardware.as_str()), false);
        }
        if let Some(started) = &u.started {
            say(self.started(started), false);
        }
        for (reason, n) in &u.resets {
            say(self.t2("upkeep-resets", ("reason", self.reset(reason).into()), ("n", (*n).into())), true);
        }
        if let Some(via) = &u.via {
            say(self.t1("upkeep-via", "device", via.as_str()), false);
        }
        out
    }
    /// How far a push of firmware is with a node: `about` is the per cent that it has, or why it refuses.
    pub fn push(&self, stage: &str, about: &str) -> String {
        match stage {
            "refused" => self.t1("push-refused", "why", self.word("image", about)),
            "sending" => self.t1("push-sending", "n", about),
            stage => self.word("push", stage),
        }
    }
    /// Who sent firmware last, and when.
    pub fn sent_by(&self, (name, at): &(String, i64)) -> String {
        self.t2("firmware-by", ("name", name.as_str().into()), ("time", self.date_time(*at).into()))
    }
    /// Why and when a device last started.
    pub fn started(&self, (reason, at): &(String, i64)) -> String {
        self.t2("upkeep-started", ("reason", self.reset(reason).into()), ("time", self.date_time(*at).into()))
    }
    /// Why a device started: its own word where it is one of ours (`reset-...`), with what it says beside it; anything else as it came.
    pub fn reset(&self, reason: &str) -> String {
        let (word, rest) = reason.split_once(' ').unwrap_or((reason, ""));
        const KNOWN: [&str; 7] = ["power_on", "brown_out", "reset_pin", "watchdog", "restart", "unknown", "panic"];
        match KNOWN.contains(&word) {
            true => format!("{} {rest}", self.word("reset", word)).trim_end().to_owned(),
            false => reason.to_owned(),
        }
    }
    /// The same message with its variables left as `{s}`, `{m}` ..., for the script.
    pub fn pattern(&self, key: &str) -> String {
        let mut args = fluent_bundle::FluentArgs::new();
        for name in ["s", "m", "h", "d", "n", "e"] {
            args.set(name, format!("{{{name}}}"));
        }
        self.lang.message(key, Some(&args)).unwrap_or_default()
    }
    /// "1.5 MB": bytes in at most one decimal.
    pub fn bytes(&self, n: impl Borrow<u64>) -> String {
        let n = *n.borrow();
        match n {
            0..1024 => format!("{n} B"),
            1024..1_048_576 => format!("{:.1} kB", n as f64 / 1024.0),
            _ => format!("{:.1} MB", n as f64 / 1_048_576.0),
        }
    }
    pub fn hours(&self, h: impl Borrow<f64>) -> String {
        let h = *h.borrow();
        if h >= 100.0 || !h.is_finite() { "> 100".into() } else { format!("{h:.0}") }
    }
}

/// Decimals worth showing: sensors are not as sharp as their scale.
fn shown_decimals(q: &Quantity) -> u8 {
    match q {
        Quantity::Formaldehyde | Quantity::Tvoc | Quantity::BatteryVoltage => 2,
        Quantity::Humidity => 0,
        q => q.decimals().min(1),
    }
}

/// `raw / 10^from` with `to` decimals, rounded half away from zero, in whole numbers.
pub fn decimal(raw: i64, from: u8, to: u8) -> String {
    let drop = 10u64.saturating_pow(u32::from(from.saturating_sub(to)));
    let magnitude = raw.unsigned_abs().saturating_add(drop / 2) / drop.max(1);
    let decimals = from.min(to);
    let scale = 10u64.saturating_pow(u32::from(decimals)).max(1);
    let sign = if raw < 0 && magnitude > 0 { "−" } else { "" };
    if decimals == 0 {
        format!("{sign}{magnitude}")
    } else {
        format!("{sign}{}.{:0width$}", magnitude / scale, magnitude % scale, width = usize::from(decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_half_away_from_zero() {
        assert_eq!(decimal(2345, 2, 1), "23.5");
        assert_eq!(decimal(-2345, 2, 1), "−23.5");
        assert_eq!(decimal(-4, 2, 1), "0.0");
        assert_eq!(decimal(812, 0, 0), "812");
        assert_eq!(decimal(5, 3, 2), "0.01");
        assert_eq!(decimal(i64::MIN, 2, 1).len(), "−".len() + 19);
    }

    #[test]
    fn times_are_the_sites_own() {
        let ui = Ui::plain(Lang::Zh, 1_795_329_120_000); // 2026-11-22 06:32 UTC
        assert_eq!(ui.date_time(ui.now), "11月22日 14:32");
        assert_eq!(ui.clock(ui.now), "14:32");
        assert_eq!(ui.clock(ui.now - 86_400_000), "11月21日 14:32");
        assert_eq!(ui.age(ui.now - 12_000), "12 秒前");
        assert_eq!(ui.lasting(ui.now - 80_000), "1 分 20 秒");
        assert_eq!(Ui::plain(Lang::En, ui.now).date_time(ui.now), "22 Nov 14:32");
        assert_eq!(ui.date_time(i64::MAX), "–");
    }

    #[test]
    fn values_speak() {
        let ui = Ui::plain(Lang::Zh, 0);
        assert_eq!(ui.value(&Quantity::Temperature, Fixed(2340)), "23.4 °C");
        assert_eq!(ui.value(&Quantity::Open, Fixed(1)), "开");
        assert_eq!(ui.value(&Quantity::Children, Fixed(12)), "12 人");
    }
}
