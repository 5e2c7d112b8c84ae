//! Who calls, and what they may do.
//!
//! Over the Unix socket the kernel names the caller's user; over TLS the certificate does, after its chain
//! was checked. Nothing that a caller says in a request makes it somebody. Invariant: whoever is not named here, and is
//! neither root nor the application's own user, has no role.

use crate::certificate;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See what is there.
    Read,
    /// Begin swaps and give them up.
    Push,
    /// Keep a swap, go back to an older version, change who is trusted.
    Approve,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Read => "read",
            Role::Push => "push",
            Role::Approve => "approve",
        })
    }
}

/// Somebody who may do something.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// What logs and the history call them.
    pub name: String,
    /// Their user on this machine, for the Unix socket.
    pub uid: Option<u32>,
    /// The SHA-256 of their certificate in hexadecimal, for TLS.
    pub fingerprint: Option<String>,
    /// The common name in their certificate's subject, for TLS.
    pub common_name: Option<String>,
    /// What they may do.
    pub roles: Vec<Role>,
}

/// All operators.
#[derive(Clone, Debug, Default)]
pub struct Operators(Vec<Operator>);

/// Why a list of operators is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorsFault {
    /// Nobody could be recognised as this one.
    #[error("operator `{0}` cannot be recognised: give a uid, a fingerprint or a common_name")]
    Nobody(String),
    /// A name that says nothing, or says it twice.
    #[error("operator `{0}`: names are not empty, not `root`, not `uid …`, and each is there once")]
    Name(String),
    /// Two operators are recognised by the same thing.
    #[error("operators `{0}` and `{1}` cannot be told apart: give each an own uid and certificate")]
    Same(String, String),
    /// Not the SHA-256 of anything.
    #[error("operator `{name}`: `{fingerprint}` is not a SHA-256 of 64 hexadecimal digits")]
    Fingerprint {
        /// Whose.
        name: String,
        /// What was given.
        fingerprint: String,
    },
}

impl Operators {
    /// These operators.
    ///
    /// # Errors
    /// One of them cannot be recognised, or not apart from another.
    pub fn new(mut list: Vec<Operator>) -> Result<Self, OperatorsFault> {
        for operator in &mut list {
            let name = operator.name.clone();
            if let Some(given) = &mut operator.fingerprint {
                let digits = fingerprint_digits(given).ok_or_else(|| {
                    OperatorsFault::Fingerprint { name: name.clone(), fingerprint: given.clone() }
                })?;
                *given = digits;
            }
            if (operator.uid.is_none(), &operator.fingerprint, &operator.common_name)
                == (true, &None, &None)
            {
                return Err(OperatorsFault::Nobody(name));
            }
            if name.is_empty() || name == "root" || name.starts_with("uid ") {
                return Err(OperatorsFault::Name(name));
            }
        }
        for (i, one) in list.iter().enumerate() {
            for other in &list[i + 1..] {
                if one.name == other.name {
                    return Err(OperatorsFault::Name(one.name.clone()));
                }
                let same = (one.uid.is_some() && one.uid == other.uid)
                    || (one.fingerprint.is_some() && one.fingerprint == other.fingerprint)
                    || (one.common_name.is_some() && one.common_name == other.common_name);
                if same {
                    return Err(OperatorsFault::Same(one.name.clone(), other.name.clone()));
                }
            }
        }
        Ok(Operators(list))
    }

    /// Somebody other than root and the application's own user may call over the Unix socket.
    pub(crate) fn has_uids(&self) -> bool {
        self.0.iter().any(|operator| operator.uid.is_some())
    }

    /// Who calls over the Unix socket. `own` is the application's user.
    pub(crate) fn by_uid(&self, uid: u32, own: u32) -> Caller {
        let named = self.0.iter().find(|operator| operator.uid == Some(uid));
        let name = match named {
            Some(operator) => operator.name.clone(),
            None if uid == 0 => "root".to_owned(),
            None => format!("uid {uid}"),
        };
        let is_owner = uid == 0 || uid == own;
        let roles = if is_owner {
            vec![Role::Read, Role::Push, Role::Approve]
        } else {
            named.map_or_else(Vec::new, |operator| operator.roles.clone())
        };
        Caller { name, roles, local: true, is_owner }
    }

    /// Who calls with this certificate, whose chain was checked.
    pub(crate) fn by_certificate(&self, der: &[u8]) -> Caller {
        let fingerprint = hex(&Sha256::digest(der));
        let common_name = certificate::common_name(der);
        // The certificate itself says more than the name that somebody had put into it.
        let named = self
            .0
            .iter()
            .find(|operator| operator.fingerprint.as_ref() == Some(&fingerprint))
            .or_else(|| {
                let by_name =
                    |o: &&Operator| o.common_name.is_some() && o.common_name == common_name;
                self.0.iter().find(by_name)
            });
        let (name, roles) = match named {
            Some(operator) => (operator.name.clone(), operator.roles.clone()),
            None => (format!("certificate {fingerprint}"), Vec::new()),
        };
        Caller { name, roles, local: false, is_owner: false }
    }
}

/// Lower-case digits without what people put between them.
fn fingerprint_digits(given: &str) -> Option<String> {
    let digits = given.strip_prefix("sha256:").unwrap_or(given).replace(':', "");
    let whole = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    whole.then(|| digits.to_ascii_lowercase())
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Whoever is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) roles: Vec<Role>,
    /// Over the Unix socket.
    pub(crate) local: bool,
    /// Root, or the application's own user.
    pub(crate) is_owner: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: &str) -> Operator {
        Operator {
            name: name.to_owned(),
            uid: None,
            fingerprint: None,
            common_name: None,
            roles: vec![Role::Read],
        }
    }

    #[test]
    fn root_and_the_own_user_hold_all_and_others_what_they_were_given() {
        let one = Operator { uid: Some(1000), ..operator("one") };
        let operators = Operators::new(vec![one]).unwrap();
        assert_eq!(operators.by_uid(0, 7).roles.len(), 3);
        assert_eq!(operators.by_uid(7, 7).roles.len(), 3);
        let caller = operators.by_uid(1000, 7);
        assert_eq!((caller.name.as_str(), caller.roles), ("one", vec![Role::Read]));
        let caller = operators.by_uid(1001, 7);
        assert_eq!((caller.name.as_str(), caller.roles), ("uid 1001", vec![]));
    }

    #[test]
    fn who_cannot_be_recognised_or_told_apart_is_refused() {
        let fault = |list: Vec<Operator>| Operators::new(list).unwrap_err();
        assert_eq!(fault(vec![operator("a")]), OperatorsFault::Nobody("a".into()));
        for name in ["", "root", "uid 5"] {
            let one = Operator { uid: Some(5), ..operator(name) };
            assert_eq!(fault(vec![one]), OperatorsFault::Name(name.into()));
        }
        let (a, b) = (
            Operator { uid: Some(5), ..operator("a") },
            Operator { uid: Some(5), ..operator("b") },
        );
        assert_eq!(fault(vec![a.clone(), b]), OperatorsFault::Same("a".into(), "b".into()));
        let again = Operator { uid: Some(6), ..operator("a") };
        assert_eq!(fault(vec![a, again]), OperatorsFault::Name("a".into()));
        let short = Operator { fingerprint: Some("ab:cd".into()), ..operator("a") };
        assert!(matches!(fault(vec![short]), OperatorsFault::Fingerprint { .. }));
    }

    #[test]
    fn a_fingerprint_may_be_written_as_programs_print_it() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(fingerprint_digits(&colons), Some(plain.clone()));
        assert_eq!(fingerprint_digits(&format!("sha256:{plain}")), Some(plain.clone()));
        assert_eq!(fingerprint_digits(&plain[1..]), None);
    }
}
