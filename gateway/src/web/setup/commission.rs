//! 调试: begun and ended by whoever sees to the equipment; while it lasts, devices under proof make no incident in earnest ([`crate::engine::commissioning`]).
use super::super::Shared;
use super::super::actions::{Refused, command};
use super::super::deeds::{Doing, record};
use super::super::pages::{sorry, ui};
use super::QueryError;
use crate::engine::Command;
use crate::engine::commissioning::COMMISSIONING_MIN;
use crate::engine::input::Action;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::page;
use tuoan_protocol::{DeviceId, Via};

pub(super) async fn ask(web: &Shared, visitor: &Visitor, action: Action) -> Result<(), Refused> {
    let actor = visitor.actor.clone().or_else(|| visitor.account().map(str::to_owned)).unwrap_or_default();
    command(web, Command { actor, via: Some(Via::Page), action }).await
}

fn is_on(web: &Shared) -> bool {
    web.deps.handle.view.borrow().commissioning.is_some()
}

/// Begins it, unless it is under way. True: it is.
async fn begun(web: &Shared, visitor: &Visitor) -> bool {
    if is_on(web) {
        return true;
    }
    if !record(web, visitor, Doing { kind: "commissioning_begun", ..Doing::default() }).await {
        return false;
    }
    // Another page may have been faster.
    !matches!(ask(web, visitor, Action::Commission { minutes: COMMISSIONING_MIN }).await, Err(Refused::Unsaved))
}

/// From here on what that device says is a test. False: nothing may be asked of anybody.
pub(super) async fn under_proof(web: &Shared, visitor: &Visitor, device: &DeviceId) -> bool {
    begun(web, visitor).await && ask(web, visitor, Action::Prove { device: device.clone() }).await.is_ok()
}

/// `POST /setup/commissioning`.
pub(crate) async fn begin(State(web): State<Shared>, visitor: Visitor) -> Response {
    if begun(&web, &visitor).await { Redirect::to("/setup/proofs?done=begun").into_response() } else { refused(&web, &visitor) }
}

/// `POST /setup/commissioning/end`.
pub(crate) async fn end(State(web): State<Shared>, visitor: Visitor) -> Response {
    if is_on(&web) {
        let on_record = record(&web, &visitor, Doing { kind: "commissioning_ended", ..Doing::default() }).await;
        if !on_record || matches!(ask(&web, &visitor, Action::CommissionEnd).await, Err(Refused::Unsaved)) {
            return sorry(&ui(&web, &visitor), &QueryError::Busy);
        }
    }
    Redirect::to("/setup?done=over").into_response()
}

pub(super) fn refused(web: &Shared, visitor: &Visitor) -> Response {
    let ui = ui(web, visitor);
    (StatusCode::CONFLICT, Html(page::error(&ui, &ui.t("error-refused"), &ui.t("error-commissioning")))).into_response()
}
