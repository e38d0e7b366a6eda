//! The whole node against a scripted broker, in virtual time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod bench;

use bench::{BOOT, Got, with_more, with_node};
use proptest::prelude::*;
use tokio::time::{Duration, Instant, sleep};
use tuoan_node::alarm::Output;
use tuoan_node::link::Actions;
use tuoan_node::outbox::Lane;
use tuoan_node::sampler::Plan;
use tuoan_node::sensor::{Fault, Sample};
use tuoan_protocol::{DeviceAction, EventKind, Fixed, Presence, Quantity, Reading, Status, Wire};

/// A look and a report each so many milliseconds.
fn every(ms: u32) -> Plan {
    Plan { look_ms: ms, report_ms: ms, ..Plan::default() }
}
/// Never looks after the first.
fn idle() -> Plan {
    every(u32::MAX)
}
fn co2(got: &Got) -> i64 {
    let t = got.telemetry();
    t.readings.iter().find(|r| r.quantity == Quantity::Co2).unwrap().value.0
}

#[tokio::test(start_paused = true)]
async fn it_is_born_with_what_it_is_and_leaves_a_will() {
    with_node(every(60_000), 5, async |hands| {
        let mut peer = hands.line().await;
        let (connect, birth) = peer.welcome(false).await;
        let will = "tuoan/v1/xingyuan/th-1/status";
        assert!(connect.windows(will.len()).any(|w| w == will.as_bytes()), "the will's topic");
        assert_eq!((birth.topic.as_str(), birth.retain), (will, true));
        let status = Status::from_cbor(&birth.payload).unwrap();
        assert_eq!((status.boot, status.presence, status.period_s), (Some(BOOT), Presence::Online, Some(60)));
        assert_eq!((status.hardware.as_deref(), status.reset.as_deref()), (Some("host.1"), Some("power")));
        let first = peer.taken().await;
        assert_eq!((first.telemetry().boot, first.telemetry().seq, co2(&first)), (BOOT, 1, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_brings_the_same_message_again() {
    with_node(every(60_000), 5, async |hands| {
        let mut peer = hands.session().await;
        let first = peer.published().await.unwrap();
        assert!(!first.dup);
        drop(peer);
        let mut peer = hands.line().await;
        peer.welcome(true).await;
        let again = peer.taken().await;
        // The same number and the same values, as old as they are by now.
        let (was, is) = (first.telemetry(), again.telemetry());
        assert_eq!((again.dup, &again.topic, is.boot, is.seq, &is.readings), (true, &first.topic, was.boot, was.seq, &was.readings));
        assert!(is.age > was.age, "{:?} {:?}", was.age, is.age);
        drop(peer);
        let mut peer = hands.session().await;
        let next = peer.published().await.unwrap();
        assert_eq!((next.telemetry().seq, next.dup), (2, false), "what was acknowledged does not come again");
        drop(peer);
        // A broker that has lost the session has never seen it: no DUP, but the same sequence number.
        let mut peer = hands.session().await;
        let again = peer.taken().await;
        let (was, is) = (next.telemetry(), again.telemetry());
        assert_eq!((again.dup, &again.topic, is.boot, is.seq, is.readings), (false, &next.topic, was.boot, was.seq, was.readings));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_acknowledges_is_left_and_nothing_is_lost() {
    with_node(every(1000), 5, async |hands| {
        let mut peer = hands.session().await;
        let first = peer.published().await.unwrap();
        let began = Instant::now();
        while peer.packet().await.is_some() {}
        assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
        let mut peer = hands.line().await;
        peer.welcome(true).await;
        for seq in 1..=12 {
            assert_eq!(peer.taken().await.telemetry().seq, seq);
        }
        assert_eq!(first.telemetry().seq, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_the_cable_out_for_ten_minutes_nothing_is_lost_and_the_order_stays() {
    with_node(every(1000), 5, async |hands| {
        let mut peer = hands.session().await;
        assert_eq!(co2(&peer.taken().await), 1);
        hands.cable.set(false);
        // Nobody reads, nobody answers, and no one says so.
        sleep(Duration::from_secs(600)).await;
        drop(peer);
        hands.cable.set(true);
        let mut peer = hands.line().await;
        peer.welcome(true).await;
        for want in 2..=600 {
            let got = peer.taken().await;
            assert_eq!((co2(&got), got.seq()), (want, want as u64));
        }
        assert_eq!(hands.post.lost().await, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_falls_out_is_counted_and_told() {
    with_node(every(100), 5, async |hands| {
        hands.cable.set(false);
        sleep(Duration::from_secs(600)).await;
        let lost = hands.post.lost().await;
        assert!(lost > 3000, "{lost}");
        hands.cable.set(true);
        let mut peer = hands.session().await;
        let mut last = 0;
        loop {
            let got = peer.taken().await;
            let told = got.telemetry().readings.iter().find(|r| r.quantity.name() == "lost_records").cloned();
            if let Some(told) = told {
                assert!(told.value >= Fixed(i64::from(lost) * 1000), "{told:?}");
                break;
            }
            assert!(co2(&got) > last, "in order");
            last = co2(&got);
        }
    })
    .await;
}

async fn fill(hands: &bench::Hands, count: u64) {
    for i in 0..count {
        let reading = Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(i64::try_from(i).unwrap()) };
        hands.post.readings(Lane::Reading, i, Sample::from_iter([reading])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_overtakes_a_thousand_waiting_readings() {
    with_node(idle(), 5, async |hands| {
        hands.cable.set(false);
        // Its sensor's only value waits before all that is put there.
        sleep(Duration::from_secs(1)).await;
        fill(hands, 1000).await;
        hands.hand.press();
        sleep(Duration::from_millis(20)).await;
        hands.cable.set(true);
        let mut peer = hands.session().await;
        let first = peer.taken().await;
        assert_eq!((first.event().kind, first.seq()), (EventKind::PanicPressed, 1));
        assert_eq!(co2(&peer.taken().await), 1);
        for want in 0..300 {
            assert_eq!(co2(&peer.taken().await), want);
        }
        // And in the middle of it: at most what is on its way goes before.
        hands.hand.press();
        sleep(Duration::from_millis(6)).await;
        let mut before = 0;
        while !peer.taken().await.is_event() {
            before += 1;
        }
        assert!(before <= 4, "{before} readings went before the alarm");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_on_the_wire_within_fifty_milliseconds_whatever_the_broker_does() {
    with_node(every(500), 5, async |hands| {
        let mut peer = hands.session().await;
        let mut worst = Duration::ZERO;
        for i in 0..200u64 {
            sleep(Duration::from_millis(i * 37 % 61)).await;
            hands.hand.press();
            let pressed = Instant::now();
            loop {
                let got = peer.published().await.unwrap();
                if got.is_event() {
                    worst = worst.max(pressed.elapsed());
                    peer.ack(got.id).await;
                    break;
                }
                // Readings are acknowledged late: an alarm must not wait for that.
                if i % 10 == 0 {
                    peer.ack(got.id).await;
                }
            }
        }
        assert!(worst < Duration::from_millis(50), "{worst:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_cuts_the_wait_for_the_next_attempt_short() {
    with_node(idle(), 5, async |hands| {
        hands.cable.set(false);
        // Deep in the backoff.
        sleep(Duration::from_secs(600)).await;
        hands.cable.set(true);
        sleep(Duration::from_secs(2)).await;
        hands.hand.press();
        let pressed = Instant::now();
        let mut peer = hands.session().await;
        assert_eq!(peer.taken().await.event().kind, EventKind::PanicPressed);
        assert!(pressed.elapsed() < Duration::from_millis(50), "{:?}", pressed.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn orders_are_carried_out_once_and_confirmed() {
    with_node(idle(), 5, async |hands| {
        let mut peer = hands.session().await;
        assert_eq!(co2(&peer.taken().await), 1);
        peer.order(40, "siren_on", "").await;
        let done = peer.taken().await.event();
        assert_eq!((done.kind, done.command), (EventKind::CommandDone, Some(40)));
        assert_eq!(hands.lamps.0.borrow().last(), Some(&(Output::Siren, true)));
        let before = hands.lamps.0.borrow().len();
        peer.order(40, "siren_on", "").await;
        // This board closes no valve and knows no dance: nothing is confirmed that was not done.
        peer.order(41, "valve_close", "").await;
        peer.order(42, "dance", "").await;
        peer.order(43, "siren_off", "").await;
        let done = peer.taken().await.event();
        assert_eq!((done.kind, done.command), (EventKind::CommandDone, Some(43)));
        assert_eq!(hands.lamps.0.borrow()[before..], [(Output::ValveClose, true), (Output::Siren, false)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_self_test_says_how_each_sensor_answers() {
    with_node(idle(), 5, async |hands| {
        let mut peer = hands.session().await;
        peer.taken().await;
        peer.order(50, "test", "").await;
        let name = |kind: EventKind| kind.name().to_owned();
        assert_eq!(name(peer.taken().await.event().kind), "test.counter.ok");
        let done = peer.taken().await.event();
        assert_eq!((done.kind, done.command), (EventKind::CommandDone, Some(50)));
        hands.fault.set(Some(Fault::Corrupt));
        peer.order(51, "test", "").await;
        assert_eq!(name(peer.taken().await.event().kind), "test.counter.corrupt");
        assert_eq!(peer.taken().await.event().command, Some(51));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_told_as_one_and_no_value_goes_with_it() {
    with_node(every(10_000), 5, async |hands| {
        let mut peer = hands.session().await;
        assert_eq!(co2(&peer.taken().await), 1);
        hands.fault.set(Some(Fault::Corrupt));
        let fault = peer.taken().await.telemetry();
        let only = Reading { quantity: Quantity::Fault, channel: 0, value: Fixed(1) };
        assert_eq!(fault.readings.as_slice(), std::slice::from_ref(&only));
        assert_eq!(peer.taken().await.event().kind.name(), "fault.counter.corrupt");
        hands.fault.set(None);
        let back = peer.taken().await.telemetry();
        assert_eq!(back.readings.last(), Some(&Reading { value: Fixed(0), ..only }));
        assert_eq!(back.readings.len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sensor_that_hangs_is_missing_and_the_dog_is_fed_on() {
    with_node(every(10_000), 5, async |hands| {
        let mut peer = hands.session().await;
        peer.taken().await;
        hands.hangs.set(true);
        assert_eq!(peer.taken().await.telemetry().readings[0].quantity, Quantity::Fault);
        assert_eq!(peer.taken().await.event().kind.name(), "fault.counter.missing");
        assert!(hands.dog.get().1 <= 500, "{:?}", hands.dog.get());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_old_broker_is_spoken_to_in_its_own_version() {
    with_node(every(1000), 5, async |hands| {
        let mut peer = hands.line().await;
        peer.packet().await.unwrap();
        peer.send(&[0x20, 2, 0, 1]).await;
        let mut peer = hands.line().await;
        let (connect, _) = peer.welcome(false).await;
        assert_eq!(connect[6], 4);
        assert_eq!(co2(&peer.taken().await), 1);
        assert_eq!(co2(&peer.taken().await), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_again_more_and_more_seldom() {
    with_node(idle(), 5, async |hands| {
        let began = Instant::now();
        for _ in 0..10 {
            let mut peer = hands.line().await;
            peer.packet().await.unwrap();
            peer.send(&[0x20, 3, 0, 0x87, 0]).await;
        }
        assert!((120..=400).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert!(hands.dog.get().1 <= 500);
    })
    .await;
}

/// A day of a node in a room: nothing is lost, nothing comes twice, the watchdog is fed, the outbox stays empty.
#[tokio::test(start_paused = true)]
async fn a_day_passes_without_loss_or_stall() {
    with_node(every(60_000), 50, async |hands| {
        let mut peer = hands.session().await;
        let began = Instant::now();
        let (mut want, mut doors) = (1, 0);
        while began.elapsed() < Duration::from_secs(24 * 3600) {
            let got = peer.taken().await;
            assert_eq!(got.seq(), want);
            want += 1;
            if want % 100 == 0 {
                hands.hand.door(doors % 2 == 0);
                doors += 1;
            }
            if want % 500 == 0 {
                drop(peer);
                peer = hands.session().await;
            }
        }
        assert!((1440..1480).contains(&(want - doors)), "{want} messages, {doors} doors");
        assert_eq!((hands.post.lost().await, hands.stats.given_up.get()), (0, 0));
        assert!(hands.dog.get().1 <= 500, "{:?}", hands.dog.get());
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever a broker says, the node comes back, loses nothing, and says it again.
    #[test]
    fn garbage_from_the_broker_ends_the_connection_and_nothing_else(
        greeted: bool,
        cuts in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            // Packets that are nearly right.
            (prop_oneof![Just(0x20u8), Just(0x30), Just(0x32), Just(0x40), Just(0x90), Just(0xd0), Just(0xe0)],
             proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(first, body)| {
                [vec![first, body.len() as u8], body].concat()
            }),
            Just(vec![0x32, 0xff, 0xff, 0xff, 0x7f]),
        ], 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(with_node(every(5_000), 50, async |hands| {
            let mut peer = hands.line().await;
            if greeted {
                peer.welcome(false).await;
            }
            for bytes in &cuts {
                peer.send(bytes).await;
                sleep(Duration::from_millis(10)).await;
            }
            sleep(Duration::from_secs(15)).await;
            drop(peer);
            // A refusal may have been read out of the noise, and with it the wish for the other version.
            let mut peer = hands.session().await;
            peer.taken().await;
            assert!(hands.dog.get().1 <= 500, "{:?}", hands.dog.get());
        }));
    }
}

/// Says what it hears, on a topic of its own, and that it is connected.
#[derive(Default)]
struct Parrot(Vec<Vec<u8>>);
impl Actions for Parrot {
    fn order(&mut self, _: &DeviceAction) -> bool {
        false
    }
    fn topics(&self) -> &'static [&'static str] {
        &["update"]
    }
    async fn message(&mut self, kind: &str, payload: &[u8]) {
        assert_eq!(kind, "update");
        self.0.push(payload.to_vec());
    }
    async fn connected(&mut self) {
        self.0.push(b"connected".to_vec());
    }
    async fn answer(&mut self, _: u64, buf: &mut [u8]) -> Option<(&'static str, usize)> {
        let said = self.0.pop()?;
        buf[..said.len()].copy_from_slice(&said);
        Some(("progress", said.len()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_board_has_to_say_goes_out_beside_what_waits() {
    with_more(idle(), 5, Parrot::default(), async |hands| {
        let mut peer = hands.session().await;
        let (_, subscription) = peer.packet().await.unwrap();
        assert!(subscription.windows(6).any(|w| w == b"update"), "{subscription:?}");
        peer.send([0x90, 4, subscription[0], subscription[1], 0, 1]).await;
        let mut said = Vec::new();
        for n in 0..20 {
            while said.len() <= n {
                let got = peer.taken().await;
                if got.topic == "tuoan/v1/xingyuan/th-1/progress" {
                    said.push(got);
                }
            }
            peer.say("update", format!("offer {n}").as_bytes()).await;
        }
        assert_eq!((said[0].payload.as_slice(), said[19].payload.as_slice()), (&b"connected"[..], &b"offer 18"[..]));
        assert!(said.iter().all(|s| s.id >= 0xfff0 && !s.retain) && said.windows(2).all(|w| w[0].id != w[1].id), "{said:?}");
    })
    .await;
}
