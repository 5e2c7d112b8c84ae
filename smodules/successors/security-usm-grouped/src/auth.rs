//! How the authentication modules are reached: by their role, and `auth.sha2` by the interface of the group.

use grouped_role::{GroupedAuthProxy, InItsRole};
use roles::auth::{AuthError, AuthParameters, AuthProtocol, AuthProtocolProxy};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, CallError, Host, List};

/// The authentication module that is in the group.
const GROUPED: &str = "auth.sha2";

/// An authentication module.
#[derive(Clone, Copy)]
pub(crate) enum AuthProxy {
    Grouped(InItsRole<GroupedAuthProxy>),
    Other(AuthProtocolProxy),
}

/// The authentication module of a component.
pub(crate) fn lookup(host: &Host, component: &str) -> Result<AuthProxy, CallError> {
    Ok(match component {
        GROUPED => AuthProxy::Grouped(InItsRole(host.lookup(component)?)),
        _ => AuthProxy::Other(host.lookup(component)?),
    })
}

impl AuthProxy {
    fn role(&self) -> &dyn AuthProtocol {
        match self {
            AuthProxy::Grouped(grouped) => grouped,
            AuthProxy::Other(other) => other,
        }
    }
}

impl AuthProtocol for AuthProxy {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        self.role().protocol(act, position, name)
    }

    fn password_to_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        self.role().password_to_key(act, protocol, password, key)
    }

    fn localize_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        self.role().localize_key(act, protocol, key, engine_id, localized)
    }

    fn digest(
        &self,
        act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        self.role().digest(act, protocol, octets, hash)
    }

    fn prepare_key(
        &self,
        act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        self.role().prepare_key(act, protocol, localized, prepared)
    }

    fn sign(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        self.role().sign(act, prepared, message, field, mac)
    }

    fn verify(
        &self,
        act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        self.role().verify(act, prepared, message, field)
    }
}
