//! The fields of access directives: models, levels, masks, and what is given access to.
//!
//! It changes no table. Invariant: a name that comes from here is no longer than the tables take.

use super::names;
use super::verdict::{Verdict, ignored, refused};
use super::words::Words;
use roles::settings::AccessEntry;
use roles::varbind::{SecurityLevel, security_model};

/// SnmpAdminString, as the tables bound it.
const MAX_NAME: usize = 32;

/// What a directive gives access to.
pub(super) struct Place {
    pub(super) what: What,
    pub(super) context: Vec<u8>,
    pub(super) exact: bool,
}

pub(super) enum What {
    View(String),
    Subtree(Vec<u32>),
}

impl Place {
    /// `[OID | -V VIEW [CONTEXT]]`
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, Verdict> {
        let what = match words.word() {
            None => What::View("_all_".into()),
            Some(option) if option == "-V" => match words.word() {
                Some(view) => What::View(view),
                None => return refused("the view's name is missing behind `-V`: give it"),
            },
            Some(subtree) => What::Subtree(names::oid(&subtree).map_err(Verdict::Refused)?),
        };
        // Without a context all contexts are meant, and with one that does not end with `*` only that one.
        let context = words.word();
        let (context, exact) = match context.as_deref() {
            None => ("", false),
            Some(context) => match context.strip_suffix('*') {
                Some(start) => (start, false),
                None => (context, true),
            },
        };
        Ok(Place { what, context: short(context, "the context")?, exact })
    }
}

/// What `access` and `setaccess` have in common.
pub(super) fn access_head(words: &mut Words<'_>) -> Result<(AccessEntry, String), Verdict> {
    let fields = [(); 5].map(|()| words.token());
    let [Some(group), Some(context), Some(model), Some(level), Some(prefix)] = fields else {
        return refused(
            "an access entry has a group, a context, a model, a level and `exact` or `prefix`: give all five",
        );
    };
    let context = if ["\"\"", "''"].contains(&context) { "" } else { context };
    let (exact, note) = match prefix {
        "exact" => (true, ""),
        "prefix" => (false, ""),
        "0" => (true, "`0` means `exact`; snmpd warns and takes it"),
        _ => {
            return refused(
                "how the context matches is neither `exact` nor `prefix`: write one of them",
            );
        }
    };
    let entry = AccessEntry {
        group: short(group, "the group")?,
        context: short(context, "the context")?,
        exact,
        security_model: model_number(model)?,
        security_level: level_number(level)?,
        read_view: Vec::new(),
        write_view: Vec::new(),
        notify_view: Vec::new(),
    };
    Ok((entry, note.to_owned()))
}

pub(super) fn index(entry: &AccessEntry) -> (&[u8], &[u8], u32, u32) {
    (&entry.group, &entry.context, entry.security_model, entry.security_level)
}

pub(super) fn short(name: &str, what: &str) -> Result<Vec<u8>, Verdict> {
    match name.len() {
        ..=MAX_NAME => Ok(name.into()),
        len => refused(format!("{what} has {len} octets: give at most {MAX_NAME}")),
    }
}

pub(super) fn model_number(name: &str) -> Result<u32, Verdict> {
    match &name.to_ascii_lowercase()[..] {
        "any" => Ok(security_model::ANY),
        "v1" => Ok(security_model::SNMPV1),
        "v2c" => Ok(security_model::SNMPV2C),
        "usm" => Ok(security_model::USM),
        "tsm" | "ksm" => ignored(
            "it is for principals of a transport (TLS, DTLS, SSH) or of Kerberos, and nobody comes by those here",
        ),
        _ => refused("the security model is none of any, v1, v2c, usm: write one of them"),
    }
}

pub(super) fn level_number(name: &str) -> Result<u32, Verdict> {
    match &name.to_ascii_lowercase()[..] {
        "noauth" | "noauthnopriv" => Ok(SecurityLevel::NoAuthNoPriv as u32),
        "auth" | "authnopriv" => Ok(SecurityLevel::AuthNoPriv as u32),
        "priv" | "authpriv" => Ok(SecurityLevel::AuthPriv as u32),
        _ => refused("the level is none of noauth, auth, priv: write one of them"),
    }
}

/// `ff:a0`, `ff.a0`, `0xff:a0`
pub(super) fn mask(text: &str) -> Result<Vec<u8>, Verdict> {
    let parts = text.split([' ', '.', ':', '\t']).filter(|part| !part.is_empty());
    let octet = |part: &str| {
        let digits = part.strip_prefix("0x").unwrap_or(part);
        u8::from_str_radix(digits, 16).or_else(|_| {
            refused(
                "the mask is not hex octets with `:` or `.` between them, as in ff:a0; \
                 a comment stands on a line of its own, because snmpd takes what follows for a mask",
            )
        })
    };
    let mask: Vec<u8> = parts.map(octet).collect::<Result<_, _>>()?;
    if mask.len() > 16 {
        refused("the mask has more octets than 16: no name is that long")
    } else {
        Ok(mask)
    }
}
