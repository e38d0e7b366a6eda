//! The district's pages.
use super::*;
use crate::view::platform::{Live, PlatformEntry, Site, SiteIncident};
use crate::view::{Incident, platform};
use tuoan_protocol::Severity;

/// Codes of inspectors in each of their states, one just drawn.
pub fn passes(name: &str) -> platform::Passes {
    let line = |site: &str, state| platform::PassLine {
        id: "district-1".into(),
        site: site.into(),
        holder: name.into(),
        by: "区卫健局 李".into(),
        purpose: "双随机检查".into(),
        issued: NOW - 3_600_000,
        expires: NOW + 3 * 3_600_000,
        state,
    };
    let passes = vec![
        line("星原托育", platform::PassState::Waiting),
        line("月亮湾托育", platform::PassState::Open(NOW - 3_000_000)),
        line("小溪托育", platform::PassState::Over),
        line("星原托育", platform::PassState::Revoked(NOW - 60_000, name.into())),
    ];
    platform::Passes { sites: vec![("a".into(), "星原托育".into())], passes, code: Some("7F3K-9QPX-22MA".into()), ..Default::default() }
}

fn site_incident(incident: Incident, site_name: &str, street: &str) -> SiteIncident {
    SiteIncident {
        incident,
        site: "site".into(),
        site_name: site_name.into(),
        district: "上虞区".into(),
        street: street.into(),
        institution: "community",
        duty: vec!["fire".into(), "health".into()],
        claimed_by: None,
        claimed_at: None,
        unrecorded: false,
    }
}

pub fn live() -> Live {
    let home = busy();
    let names = [("杏园托育", "百官街道"), ("曹娥社区驿站", "曹娥街道"), ("东关镇托育园", "东关街道"), ("崧厦幼儿园托班", "崧厦街道")];
    let mut incidents: Vec<SiteIncident> =
        home.incidents.into_iter().zip(names.iter().cycle()).map(|(i, (name, street))| site_incident(i, name, street)).collect();
    if let Some(i) = incidents.get_mut(2) {
        i.claimed_by = Some("区托育中心 李敏".into());
        i.unrecorded = true;
    }
    let site = |n: usize, trust: u8| {
        let (name, street) = names.get(n).copied().unwrap_or_default();
        Site {
            id: format!("site-{n}"),
            name: name.into(),
            district: "上虞区".into(),
            street: street.into(),
            last_heard: Some(NOW - 20_000),
            silent: false,
            gaps: if trust == 1 { vec![(14, 16)] } else { Vec::new() },
            healthy: true,
            clock_trusted: true,
            queue: u64::from(trust) * 12,
            open: 2,
            worst: Some(Severity::Serious),
            coverage: None,
        }
    };
    let mut silent = site(3, 0);
    (silent.silent, silent.last_heard, silent.open, silent.worst) = (true, Some(NOW - 900_000), 0, None);
    let mut live = Live { version: 7, incidents, sites: vec![site(0, 0), site(1, 1), site(2, 0), silent], notice: None };
    live.sort();
    live
}

pub fn platform_incident() -> platform::IncidentPage {
    let page = incident_page();
    let entries = page
        .entries
        .into_iter()
        .map(|entry| PlatformEntry::Site { received_at: entry.at + 1500, receipt: "r-7f3a91".into(), entry })
        .chain([PlatformEntry::District { at: NOW - 60_000, action: "claimed", actor: "李敏".into(), note: None }])
        .collect();
    platform::IncidentPage { incident: site_incident(page.incident, "杏园托育", "百官街道"), entries, rule: rule(), notice: None }
}
