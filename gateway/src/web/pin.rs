//! Asks for the secret of whoever acts, before what a session alone must not do: a tablet on the wall stays signed in, and to end or set aside an alarm is one
//! person's word. To take note of it asks for a name only.
use super::Shared;
use super::actions::{Act, back};
use super::deeds::{Doing, record};
use super::pages::ui;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tuoan_dashboards::door::{Refusal, Role, Tile, Visitor};
use tuoan_dashboards::page::{self, Confirm};

/// Who may be meant: the session's own account, or on a shared tablet everybody of the staff.
fn tiles(web: &Shared, visitor: &Visitor) -> Vec<Tile> {
    let mine = |t: &Tile| !visitor.personal || visitor.account() == Some(t.id.as_str());
    let staff = |t: &Tile| matches!(t.role, Role::Director | Role::Carer) && !t.shared;
    web.deps.door.tiles().into_iter().filter(|t| staff(t) && mine(t)).collect()
}

/// The name of whoever has proved to be that person; `None` where there is no account of anybody (a demo), and a name is asked for as always. Else the page
/// that asks.
pub(super) async fn sure(web: &Shared, visitor: &Visitor, form: &Act) -> Result<Option<String>, Response> {
    let ui = ui(web, visitor);
    let tiles = tiles(web, visitor);
    if tiles.is_empty() {
        return Ok(None);
    }
    let chosen = match tiles.as_slice() {
        [only] => only.id.clone(),
        _ => form.account().to_owned(),
    };
    let ask = |status, error: Option<String>| {
        let v = Confirm {
            action: visitor.path.clone(),
            back: back(form).to_owned(),
            keep: form.kept(),
            tiles: tiles.clone(),
            chosen: chosen.clone(),
            error,
        };
        (status, Html(page::confirm(&ui, &v))).into_response()
    };
    if form.secret().is_empty() {
        return Err(ask(StatusCode::OK, None));
    }
    let Some(tile) = tiles.iter().find(|t| t.id == chosen) else {
        return Err(ask(StatusCode::UNPROCESSABLE_ENTITY, Some(ui.t("error-confirm-who"))));
    };
    match web.deps.door.confirm_as(visitor, &tile.id, form.secret()).await {
        Ok(_) if tile.name.is_empty() => Ok(Some(visitor.actor.clone().unwrap_or_else(|| ui.word("account-role", tile.role.name())))),
        Ok(tile) => Ok(Some(tile.name)),
        Err(Refusal::Locked(ms)) => {
            Err(ask(StatusCode::TOO_MANY_REQUESTS, Some(ui.t1("error-locked", "m", ms.saturating_add(59_999) / 60_000))))
        }
        Err(Refusal::Wrong) => {
            // Few: whoever guesses is locked out.
            record(web, visitor, Doing { kind: "confirm_refused", object: tile.name.clone(), detail: visitor.from(), ..Doing::default() })
                .await;
            Err(ask(StatusCode::FORBIDDEN, Some(ui.t("error-confirm-wrong"))))
        }
        Err(_) => Err(ask(StatusCode::SERVICE_UNAVAILABLE, Some(ui.t("error-busy")))),
    }
}
