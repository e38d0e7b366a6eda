//! The site file: what the institution is, its zones, devices, classes and hours.
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, InstitutionType, SiteId, SupervisingBody, ZoneId};
use tuoan_vision::setup::{AreaKind, Camera};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: SiteId,
    pub name: String,
    pub district: String,
    pub street: String,
    pub institution: InstitutionType,
    pub supervisor: SupervisingBody,
    /// Minutes east of UTC; China 480, no summer time.
    #[serde(default = "china")]
    pub utc_offset_minutes: i32,
    /// Hours in which staff (cooks and cleaners included) may be in the building on a working day.
    pub staff_hours: Hours,
    #[serde(default)]
    pub classes: Vec<Class>,
    pub zones: Vec<Zone>,
    #[serde(default)]
    pub devices: Vec<Placement>,
    /// The cameras whose frames the gateway looks at itself, and what they show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<Camera>,
    #[serde(default)]
    pub calendar: Calendar,
    /// Who is told of incidents, `[[person]]`.
    #[serde(default, rename = "person", skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<super::people::Person>,
    /// What this site changes about the rules, `[[override]]`.
    #[serde(default, rename = "override", skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<super::rules::Override>,
    /// How its floors look, `[[plan]]`: for pages alone, see [`super::plan`].
    #[serde(default, rename = "plan", skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<super::plan::Plan>,
}

impl Site {
    /// All that the engine goes by.
    pub fn without_plans(&self) -> Site {
        Site { plans: Vec::new(), ..self.clone() }
    }
    /// The classes whose hours hold in a zone.
    pub fn classes_of<'a>(&'a self, zone: &'a Zone) -> impl Iterator<Item = &'a Class> {
        self.classes.iter().filter(|c| zone.classes.is_empty() || zone.classes.contains(&c.id))
    }
    pub fn age_groups(&self, zone: &Zone) -> BTreeSet<AgeGroup> {
        self.classes_of(zone).map(|c| c.age_group).collect()
    }
    /// The zones that a camera shows: those of its areas, and its own.
    pub fn zones_of<'a>(&'a self, camera: &'a Camera) -> impl Iterator<Item = &'a Zone> {
        let own = self.devices.iter().find(|d| d.id.as_str() == camera.device).map(|d| d.zone.as_str());
        let shown: BTreeSet<&str> =
            camera.areas.iter().filter(|a| a.kind != AreaKind::Ignore).filter_map(|a| a.zone.as_deref()).chain(own).collect();
        self.zones.iter().filter(move |z| shown.contains(z.id.as_str()))
    }
    /// The device that speaks for what is seen of a zone, for each zone that any camera shows.
    pub fn eyes(&self) -> impl Iterator<Item = (DeviceId, &Zone)> {
        let shown: BTreeSet<&ZoneId> = self.cameras.iter().flat_map(|c| self.zones_of(c)).map(|z| &z.id).collect();
        let shown = self.zones.iter().filter(move |z| shown.contains(&z.id));
        shown.filter_map(|z| Some((DeviceId::new(&format!("{}{}", super::VISION_PREFIX, z.id)).ok()?, z)))
    }

    /// Days since 1970-01-01 by the site's own clock.
    pub fn local_day(&self, utc: i64) -> i64 {
        utc.saturating_add(i64::from(self.utc_offset_minutes) * 60_000).div_euclid(86_400_000)
    }
}

/// "07:30-18:45", local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hours {
    /// Minutes since local midnight.
    pub from: u16,
    pub to: u16,
}

impl From<Hours> for String {
    fn from(h: Hours) -> String {
        format!("{:02}:{:02}-{:02}:{:02}", h.from / 60, h.from % 60, h.to / 60, h.to % 60)
    }
}
impl TryFrom<String> for Hours {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        let bad = || format!("{s:?} are no hours; write them as \"07:30-18:45\"");
        let minute = |t: &str| -> Option<u16> {
            let (h, m) = t.split_once(':')?;
            let (h, m): (u16, u16) = (h.parse().ok()?, m.parse().ok()?);
            (h < 24 && m < 60 || (h, m) == (24, 0)).then_some(h * 60 + m)
        };
        let (from, to) = s.split_once('-').ok_or_else(bad)?;
        match (minute(from), minute(to)) {
            (Some(from), Some(to)) if from < to => Ok(Hours { from, to }),
            _ => Err(bad()),
        }
    }
}

/// A class (班) and its hours: full-day, half-day, hourly or temporary care.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub id: String,
    pub name: String,
    pub care: Care,
    /// 乳儿班, 托小班, 托大班, 混合班.
    pub age_group: AgeGroup,
    /// Children for each carer at most, where the district asks for other figures than [`AgeGroup::children_per_carer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children_per_carer: Option<u16>,
    /// 托位: children that the class has room for, as registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u16>,
    pub care_hours: Vec<Hours>,
    #[serde(default)]
    pub nap: Option<Hours>,
    #[serde(default)]
    pub drop_off: Option<Hours>,
    #[serde(default)]
    pub collection: Option<Hours>,
}

/// 全日托、半日托、计时托、临时托.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Care {
    FullDay,
    HalfDay,
    Hourly,
    Temporary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeGroup {
    /// 乳儿班 6-12 months.
    Infant,
    /// 托小班 12-24 months.
    Toddler,
    /// 托大班 24-36 months.
    Older,
    /// 混合班 from 18 months.
    Mixed,
}

impl AgeGroup {
    /// Children that a class of that age may have: 托育机构管理规范（试行）, 国卫人口发〔2019〕58号.
    pub fn most_places(self) -> u16 {
        match self {
            AgeGroup::Infant => 10,
            AgeGroup::Toddler => 15,
            AgeGroup::Older => 20,
            AgeGroup::Mixed => 18,
        }
    }
    /// Children for each carer at most: 托育机构设置标准（试行）, 国卫人口发〔2019〕58号, 保育人员与婴幼儿的比例. It gives none for mixed classes; 1:6 is what districts
    /// commonly ask for.
    pub fn children_per_carer(self) -> u16 {
        match self {
            AgeGroup::Infant => 3,
            AgeGroup::Toddler => 5,
            AgeGroup::Older => 7,
            AgeGroup::Mixed => 6,
        }
    }
}

impl Class {
    pub fn children_per_carer(&self) -> u16 {
        self.children_per_carer.unwrap_or_else(|| self.age_group.children_per_carer()).max(1)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub id: ZoneId,
    pub name: String,
    pub kind: ZoneKind,
    /// 1 is the ground floor.
    #[serde(default = "ground")]
    pub floor: i8,
    /// Class ids whose hours hold here; empty: the hours of all classes together.
    #[serde(default)]
    pub classes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneKind {
    Activity,
    Nap,
    Corridor,
    Washroom,
    /// 换尿布间: where children are changed.
    Changing,
    /// 哺乳室.
    Nursing,
    Kitchen,
    Exit,
    StairsGate,
    Yard,
    Office,
    Power,
    Storage,
}

impl ZoneKind {
    /// No camera may be there: 公共安全视频图像信息系统管理条例 (State Council Order 799).
    pub fn is_private(self) -> bool {
        matches!(self, ZoneKind::Washroom | ZoneKind::Changing | ZoneKind::Nursing)
    }
}

/// Where a device hangs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    pub id: DeviceId,
    pub zone: ZoneId,
    #[serde(default)]
    pub name: Option<String>,
    pub role: Role,
    /// Seconds between its messages, where it is known; otherwise learned.
    #[serde(default)]
    pub period_s: Option<u32>,
    /// Through which other device it is heard (switch, coordinator, hub), where its convention does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<DeviceId>,
    /// Of a siren, beacon or valve: the topic that its orders are published to, whole, where it does not follow from the id
    /// (`deliver/sounders/`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Of a siren, beacon or valve on one of several relays: the channel that its readings have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u8>,
    /// The devices that hung here before it, oldest first: what they have said is the history of this place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<DeviceId>,
}

/// What a device is for: a contact on a door is judged otherwise than one on a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Climate,
    Door,
    Window,
    Smoke,
    Heat,
    Gas,
    Co,
    Water,
    HotWater,
    Panic,
    Occupancy,
    Lock,
    Power,
    Siren,
    /// A warning light; lit by every emergency.
    Beacon,
    /// A germicidal lamp that shines into the room; its power may stand for its state.
    UvLamp,
    /// A shielded one that circulates the air (循环风): people may be there.
    UvCirculating,
    Fridge,
    /// Measures children's temperature.
    Thermometer,
    /// Records the cameras: a channel each.
    Recorder,
    /// What is estimated of a zone from its other sensors, not measured. Every zone has one such device of its own, `estimate.<zone>`.
    Estimate,
    /// Shuts the gas off; closed on a confirmed gas alarm anywhere in the building.
    GasValve,
    Camera,
    /// The gateway itself: its own device `chain`, in every site.
    Gateway,
    Meter,
    Other,
}

/// Working days: Monday to Friday unless listed. Dates as "2026-10-01".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    #[serde(default)]
    pub holidays: Vec<String>,
    /// 调休: weekend days that are worked.
    #[serde(default)]
    pub working_days: Vec<String>,
}

fn china() -> i32 {
    480
}
fn ground() -> i8 {
    1
}
