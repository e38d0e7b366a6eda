use super::*;
use proptest::prelude::*;
use tuoan_protocol::quantity::Kind;

const T: i64 = 1_790_000_040_000;

fn message(device: &str, seq: Option<u64>, sampled_at: Option<i64>, items: Vec<Item>) -> Message {
    Message { device: device.parse().unwrap(), boot: seq.map(|_| 7), seq, sampled_at, retained: false, items }
}
fn reading(quantity: Quantity, value: i64) -> Item {
    Item::Reading { quantity, channel: 0, value: Fixed(value) }
}
fn co2(seq: Option<u64>, sampled_at: Option<i64>, value: i64) -> Message {
    message("air", seq, sampled_at, vec![reading(Quantity::Co2, value)])
}
fn back(r: &Rollups) -> Rollups {
    let mut read = Rollups::default();
    read.unpack(&r.pack().unwrap(), &|_| true, (i64::MIN, i64::MAX)).unwrap();
    read
}
fn only(r: &Rollups) -> Vec<(i64, Minute)> {
    r.iter().flat_map(|(_, minutes)| minutes.iter().map(|(minute, m)| (minute * MINUTE_MS - T, *m))).collect()
}

#[test]
fn a_minute_has_all_figures_and_faults_are_no_values() {
    let mut r = Rollups::default();
    for (s, value) in [(0, 812), (10, 815), (20, 65_535), (30, 799), (40, 803)] {
        r.add(&co2(None, Some(T + s * 1000 - 40 + 100), value), T + s * 1000 + 100);
    }
    r.add(&message("air", None, None, vec![Item::Unknown { quantity: Quantity::Co2, channel: 0 }]), T + 50_000);
    r.add(&Message { retained: true, ..co2(None, None, 2000) }, T + 51_000);
    let wanted = Minute { readings: 4, faults: 2, min: Fixed(799), max: Fixed(815), sum: 3229, last: Fixed(803), last_second: 40 };
    assert_eq!(only(&r), [(0, wanted)]);
    assert_eq!(wanted.mean(), Some(Fixed(807)));
    assert_eq!((Minute::fault().mean(), Minute { readings: 2, sum: -3, ..wanted }.mean()), (None, Some(Fixed(-1))), "-1.5 is rounded up");
    assert_eq!(back(&r), r);
}

#[test]
fn late_and_reordered_readings_stand_where_they_were_taken() {
    let mut r = Rollups::default();
    r.add(&co2(None, Some(T + 59_000), 700), T + 59_100);
    r.add(&co2(None, Some(T + 30_000), 900), T + 59_200);
    // Kept by a node while it was cut off, for two hours and for a month.
    r.add(&co2(Some(5), Some(T - 7_200_000), 500), T + 59_300);
    r.add(&co2(Some(6), Some(T - 30 * 86_400_000), 510), T + 59_400);
    // Clocks that are wrong.
    r.add(&co2(None, Some(T - 7_200_000), 520), T + 59_500);
    r.add(&co2(Some(7), Some(T + 8 * 3_600_000), 530), T + 59_600);
    let all = only(&r);
    assert_eq!(all.iter().map(|(at, m)| (*at, m.readings)).collect::<Vec<_>>(), [(-7_200_000, 1), (0, 5)]);
    assert_eq!((all[1].1.min, all[1].1.max, all[1].1.last), (Fixed(510), Fixed(900), Fixed(530)));
}

#[test]
fn a_golden_row_is_read_and_damage_is_an_error() {
    let mut r = Rollups::default();
    for s in 0..30 {
        r.add(
            &message("t", None, None, vec![reading(Quantity::Temperature, 2100 + s % 3), reading(Quantity::Open, s % 2)]),
            T + s * 10_000,
        );
    }
    let bytes = r.pack().unwrap();
    assert_eq!(back(&r), r);
    // The columns before they are deflated: they do not depend on the compressor's version.
    let mut plain = Vec::new();
    DeflateDecoder::new(&bytes[1..]).read_to_end(&mut plain).unwrap();
    assert_eq!(bytes[0], FORM);
    assert_eq!(hex::encode(&plain), GOLDEN);
    for cut in 0..bytes.len() {
        let _ = Rollups::default().unpack(&bytes[..cut], &|_| true, (0, i64::MAX));
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = Rollups::default().unpack(&damaged, &|_| true, (0, i64::MAX));
        }
    }
    assert!(Rollups::default().unpack(&[2, 0], &|_| true, (0, 9)).unwrap_err().contains("form 2"));
    let mut none = Rollups::default();
    none.unpack(&bytes, &|d| d.as_str() != "t", (0, i64::MAX)).unwrap();
    assert!(none.is_empty());
}

#[test]
fn more_minutes_than_a_row_holds_are_damage() {
    let unpack = |series: u64, minutes: usize| {
        let mut plain = Vec::new();
        let mut section = Vec::new();
        for _ in 0..series {
            text(&mut section, "co2");
            section.push(0);
            varint(&mut section, minutes as u64);
            section.resize(section.len() + 3 * minutes + 1, 0);
        }
        varint(&mut plain, 1);
        text(&mut plain, "t");
        varint(&mut plain, series);
        varint(&mut plain, section.len() as u64);
        plain.extend(section);
        let mut deflate = DeflateEncoder::new(vec![FORM], Compression::fast());
        deflate.write_all(&plain).unwrap();
        Rollups::default().unpack(&deflate.finish().unwrap(), &|_| true, (0, i64::MAX))
    };
    unpack(2, MOST_MINUTES).unwrap();
    assert!(unpack(1, MOST_MINUTES + 1).unwrap_err().contains("more minutes"));
    assert!(unpack((MOST_IN_ROW / MOST_MINUTES) as u64 + 1, MOST_MINUTES).unwrap_err().contains("more minutes"));
}

const GOLDEN: &str = "010174026e0b74656d70657261747572650005ece1b91c000000000c000000000000000000e82000000000020202020202020202020006060606066400000000046f70\
    656e0005ece1b91c000000000c0000000000000000000000000000010101010101010101010003030303036400000000";

fn quantity() -> impl Strategy<Value = Quantity> {
    let known = (0..Quantity::ALL.len()).prop_map(|i| Quantity::ALL[i].clone());
    prop_oneof![4 => known, 1 => "[a-z]{1,4}".prop_map(|n| Quantity::from_name(&n).unwrap())]
}
fn item() -> impl Strategy<Value = Item> {
    let value = prop_oneof![8 => -50..5000i64, 1 => any::<i64>(), 1 => -FIXED_MAX..=FIXED_MAX];
    prop_oneof![
        9 => (quantity(), 0..3u8, value).prop_map(|(quantity, channel, v)| Item::Reading { quantity, channel, value: Fixed(v) }),
        1 => (quantity(), 0..3u8).prop_map(|(quantity, channel)| Item::Unknown { quantity, channel }),
    ]
}
/// With the time of arrival.
fn messages() -> impl Strategy<Value = Vec<(i64, Message)>> {
    let one = (0..30_000i64, "[ab]", any::<bool>(), proptest::option::of(-700_000..700_000i64), proptest::collection::vec(item(), 0..4));
    proptest::collection::vec(one, 0..120).prop_map(|list| {
        let mut at = T;
        list.into_iter()
            .enumerate()
            .map(|(n, (step, device, numbered, lag, items))| {
                at += step;
                (at, message(&device, numbered.then_some(n as u64), lag.map(|l| at - l), items))
            })
            .collect()
    })
}

proptest! {
    /// However the stretch is cut into rows, and however often one is packed and read: merged in their order they are the same, and as a plain count says.
    #[test]
    fn any_cut_gives_the_same(all in messages(), cuts in proptest::collection::vec(0..120usize, 0..6)) {
        let mut whole = Rollups::default();
        all.iter().for_each(|(at, m)| whole.add(m, *at));
        let mut merged = Rollups::default();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(all.len())).chain([0, all.len()]).collect();
        cuts.sort_unstable();
        for piece in cuts.windows(2) {
            let mut part = Rollups::default();
            all[piece[0]..piece[1]].iter().for_each(|(at, m)| part.add(m, *at));
            merged.unpack(&part.pack().unwrap(), &|_| true, (i64::MIN, i64::MAX)).unwrap();
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(whole.len(), whole.iter().map(|(_, m)| m.len()).sum::<usize>());
        let items = all.iter().map(|(_, m)| m.items.len()).sum::<usize>();
        let counted: u64 = whole.iter().flat_map(|(_, m)| m.values()).map(|m| u64::from(m.readings) + u64::from(m.faults)).sum();
        prop_assert_eq!(counted, items as u64, "each reading once");
        for (key, minutes) in whole.iter() {
            for m in minutes.values().filter(|m| m.readings > 0) {
                let mean = m.mean().unwrap();
                prop_assert!(m.min <= mean && mean <= m.max && m.min <= m.last && m.last <= m.max, "{:?} {:?}", key, m);
                prop_assert!(key.quantity.kind() != Kind::Number || is_plausible(&key.quantity, m.min));
            }
        }
    }
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut deflated = DeflateEncoder::new(vec![FORM], Compression::fast());
        deflated.write_all(&bytes).unwrap();
        let _ = Rollups::default().unpack(&deflated.finish().unwrap(), &|_| true, (0, 9));
        let _ = Rollups::default().unpack(&bytes, &|_| true, (0, 9));
    }
}
