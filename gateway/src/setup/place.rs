//! Where a device hangs: placed, taken away, exchanged. Each gives the site as it shall be; the files judge and write it.
use crate::engine::site::{Placement, Role, Site};
use tuoan_protocol::{DeviceId, ZoneId};
use tuoan_vision::setup::Camera;

/// Why a device cannot hang there. The names are those of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoZone,
    NoDevice,
    /// No camera where children are washed, changed or nursed: 公共安全视频图像信息系统管理条例, State Council Order 799.
    Private,
    Taken,
}

impl Refusal {
    pub fn key(self) -> &'static str {
        match self {
            Refusal::NoZone => "error-place-zone",
            Refusal::NoDevice => "error-place-device",
            Refusal::Private => "error-place-private",
            Refusal::Taken => "error-place-taken",
        }
    }
}

/// A camera looks at all of its room until its areas are drawn.
fn camera(id: &DeviceId) -> Camera {
    Camera { device: id.to_string(), areas: Vec::new(), floor: None, rate: 10 }
}

/// Hangs a device in a zone, or moves it there.
pub fn place(mut site: Site, id: &DeviceId, zone: &ZoneId, role: Role, name: Option<String>) -> Result<Site, Refusal> {
    let Some(z) = site.zones.iter().find(|z| z.id == *zone) else { return Err(Refusal::NoZone) };
    if role == Role::Camera && z.kind.is_private() {
        return Err(Refusal::Private);
    }
    let was_camera = site.cameras.iter().any(|c| c.device == id.as_str());
    match site.devices.iter_mut().find(|d| d.id == *id) {
        Some(d) => {
            d.zone = zone.clone();
            d.role = role;
            d.name = name.or(d.name.take());
        }
        None => site.devices.push(Placement {
            id: id.clone(),
            zone: zone.clone(),
            name,
            role,
            period_s: None,
            via: None,
            topic: None,
            channel: None,
            formerly: Vec::new(),
        }),
    }
    match (role == Role::Camera, was_camera) {
        (true, false) => site.cameras.push(camera(id)),
        (false, true) => site.cameras.retain(|c| c.device != id.as_str()),
        _ => {}
    }
    Ok(site)
}

/// Takes a device away. What it has said stays in the log.
pub fn remove(mut site: Site, id: &DeviceId) -> Result<Site, Refusal> {
    if !site.devices.iter().any(|d| d.id == *id) {
        return Err(Refusal::NoDevice);
    }
    site.devices.retain(|d| d.id != *id);
    site.cameras.retain(|c| c.device != id.as_str());
    Ok(super::plan::tidy(site))
}

/// Hangs `new` where `old` hung: place, role, name and a camera's areas stay, and what the old one has said goes on counting as the history of the place.
pub fn replace(mut site: Site, old: &DeviceId, new: &DeviceId) -> Result<Site, Refusal> {
    if site.devices.iter().any(|d| d.id == *new) {
        return Err(Refusal::Taken);
    }
    let Some(d) = site.devices.iter_mut().find(|d| d.id == *old) else { return Err(Refusal::NoDevice) };
    d.formerly.push(std::mem::replace(&mut d.id, new.clone()));
    // How often it speaks and which topic it hears were the old one's.
    (d.period_s, d.topic, d.channel) = (None, None, None);
    site.cameras.iter_mut().filter(|c| c.device == old.as_str()).for_each(|c| c.device = new.to_string());
    site.plans.iter_mut().flat_map(|p| &mut p.marks).filter(|m| m.device == *old).for_each(|m| m.device = new.clone());
    for d in site.devices.iter_mut().filter(|d| d.via.as_ref() == Some(old)) {
        d.via = Some(new.clone());
    }
    Ok(site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::site::ZoneKind;
    use crate::engine::testing;

    fn id(text: &str) -> DeviceId {
        text.parse().unwrap()
    }

    #[test]
    fn no_camera_hangs_where_children_are_washed_changed_or_nursed() {
        let mut site = testing::site();
        let zone = site.zones[0].id.clone();
        for kind in [ZoneKind::Washroom, ZoneKind::Changing, ZoneKind::Nursing] {
            site.zones[0].kind = kind;
            assert_eq!(place(site.clone(), &id("eye"), &zone, Role::Camera, None), Err(Refusal::Private));
            assert!(place(site.clone(), &id("air-9"), &zone, Role::Climate, None).is_ok());
        }
        site.zones[0].kind = ZoneKind::Activity;
        let site = place(site, &id("eye"), &zone, Role::Camera, Some("东墙".into())).unwrap();
        assert_eq!((site.cameras.len(), site.problems()), (1, vec![]));
        // One that is really a camera is not one any more, if it is placed otherwise.
        let site = place(site, &id("eye"), &zone, Role::Other, None).unwrap();
        assert!(site.cameras.is_empty() && site.devices.last().unwrap().name.as_deref() == Some("东墙"));
    }

    #[test]
    fn an_exchanged_device_keeps_place_name_and_history() {
        let site = testing::site();
        let zone = site.zones[0].id.clone();
        let site = place(site, &id("eye"), &zone, Role::Camera, Some("东墙".into())).unwrap();
        let site = replace(site, &id("eye"), &id("eye-2")).unwrap();
        let site = replace(site, &id("eye-2"), &id("eye-3")).unwrap();
        let d = site.devices.last().unwrap();
        assert_eq!((d.id.as_str(), d.name.as_deref(), d.formerly.as_slice()), ("eye-3", Some("东墙"), &[id("eye"), id("eye-2")][..]));
        assert_eq!((site.cameras[0].device.as_str(), site.problems()), ("eye-3", vec![]));
        assert_eq!(replace(site.clone(), &id("eye-3"), &id("air")), Err(Refusal::Taken));
        assert_eq!(replace(site.clone(), &id("ghost"), &id("new")), Err(Refusal::NoDevice));
        assert!(remove(site, &id("eye-3")).unwrap().cameras.is_empty());
    }
}
