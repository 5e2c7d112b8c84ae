//! Who may sign what: to look at, and to change by an update that enough roots have signed.

use super::status::json_of;
use super::{Answer, AsJson, By, caller};
use crate::fault::Fault;
use crate::limits::whole;
use crate::shared::{Room, Shared};
use axum::body::Body;
use axum::extract::{Extension, State};
use s_control::TrustError;
use s_sdk::Level;
use serde_json::json;
use std::sync::Arc;

/// A trust store of a thousand keys is smaller.
const UPDATE_OCTETS: usize = 1 << 20;

pub(super) async fn shown(State(shared): State<Arc<Shared>>) -> Answer {
    let trust = shared.off_thread(Room::Manager, |shared| shared.manager.trust()).await?;
    Ok(AsJson(json_of(trust.document())?))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    body: Body,
) -> Answer {
    let update = whole(body, UPDATE_OCTETS).await?;
    let operator = caller(&by)?.name.clone();
    let work = move |shared: &Shared| {
        let done = shared.manager.update_trust(&update);
        let log = |level, text: String| shared.log(level, &text);
        match done {
            Ok(()) => {
                let version = shared.manager.trust().document().version;
                log(Level::Info, format!("operator {operator}: trust store {version} is in force"));
                Ok(AsJson(json!({ "version": version })))
            }
            Err(why) => {
                log(Level::Warning, format!("operator {operator}: trust update refused: {why}"));
                Err(match why {
                    TrustError::Refused(why) => Fault::refused(why.to_string()),
                    TrustError::Repository(why) => Fault::unavailable(why.to_string()),
                })
            }
        }
    };
    shared.off_thread(Room::Manager, work).await?
}
