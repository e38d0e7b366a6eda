//! Cameras and what they kept.
use super::*;
use crate::view::cameras;
use tuoan_protocol::Quantity;

fn camera(id: &str, name: &str) -> cameras::Camera {
    cameras::Camera {
        id: id.into(),
        name: name.into(),
        zones: vec!["托小班2".into(), "大门".into()],
        live: true,
        newest: Some(NOW - 1_000),
        rate: 1.0,
        looked: 0.6,
        wanted: 1.0,
        lag: Some((420, 810)),
        people: (4, 5, 6),
        calibrated: true,
        areas: 2,
        ..cameras::Camera::default()
    }
}

/// Cameras in every state.
pub fn cameras_page() -> cameras::Cameras {
    let covered = cameras::Camera {
        live: false,
        blind: vec![(Quantity::CameraCovered, NOW - 240_000)],
        watchers: 1,
        ..camera("cam-2", "睡眠室摄像头")
    };
    let bare = cameras::Camera {
        calibrated: false,
        areas: 0,
        at_least: true,
        people: (6, 6, 6),
        blind: vec![(Quantity::CameraLowRate, NOW - 60_000)],
        ..camera("cam-3", "户外摄像头")
    };
    let silent = cameras::Camera { live: false, newest: None, lag: None, calibrated: false, ..camera("cam-4", "厨房门口") };
    cameras::Cameras { version: 3, cameras: vec![camera("cam-1", "托小班2摄像头"), covered, bare, silent], notice: None }
}

fn deeds() -> Vec<cameras::Deed> {
    let deed = |minutes: i64, what: &str, actor: &str, reason: &str| cameras::Deed {
        at: NOW - minutes * 60_000,
        actor: actor.into(),
        what: what.into(),
        reason: reason.into(),
    };
    vec![deed(3, "watch", "王园长", "调整画面与区域"), deed(1500, "set_up", "李师傅", "调整画面与区域 · 换了位置")]
}

/// One camera's page: before leave is asked, or (`watching`) while it lasts.
pub fn camera_page(watching: bool) -> cameras::CameraPage {
    let areas = r#"[{"kind":"room","corners":[[60,420],[560,330],[980,560],[900,980],[120,990]]},{"kind":"exit","zone":"entrance","corners":[[700,300],[880,330],[880,520],[720,480]]}]"#;
    cameras::CameraPage {
        camera: camera("cam-1", "托小班2摄像头"),
        watch: if watching {
            cameras::Watch::Running { left: 580_000, reason: "调整画面与区域".into() }
        } else {
            cameras::Watch::Ask
        },
        ask: cameras::Ask { name: "王园长".into(), ..cameras::Ask::default() },
        areas: areas.into(),
        floor: "null".into(),
        zones: vec![("toddler-2".into(), "托小班2".into()), ("entrance".into(), "大门".into())],
        toml: "[[cameras]]\ndevice = \"cam-1\"\nframes_per_10s = 10\n".into(),
        deeds: deeds(),
        wrong: None,
        notice: None,
    }
}

/// What is kept of an incident.
pub fn pictures_page(open: bool) -> cameras::Pictures {
    let film = (0..24).map(|n| (1, n, NOW - 120_000 + i64::from(n) * 5_000)).collect();
    cameras::Pictures {
        incident: "01KAPT0000000000000000001".into(),
        title: "孩子摔倒后没有起来".into(),
        place: "托小班2".into(),
        kept: cameras::Kept::Here {
            cameras: vec![("托小班2摄像头".into(), film)],
            pictures: 24,
            opened_at: NOW - 60_000,
            complete: true,
            cut_short: true,
            held: false,
        },
        watch: if open { cameras::Watch::Running { left: 580_000, reason: "核实情况".into() } } else { cameras::Watch::Ask },
        ask: cameras::Ask::default(),
        deeds: deeds(),
        notice: None,
    }
}
