//! Several cameras, one zone.
use super::*;
use crate::engine::site::{Placement, Role};
use crate::engine::testing::site;

/// Two cameras that show the room, one of them the exit as well.
fn two() -> (Fusion, DeviceId, DeviceId) {
    let mut s = site();
    for id in ["left", "right"] {
        s.devices.push(Placement { id: id.parse().unwrap(), zone: "room".parse().unwrap(), role: Role::Camera, ..s.devices[0].clone() });
    }
    let area = "{ kind = \"exit\", zone = \"exit\", corners = [[0, 0], [999, 0], [999, 999]] }";
    s.cameras =
        vec![toml::from_str("device = \"left\"").unwrap(), toml::from_str(&format!("device = \"right\"\nareas = [{area}]")).unwrap()];
    (Fusion::new(&s), "left".parse().unwrap(), "right".parse().unwrap())
}

fn exactly(n: u16) -> Count {
    Count { low: n, likely: n, high: n }
}
fn sight(adults: u16, children: u16, signs: &[(Sign, Answer)]) -> ZoneSight {
    ZoneSight {
        zone: "room".into(),
        people: exactly(adults + children),
        at_least: false,
        adults: Some(exactly(adults)),
        children: Some(exactly(children)),
        signs: signs.iter().copied().collect(),
    }
}
/// Of the messages of a zone: the quantities and values, `None` where nobody can tell.
fn of(messages: &[Message], device: &str) -> BTreeMap<Quantity, Option<i64>> {
    let items = messages.iter().filter(|m| m.device.as_str() == device).flat_map(|m| &m.items);
    items
        .map(|i| match i {
            Item::Reading { quantity, value, .. } => (quantity.clone(), Some(value.0)),
            Item::Unknown { quantity, .. } => (quantity.clone(), None),
            other => panic!("{other:?}"),
        })
        .collect()
}
fn room(f: &mut Fusion, at: i64) -> BTreeMap<Quantity, Option<i64>> {
    of(&f.due(at), "vision.room")
}

#[test]
fn counts_of_two_cameras_are_bounded_not_added() {
    let (mut f, left, right) = two();
    f.see(&left, 0, vec![sight(1, 6, &[])]);
    f.see(&right, 0, vec![sight(1, 5, &[])]);
    let said = room(&mut f, 0);
    assert_eq!((said[&Quantity::People], said[&Quantity::Adults], said[&Quantity::Children]), (Some(7), Some(1), Some(6)));
    assert_eq!((said[&Quantity::Presence], said[&Quantity::CountCapped]), (Some(1), Some(0)));
    // Six toddlers need two carers; each camera may see another one.
    assert_eq!(said[&Quantity::CarersMissing], Some(0));
}

#[test]
fn carers_are_missing_only_by_the_luckiest_reading() {
    let (mut f, left, right) = two();
    f.see(&right, 0, vec![sight(0, 0, &[])]);
    for (children, adults, missing) in [
        (exactly(11), exactly(1), 2),
        (Count { low: 10, likely: 11, high: 12 }, exactly(1), 1),
        (Count { low: 10, likely: 11, high: 12 }, Count { low: 0, likely: 1, high: 2 }, 0),
        (exactly(0), exactly(0), 0),
    ] {
        let people = Count { low: children.low + adults.low, likely: children.likely + adults.likely, high: children.high + adults.high };
        let s = ZoneSight { people, adults: Some(adults), children: Some(children), ..sight(0, 0, &[]) };
        f.see(&left, 0, vec![s.clone()]);
        let told = |f: &Fusion| f.zones[0].told(&f.cameras, 0).get(&Quantity::CarersMissing).copied();
        assert_eq!(told(&f), Some(Some(missing)), "{children:?} {adults:?}");
        f.see(&left, 0, vec![ZoneSight { at_least: true, ..s.clone() }]);
        assert_eq!(told(&f), None, "beyond what can be counted nobody can tell");
        if people.high > 0 {
            f.see(&left, 0, vec![ZoneSight { adults: None, children: None, ..s }]);
            assert_eq!(told(&f), None, "of people whose age cannot be told neither");
        }
    }
}

#[test]
fn a_camera_that_is_blind_or_not_looked_at_takes_no_part_and_nobody_is_held_to_be_absent() {
    let (mut f, left, right) = two();
    f.see(&left, 0, vec![sight(0, 0, &[])]);
    f.see(&right, 0, vec![sight(0, 2, &[])]);
    assert_eq!(room(&mut f, 0)[&Quantity::People], Some(2));
    f.blind(&right, 1_000, [Blindness::Covered]);
    let said = room(&mut f, 1_000);
    for q in [Quantity::People, Quantity::Presence, Quantity::CarersMissing] {
        assert_eq!(said[&q], None, "{}: half of the room is not seen", q.name());
    }
    assert_eq!(said[&Quantity::Children], Some(0), "what the other sees is what it sees");
    f.blind(&right, 2_000, [Blindness::LowRate, Blindness::WrongClock]);
    f.see(&right, 2_000, vec![sight(0, 0, &[])]);
    assert_eq!(room(&mut f, 2_000)[&Quantity::People], Some(0), "too few frames are frames still");
    // Neither is looked at any more.
    f.stands(&left, 15_000);
    let gone = room(&mut f, 2_000 + SILENT_MS);
    assert_eq!(gone[&Quantity::People], None);
    let gone = room(&mut f, 15_000 + SILENT_MS);
    assert!(gone.values().all(Option::is_none) && gone.contains_key(&Quantity::Children), "{gone:?}");
    for later in [40_000, 400_000] {
        assert!(room(&mut f, later).is_empty(), "said once");
    }
    f.see(&left, 500_000, vec![sight(1, 0, &[])]);
    assert_eq!(room(&mut f, 500_000)[&Quantity::People], Some(1), "and at once when one sees again");
}

#[test]
fn an_uncalibrated_camera_says_nothing_of_age() {
    let (mut f, left, right) = two();
    let ageless = ZoneSight { adults: None, children: None, ..sight(0, 3, &[(Sign::Unattended, Answer::CannotTell)]) };
    f.see(&left, 0, vec![ageless.clone()]);
    f.see(&right, 0, vec![ZoneSight { people: exactly(0), ..ageless.clone() }]);
    let said = room(&mut f, 0);
    assert_eq!(said.keys().cloned().collect::<Vec<_>>(), [Quantity::People, Quantity::Presence, Quantity::CountCapped]);
    // A calibrated one beside it that sees a child alone: whom the other sees may be the carer.
    f.see(&right, 1_000, vec![sight(0, 1, &[(Sign::Unattended, Answer::Yes)])]);
    let said = room(&mut f, 1_000);
    assert_eq!((said.get(&Quantity::Unattended), said.get(&Quantity::Adults), said[&Quantity::Children]), (None, None, Some(1)));
    f.see(&left, 2_000, vec![ZoneSight { people: exactly(0), ..ageless }]);
    assert_eq!(room(&mut f, 2_000)[&Quantity::Unattended], Some(1));
}

#[test]
fn whose_age_is_not_known_yet_may_be_the_carer() {
    let (mut f, left, right) = two();
    f.see(&left, 0, vec![sight(0, 1, &[(Sign::Unattended, Answer::Yes)])]);
    let unsized_yet = ZoneSight { people: exactly(1), adults: Some(Count { low: 0, likely: 0, high: 1 }), ..sight(0, 0, &[]) };
    f.see(&right, 0, vec![unsized_yet]);
    assert_eq!(room(&mut f, 0).get(&Quantity::Unattended), None);
    f.see(&right, 1_000, vec![sight(0, 1, &[(Sign::Unattended, Answer::Yes)])]);
    assert_eq!(room(&mut f, 1_000)[&Quantity::Unattended], Some(1));
}

#[test]
fn signs_of_several_cameras() {
    use Answer::{CannotTell, No, Yes};
    for (sign, left, right, adults, expected) in [
        (Sign::Fallen, Yes, No, 0, Some(1)),
        (Sign::Fallen, CannotTell, No, 0, None),
        (Sign::Fallen, No, No, 0, Some(0)),
        (Sign::Unattended, Yes, No, 0, Some(1)),
        (Sign::Unattended, Yes, No, 1, Some(0)),
        (Sign::NapUnseen, Yes, No, 0, Some(0)),
        (Sign::NapUnseen, Yes, Yes, 0, Some(1)),
    ] {
        let (mut f, l, r) = two();
        f.see(&l, 0, vec![sight(0, 1, &[(sign, left)])]);
        f.see(&r, 0, vec![sight(adults, 0, &[(sign, right)])]);
        let said = room(&mut f, 0).get(&quantity_of(sign)).copied().flatten();
        assert_eq!(said, expected, "{sign:?} {left:?} {right:?} {adults}");
    }
}

#[test]
fn what_a_camera_found_is_not_over_because_it_went_blind_and_is_when_it_applies_no_more() {
    let (mut f, left, right) = two();
    f.see(&left, 0, vec![sight(1, 1, &[(Sign::Prone, Answer::Yes)])]);
    f.see(&right, 0, vec![sight(1, 1, &[(Sign::Prone, Answer::No)])]);
    assert_eq!(room(&mut f, 0)[&Quantity::Prone], Some(1));
    f.blind(&left, 1_000, [Blindness::TooDark]);
    assert_eq!(room(&mut f, 1_000)[&Quantity::Prone], None, "the other does not see that bed");
    f.blind(&left, 2_000, []);
    assert_eq!(room(&mut f, 2_000)[&Quantity::Prone], Some(1));
    for c in [&left, &right] {
        f.see(c, 3_000, vec![sight(1, 1, &[])]);
    }
    assert_eq!(room(&mut f, 3_000)[&Quantity::Prone], Some(0), "the nap is over");
}

#[test]
fn what_an_earlier_run_has_said_is_taken_back() {
    use crate::engine::testing::{Gateway, seen};
    let mut g = Gateway::new(seen(None));
    for (q, v) in [(Quantity::Adults, 2.0), (Quantity::Climbing, 1.0), (Quantity::People, 2.0)] {
        g.says("10:00", "vision.room", q, v);
    }
    g.until("10:00:02");
    assert_eq!(g.of("child.climb"), ["10:00:02 opened 2"]);
    let eye = "eye".parse().unwrap();
    for sees in [false, true] {
        let mut f = Fusion::new(&seen(None));
        f.recall(&View::default());
        if sees {
            f.see(&eye, 0, vec![ZoneSight { adults: None, children: None, ..sight(0, 1, &[]) }]);
        }
        f.recall(&g.state.view(g.state.now()));
        let said = room(&mut f, 0);
        assert_eq!((said[&Quantity::Adults], said[&Quantity::People]), (None, sees.then_some(1)));
        assert_eq!(said[&Quantity::Climbing], sees.then_some(0), "there is no window in its picture any more");
    }
    let mut quiet = Fusion::new(&seen(None));
    quiet.recall(&Gateway::new(seen(None)).state.view(0));
    assert!(quiet.due(0).is_empty(), "nothing was said, nothing is to be taken back");
}

#[test]
fn a_camera_says_whether_it_sees_and_nobody_says_it_for_a_watch_that_has_stopped() {
    let (mut f, left, _) = two();
    f.blind(&left, 0, [Blindness::Moved]);
    let said = of(&f.due(0), "left");
    assert_eq!(said.len(), BLINDNESS.len());
    assert_eq!((said[&Quantity::CameraMoved], said[&Quantity::CameraOffline]), (Some(1), Some(0)));
    let mut spoken = Vec::new();
    for second in 1..120 {
        if second < 70 {
            f.blind(&left, second * 1_000, [Blindness::Moved]);
        }
        spoken.extend(f.due(second * 1_000).iter().filter(|m| m.device == left).map(|_| second));
    }
    assert_eq!(spoken, [30, 60], "and not at 90");
    assert!(f.due(0).iter().all(|m| m.device.as_str() != "right"), "of it nobody has said anything");
}

#[test]
fn a_day_of_messages() {
    let day = |wavers: bool| {
        let (mut f, left, right) = two();
        let mut messages = BTreeMap::<String, u32>::new();
        for second in 0..86_400_i64 {
            let at = second * 1_000;
            let children = if wavers { 5 + u16::try_from(second % 3).unwrap() } else { 5 };
            for camera in [&left, &right] {
                f.see(camera, at, vec![sight(1, children, &[(Sign::Unattended, Answer::No)])]);
                f.blind(camera, at, []);
            }
            for m in f.due(at) {
                *messages.entry(m.device.to_string()).or_default() += 1;
            }
        }
        messages
    };
    let quiet = day(false);
    assert_eq!((quiet["vision.room"], quiet["left"], quiet.get("vision.exit")), (2880, 2880, None));
    assert_eq!(day(true)["vision.room"], 8640);
}

#[test]
fn the_hours_are_told_to_the_scenes() {
    use crate::engine::testing::Gateway;
    let (s, mut g) = (site(), Gateway::new(site()));
    let nap = |g: &Gateway| facts(&s, &g.state.view(g.state.now())).iter().find(|f| f.zone == "nap").unwrap().clone();
    g.until("10:00");
    assert_eq!((nap(&g).nap, nap(&g).staff, nap(&g).infants), (false, true, false));
    g.until("12:30");
    assert!(nap(&g).nap && context(&s, &g.state.view(g.state.now()), &"pir".parse().unwrap()) == Context { care_hours: true, nap: true });
    g.until("23:00");
    assert!(!nap(&g).staff && !nap(&g).nap);
    g.at("23:01", crate::engine::Body::Clock { offset_ms: 0, trusted: false });
    assert!(nap(&g).staff && nap(&g).nap, "nobody knows that it is night");
}
