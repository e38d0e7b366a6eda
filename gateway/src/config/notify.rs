//! `[notify]` and `[[channel]]`: through what people are told. `docs/notify.md` has an example of each kind, which a test reads.
use super::fields::{Fields, Problem};
use super::{secret as read_secret, url as read_url};
use crate::deliver::Secret;
use crate::ingest::filter::is_topic;
use crate::notify::channels::{self, Address, ChannelConfig, Via};
use crate::notify::channels::{bark, dingtalk, email, feishu, http, mqtt, ntfy, thingsboard, webhook, wecom, zzd};
use figment::value::{Dict, Value};
use std::path::{Path, PathBuf};
use tuoan_dashboards::Lang;

/// How people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    pub channels: Vec<ChannelConfig>,
    /// Base address of the institution's pages as people's phones reach them, without a slash at its end; without it texts have no links.
    pub link: Option<String>,
    /// Minutes between two canaries, 1 to 1440.
    pub canary_minutes: u16,
}

impl Default for Notify {
    fn default() -> Notify {
        Notify { channels: Vec::new(), link: None, canary_minutes: CANARY_MINUTES }
    }
}

/// Once an hour.
const CANARY_MINUTES: u16 = 60;

/// More would be a mistake in a file, not a nursery.
const CHANNELS_MAX: usize = 32;
const NAME_MAX: usize = 40;
/// Longest address of a person.
const ADDRESS_MAX: usize = 512;
const KINDS: [&str; 11] = [
    webhook::KIND,
    mqtt::KIND,
    email::KIND,
    dingtalk::KIND,
    wecom::KIND,
    feishu::KIND,
    zzd::KIND,
    bark::KIND,
    ntfy::KIND,
    http::KIND,
    thingsboard::KIND,
];

pub(super) fn read(notify: Dict, tables: Vec<Dict>, base: &Path, problems: &mut Vec<Problem>) -> Notify {
    let mut f = Fields::new("notify", notify, problems);
    let link = f.take::<String>("link").map(|l| l.trim_end_matches('/').to_owned());
    let is_address = |l: &String| reqwest::Url::parse(l).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.host_str().is_some());
    if link.as_ref().is_some_and(|l| !is_address(l)) {
        f.problem("link", "is no address; write the one that people's phones reach, e.g. link = \"http://10.0.0.5:8080\"");
    }
    let canary_minutes = f.take::<u16>("canary_minutes").unwrap_or(CANARY_MINUTES);
    if !(1..=1440).contains(&canary_minutes) {
        f.problem("canary_minutes", "must be 1 to 1440: so often it is proven that an alarm arrives");
    }
    f.finish();
    let mut channels: Vec<ChannelConfig> = Vec::new();
    for (i, d) in tables.into_iter().enumerate() {
        let path = format!("channel[{i}]");
        let before = problems.len();
        let mut f = Fields::new(&path, d, problems);
        let channel = one(&mut f, base, &channels, i);
        if let Some(channel) = channel {
            f.finish();
            // What its own file minds: tried out here, so that all problems are told together.
            if problems.len() == before
                && let Err(text) = channels::check(&channel)
            {
                problems.push(Problem { key: path, place: None, text });
            }
            channels.push(channel);
        }
    }
    Notify { channels, link, canary_minutes }
}

fn one(f: &mut Fields<'_>, base: &Path, others: &[ChannelConfig], index: usize) -> Option<ChannelConfig> {
    if index >= CHANNELS_MAX {
        f.problem("name", format!("is one too many; {CHANNELS_MAX} channels are the most"));
    }
    let name: Option<String> = f.need("name", "the name by which steps of escalation call it, e.g. name = \"teachers\"");
    if let Some(n) = &name {
        if n.is_empty() || n.len() > NAME_MAX || n.chars().any(|c| c.is_whitespace() || c.is_control()) {
            f.problem("name", format!("does not fit; use up to {NAME_MAX} bytes without spaces"));
        } else if others.iter().any(|o| o.name == *n) {
            f.problem("name", format!("{n:?} stands twice; names must differ"));
        }
    }
    let language = match f.take::<String>("language").as_deref() {
        None | Some("zh-CN") => Lang::Zh,
        Some("en") => Lang::En,
        Some(_) => {
            f.problem("language", "is not spoken here; write \"zh-CN\" or \"en\"");
            Lang::Zh
        }
    };
    let to = people(f);
    let everyone: Option<bool> = f.take("everyone");
    let per_minute: Option<u32> = f.take("per_minute");
    if per_minute == Some(0) {
        f.problem("per_minute", "must be at least 1; leave it out for the receiver's own limit");
    }
    let kind: Option<String> = f.need("kind", &format!("one of {}", KINDS.join(", ")));
    let via = via(f, kind?.as_str(), base)?;
    let group = match &via {
        Via::Dingtalk(_) | Via::Wecom(_) | Via::Feishu(_) | Via::Mqtt(_) | Via::Webhook(_) | Via::Thingsboard(_) => true,
        Via::Ntfy(s) => s.topic.is_some(),
        Via::Http(s) => s.together,
        Via::Email(_) | Via::Zzd(_) | Via::Bark(_) => false,
    };
    if everyone == Some(true) && !group {
        f.problem("everyone", "does not go: this channel reaches persons one by one; leave it out and name them in [channel.to]");
    }
    let everyone = everyone.unwrap_or(group);
    if !everyone && to.is_empty() {
        f.problem("to", "is missing, so nobody would be told; write [channel.to] with lines such as li = \"13800000000\"");
    }
    Some(ChannelConfig { name: name?, language, to, everyone, per_minute, via })
}

/// `[channel.to]`: person = "address".
fn people(f: &mut Fields<'_>) -> Vec<Address> {
    let mut to = Vec::new();
    for (person, value) in f.table("to").unwrap_or_default() {
        let key = format!("to.{person}");
        match value {
            Value::String(_, address)
                if !address.trim().is_empty() && address.len() <= ADDRESS_MAX && !address.chars().any(char::is_control) =>
            {
                to.push(Address { person, address: address.trim().to_owned() });
            }
            Value::String(..) => f.problem(&key, format!("must be 1 to {ADDRESS_MAX} characters on one line")),
            _ => f.problem(&key, "must be a text in quotes, e.g. \"13800000000\""),
        }
    }
    to
}

fn via(f: &mut Fields<'_>, kind: &str, base: &Path) -> Option<Via> {
    Some(match kind {
        webhook::KIND => {
            let (url, secret) = (hidden(f, "url", "url_file", base, true), hidden(f, "secret", "secret_file", base, true));
            Via::Webhook(webhook::Settings { url: url?, secret: secret? })
        }
        mqtt::KIND => {
            let topic: Option<String> = f.need("topic", "where players listen, e.g. topic = \"tuoan/announce\"");
            if topic.as_ref().is_some_and(|t| !is_topic(t)) {
                f.problem("topic", "is no topic to publish to; it must not be empty nor hold + or #");
            }
            Via::Mqtt(mqtt::Settings { topic: topic? })
        }
        email::KIND => Via::Email(read_email(f, base)?),
        dingtalk::KIND => {
            let (url, secret) = (hidden(f, "url", "url_file", base, true), hidden(f, "secret", "secret_file", base, false));
            let keyword = f.take("keyword");
            Via::Dingtalk(dingtalk::Settings { url: url?, secret, keyword })
        }
        wecom::KIND => Via::Wecom(wecom::Settings { url: hidden(f, "url", "url_file", base, true)? }),
        feishu::KIND => {
            let (url, secret) = (hidden(f, "url", "url_file", base, true), hidden(f, "secret", "secret_file", base, false));
            let keyword = f.take("keyword");
            Via::Feishu(feishu::Settings { url: url?, secret, keyword })
        }
        zzd::KIND => {
            let url = read_url(f, &["https://", "http://"], "https://openplatform-pro.ding.zj.gov.cn");
            let app_key: Option<String> = f.need("app_key", "the application's App Key in 浙政钉's console");
            let app_secret = hidden(f, "app_secret", "app_secret_file", base, true);
            let tenant_id: Option<String> = f.need("tenant_id", "the tenant's id in quotes, e.g. tenant_id = \"196729\"");
            let (ip, mac) = (f.take("ip"), f.take("mac"));
            Via::Zzd(zzd::Settings { url: url?, app_key: app_key?, app_secret: app_secret?, tenant_id: tenant_id?, ip, mac })
        }
        bark::KIND => Via::Bark(bark::Settings { url: read_url(f, &["https://", "http://"], "https://api.day.app")? }),
        ntfy::KIND => {
            let url = read_url(f, &["https://", "http://"], "https://ntfy.sh");
            let token = hidden(f, "token", "token_file", base, false);
            let topic = hidden(f, "topic", "topic_file", base, false);
            Via::Ntfy(ntfy::Settings { url: url?, token, topic })
        }
        http::KIND => Via::Http(read_http(f, base)?),
        thingsboard::KIND => {
            let url = read_url(f, &["https://", "http://"], "https://thingsboard.example");
            let token = hidden(f, "token", "token_file", base, true);
            Via::Thingsboard(thingsboard::Settings { url: url?, token: token? })
        }
        _ => {
            f.problem("kind", format!("is not known; write one of {}", KINDS.join(", ")));
            return None;
        }
    })
}

fn read_email(f: &mut Fields<'_>, base: &Path) -> Option<email::Settings> {
    let host: Option<String> = f.need("host", "the mail server, e.g. host = \"smtp.exmail.qq.com\"");
    let security = match f.take::<String>("tls").as_deref() {
        None | Some("starttls") => email::Security::StartTls,
        Some("tls") => email::Security::Tls,
        Some("none") => email::Security::Plain,
        Some(_) => {
            f.problem("tls", "is not known; write \"starttls\" (port 587), \"tls\" (port 465) or \"none\" (a server on this machine only)");
            email::Security::StartTls
        }
    };
    let loopback = |h: &str| h == "localhost" || h.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback());
    if security == email::Security::Plain && host.as_deref().is_some_and(|h| !loopback(h)) {
        f.problem("tls", "\"none\" is for a server on this machine only; passwords and names would go over the network in clear");
    }
    let port = f.take("port").unwrap_or(security.port());
    let user: Option<String> = f.take("user");
    let password = hidden(f, "password", "password_file", base, user.is_some());
    if user.is_none() && password.is_some() {
        f.problem("user", "is missing; a password without a user opens nothing");
    }
    let from: Option<String> = f.need("from", "the sender, e.g. from = \"托安 <alarm@example.cn>\"");
    let ca = f.take::<PathBuf>("ca").map(|p| base.join(p));
    Some(email::Settings { host: host?, port, security, login: user.zip(password), from: from?, ca })
}

fn read_http(f: &mut Fields<'_>, base: &Path) -> Option<http::Settings> {
    let method = match f.take::<String>("method").as_deref() {
        None | Some("POST") => reqwest::Method::POST,
        Some("GET") => reqwest::Method::GET,
        Some("PUT") => reqwest::Method::PUT,
        Some(_) => {
            f.problem("method", "is not offered; write \"POST\", \"GET\" or \"PUT\"");
            reqwest::Method::POST
        }
    };
    let url = hidden(f, "url", "url_file", base, true);
    let mut headers = Vec::new();
    for (name, value) in f.table("headers").unwrap_or_default() {
        match value {
            Value::String(_, text) => headers.push((name, Secret::new(text))),
            _ => f.problem(&format!("headers.{name}"), "must be a text in quotes"),
        }
    }
    let body = hidden(f, "body", "body_file", base, false);
    let secret = hidden(f, "secret", "secret_file", base, false);
    let together = f.take("together").unwrap_or(false);
    let max_characters: Option<usize> = f.take("max_characters");
    if max_characters.is_some_and(|n| !(20..=10_000).contains(&n)) {
        f.problem("max_characters", "must be 20 to 10000; one short message in Chinese has 70");
    }
    let pointer: Option<String> = f.take("success_pointer");
    let equals: Option<String> = f.take("success_equals");
    let receipt: Option<String> = f.take("receipt_pointer");
    for (name, p) in [("success_pointer", &pointer), ("receipt_pointer", &receipt)] {
        if p.as_ref().is_some_and(|p| !p.starts_with('/')) {
            f.problem(name, "must be a JSON pointer (RFC 6901), e.g. \"/code\"");
        }
    }
    if pointer.is_some() != equals.is_some() {
        f.problem("success_equals", "and success_pointer belong together; write both, e.g. \"/code\" and \"0\"");
    }
    let per_person_day = f.take("per_person_day");
    Some(http::Settings {
        method,
        url: url?,
        headers,
        body,
        secret,
        together,
        max_characters,
        success: pointer.zip(equals),
        receipt,
        per_person_day,
    })
}

fn hidden(f: &mut Fields<'_>, name: &'static str, file: &'static str, base: &Path, required: bool) -> Option<Secret> {
    read_secret(f, name, file, base, required).map(|s| Secret::new(s.reveal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, base: &Path) -> (Notify, Vec<String>) {
        let mut dict: Dict = toml::from_str(text).unwrap();
        let mut problems = Vec::new();
        let mut f = Fields::new("", std::mem::take(&mut dict), &mut problems);
        let (notify, tables) = (f.table("notify").unwrap_or_default(), f.tables("channel"));
        let notify = read(notify, tables, base, f.problems());
        (notify, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_example_of_the_documentation_is_right() {
        let text = include_str!("../../../docs/notify.md");
        let dir = tempfile::tempdir().unwrap();
        let mut kinds = Vec::new();
        for block in text.split("```toml\n").skip(1).map(|b| b.split("```").next().unwrap()) {
            for line in block.lines().filter_map(|l| l.split_once("_file = \"")) {
                let (name, path) = (line.0, line.1.trim_end_matches('"'));
                let content = match name {
                    "url" if path.contains("dingtalk") => "https://oapi.dingtalk.com/robot/send?access_token=0123456789\n",
                    "url" if path.contains("wecom") => "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789\n",
                    "url" => "https://open.feishu.cn/open-apis/bot/v2/hook/0123456789\n",
                    "topic" => "topic-0123\n",
                    _ => "0123456789abcdef0123456789\n",
                };
                std::fs::write(dir.path().join(path), content).unwrap();
            }
            let (notify, problems) = read_text(block, dir.path());
            assert!(problems.is_empty(), "{problems:?}\n{block}");
            assert!(!format!("{notify:?}").contains("0123456789"), "a secret in Debug: {notify:?}");
            kinds.extend(notify.channels.iter().map(|c| c.via.kind()));
        }
        for kind in KINDS {
            assert!(kinds.contains(&kind), "no example of {kind}");
        }
    }

    #[test]
    fn all_problems_are_told_together_and_without_secrets() {
        let text = r#"
[notify]
link = "here"
[[channel]]
name = "a b"
kind = "dingtalk"
url = "https://oapi.dingtalk.com/robot/send?token=hunter2"
[[channel]]
name = "m"
kind = "email"
host = "mail.example"
tls = "none"
from = "x"
user = "u"
[[channel]]
name = "m"
kind = "pigeon"
[[channel]]
name = "n"
kind = "bark"
url = "https://api.day.app"
everyone = true
language = "fr"
[channel.to]
li = 13800000000
[[channel]]
name = "h"
kind = "http"
url = "https://sms.example/?key=hunter2"
body = "{{phone}}"
success_pointer = "code"
surprise = 1
[channel.headers]
Content-Type = "application/json"
[channel.to]
li = "1"
[[channel]]
name = "d"
kind = "dingtalk"
url = "https://oapi.dingtalk.com/robot/send?token=hunter2"
"#;
        let (_, problems) = read_text(text, Path::new("."));
        let all = problems.join("\n");
        for part in [
            "notify.link",
            "channel[0].name",
            "channel[1].tls",
            "channel[1].password: is missing",
            "channel[1].to",
            "channel[2].name",
            "channel[2].kind: is not known; write one of webhook, ",
            "channel[3].to.li: must be a text in quotes",
            "channel[3].language",
            "channel[3].everyone",
            "channel[4].success_pointer",
            "channel[4].success_equals",
            "channel[4].surprise",
            "channel[5]: the url has no access_token",
        ] {
            assert!(all.contains(part), "{part} is not in\n{all}");
        }
        assert!(!all.contains("hunter2"), "{all}");
    }

    #[test]
    fn templates_are_tried_when_the_file_is_read() {
        let text = "[[channel]]\nname = \"h\"\nkind = \"http\"\nurl = \"https://sms.example/{{phone}}\"\n[channel.to]\nli = \"1\"\n";
        let (_, problems) = read_text(text, Path::new("."));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("channel[0]: url: {{phone}} is not known"), "{problems:?}");
    }
}
