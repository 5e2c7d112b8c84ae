//! How a no is written: an HTTP status, a word that programs can rely on, and a sentence for people.
//!
//! Invariant: what a caller did wrong is 4xx; 503 says that this side is busy or broken, and nothing else does.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use s_control::SwapError;
use s_control::carried::CarriedFault;
use s_control::kept::KeptFault;
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// A no.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    word: &'static str,
    pub(crate) message: String,
    more: Map<String, Json>,
    retry_after: Option<Duration>,
}

impl Fault {
    fn new(status: StatusCode, word: &'static str, message: impl Into<String>) -> Self {
        Fault { status, word, message: message.into(), more: Map::new(), retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(crate) fn too_slow(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "bad-request", message)
    }

    pub(crate) fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-allowed", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    pub(crate) fn not_understood(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-understood", message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message)
    }

    /// It would be in order at another time.
    pub(crate) fn not_now(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "refused", message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    }

    pub(crate) fn too_many(message: impl Into<String>, after: Duration) -> Self {
        let fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", message);
        Fault { retry_after: Some(after), ..fault }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// What a status that another layer chose means.
    pub(crate) fn of_status(status: StatusCode, message: String) -> Self {
        let word = match status {
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            status if status.is_client_error() => "bad-request",
            _ => "unavailable",
        };
        Self::new(status, word, message)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response<Body> {
        let mut body = self.more;
        body.insert("error".into(), self.word.into());
        body.insert("message".into(), self.message.into());
        let mut response = Response::new(Body::from(Json::Object(body).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(after) = self.retry_after {
            // Rounded up: who comes at the second named is not sent away again.
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs() + 1));
        }
        response
    }
}

impl From<SwapError> for Fault {
    fn from(error: SwapError) -> Self {
        let message = error.to_string();
        match error {
            SwapError::Request(_) => Self::refused(message),
            SwapError::NoSuchSwap { .. } => Self::not_found(message),
            SwapError::Refused(_) => Self::not_now(message),
            SwapError::Busy { txn, components, phase } => {
                let mut fault = Self::new(StatusCode::CONFLICT, "busy", message);
                let components: Vec<Json> = components.split(", ").map(Json::from).collect();
                fault.more.insert("txn".into(), txn.into());
                fault.more.insert("components".into(), components.into());
                fault.more.insert("phase".into(), phase.into());
                fault
            }
        }
    }
}

impl From<KeptFault> for Fault {
    fn from(fault: KeptFault) -> Self {
        // Neither an unknown component nor an unknown version is there.
        Self::not_found(fault.to_string())
    }
}

impl From<CarriedFault> for Fault {
    fn from(fault: CarriedFault) -> Self {
        let message = fault.to_string();
        match fault {
            CarriedFault::NoSuchComponent(_) | CarriedFault::Nothing(_) => Self::not_found(message),
            CarriedFault::NotExported { .. } => Self::not_now(message),
        }
    }
}
