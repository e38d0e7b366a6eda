//! What a site must have, and what it still lacks.
//!
//! The clauses are those of the field's notes and have not been checked against the texts by a lawyer: the page says so.
use crate::engine::site::{Role, Site, Zone, ZoneKind};
use tuoan_dashboards::view::setup::{Duty, Gap};
use tuoan_protocol::DeviceId;

const CAMERA: &str = "托育机构管理规范（试行）：婴幼儿生活和活动区域监控全覆盖，录像保存不少于 90 日";
const CLIMATE: &str = "JGJ 39-2016（2019 年版）室内温度；GB/T 18883-2022 温湿度";
const CO2: &str = "GB/T 18883-2022：二氧化碳 1 小时均值不超过 0.10 %";
const CONTACT: &str = "GB/T 29315-2022 出入口防范；托育机构管理规范（试行）24 小时设防";
const GAS: &str = "WS/T 870-2025、托育机构消防安全指南（试行）：厨房设可燃气体探测及切断";
const SMOKE: &str = "WS/T 870-2025、托育机构消防安全指南（试行）：火灾探测报警";
const PANIC: &str = "WS/T 821-2023：一键式报警；GB/T 29315-2022";
const UPLINK: &str = "托育机构质量评估标准、区级监管要求：接入监管平台";
const CLOCK: &str = "事件记录须有可信时间";

/// What is known beside the site file.
pub struct Known<'a> {
    /// Whether that device has reported or announced carbon dioxide.
    pub measures_co2: &'a dyn Fn(&DeviceId) -> bool,
    /// A district platform is configured.
    pub uplink: bool,
    pub clock: bool,
}

/// Every obligation in turn: those not met become gaps.
pub fn duty(site: &Site, known: &Known<'_>) -> Duty {
    let mut duty = Duty::default();
    let mut owe = |place: &str, what: &'static str, clause: &'static str, met: bool| {
        duty.all += 1;
        match met {
            true => duty.met += 1,
            false => duty.gaps.push(Gap { place: place.to_owned(), what, clause }),
        }
    };
    let here = |z: &Zone, role: Role| site.devices.iter().any(|d| d.zone == z.id && d.role == role);
    for z in &site.zones {
        match z.kind {
            ZoneKind::Activity | ZoneKind::Nap => {
                // A camera in another room whose area points here shows this one, too.
                let seen = site.cameras.iter().any(|c| site.zones_of(c).any(|shown| shown.id == z.id));
                owe(&z.name, "camera", CAMERA, seen || here(z, Role::Camera));
                owe(&z.name, "climate", CLIMATE, here(z, Role::Climate));
                let co2 = site.devices.iter().any(|d| d.zone == z.id && d.role == Role::Climate && (known.measures_co2)(&d.id));
                owe(&z.name, "co2", CO2, co2);
                owe(&z.name, "smoke", SMOKE, here(z, Role::Smoke));
            }
            ZoneKind::Exit => owe(&z.name, "contact", CONTACT, here(z, Role::Door)),
            ZoneKind::Kitchen => {
                owe(&z.name, "gas", GAS, here(z, Role::Gas));
                owe(&z.name, "smoke", SMOKE, here(z, Role::Smoke));
            }
            _ => {}
        }
    }
    // Within reach: one on every floor where children are.
    let mut floors: Vec<i8> = site.zones.iter().filter(|z| matches!(z.kind, ZoneKind::Activity | ZoneKind::Nap)).map(|z| z.floor).collect();
    floors.sort_unstable();
    floors.dedup();
    for floor in floors {
        let met = site.devices.iter().any(|d| d.role == Role::Panic && site.zones.iter().any(|z| z.id == d.zone && z.floor == floor));
        owe(&floor.to_string(), "panic", PANIC, met);
    }
    owe("", "uplink", UPLINK, known.uplink);
    owe("", "clock", CLOCK, known.clock);
    duty
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    fn gaps(site: &Site, co2: bool) -> Vec<(String, &'static str)> {
        let known = Known { measures_co2: &|_| co2, uplink: true, clock: true };
        duty(site, &known).gaps.into_iter().map(|g| (g.place, g.what)).collect()
    }

    #[test]
    fn what_is_lacking_is_named_by_place() {
        let site = testing::site();
        let lacking = gaps(&site, true);
        assert!(lacking.contains(&("room".into(), "camera")) && !lacking.contains(&("room".into(), "co2")), "{lacking:?}");
        assert!(gaps(&site, false).contains(&("room".into(), "co2")), "a climate sensor need not measure it");
        assert!(lacking.contains(&("2".into(), "panic")), "one on another floor is not within reach: {lacking:?}");
        let known = Known { measures_co2: &|_| true, uplink: false, clock: false };
        let all = duty(&site, &known);
        assert!(all.gaps.iter().any(|g| g.what == "uplink") && all.gaps.iter().any(|g| g.what == "clock"));
        assert_eq!(all.met + all.gaps.len(), all.all);
    }
}
