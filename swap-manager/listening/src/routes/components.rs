//! One component: what it is, what it carries, what it answers, what could serve instead.

use super::status::json_of;
use super::{Answer, AsJson, By, caller, small};
use crate::fault::Fault;
use crate::json::{argument, described, redacted, shown, sounds_secret};
use crate::shared::{Room, Shared};
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use s_sdk::Level;
use s_sdk::component::InvokeError;
use s_sdk::error::CallErrorKind;
use s_sdk::value::Value;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn no_such(component: &str) -> Fault {
    Fault::not_found(format!("no component is named `{component}`; the status has the names"))
}

pub(super) async fn describe(
    State(shared): State<Arc<Shared>>,
    Path(component): Path<String>,
) -> Answer {
    let work = move |shared: &Shared| {
        let mut all = shared.manager.status().components.into_iter();
        let status = all.find(|status| status.name == component);
        let status = status.ok_or_else(|| no_such(&component))?;
        let module = shared.manager.describe(&component).ok_or_else(|| {
            Fault::not_found(format!("component `{component}` binds no module now"))
        })?;
        let mut answer = described(&module);
        answer.insert("origin".into(), status.origin.into());
        answer.insert("generation".into(), status.generation.into());
        Ok(AsJson(Json::Object(answer)))
    };
    shared.off_thread(Room::Modules, work).await?
}

pub(super) async fn state(
    State(shared): State<Arc<Shared>>,
    Path(component): Path<String>,
) -> Answer {
    let work = move |shared: &Shared| {
        let carried = shared.manager.state(&component)?;
        let is_secret =
            |field: &str| sounds_secret(field) || shared.application.is_secret(&component, field);
        Ok(AsJson(json!({
            "component": component,
            "version": carried.version,
            "kind": carried.kind,
            "state_version": carried.state_version,
            "state": redacted(&carried.state, &is_secret),
        })))
    };
    shared.off_thread(Room::Modules, work).await?
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invocation {
    method: String,
    #[serde(default)]
    args: Vec<Json>,
}

pub(super) async fn invoke(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    Path(component): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let caller = caller(&by)?;
    if !caller.is_owner {
        // Some methods read keys and change rights, which nobody may who only may push what others sign.
        let why = "`invoke` is for root and the application's own user, on this machine";
        return Err(Fault::not_allowed(why));
    }
    let Invocation { method, args } = small(&headers, body).await?;
    let operator = caller.name.clone();
    let work = move |shared: &Shared| {
        let runtime = shared.manager.runtime();
        let found = runtime.component(&component).ok_or_else(|| no_such(&component))?;
        let module = shared.manager.describe(&component);
        // By its own name, or by its behavior's and its own.
        let behaviors = || module.iter().flat_map(|module| &module.behaviors);
        let named = behaviors()
            .flat_map(|behavior| behavior.methods.iter().map(move |method| (behavior, method)))
            .find(|(behavior, known)| {
                known.name == method
                    || method.strip_prefix(&behavior.name).and_then(|rest| rest.strip_prefix('.'))
                        == Some(&known.name)
            });
        // What the method writes is in its answer; only the rest is given.
        let shapes: Vec<&str> = named
            .iter()
            .flat_map(|(_, method)| &method.params)
            .filter(|param| !param.output)
            .map(|param| param.shape.as_str())
            .collect();
        let args: Result<Vec<Value>, Fault> = args
            .iter()
            .enumerate()
            .map(|(i, arg)| {
                let fault = |why: String| Fault::bad_request(format!("argument {i}: {why}"));
                argument(arg, shapes.get(i).copied()).map_err(fault)
            })
            .collect();
        let args = args?;
        let call = format!("operator {operator}: invoke {component} {method}");
        shared.log(Level::Info, &call);
        let answer = runtime.worker().serve(|act| found.invoke(act, &method, &args));
        let error = match answer {
            Ok(result) => return Ok(AsJson(json!({ "result": shown(&result) }))),
            // The method's own no is an answer like any other.
            Err(InvokeError::Method(error)) => {
                return Err(Fault::refused(format!("{component} {method}: {}", shown(&error))));
            }
            Err(InvokeError::Call(error)) => error,
        };
        let message = format!("{component} {method}: {error}");
        Err(match error.kind {
            CallErrorKind::NotUnderstood => {
                let offered = behaviors().flat_map(|b| b.methods.iter().filter(|m| m.offered));
                let offered: Vec<&str> = offered.map(|method| method.name.as_str()).collect();
                Fault::not_understood(format!("{message}; it has {}", offered.join(", ")))
            }
            CallErrorKind::Absent => Fault::not_found(message),
            CallErrorKind::BadArgument => Fault::bad_request(message),
            CallErrorKind::GateTimeout => Fault::unavailable(message),
            _ => Fault::refused(message),
        })
    };
    shared.off_thread(Room::Modules, work).await?
}

pub(super) async fn versions(
    State(shared): State<Arc<Shared>>,
    Path(component): Path<String>,
) -> Answer {
    let work = move |shared: &Shared| {
        let kept = shared.manager.versions(&component)?;
        Ok(AsJson(json!({ "component": component, "versions": json_of(kept)? })))
    };
    shared.off_thread(Room::Manager, work).await?
}
