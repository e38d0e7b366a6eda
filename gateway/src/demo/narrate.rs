//! What a person reads while the day plays: a progress bar, and one plain line for what happens, in Chinese and English.
use super::nursery::Nursery;
use super::scenario::TimeOfDay;
use crate::say;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use tuoan_protocol::{Basis, IncidentEvent, RuleId, Severity, Transition};

/// What rules say is wrong: (Chinese, English).
pub type Titles = BTreeMap<RuleId, (String, String)>;

pub struct Narrator {
    /// Nobody is told anything while it plays (headless).
    quiet: bool,
    bar: ProgressBar,
    from: u32,
    midnight: i64,
    /// Staged hazards still to be announced.
    ahead: Mutex<VecDeque<(u32, String)>>,
    zones: BTreeMap<String, String>,
    titles: Titles,
}

impl Narrator {
    pub fn new(nursery: &Nursery, titles: Titles, quiet: bool) -> Narrator {
        let (from, to) = (nursery.day.from.0, nursery.day.to.0);
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(u64::from(to.saturating_sub(from))) };
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3} %  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        let mut ahead: Vec<(u32, String)> =
            nursery.day.staged.iter().map(|s| (s.at.0, format!("{}  >>  {} / {}", clock(s.at.0), s.say.zh, s.say.en))).collect();
        ahead.sort();
        let zones = nursery.site.zones.iter().map(|z| (z.id.as_str().to_owned(), z.name.clone())).collect();
        Narrator { quiet, bar, from, midnight: nursery.midnight, ahead: Mutex::new(ahead.into()), zones, titles }
    }
    /// The day has come to that second.
    pub fn step(&self, second: u32) {
        if self.quiet {
            return;
        }
        self.bar.set_message(clock(second));
        self.bar.set_position(u64::from(second.saturating_sub(self.from)));
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        while ahead.front().is_some_and(|(at, _)| *at <= second) {
            if let Some((_, line)) = ahead.pop_front() {
                self.line(&line);
            }
        }
    }
    /// The gateway has said so.
    pub fn event(&self, event: &IncidentEvent) {
        if !self.quiet {
            self.line(&self.sentence(event));
        }
    }
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
    /// One line above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| say!("{text}"));
    }

    fn sentence(&self, e: &IncidentEvent) -> String {
        let second = e.at.saturating_sub(self.midnight).div_euclid(1000);
        let second = u32::try_from(second).unwrap_or(0);
        let zone = e.place.zone.as_str();
        let place = self.zones.get(zone).map_or(zone, String::as_str);
        let fallback = (e.hazard.as_str().to_owned(), e.hazard.as_str().to_owned());
        let (zh, en) = self.titles.get(&e.rule).unwrap_or(&fallback);
        let (did_zh, did_en) = match e.transition {
            Transition::Opened => ("发生", "opened"),
            Transition::Raised => ("升级", "raised"),
            Transition::Lowered => ("降级", "lowered"),
            Transition::Reactivated => ("再次发生", "again"),
            Transition::Returned => ("恢复正常", "returned to normal"),
            Transition::Acknowledged => ("已有人处理", "acknowledged"),
            Transition::Closed => ("结束", "closed"),
            Transition::Gathered => ("并入", "gathered"),
            Transition::Chattering => ("反复触发", "chattering"),
            Transition::Escalated => ("上报", "escalated"),
            Transition::Assigned => ("已接手", "taken"),
            Transition::Commented => ("备注", "commented"),
            Transition::Shelved => ("搁置", "shelved"),
            Transition::Suppressed => ("检修中", "under maintenance"),
            Transition::OutOfService => ("停用", "out of service"),
            Transition::Released => ("恢复提醒", "told again"),
            Transition::Resolved => ("已处置", "resolved"),
            Transition::Reopened => ("重新打开", "reopened"),
            Transition::Merged => ("合并", "merged"),
        };
        let (level_zh, level_en) = match e.severity {
            Severity::Emergency => ("紧急", "emergency"),
            Severity::Serious => ("严重", "serious"),
            Severity::General => ("一般", "general"),
            Severity::Advisory => ("提示", "advisory"),
        };
        let (sure_zh, sure_en) = match e.basis {
            Basis::Confirmed => ("已确认", "confirmed"),
            Basis::Inferred => ("推测", "inferred"),
        };
        format!("{}      [{level_zh} · {sure_zh}] {place}：{zh} {did_zh} / {en}, {zone}: {did_en} ({level_en}, {sure_en})", clock(second))
    }
}

fn clock(second: u32) -> String {
    TimeOfDay(second).to_string()
}
