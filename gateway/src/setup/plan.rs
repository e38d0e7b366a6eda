//! Changes of the floor plan: each gives the site as it shall be. The picture is decoded, made small and written anew, so that nothing of the file that was
//! handed in is kept but what it shows.
use super::place::{self, Refusal};
use crate::engine::plan::{Drawn, Mark, Plan, SIDE, TALL};
use crate::engine::site::{Role, Site};
use std::io;
use std::path::{Path, PathBuf};
use tuoan_protocol::{DeviceId, ZoneId};
use tuoan_vision::picture::{Limits, Picture};

/// A picture that is handed in: bytes at most, as the door lets in.
pub const UPLOAD: usize = tuoan_dashboards::door::PICTURE;
/// Longest side of the picture that is kept, and its quality.
const KEPT: u32 = 1600;
const QUALITY: u8 = 82;
/// Least sides of a room, and of the grid that is drawn for rooms that nobody has drawn.
const LEAST: u16 = 40;
const GAP: u16 = 20;

/// That floor's plan; a floor without one begins with its rooms side by side.
pub fn of(site: &Site, floor: i8) -> Plan {
    let drawn = site.plans.iter().find(|p| p.floor == floor).cloned();
    let mut plan = drawn.unwrap_or_else(|| Plan::new(floor));
    if plan.rooms.is_empty() && plan.picture.is_none() {
        plan.rooms = grid(site, floor);
    }
    plan
}

/// Rooms side by side, as near to squares as their number allows.
fn grid(site: &Site, floor: i8) -> Vec<Drawn> {
    let zones: Vec<&ZoneId> = site.zones.iter().filter(|z| z.floor == floor).map(|z| &z.id).collect();
    let count = u16::try_from(zones.len()).unwrap_or(u16::MAX).clamp(1, 64);
    let columns = (1..=count).find(|c| c * c >= count).unwrap_or(count);
    let rows = count.div_ceil(columns);
    let (w, h) = (SIDE / columns, SIDE / rows);
    let place = |(n, zone): (u16, &&ZoneId)| Drawn {
        zone: (*zone).clone(),
        x: (n % columns) * w + GAP / 2,
        y: (n / columns) * h + GAP / 2,
        w: w.saturating_sub(GAP).max(LEAST),
        h: h.saturating_sub(GAP).max(LEAST),
    };
    (0..count).zip(&zones).map(place).collect()
}

/// Where a device is shown: at its mark, else side by side with the others in its room.
pub fn spot(plan: &Plan, site: &Site, device: &DeviceId) -> Option<(u16, u16)> {
    if let Some(m) = plan.marks.iter().find(|m| m.device == *device) {
        return Some((m.x, m.y));
    }
    let zone = &site.devices.iter().find(|d| d.id == *device)?.zone;
    let room = plan.rooms.iter().find(|r| r.zone == *zone)?;
    let unmarked = site.devices.iter().filter(|d| d.zone == *zone && !plan.marks.iter().any(|m| m.device == d.id));
    let all = u16::try_from(unmarked.clone().count()).unwrap_or(u16::MAX).max(1);
    let nth = u16::try_from(unmarked.take_while(|d| d.id != *device).count()).unwrap_or(0);
    // A row in the lower half, below the room's name.
    let x = u32::from(room.x) + u32::from(room.w) * (2 * u32::from(nth) + 1) / (2 * u32::from(all));
    let y = u32::from(room.y) + u32::from(room.h) * 2 / 3;
    Some((u16::try_from(x).unwrap_or(SIDE), u16::try_from(y).unwrap_or(SIDE)))
}

fn edit(site: &mut Site, floor: i8, change: impl FnOnce(&mut Plan)) {
    let mut plan = of(site, floor);
    change(&mut plan);
    site.plans.retain(|p| p.floor != floor);
    site.plans.push(plan);
    site.plans.sort_by_key(|p| p.floor);
}

/// Draws a room of that floor, or draws it elsewhere.
pub fn draw(mut site: Site, floor: i8, zone: &ZoneId, [x, y, w, h]: [u16; 4]) -> Result<Site, Refusal> {
    if !site.zones.iter().any(|z| z.id == *zone && z.floor == floor) {
        return Err(Refusal::NoZone);
    }
    let (w, h) = (w.clamp(LEAST, SIDE), h.clamp(LEAST, SIDE));
    let drawn = Drawn { zone: zone.clone(), x: x.min(SIDE - w), y: y.min(SIDE - h), w, h };
    edit(&mut site, floor, |plan| {
        plan.rooms.retain(|r| r.zone != *zone);
        plan.rooms.push(drawn);
    });
    Ok(site)
}

/// Hangs a device there: into the room that is drawn there, where it hung in another or nowhere. `role` is asked of one that hung nowhere.
pub fn mark(mut site: Site, floor: i8, device: &DeviceId, role: Option<Role>, x: u16, y: u16) -> Result<Site, Refusal> {
    let (x, y) = (x.min(SIDE), y.min(SIDE));
    let under = of(&site, floor).room_at(x, y).cloned();
    let here = site.devices.iter().find(|d| d.id == *device).map(|d| (d.zone.clone(), d.role));
    site = match (here, under, role) {
        (Some((zone, role)), Some(room), _) if room != zone => place::place(site, device, &room, role, None)?,
        (Some(_), ..) => site,
        (None, Some(room), Some(role)) => place::place(site, device, &room, role, None)?,
        (None, None, _) => return Err(Refusal::NoZone),
        (None, _, None) => return Err(Refusal::NoDevice),
    };
    for p in &mut site.plans {
        p.marks.retain(|m| m.device != *device);
    }
    edit(&mut site, floor, |plan| plan.marks.push(Mark { device: device.clone(), x, y }));
    Ok(site)
}

/// With a picture of that floor of that height (thousandths of its width), or without.
pub fn with_picture(mut site: Site, floor: i8, tall: Option<u16>) -> Site {
    edit(&mut site, floor, |plan| {
        plan.tall = tall.unwrap_or(Plan::new(floor).tall);
        plan.picture = tall.map(|_| Plan::picture_name(floor));
    });
    site
}

/// Leaves out what no longer hangs or is no longer there.
pub fn tidy(mut site: Site) -> Site {
    for p in &mut site.plans {
        p.rooms.retain(|r| site.zones.iter().any(|z| z.id == r.zone));
        p.marks.retain(|m| site.devices.iter().any(|d| d.id == m.device));
    }
    site
}

/// What was handed in, as it is kept: a JPEG of at most [`KEPT`] pixels a side, with nothing of the file's other contents; and its height in thousandths of its width.
///
/// # Errors
/// It is no picture, or a larger one than is taken; in English.
pub fn redrawn(bytes: &[u8]) -> Result<(Vec<u8>, u16), String> {
    let limits = Limits { bytes: UPLOAD, pixels: 24_000_000, side: 10_000 };
    let picture = Picture::decode(bytes, &limits).map_err(|e| e.to_string())?;
    let (w, h) = (picture.width(), picture.height());
    let tall = u16::try_from(u64::from(h) * 1000 / u64::from(w.max(1))).unwrap_or(u16::MAX);
    if !TALL.contains(&tall) {
        return Err(format!("{w} x {h} pixels are no floor plan: too slender"));
    }
    let longest = w.max(h).max(1);
    let picture = if longest > KEPT {
        let scaled = |side: u32| u32::try_from(u64::from(side) * u64::from(KEPT) / u64::from(longest)).unwrap_or(KEPT).max(1);
        picture.resized(scaled(w), scaled(h))
    } else {
        picture
    };
    Ok((picture.to_jpeg(QUALITY).map_err(|e| e.to_string())?, tall))
}

/// Where the picture of that floor lies: beside the site file.
pub fn picture_path(site_file: &Path, floor: i8) -> PathBuf {
    site_file.with_file_name(Plan::picture_name(floor))
}

/// # Errors
/// The disk does not take it; an older picture is there, whole.
pub fn write_picture(site_file: &Path, floor: i8, jpeg: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = picture_path(site_file, floor);
    let draft = path.with_extension("jpg.new");
    let _ = std::fs::remove_file(&draft);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(jpeg)?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    fn id(text: &str) -> DeviceId {
        text.parse().unwrap()
    }
    fn zone(text: &str) -> ZoneId {
        text.parse().unwrap()
    }
    fn of_floor(site: &Site, name: &str) -> i8 {
        site.zones.iter().find(|z| z.id.as_str() == name).unwrap().floor
    }

    #[test]
    fn rooms_that_nobody_has_drawn_lie_side_by_side_and_every_device_is_shown() {
        let site = testing::site();
        let floor = of_floor(&site, "room");
        let plan = of(&site, floor);
        assert_eq!(plan.rooms.len(), site.zones.iter().filter(|z| z.floor == floor).count());
        for (n, a) in plan.rooms.iter().enumerate() {
            for b in &plan.rooms[n + 1..] {
                assert!(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y, "{a:?} {b:?}");
            }
        }
        let mut spots = std::collections::BTreeSet::new();
        for d in site.devices.iter().filter(|d| plan.rooms.iter().any(|r| r.zone == d.zone)) {
            let (x, y) = spot(&plan, &site, &d.id).unwrap();
            assert_eq!(plan.room_at(x, y), Some(&d.zone), "{}", d.id);
            assert!(spots.insert((x, y)), "two lie on each other");
        }
        let many = Site {
            zones: (0..40).map(|n| crate::engine::site::Zone { id: zone(&format!("z{n}")), ..site.zones[0].clone() }).collect(),
            ..site
        };
        assert!(of(&many, floor).rooms.iter().all(|r| r.x + r.w <= SIDE && r.y + r.h <= SIDE));
    }

    #[test]
    fn a_device_that_is_put_into_another_room_hangs_there() {
        let site = testing::site();
        let floor = of_floor(&site, "room");
        let site = draw(site, floor, &zone("room"), [0, 0, 500, 1000]).unwrap();
        let site = draw(site, floor, &zone("kitchen"), [500, 0, 900, 1000]).unwrap();
        let kitchen = site.plans[0].rooms.last().unwrap();
        assert_eq!((kitchen.x, kitchen.w), (100, 900), "it stays on the paper");
        let site = draw(site, floor, &zone("kitchen"), [500, 0, 500, 1000]).unwrap();
        assert_eq!(site.problems(), Vec::<String>::new());
        let moved = mark(site.clone(), floor, &id("air"), None, 700, 400).unwrap();
        assert_eq!(moved.devices.iter().find(|d| d.id == id("air")).unwrap().zone, zone("kitchen"));
        assert_eq!(spot(&of(&moved, floor), &moved, &id("air")), Some((700, 400)));
        let back = mark(moved, floor, &id("air"), None, 100, 100).unwrap();
        assert_eq!((back.devices.iter().find(|d| d.id == id("air")).unwrap().zone.clone(), back.plans[0].marks.len()), (zone("room"), 1));
        // One that hangs nowhere needs a room and a role.
        assert_eq!(mark(site.clone(), floor, &id("new"), None, 100, 100), Err(Refusal::NoDevice));
        let placed = mark(site.clone(), floor, &id("new"), Some(Role::Smoke), 100, 100).unwrap();
        assert_eq!(placed.devices.last().unwrap().role, Role::Smoke);
        assert_eq!(draw(site.clone(), floor, &zone("attic"), [0; 4]), Err(Refusal::NoZone));
        let removed = tidy(place::remove(placed, &id("new")).unwrap());
        assert!(removed.plans[0].marks.is_empty());
    }

    #[test]
    fn no_camera_is_dragged_where_children_are_washed() {
        let mut site = testing::site();
        let floor = site.zones[0].floor;
        site.zones[0].kind = crate::engine::site::ZoneKind::Washroom;
        let bath = site.zones[0].id.clone();
        let site = draw(site, floor, &bath, [0, 0, 1000, 1000]).unwrap();
        assert_eq!(mark(site, floor, &id("eye"), Some(Role::Camera), 500, 500), Err(Refusal::Private));
    }

    #[test]
    fn a_picture_is_made_anew_and_small_and_what_is_none_is_refused() {
        let large = Picture::plain(3200, 1000, [250, 250, 240]).to_png().unwrap();
        let (jpeg, tall) = redrawn(&large).unwrap();
        let kept = Picture::decode(&jpeg, &Limits::default()).unwrap();
        assert_eq!((kept.width(), kept.height(), tall), (1600, 500, 312));
        let mut tail = Picture::plain(40, 40, [1, 2, 3]).to_jpeg(90).unwrap();
        tail.extend_from_slice(b"<script>alert(1)</script>");
        if let Ok((kept, _)) = redrawn(&tail) {
            assert!(!kept.windows(8).any(|w| w == b"<script>"));
        }
        assert!(redrawn(b"<svg onload=alert(1)>").is_err() && redrawn(&[]).is_err());
        assert!(redrawn(&Picture::plain(2000, 20, [0; 3]).to_png().unwrap()).unwrap_err().contains("slender"));
        assert!(redrawn(&vec![0; UPLOAD + 1]).unwrap_err().contains("bytes"));
    }
}
