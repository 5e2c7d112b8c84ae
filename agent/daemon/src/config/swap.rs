//! `[swap]` of `sagentd.toml`: whose packages this agent admits, and which operators may do what.
//!
//! It opens none of the files that it names. Invariant: nobody holds a role who is not named with it, but
//! root and the agent's own user on this machine.

use s_listening::{Operator, Operators, Role, Tls};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Who may change the modules of this agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SwapSettings {
    /// The trust store.
    pub(crate) trust: Option<PathBuf>,
    /// Whether whoever pushed a swap may not be the one who confirms it.
    pub(crate) two_persons: bool,
    /// Where operators come from afar.
    pub(crate) tls: Option<Tls>,
    /// Who they are.
    pub(crate) operators: Vec<Operator>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SwapTable {
    trust: Option<PathBuf>,
    two_persons: bool,
    listen: Option<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    operator: Vec<OperatorTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OperatorTable {
    name: String,
    uid: Option<u32>,
    /// The SHA-256 of their certificate.
    fingerprint: Option<String>,
    common_name: Option<String>,
    roles: Vec<Role>,
}

/// What the table says.
pub(super) fn settings(table: SwapTable) -> Result<SwapSettings, String> {
    let SwapTable { trust, two_persons, listen, certificate, key, client_ca, operator } = table;
    let tls = match (listen, certificate, key, client_ca) {
        (None, None, None, None) => None,
        (Some(listen), Some(certificate), Some(key), Some(client_ca)) => {
            Some(Tls { listen, certificate, key, client_ca })
        }
        _ => {
            return Err(
                "operators from afar need `listen`, `certificate`, `key` and `client-ca`, all \
                        four; write what is missing, or none of them"
                    .into(),
            );
        }
    };
    let operators = operator.into_iter().map(|one| {
        let OperatorTable { name, uid, fingerprint, common_name, roles } = one;
        match roles.is_empty() {
            true => Err(format!(
                "operator `{name}` has no `roles`; write \"read\", \"push\" or \"approve\""
            )),
            false => Ok(Operator { name, uid, fingerprint, common_name, roles }),
        }
    });
    let operators = operators.collect::<Result<Vec<_>, _>>()?;
    Operators::new(operators.clone()).map_err(|error| error.to_string())?;
    Ok(SwapSettings { trust, two_persons, tls, operators })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SwapSettings, String> {
        settings(toml::from_str(text).map_err(|error| error.message().to_owned())?)
    }

    #[test]
    fn what_is_written_is_what_holds() {
        let settings = read(
            "trust = '/t'\ntwo-persons = true\nlisten = '127.0.0.1:8161'\ncertificate = '/c'\nkey = '/k'\n\
             client-ca = '/a'\n[[operator]]\nname = 'night'\nuid = 1000\nroles = ['read', 'push']",
        )
        .unwrap();
        assert!(settings.two_persons && settings.trust == Some("/t".into()));
        assert_eq!(settings.tls.unwrap().client_ca, PathBuf::from("/a"));
        assert_eq!(settings.operators[0].roles, [Role::Read, Role::Push]);
        assert_eq!(read("").unwrap(), SwapSettings::default());
    }

    #[test]
    fn half_of_a_setting_is_refused_with_the_other_half_named() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("listen = '127.0.0.1:1'").contains("`client-ca`"));
        assert!(wrong("[[operator]]\nname = 'a'\nuid = 1\nroles = []").contains("\"approve\""));
        assert!(wrong("[[operator]]\nname = 'a'\nroles = ['read']").contains("fingerprint"));
        assert!(wrong("[[operator]]\nname = 'a'\nuid = 1\nroles = ['all']").contains("all"));
        assert!(wrong("lisen = 1").contains("lisen"));
    }
}
