//! The floor plan.
use super::*;
use crate::view::{plan, setup};

/// Two floors: one drawn, one with somebody's names.
pub fn plan(name: &str) -> plan::PlanPage {
    let room = |id: &str, name: &str, at: [u32; 4], state| plan::Room {
        id: id.into(),
        name: name.into(),
        x: at[0],
        y: at[1],
        w: at[2],
        h: at[3],
        state,
        drawn: true,
    };
    let spot = |id: &str, name: &str, place: &str, (x, y), state| plan::Spot {
        id: id.into(),
        name: name.into(),
        role: "climate".into(),
        place: place.into(),
        x,
        y,
        state,
        heard: (state != "waiting").then_some(NOW - 12_000),
    };
    let rooms = vec![
        room("room", "托小班活动室", [20, 20, 460, 380], "calm"),
        room("nap", name, [500, 20, 480, 250], "unseen"),
        room("kitchen", "厨房", [500, 290, 480, 110], "s1"),
        room("exit", "大门", [20, 420, 960, 200], "s3"),
    ];
    let spots = vec![
        spot("air", "环境一", "托小班活动室", (150, 250), "well"),
        spot("cam", "东墙摄像头", "托小班活动室", (380, 120), "well"),
        spot("nap-air", name, name, (700, 150), "lost"),
        spot("gas", "燃气", "厨房", (740, 350), "alarm"),
        spot("door", "门磁", "大门", (480, 520), "waiting"),
    ];
    let floor = plan::Floor { floor: 1, tall: 640, picture: None, rooms, spots };
    let found = setup::Found { id: "button-7".into(), name: name.into(), role: "panic", ..Default::default() };
    plan::PlanPage { floors: vec![floor], tray: vec![found], ..Default::default() }
}
