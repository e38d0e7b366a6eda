//! The TOML schema of a rule pack.
use super::condition::ConditionText;
use super::{Kind, Latch};
use crate::engine::schedule::Phase;
use crate::engine::site::{AgeGroup, Role, ZoneKind};
use serde::Deserialize;
use toml::Spanned;
use tuoan_protocol::{Basis, EventKind, Severity};

/// Department that is told, besides the street or township and the health bureau (section "routing" of the domain).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// 卫生健康
    Health,
    /// 疾控
    DiseaseControl,
    /// 妇幼保健
    MaternalChildHealth,
    /// 消防救援
    Fire,
    /// 住建
    Housing,
    /// 住建(燃气)
    Gas,
    /// 公安
    Police,
    /// 民政
    CivilAffairs,
    /// 妇联
    WomensFederation,
    /// 市场监管
    Market,
    /// 生态环境
    Environment,
    /// 教育体育
    Education,
}

impl Duty {
    /// Name in packs, alerts and routing tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Duty::Health => "health",
            Duty::DiseaseControl => "disease_control",
            Duty::MaternalChildHealth => "maternal_child_health",
            Duty::Fire => "fire",
            Duty::Housing => "housing",
            Duty::Gas => "gas",
            Duty::Police => "police",
            Duty::CivilAffairs => "civil_affairs",
            Duty::WomensFederation => "womens_federation",
            Duty::Market => "market",
            Duty::Environment => "environment",
            Duty::Education => "education",
        }
    }
}

/// Words in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsText {
    pub zh: String,
    pub en: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceText {
    Zone,
    Device,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    pub id: Spanned<String>,
    pub hazard: Spanned<String>,
    pub kind: Spanned<Kind>,
    pub quantity: Option<Spanned<String>>,
    /// Must be the quantity's own unit: a pack written for another unit is found out.
    pub unit: Option<Spanned<String>>,
    pub event: Option<EventKind>,
    pub is: Option<Spanned<i64>>,
    pub above: Option<Spanned<f64>>,
    pub at_least: Option<Spanned<f64>>,
    pub below: Option<Spanned<f64>>,
    pub at_most: Option<Spanned<f64>>,
    pub hysteresis: Option<Spanned<f64>>,
    pub rise: Option<Spanned<f64>>,
    pub window: Option<Spanned<String>>,
    pub coverage: Option<Spanned<u8>>,
    pub hold: Option<Spanned<String>>,
    pub clear_hold: Option<Spanned<String>>,
    pub missed: Option<Spanned<u8>>,
    pub cap: Option<Spanned<String>>,
    pub max_period: Option<Spanned<String>>,
    pub every: Option<Spanned<String>>,
    pub debounce: Option<Spanned<String>>,
    #[serde(default)]
    pub phases: Vec<Phase>,
    pub grace: Option<Spanned<String>>,
    pub within: Option<Spanned<String>>,
    #[serde(default)]
    pub zones: Vec<ZoneKind>,
    #[serde(default)]
    pub not_zones: Vec<ZoneKind>,
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub not_roles: Vec<Role>,
    pub floor_min: Option<i8>,
    /// Only where a class of one of these is; none: everywhere.
    #[serde(default)]
    pub age_groups: Vec<AgeGroup>,
    pub occupied: Option<bool>,
    pub watched: Option<bool>,
    #[serde(default)]
    pub when: Vec<Spanned<ConditionText>>,
    #[serde(default)]
    pub unless: Vec<Spanned<ConditionText>>,
    #[serde(default)]
    pub confirmed_by: Vec<Spanned<ConditionText>>,
    #[serde(default)]
    pub excused_by: Vec<Spanned<ConditionText>>,
    #[serde(default)]
    pub months: Vec<Spanned<u8>>,
    pub severity: Severity,
    pub basis: Basis,
    pub place: Option<PlaceText>,
    #[serde(default)]
    pub latch: Vec<Latch>,
    pub siren: Option<bool>,
    pub recheck_after: Option<Spanned<String>>,
    pub recheck_within: Option<Spanned<String>>,
    pub outdoors: Option<Spanned<f64>>,
    pub from: Option<Spanned<f64>>,
    /// Per cent.
    pub left: Option<Spanned<u8>>,
    pub count: Option<Spanned<u16>>,
    #[serde(default)]
    pub acknowledge: bool,
    pub regather: Option<Spanned<String>>,
    pub source: Spanned<String>,
    pub clause: Spanned<String>,
    /// Set by whoever has compared it with the printed standard.
    pub verified: bool,
    pub duty: Spanned<Vec<Duty>>,
    pub title: WordsText,
    pub advice: WordsText,
    #[serde(default, rename = "case")]
    pub cases: Vec<Spanned<CaseText>>,
}

/// A small timeline that the rule must answer as told. See [`super::case`] for the language of its steps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseText {
    pub name: String,
    /// Local date on which it begins; a working Monday in March when absent.
    pub date: Option<Spanned<String>>,
    pub zone: Option<ZoneKind>,
    pub floor: Option<i8>,
    pub role: Option<Role>,
    /// Of the class; that of the rule when absent, else toddlers.
    pub age_group: Option<AgeGroup>,
    /// Seconds between the device's messages, where the device says so.
    pub period: Option<u32>,
    /// So many more of the same role in the same zone; of a hub's case, heard through the device.
    pub others: Option<u8>,
    pub steps: Vec<Spanned<String>>,
}
