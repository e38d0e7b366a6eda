//! PURE: one image onto nodes, one after the other. A node asks for what it wants; what is sent follows from that and from the time. The round ends at the
//! first node that falls silent or rolls back: what harms one is not given to the next.
use super::sign::{SignError, opened};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tuoan_protocol::firmware::{MAX_CHUNK, UpdateChunk, UpdateOffer, UpdateProgress, UpdateStage};
use tuoan_protocol::{DeviceId, SiteId};

/// An offer that nobody answers is repeated.
const OFFER_MS: i64 = 10_000;
/// A node that says nothing for so long while it downloads is away.
const SILENT_MS: i64 = 90_000;
/// A node that restarts has so long to come back: three starts on trial of two to four minutes each, and the way back.
const RESTART_MS: i64 = 900_000;
/// Nodes of one round.
pub const MAX_NODES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Waiting,
    Offered,
    /// Bytes that it has.
    Sending(u32),
    Restarting,
    Confirmed,
    Refused(String),
    RolledBack,
    Silent,
    /// The round ended before its turn.
    Left,
}

impl Stage {
    fn is_final(&self) -> bool {
        !matches!(self, Stage::Waiting | Stage::Offered | Stage::Sending(_) | Stage::Restarting)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub device: DeviceId,
    pub stage: Stage,
}

/// To a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // One at a time; none is kept.
pub enum Out {
    Offer(UpdateOffer),
    Chunk(DeviceId, UpdateChunk),
}

pub struct Push {
    site: SiteId,
    /// Header and image.
    file: Arc<[u8]>,
    head: [u8; tuoan_protocol::firmware::HEADER],
    image: u64,
    length: u32,
    pub nodes: Vec<Node>,
    /// Whose turn it is.
    turn: usize,
    /// When that node was last heard, and when something was last sent to it.
    heard_at: i64,
    sent_at: i64,
}

impl Push {
    /// # Errors
    /// The file is none.
    pub fn new(site: SiteId, file: Arc<[u8]>, devices: Vec<DeviceId>) -> Result<Push, SignError> {
        let (header, head, _) = opened(&file)?;
        let (image, length) = (header.id(), header.length());
        let nodes = devices.into_iter().take(MAX_NODES).map(|device| Node { device, stage: Stage::Waiting }).collect();
        Ok(Push { site, file, head, image, length, nodes, turn: 0, heard_at: 0, sent_at: 0 })
    }
    pub fn is_over(&self) -> bool {
        self.turn >= self.nodes.len()
    }
    /// Bytes of the image.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// What a node says. Of a node whose turn it is not, or of another image, it changes nothing.
    pub fn heard(&mut self, said: &UpdateProgress, now: i64) -> Option<Out> {
        let node = self.nodes.get_mut(self.turn).filter(|n| n.device == said.device)?;
        // A header that it could not read at all has no name.
        let ours = said.image == self.image || (said.image == 0 && said.stage == UpdateStage::Refused);
        if !ours || said.site != self.site || node.stage == Stage::Waiting {
            return None;
        }
        self.heard_at = now;
        match said.stage {
            UpdateStage::Wants => {
                let offset = said.offset.filter(|o| *o < self.length)?;
                let room = usize::from(said.room.unwrap_or(MAX_CHUNK as u16)).clamp(16, MAX_CHUNK) / 16 * 16;
                let from = self.head.len() + offset as usize;
                let data = self.file.get(from..self.file.len().min(from + room))?;
                node.stage = Stage::Sending(offset);
                self.sent_at = now;
                let data = heapless::Vec::from_slice(data).ok()?;
                Some(Out::Chunk(node.device.clone(), UpdateChunk { image: self.image, offset, data }))
            }
            UpdateStage::Refused => {
                let reason = said.reason.as_ref().map_or("unknown", |r| r.as_str());
                node.stage = Stage::Refused(reason.chars().filter(|c| !c.is_control()).collect());
                None
            }
            UpdateStage::Restarts => {
                node.stage = Stage::Restarting;
                None
            }
            // It may say so of an earlier round, when it reconnects: then it runs the image already.
            UpdateStage::Confirmed => {
                node.stage = Stage::Confirmed;
                None
            }
            // And this it may say of an earlier attempt, before it was asked again.
            UpdateStage::RolledBack if node.stage == Stage::Restarting => {
                node.stage = Stage::RolledBack;
                None
            }
            UpdateStage::RolledBack => None,
        }
    }

    /// To be called about once a second, and after each message.
    pub fn tick(&mut self, now: i64) -> Option<Out> {
        let node = self.nodes.get_mut(self.turn)?;
        let quiet = now.saturating_sub(self.heard_at);
        match &node.stage {
            Stage::Waiting => {
                node.stage = Stage::Offered;
                (self.heard_at, self.sent_at) = (now, now);
                self.offer()
            }
            Stage::Offered | Stage::Sending(_) if quiet >= SILENT_MS => self.end(Stage::Silent),
            // Whatever was lost: the node goes on where it was.
            Stage::Offered | Stage::Sending(_) if now.saturating_sub(self.sent_at) >= OFFER_MS => {
                self.sent_at = now;
                self.offer()
            }
            Stage::Restarting if quiet >= RESTART_MS => self.end(Stage::Silent),
            Stage::RolledBack => self.end(Stage::RolledBack),
            stage if stage.is_final() => {
                self.turn += 1;
                None
            }
            _ => None,
        }
    }

    /// The round is over: those behind are left as they are.
    fn end(&mut self, stage: Stage) -> Option<Out> {
        for (i, node) in self.nodes.iter_mut().enumerate().skip(self.turn) {
            node.stage = if i == self.turn { stage.clone() } else { Stage::Left };
        }
        self.turn = self.nodes.len();
        None
    }
    fn offer(&self) -> Option<Out> {
        let device = self.nodes.get(self.turn)?.device.clone();
        let header = heapless::Vec::from_slice(&self.head).ok()?;
        Some(Out::Offer(UpdateOffer { site: self.site.clone(), device, header }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::{make_key, read_key, signed};
    use super::*;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }
    fn push(image: &[u8], devices: &[&str]) -> Push {
        let dir = tempfile::tempdir().unwrap();
        make_key(&dir.path().join("k")).unwrap();
        let key = read_key(&dir.path().join("k")).unwrap();
        let file = signed(&key, "test", (0, 9), "1.0.1".parse().unwrap(), image).unwrap();
        Push::new(SiteId::new("s").unwrap(), file.into(), devices.iter().map(|d| id(d)).collect()).unwrap()
    }
    fn said(push: &Push, device: &str, stage: UpdateStage) -> UpdateProgress {
        UpdateProgress { site: push.site.clone(), device: id(device), image: push.image, stage, offset: None, room: None, reason: None }
    }
    fn wants(push: &Push, device: &str, offset: u32) -> UpdateProgress {
        UpdateProgress { offset: Some(offset), room: Some(100), ..said(push, device, UpdateStage::Wants) }
    }

    #[test]
    fn a_node_gets_what_it_asks_for_and_the_next_one_its_turn() {
        let image: Vec<u8> = (0..250).collect();
        let mut p = push(&image, &["a", "b"]);
        assert!(matches!(p.tick(0), Some(Out::Offer(o)) if o.device == id("a")));
        assert_eq!(p.heard(&wants(&p, "b", 0), 1), None, "not its turn");
        let mut got = Vec::new();
        while got.len() < image.len() {
            let Some(Out::Chunk(to, chunk)) = p.heard(&wants(&p, "a", got.len() as u32), 2) else { unreachable!() };
            assert_eq!((to, chunk.offset as usize), (id("a"), got.len()));
            got.extend_from_slice(&chunk.data);
        }
        assert_eq!(got, image);
        assert_eq!(p.heard(&wants(&p, "a", 250), 3), None, "there is nothing behind the end");
        p.heard(&said(&p, "a", UpdateStage::Restarts), 4);
        assert_eq!(p.tick(5), None);
        p.heard(&said(&p, "a", UpdateStage::Confirmed), 6);
        p.tick(7);
        assert!(matches!(p.tick(8), Some(Out::Offer(o)) if o.device == id("b")));
        let refused = UpdateProgress { reason: Some("not_newer".try_into().unwrap()), ..said(&p, "b", UpdateStage::Refused) };
        p.heard(&refused, 9);
        p.tick(10);
        assert!(p.is_over());
        assert_eq!(p.nodes.iter().map(|n| n.stage.clone()).collect::<Vec<_>>(), [Stage::Confirmed, Stage::Refused("not_newer".into())]);
    }

    #[test]
    fn what_harms_one_is_not_given_to_the_next() {
        let mut p = push(&[1; 99], &["a", "b"]);
        p.tick(0);
        p.heard(&said(&p, "a", UpdateStage::RolledBack), 1);
        assert_eq!(p.nodes[0].stage, Stage::Offered, "of an earlier attempt");
        p.heard(&said(&p, "a", UpdateStage::Restarts), 1);
        p.heard(&said(&p, "a", UpdateStage::RolledBack), 2);
        p.tick(3);
        assert!(p.is_over());
        assert_eq!((&p.nodes[0].stage, &p.nodes[1].stage), (&Stage::RolledBack, &Stage::Left));
    }

    #[test]
    fn silence_is_asked_again_and_then_given_up() {
        let mut p = push(&[1; 99], &["a", "b"]);
        p.tick(0);
        assert_eq!(p.tick(OFFER_MS - 1), None);
        assert!(matches!(p.tick(OFFER_MS), Some(Out::Offer(_))));
        p.heard(&wants(&p, "a", 0), 50_000);
        assert!(matches!(p.tick(50_000 + OFFER_MS), Some(Out::Offer(_))), "the node goes on where it was");
        p.tick(50_000 + SILENT_MS);
        assert!(p.is_over());
        assert_eq!((&p.nodes[0].stage, &p.nodes[1].stage), (&Stage::Silent, &Stage::Left));
    }
}
