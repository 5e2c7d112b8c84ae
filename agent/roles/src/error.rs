//! How roles refuse: one kind per reason, and for each reason the MIB counter that it moves.
//!
//! An error is two numbers (and sometimes a handle), because an enum with payload has no layout that two
//! compilers share. Modules never move the counters named here: whoever discards the message does, in one
//! place, so that a counter moves once per discard, whichever module found the reason.

use std::fmt;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $arcs:expr;)*) => {
        /// The engine's counters: those that discards move, and those of all messages. Appended to, never
        /// reordered: a module finds one by its place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            /// All of them.
            pub const ALL: &'static [Counter] = &[$(Counter::$name),*];

            /// Its name in the MIB.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$name => $text),* }
            }

            /// Its instance: what a Report carries.
            pub const fn instance(self) -> &'static [u32] {
                match self { $(Counter::$name => &$arcs),* }
            }
        }
    };
}

counters! {
    /// Messages of a version that nobody processes (RFC 3418).
    BadVersions, "snmpInBadVersions", [1, 3, 6, 1, 2, 1, 11, 3, 0];
    /// Messages with an unknown community (RFC 3418).
    BadCommunityNames, "snmpInBadCommunityNames", [1, 3, 6, 1, 2, 1, 11, 4, 0];
    /// Messages with a community that does not allow the operation (RFC 3418).
    BadCommunityUses, "snmpInBadCommunityUses", [1, 3, 6, 1, 2, 1, 11, 5, 0];
    /// Messages that are not BER, or not SNMP (RFC 3418).
    AsnParseErrs, "snmpInASNParseErrs", [1, 3, 6, 1, 2, 1, 11, 6, 0];
    /// Requests whose answer, even empty, did not fit (RFC 3418).
    SilentDrops, "snmpSilentDrops", [1, 3, 6, 1, 2, 1, 11, 31, 0];
    /// Messages under an unknown security model (RFC 3412).
    UnknownSecurityModels, "snmpUnknownSecurityModels", [1, 3, 6, 1, 6, 3, 11, 2, 1, 1, 0];
    /// Messages with invalid or inconsistent components (RFC 3412).
    InvalidMsgs, "snmpInvalidMsgs", [1, 3, 6, 1, 6, 3, 11, 2, 1, 2, 0];
    /// PDUs that no application takes (RFC 3412).
    UnknownPduHandlers, "snmpUnknownPDUHandlers", [1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0];
    /// Requests for a context that is not available now (RFC 3413).
    UnavailableContexts, "snmpUnavailableContexts", [1, 3, 6, 1, 6, 3, 12, 1, 4, 0];
    /// Requests for a context that does not exist (RFC 3413).
    UnknownContexts, "snmpUnknownContexts", [1, 3, 6, 1, 6, 3, 12, 1, 5, 0];
    /// Messages at a level that the user does not have (RFC 3414).
    UnsupportedSecLevels, "usmStatsUnsupportedSecLevels", [1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0];
    /// Messages outside the time window (RFC 3414).
    NotInTimeWindows, "usmStatsNotInTimeWindows", [1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];
    /// Messages of an unknown user (RFC 3414).
    UnknownUserNames, "usmStatsUnknownUserNames", [1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0];
    /// Messages for another engine (RFC 3414).
    UnknownEngineIds, "usmStatsUnknownEngineIDs", [1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
    /// Messages with a wrong digest (RFC 3414).
    WrongDigests, "usmStatsWrongDigests", [1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0];
    /// Messages that did not decrypt (RFC 3414).
    DecryptionErrors, "usmStatsDecryptionErrors", [1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0];
    /// Messages that came (RFC 3418).
    InPackets, "snmpInPkts", [1, 3, 6, 1, 2, 1, 11, 1, 0];
    /// Requests that could not be forwarded (RFC 3418).
    ProxyDrops, "snmpProxyDrops", [1, 3, 6, 1, 2, 1, 11, 32, 0];
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Writes an error of a role: its kinds with a sentence and a counter each, and the struct that crosses.
///
/// `with state` adds the handle under which a Report can be made of the discarded message.
macro_rules! role_error {
    (
        $(#[$doc:meta])* $error:ident of $kind:ident $(with $state:ident: $reference:ty)?;
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal, $sentence:literal, $counter:expr;)*
    ) => {
        #[doc = concat!("The reasons of [`", stringify!($error), "`]; appended to, never renumbered.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ::s_sdk::Plain)]
        #[repr(u32)]
        pub enum $kind {
            /// The call itself failed; the detail is the number of its `CallErrorKind`.
            Call = 0,
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [$kind] = &[$kind::Call $(, $kind::$variant)*];

            /// The kind with this number.
            pub fn from_number(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
            }

            /// The counter that a discard for this reason moves, if one does.
            pub const fn counter(self) -> Option<$crate::error::Counter> {
                match self {
                    $kind::Call => None,
                    $($kind::$variant => $counter,)*
                }
            }
        }

        impl ::std::fmt::Display for $kind {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self {
                    $kind::Call => "the call failed",
                    $($kind::$variant => $sentence,)*
                })
            }
        }

        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ::s_sdk::Plain)]
        #[repr(C)]
        pub struct $error {
            /// What happened.
            pub kind: $kind,
            /// One number that says more; otherwise 0.
            pub detail: u32,
            $(
                /// Under what a Report of this discard can be made; the handle of nothing if none may be sent.
                pub $state: $reference,
            )?
        }

        impl $error {
            /// An error without a detail.
            pub const fn new(kind: $kind) -> Self {
                Self::detailed(kind, 0)
            }

            /// An error and the number that says more.
            pub const fn detailed(kind: $kind, detail: u32) -> Self {
                $error { kind, detail $(, $state: <$reference>::none())? }
            }
        }

        impl ::std::fmt::Display for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self.detail {
                    0 => self.kind.fmt(f),
                    detail => write!(f, "{} ({detail})", self.kind),
                }
            }
        }

        impl ::std::error::Error for $error {}

        impl From<$kind> for $error {
            fn from(kind: $kind) -> Self {
                $error::new(kind)
            }
        }

        impl From<::s_sdk::CallError> for $error {
            fn from(error: ::s_sdk::CallError) -> Self {
                $error::detailed($kind::Call, error.kind as u32)
            }
        }

        impl From<::s_sdk::Full> for $error {
            fn from(full: ::s_sdk::Full) -> Self {
                ::s_sdk::CallError::from(full).into()
            }
        }
    };
}
pub(crate) use role_error;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{SecurityError, SecurityErrorKind};
    use s_sdk::error::CallErrorKind;
    use std::collections::BTreeSet;

    #[test]
    fn counters_are_told_apart_by_name_and_instance() {
        let names: BTreeSet<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        let instances: BTreeSet<_> =
            Counter::ALL.iter().map(|counter| counter.instance()).collect();
        assert_eq!((names.len(), instances.len()), (Counter::ALL.len(), Counter::ALL.len()));
        assert!(Counter::ALL.iter().all(|counter| counter.instance().ends_with(&[0])));
    }

    #[test]
    fn a_failed_call_keeps_its_number_and_moves_no_counter() {
        let error = SecurityError::from(s_sdk::CallError::new(CallErrorKind::Absent));
        assert_eq!(
            (error.kind, error.detail),
            (SecurityErrorKind::Call, CallErrorKind::Absent as u32)
        );
        assert_eq!(error.kind.counter(), None);
        assert!(!error.state.is_some());
        for kind in SecurityErrorKind::ALL {
            assert_eq!(SecurityErrorKind::from_number(*kind as u32), Some(*kind));
        }
        assert_eq!(SecurityErrorKind::from_number(u32::MAX), None);
    }
}
