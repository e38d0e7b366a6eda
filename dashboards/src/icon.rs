//! Icons as inline SVG: static markup only, so templates may write it unescaped. Shape repeats what colour says (紧急 octagon, 严重 triangle,
//! 一般 diamond, 提示 circle): a page must read the same in black and white.
use crate::view::Whole;
use std::borrow::Borrow;
use tuoan_protocol::Severity;

const OCTAGON: &str = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path class="fill" d="M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6l-6.1-6.1V7.6z"/><path class="mark" d="M12 6.2v7.4M12 17.3v.2"/></svg>"#;
const TRIANGLE: &str = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path class="fill" d="M12 1.8 23 21.6H1z"/><path class="mark" d="M12 9v6M12 18.3v.2"/></svg>"#;
const DIAMOND: &str = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path class="line" d="M12 2 22 12 12 22 2 12z"/><path class="dot" d="M12 8v5M12 16v.2"/></svg>"#;
const CIRCLE: &str = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle class="line" cx="12" cy="12" r="9.5"/><path class="dot" d="M12 11v6M12 7v.2"/></svg>"#;
const STRUCK_EYE: &str = r#"<svg class="icon eye" viewBox="0 0 24 24" aria-hidden="true"><path class="stroke" d="M2 12s3.6-6.5 10-6.5S22 12 22 12s-3.6 6.5-10 6.5S2 12 2 12z"/><circle class="stroke" cx="12" cy="12" r="3"/><path class="stroke" d="M3.5 3.5l17 17"/></svg>"#;
const TICK: &str = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path class="stroke" d="M4.5 12.5l5 5 10-11"/></svg>"#;

pub fn severity(s: impl Borrow<Severity>) -> &'static str {
    match s.borrow() {
        Severity::Emergency => OCTAGON,
        Severity::Serious => TRIANGLE,
        Severity::General => DIAMOND,
        Severity::Advisory => CIRCLE,
    }
}
/// Cannot see (看不到).
pub fn struck_eye() -> &'static str {
    STRUCK_EYE
}
pub fn tick() -> &'static str {
    TICK
}
pub fn whole(w: impl Borrow<Whole>) -> &'static str {
    match w.borrow() {
        Whole::ActNow => OCTAGON,
        Whole::Attention => DIAMOND,
        Whole::CannotSee => STRUCK_EYE,
        Whole::Safe => TICK,
    }
}
