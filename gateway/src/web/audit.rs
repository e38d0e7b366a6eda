//! Who came in, saw what and changed what: the deeds of the store, and what was done with pictures.
use super::QueryError;
use super::Shared;
use super::deeds::{Doing, record};
use super::pages::{sorry, ui};
use crate::store::Reader;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use tuoan_dashboards::door::{Role, Visitor};
use tuoan_dashboards::view::people::{Audit, AuditRow};
use tuoan_dashboards::{Ui, page};

const ROWS: usize = 200;

/// All kinds that are offered as a filter.
pub const KINDS: [&str; 40] = [
    "claimed",
    "signed_in",
    "signed_out",
    "sign_in_refused",
    "confirm_refused",
    "recovered",
    "account_added",
    "account_removed",
    "secret_set",
    "session_ended",
    "pass_issued",
    "pass_revoked",
    "class_link",
    "class_link_ended",
    "recovery_drawn",
    "notice_released",
    "notice_withdrawn",
    "incident_seen",
    "still_seen",
    "audit_seen",
    "site_written",
    "commissioning_begun",
    "commissioning_ended",
    "placed",
    "drawn",
    "removed",
    "replaced",
    "enrolled",
    "firmware",
    "settings",
    "proved",
    "self_test",
    "self_tested",
    "firmware_taken",
    "checklist",
    "imported",
    "exported",
    "unreadable",
    "pictures",
    "report_printed",
];

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    kind: String,
    before: Option<u64>,
}

fn rows(reader: &Reader, before: Option<u64>, kind: Option<&str>) -> crate::store::reader::Result<(Vec<AuditRow>, Option<u64>)> {
    let pictures = |list: Vec<crate::store::PictureRow>| {
        let row = |p: crate::store::PictureRow| AuditRow {
            at: p.at,
            actor: p.actor,
            role: String::new(),
            kind: "pictures".into(),
            object: p.camera.or(p.incident).unwrap_or_default(),
            purpose: p.reason,
            detail: p.what,
        };
        list.into_iter().map(row).collect::<Vec<_>>()
    };
    if kind == Some("pictures") {
        return Ok((pictures(reader.picture_deeds(None, None, ROWS)?), None));
    }
    let deeds = reader.deeds(before, kind, None, ROWS)?;
    let older = (deeds.len() == ROWS).then(|| deeds.last().map(|d| d.number)).flatten();
    let oldest = deeds.last().map(|d| d.deed.at);
    let newest = before.and_then(|_| deeds.first().map(|d| d.deed.at));
    let mut rows: Vec<AuditRow> = deeds
        .into_iter()
        .map(|d| {
            let d = d.deed;
            AuditRow { at: d.at, actor: d.actor, role: d.role, kind: d.kind, object: d.object, purpose: d.purpose, detail: d.detail }
        })
        .collect();
    if kind.is_none() {
        // Those of the time that this page shows.
        let seen = pictures(reader.picture_deeds(None, None, ROWS)?);
        let fits = |r: &AuditRow| (older.is_none() || oldest.is_none_or(|o| r.at >= o)) && newest.is_none_or(|n| r.at <= n);
        rows.extend(seen.into_iter().filter(fits));
        rows.sort_by_key(|r| std::cmp::Reverse(r.at));
    }
    Ok((rows, older))
}

pub async fn page(State(web): State<Shared>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    // Staff's names stand here: an inspector's look is itself on record, under the purpose of the code.
    if visitor.role() == Some(Role::Inspector) {
        let purpose = purpose(&web, &visitor);
        if !record(&web, &visitor, Doing { kind: "audit_seen", purpose, ..Doing::default() }).await {
            return sorry(&ui, &QueryError::Busy);
        }
    }
    let kind = KINDS.into_iter().find(|k| *k == asked.kind);
    match web.query(move |r| rows(r, asked.before, kind)).await {
        Ok((mut rows, older)) => {
            let classes = web.deps.handle.view.borrow().classes.clone();
            rows.iter_mut().for_each(|row| in_words(row, &ui, &classes));
            let v = Audit { rows, kind: kind.unwrap_or_default().to_owned(), kinds: KINDS.to_vec(), older };
            Html(page::audit(&ui, &v)).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}

/// The record holds ids; a page says what they are called. What has no name any more stays as it was recorded.
fn in_words(row: &mut AuditRow, ui: &Ui, classes: &[(String, String)]) {
    let class = |id: &str| classes.iter().find(|c| c.0 == id).map_or_else(|| id.to_owned(), |c| c.1.clone());
    match row.kind.as_str() {
        "account_added" => row.detail = ui.word("account-role", &row.detail),
        "class_link" | "class_link_ended" => row.object = class(&row.object),
        "notice_released" => {
            row.object = class(&row.object);
            row.detail = ui.word("template", row.detail.lines().next().unwrap_or_default());
        }
        "proved" => row.detail = ui.word("proof", &row.detail),
        "checklist" => row.object = ui.word("item", &row.object),
        _ => {}
    }
}

/// What an inspector's code was issued for.
pub fn purpose(web: &Shared, visitor: &Visitor) -> String {
    let id = visitor.account().unwrap_or_default();
    web.deps.door.passes().into_iter().find(|p| p.id == id).map(|p| p.purpose).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_dashboards::Lang;

    #[test]
    fn ids_of_the_record_are_read_as_words_and_what_is_unknown_stays() {
        let ui = Ui::plain(Lang::Zh, 0);
        let classes = [("infant".to_owned(), "乳儿班".to_owned())];
        let said = |kind: &str, object: &str, detail: &str| {
            let mut row = AuditRow { kind: kind.into(), object: object.into(), detail: detail.into(), ..AuditRow::default() };
            in_words(&mut row, &ui, &classes);
            (row.object, row.detail)
        };
        assert_eq!(said("account_added", "李老师", "carer"), ("李老师".into(), "保育人员".into()));
        assert_eq!(said("account_added", "李老师", "king"), ("李老师".into(), "king".into()));
        assert_eq!(said("class_link", "infant", ""), ("乳儿班".into(), String::new()));
        assert_eq!(said("class_link", "gone", ""), ("gone".into(), String::new()));
        assert_eq!(said("notice_released", "infant", "alarm\nx\ny").1, "报警处置");
    }
}
