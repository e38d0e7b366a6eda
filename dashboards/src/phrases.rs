//! What a page says of a struct in a sentence, and what else only the templates call.
use crate::assets;
use crate::lang::{Lang, Theme, Ui};
use crate::view::alarm::{Commissioning, Drill};
use crate::view::cameras::Camera;
use crate::view::gateway::{Home, Sight};
use crate::view::platform::{self, Live, PassState, Trust};
use crate::view::quality::Advice;
use crate::view::tasks::Export;
use std::borrow::Borrow;
use tuoan_protocol::Severity;

impl Ui {
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::url(name)
    }
    pub(crate) fn other_lang(&self) -> Lang {
        match self.lang {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }
    pub(crate) fn lang_name(&self, lang: Lang) -> String {
        lang.message("language-name", None).unwrap_or_default()
    }
    pub(crate) fn themes(&self) -> [Theme; 3] {
        [Theme::Auto, Theme::Light, Theme::Dark]
    }
    pub(crate) fn drill(&self, d: &Drill) -> String {
        let mut args = fluent_bundle::FluentArgs::new();
        for (name, text) in
            [("place", d.place.clone()), ("hazard", self.hazard(&d.hazard)), ("by", d.by.clone()), ("time", self.clock(d.until))]
        {
            args.set(name, text);
        }
        self.lang.message("drill-text", Some(&args)).unwrap_or_default()
    }
    pub(crate) fn pass_state(&self, p: &platform::PassLine) -> String {
        match &p.state {
            PassState::Waiting => self.t("platform-pass-waiting"),
            PassState::Open(at) => self.t1("platform-pass-open", "time", self.date_time(*at)),
            PassState::Over => self.t("platform-pass-over"),
            PassState::Revoked(at, by) => {
                self.args("platform-pass-revoked", vec![("time", self.date_time(*at).into()), ("name", by.as_str().into())])
            }
        }
    }
    /// "王敏 发起，到 15:20 自动结束。验证中：…"
    pub(crate) fn commissioning_text(&self, c: &Commissioning) -> String {
        let (by, time) = (c.by.clone(), self.clock(c.until));
        let devices = c.devices.join(if self.lang == Lang::Zh { "、" } else { ", " });
        let key = if devices.is_empty() { "commissioning-text-none" } else { "commissioning-text" };
        self.args(key, vec![("by", by.into()), ("time", time.into()), ("devices", devices.into())])
    }
    pub(crate) fn export_period(&self, x: &Export) -> String {
        self.t2("export-period", ("from", self.date_time(x.from).into()), ("to", self.date_time(x.to).into()))
    }
    pub(crate) fn export_done(&self, done: &(String, i64)) -> String {
        self.t2("export-done", ("name", done.0.as_str().into()), ("time", self.date_time(done.1).into()))
    }
    pub(crate) fn names(&self, names: &[String]) -> String {
        names.join(&self.t("list-comma"))
    }
    /// The short number of an incident that stands in messages: the end of its id.
    pub(crate) fn number(&self, id: &str) -> String {
        let start = id.char_indices().rev().nth(5).map_or(0, |(i, _)| i);
        id.get(start..).unwrap_or_default().to_uppercase()
    }
    /// The sentence under the state of the whole.
    pub(crate) fn whole_text(&self, v: &Home) -> String {
        if v.strip.disk_fault.is_some() {
            return self.t("whole-disk-text");
        }
        if v.zones.is_empty() && v.incidents.is_empty() {
            return self.t("whole-unknown-text");
        }
        let blind: Vec<&str> = v.zones.iter().filter(|z| z.sight() != Sight::Clear).map(|z| z.name.as_str()).collect();
        let set_aside = v.incidents.iter().filter(|i| i.state.inhibited.is_some()).count();
        let told = v.incidents.len().saturating_sub(set_aside);
        let aside = (set_aside > 0).then(|| self.n("whole-aside-text", set_aside as u64));
        if let (Some(aside), 0, true) = (&aside, told, blind.is_empty()) {
            return aside.clone();
        }
        let text = self.both(told, &blind, "whole-blind-text", "whole-safe-text");
        let join = if self.lang == Lang::Zh { "" } else { " " };
        [Some(text), aside].into_iter().flatten().collect::<Vec<_>>().join(join)
    }
    pub(crate) fn live_text(&self, v: &Live) -> String {
        if v.sites.is_empty() && v.incidents.is_empty() {
            return self.t("platform-whole-unknown-text");
        }
        let open = v.incidents.iter().filter(|i| !i.incident.state.closed).count();
        let doubtful: Vec<&str> = v.sites.iter().filter(|s| s.trust() != Trust::Heard).map(|s| s.name.as_str()).collect();
        self.both(open, &doubtful, "platform-whole-blind-text", "platform-whole-safe-text")
    }
    pub(crate) fn both(&self, open: usize, blind: &[&str], blind_key: &str, safe_key: &str) -> String {
        /// Names said in the sentence; the rest is counted.
        const NAMED: usize = 4;
        let mut parts = Vec::new();
        if open > 0 {
            parts.push(self.n("whole-incidents-text", open as u64));
        }
        if !blind.is_empty() {
            let mut names = blind.get(..NAMED).unwrap_or(blind).join(if self.lang == Lang::Zh { "、" } else { ", " });
            if blind.len() > NAMED {
                names.push('…');
            }
            parts.push(self.t2(blind_key, ("n", (blind.len() as u64).into()), ("names", names.into())));
        }
        if parts.is_empty() { self.t(safe_key) } else { parts.join(if self.lang == Lang::Zh { "" } else { " " }) }
    }
    pub(crate) fn severity_class(&self, s: impl Borrow<Severity>) -> &'static str {
        match s.borrow() {
            Severity::Emergency => "s1",
            Severity::Serious => "s2",
            Severity::General => "s3",
            Severity::Advisory => "s4",
        }
    }
    /// "1.0 帧/秒".
    pub fn per_second(&self, rate: impl Borrow<f32>) -> String {
        self.t1("camera-per-second", "n", format!("{:.1}", rate.borrow()))
    }
    /// "一般 0.4 秒，慢时 0.8 秒".
    pub fn lag(&self, lag: impl Borrow<(u32, u32)>) -> String {
        let seconds = |ms: u32| format!("{:.1}", f64::from(ms) / 1000.0);
        let (half, most) = *lag.borrow();
        if most < 50 {
            return self.t("camera-lag-short");
        }
        self.t2("camera-lag-figures", ("half", seconds(half).into()), ("most", seconds(most).into()))
    }
    /// "约 5 人（4–6）", "至少 6 人".
    pub fn head_count(&self, c: &Camera) -> String {
        let (low, likely, high) = c.people;
        if c.at_least {
            return self.n("camera-at-least", u64::from(low));
        }
        let count = self.n("camera-people-count", u64::from(likely));
        if low == high { count } else { format!("{count} ({low}–{high})") }
    }
    /// The page of the rule with the suggested figures in its form.
    pub(crate) fn try_link(&self, rule: &str, advice: &Advice) -> String {
        crate::quality::try_link(rule, advice)
    }
    /// What parents read: a template with the time in it, and nothing else.
    pub(crate) fn notice_text(&self, template: &str, at: impl Borrow<i64>) -> String {
        self.t1(&format!("notice-{template}"), "time", self.date_time(at))
    }
    pub(crate) fn minutes_left(&self, ms: impl Borrow<i64>) -> u64 {
        u64::try_from((*ms.borrow()).max(0) / 60_000).unwrap_or(0)
    }
}
