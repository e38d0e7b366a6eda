//! Names and texts that records refer to by id: zones and placements from the site file, rule texts from the rule packs. Built when the
//! configuration changes and shared by all sinks.
use crate::engine::UNPLACED_ZONE;
use crate::engine::site::Site;
use serde::Serialize;
use std::collections::HashMap;
use tuoan_protocol::{DeviceId, LogId, RuleId, SiteId, ZoneId};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bilingual {
    pub zh: String,
    pub en: String,
}

/// What a rule says to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleText {
    pub title: Bilingual,
    pub advice: Bilingual,
    /// The source clause.
    pub clause: String,
    /// Responsible duties, e.g. `health`.
    pub duty: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Directory {
    pub site: SiteId,
    pub log: LogId,
    zone_names: HashMap<ZoneId, String>,
    placements: HashMap<DeviceId, ZoneId>,
    rules: HashMap<RuleId, RuleText>,
}

impl Directory {
    pub fn new(site: &Site, log: LogId, rules: impl IntoIterator<Item = (RuleId, RuleText)>) -> Self {
        Self {
            site: site.id.clone(),
            log,
            zone_names: site.zones.iter().map(|z| (z.id.clone(), z.name.clone())).collect(),
            placements: site.devices.iter().map(|d| (d.id.clone(), d.zone.clone())).collect(),
            rules: rules.into_iter().collect(),
        }
    }
    /// The zone's name; its id when the site file no longer has it.
    pub fn zone_name<'a>(&'a self, zone: &'a ZoneId) -> &'a str {
        let nowhere = || if zone.as_str() == UNPLACED_ZONE { tuoan_dashboards::lang::unplaced() } else { zone.as_str() };
        self.zone_names.get(zone).map_or_else(nowhere, String::as_str)
    }
    /// Where a device hangs, if it is placed.
    pub fn zone_of(&self, device: &DeviceId) -> Option<&ZoneId> {
        self.placements.get(device)
    }
    /// `None` for a rule that the packs in force no longer have.
    pub fn rule(&self, rule: &RuleId) -> Option<&RuleText> {
        self.rules.get(rule)
    }
}
