//! The coverage ledger's days as a timeline.
use crate::engine::input::{Action, Body, Input};
use crate::engine::site::Role;
use crate::engine::step;
use crate::engine::testing::{Gateway, MONDAY, seen, site, supervised, t};
use tuoan_protocol::Quantity;
use tuoan_protocol::ledger::{Cause, Day, Figure, MINUTES, Need, Sight};

/// As "minutes level cause" of a zone's stretches so far.
fn run(g: &Gateway, zone: &str) -> Vec<String> {
    let view = g.state.view(g.state.now());
    let z = view.coverage.zones.iter().find(|z| z.zone.as_str() == zone).unwrap();
    z.run.stretches().iter().map(|s| told(s.minutes, s.sight)).collect()
}
fn told(minutes: u16, sight: Sight) -> String {
    let word = ["absent", "watched", "degraded", "blind"][usize::from(sight.level())];
    let why = sight
        .reason()
        .map(|r| format!(" {}{}", r.need.map_or("", Need::name).to_owned() + if r.need.is_some() { " " } else { "" }, r.cause.name()));
    format!("{minutes} {word}{}", why.unwrap_or_default())
}
/// The exit's contact speaks each minute, from and to minutes of the day.
fn contact(g: &mut Gateway, from: i64, to: i64) {
    for m in from..to {
        g.says(&format!("{:02}:{:02}:30", m / 60, m % 60), "door", Quantity::Open, 0.0);
    }
}
fn with_door_period() -> crate::engine::Site {
    let mut s = supervised();
    s.devices.iter_mut().filter(|d| d.id.as_str() == "door").for_each(|d| d.period_s = Some(60));
    s
}

#[test]
fn a_day_is_told_minute_by_minute_and_closes_at_midnight() {
    let mut g = Gateway::new(with_door_period());
    contact(&mut g, 10, 600);
    // Three periods missed from 09:59:30: blind at 10:02:30, and so is that whole minute.
    contact(&mut g, 620, 1440);
    assert_eq!(
        run(&g, "exit"),
        ["11 blind contact unheard", "591 watched", "19 blind contact silent", "818 watched"],
        "the first minute counts when it was seen throughout"
    );
    g.until("24:00");
    let day = g.last.ledger.first().expect("the day is closed");
    assert_eq!((day.number, day.date), (1, MONDAY.saturating_add(28_800_000) / 86_400_000));
    let day = Day::from_canonical(&day.bytes).unwrap();
    assert_eq!((day.closed_at, day.clock_trusted, day.site.as_str()), (t("24:00"), true, site().id.as_str()));
    let exit = day.zones.iter().find(|z| z.zone.as_str() == "exit").unwrap();
    assert_eq!(exit.run.figure(), Figure { watched: 1410, degraded: 0, blind: 30 });
    assert_eq!(exit.run.gaps().iter().map(|g| (g.from, g.minutes)).collect::<Vec<_>>(), [(0, 11), (602, 19)]);
    assert_eq!(g.state.view(g.state.now()).coverage.minutes, 0, "the next day is open");
}

#[test]
fn a_camera_that_is_covered_for_seconds_costs_the_minute() {
    let mut g = Gateway::new(seen(None));
    g.says("09:00", "eye", Quantity::CameraCovered, 0.0).says("09:00", "air", Quantity::Temperature, 21.0).says(
        "09:00",
        "air",
        Quantity::Co2,
        600.0,
    );
    for s in (15..300).step_by(15) {
        let covered = if s == 135 { 1.0 } else { 0.0 };
        g.says(&format!("09:{:02}:{:02}", s / 60, s % 60), "eye", Quantity::CameraCovered, covered);
    }
    g.until("09:04");
    let told = run(&g, "room");
    assert_eq!(told[1..], ["1 watched", "1 blind camera camera-covered", "1 watched"], "{told:?}");
}

#[test]
fn a_place_whose_channel_is_not_recorded_is_watched_in_part() {
    let mut site = with_door_period();
    let mut channel = site.devices.iter().find(|d| d.id.as_str() == "door").unwrap().clone();
    (channel.id, channel.role, channel.period_s) = ("nvr.ch1".parse().unwrap(), Role::Recorder, Some(300));
    site.devices.push(channel);
    let mut g = Gateway::new(site);
    contact(&mut g, 0, 3);
    g.says("00:03:10", "nvr.ch1", Quantity::Recording, 1.0);
    contact(&mut g, 3, 10);
    g.says("00:10:10", "nvr.ch1", Quantity::Recording, 0.0);
    contact(&mut g, 10, 15);
    g.says("00:15:10", "nvr.ch1", Quantity::Recording, 1.0);
    contact(&mut g, 15, 18);
    g.until("00:18");
    assert_eq!(
        run(&g, "exit"),
        ["1 blind contact unheard", "3 degraded recording unheard", "6 watched", "6 degraded recording recorder", "2 watched"]
    );
}

#[test]
fn what_is_missing_maintained_or_out_of_service_is_never_watched() {
    let mut g = Gateway::new(with_door_period());
    g.until("00:01");
    assert_eq!(run(&g, "nap"), ["1 blind camera missing"]);
    assert_eq!(run(&g, "kitchen"), ["1 blind gas unheard"]);
    contact(&mut g, 1, 10);
    g.act("00:10", Action::Maintain { zone: "exit".parse().unwrap(), minutes: 5, reason: "换锁".into() });
    contact(&mut g, 10, 20);
    g.act("00:20", Action::OutOfService { device: "door".parse().unwrap(), minutes: 60, reason: "换锁".into() });
    contact(&mut g, 20, 22);
    g.until("00:22");
    assert_eq!(
        run(&g, "exit"),
        ["2 blind contact unheard", "8 watched", "5 degraded maintenance", "5 watched", "2 blind contact out-of-service"]
    );
}

#[test]
fn the_time_that_the_gateway_was_off_is_blind_and_one_incident_for_the_whole_house() {
    let mut g = Gateway::new(with_door_period());
    contact(&mut g, 0, 600);
    g.until("10:00:10");
    g.at("10:25:40", Body::Started { down_from: t("10:00:10") });
    contact(&mut g, 626, 640);
    assert_eq!(run(&g, "exit")[1..], ["599 watched", "26 blind gateway-down", "13 watched"]);
    assert_eq!(g.of("coverage.gap"), ["10:25:40 opened 2", "10:25:40 returned 2"]);
    // A short one, and one at night.
    g.until("10:40:10");
    g.at("10:45:00", Body::Started { down_from: t("10:40:10") });
    assert_eq!(g.of("coverage.gap").len(), 2);
}

#[test]
fn days_without_the_gateway_are_closed_when_it_is_back() {
    let mut g = Gateway::new(with_door_period());
    contact(&mut g, 0, 1200);
    g.until("20:00:10");
    g.at("80:00:00", Body::Started { down_from: t("20:00:10") });
    let days: Vec<Day> = g.last.ledger.iter().map(|d| Day::from_canonical(&d.bytes).unwrap()).collect();
    assert_eq!(days.iter().map(|d| d.figure().blind).collect::<Vec<_>>().len(), 3);
    assert_eq!(days[1].zones.iter().map(|z| z.run.stretches().len()).collect::<Vec<_>>(), vec![1; days[1].zones.len()]);
    assert!(days.iter().all(|d| d.zones.iter().all(|z| z.run.minutes() == MINUTES)));
}

#[test]
fn one_happening_is_one_incident_and_the_gap_raises_it() {
    let mut g = Gateway::new(with_door_period());
    contact(&mut g, 0, 600);
    // The silence is told at once as general; when the exit was blind for ten minutes in care hours it is serious.
    g.until("10:30");
    assert_eq!(g.of("coverage.gap"), Vec::<String>::new());
    let door: Vec<String> = g.of("sensor.silent").into_iter().filter(|l| l.starts_with("10:")).collect();
    assert_eq!(door, ["10:02:30 opened 3", "10:13:00 gathered 3", "10:13:00 raised 2"]);
    g.says("10:40:20", "door", Quantity::Open, 0.0);
    assert_eq!(g.of("sensor.silent").last().unwrap(), "10:40:20 returned 2");
    assert!(g.open("coverage.gap").is_none());
}

#[test]
fn a_clock_that_is_not_trusted_makes_every_minute_doubtful_and_none_lost() {
    let mut g = Gateway::new(with_door_period());
    contact(&mut g, 0, 60);
    g.at("01:00", Body::Clock { offset_ms: -86_400_000 * 300, trusted: false });
    contact(&mut g, 60, 90);
    g.at("01:30", Body::Clock { offset_ms: 0, trusted: true });
    contact(&mut g, 90, 100);
    assert_eq!(run(&g, "exit")[1..], ["59 watched", "31 degraded clock", "8 watched"]);
}

#[test]
fn the_ledger_goes_on_over_a_snapshot_and_any_partition() {
    let inputs: Vec<Input> = {
        let mut all = vec![
            Input { at: t("00:00"), body: Body::Configure(Box::new(crate::engine::testing::configuration(with_door_period()))) },
            Input { at: t("00:00"), body: Body::Clock { offset_ms: 0, trusted: true } },
        ];
        let says = |m: i64| Input {
            at: t("00:00") + m * 60_000 + 7_000,
            body: Body::Message(crate::engine::testing::reading("door", Quantity::Open, 0.0)),
        };
        all.extend((0..200).chain(230..1500).map(says));
        all
    };
    let end = t("26:00");
    let mut whole = crate::engine::State::new();
    let days = step(&mut whole, &inputs, end).ledger;
    assert_eq!(days.len(), 1);
    let mut state = crate::engine::State::new();
    let mut again = Vec::new();
    for chunk in inputs.chunks(7) {
        again.extend(step(&mut state, chunk, chunk.last().unwrap().at).ledger);
        state = crate::engine::State::decode(&state.encode()).unwrap();
    }
    again.extend(step(&mut state, &[], end).ledger);
    assert_eq!(again, days);
    assert!(state.encode() == whole.encode());
    assert!(
        Day::from_canonical(&days[0].bytes).unwrap().zones.iter().any(|z| z.run.gaps().iter().any(|g| g.reason.cause == Cause::Silent))
    );
}
