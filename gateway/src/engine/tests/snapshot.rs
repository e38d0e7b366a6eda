//! The snapshot.
use crate::engine::testing::{Gateway, site};
use crate::engine::{SnapshotError, State};
use tuoan_protocol::Quantity;

#[test]
fn a_snapshot_is_the_state() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0).says("10:00", "door", Quantity::Open, 1.0);
    for m in 0..50 {
        g.says(&format!("10:{m:02}"), "air", Quantity::Co2, 900.0 + f64::from(m));
    }
    let bytes = g.state.encode();
    let back = State::decode(&bytes).unwrap();
    assert_eq!(back.encode(), bytes);
    assert!(back.next_due() >= g.state.next_due(), "what was armed in vain is not armed again");
    assert_eq!((back.position(), back.sequence(), back.now()), (g.state.position(), g.state.sequence(), g.state.now()));
}

#[test]
fn fields_may_be_missing_or_unknown_but_not_the_version() {
    #[derive(serde::Serialize)]
    struct Other {
        snapshot: u16,
        position: u64,
        invented_later: Vec<String>,
    }
    let bytes = minicbor_serde::to_vec(Other { snapshot: 1, position: 9, invented_later: vec!["x".into()] }).unwrap();
    assert_eq!(State::decode(&bytes).unwrap().position(), 9);
    let newer = minicbor_serde::to_vec(Other { snapshot: 999, position: 9, invented_later: vec![] }).unwrap();
    assert!(matches!(State::decode(&newer), Err(SnapshotError::Newer(999))));
    assert!(matches!(State::decode(b"\xff\x00 not CBOR"), Err(SnapshotError::Damaged(_))));
    assert!(State::decode(&[]).is_err());
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    let g = Gateway::new(site());
    let bytes = g.state.encode();
    for i in (0..bytes.len()).step_by(997) {
        let _ = State::decode(&bytes[..i]);
        let mut flipped = bytes.clone();
        flipped[i] ^= 0x41;
        let _ = State::decode(&flipped);
    }
}
