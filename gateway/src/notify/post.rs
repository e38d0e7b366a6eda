//! From the store to the people: a task for each channel. It puts the notices that concern it on its [`Desk`], writes down before a message leaves that it may
//! arrive, and afterwards what the receiver said.
use super::channels::{Address, Channel, ChannelConfig};
use super::desk::{Act, Came, DESK, Desk, Job};
use super::intake::{Intake, is_moot, job, read_answer, recall};
use super::link::LinkKey;
use super::message::{Change, Kind, Links, Message, number};
use super::text;
use crate::clock::Clock;
use crate::deliver::{Bilingual, Directory};
use crate::engine::{Notice, NoticeKind};
use crate::store::{Committed, Done, Lane, NoticeRow, Ops, Reader, StoreError, StoredEvent, Told, ToldState};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::{Lang, Ui};
use tuoan_protocol::{Basis, Exercise, IncidentEvent, Rung, Severity, Transition};

/// What every channel's task works with.
#[derive(Clone)]
pub struct Post {
    pub reader: Reader,
    pub ops: Ops,
    pub committed: watch::Receiver<Committed>,
    pub clock: Clock,
    pub directory: watch::Receiver<Arc<Directory>>,
    pub site: String,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// Base address of links; without it messages have none.
    pub link: Option<String>,
    pub key: LinkKey,
    pub shutdown: CancellationToken,
}

/// A severity 1 notice that the disk does not take, with its event.
#[derive(Debug, Clone, PartialEq)]
pub struct Unrecorded {
    pub notice: Notice,
    pub event: IncidentEvent,
}

/// How a channel does, for pages and `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelState {
    pub name: String,
    pub kind: &'static str,
    /// Messages that wait.
    pub waiting: usize,
    pub sent: u64,
    pub refused: u64,
    /// Why the last message did not go, while it is so, and since when (UTC milliseconds).
    pub failing: Option<(String, i64)>,
}

/// All channels' states. Cheap to clone.
#[derive(Clone, Default)]
pub struct Channels(Arc<[Mutex<ChannelState>]>);

impl Channels {
    pub fn states(&self) -> Vec<ChannelState> {
        self.0.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
    fn update(&self, index: usize, change: impl FnOnce(&mut ChannelState)) {
        if let Some(state) = self.0.get(index) {
            change(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// A channel that is new tells what is not older than this, and not the history.
const FRESH_MS: i64 = 10 * 60_000;
/// So far back a receiver's limits may count: a calendar day.
const RECALLED_MS: i64 = 86_400_000;
/// Notices read at once.
const PAGE: usize = 200;
/// How long a message waits for the note that it leaves; an alarm does not wait for a disk.
const NOTED: Duration = Duration::from_secs(1);
/// How long a task sleeps at most while something waits: the clock of a demo runs faster than ours.
const NAP: Duration = Duration::from_secs(1);
const UNRECORDED: usize = 256;

impl Post {
    /// Starts a task for each channel, in the order of the configuration.
    pub fn start(
        &self,
        channels: &[Arc<dyn Channel>],
        config: &[ChannelConfig],
        unrecorded: mpsc::Receiver<Unrecorded>,
        tasks: &mut JoinSet<()>,
    ) -> Channels {
        let states =
            channels.iter().map(|c| Mutex::new(ChannelState { name: c.name().to_owned(), kind: c.kind(), ..ChannelState::default() }));
        let states = Channels(states.collect());
        let ahead = Arc::new(Mutex::new(HashSet::new()));
        let mut all = Vec::new();
        for (index, (channel, config)) in channels.iter().zip(config).enumerate() {
            let task = Task {
                post: self.clone(),
                channel: channel.clone(),
                config: config.clone(),
                desk: Desk::new(channel.limits(), self.utc_offset_minutes),
                states: states.clone(),
                index,
                ahead: ahead.clone(),
                intake: Intake::new(None, 0, DESK),
            };
            all.push((channel.clone(), config.clone()));
            tasks.spawn(task.run());
        }
        tasks.spawn(self.clone().tell_unrecorded(all, unrecorded, ahead));
        states
    }

    /// A full disk never silences a fire: what it does not take goes out at once, and again, marked, when it has been stored after all.
    async fn tell_unrecorded(self, channels: Vec<(Arc<dyn Channel>, ChannelConfig)>, mut from: mpsc::Receiver<Unrecorded>, ahead: Ahead) {
        loop {
            let next = tokio::select! {
                () = self.shutdown.cancelled() => return,
                next = from.recv() => next,
            };
            let Some(Unrecorded { notice, event }) = next else { return };
            {
                let mut ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner);
                if ahead.len() < UNRECORDED {
                    ahead.insert(notice.id);
                }
            }
            let row = NoticeRow { at: event.at, seen: None, notice };
            for (channel, config) in &channels {
                let Some(job) = job(&row, config, false) else { continue };
                let message = self.message(&[(job.clone(), event.clone(), event.at)], config.language, false);
                let to = addresses(config, &job.people);
                if let Err(e) = channel.send(&message, &to).await {
                    tracing::error!(channel = channel.name(), error = %e, "an unrecorded alarm was not told");
                }
            }
        }
    }

    /// One message of one job, or a digest of several.
    fn message(&self, parts: &[(Job, IncidentEvent, i64)], lang: Lang, repeat: bool) -> Message {
        let mut single: Vec<Message> = parts.iter().map(|(job, event, since)| self.about(job, event, *since, lang, repeat)).collect();
        if single.len() == 1
            && let Some(only) = single.pop()
        {
            return only;
        }
        let lines = single.iter().map(|m| text::line(m, lang)).collect();
        let gravest = single.iter().min_by_key(|m| m.severity).cloned();
        let ids: Vec<&str> = single.iter().map(|m| m.id.as_str()).collect();
        let id = format!("digest-{}", hex::encode(digest(&ids)));
        let mut m = gravest.unwrap_or_else(|| Message::test(id.clone(), &self.site, self.utc_offset_minutes, self.clock.utc_ms(), None));
        let page = self.link.clone();
        (m.number, m.id) = (number(&id), id);
        (m.kind, m.lines, m.links, m.reading, m.note) = (Kind::Digest, lines, Links { page, ..Links::default() }, None, None);
        m
    }

    fn about(&self, job: &Job, e: &IncidentEvent, since: i64, lang: Lang, repeat: bool) -> Message {
        let directory = self.directory.borrow().clone();
        let words = directory.rule(&e.rule);
        let hazard = || Bilingual { zh: e.hazard.as_str().into(), en: e.hazard.as_str().into() };
        let ui = Ui { utc_offset_minutes: self.utc_offset_minutes, ..Ui::plain(lang, self.clock.utc_ms()) };
        let kind = match (job.kind, e.transition) {
            (NoticeKind::Update, Transition::Assigned) => Kind::Update(Change::Taken),
            (NoticeKind::Update, Transition::Resolved) => Kind::Update(Change::Resolved),
            (NoticeKind::Update, Transition::Shelved | Transition::Suppressed | Transition::OutOfService) => Kind::Update(Change::Shelved),
            (NoticeKind::Update, _) => Kind::Update(Change::Returned),
            (NoticeKind::Alert | NoticeKind::Again, _) => Kind::Alert,
        };
        let everyone = job.kind == NoticeKind::Again || e.severity == Severity::Emergency && e.basis == Basis::Confirmed;
        let said = [e.actor.as_deref(), e.note.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("：");
        let links = self.link.as_ref().map_or_else(Links::default, |base| {
            let page = Some(format!("{base}/incidents/{}", e.incident));
            // To say "seen" or "I take it" one must be somebody: in a group the page asks who.
            let token = job.notices.first().filter(|_| job.people.len() < 2).map(|n| self.key.token(*n));
            let own = |end: &str| token.as_ref().filter(|_| kind == Kind::Alert).map(|t| format!("{base}/n/{t}{end}"));
            Links { seen: own(""), take: own("/take"), page }
        });
        Message {
            id: format!(
                "{}-{}",
                e.id,
                match job.kind {
                    NoticeKind::Alert => "alert",
                    NoticeKind::Again => "again",
                    NoticeKind::Update => "update",
                }
            ),
            incident: e.incident.to_string(),
            number: number(e.incident.as_str()),
            event: e.id.to_string(),
            kind,
            severity: e.severity,
            basis: e.basis,
            drill: e.exercise == Some(Exercise::Drill),
            test: e.exercise == Some(Exercise::Commissioning),
            repeat,
            silent: job.silent,
            site: self.site.clone(),
            place: directory.zone_name(&e.place.zone).to_owned(),
            title: words.map_or_else(hazard, |w| w.title.clone()),
            advice: words.map(|w| w.advice.clone()).unwrap_or_default(),
            since,
            at: job.left.unwrap_or_else(|| self.clock.utc_ms()),
            utc_offset_minutes: self.utc_offset_minutes,
            reading: e.trigger.as_ref().and_then(|t| t.reading.as_ref()).map(|(q, v)| format!("{} {}", ui.quantity(q), ui.value(q, *v))),
            step: Some(if everyone {
                "everyone"
            } else {
                match job.rung {
                    Rung::Carer => "carer",
                    Rung::Director => "director",
                    Rung::Deputy => "deputy",
                    Rung::District => "district",
                }
            }),
            count: e.activations,
            note: Some(said).filter(|s| !s.is_empty()),
            lines: Vec::new(),
            links,
        }
    }

    async fn query<T: Send + 'static>(&self, work: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static) -> Option<T> {
        let reader = self.reader.clone();
        match tokio::task::spawn_blocking(move || work(&reader)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(e)) => {
                tracing::warn!(error = %e, "whom to tell cannot be read now");
                None
            }
            Err(_) => None,
        }
    }
}

/// Notices that went out before they were stored.
type Ahead = Arc<Mutex<HashSet<u64>>>;

struct Task {
    post: Post,
    channel: Arc<dyn Channel>,
    config: ChannelConfig,
    desk: Desk,
    states: Channels,
    index: usize,
    ahead: Ahead,
    intake: Intake,
}

/// The task is to end.
struct Stopped;

impl Task {
    fn cursor(&self) -> String {
        format!("notify.{}", self.config.name)
    }

    async fn run(mut self) {
        let Err(Stopped) = self.work().await;
        tracing::debug!(channel = self.config.name, "channel stopped");
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, Stopped> {
        let cursor = self.cursor();
        let now = self.post.clock.utc_ms();
        let (fresh, lately) = (now.saturating_sub(FRESH_MS), now.saturating_sub(RECALLED_MS));
        loop {
            let (cursor, channel) = (cursor.clone(), self.config.name.clone());
            let begin =
                self.post.query(move |r| Ok((r.begun(&cursor, Lane::Alerts)?, r.notices_before(fresh)?, r.told_since(&channel, lately)?)));
            let Some((begun, fresh, told)) = begin.await else {
                self.sleep(NAP).await?;
                continue;
            };
            recall(&told, now, &mut self.desk);
            self.intake = Intake::new(begun, fresh, DESK);
            if begun.is_none() {
                // Where it begins is known from now on: what waits for a receiver that is down is not history after a restart.
                self.save();
                let _ = tokio::time::timeout(NOTED, self.post.ops.settled()).await;
            }
            break;
        }
        let mut committed = self.post.committed.clone();
        loop {
            let sequence = committed.borrow_and_update().sequence;
            self.take_on().await;
            self.save();
            let now = self.post.clock.utc_ms();
            self.states.update(self.index, |s| s.waiting = self.desk.len());
            match self.desk.next(now) {
                Act::Send(jobs) => self.send(jobs).await?,
                Act::Wait(until) => {
                    let wait = until.map(|t| Duration::from_millis(t.saturating_sub(now).max(1).unsigned_abs()).min(NAP));
                    let shutdown = self.post.shutdown.clone();
                    tokio::select! {
                        () = shutdown.cancelled() => return Err(Stopped),
                        () = async { match wait { Some(w) => tokio::time::sleep(w).await, None => std::future::pending().await } } => {}
                        gone = newer(&mut committed, sequence) => if gone { return Err(Stopped) },
                    }
                }
            }
        }
    }

    async fn sleep(&self, time: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.post.shutdown.cancelled() => Err(Stopped),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    /// Reads what was stored since, as far as there is room on the desk.
    async fn take_on(&mut self) {
        let ahead = self.ahead.clone();
        let ahead = |id: u64| ahead.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
        while let Some(after) = self.intake.wants(&self.desk) {
            let name = self.config.name.clone();
            let Some(rows) = self.post.query(move |r| r.notices_open(&name, after, PAGE)).await else { return };
            self.intake.take(&rows, &self.config, ahead, &mut self.desk);
            if rows.is_empty() {
                return;
            }
        }
        while let Some(after) = self.intake.wants_urgent(&self.desk) {
            let name = self.config.name.clone();
            let Some(rows) = self.post.query(move |r| r.notices_urgent(&name, after, PAGE)).await else { return };
            if rows.is_empty() {
                return;
            }
            self.intake.take_urgent(&rows, &self.config, ahead, &mut self.desk);
        }
    }

    /// Remembers up to where nothing is left.
    fn save(&mut self) {
        let Some(done) = self.intake.to_save(&self.desk) else { return };
        if self.post.ops.advance(&self.cursor(), Lane::Alerts, Done::all_to(done), Vec::new()).is_ok() {
            self.intake.saved(done);
        }
    }

    fn note(&self, jobs: &[Job], state: ToldState, attempts: u32, text: &str) {
        let at = self.post.clock.utc_ms();
        for notice in jobs.iter().flat_map(|j| &j.notices) {
            let told = Told { notice: *notice, channel: self.config.name.clone(), state, attempts, at, text: text.to_owned() };
            if let Err(e) = self.post.ops.told(told) {
                tracing::warn!(channel = self.config.name, error = %e, "what became of a message is not noted");
            }
        }
    }

    async fn send(&mut self, jobs: Vec<Job>) -> Result<(), Stopped> {
        let wanted: Vec<(u64, String)> = jobs.iter().map(|j| (j.sequence, j.incident.to_string())).collect();
        let read = self.post.query(move |r| {
            wanted
                .iter()
                .map(|(sequence, incident)| Ok((r.event(*sequence)?, r.incident(incident)?)))
                .collect::<Result<Vec<_>, StoreError>>()
        });
        let Some(found) = read.await else { return self.sleep(NAP).await };
        let mut parts = Vec::new();
        for (job, (event, incident)) in jobs.into_iter().zip(found) {
            match event {
                Some(StoredEvent { event: Ok(event), .. }) => {
                    let over = incident.as_ref().is_some_and(|i| i.state.closed);
                    if is_moot(&job, over) {
                        self.note(std::slice::from_ref(&job), ToldState::Moot, 0, "");
                        self.desk.forget(&job);
                        continue;
                    }
                    let since = incident.map_or(event.at, |i| i.opened_at);
                    parts.push((job, event, since));
                }
                Some(StoredEvent { event: Err(unreadable), .. }) => {
                    self.note(std::slice::from_ref(&job), ToldState::Refused, 0, &unreadable);
                    self.desk.forget(&job);
                }
                None => {
                    self.note(std::slice::from_ref(&job), ToldState::Refused, 0, "its event is not in the log any more");
                    self.desk.forget(&job);
                }
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let jobs: Vec<Job> = parts.iter().map(|(j, ..)| j.clone()).collect();
        let repeat = jobs.iter().any(|j| j.tried);
        let message = self.post.message(&parts, self.config.language, repeat);
        let people: Vec<String> = if self.config.everyone {
            // A group is told as a whole; those of the event that it knows are called by name.
            self.named(&jobs).await
        } else {
            jobs.iter().flat_map(|j| j.people.clone()).collect()
        };
        let to = addresses(&self.config, &people);
        self.note(&jobs, ToldState::Trying, 1, "");
        if tokio::time::timeout(NOTED, self.post.ops.settled()).await.is_err() {
            tracing::error!(channel = self.config.name, "the disk does not answer; a message leaves without a note of it");
        }
        let now = self.post.clock.utc_ms();
        self.desk.leaves(&jobs, now);
        let shutdown = self.post.shutdown.clone();
        let answer = tokio::select! {
            () = shutdown.cancelled() => return Err(Stopped),
            answer = self.channel.send(&message, &to) => answer,
        };
        let now = self.post.clock.utc_ms();
        let (state, said, came) = read_answer(&answer, jobs.len());
        self.note(&jobs, state, 0, &said);
        self.desk.came(&jobs, &came, now);
        self.states.update(self.index, |s| match &answer {
            Ok(_) => (s.sent, s.failing) = (s.sent.saturating_add(1), None),
            Err(e) => {
                s.refused = s.refused.saturating_add(u64::from(came == Came::Refused));
                let since = s.failing.as_ref().map_or(now, |(_, since)| *since);
                if s.failing.is_none() {
                    tracing::warn!(channel = s.name, error = %e, "a message was not delivered");
                }
                s.failing = Some((e.to_string(), since));
            }
        });
        Ok(())
    }

    async fn named(&self, jobs: &[Job]) -> Vec<String> {
        let wanted: Vec<(u64, String)> = jobs.iter().map(|j| (j.sequence, j.incident.to_string())).collect();
        let people = self.post.query(move |r| {
            let mut people = Vec::new();
            for (sequence, incident) in wanted {
                people.extend(
                    r.notices_of(&incident)?.0.into_iter().filter(|n| n.notice.sequence == sequence).filter_map(|n| n.notice.person),
                );
            }
            Ok(people)
        });
        people.await.unwrap_or_default()
    }
}

/// Until something newer is committed; true when nothing ever will be.
async fn newer(committed: &mut watch::Receiver<Committed>, than: u64) -> bool {
    loop {
        if committed.changed().await.is_err() {
            return true;
        }
        if committed.borrow_and_update().sequence > than {
            return false;
        }
    }
}

fn addresses(config: &ChannelConfig, people: &[String]) -> Vec<Address> {
    config.to.iter().filter(|a| people.contains(&a.person)).cloned().collect()
}

fn digest(ids: &[&str]) -> Vec<u8> {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    ids.iter().for_each(|id| hash.update(id.as_bytes()));
    hash.finalize().get(..8).unwrap_or_default().to_vec()
}
