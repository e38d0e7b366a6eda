//! Which nodes get an image, on whose word; one push at a time. It goes on record before it begins, and does not outlive the gateway: a node that was
//! downloading then keeps what runs, and a new round goes on where it was.
use super::carry::{self, Shared};
use super::configure;
use super::push::{MAX_NODES, Node, Push};
use super::sign::{SignError, opened, read_file};
use crate::clock::Clock;
use crate::engine::view::DeviceView;
use crate::ingest::client::ClientConfig;
use crate::pipeline::Handle;
use crate::store::Deed;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use tuoan_protocol::firmware::{HEADER, ImageHeader, Version};
use tuoan_protocol::{DeviceId, SiteId, ZoneId};

/// Folder in the data folder where images for nodes lie.
pub const FOLDER: &str = "firmware";
/// Signed files that are kept.
pub const KEPT: usize = 16;
const ON_RECORD: Duration = Duration::from_secs(10);

/// Who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    Device(String),
    /// All nodes of its board in a zone.
    Room(String),
    /// All nodes of its board.
    All,
}

/// A node as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub device: DeviceId,
    pub zone: String,
    pub board: String,
    pub firmware: String,
    /// UTC milliseconds it was last heard.
    pub heard: Option<i64>,
    /// It has told its board and why it started: a node of this project.
    #[serde(default)]
    pub is_node: bool,
}

/// A signed file that lies in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name there.
    pub image: String,
    pub board: String,
    /// First and last hardware revision.
    pub hardware: (u16, u16),
    pub version: Version,
    /// Bytes of the image.
    pub length: u32,
}

/// How far the last push is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub nodes: Vec<Node>,
    /// Bytes of the image.
    pub length: u32,
    pub over: bool,
}

/// The gateway's part.
#[derive(Clone)]
pub struct Rollout {
    pub handle: Handle,
    pub clock: Clock,
    pub site: SiteId,
    pub data: PathBuf,
    /// The gateway's own account, under a client id of its own.
    pub link: ClientConfig,
    pub shutdown: CancellationToken,
    current: Arc<Mutex<Option<Shared>>>,
}

impl Rollout {
    pub fn new(handle: Handle, clock: Clock, site: SiteId, data: PathBuf, link: ClientConfig, shutdown: CancellationToken) -> Rollout {
        let link = ClientConfig { client_id: format!("{}-nodes", link.client_id), ..link };
        Rollout { handle, clock, site, data, link, shutdown, current: Arc::default() }
    }

    /// Nodes that told their firmware, with the zone they hang in.
    pub fn known(&self) -> Vec<Known> {
        let view = self.handle.view.borrow().clone();
        let placed = view.zones.iter().flat_map(|z| z.devices.iter().map(move |d| (z.id.to_string(), d)));
        let all = placed.chain(view.unplaced.iter().map(|d| (String::new(), d)));
        let known = |(zone, d): (String, &DeviceView)| {
            let is_node = d.hardware.is_some() && d.started.is_some();
            Some(Known { device: d.id.clone(), zone, board: d.model.clone()?, firmware: d.firmware.clone()?, heard: d.last_heard, is_node })
        };
        all.filter_map(known).collect()
    }

    /// Begins.
    ///
    /// # Errors
    /// Why not, in words that say what to do.
    pub async fn begin(&self, image: &str, to: &To, by: &str) -> Result<(), String> {
        let path = file(&self.data, image).ok_or_else(|| format!("{image:?} names no image"))?;
        let bytes = tokio::task::spawn_blocking(move || read_file(&path)).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let board = opened(&bytes).map_err(|e| e.to_string())?.0.board().to_owned();
        let known = self.known();
        let devices: Vec<DeviceId> = match to {
            To::Device(id) => vec![DeviceId::new(id).map_err(|e| format!("{id:?} is no device: {e}"))?],
            To::Room(zone) => {
                let zone = ZoneId::new(zone).map_err(|e| format!("{zone:?} is no zone: {e}"))?;
                known.into_iter().filter(|k| k.board == board && k.zone == zone.as_str()).map(|k| k.device).collect()
            }
            To::All => known.into_iter().filter(|k| k.board == board).map(|k| k.device).collect(),
        };
        if devices.is_empty() {
            return Err(format!("no node of board {board:?} is known there; `tuoan firmware status` lists those that are"));
        }
        if devices.len() > MAX_NODES {
            return Err(format!("more than {MAX_NODES} nodes; go room by room"));
        }
        let names = devices.iter().take(8).map(DeviceId::as_str).collect::<Vec<_>>().join(" ");
        let push = Push::new(self.site.clone(), bytes.into(), devices).map_err(|e| e.to_string())?;
        let push: Shared = Arc::new(Mutex::new(push));
        {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            if current.as_ref().is_some_and(|p| !p.lock().unwrap_or_else(PoisonError::into_inner).is_over()) {
                return Err("another push is under way; wait for its end, or look at it with `tuoan firmware status`".to_owned());
            }
            *current = Some(Arc::clone(&push));
        }
        let forget = || *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(reason) = self.record(by, "firmware", image, names).await {
            forget();
            return Err(reason);
        }
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(e) = carry::carry(&this.link, &this.site, &push, &this.clock, &this.shutdown).await {
                tracing::error!("firmware cannot be sent to nodes: {e}");
                *this.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        });
        Ok(())
    }

    /// Puts settings onto a node; back when it has answered.
    ///
    /// # Errors
    /// Why not, in words that say what to do.
    pub async fn configure(&self, device: &str, settings: serde_json::Value, by: &str) -> Result<(), String> {
        let device = DeviceId::new(device).map_err(|e| format!("{device:?} is no device: {e}"))?;
        // A later setting has a greater number.
        let id = self.clock.utc_ms().max(0).unsigned_abs();
        let detail = settings.to_string();
        let message = configure::message(&self.site, &device, id, settings)?;
        self.record(by, "settings", device.as_str(), detail).await?;
        configure::send(self, &message).await
    }

    /// On record before it is done.
    async fn record(&self, by: &str, kind: &str, object: &str, detail: String) -> Result<(), String> {
        if by.trim().is_empty() {
            return Err("say who wants it: --by".to_owned());
        }
        let (at, actor) = (self.clock.utc_ms(), by.to_owned());
        let deed = Deed { at, actor, kind: kind.to_owned(), object: object.to_owned(), detail, ..Deed::default() };
        let ops = &self.handle.ops;
        let on_record = ops.deed(deed).is_ok() && matches!(tokio::time::timeout(ON_RECORD, ops.settled()).await, Ok(Ok(())));
        if on_record { Ok(()) } else { Err("it could not be put on record and was not begun; is the disk full?".to_owned()) }
    }

    /// The last push since the gateway started.
    pub fn progress(&self) -> Option<Progress> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let push = current.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Progress { nodes: push.nodes.clone(), length: push.length(), over: push.is_over() })
    }
}

/// Where an image lies in a data folder. Its name is the 16 hexadecimal digits of [`tuoan_protocol::firmware::ImageHeader::id`], so that it names no other file.
pub fn file(data: &Path, image: &str) -> Option<PathBuf> {
    let good = image.len() == 16 && image.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    good.then(|| data.join(FOLDER).join(format!("{image}.tfw")))
}

/// A signed file into the data folder, whole or not at all; the image's name there. The oldest beyond [`KEPT`] make room.
///
/// # Errors
/// It is none, or damaged; it cannot be written.
pub fn put(data: &Path, bytes: &[u8]) -> Result<String, SignError> {
    let image = format!("{:016x}", opened(bytes)?.0.id());
    let failed = |source| SignError::Io { path: data.join(FOLDER).display().to_string(), source };
    std::fs::create_dir_all(data.join(FOLDER)).map_err(failed)?;
    let to = file(data, &image).ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    let draft = to.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, &to)
    };
    write().map_err(failed)?;
    let mut there = signed_files(data);
    there.sort();
    for (_, path) in there.iter().rev().skip(KEPT) {
        // One that stays is removed by the next.
        let _ = std::fs::remove_file(path);
    }
    Ok(image)
}

/// The signed files of the data folder with their times of change.
fn signed_files(data: &Path) -> Vec<(SystemTime, PathBuf)> {
    let entries = std::fs::read_dir(data.join(FOLDER)).into_iter().flatten().flatten();
    let named = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "tfw"));
    named.take(4 * KEPT).filter_map(|p| Some((std::fs::metadata(&p).ok()?.modified().ok()?, p))).collect()
}

/// What may be sent, the newest version first. Judged by the header alone; the whole file is when it is sent.
pub fn offered(data: &Path) -> Vec<Offered> {
    let read = |path: PathBuf| {
        let image = path.file_stem()?.to_str()?.to_owned();
        let path = file(data, &image)?;
        let mut head = [0; HEADER];
        std::io::Read::read_exact(&mut std::fs::File::open(path).ok()?, &mut head).ok()?;
        let (header, _) = ImageHeader::parse(&head).ok()?;
        let (hardware, version, length) = (header.hardware(), header.version, header.length());
        Some(Offered { image, board: header.board().to_owned(), hardware, version, length })
    };
    let mut list: Vec<Offered> = signed_files(data).into_iter().filter_map(|(_, path)| read(path)).collect();
    list.sort_by(|a, b| (&a.board, b.version, &a.image).cmp(&(&b.board, a.version, &b.image)));
    list
}

#[test]
fn what_is_put_is_offered_and_the_oldest_makes_room() {
    use super::sign::{make_key, read_key, signed};
    let dir = tempfile::tempdir().unwrap();
    make_key(&dir.path().join("k")).unwrap();
    let key = read_key(&dir.path().join("k")).unwrap();
    let of = |patch: usize| signed(&key, "room", (1, 2), format!("1.0.{patch}").parse().unwrap(), &[patch as u8; 50]).unwrap();
    let names: Vec<String> = (0..KEPT + 3).map(|n| put(dir.path(), &of(n)).unwrap()).collect();
    let list = offered(dir.path());
    assert_eq!((list.len(), list[0].version.to_string(), &list[0].image), (KEPT, format!("1.0.{}", KEPT + 2), &names[KEPT + 2]));
    assert_eq!((list[0].board.as_str(), list[0].hardware, list[0].length), ("room", (1, 2), 50));
    let mut bad = of(1);
    bad.truncate(bad.len() - 1);
    assert!(matches!(put(dir.path(), &bad), Err(SignError::Cut { .. })));
    std::fs::write(dir.path().join(FOLDER).join("0011223344556677.tfw"), b"noise").unwrap();
    assert_eq!(offered(dir.path()).len(), KEPT, "what is no firmware is not offered");
    assert_eq!(offered(&dir.path().join("nowhere")), []);
}

#[test]
fn an_image_names_a_file_of_its_folder_only() {
    assert!(file(Path::new("/d"), "0011223344556677").is_some_and(|p| p == Path::new("/d/firmware/0011223344556677.tfw")));
    for bad in ["", "../../etc/passwd", "00112233445566zz", "001122334455667", "0011223344556677/"] {
        assert_eq!(file(Path::new("/d"), bad), None, "{bad}");
    }
}
