//! An incident's timeline for the script that draws it: everything by UTC milliseconds, in the person's words. Bounded by what the page holds.
use crate::lang::Ui;
use crate::view::alarm::Recipient;
use crate::view::gateway::{CameraLooks, DeliveryState, Entry, IncidentPage, Series};
use serde_json::{Value, json};
use tuoan_protocol::looks::{Class, Look, Posture, Seen};

/// The highest number that a script reads exactly.
fn number(v: i64, decimals: u8) -> f64 {
    v as f64 / 10f64.powi(i32::from(decimals))
}

fn series(ui: &Ui, s: &Series, clause: &str) -> Value {
    let decimals = s.quantity.decimals();
    let state = s.quantity.is_state();
    let words = state.then(|| [0, 1].map(|v| ui.figure(&s.quantity, tuoan_protocol::Fixed(v))));
    json!({
        "title": ui.quantity(&s.quantity), "unit": ui.unit(&s.quantity), "device": s.device, "decimals": decimals, "states": words,
        "at": s.points.iter().map(|p| p.0).collect::<Vec<_>>(),
        "value": s.points.iter().map(|p| number(p.1.0, decimals)).collect::<Vec<_>>(),
        "gaps": s.gaps, "uncertainty_ms": s.uncertainty_ms,
        "limit": s.threshold.map(|t| number(t.0, decimals)),
        "limit_text": s.threshold.map(|t| format!("{} · {clause}", ui.t1("chart-limit", "value", ui.value(&s.quantity, t)))),
    })
}

fn entry(ui: &Ui, e: &Entry) -> Value {
    let words = [Some(ui.transition(e.transition)), e.actor.clone(), e.note.clone(), e.trigger.as_ref().map(|t| ui.value(&t.0, t.1))];
    let text = words.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    json!({"at": e.at, "text": text, "person": e.actor.is_some(), "sure": e.clock_trusted, "severity": u8::from(e.severity)})
}

fn told(ui: &Ui, r: &Recipient) -> Vec<Value> {
    let name = r.name.clone().unwrap_or_else(|| ui.t("receipts-group"));
    let channel = r.channel.clone().unwrap_or_default();
    let steps = [
        (r.at.filter(|_| r.state != "quiet"), ui.word("told", r.state)),
        (r.seen, ui.t("receipts-seen")),
        (r.taken, ui.t("receipts-taken")),
    ];
    let says = |(at, word): (Option<i64>, String)| {
        at.map(|at| json!({"at": at, "text": format!("{name} · {channel} · {word}"), "bad": r.state == "refused"}))
    };
    steps.into_iter().filter_map(says).collect()
}

impl Ui {
    /// "2 人，1 人躺卧": what a look found.
    pub fn look(&self, look: &Look) -> String {
        let people = || look.seen.iter().filter(|s| s.class == Class::Person);
        let count = |n: usize| n as u64;
        let n = count(people().count());
        let mut parts = vec![match (n, look.at_least) {
            (0, false) => self.t("looks-nobody"),
            (_, true) => self.n("looks-at-least", n),
            _ => self.n("looks-people", n),
        }];
        for posture in Posture::ALL.into_iter().filter(|p| *p != Posture::Unknown).rev() {
            let n = count(people().filter(|s| s.posture == posture).count());
            if n > 0 {
                parts.push(self.t2("looks-posture", ("n", n.into()), ("posture", self.word("posture", posture.name()).into())));
            }
        }
        for class in Class::ALL.into_iter().filter(|c| *c != Class::Person) {
            let n = count(look.seen.iter().filter(|s| s.class == class).count());
            if n > 0 {
                parts.push(self.t2("looks-things", ("n", n.into()), ("what", self.word("class", class.name()).into())));
            }
        }
        parts.join(&self.t("looks-join"))
    }
    /// The looks that show something else than the one before, for who reads: when, and what.
    pub fn look_changes(&self, c: &CameraLooks) -> Vec<(i64, String)> {
        let mut out: Vec<(i64, String)> = Vec::new();
        for look in &c.looks {
            let text = self.look(look);
            if out.last().is_none_or(|(_, last)| *last != text) {
                out.push((look.at, text));
            }
        }
        out
    }
}

/// What is drawn of one: numbers of class and posture, whom it is (0: not followed), the box, and the key points that the model is sure of, by number.
fn seen(s: &Seen) -> Value {
    /// Percent; below this a joint is not drawn.
    const LEAST: u8 = 15;
    let points = s.pose.iter().flatten().enumerate().filter_map(|(n, p)| p.filter(|p| p.score >= LEAST).map(|p| json!([n, p.x, p.y])));
    json!([s.class as u8, s.posture as u8, s.track, s.bbox, points.collect::<Vec<_>>()])
}

fn camera(ui: &Ui, c: &CameraLooks) -> Value {
    let looks = c.looks.iter();
    let look = |l: &Look| json!({"at": l.at, "size": [l.width, l.height], "says": ui.look(l), "seen": l.seen.iter().map(seen).collect::<Vec<_>>()});
    json!({"camera": c.camera, "title": ui.t1("looks-of", "camera", c.camera.as_str()), "model": c.model, "looks": looks.map(look).collect::<Vec<_>>()})
}

pub fn json(ui: &Ui, v: &IncidentPage) -> Value {
    let i = &v.incident;
    let sent = v.deliveries.iter().filter_map(|d| match &d.state {
        DeliveryState::Accepted { at, receipt } => Some(
            json!({"at": at, "text": format!("{} · {} · {receipt}", ui.word("sink", &d.sink), ui.t("delivery-accepted")), "bad": false}),
        ),
        _ => None,
    });
    let told = v.receipts.recipients.iter().flat_map(|r| told(ui, r));
    json!({
        "from": v.from, "to": v.to, "now": ui.now, "utc_offset_minutes": ui.utc_offset_minutes, "cut": v.cut, "by_minute": v.by_minute,
        "span": {"from": i.opened_at, "to": if i.state.active { v.to } else { i.changed_at }, "text": ui.title(i)},
        "series": v.series.iter().map(|s| series(ui, s, &v.rule.clause)).collect::<Vec<_>>(),
        "entries": v.entries.iter().map(|e| entry(ui, e)).collect::<Vec<_>>(),
        "told": sent.chain(told).collect::<Vec<_>>(),
        "blind": v.blind.iter().map(|b| json!({"from": b.from, "to": b.to, "text": format!("{} · {}", b.camera, ui.quantity(&b.kind))})).collect::<Vec<_>>(),
        "watch": v.watch.iter().map(|w| json!({"from": w.from, "to": w.to, "blind": w.sight.is_blind(), "text": ui.sight(w.sight)})).collect::<Vec<_>>(),
        "unsure": v.unsure,
        "looks": v.looks.iter().map(|c| camera(ui, c)).collect::<Vec<_>>(),
        "postures": Posture::ALL.map(|p| ui.word("posture", p.name())),
        "classes": Class::ALL.map(|c| ui.word("class", c.name())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, sample};

    #[test]
    fn all_lanes_are_there_and_gaps_and_limits_with_them() {
        let v = json(&Ui::plain(Lang::Zh, sample::NOW), &sample::life("taken"));
        let co2 = &v["series"][0];
        assert_eq!((co2["title"].as_str(), co2["unit"].as_str(), co2["limit"].as_f64()), (Some("二氧化碳"), Some("ppm"), Some(1000.0)));
        assert!(co2["limit_text"].as_str().unwrap().contains("GB/T 18883-2022") && co2["gaps"].as_array().unwrap().len() == 1);
        assert_eq!(co2["at"].as_array().unwrap().len(), co2["value"].as_array().unwrap().len());
        assert!(v["series"].as_array().unwrap().iter().any(|s| s["states"].is_array()), "doors are bars");
        for lane in ["entries", "told", "blind", "watch", "unsure"] {
            assert!(!v[lane].as_array().unwrap().is_empty(), "{lane}");
        }
        let room = &v["looks"][0];
        assert_eq!((room["looks"].as_array().unwrap().len(), room["looks"][0]["says"].as_str()), (121, Some("2 人，1 人坐着，1 人站立")));
        let last = &room["looks"][120];
        assert_eq!(last["says"].as_str(), Some("2 人，1 人躺卧，1 人站立"));
        assert_eq!((last["seen"][1][1].as_u64(), last["seen"][1][4].as_array().unwrap().len()), (Some(5), 17));
        assert_eq!(v["looks"][1]["looks"][12]["says"].as_str(), Some("没有看到人，自行车 1"));
        let v = json(&Ui::plain(Lang::En, sample::NOW), &sample::life("taken"));
        assert_eq!(v["looks"][0]["looks"][120]["says"].as_str(), Some("2 people, 1 lying, 1 standing"));
        assert!(v["told"].as_array().unwrap().iter().any(|t| t["bad"] == true), "a refusal is not hidden");
    }
}
