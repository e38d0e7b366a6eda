//! Pages of signing in, of names and links.
use super::incident::form;
use super::*;
use crate::door::{Role, Tile};
use crate::lang::Ui;
use crate::page::{AskName, Confirm};
use crate::view::alarm::*;
use crate::view::tasks::Who;
use tuoan_protocol::{Fixed, Quantity, Severity};

pub fn ask_name() -> AskName {
    AskName { action: "/".into(), back: "/".into(), people: people(), ..AskName::default() }
}

pub fn confirm() -> Confirm {
    let tile = |id: &str, name: &str, role| Tile { id: id.into(), name: name.into(), role, shared: false };
    let tiles = vec![tile("a", "李园长", Role::Director), tile("b", "王老师", Role::Carer), tile("c", "陈老师", Role::Carer)];
    Confirm { action: "/".into(), back: "/".into(), tiles, chosen: "b".into(), ..Confirm::default() }
}

/// Every page while devices are proved.
pub fn commissioning(ui: Ui) -> Ui {
    let under_way =
        Commissioning { until: NOW + 40 * 60_000, by: "王园长".into(), devices: vec!["后门".into(), "厨房燃气".into()] };
    Ui { commissioning: Some(under_way), role: Some(Role::Director), signed_in: true, ..ui }
}

pub fn who() -> Who {
    Who { back: "/".into(), people: people() }
}

/// What a link in a message shows; `person` was told, or a group.
pub fn link_page(person: bool) -> LinkPage {
    let mut incident = incident("01KAPT0000000000000000001", "fire.smoke", "厨房", Severity::Emergency, 80);
    incident.trigger = Some((Quantity::Smoke, Fixed(1)));
    LinkPage {
        token: "42.kXn3".into(),
        incident,
        person: person.then(|| "王老师".into()),
        seen: None,
        done: None,
        take: !person,
        name: String::new(),
        error: None,
    }
}

/// Forms that came back with what was typed and what is wrong.
pub fn deed_page() -> Form {
    let error = Some(("minutes", "请选择多久。".to_owned()));
    Form { about: "托小班2 二氧化碳过高".into(), note: "风机送修".into(), error, ..form("shelve") }
}
