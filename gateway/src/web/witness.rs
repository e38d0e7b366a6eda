//! The log's newest head, and how far the district has witnessed it.
use super::Shared;
use super::pages::{sorry, ui};
use crate::evidence::export::witnessed;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use std::sync::PoisonError;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::page as render;
use tuoan_dashboards::view::evidence::{Seen, Witness};
use tuoan_evidence::tree;

pub(super) async fn page(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    let log = web.deps.handle.log.as_str().to_owned();
    let found = web.query(move |reader| {
        let size = reader.tree_size()?;
        let root = tree::root(reader, size)?;
        Ok((size, root, witnessed(reader)?.filter(|(head, _)| head.log == log)))
    });
    match found.await {
        Ok((records, root, seen)) => {
            let office = &web.deps.evidence;
            let refused = office.witness.as_ref().and_then(|w| w.lock().unwrap_or_else(PoisonError::into_inner).refused.clone());
            let v = Witness {
                log: web.deps.handle.log.as_str().to_owned(),
                records,
                root: hex::encode(root),
                key: office.key.public().fingerprint(),
                district: office.witness.is_some(),
                seen: seen.map(|(head, c)| Seen { records: head.size, at: c.time, key: c.key.fingerprint() }),
                refused,
            };
            Html(render::witness(&ui, &v)).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}
