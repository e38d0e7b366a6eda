//! The closed days of the coverage ledger, to the district: one a day, in order, until the receiver has taken it. They are no alarms, and
//! wait for none: a task and a mark of their own.
use super::backoff::Backoff;
use super::scheduler::Delivery;
use super::sinks::{SendError, Sink};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Days read at once: a long outage is caught up in steps.
const READ: usize = 16;
/// A day that the receiver does not accept is offered again so seldom: it may be older than this gateway, and be brought up to date.
const REFUSED: Duration = Duration::from_secs(3600);

/// Runs until the shutdown. A day is looked for as often as a heartbeat goes out.
pub(super) async fn deliver(env: Delivery, sink: Arc<dyn Sink>) {
    let mut backoff = Backoff::new(env.timing.backoff_base, env.timing.backoff_cap);
    loop {
        let wait = match some(&env, sink.as_ref()).await {
            Ok(()) => {
                backoff.reset();
                env.timing.heartbeat
            }
            Err(Problem::Store(e)) => {
                tracing::debug!("the coverage ledger cannot be read: {e}");
                backoff.next(rand::random(), None)
            }
            Err(Problem::Sink(SendError::Retry { reason, after })) => {
                tracing::debug!(sink = sink.name(), reason, "a day of the coverage ledger is not delivered yet");
                backoff.next(rand::random(), after)
            }
            Err(Problem::Sink(e)) => {
                tracing::warn!(sink = sink.name(), reason = %e, "a day of the coverage ledger is not accepted");
                REFUSED
            }
        };
        tokio::select! {
            () = env.shutdown.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}

enum Problem {
    Store(super::LogError),
    Sink(SendError),
}
impl From<super::LogError> for Problem {
    fn from(e: super::LogError) -> Self {
        Problem::Store(e)
    }
}

/// Delivers what waits.
async fn some(env: &Delivery, sink: &dyn Sink) -> Result<(), Problem> {
    let mut sent = env.log.ledger_sent().await?;
    loop {
        let days = env.log.ledger_after(sent, READ).await?;
        let whole = days.len() == READ;
        for day in days {
            tokio::select! {
                () = env.shutdown.cancelled() => return Ok(()),
                done = sink.coverage_day(&day) => done.map_err(Problem::Sink)?,
            }
            sent = day.number;
            env.log.ledger_done(sent)?;
        }
        if !whole {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::platform::{Inner, Mood, serve};
    use super::super::testing::{MemoryLog, TOKEN, delivery, directory, eventually};
    use super::*;
    use crate::deliver::PlatformConfig;
    use crate::deliver::sinks::platform::Platform;
    use crate::engine::LedgerDay;
    use tuoan_protocol::ledger::{Cause, Day, MINUTES, Need, Run, Sight, ZoneDay};

    fn day(number: u64) -> LedgerDay {
        let mut run = Run::default();
        run.push(600, Sight::Watched);
        run.push(20, Sight::blind(Cause::CameraCovered, Some(Need::Camera)));
        run.push(MINUTES, Sight::Watched);
        let day = Day {
            site: "xingyuan".parse().unwrap(),
            log: "01HZY0000000000000000000LG".parse().unwrap(),
            number,
            date: 20_779 + number as i64,
            utc_offset_minutes: 480,
            closed_at: 1_795_363_200_000 + number as i64 * 86_400_000,
            clock_trusted: true,
            zones: vec![ZoneDay { zone: "toddler-2".parse().unwrap(), run }],
        };
        LedgerDay { number, date: day.date, bytes: day.canonical_bytes() }
    }

    #[tokio::test]
    async fn days_arrive_in_order_once_although_the_platform_is_away_or_does_not_know_them() {
        let (log, double) = (MemoryLog::new(), Arc::new(std::sync::Mutex::new(Inner::default())));
        let (url, _server) = serve(double.clone(), "127.0.0.1:0".parse().unwrap()).await;
        let config = PlatformConfig { url, token: crate::deliver::Secret::new(TOKEN), receipts: true };
        let sink = Arc::new(Platform::new(&config, directory()).unwrap());
        let env = delivery(&log);
        double.lock().unwrap().mood = Mood::Overloaded;
        log.ledger.lock().unwrap().extend([day(1), day(2)]);
        let task = tokio::spawn(deliver(env.clone(), sink));
        eventually("it is tried", || double.lock().unwrap().requests > 2).await;
        assert_eq!(*log.ledger_sent.lock().unwrap(), 0);
        double.lock().unwrap().mood = Mood::Well;
        eventually("both are there", || *log.ledger_sent.lock().unwrap() == 2).await;
        log.ledger.lock().unwrap().push(day(3));
        double.lock().unwrap().rejects.push("coverage-01HZY0000000000000000000LG-3".to_owned());
        let before = double.lock().unwrap().requests;
        eventually("the third is offered", || double.lock().unwrap().requests > before).await;
        env.shutdown.cancel();
        task.await.unwrap();
        assert_eq!(*log.ledger_sent.lock().unwrap(), 2, "what is not accepted is not done");
        let days = double.lock().unwrap().days.clone();
        assert_eq!(days.len(), 2);
        let first = &days[0];
        assert_eq!((first["id"].as_str(), first["subject"].as_str()), (Some("coverage-01HZY0000000000000000000LG-1"), Some("2026-11-23")));
        assert_eq!((first["data"]["per_mille"].as_u64(), first["data"]["longest_gap"]["zone_name"].as_str()), (Some(986), Some("托小班2")));
        let bytes = hex::decode(first["data"]["canonical"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, day(1).bytes);
    }
}
