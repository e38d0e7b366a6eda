//! The coverage ledger in words and bars: blind and doubtful minutes have a pattern and a word, never a colour alone.
use crate::lang::Ui;
use crate::view::coverage::{CalendarDay, CoveragePage, Zone};
use crate::view::platform::SiteCoverage;
use std::borrow::Borrow;
use tuoan_protocol::ledger::{Cause, Figure, Gap, MINUTES, Need, Reason, Sight};

/// A run of minutes in a zone's bar, in minutes of the day.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub from: u16,
    pub minutes: u16,
    /// `absent`, `watched`, `degraded` or `blind`.
    pub class: &'static str,
    pub says: String,
}

pub fn class(sight: Sight) -> &'static str {
    match sight {
        Sight::Absent => "absent",
        Sight::Watched => "watched",
        Sight::Degraded(_) => "degraded",
        Sight::Blind(_) => "blind",
    }
}

impl Ui {
    /// "98.7%": rounded down, so that it says 100% only when every minute was watched.
    pub fn per_mille(&self, share: impl Borrow<Option<u16>>) -> String {
        match *share.borrow() {
            None => "–".to_owned(),
            Some(1000) => "100%".to_owned(),
            Some(n) => format!("{}.{}%", n / 10, n % 10),
        }
    }
    /// "09:05"; the end of the day is 24:00.
    pub fn of_day(&self, minute: impl Borrow<u16>) -> String {
        let m = *minute.borrow();
        format!("{:02}:{:02}", m / 60, m % 60)
    }
    pub fn minutes_long(&self, minutes: u16) -> String {
        if minutes < 60 { self.t1("coverage-minutes", "n", u64::from(minutes)) } else { self.span(i64::from(minutes) * 60_000) }
    }
    /// "摄像头被遮挡": of what and why.
    pub fn reason(&self, reason: impl Borrow<Reason>) -> String {
        let r = *reason.borrow();
        let cause = self.t(&format!("coverage-cause-{}", r.cause.name()));
        match r.need {
            Some(need) => {
                self.t2("coverage-of", ("need", self.t(&format!("coverage-need-{}", need.name())).into()), ("cause", cause.into()))
            }
            None => cause,
        }
    }
    /// "10:02–10:21（19 分钟）".
    pub fn gap_when(&self, gap: &Gap) -> String {
        let (from, to) = (self.of_day(gap.from), self.of_day(gap.from + gap.minutes));
        format!("{from}–{to}{}", self.t1("coverage-lasted", "span", self.minutes_long(gap.minutes)))
    }
    pub fn sight(&self, sight: impl Borrow<Sight>) -> String {
        let sight = *sight.borrow();
        let word = self.t(&format!("coverage-{}", class(sight)));
        match sight.reason() {
            Some(r) => self.t2("coverage-of", ("need", word.into()), ("cause", self.reason(r).into())),
            None => word,
        }
    }
    pub fn coverage_parts(&self, zone: &Zone) -> Vec<Part> {
        let mut from = 0;
        let parts = zone.run.stretches().iter().map(|s| {
            let says = format!("{}–{} {}", self.of_day(from), self.of_day(from + s.minutes), self.sight(s.sight));
            let part = Part { from, minutes: s.minutes, class: class(s.sight), says };
            from += s.minutes;
            part
        });
        parts.collect()
    }
    /// What the bar says, for who cannot see it.
    pub fn coverage_says(&self, zone: &Zone) -> String {
        let figure = zone.run.figure();
        format!("{}: {}", zone.name, self.coverage_figure(figure))
    }
    pub fn coverage_figure(&self, figure: impl Borrow<Figure>) -> String {
        let f = *figure.borrow();
        let long = |n: u32| self.span(i64::from(n) * 60_000);
        let args =
            vec![("share", self.per_mille(f.per_mille()).into()), ("degraded", long(f.degraded).into()), ("blind", long(f.blind).into())];
        self.args("coverage-figure", args)
    }
    /// The day in one sentence.
    pub fn coverage_lead(&self, page: &CoveragePage) -> String {
        let figure = page.figure();
        if figure.required() == 0 {
            return self.t("coverage-nothing");
        }
        let share = self.per_mille(figure.per_mille());
        match page.gaps().first() {
            None => self.t1("coverage-lead-whole", "share", share),
            Some((zone, gap)) => {
                let gap = format!("{zone} {}", self.gap_when(gap));
                self.t2("coverage-lead-gap", ("share", share.into()), ("gap", gap.into()))
            }
        }
    }
    /// What a site's last closed day says of it, for the district.
    pub fn site_coverage(&self, c: &SiteCoverage) -> String {
        let midnight = c.date.saturating_mul(86_400_000).saturating_sub(i64::from(self.utc_offset_minutes) * 60_000);
        let date = self.date_time(midnight).trim_end_matches(" 00:00").to_owned();
        let share = self.t2("coverage-site", ("date", date.into()), ("share", self.per_mille(c.per_mille).into()));
        let Some((zone, ms, cause)) = &c.gap else { return share };
        let cause = self.word("coverage-cause", cause);
        let args = vec![("time", self.span(*ms).into()), ("zone", zone.as_str().into()), ("cause", cause.into())];
        format!("{share} · {}", self.args("coverage-site-gap", args))
    }
    pub fn calendar_says(&self, day: &CalendarDay) -> String {
        match day.told {
            None => format!("{} {}", self.date(&day.date), self.t("coverage-no-record")),
            Some((figure, longest)) => {
                let gap =
                    if longest > 0 { self.t1("coverage-longest", "time", self.minutes_long(longest)) } else { self.t("coverage-no-gap") };
                format!("{} {} · {gap}", self.date(&day.date), self.coverage_figure(figure))
            }
        }
    }
}

/// Each key that [`Ui::reason`] and [`Ui::sight`] can ask for.
pub fn keys() -> Vec<String> {
    let causes = Cause::ALL.iter().map(|c| format!("coverage-cause-{}", c.name()));
    let needs = Need::ALL.iter().map(|n| format!("coverage-need-{}", n.name()));
    let sights = ["absent", "watched", "degraded", "blind"].iter().map(|s| format!("coverage-{s}"));
    causes.chain(needs).chain(sights).collect()
}

/// Width of a zone's bar: a minute is one unit.
pub const WIDTH: u16 = MINUTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, sample};

    #[test]
    fn every_cause_has_words_and_a_bar_fills_its_day() {
        for lang in Lang::ALL {
            let missing: Vec<_> = keys().into_iter().filter(|k| !lang.has(k)).collect();
            assert!(missing.is_empty(), "{missing:?}");
            let ui = Ui::plain(lang, sample::NOW);
            let page = sample::coverage_page();
            for z in &page.zones {
                let parts = ui.coverage_parts(z);
                assert_eq!(parts.iter().map(|p| p.minutes).sum::<u16>(), z.run.minutes());
                assert!(parts.iter().filter(|p| p.class != "watched").all(|p| p.says.len() > 12), "{parts:?}");
            }
        }
        let ui = Ui::plain(Lang::Zh, sample::NOW);
        assert_eq!(ui.per_mille(Some(999)), "99.9%");
        assert_eq!(ui.reason(Reason { cause: Cause::CameraCovered, need: Some(Need::Camera) }), "摄像头：被遮挡");
    }
}
