//! What is old goes into blocks (`block.rs`), one at a time, with commits that nobody waits for.
//!
//! What must hold: a block ends where a snapshot stands and holds no entry behind it, so that the log can still be cut and begun there; positions
//! stay without a gap; what does not go into a block stays as it is.
use super::block::{self, MOST, Row};
use super::body::MESSAGE;
use super::reader::stored_row;
use super::transaction::int;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// Entries younger than this stay as they came: the lanes and the pages read them again and again.
const OLD_MS: i64 = 3_600_000;
/// Fewer than these in a row are not worth a block.
const FEWEST: usize = 32;

/// How far packing has come, and what it has come to since the log was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    /// What stands up to this position is packed, or stays as it is.
    pub upto: u64,
    pub entries: u64,
    pub bytes: u64,
}

impl Packed {
    pub fn load(db: &Connection) -> rusqlite::Result<Packed> {
        let kept: Option<Vec<u8>> = db.query_row("SELECT value FROM meta WHERE key = 'packed'", [], |r| r.get(0)).optional()?;
        let number = |n: usize| kept.as_ref()?.get(n * 8..n * 8 + 8)?.try_into().ok().map(u64::from_be_bytes);
        Ok(Packed { upto: number(0).unwrap_or(0), entries: number(1).unwrap_or(0), bytes: number(2).unwrap_or(0) })
    }
    fn save(self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let bytes: Vec<u8> = [self.upto, self.entries, self.bytes].iter().flat_map(|n| n.to_be_bytes()).collect();
        tx.prepare_cached("INSERT OR REPLACE INTO meta VALUES('packed', ?1)")?.execute([bytes])?;
        Ok(())
    }

    /// Packs a block, if there is one whose entries are old at engine time `now`. Unchanged: there is none.
    pub fn step(mut self, tx: &Transaction<'_>, now: i64) -> rusqlite::Result<Packed> {
        let sql = "SELECT min(position) FROM snapshot WHERE position > ?1";
        let edge: Option<i64> = tx.prepare_cached(sql)?.query_row([int(self.upto)], |r| r.get(0))?;
        let rows = read(tx, int(self.upto), edge)?;
        let Some(first) = rows.first().filter(|r| is_old(r, now)) else { return Ok(self) };
        let fits = |(n, row): &(i64, &Row)| is_old(row, now) && row.body.first() == Some(&MESSAGE) && row.position == first.position + n;
        let many = (0i64..).zip(&rows).take_while(fits).count();
        let (here, after) = rows.split_at(many);
        let Some(last) = here.last() else {
            self.upto = first.position.unsigned_abs();
            self.save(tx)?;
            return Ok(self);
        };
        // It ends for good where it is full, where a snapshot stands, and before what goes into no block; otherwise more will come.
        let whole = many == MOST || Some(last.position) == edge || after.first().is_some_and(|r| is_old(r, now));
        if !whole {
            return Ok(self);
        }
        if many >= FEWEST
            && let Ok(body) = block::pack(here)
        {
            self.entries += many as u64;
            self.bytes += body.len() as u64;
            tx.prepare_cached("DELETE FROM log WHERE position BETWEEN ?1 AND ?2")?.execute([first.position, last.position])?;
            let message = here.iter().any(|r| r.message);
            tx.prepare_cached("INSERT INTO log VALUES(?1, ?2, ?3, ?4)")?.execute(params![last.position, last.at, message, body])?;
        }
        self.upto = last.position.unsigned_abs();
        self.save(tx)?;
        Ok(self)
    }
}

fn is_old(row: &Row, now: i64) -> bool {
    row.at <= now.saturating_sub(OLD_MS)
}

fn read(tx: &Transaction<'_>, after: i64, last: Option<i64>) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT position, at, message, body FROM log WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
    tx.prepare_cached(sql)?.query_map(params![after, last.unwrap_or(i64::MAX), int(MOST as u64)], stored_row)?.collect()
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;
    use crate::engine::input::{Input, Item, Message};
    use crate::engine::{Body, State};
    use crate::metrics::Metrics;
    use crate::store::{Batch, Deps, Entry, History, LOG_FILE, Lane, Options, Reader, Reply, Retention, Snapshot, Store};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tuoan_protocol::{Fixed, Quantity};

    const T: i64 = 1_790_000_000_000;
    const LONG: Duration = Duration::from_secs(20);
    const DAY: i64 = 86_400_000;

    struct Rig {
        store: Store,
        entries: Vec<Entry>,
        now: i64,
    }

    impl Rig {
        fn open(dir: &Path) -> Rig {
            let mut deps = Deps::new(Clock::manual(T), Arc::new(Metrics::new()));
            (deps.timing.survey, deps.timing.ops, deps.timing.pack, deps.timing.roll) =
                (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
            let retention = Retention { keep_days: 30, ..Retention::default() };
            let (store, _) = Store::open(dir, Options { reserve_mb: 0, retention, ..Options::default() }, deps).unwrap();
            store.ops.claim([("platform".to_owned(), Lane::Alerts)]).unwrap();
            Rig { store, entries: vec![], now: T }
        }
        fn commit(&mut self, batch: Batch) {
            let (reply, replied) = oneshot::channel();
            let batch = Batch { now: self.now, replies: vec![Reply::Done(reply)], ..batch };
            self.store.submit(Box::new(batch), LONG).unwrap();
            replied.blocking_recv().unwrap();
        }
        /// One a second, every 700th no message.
        fn hear(&mut self, n: u64) {
            let last = self.entries.len() as u64;
            let entries: Vec<Entry> = (last + 1..=last + n)
                .map(|position| {
                    let at = self.now + (position - last) as i64 * 1000;
                    let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(800 + position as i64 % 7) }];
                    let device = format!("air-{}", position % 3).parse().unwrap();
                    let message = Message { device, boot: Some(1), seq: Some(position), sampled_at: Some(at - 40), retained: false, items };
                    let body = if position % 700 == 0 { Body::Clock { offset_ms: 0, trusted: true } } else { Body::Message(message) };
                    Entry { position, at, message: position % 700 != 0, body }
                })
                .collect();
            self.now += n as i64 * 1000;
            self.entries.extend(entries.iter().cloned());
            let position = last + n;
            self.commit(Batch {
                entries,
                snapshot: Some(Snapshot { position, sequence: 0, bytes: State::new().encode() }),
                ..Batch::default()
            });
        }
        /// Commits that say nothing but the time.
        fn idle(&mut self, ms: i64) {
            for _ in 0..40 {
                self.now += ms / 40;
                self.commit(Batch::default());
            }
        }
    }

    fn rows(dir: &Path) -> i64 {
        let db = rusqlite::Connection::open(dir.join(LOG_FILE)).unwrap();
        assert_eq!(db.query_row("PRAGMA integrity_check", [], |r| r.get::<_, String>(0)).unwrap(), "ok");
        db.query_row("SELECT count(*) FROM log", [], |r| r.get(0)).unwrap()
    }

    /// Every way to read gives what was written.
    fn same(dir: &Path, entries: &[Entry]) {
        let (reader, mut history) = (Reader::open(dir).unwrap(), History::open(dir).unwrap());
        let first = entries[0].position;
        for (after, limit) in
            [(0, usize::MAX), (first + 1, 10), (first + 1022, 3), (first + 1500, 1100), (entries.len() as u64 + first - 3, 100)]
        {
            let read: Vec<Entry> = reader.entries_after(after, limit).unwrap().iter().cloned().collect();
            let wanted: Vec<Entry> = entries.iter().filter(|e| e.position > after).take(limit).cloned().collect();
            assert_eq!(read, wanted, "after {after}, {limit}");
            let last = after + 2000;
            let replayed = history.inputs(after, last, limit.min(5000)).unwrap();
            let input = |e: &Entry| (e.position, Input { at: e.at, body: e.body.clone() });
            let within = entries.iter().filter(|e| e.position > after && e.position <= last);
            assert_eq!(replayed, within.take(limit.min(5000)).map(input).collect::<Vec<_>>());
        }
        let (begin, end) = (entries[0].at, entries[entries.len() - 1].at);
        for (from, to) in [(begin, end), (begin + 500_300, begin + 900_000), (begin + 1, begin + 1001), (end, end + 1)] {
            let read: Vec<u64> = reader.entries_between(from, to, usize::MAX).unwrap().iter().map(|e| e.position).collect();
            assert_eq!(
                read,
                entries.iter().filter(|e| e.at >= from && e.at < to).map(|e| e.position).collect::<Vec<_>>(),
                "{from} to {to}"
            );
        }
        for at in [begin + 1, begin + 700_500, end] {
            let before = entries.iter().filter(|e| e.at < at).map(|e| e.position).max().unwrap_or(first - 1);
            assert_eq!(history.position_before(at).unwrap(), before);
        }
        assert_eq!(reader.first_position().unwrap(), first);
        let cut = history.cut().unwrap();
        assert_eq!((cut.first, cut.span), (first, Some((begin, end))));
        assert_eq!(reader.recount().unwrap().messages, entries.iter().filter(|e| e.message).count() as u64);
    }

    #[test]
    fn old_entries_go_into_blocks_and_read_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::open(dir.path());
        rig.hear(3500);
        assert_eq!(rows(dir.path()), 3500, "what is young stays as it came");
        same(dir.path(), &rig.entries);
        rig.idle(2 * 3_600_000);
        let packed = rows(dir.path());
        assert!(packed < 30, "{packed} rows");
        same(dir.path(), &rig.entries);
        // Over a restart, with more behind.
        let Rig { store, entries, now } = rig;
        store.close();
        let mut rig = Rig { entries, now, ..Rig::open(dir.path()) };
        rig.hear(900);
        same(dir.path(), &rig.entries);
        rig.idle(2 * 3_600_000);
        assert!(rows(dir.path()) < packed + 20);
        same(dir.path(), &rig.entries);
        let room = rig.store.reader.room(&Retention::default(), &Default::default()).unwrap();
        assert!(room.log_bytes < 4400 * 12, "{} bytes for 4400 entries", room.log_bytes);
    }

    #[test]
    fn a_log_in_blocks_is_cut_at_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::open(dir.path());
        for _ in 0..4 {
            rig.hear(1500);
            rig.idle(DAY);
        }
        rig.idle(29 * DAY);
        rig.hear(100);
        rig.idle(DAY);
        let first = rig.store.reader.first_position().unwrap();
        assert!(first > 1 && first < 6000, "{first}");
        let kept: Vec<Entry> = rig.entries.iter().filter(|e| e.position >= first).cloned().collect();
        same(dir.path(), &kept);
        let begin = rig.store.reader.snapshot_before(u64::MAX).unwrap().unwrap();
        assert!(begin.position >= first, "a replay can begin in what is left");
    }
}
