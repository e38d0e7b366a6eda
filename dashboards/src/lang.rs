//! Message bundles (Fluent, embedded) and the language and theme of one request.
use crate::door::role::Table;
use crate::view::alarm::Form;
use axum::http::Method;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::borrow::Borrow;
use std::sync::OnceLock;
use unic_langid::LanguageIdentifier;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Lang {
    #[default]
    #[serde(rename = "zh-CN")]
    Zh,
    #[serde(rename = "en")]
    En,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];
    /// BCP 47 tag, as in `<html lang>`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }
    /// `zh`, `zh-CN`, `en-GB` ...; `None` for a language we do not speak.
    pub fn parse(tag: &str) -> Option<Lang> {
        let primary = tag.trim().split(['-', '_', ';']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("zh") {
            Some(Lang::Zh)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Lang::En)
        } else {
            None
        }
    }
    /// The first language of an `Accept-Language` header that we speak, by its weights.
    pub fn accept(header: &str) -> Option<Lang> {
        let mut best: Option<(u32, Lang)> = None;
        for part in header.split(',').take(16) {
            let Some(lang) = Lang::parse(part) else { continue };
            let weight = part.split_once("q=").and_then(|(_, q)| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
            let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
            if weight > 0 && best.is_none_or(|(w, _)| weight > w) {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }
    fn id(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }
    pub(crate) fn sources(self) -> &'static [&'static str] {
        match self {
            Lang::Zh => &[
                include_str!("../locales/zh-CN/pages.ftl"),
                include_str!("../locales/zh-CN/words.ftl"),
                include_str!("../locales/zh-CN/hazards.ftl"),
                include_str!("../locales/zh-CN/rules.ftl"),
                include_str!("../locales/zh-CN/cameras.ftl"),
                include_str!("../locales/zh-CN/drill.ftl"),
                include_str!("../locales/zh-CN/notify.ftl"),
                include_str!("../locales/zh-CN/quality.ftl"),
                include_str!("../locales/zh-CN/alarms.ftl"),
                include_str!("../locales/zh-CN/evidence.ftl"),
                include_str!("../locales/zh-CN/coverage.ftl"),
                include_str!("../locales/zh-CN/people.ftl"),
                include_str!("../locales/zh-CN/setup.ftl"),
            ],
            Lang::En => &[
                include_str!("../locales/en/pages.ftl"),
                include_str!("../locales/en/words.ftl"),
                include_str!("../locales/en/hazards.ftl"),
                include_str!("../locales/en/rules.ftl"),
                include_str!("../locales/en/cameras.ftl"),
                include_str!("../locales/en/drill.ftl"),
                include_str!("../locales/en/notify.ftl"),
                include_str!("../locales/en/quality.ftl"),
                include_str!("../locales/en/alarms.ftl"),
                include_str!("../locales/en/evidence.ftl"),
                include_str!("../locales/en/coverage.ftl"),
                include_str!("../locales/en/people.ftl"),
                include_str!("../locales/en/setup.ftl"),
            ],
        }
    }
    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        static ZH: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
        static EN: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
        let cell = match self {
            Lang::Zh => &ZH,
            Lang::En => &EN,
        };
        cell.get_or_init(|| {
            let mut bundle = FluentBundle::new_concurrent(vec![self.id()]);
            // Isolation marks are for mixed directions; both our languages run left to right, and the marks would break copied text.
            bundle.set_use_isolating(false);
            for source in self.sources() {
                // The tests prove that the files parse whole; a broken entry would only be shown by its key.
                let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(partial, _)| partial);
                let _ = bundle.add_resource(resource);
            }
            bundle
        })
    }
    /// The message of that key, or `None` if this language lacks it.
    pub fn message(self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = self.bundle();
        let pattern = bundle.get_message(key)?.value()?;
        Some(bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned())
    }
    /// The message of that key with texts in its places; the key itself if it is missing, which a test rules out.
    pub fn say(self, key: &str, texts: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, text) in texts {
            args.set(*name, *text);
        }
        self.message(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }
    pub fn has(self, key: &str) -> bool {
        self.bundle().has_message(key)
    }
}

/// Light and dark: by the device's setting, or chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
    pub fn parse(s: &str) -> Option<Theme> {
        match s {
            "auto" => Some(Theme::Auto),
            "light" => Some(Theme::Light),
            "dark" => Some(Theme::Dark),
            _ => None,
        }
    }
}

/// A text in both languages, from data (rule packs) rather than from the bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

impl Text {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Text {
        Text { zh: zh.into(), en: en.into() }
    }
    /// In that language; in the other if it is missing there.
    pub fn get(&self, lang: Lang) -> &str {
        let (first, second) = match lang {
            Lang::Zh => (&self.zh, &self.en),
            Lang::En => (&self.en, &self.zh),
        };
        if first.is_empty() { second } else { first }
    }
    pub fn is_empty(&self) -> bool {
        self.zh.is_empty() && self.en.is_empty()
    }
}

/// What every page needs to know about the request it answers. Filled by the door; the server adds its clock and name.
#[derive(Debug, Clone)]
pub struct Ui {
    pub lang: Lang,
    pub theme: Theme,
    /// UTC milliseconds by the server: the demo's clock runs fast, so a page never asks the browser's.
    pub now: i64,
    /// Minutes east of UTC of the site.
    pub utc_offset_minutes: i32,
    /// How fast the server's clock runs: 1 in life, more in the demo.
    pub speed: f64,
    /// Goes into every form.
    pub csrf: String,
    /// Path of the page, where the language and theme switches lead back to.
    pub path: String,
    /// Name of who acts, once told.
    pub actor: Option<String>,
    pub signed_in: bool,
    /// As whom; `None` without a session.
    pub role: Option<crate::door::Role>,
    /// Who may do what; `None` where all who are in may do the same.
    pub table: Option<Table>,
    /// Site or district shown beside the brand.
    pub whose: String,
    /// A page of the institution, whose menu leads to its other pages and to the report of a concern; the district's has neither.
    pub institution: bool,
    /// Devices are being proved.
    pub commissioning: Option<crate::view::alarm::Commissioning>,
}

impl Ui {
    /// For tests and for pages that nobody has asked for yet.
    pub fn plain(lang: Lang, now: i64) -> Ui {
        Ui {
            lang,
            theme: Theme::Auto,
            now,
            utc_offset_minutes: 480,
            speed: 1.0,
            csrf: String::new(),
            path: "/".into(),
            actor: None,
            signed_in: false,
            role: None,
            table: None,
            whose: String::new(),
            institution: false,
            commissioning: None,
        }
    }
    /// The message of that key; a missing one shows as its key, and a test sees to it that none is missing.
    pub fn t(&self, key: &str) -> String {
        self.lang.message(key, None).unwrap_or_else(|| key.to_owned())
    }
    pub fn t1<'a>(&self, key: &str, name: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        let mut args = FluentArgs::new();
        args.set(name, value);
        self.lang.message(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }
    pub fn t2<'a>(&self, key: &str, a: (&'a str, FluentValue<'a>), b: (&'a str, FluentValue<'a>)) -> String {
        let mut args = FluentArgs::new();
        args.set(a.0, a.1);
        args.set(b.0, b.1);
        self.lang.message(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }
    /// Whether who reads the page may open that path.
    pub fn opens(&self, path: &str) -> bool {
        self.table.is_none_or(|t| t.offers(self.role, path, &Method::GET))
    }
    /// Whether who reads the page may send a form there.
    pub fn acts(&self, path: &str) -> bool {
        self.table.is_none_or(|t| t.offers(self.role, path, &Method::POST))
    }
    /// Where the menu leads: what its reader may open of the pages that are there for all to go to.
    pub fn menu(&self) -> Vec<(&'static str, &'static str)> {
        let pages = [
            ("/incidents", "search"),
            ("/sweep", "sweep"),
            ("/check", "check"),
            ("/cameras", "cameras"),
            ("/coverage", "coverage"),
            ("/quality", "quality"),
            ("/setup", "setup-title"),
            ("/people", "people-title"),
            ("/audit", "audit-title"),
        ];
        // Whoever inspects reads what installation came to.
        let papers = [("/setup/duty", "setup-duty"), ("/setup/report", "setup-report")].into_iter().filter(|_| !self.opens("/setup"));
        pages.into_iter().chain(papers).filter(|p| self.opens(p.0)).collect()
    }
    /// Of these forms those that who reads the page may send.
    pub fn offered<'a>(&self, forms: &'a [Form]) -> Vec<&'a Form> {
        forms.iter().filter(|f| self.acts(&f.action)).collect()
    }
    /// A message with a count in it, `$n`.
    pub fn n(&self, key: &str, n: impl Borrow<u64>) -> String {
        self.t1(key, "n", *n.borrow())
    }
    pub fn text<'a>(&self, text: &'a Text) -> &'a str {
        text.get(self.lang)
    }
}

/// What stands where a place's name would, of a device that hangs nowhere yet. Names of places are the owner's words, and so in the first language.
pub fn unplaced() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| Lang::Zh.say("place-none", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(lang: Lang) -> BTreeSet<String> {
        lang.sources()
            .iter()
            .flat_map(|source| {
                let parsed = fluent_bundle::FluentResource::try_new((*source).to_owned());
                let resource = parsed.unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", lang.tag()));
                let ids = |line: &&str| line.split(" =").next().is_some_and(|k| line.contains(" =") && !k.contains([' ', '#', '[', '*']));
                let found: Vec<String> = source.lines().filter(ids).filter_map(|l| l.split(" =").next()).map(str::to_owned).collect();
                assert_eq!(found.len(), resource.entries().filter(|e| format!("{e:?}").starts_with("Message")).count(), "{}", lang.tag());
                let distinct: BTreeSet<_> = found.iter().collect();
                assert_eq!(distinct.len(), found.len(), "a key twice in {}", lang.tag());
                found
            })
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_messages() {
        let (zh, en) = (keys(Lang::Zh), keys(Lang::En));
        assert!(zh.len() > 300);
        assert_eq!(zh.symmetric_difference(&en).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    #[test]
    fn languages_are_negotiated() {
        assert_eq!(Lang::accept("fr;q=0.9, en-GB;q=0.8, zh;q=0.3"), Some(Lang::En));
        assert_eq!(Lang::accept("zh-TW, en"), Some(Lang::Zh));
        assert_eq!(Lang::accept("en;q=0, de"), None);
        assert_eq!(Lang::parse("zh-CN"), Some(Lang::Zh));
    }
}
