//! The words of a message. Every form says its number and when it was sent, so that no two tellings are the same text.
//!
//! Texts of others (titles of site rules, notes, names) are shown, never obeyed: in Markdown their brackets become full-width, in HTML they are
//! escaped, control characters are gone everywhere.
use super::message::{Kind, Message};
use std::fmt::Write as _;
use time::{OffsetDateTime, UtcOffset};
use tuoan_dashboards::Lang;

#[cfg(test)]
mod tests;

/// Characters of a short message that go as one: 70 in Chinese (UCS-2), 160 in the alphabet of GSM.
pub fn short_limit(lang: Lang) -> usize {
    match lang {
        Lang::Zh => 70,
        Lang::En => 160,
    }
}

/// Characters of a note that are told.
const NOTE_MAX: usize = 300;

/// A piece of a text, before it is Markdown or anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Plain(String),
    /// Label and value.
    Field(String, String),
    /// What it says, and an address of our own pages.
    Link(String, String),
}

/// A text in its pieces. `body` may be shortened, the rest stays whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub title: String,
    pub body: Vec<Line>,
    pub tail: Vec<Line>,
}

/// The message of that key, with its arguments in their places.
pub fn say(lang: Lang, key: &str, args: &[(&str, &str)]) -> String {
    lang.say(key, args)
}

/// One line: what kind, how grave, what, where.
pub fn title(m: &Message, lang: Lang) -> String {
    format!("{}{}", marks(m, lang), subject(m, lang))
}

/// A line of a digest: what, where, since when, which.
pub fn line(m: &Message, lang: Lang) -> String {
    let mut since = stamp(m.since, m.utc_offset_minutes);
    if m.count > 1 {
        since.push_str(&say(lang, "notify-count", &[("n", &m.count.to_string())]));
    }
    format!("{} {since} {}", title(&Message { repeat: false, ..m.clone() }, lang), m.number)
}

/// All there is to say, in pieces.
pub fn parts(m: &Message, lang: Lang) -> Parts {
    let mut body = Vec::new();
    let mut field = |key: &str, value: String| {
        if !value.is_empty() {
            body.push(Line::Field(say(lang, key, &[]), value));
        }
    };
    field("notify-place", place(m));
    if m.kind.of_incident() {
        field("notify-basis", basis(m, lang));
        field("notify-reading", clean(m.reading.as_deref().unwrap_or_default()));
        let mut since = stamp(m.since, m.utc_offset_minutes);
        if m.count > 1 {
            since.push_str(&say(lang, "notify-count", &[("n", &m.count.to_string())]));
        }
        field("notify-since", since);
    }
    if m.kind == Kind::Alert || m.kind == Kind::Test {
        field("notify-advice", clean(pick(&m.advice.zh, &m.advice.en, lang)));
    }
    if m.kind == Kind::Alert {
        field("notify-told", m.step.map(|s| say(lang, &format!("notify-step-{s}"), &[])).unwrap_or_default());
    }
    if m.kind == Kind::Report {
        body.extend(m.note.iter().flat_map(|n| n.lines()).map(|l| Line::Plain(clean(l))).filter(|l| *l != Line::Plain(String::new())));
    } else {
        field("notify-note", cut(&clean(m.note.as_deref().unwrap_or_default()), NOTE_MAX));
    }
    body.extend(m.lines.iter().map(|l| Line::Plain(format!("· {}", clean(l)))));
    let mut tail = Vec::new();
    for (key, link) in [("notify-link-seen", &m.links.seen), ("notify-link-take", &m.links.take), ("notify-link-page", &m.links.page)] {
        tail.extend(link.as_ref().map(|url| Line::Link(say(lang, key, &[]), clean(url))));
    }
    let sent = say(lang, "notify-number-at", &[("number", &m.number), ("at", &clock(m.at, m.utc_offset_minutes, true))]);
    tail.push(Line::Field(say(lang, "notify-number", &[]), sent));
    Parts { title: title(m, lang), body, tail }
}

/// Lines of plain text in at most `max` bytes; the title first.
pub fn long(m: &Message, lang: Lang, max: usize) -> String {
    fit(&parts(m, lang), lang, max, "\n", clean, |line| match line {
        Line::Plain(text) => text.clone(),
        Line::Field(label, value) => format!("{label}{}{value}", colon(lang)),
        Line::Link(label, url) => format!("{label}{}{url}", colon(lang)),
    })
}

/// Markdown as group robots show it, in at most `max` bytes; lines are ended by `newline`.
pub fn markdown(m: &Message, lang: Lang, max: usize, newline: &str) -> String {
    let bold = |title: &str| format!("**{}**", harmless(title));
    fit(&parts(m, lang), lang, max, newline, bold, |line| match line {
        Line::Plain(text) => harmless(text),
        Line::Field(label, value) => format!("{label}{}{}", colon(lang), harmless(value)),
        // In an address a bracket would end the link; our own have none.
        Line::Link(label, url) => format!("[{label}]({})", url.replace(['(', ')', ' '], "")),
    })
}

/// A page for mail.
pub fn html(m: &Message, lang: Lang) -> String {
    let parts = parts(m, lang);
    let mut out = format!(
        "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><body style=\"font-family:sans-serif\"><h2>{}</h2>",
        lang.tag(),
        escape(&parts.title)
    );
    for line in parts.body.iter().chain(&parts.tail) {
        let _ = match line {
            Line::Plain(text) => write!(out, "<p>{}</p>", escape(text)),
            Line::Field(label, value) => write!(out, "<p>{}{}{}</p>", escape(label), colon(lang), escape(value)),
            Line::Link(label, url) => write!(out, "<p><a href=\"{}\">{}</a></p>", escape(url), escape(label)),
        };
    }
    out.push_str("</body></html>");
    out
}

/// One line of at most `max` characters, for short messages. Kept whole: marks and number; then in this order what, where and since when, what to
/// do now (cut at a sentence), the link if it fits.
pub fn short(m: &Message, lang: Lang, max: usize) -> String {
    let number = say(lang, "notify-short-number", &[("number", &m.number)]);
    let what = clean(pick(&m.title.zh, &m.title.en, lang));
    let at = clock(m.at, m.utc_offset_minutes, false);
    let since = moment(m);
    let place = clean(&m.place);
    let core = match m.kind {
        Kind::Alert => say(lang, "notify-short", &[("place", &place), ("title", &what), ("basis", &basis(m, lang)), ("since", &since)]),
        Kind::Update(_) => say(lang, "notify-short-change", &[("place", &place), ("title", &what), ("at", &at)]),
        Kind::Digest => say(lang, "notify-short-other", &[("title", &subject_of_digest(m, lang)), ("at", &at)]),
        Kind::Report | Kind::Test => say(lang, "notify-short-other", &[("title", &what), ("at", &at)]),
    };
    let room = max.saturating_sub(length(&number));
    let mut text = cut(&format!("{}{core}", marks(m, lang)), room);
    let left = room.saturating_sub(length(&text));
    let more = match m.kind {
        Kind::Alert => clean(pick(&m.advice.zh, &m.advice.en, lang)),
        Kind::Digest => m.lines.iter().map(|l| clean(l)).collect::<Vec<_>>().join("；"),
        _ => String::new(),
    };
    text.push_str(&sentences(&more, left));
    if let Some(link) = m.links.page.as_ref().or(m.links.take.as_ref()) {
        let link = format!(" {}", clean(link));
        if length(&text).saturating_add(length(&link)) <= room {
            text.push_str(&link);
        }
    }
    text.push_str(&number);
    text
}

/// For a loudspeaker or a call: no signs, no addresses, no number.
pub fn speech(m: &Message, lang: Lang) -> String {
    let mut text = match (m.drill, m.test) {
        (true, _) => say(lang, "notify-spoken-drill", &[]),
        (_, true) => say(lang, "notify-spoken-proof", &[]),
        _ => String::new(),
    };
    let time = clock(m.since, m.utc_offset_minutes, false);
    let (hour, minute) = time.split_once(':').unwrap_or_default();
    let severity = severity(m, lang);
    let site = clean(&m.site);
    let place = clean(&m.place);
    let what = clean(pick(&m.title.zh, &m.title.en, lang));
    let n = m.lines.len().to_string();
    let args = [
        ("severity", severity.as_str()),
        ("site", &site),
        ("place", &place),
        ("title", &what),
        ("basis", &basis(m, lang)),
        ("hour", hour.strip_prefix('0').unwrap_or(hour)),
        ("minute", minute),
        ("n", &n),
    ];
    match m.kind {
        Kind::Alert | Kind::Update(_) | Kind::Digest => text.push_str(&say(lang, &format!("notify-spoken-{}", m.kind.word()), &args)),
        Kind::Test => text.push_str(&say(lang, "notify-spoken-test", &[])),
        Kind::Report => {
            text.push_str(&what);
            text.push_str(stop(lang));
        }
    }
    match m.kind {
        Kind::Alert | Kind::Test => text.push_str(&clean(pick(&m.advice.zh, &m.advice.en, lang))),
        Kind::Digest => m.lines.iter().for_each(|l| {
            text.push_str(&clean(l));
            text.push_str(stop(lang));
        }),
        Kind::Update(_) | Kind::Report => {}
    }
    text.trim_end().to_owned()
}

/// `紧急`, `Emergency`.
pub fn severity(m: &Message, lang: Lang) -> String {
    say(lang, &format!("severity-{}", u8::from(m.severity)), &[])
}

/// `已确认` or `推测`.
pub fn basis(m: &Message, lang: Lang) -> String {
    let key = match m.basis {
        tuoan_protocol::Basis::Confirmed => "basis-confirmed",
        tuoan_protocol::Basis::Inferred => "basis-inferred",
    };
    say(lang, key, &[])
}

/// Local time of the telling, `2026-03-02 10:06`.
pub fn told_at(m: &Message) -> String {
    stamp(m.at, m.utc_offset_minutes)
}

/// At most `max` characters, ended at a sentence if one ends in the second half of what there is room for, else with an ellipsis.
pub fn sentences(text: &str, max: usize) -> String {
    if length(text) <= max {
        return text.to_owned();
    }
    let head: String = text.chars().take(max).collect();
    // A point inside a number or an address ends nothing.
    let ends = |i: usize, c: char| {
        let next = text.get(i.saturating_add(c.len_utf8())..).and_then(|rest| rest.chars().next());
        "。！？；".contains(c) || (".!?;".contains(c) && next.is_none_or(char::is_whitespace))
    };
    let end = head.char_indices().rfind(|(i, c)| ends(*i, *c)).map(|(i, c)| i.saturating_add(c.len_utf8()));
    match end.and_then(|end| head.get(..end)) {
        Some(whole) if length(whole).saturating_mul(2) >= max => whole.to_owned(),
        _ => cut(text, max),
    }
}

/// At most `max` characters; what is cut ends with an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    if length(text) <= max {
        return text.to_owned();
    }
    let mut head: String = text.chars().take(max.saturating_sub(1)).collect();
    if max > 0 {
        head.push('…');
    }
    head
}

/// One printable line.
pub fn clean(text: &str) -> String {
    let shown =
        |c: char| if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c) { ' ' } else { c };
    text.trim().chars().map(shown).collect()
}

fn marks(m: &Message, lang: Lang) -> String {
    let mut text = String::new();
    if m.drill {
        text.push_str(&say(lang, "notify-drill", &[]));
    }
    if m.test {
        text.push_str(&say(lang, "notify-proof", &[]));
    }
    if m.repeat {
        text.push_str(&say(lang, "notify-repeat", &[]));
    }
    text.push_str(&say(lang, &format!("notify-tag-{}", m.kind.word()), &[("severity", &severity(m, lang))]));
    text
}

fn subject(m: &Message, lang: Lang) -> String {
    let what = clean(pick(&m.title.zh, &m.title.en, lang));
    match m.kind {
        Kind::Digest => subject_of_digest(m, lang),
        Kind::Report | Kind::Test => what,
        _ if m.place.is_empty() => what,
        _ => say(lang, "notify-title", &[("title", &what), ("place", &clean(&m.place))]),
    }
}

fn subject_of_digest(m: &Message, lang: Lang) -> String {
    say(lang, "notify-title-digest", &[("n", &m.lines.len().to_string())])
}

fn place(m: &Message) -> String {
    format!("{} {}", clean(&m.site), clean(&m.place)).trim().to_owned()
}

fn pick<'a>(zh: &'a str, en: &'a str, lang: Lang) -> &'a str {
    let (first, second) = match lang {
        Lang::Zh => (zh, en),
        Lang::En => (en, zh),
    };
    if first.is_empty() { second } else { first }
}

fn colon(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "：",
        Lang::En => ": ",
    }
}

fn stop(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "。",
        Lang::En => ". ",
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// When it began, as short as it can be said: the day only if it is another.
fn moment(m: &Message) -> String {
    let (began, told) = (stamp(m.since, m.utc_offset_minutes), stamp(m.at, m.utc_offset_minutes));
    match (began.split_once(' '), told.split_once(' ')) {
        (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
        (Some((day, time)), _) => format!("{} {time}", day.get(5..).unwrap_or(day)),
        _ => began,
    }
}

fn local(utc_ms: i64, offset_minutes: i32) -> Option<OffsetDateTime> {
    let offset = UtcOffset::from_whole_seconds(offset_minutes.saturating_mul(60)).ok()?;
    OffsetDateTime::from_unix_timestamp(utc_ms.div_euclid(1000)).ok()?.checked_to_offset(offset)
}

/// `2026-03-02 10:06`.
fn stamp(utc_ms: i64, offset_minutes: i32) -> String {
    let Some(t) = local(utc_ms, offset_minutes) else { return utc_ms.to_string() };
    format!("{:04}-{:02}-{:02} {:02}:{:02}", t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute())
}

/// `10:06`, or `10:06:15`.
fn clock(utc_ms: i64, offset_minutes: i32, seconds: bool) -> String {
    let Some(t) = local(utc_ms, offset_minutes) else { return utc_ms.to_string() };
    let mut text = format!("{:02}:{:02}", t.hour(), t.minute());
    if seconds {
        let _ = write!(text, ":{:02}", t.second());
    }
    text
}

/// Without what Markdown, or a robot's own tags (`<@user>`, `<font>`), would act on.
fn harmless(text: &str) -> String {
    let full = |c: char| match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '`' => '｀',
        '@' => '＠',
        c => c,
    };
    text.chars().map(full).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The pieces in at most `max` bytes. What does not fit is left out of the body from its end, which is said.
fn fit(parts: &Parts, lang: Lang, max: usize, newline: &str, head: impl Fn(&str) -> String, line: impl Fn(&Line) -> String) -> String {
    let title = head(&cut(&parts.title, 200));
    let tail: Vec<String> = parts.tail.iter().map(&line).collect();
    let body: Vec<String> = parts.body.iter().map(&line).collect();
    let size = |texts: &[String]| texts.iter().map(|t| t.len().saturating_add(newline.len())).sum::<usize>();
    let fixed = title.len().saturating_add(size(&tail));
    let mut kept: Vec<String> = Vec::new();
    if fixed.saturating_add(size(&body)) <= max {
        kept = body;
    } else {
        // Room for the line that says how many are missing.
        let room = max.saturating_sub(fixed).saturating_sub(80);
        let total = body.len();
        for text in body {
            if size(&kept).saturating_add(text.len()).saturating_add(newline.len()) > room {
                break;
            }
            kept.push(text);
        }
        let missing = total.saturating_sub(kept.len()).to_string();
        kept.push(say(lang, "notify-more", &[("n", &missing)]));
    }
    let mut out = title;
    for text in kept.iter().chain(&tail) {
        out.push_str(newline);
        out.push_str(text);
    }
    cut_bytes(out, max)
}

/// At most `max` bytes, at a character's edge.
fn cut_bytes(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
