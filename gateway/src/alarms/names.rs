//! Names of rules, zones and devices, as the site and its rule packs have them.
use crate::engine::rules::Catalogue;
use crate::engine::site::Site;
use crate::engine::view::View;
use std::collections::BTreeMap;
use tuoan_dashboards::lang::Text;
use tuoan_protocol::{DeviceId, RuleId, ZoneId};

#[derive(Debug, Clone, Default)]
pub struct Names {
    pub site: String,
    rules: BTreeMap<String, Text>,
    zones: BTreeMap<String, String>,
    devices: BTreeMap<String, String>,
}

impl Names {
    pub fn of_site(site: &Site, catalogue: &Catalogue) -> Names {
        let device = |d: &crate::engine::site::Placement| Some((d.id.as_str().to_owned(), d.name.clone()?));
        Names {
            site: site.name.clone(),
            rules: titles(catalogue),
            zones: site.zones.iter().map(|z| (z.id.as_str().to_owned(), z.name.clone())).collect(),
            devices: site.devices.iter().filter_map(device).collect(),
        }
    }
    pub fn of_view(site: &str, view: &View, catalogue: &Catalogue) -> Names {
        let devices = view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced);
        Names {
            site: site.to_owned(),
            rules: titles(catalogue),
            zones: view.zones.iter().map(|z| (z.id.as_str().to_owned(), z.name.clone())).collect(),
            devices: devices.filter_map(|d| Some((d.id.as_str().to_owned(), d.name.clone()?))).collect(),
        }
    }
    /// Empty where no pack knows it: then the hazard's own name is shown.
    pub fn rule(&self, id: &RuleId) -> Text {
        self.rules.get(id.as_str()).cloned().unwrap_or_default()
    }
    pub fn zone(&self, id: &ZoneId) -> String {
        self.zones.get(id.as_str()).cloned().unwrap_or_else(|| id.as_str().to_owned())
    }
    pub fn device(&self, id: &DeviceId) -> String {
        self.devices.get(id.as_str()).cloned().unwrap_or_else(|| id.as_str().to_owned())
    }
}

fn titles(catalogue: &Catalogue) -> BTreeMap<String, Text> {
    catalogue.iter().map(|e| (e.rule.as_str().to_owned(), Text::new(e.title.zh.clone(), e.title.en.clone()))).collect()
}
