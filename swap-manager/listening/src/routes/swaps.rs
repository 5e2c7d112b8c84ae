//! Swaps: planned, begun, followed, ended.
//!
//! Invariant: a swap is begun after all of its octets are here, in the name of who sent them, or not at all.

use super::status::json_of;
use super::{Answer, AsJson, By, caller, small};
use crate::fault::Fault;
use crate::limits::{PUSH_OCTETS, Receiving, after_all, whole};
use crate::operators::Caller;
use crate::shared::{Room, Shared};
use axum::body::Body;
use axum::extract::{Extension, FromRequest as _, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use s_control::order::Order;
use s_control::{Request as Swap, SwapError};
use s_sdk::Level;
use s_transaction::Confirm;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// No honest group is larger.
const PARTS: usize = 64;
/// How long a caller may wait for the end of a swap.
const WAIT_SECONDS: u64 = 60;

/// The swap that a body orders. The turn is given back after the packages were looked at.
async fn ordered(
    caller: &Caller,
    request: Request,
    turn: Result<Receiving, Fault>,
) -> Result<(Swap, Receiving), Fault> {
    let (head, body) = request.into_parts();
    let turn = match turn {
        Ok(turn) => turn,
        Err(fault) => return Err(after_all(body, fault).await),
    };
    let octets = whole(body, PUSH_OCTETS).await?;
    let request = Request::from_parts(head, Body::from(octets));
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|why| Fault::bad_request(why.body_text()))?;
    let (mut order, mut packages) = (None, Vec::new());
    loop {
        let part = parts.next_field().await.map_err(|why| Fault::bad_request(why.body_text()))?;
        let Some(part) = part else { break };
        let name = part.name().unwrap_or_default().to_owned();
        let content = part.bytes().await.map_err(|why| Fault::bad_request(why.body_text()))?;
        match name.as_str() {
            "order" if order.is_some() => return Err(Fault::bad_request("two parts `order`")),
            "order" => {
                let parsed = Order::parse(&content);
                order = Some(parsed.map_err(|why| Fault::bad_request(why.to_string()))?);
            }
            "package" if packages.len() == PARTS => {
                return Err(Fault::too_large(format!("more than {PARTS} packages")));
            }
            "package" => packages.push(Arc::from(&content[..])),
            _ => {
                let what = format!("a part `{name}`; there are `order` and `package`");
                return Err(Fault::bad_request(what));
            }
        }
    }
    let swap = order.unwrap_or_default().with_packages(packages);
    let swap = swap.map_err(|why| Fault::bad_request(why.to_string()))?;
    if swap.allow_downgrade && !caller.local {
        return Err(Fault::not_allowed("`allow_downgrade` is for operators on this machine"));
    }
    Ok((swap.by(&caller.name), turn))
}

pub(super) async fn plan(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    request: Request,
) -> Answer {
    let caller = caller(&by)?;
    let turn = shared.turns.receive(&caller.name);
    let (swap, turn) = ordered(caller, request, turn).await?;
    let work = move |shared: &Shared| {
        let _turn = turn;
        let preview = shared.manager.preview(swap);
        let mut answer = json_of(&preview)?;
        for (i, member) in preview.members.iter().enumerate() {
            let (before, after) = (member.before.as_ref(), member.after.as_ref());
            let difference = shared.application.difference(before, after);
            answer["members"][i]["application"] = difference.unwrap_or_default();
        }
        Ok(AsJson(answer))
    };
    shared.off_thread(Room::Modules, work).await?
}

pub(super) async fn push(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    request: Request,
) -> Result<(StatusCode, AsJson<Json>), Fault> {
    let caller = caller(&by)?;
    let turn = count(&shared, caller).and_then(|()| shared.turns.receive(&caller.name));
    let (swap, turn) = ordered(caller, request, turn).await?;
    if shared.two_persons && !matches!(swap.confirm, Confirm::ByOperator(_)) {
        return Err(Fault::refused(
            "a swap takes two persons here: order `confirm` by `operator`, and have somebody else confirm it",
        ));
    }
    let work = move |shared: &Shared| {
        let _turn = turn;
        begin(shared, swap)
    };
    shared.off_thread(Room::Manager, work).await?
}

/// Counts a push. Whoever could as well stop the process is not counted.
fn count(shared: &Shared, caller: &Caller) -> Result<(), Fault> {
    if caller.is_owner { Ok(()) } else { shared.turns.push(&caller.name, Instant::now()) }
}

fn begin(shared: &Shared, swap: Swap) -> Result<(StatusCode, AsJson<Json>), Fault> {
    let operator = swap.operator.clone().unwrap_or_default();
    let ticket = shared.manager.begin(swap).inspect_err(|why| {
        shared.log(Level::Warning, &format!("operator {operator}: no swap: {why}"));
    })?;
    let components = ticket.components();
    let begun =
        format!("operator {operator}: swap {} of {} begins", ticket.txn(), components.join(", "));
    shared.log(Level::Info, &begun);
    let answer = json!({ "txn": ticket.txn(), "operator": operator, "members": components });
    Ok((StatusCode::ACCEPTED, AsJson(answer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    component: String,
    to: Option<String>,
}

pub(super) async fn roll_back_to(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, AsJson<Json>), Fault> {
    let caller = caller(&by)?;
    count(&shared, caller)?;
    let Back { component, to } = small(&headers, body).await?;
    let operator = caller.name.clone();
    let work = move |shared: &Shared| {
        let swap = shared.manager.rollback_to(&component, to.as_deref())?;
        begin(shared, swap.by(operator))
    };
    shared.off_thread(Room::Manager, work).await?
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    wait: Option<u64>,
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(txn): Path<u64>,
    Query(Wait { wait }): Query<Wait>,
) -> Answer {
    let seconds = wait.unwrap_or(0);
    if seconds > WAIT_SECONDS {
        return Err(Fault::bad_request(format!("wait at most {WAIT_SECONDS} s, and ask again")));
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let mut told = std::pin::pin!(shared.ended.notified());
        // From here on an end is not missed, though it comes before we wait.
        told.as_mut().enable();
        let (answer, running) =
            shared.off_thread(Room::Manager, move |shared| look(shared, txn)).await??;
        if !running || tokio::time::timeout_at(end, told).await.is_err() {
            return Ok(AsJson(answer));
        }
    }
}

/// A swap as it is now, and whether it runs.
fn look(shared: &Shared, txn: u64) -> Result<(Json, bool), Fault> {
    // In this order: a swap that ends is in the history before it runs no more.
    let running = shared.manager.running().into_iter().find(|swap| swap.txn == txn);
    if let Some(ended) = shared.manager.past_swap(txn) {
        return Ok((json!({ "txn": txn, "running": false, "outcome": json_of(ended)? }), false));
    }
    let swap = running.ok_or(SwapError::NoSuchSwap { txn })?;
    let mut answer = json_of(swap)?;
    answer["running"] = Json::Bool(true);
    Ok((answer, true))
}

/// Bodies that say nothing. What they say all the same is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What an operator wants of a running swap.
async fn end(
    shared: Arc<Shared>,
    by: &Caller,
    txn: u64,
    (headers, body): (HeaderMap, Body),
    what: &'static str,
    wish: impl FnOnce(&Shared) -> Result<(), SwapError> + Send + 'static,
) -> Answer {
    let Nothing {} = small(&headers, body).await?;
    let operator = by.name.clone();
    let work = move |shared: &Shared| {
        let done = wish(shared);
        let log = |level, text: String| shared.log(level, &text);
        match &done {
            Ok(()) => log(Level::Info, format!("operator {operator}: {what} swap {txn}")),
            Err(why) => {
                log(Level::Warning, format!("operator {operator}: {what} swap {txn}: no: {why}"));
            }
        }
        done?;
        Ok(AsJson(json!({ "txn": txn })))
    };
    shared.off_thread(Room::Manager, work).await?
}

pub(super) async fn confirm(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    Path(txn): Path<u64>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let caller = caller(&by)?;
    if shared.two_persons {
        let running = shared.off_thread(Room::Manager, |shared| shared.manager.running());
        let own = |swap: &s_control::status::RunningSwap| {
            swap.txn == txn && swap.operator.as_ref() == Some(&caller.name)
        };
        if running.await?.iter().any(own) {
            let why = "whoever pushed a swap does not confirm it here: somebody else must";
            return Err(Fault::not_allowed(why));
        }
    }
    let wish = move |shared: &Shared| shared.manager.confirm(txn);
    end(shared.clone(), caller, txn, (headers, body), "confirm", wish).await
}

pub(super) async fn abort(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    Path(txn): Path<u64>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let wish = move |shared: &Shared| shared.manager.abort(txn);
    end(shared.clone(), caller(&by)?, txn, (headers, body), "abort", wish).await
}

pub(super) async fn roll_back(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    Path(txn): Path<u64>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let wish = move |shared: &Shared| shared.manager.roll_back(txn);
    end(shared.clone(), caller(&by)?, txn, (headers, body), "roll back", wish).await
}
