//! What a zone of each kind must have, and which of the site's devices can serve it.
use super::super::site::{Role, Site, Zone, ZoneKind};
use tuoan_protocol::DeviceId;
use tuoan_protocol::ledger::Need;

/// A need of a zone. Without a vital one the zone is blind; without another it is watched in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligation {
    pub need: Need,
    pub vital: bool,
}

const fn vital(need: Need) -> Obligation {
    Obligation { need, vital: true }
}
const fn other(need: Need) -> Obligation {
    Obligation { need, vital: false }
}

/// By 托育机构管理规范（试行） (areas where children live and play are fully covered, 24 hours), GB/T 18883-2022 (air) and WS/T 870-2025 (kitchens). Empty:
/// nothing is required of such a zone.
pub fn of(kind: ZoneKind) -> &'static [Obligation] {
    const ROOM: &[Obligation] = &[vital(Need::Camera), other(Need::Climate), other(Need::Co2)];
    const EXIT: &[Obligation] = &[vital(Need::Contact)];
    const KITCHEN: &[Obligation] = &[vital(Need::Gas), vital(Need::Smoke)];
    match kind {
        ZoneKind::Activity | ZoneKind::Nap => ROOM,
        ZoneKind::Exit => EXIT,
        ZoneKind::Kitchen => KITCHEN,
        ZoneKind::Corridor
        | ZoneKind::Washroom
        | ZoneKind::Changing
        | ZoneKind::Nursing
        | ZoneKind::StairsGate
        | ZoneKind::Yard
        | ZoneKind::Office
        | ZoneKind::Power
        | ZoneKind::Storage => &[],
    }
}

/// A zone of which something is required.
#[derive(Debug, Clone, PartialEq)]
pub struct Required {
    /// Index in the site's zones.
    pub zone: u32,
    /// Each need with the devices that can serve it.
    pub needs: Vec<(Obligation, Vec<DeviceId>)>,
}

impl Required {
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.needs.iter().flat_map(|(_, devices)| devices)
    }
}

/// In the order of the site's zones. Recordings are required of a watched zone for which the site names a recorder's channel: no other way tells of them.
pub fn required(site: &Site) -> Vec<Required> {
    let zones = (0u32..).zip(&site.zones).filter(|(_, z)| !of(z.kind).is_empty());
    let needs = |z: &Zone| {
        let recorded = Some(other(Need::Recording)).filter(|o| !serving(site, z, o.need).is_empty());
        of(z.kind).iter().copied().chain(recorded).map(|o| (o, serving(site, z, o.need))).collect()
    };
    zones.map(|(zone, z)| Required { zone, needs: needs(z) }).collect()
}

fn serving(site: &Site, zone: &Zone, need: Need) -> Vec<DeviceId> {
    let placed = |role: Role| site.devices.iter().filter(move |d| d.role == role && d.zone == zone.id).map(|d| d.id.clone());
    match need {
        Need::Camera => cameras(site, zone),
        Need::Climate | Need::Co2 => placed(Role::Climate).collect(),
        Need::Contact => placed(Role::Door).collect(),
        Need::Gas => placed(Role::Gas).collect(),
        Need::Smoke => placed(Role::Smoke).collect(),
        Need::Recording => placed(Role::Recorder).collect(),
    }
}

/// Those that show the zone, wherever they hang; of one that the gateway does not look at itself only where it hangs is known.
fn cameras(site: &Site, zone: &Zone) -> Vec<DeviceId> {
    let set_up = |d: &DeviceId| site.cameras.iter().find(|c| c.device == d.as_str());
    let shows = |d: &&super::super::site::Placement| match set_up(&d.id) {
        Some(camera) => site.zones_of(camera).any(|z| z.id == zone.id),
        None => d.zone == zone.id,
    };
    site.devices.iter().filter(|d| d.role == Role::Camera).filter(shows).map(|d| d.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    #[test]
    fn rooms_exits_and_kitchens_have_obligations_and_a_camera_serves_what_it_shows() {
        let site = testing::seen(None);
        let all = required(&site);
        let of = |zone: &str| {
            let index = site.zones.iter().position(|z| z.id.as_str() == zone).unwrap();
            let r = all.iter().find(|r| r.zone as usize == index).unwrap();
            let text = |(o, d): &(Obligation, Vec<DeviceId>)| format!("{} {d:?}", o.need.name());
            r.needs.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(of("room"), [r#"camera ["eye"]"#, r#"climate ["air"]"#, r#"co2 ["air"]"#]);
        assert_eq!(of("nap"), ["camera []", "climate []", "co2 []"]);
        assert_eq!(of("exit"), [r#"contact ["door"]"#]);
        assert_eq!(of("kitchen"), [r#"gas ["gas"]"#, "smoke []"]);
        let mut site = site.clone();
        let mut channel = site.devices.iter().find(|d| d.id.as_str() == "eye").unwrap().clone();
        (channel.id, channel.role) = ("hikvision.nvr.ch1".parse().unwrap(), Role::Recorder);
        site.devices.push(channel);
        let recorded = required(&site).into_iter().flat_map(|r| r.needs).filter(|(o, _)| o.need == Need::Recording);
        let recorded: Vec<_> = recorded.map(|(o, d)| (o.vital, d.len())).collect();
        assert_eq!(recorded, [(false, 1)], "of the one zone that has a channel");
    }
}
