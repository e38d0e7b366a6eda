//! The morning check (晨检): a form that takes a minute, and one engine command.
use super::Shared;
use super::actions::{Act, act};
use super::pages::{Done, ui};
use crate::engine::input::{Action, Check, Symptom};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tuoan_dashboards::door::{Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::gateway::MorningCheck;
use tuoan_protocol::Quantity;

/// Fields of the form, and bytes of one.
const FIELDS: usize = 24;
const FIELD: usize = 64;

fn blank(web: &Shared) -> MorningCheck {
    let classes = web.deps.handle.view.borrow().classes.clone();
    MorningCheck { classes, symptoms: Symptom::ALL.iter().map(|s| s.name()).collect(), ..MorningCheck::default() }
}

pub async fn form(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let v = MorningCheck { notice: done.notice(&ui), ..blank(&web) };
    Html(page::morning_check(&ui, &v)).into_response()
}

pub async fn enter(State(web): State<Shared>, visitor: Visitor, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let ui = ui(&web, &visitor);
    let mut v = blank(&web);
    let (mut name, mut keep) = (None, Vec::new());
    for (key, value) in fields.into_iter().take(FIELDS) {
        let value = tidy(&value, FIELD);
        match key.as_str() {
            "name" => name = Some(value),
            "class" | "temperature" | "child" | "recheck" | "symptom" => {
                match key.as_str() {
                    "class" => v.class = value.clone(),
                    "temperature" => v.temperature = value.clone(),
                    "child" => v.child = value.clone(),
                    "recheck" => v.recheck = true,
                    _ => v.chosen.push(value.clone()),
                }
                keep.push((key, value));
            }
            _ => {}
        }
    }
    match read(&v) {
        Ok(check) => act(&web, &visitor, &Act::again(name, "/check", keep), Action::MorningCheck(check), "checked").await,
        Err(wrong) => {
            v.error = Some(match wrong {
                Wrong::Temperature => ui.t("error-check-temperature"),
                Wrong::Child => ui.t("error-check-child"),
                Wrong::Nothing => ui.t("error-check-nothing"),
            });
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page::morning_check(&ui, &v))).into_response()
        }
    }
}

#[derive(Debug, PartialEq)]
enum Wrong {
    Temperature,
    Child,
    Nothing,
}

fn read(v: &MorningCheck) -> Result<Check, Wrong> {
    let text = v.temperature.trim().replace(['，', ',', '．', '。'], ".");
    let temperature = match text.trim_end_matches(['°', 'C', 'c', '℃', '度', ' ']) {
        "" => None,
        t => Some(Quantity::BodyTemperature.parse(t).ok().filter(|t| Check::BODY.contains(&t.0)).ok_or(Wrong::Temperature)?),
    };
    let child = Some(v.child.trim().to_owned()).filter(|c| !c.is_empty());
    if !child.as_deref().is_none_or(Check::is_code) {
        return Err(Wrong::Child);
    }
    let symptoms: Vec<Symptom> = Symptom::ALL.into_iter().filter(|s| v.is_chosen(s.name())).collect();
    if temperature.is_none() && symptoms.is_empty() {
        return Err(Wrong::Nothing);
    }
    Ok(Check { class: v.class.clone(), temperature, symptoms, child, recheck: v.recheck })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(temperature: &str, child: &str, symptom: &str) -> Result<Check, Wrong> {
        let chosen = vec![symptom.to_owned()];
        read(&MorningCheck { temperature: temperature.into(), child: child.into(), chosen, ..MorningCheck::default() })
    }

    #[test]
    fn temperatures_are_read_as_people_write_them() {
        for text in ["37.6", " 37.6 ", "37,6", "37.6℃", "37.6 °C", "37。6度"] {
            assert_eq!(form(text, "", "").unwrap().temperature.unwrap().0, 3760, "{text}");
        }
        for text in ["376", "3", "nan", "-37", "1e9", "37.6.1"] {
            assert_eq!(form(text, "", ""), Err(Wrong::Temperature), "{text}");
        }
        assert_eq!(form("", "", ""), Err(Wrong::Nothing));
        assert_eq!(form("", "", "invented"), Err(Wrong::Nothing));
        assert_eq!(form("36.5", "王小明", ""), Err(Wrong::Child));
        assert_eq!(form("", "A-7", "cough").unwrap().symptoms, [Symptom::Cough]);
    }
}
