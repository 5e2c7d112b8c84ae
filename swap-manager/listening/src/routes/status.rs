//! The application as it is, what has happened to it, and what it answers of its own.

use super::{Answer, AsJson};
use crate::fault::Fault;
use crate::shared::{Room, Shared};
use axum::extract::{Path, Query, State};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What the swap manager tells, as JSON.
pub(super) fn json_of(told: impl Serialize) -> Result<Json, Fault> {
    serde_json::to_value(told)
        .map_err(|why| Fault::unavailable(format!("not to be written: {why}")))
}

pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Answer {
    let status = shared.off_thread(Room::Manager, |shared| shared.manager.status()).await?;
    let mut answer = json_of(status)?;
    answer["application"] = json!({
        "name": shared.application.name(),
        "version": shared.application.version(),
        "pid": std::process::id(),
        "uptime_s": shared.started.elapsed().as_secs(),
    });
    Ok(AsJson(answer))
}

pub(super) async fn history(State(shared): State<Arc<Shared>>) -> Answer {
    let past = shared.off_thread(Room::Manager, |shared| shared.manager.past()).await?;
    Ok(AsJson(json!({ "swaps": json_of(past)? })))
}

pub(super) async fn application(
    State(shared): State<Arc<Shared>>,
    Path(what): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Answer {
    let missing = format!("this application has no `{what}` of its own");
    let ask = move |shared: &Shared| shared.application.answer(&what, &query);
    match shared.off_thread(Room::Modules, ask).await? {
        Some(Ok(answer)) => Ok(AsJson(answer)),
        Some(Err(why)) => Err(Fault::refused(why)),
        None => Err(Fault::not_found(missing)),
    }
}
