//! What happened at a place. An incident is the list of its events; an event never changes.
use crate::{DeviceId, EventId, Fixed, HazardId, IncidentId, LogId, Place, Quantity, RuleId, SiteId};
use heapless::String;

/// Severity of the hazard catalogue, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Severity {
    /// 紧急: act now.
    Emergency = 1,
    /// 严重: minutes.
    Serious = 2,
    /// 一般: within the day.
    General = 3,
    /// 提示.
    Advisory = 4,
}

impl From<Severity> for u8 {
    fn from(s: Severity) -> u8 {
        s as u8
    }
}
impl TryFrom<u8> for Severity {
    type Error = &'static str;
    fn try_from(n: u8) -> Result<Self, &'static str> {
        match n {
            1 => Ok(Self::Emergency),
            2 => Ok(Self::Serious),
            3 => Ok(Self::General),
            4 => Ok(Self::Advisory),
            _ => Err("a severity is 1, 2, 3 or 4"),
        }
    }
}

/// 已确认 or 推测: said by a detector or a person, or concluded from indirect signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    Confirmed,
    Inferred,
}

/// What an incident event says. After ISA-18.2; shelving, suppression and the rest of the life cycle add variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The first finding.
    Opened,
    /// Severity rose.
    Raised,
    /// Severity fell, the condition still holds.
    Lowered,
    /// The condition came back before the incident was closed.
    Reactivated,
    /// The condition is over (by hysteresis).
    Returned,
    /// A person has taken note.
    Acknowledged,
    /// Returned, and nothing more is owed.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct IncidentState {
    /// The condition holds now; otherwise it has returned to normal.
    pub active: bool,
    pub acknowledged: bool,
    pub closed: bool,
}

/// 机构类型.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstitutionType {
    /// 公办
    Public,
    /// 单位办托
    Employer,
    /// 社区办托
    Community,
    /// 社会办 (private)
    Private,
    /// 幼儿园托班
    Kindergarten,
    /// 驿站
    Station,
}

/// 主管部门.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupervisingBody {
    /// 卫生健康
    Health,
    /// 教育
    Education,
    /// 街道/乡镇
    Township,
    /// 总工会
    Union,
    /// 民政
    CivilAffairs,
}

/// The reading or event that decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trigger {
    pub device: DeviceId,
    /// Quantity and value; `None` for a momentary event or a silence.
    pub reading: Option<(Quantity, Fixed)>,
    /// The device's sequence number, where it has one.
    pub seq: Option<u64>,
}

/// One line of the incident log. Its canonical bytes ([`crate::codec`]: CBOR, keys ascending, shortest integers) are stored for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEvent {
    pub site: SiteId,
    pub institution: InstitutionType,
    pub supervisor: SupervisingBody,
    pub log: LogId,
    /// Counts the incident events of this log from 1, without a gap: a receiver sees what it misses.
    pub sequence: u64,
    /// Position in the input log after which this holds.
    pub position: u64,
    pub id: EventId,
    pub incident: IncidentId,
    /// UTC milliseconds.
    pub at: i64,
    /// False while the gateway's clock was not known to be right.
    pub clock_trusted: bool,
    pub transition: Transition,
    pub state: IncidentState,
    pub hazard: HazardId,
    pub place: Place,
    pub severity: Severity,
    pub basis: Basis,
    pub rule: RuleId,
    pub trigger: Option<Trigger>,
    /// How often the condition has become active within this incident, from 1.
    pub activations: u32,
    /// Found in a retained message on connect: it may have begun earlier.
    pub found_on_connect: bool,
    /// Who acted, for a transition that a person caused.
    pub actor: Option<String<48>>,
    pub note: Option<String<256>>,
    /// Version of the engine that decided.
    pub engine: String<16>,
    /// SHA-256 of the rule packs and site file in force.
    pub rules: [u8; 32],
    /// Author of the site's override in force that had changed `rule`; the configuration of that hash says how and why.
    pub overridden_by: Option<String<48>>,
}
