//! Sends the weekly report to who is responsible for the institution: the directors and their deputies, through the channels that carry texts for people.
use super::names::Names;
use super::period::Week;
use super::{present, read, report, suggest};
use crate::clock::Clock;
use crate::engine::rules::{Catalogue, Rule};
use crate::engine::site::Site;
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::message::{Kind, Links, Message};
use crate::pipeline::Handle;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::Ui;
use tuoan_protocol::Rung;

/// Under this name the store keeps the week that was sent last.
const SENT: &str = "weekly";
const LOOK: Duration = Duration::from_secs(300);

pub struct Weekly {
    pub handle: Handle,
    pub site: Site,
    pub catalogue: Arc<Catalogue>,
    pub rules: Vec<Rule>,
    pub channels: Vec<(Arc<dyn Channel>, ChannelConfig)>,
    pub link: Option<String>,
    pub clock: Clock,
}

impl Weekly {
    pub async fn run(self, shutdown: CancellationToken) {
        // What a machine reads, or a person hears, is no place for a report.
        let texts = |c: &(Arc<dyn Channel>, ChannelConfig)| c.0.limits().digests;
        if !self.channels.iter().any(texts) {
            return;
        }
        loop {
            if let Err(e) = self.look().await {
                tracing::warn!("the weekly report is not sent: {e}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), String> {
        let (reader, offset) = (self.handle.reader.clone(), self.site.utc_offset_minutes);
        let kept = tokio::task::spawn_blocking(move || reader.kept(SENT)).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let sent = kept.and_then(|b| String::from_utf8(b).ok()).and_then(|t| t.parse::<Week>().ok());
        let now = self.clock.utc_ms();
        let Some(week) = report::due(sent, now, offset) else { return Ok(()) };
        let (reader, periods) = (self.handle.reader.clone(), [week.period(offset), week.before().period(offset)]);
        let both = tokio::task::spawn_blocking(move || read::of_reader(&reader, &periods)).await.map_err(|e| e.to_string())?;
        let both = both.map_err(|e| e.to_string())?;
        let [figures, previous] = both.as_slice() else { return Ok(()) };
        let names = Names::of_site(&self.site, &self.catalogue);
        // Trying the changes out takes minutes: that is for the page.
        let suggestions = suggest::untried(figures, &self.rules, &self.site.overrides, figures.period.day(now));
        let quality = present::quality(figures, Some(previous), &suggestions, &names);
        let (mut taken, mut wanted) = (false, false);
        for (channel, config) in self.channels.iter().filter(|c| c.0.limits().digests) {
            let responsible = |id: &String| self.site.people.iter().any(|p| p.id == *id && matches!(p.role, Rung::Director | Rung::Deputy));
            let to: Vec<_> = config.to.iter().filter(|a| responsible(&a.person)).cloned().collect();
            if to.is_empty() {
                continue;
            }
            wanted = true;
            let ui = Ui { utc_offset_minutes: offset, ..Ui::plain(config.language, now) };
            let made = report::weekly(&ui, &quality, week, &self.site.name);
            let page = self.link.as_ref().map(|l| format!("{l}/quality/report?week={week}"));
            let blank = Message::test(format!("weekly-{week}"), &self.site.name, offset, now, page.clone());
            let title = crate::deliver::Bilingual { zh: made.title.clone(), en: made.title };
            let message = Message {
                kind: Kind::Report,
                title,
                advice: Default::default(),
                note: Some(made.lines.join("\n")),
                links: Links { page, ..Links::default() },
                ..blank
            };
            match channel.send(&message, &to).await {
                Ok(_) => taken = true,
                Err(e) => tracing::warn!(channel = channel.name(), error = %e, "the weekly report was not taken"),
            }
        }
        if taken || !wanted {
            self.handle.ops.keep(SENT, week.to_string().into_bytes()).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}
