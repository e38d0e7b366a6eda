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

/// What an incident event says. After ISA-18.2 / IEC 62682.
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
    /// Another finding of a declared pattern has joined: it is told here and raises no incident of its own.
    Gathered,
    /// Becomes active again and again in a short time: from here on it is only counted, until it is quiet.
    Chattering,
    /// The next rung of the ladder is told, because nobody has handled it.
    Escalated,
    /// A person takes it, or gives it to another.
    Assigned,
    Commented,
    /// Set aside by a person for a reason and a time; told to nobody meanwhile.
    Shelved,
    /// Suppressed by design: its zone is under maintenance.
    Suppressed,
    /// Its device is out of service.
    OutOfService,
    /// Shelving, suppression or the time out of service is over.
    Released,
    /// A person says that it is handled, and what it was.
    Resolved,
    /// Somebody, or a condition that still holds, says that it is not.
    Reopened,
    /// It goes on as part of another incident, or that other one has come to this.
    Merged,
}

/// Why an incident is told to nobody at present, though its condition may hold (ISA-18.2: shelved, suppressed by design, out of service).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inhibition {
    /// 搁置: by a person, with a reason, until a time.
    Shelved,
    /// 检修: the zone is under maintenance.
    Suppressed,
    /// 停用: the device is out of service.
    OutOfService,
}

/// What an incident turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseCode {
    /// 属实.
    Real,
    /// 误报.
    False,
    /// 测试.
    Test,
    /// 检修.
    Maintenance,
}

/// By what way an act came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A page of the gateway.
    Page,
    /// The link in a message.
    Link,
    /// The district's platform.
    Platform,
    /// A button or panel.
    Device,
    /// A command at the box.
    CommandLine,
    /// The gateway itself, by its rules.
    Gateway,
}

/// Who is told: the rungs of the escalation ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// 当班保育人员.
    Carer,
    /// 负责人.
    Director,
    /// 副手.
    Deputy,
    /// 区级.
    District,
}

/// Not in earnest, though it goes the whole way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exercise {
    /// 演练: staged for people, and marked as such everywhere.
    Drill,
    /// Proves the chain alive and is shown to nobody.
    Canary,
    /// 调试: said by a device while it was proved. It stays on site: the district is told its number alone.
    Commissioning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct IncidentState {
    /// The condition holds now; otherwise it has returned to normal.
    pub active: bool,
    pub acknowledged: bool,
    pub closed: bool,
    /// Told to nobody, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inhibited: Option<Inhibition>,
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
    /// By what way the actor came.
    pub via: Option<Via>,
    /// What it turned out to be.
    pub cause: Option<CauseCode>,
    /// UTC milliseconds at which a shelving, maintenance or time out of service ends by itself.
    pub until: Option<i64>,
    /// Who has it in hand: the id of a person, or a name.
    pub assignee: Option<String<48>>,
    /// The other incident of a merger.
    pub other: Option<IncidentId>,
    /// Who is told from here on.
    pub rung: Option<Rung>,
    pub exercise: Option<Exercise>,
}
