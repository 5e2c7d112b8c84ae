//! What there is to ask, and which role it takes.
//!
//! Invariant: a route cannot be written down without its roles, and the same list makes the router, the check of
//! the roles and the test of `openapi.json`.

mod components;
mod events;
mod status;
mod swaps;
mod trust;

use crate::connections::Connection;
use crate::fault::Fault;
use crate::limits::{BODY_OCTETS, after_all, whole};
use crate::operators::{Caller, Role};
use crate::shared::Shared;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Extension, Request};
use axum::handler::Handler;
use axum::http::header::{CONTENT_TYPE, HeaderMap, ORIGIN};
use axum::http::{Method, Response};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json as AsJson, Router};
use s_sdk::Level;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::sync::Arc;

/// What every route describes itself with, word for word.
const OPENAPI: &str = include_str!("openapi.json");

/// An answer, or a no.
type Answer = Result<AsJson<Json>, Fault>;

/// Who asks. The service's own part of a request: it is there, or the service is broken.
type By = Extension<Arc<Connection>>;

struct Route {
    method: Method,
    path: &'static str,
    /// One of these is needed.
    any_of: &'static [Role],
    answer: MethodRouter<Arc<Shared>>,
}

const READ: &[Role] = &[Role::Read];
const PUSH: &[Role] = &[Role::Push];
const APPROVE: &[Role] = &[Role::Approve];
/// To take a swap back within its window is for whoever may begin it, and for whoever may end it.
const PUSH_OR_APPROVE: &[Role] = &[Role::Push, Role::Approve];

/// A route; its method is written once.
fn route<H, T>(method: Method, path: &'static str, any_of: &'static [Role], answer: H) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    let filter = if method == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
    Route { method, path, any_of, answer: on(filter, answer) }
}

/// All routes.
fn all() -> Vec<Route> {
    use Method as M;
    vec![
        route(M::GET, "/v1/status", READ, status::status),
        route(M::GET, "/v1/history", READ, status::history),
        route(M::GET, "/v1/components/{component}", READ, components::describe),
        route(M::GET, "/v1/components/{component}/state", READ, components::state),
        route(M::POST, "/v1/components/{component}/invoke", PUSH, components::invoke),
        route(M::GET, "/v1/versions/{component}", READ, components::versions),
        route(M::POST, "/v1/plans", PUSH, swaps::plan),
        route(M::POST, "/v1/swaps", PUSH, swaps::push),
        route(M::GET, "/v1/swaps/{txn}", READ, swaps::one),
        route(M::POST, "/v1/swaps/{txn}/confirm", APPROVE, swaps::confirm),
        route(M::POST, "/v1/swaps/{txn}/abort", PUSH, swaps::abort),
        route(M::POST, "/v1/swaps/{txn}/rollback", PUSH_OR_APPROVE, swaps::roll_back),
        route(M::POST, "/v1/rollbacks", APPROVE, swaps::roll_back_to),
        route(M::GET, "/v1/events", READ, events::events),
        route(M::GET, "/v1/trust", READ, trust::shown),
        route(M::POST, "/v1/trust", APPROVE, trust::update),
        route(M::GET, "/v1/application/{what}", READ, status::application),
        route(M::GET, "/v1/openapi.json", READ, openapi),
    ]
}

/// The router of a service.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for Route { method, path, any_of, answer } in all() {
        let what = Arc::new(format!("{method} {path}"));
        let shared = Arc::clone(&shared);
        let check = from_fn(move |by: By, request: Request, next: Next| {
            let allowed = check(&what, any_of, &by.0, &request);
            if let Err(fault) = &allowed {
                shared.log(Level::Warning, &fault.message);
            }
            async move {
                match allowed {
                    Ok(()) => {
                        let _busy = by.0.busy();
                        Ok(next.run(request).await)
                    }
                    // Not busy: who may do nothing gives way to others meanwhile.
                    Err(fault) => Err(after_all(request.into_body(), fault).await),
                }
            }
        });
        router = router.route(path, answer.route_layer(check));
    }
    router
        .fallback(|| async {
            Fault::not_found("no such thing; /v1/openapi.json lists what there is")
        })
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(map_response(in_our_words))
        .with_state(shared)
}

fn check(
    what: &str,
    any_of: &[Role],
    connection: &Connection,
    request: &Request,
) -> Result<(), Fault> {
    let caller = caller(connection)?;
    if !any_of.iter().any(|role| caller.roles.contains(role)) {
        let roles: Vec<String> = any_of.iter().map(ToString::to_string).collect();
        return Err(Fault::not_allowed(format!(
            "{} lacks the role `{}`, which {what} takes; the application's configuration gives it",
            caller.name,
            roles.join("` or `"),
        )));
    }
    // A page in a browser that has an operator's certificate must not act in the operator's name.
    if request.headers().contains_key(ORIGIN) {
        return Err(Fault::not_allowed("this service is not for pages in browsers"));
    }
    Ok(())
}

/// Who calls.
fn caller(connection: &Connection) -> Result<&Caller, Fault> {
    connection.caller().ok_or_else(|| Fault::unavailable("nobody knows who calls"))
}

/// Refusals that come from below us, such as a path that is none, get our form.
async fn in_our_words(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let json = |value: &axum::http::HeaderValue| value.as_bytes().starts_with(b"application/json");
    if status.as_u16() < 400 || response.headers().get(CONTENT_TYPE).is_some_and(json) {
        return response;
    }
    let text = whole(response.into_body(), BODY_OCTETS).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text = if text.is_empty() { status.to_string() } else { text.into_owned() };
    Fault::of_status(status, text).into_response()
}

async fn openapi() -> Response<Body> {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// The JSON in a small body; an empty one is `{}`.
async fn small<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Fault> {
    let octets = whole(body, BODY_OCTETS).await?;
    let json = headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !octets.is_empty() && !json {
        return Err(Fault::bad_request("the body's content-type is not application/json"));
    }
    let octets = if octets.is_empty() { "{}".into() } else { octets };
    serde_json::from_slice(&octets).map_err(|why| Fault::bad_request(format!("the body: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_with_its_roles_and_nothing_else_is() {
        let described: Json = serde_json::from_str(OPENAPI).unwrap();
        let mut there = BTreeSet::new();
        for (path, methods) in described["paths"].as_object().unwrap() {
            for (method, what) in methods.as_object().unwrap() {
                let roles: Vec<&str> = what["x-roles"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|r| r.as_str().unwrap())
                    .collect();
                assert!(what["summary"].is_string() && what["responses"].is_object(), "{path}");
                there.insert(format!("{} {path} {}", method.to_uppercase(), roles.join(",")));
            }
        }
        let ours = all().into_iter().map(|route| {
            let roles: Vec<String> = route.any_of.iter().map(ToString::to_string).collect();
            format!("{} {} {}", route.method, route.path, roles.join(","))
        });
        assert_eq!(there, ours.collect::<BTreeSet<_>>());
    }

    #[test]
    fn what_the_description_refers_to_is_in_it() {
        let described: Json = serde_json::from_str(OPENAPI).unwrap();
        let mut references = 0;
        let mut parts = vec![&described];
        while let Some(part) = parts.pop() {
            match part {
                Json::Object(members) => {
                    if let Some(Json::String(reference)) = members.get("$ref") {
                        let place = reference.strip_prefix('#').unwrap();
                        assert!(described.pointer(place).is_some(), "{reference}");
                        references += 1;
                    }
                    parts.extend(members.values());
                }
                Json::Array(members) => parts.extend(members),
                _ => {}
            }
        }
        assert!(references > 20, "{references}");
    }
}
