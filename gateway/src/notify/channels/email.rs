//! Mail over SMTP: one to each person, text and HTML. Tellings of one incident hang together as a thread, and repeats have the same Message-ID.
use super::call::Hidden;
use super::each::{Done, Miss};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::{Kind, Message};
use crate::notify::text;
use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Severity as Reply;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};
use tuoan_protocol::Severity;

pub const KIND: &str = "email";
const TEXT_MAX: usize = 60_000;
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<(String, Secret)>,
    /// `name@domain` or `Name <name@domain>`.
    pub from: String,
    /// PEM file of the authority that signed the server's certificate; without it the system's authorities count.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS after a plain greeting; without it nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None: for a server on this machine only.
    Plain,
}

impl Security {
    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::Plain => 25,
        }
    }
}

pub struct Email {
    base: Base,
    from: Mailbox,
    domain: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    hidden: Hidden,
    done: Done,
}

impl Email {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Email, String> {
        let from: Mailbox =
            settings.from.parse().map_err(|e| format!("from is no mail address ({e}); write from = \"托安 <alarm@example.cn>\""))?;
        let mut transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str()).port(settings.port).timeout(Some(TIMEOUT));
        transport = match settings.security {
            Security::StartTls => transport.tls(Tls::Required(tls(settings)?)),
            Security::Tls => transport.tls(Tls::Wrapper(tls(settings)?)),
            Security::Plain => transport.tls(Tls::None),
        };
        let mut secrets = Vec::new();
        if let Some((user, password)) = &settings.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
            secrets.push(password);
        }
        let domain = from.email.domain().to_owned();
        Ok(Email { base, domain, from, transport: transport.build(), hidden: Hidden::new(secrets), done: Done::default() })
    }

    fn mail(&self, m: &Message, to: &Address) -> Result<lettre::Message, Miss> {
        let mailbox: Mailbox = to.address.parse().map_err(|e| Miss::Person(format!("no mail address ({e})")))?;
        let lang = self.base.language;
        let header = |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), text::clean(value));
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(m.at).unwrap_or(0))).unwrap_or(UNIX_EPOCH);
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(mailbox)
            .subject(text::title(m, lang))
            .date(at)
            .message_id(Some(self.message_id(&m.id)))
            // RFC 3834: no holiday notes in answer.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Tuoan-Id", &m.id));
        if !m.incident.is_empty() {
            mail = mail.references(self.message_id(&m.incident)).raw_header(header("X-Tuoan-Incident", &m.incident));
        }
        if m.kind == Kind::Alert && m.severity <= Severity::Serious && !m.silent {
            mail = mail.raw_header(header("X-Priority", "1")).raw_header(header("Importance", "high"));
        }
        let both = MultiPart::alternative_plain_html(text::long(m, lang, TEXT_MAX), text::html(m, lang));
        mail.multipart(both).map_err(|e| Miss::All(SendError::Poison { reason: format!("no mail can be made of it: {e}") }))
    }

    fn message_id(&self, id: &str) -> String {
        let id: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        format!("<{id}@{}>", self.domain)
    }

    async fn one(&self, m: &Message, to: Address) -> Result<String, Miss> {
        let mail = self.mail(m, &to)?;
        match self.transport.send(mail).await {
            Ok(response) => Ok(self.hidden.excerpt(&response.message().collect::<Vec<_>>().join(" "))),
            Err(e) => Err(self.miss(&e)),
        }
    }

    fn miss(&self, e: &lettre::transport::smtp::Error) -> Miss {
        let reason = self.hidden.excerpt(&e.to_string());
        let Some(code) = e.status() else {
            // A certificate does not mend itself; everything else on the way may.
            return Miss::All(if e.is_tls() || is_tls(e) {
                SendError::Refused { reason: format!("{reason}; check host, port, tls and ca") }
            } else {
                SendError::Retry { reason, after: None }
            });
        };
        let number = u16::from(code);
        match number {
            530 | 534 | 535 | 538 => Miss::All(SendError::Refused { reason: format!("{reason}: check user and password_file") }),
            454 if !reason.to_lowercase().contains("relay") => Miss::All(SendError::Retry { reason, after: None }),
            421 => Miss::All(SendError::Retry { reason, after: None }),
            _ if code.severity == Reply::PermanentNegativeCompletion => Miss::Person(reason),
            _ => Miss::Later(reason, None),
        }
    }
}

/// Whether TLS itself has failed: the library calls that a connection that was not made.
fn is_tls(e: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(e);
    while let Some(e) = cause {
        if e.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()).is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = e.source();
    }
    false
}

fn tls(settings: &Settings) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca {
        let pem = std::fs::read(path).map_err(|e| format!("ca: {} cannot be read: {e}", path.display()))?;
        let ca = Certificate::from_pem(&pem).map_err(|e| format!("ca: {} holds no certificate in PEM form: {e}", path.display()))?;
        parameters = parameters.add_root_certificate(ca);
    }
    parameters.build().map_err(|e| format!("TLS cannot be set up: {}", crate::deliver::sinks::http::chain(&e)))
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits { digests: true, ..Limits::default() })
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        self.done.each(&message.telling(), to, |address| self.one(message, address)).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Smtp, address as to, base, refused, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    fn channel(port: u16, password: &str) -> Email {
        let settings = Settings {
            host: "127.0.0.1".into(),
            port,
            security: Security::Plain,
            login: Some(("alarm".into(), Secret::new(password))),
            from: "托安 <alarm@nursery.example>".into(),
            ca: None,
        };
        Email::new(base(AT), &settings).unwrap()
    }

    #[test]
    fn a_mail_threads_and_repeats_have_the_same_id() {
        let mail =
            |m: &Message| String::from_utf8(channel(25, "p").mail(m, &to("li", "li@nursery.example")).ok().unwrap().formatted()).unwrap();
        let text = mail(&alert());
        for part in [
            "Message-ID: <01KJNZ6V3R8M4T2X9QABCDEFGH-carer@nursery.example>\r\n",
            "References: <01KJNZ6V3R8M4T2X9QABCDEFGH@nursery.example>\r\n",
            "X-Tuoan-Incident: 01KJNZ6V3R8M4T2X9QABCDEFGH\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Date: Mon, 02 Mar 2026 02:06:15 +0000\r\n",
            "X-Priority: 1\r\n",
            "multipart/alternative",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let repeat = mail(&Message { repeat: true, ..alert() });
        assert!(repeat.contains("Message-ID: <01KJNZ6V3R8M4T2X9QABCDEFGH-carer@nursery.example>"));
        assert!(!mail(&Message { silent: true, ..alert() }).contains("X-Priority"));
        // No line of a header can be added by a name.
        let mut m = alert();
        m.title.zh = "x\r\nBcc: all@evil.example".into();
        assert!(!mail(&m).contains("\r\nBcc"));
    }

    #[tokio::test]
    async fn refused_people_are_named_and_a_wrong_password_is_not_shown() {
        let smtp = Smtp::start("alarm", "mail-password").await;
        let receipt = channel(smtp.port, "mail-password")
            .send(&alert(), &[to("li", "li@nursery.example"), to("wang", "nobody@nursery.example"), to("zhao", "no address")])
            .await
            .unwrap();
        let people: Vec<&str> = receipt.refused.iter().map(|(p, _)| p.as_str()).collect();
        assert_eq!(people, ["wang", "zhao"]);
        assert!(receipt.refused[0].1.contains("550"), "{receipt:?}");
        assert_eq!(smtp.mails(), 1);
        let e = refused(channel(smtp.port, "wrong-password").send(&alert(), &[to("li", "li@nursery.example")]).await);
        assert!(e.contains("password_file") && !e.contains("wrong-password"), "{e}");
        drop(smtp);
        let unreached = channel(1, "p").send(&alert(), &[to("li", "li@nursery.example")]).await;
        retry(unreached);
    }
}
