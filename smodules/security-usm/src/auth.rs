//! How the authentication modules are reached: by their role.
//!
//! A version of this module that has an interface of its own with one of them has another file in this place.

use roles::auth::AuthProtocolProxy;
use s_sdk::{CallError, Host};

/// An authentication module.
pub(crate) type AuthProxy = AuthProtocolProxy;

/// The authentication module of a component.
pub(crate) fn lookup(host: &Host, component: &str) -> Result<AuthProxy, CallError> {
    host.lookup(component)
}
