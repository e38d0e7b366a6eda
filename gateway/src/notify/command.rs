//! `tuoan notify test CHANNEL`: one marked test message through one channel, and in plain words what the receiver answered.
use super::channels::{self, Address, ChannelConfig, SendError, Via};
use super::message::Message;
use crate::clock::Clock;
use crate::config::{self, Config, Ingest};
use crate::deliver::{CommandLink, LinkError};
use crate::ingest::client::ClientConfig;
use crate::ingest::own::Once;
use async_trait::async_trait;
use clap::{Args, Subcommand};
use miette::{Result, miette};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Subcommand)]
pub enum Command {
    /// Sends one marked test message and says what the receiver answered. The exit code is 0 when it was taken for everybody.
    Test(Test),
}

#[derive(Args)]
pub struct Test {
    /// Name of a [[channel]].
    channel: String,
    /// Only to this person of its [channel.to].
    #[arg(long)]
    person: Option<String>,
    #[arg(long)]
    config: PathBuf,
    /// Folder of the database, instead of the configuration's.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// # Errors
/// When the configuration is wrong or nothing could be tried.
pub async fn run(command: Command) -> Result<ExitCode> {
    let Command::Test(test) = command;
    let config = config::load(&test.config, test.data.as_deref())?;
    let (channel, to) = pick(&config.notify.channels, &test.channel, test.person.as_deref()).map_err(|e| miette!("{e}"))?;
    let link = Arc::new(link(&config, channel)?);
    let [channel] = channels::build(std::slice::from_ref(channel), link)
        .map_err(|problems| config::Problems(problems).into())
        .and_then(|list| <[_; 1]>::try_from(list).map_err(|_| miette!("the channel could not be made")))?;
    let page = config.notify.link.as_ref().map(|l| format!("{l}/"));
    let id = format!("test-{}", hex::encode(rand::random::<[u8; 8]>()));
    let message = Message::test(id, &config.site.name, config.site.utc_offset_minutes, Clock::System.utc_ms(), page);
    let said = channel.send(&message, &to).await;
    let (good, text) = tell(channel.name(), channel.kind(), &message.number, &said);
    println!("{text}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The channel of that name, and whom to send to.
fn pick<'a>(list: &'a [ChannelConfig], name: &str, person: Option<&str>) -> std::result::Result<(&'a ChannelConfig, Vec<Address>), String> {
    let Some(channel) = list.iter().find(|c| c.name == name) else {
        let names: Vec<&str> = list.iter().map(|c| c.name.as_str()).collect();
        return Err(if names.is_empty() {
            "the configuration has no [[channel]]; docs/notify.md shows one of each kind".into()
        } else {
            format!("there is no channel {name:?}; there are: {}", names.join(", "))
        });
    };
    let to = match person {
        None => channel.to.clone(),
        Some(person) => match channel.to.iter().find(|a| a.person == person) {
            Some(address) => vec![address.clone()],
            None => {
                let people: Vec<&str> = channel.to.iter().map(|a| a.person.as_str()).collect();
                return Err(format!("channel {name:?} has no address of {person:?}; it has: {}", people.join(", ")));
            }
        },
    };
    Ok((channel, to))
}

/// Whether it arrived with everybody, and the words for it.
fn tell(name: &str, kind: &str, number: &str, said: &std::result::Result<channels::Receipt, SendError>) -> (bool, String) {
    // A stranger's answer must not reach the terminal with its control characters.
    let clean = super::text::clean;
    match said {
        Ok(receipt) => {
            let mut text = format!("{name} ({kind}): the receiver has taken the test message {number}");
            if !receipt.receipt.is_empty() {
                text.push_str(&format!("; its receipt: {}", clean(&receipt.receipt)));
            }
            for (person, reason) in &receipt.refused {
                text.push_str(&format!("\n{name}: not for {person}: {}", clean(reason)));
            }
            (receipt.refused.is_empty(), text)
        }
        Err(SendError::Retry { reason, after }) => {
            let when = after.map_or("it may work later".to_owned(), |d| format!("it asks to wait {} s", d.as_secs()));
            (false, format!("{name} ({kind}): not now: {} ({when})", clean(reason)))
        }
        Err(SendError::Refused { reason }) => (false, format!("{name} ({kind}): refused, and a person must mend it: {}", clean(reason))),
        Err(SendError::Poison { reason }) => {
            (false, format!("{name} ({kind}): the receiver will not take this message: {}", clean(reason)))
        }
    }
}

/// What an `mqtt` channel publishes through. The embedded broker lives in the running gateway only.
fn link(config: &Config, channel: &ChannelConfig) -> Result<Link> {
    match (&channel.via, &config.ingest) {
        (Via::Mqtt(_), Ingest::Embedded(_)) => Err(miette!(
            "channel {:?} publishes through the embedded broker, which lives in the running gateway; try it there, with a drill",
            channel.name
        )),
        (Via::Mqtt(_), Ingest::Outside(c)) => Ok(Link(Some(Once(ClientConfig {
            url: c.url.clone(),
            client_id: "tuoan-test".into(),
            username: c.username.clone(),
            password: c.password.as_ref().map(|p| p.reveal().to_owned()),
            topics: Vec::new(),
            max_packet_bytes: c.max_packet_bytes,
            ca: c.ca.clone(),
        })))),
        _ => Ok(Link(None)),
    }
}

/// A connection for one message, where the broker is outside.
struct Link(Option<Once>);

#[async_trait]
impl CommandLink for Link {
    async fn publish(&self, topic: &str, payload: &[u8]) -> std::result::Result<(), LinkError> {
        match &self.0 {
            Some(once) => once.publish(topic, payload).await,
            None => Err(LinkError("there is no outside broker".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::channels::{Receipt, mqtt};
    use std::time::Duration;
    use tuoan_dashboards::Lang;

    fn channels() -> Vec<ChannelConfig> {
        let to = ["li", "wang"].map(|p| Address { person: p.into(), address: format!("at-{p}") }).to_vec();
        let via = Via::Mqtt(mqtt::Settings { topic: "t".into() });
        vec![ChannelConfig { name: "wall".into(), language: Lang::Zh, to, everyone: true, per_minute: None, via }]
    }

    #[test]
    fn names_are_listed_when_one_does_not_exist() {
        let list = channels();
        assert!(pick(&list, "wal", None).unwrap_err().ends_with("there are: wall"));
        assert!(pick(&[], "wal", None).unwrap_err().contains("no [[channel]]"));
        assert!(pick(&list, "wall", Some("zhao")).unwrap_err().ends_with("it has: li, wang"));
        assert_eq!(pick(&list, "wall", Some("wang")).unwrap().1.len(), 1);
        assert_eq!(pick(&list, "wall", None).unwrap().1.len(), 2);
    }

    #[test]
    fn a_part_refused_is_no_success() {
        let all = Ok(Receipt { receipt: "r-1".into(), refused: Vec::new() });
        assert_eq!(
            tell("m", "email", "AB", &all),
            (true, "m (email): the receiver has taken the test message AB; its receipt: r-1".into())
        );
        let part = Ok(Receipt { receipt: String::new(), refused: vec![("li".into(), "550 no such user".into())] });
        let (good, text) = tell("m", "email", "AB", &part);
        assert!(!good && text.ends_with("m: not for li: 550 no such user"));
        let later = Err(SendError::Retry { reason: "busy".into(), after: Some(Duration::from_secs(60)) });
        assert!(tell("m", "email", "AB", &later).1.contains("wait 60 s"));
    }
}
