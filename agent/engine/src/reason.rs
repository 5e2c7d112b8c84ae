//! Why a packet was refused: every reason there is, the counter that it moves, and what to tell an operator.
//!
//! It decides nothing. Invariant: one exhaustive match leads from a reason to its words, and one to its
//! counter, so that a new reason cannot be forgotten in either.

use roles::access::AccessErrorKind;
use roles::error::Counter;
use roles::message::{MessageErrorKind, MessageHeader};
use roles::security::SecurityErrorKind;
use roles::varbind::security_model;

/// Why a packet was not answered, or was answered with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// So many packets came from this source that the rest was not looked at.
    SourceTooFast,
    /// After so many failed proofs nothing of this source, or of this user, was looked at for a while.
    TooManyFailures,
    /// It is not BER, or has no version.
    NoMessage,
    /// Its version is none that anybody processes.
    NoSuchVersion,
    /// The module for its version is not there.
    VersionNotServed,
    /// The message processing model refused it.
    Message(MessageErrorKind),
    /// The security model refused it.
    Security(SecurityErrorKind),
    /// Its PDU is not one.
    NoPdu,
    /// Its PDU is one that an agent does not take.
    PduNotTaken,
    /// It is for the context of another engine.
    ContextOfAnotherEngine,
    /// Access control refused the whole request.
    Access(AccessErrorKind),
    /// An answer to this source would have been so much larger than the request that it is refused.
    Amplifies,
    /// It would have had to pass by more variables that are not for its sender than one request may.
    WalksTooFar,
    /// Not even an empty answer fits.
    AnswerTooBig,
    /// The answer could not be put together.
    NotAnswered,
}

/// What to tell an operator about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The step of the procedure that refused, in words.
    pub step: &'static str,
    /// What usually is behind it.
    pub hint: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

impl Reason {
    /// The counter that it moves, if it moves one. Those without are counted by whoever limits.
    pub const fn counter(self) -> Option<Counter> {
        match self {
            Reason::SourceTooFast
            | Reason::TooManyFailures
            | Reason::Amplifies
            | Reason::WalksTooFar
            | Reason::NotAnswered => None,
            Reason::NoMessage | Reason::NoPdu => Some(Counter::AsnParseErrs),
            Reason::NoSuchVersion | Reason::VersionNotServed => Some(Counter::BadVersions),
            Reason::Message(kind) => kind.counter(),
            Reason::Security(kind) => kind.counter(),
            Reason::PduNotTaken | Reason::ContextOfAnotherEngine => {
                Some(Counter::UnknownPduHandlers)
            }
            Reason::Access(kind) => kind.counter(),
            Reason::AnswerTooBig => Some(Counter::SilentDrops),
        }
    }

    /// The counter of a request that access control refused: of one with a community,
    /// snmpInBadCommunityUses besides (RFC 3418: when it moves is the access control's to say; here it does
    /// when the community's principal may not do this at all).
    pub const fn counter_of_access(
        kind: AccessErrorKind,
        header: &MessageHeader,
    ) -> Option<Counter> {
        match kind {
            AccessErrorKind::NoSuchView
            | AccessErrorKind::NoGroupName
            | AccessErrorKind::NoAccessEntry
                if matches!(
                    header.security_model,
                    security_model::SNMPV1 | security_model::SNMPV2C
                ) =>
            {
                Some(Counter::BadCommunityUses)
            }
            _ => kind.counter(),
        }
    }

    /// A short name, for machines: it never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::SourceTooFast => "source-too-fast",
            Reason::TooManyFailures => "too-many-failures",
            Reason::NoMessage => "no-message",
            Reason::NoSuchVersion | Reason::Message(MessageErrorKind::BadVersion) => {
                "no-such-version"
            }
            Reason::VersionNotServed => "version-not-served",
            Reason::Message(kind) => match kind {
                MessageErrorKind::Call => "message-module-failed",
                MessageErrorKind::ParseError => "no-message",
                MessageErrorKind::BadVersion => "no-such-version",
                MessageErrorKind::UnknownSecurityModel => "unknown-security-model",
                MessageErrorKind::InvalidMessage => "invalid-message",
                MessageErrorKind::Security => "refused-by-security",
                MessageErrorKind::UnknownResponse => "unknown-response",
                MessageErrorKind::StaleReference => "stale-reference",
                MessageErrorKind::TooBig => "answer-too-big",
                MessageErrorKind::NotDecrypted => "not-decrypted",
            },
            Reason::Security(kind) => match kind {
                SecurityErrorKind::Call => "security-module-failed",
                SecurityErrorKind::ParseError => "no-security-parameters",
                SecurityErrorKind::UnknownEngineId => "unknown-engine-id",
                SecurityErrorKind::UnknownUserName => "unknown-user",
                SecurityErrorKind::UnsupportedSecurityLevel => "unsupported-security-level",
                SecurityErrorKind::WrongDigest => "wrong-digest",
                SecurityErrorKind::NotInTimeWindow => "not-in-time-window",
                SecurityErrorKind::DecryptionError => "decryption-error",
                SecurityErrorKind::BadCommunityName => "bad-community-name",
                SecurityErrorKind::BadCommunityUse => "bad-community-use",
                SecurityErrorKind::StaleReference => "stale-reference",
                SecurityErrorKind::EncryptionError => "encryption-error",
                SecurityErrorKind::TooBig => "answer-too-big",
            },
            Reason::NoPdu => "no-pdu",
            Reason::PduNotTaken => "pdu-not-taken",
            Reason::ContextOfAnotherEngine => "context-of-another-engine",
            Reason::Access(kind) => match kind {
                AccessErrorKind::Call => "access-module-failed",
                AccessErrorKind::NotInView => "not-in-view",
                AccessErrorKind::NoSuchView => "no-view",
                AccessErrorKind::NoSuchContext => "no-such-context",
                AccessErrorKind::NoGroupName => "no-group",
                AccessErrorKind::NoAccessEntry => "no-access",
                AccessErrorKind::OtherError => "access-undetermined",
                AccessErrorKind::StaleReference => "stale-reference",
            },
            Reason::Amplifies => "amplifies",
            Reason::WalksTooFar => "walks-too-far",
            Reason::AnswerTooBig => "answer-too-big",
            Reason::NotAnswered => "not-answered",
        }
    }

    /// What to tell an operator.
    pub const fn explain(self) -> Explanation {
        let (step, hint, cure) = self.words();
        Explanation { step, hint, cure }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Reason::SourceTooFast => (
                "before RFC 3412 §4.2.1: the source has used up its packets for now",
                "one address sends more than it is allowed to: a tight polling loop, or a flood",
                "poll slower or with GetBulk, or raise the rate per source in the configuration",
            ),
            Reason::TooManyFailures => (
                "before RFC 3414 §3.2: too many proofs from this source, or of this user, have failed",
                "somebody tries passphrases or communities, or a manager keeps an old one",
                "correct the manager's credentials; it is heard again after a few seconds of silence",
            ),
            Reason::NoMessage => (
                "RFC 3412 §4.2.1 step 1: the version of the message is determined",
                "these are not the octets of an SNMP message: another protocol, or a cut packet",
                "see what sends to this port; a message longer than the largest that is taken is cut",
            ),
            Reason::NoSuchVersion | Reason::Message(MessageErrorKind::BadVersion) => (
                "RFC 3412 §4.2.1 step 2: the version of the message is looked up",
                "the version is neither SNMPv1 nor v2c nor v3",
                "have the manager use -v 1, -v 2c or -v 3",
            ),
            Reason::VersionNotServed => (
                "RFC 3412 §4.2.1 step 2: the message processing model is looked up",
                "no module fills the component for this version",
                "push a package for message.v1, message.v2c or message.v3, or use another version",
            ),
            Reason::Message(kind) => of_message(kind),
            Reason::Security(kind) => of_security(kind),
            Reason::NoPdu => (
                "RFC 3412 §7.2 step 7: the PDU is read",
                "the message is sound, its PDU is not: a name, a value or a length is malformed",
                "update the manager's library; a capture of the packet shows the octet",
            ),
            Reason::PduNotTaken => (
                "RFC 3412 §4.2.2.1.1: an application is looked up for the PDU",
                "it is no request: a notification that should go to a manager, or an answer",
                "send traps and informs to the manager's port 162; send requests here",
            ),
            Reason::ContextOfAnotherEngine => (
                "RFC 3412 §4.2.2.1.1: an application is looked up for the contextEngineID",
                "the request asks for the variables of another engine, and this agent forwards nothing",
                "leave -E away, or give this agent's snmpEngineID",
            ),
            Reason::Access(kind) => of_access(kind),
            Reason::Amplifies => (
                "RFC 3416 §4.2: the answer is put together",
                "the source has proven nothing, and the answer would be many times its request",
                "use SNMPv3, ask for fewer repetitions, or raise the cap for communities",
            ),
            Reason::WalksTooFar => (
                "RFC 3416 §4.2.2: the first variable that the sender may see is looked for",
                "the sender's view leaves out so many variables one by one that the search was ended",
                "exclude whole subtrees instead of rows, or raise the limit of steps",
            ),
            Reason::AnswerTooBig => (
                "RFC 3416 §4.2.1: the answer is made to fit",
                "not even an empty answer fits what the sender takes",
                "raise the manager's msgMaxSize, or shorten the names that it asks for",
            ),
            Reason::NotAnswered => (
                "RFC 3412 §7.1: the answer is put together",
                "a module refused to finish what it had begun, or failed",
                "see the log for the module; `swapctl status` shows which version serves",
            ),
        }
    }
}

/// Hint and cure where a message is authentic and cannot be decrypted: some ciphers notice, others make
/// nonsense of it.
const WRONG_PRIVACY: (&str, &str) = (
    "another privacy passphrase or cipher; AES-192 and AES-256 have two ways to make keys",
    "compare -x and -X with the user's `priv` and `priv-passphrase`; try AES-256-C for AES-256",
);

const fn of_message(kind: MessageErrorKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        MessageErrorKind::Call => (
            "RFC 3412 §7.2: the message is taken apart",
            "the module for this version failed, or is just being replaced",
            "see the log for the module; `swapctl status` shows which version serves",
        ),
        MessageErrorKind::ParseError | MessageErrorKind::BadVersion => (
            "RFC 3412 §7.2 step 2: the message is read",
            "the packet begins like an SNMP message, but its parts are malformed or cut",
            "update the manager's library; a capture of the packet shows the octet",
        ),
        MessageErrorKind::UnknownSecurityModel => (
            "RFC 3412 §7.2 step 4: the security model is looked up",
            "the message names a security model that is not there: this agent has USM (3)",
            "have the manager use the User-based Security Model",
        ),
        MessageErrorKind::InvalidMessage => (
            "RFC 3412 §7.2 step 5: the flags are looked at",
            "the message asks for privacy without authentication, or its data does not fit its flags",
            "use -l noAuthNoPriv, authNoPriv or authPriv",
        ),
        MessageErrorKind::Security => (
            "RFC 3412 §7.2 step 6: the security model is asked",
            "the security model refused for a reason that this agent has no words for",
            "see the log for the security module",
        ),
        MessageErrorKind::UnknownResponse => (
            "RFC 3412 §7.2 step 10 b: the request that it answers is looked up",
            "an answer came to nothing that was asked: late, repeated or invented",
            "nothing, unless it goes on: then something answers in another's place",
        ),
        MessageErrorKind::StaleReference | MessageErrorKind::TooBig => (
            "RFC 3412 §7.1: the answer is put together",
            "a module lost what it had kept of the message",
            "see the log for the module; `swapctl status` shows which version serves",
        ),
        MessageErrorKind::NotDecrypted => (
            "RFC 3412 §7.2 step 7: the decrypted scopedPDU is read",
            WRONG_PRIVACY.0,
            WRONG_PRIVACY.1,
        ),
    }
}

const fn of_security(kind: SecurityErrorKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        SecurityErrorKind::Call => (
            "RFC 3414 §3.2: the message is proven",
            "the security module, or a module that it calls, failed or is just being replaced",
            "see the log for the module; `swapctl status` shows which version serves",
        ),
        SecurityErrorKind::ParseError => (
            "RFC 3414 §3.2 step 1: the security parameters are read",
            "the parameters are not those of the User-based Security Model",
            "update the manager's library; a capture of the packet shows the octet",
        ),
        SecurityErrorKind::UnknownEngineId => (
            "RFC 3414 §3.2 step 3: the engineID is looked up",
            "the manager knows another snmpEngineID for this address: a replaced or reinstalled agent",
            "have the manager discover anew: leave -e away, or delete what it has stored",
        ),
        SecurityErrorKind::UnknownUserName => (
            "RFC 3414 §3.2 step 4: the user is looked up",
            "there is no such user at this engine; names are case-sensitive",
            "add a [[user]] with this name, or correct -u",
        ),
        SecurityErrorKind::UnsupportedSecurityLevel => (
            "RFC 3414 §3.2 step 5: the user's protocols are compared with the level",
            "the user has no key for this level, or the module of its protocol is not there",
            "correct -l, or give the user `auth` and `priv` with their passphrases",
        ),
        SecurityErrorKind::WrongDigest => (
            "RFC 3414 §3.2 step 6: the message is authenticated",
            "another passphrase, another hash function, or keys that were localized to another engineID",
            "compare -a and -A with the user's `auth` and `auth-passphrase`",
        ),
        SecurityErrorKind::NotInTimeWindow => (
            "RFC 3414 §3.2 step 7: boots and time are compared with the engine's",
            "the manager's idea of this engine's clock is over 150 seconds off, or a packet was replayed",
            "a manager corrects it by itself with the Report; if not, have it discover anew",
        ),
        SecurityErrorKind::DecryptionError => {
            ("RFC 3414 §3.2 step 8: the scopedPDU is decrypted", WRONG_PRIVACY.0, WRONG_PRIVACY.1)
        }
        SecurityErrorKind::BadCommunityName => (
            "RFC 3584 §5.2.1: the community is looked up",
            "there is no such community, or it may not be used from this address",
            "compare -c with the [[community]] entries, and this address with their `source`",
        ),
        SecurityErrorKind::BadCommunityUse => (
            "RFC 3584 §5.2.1: the community's rights are looked up",
            "the community does not allow this operation",
            "give the [[community]] `access = \"write\"`, or use another",
        ),
        SecurityErrorKind::EncryptionError
        | SecurityErrorKind::StaleReference
        | SecurityErrorKind::TooBig => (
            "RFC 3414 §3.1: the answer is protected",
            "the security module could not make the answer",
            "see the log for the module; `swapctl status` shows which version serves",
        ),
    }
}

const fn of_access(kind: AccessErrorKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        AccessErrorKind::NoSuchContext => (
            "RFC 3415 §3.2 step 1: the context is looked up",
            "the request names a context that this engine does not have",
            "leave -n away, or name a context of vacmContextTable",
        ),
        AccessErrorKind::NoGroupName => (
            "RFC 3415 §3.2 step 2: the principal's group is looked up",
            "the principal is proven, but in no group",
            "put it in a group: vacmSecurityToGroupTable, or `access` of its [[user]] or [[community]]",
        ),
        AccessErrorKind::NoAccessEntry => (
            "RFC 3415 §3.2 step 3: the group's access entry is looked up",
            "the group has no right for this context and security level",
            "raise the level of the request, or lower the entry's: vacmAccessSecurityLevel",
        ),
        AccessErrorKind::NoSuchView | AccessErrorKind::NotInView => (
            "RFC 3415 §3.2 step 4: the view for this operation is looked up",
            "the principal may not do this: most often a SET by one who may only read",
            "give it `access = \"write\"`, or use a principal that has it",
        ),
        AccessErrorKind::Call | AccessErrorKind::OtherError | AccessErrorKind::StaleReference => (
            "RFC 3415 §3.2: access is determined",
            "the access control module failed, or is just being replaced",
            "see the log for the module; `swapctl status` shows which version serves",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Reason> {
        use Reason::*;
        let plain = [
            SourceTooFast,
            TooManyFailures,
            NoMessage,
            NoSuchVersion,
            VersionNotServed,
            NoPdu,
            PduNotTaken,
            ContextOfAnotherEngine,
            Amplifies,
            WalksTooFar,
            AnswerTooBig,
            NotAnswered,
        ];
        let message = MessageErrorKind::ALL.iter().map(|kind| Message(*kind));
        let security = SecurityErrorKind::ALL.iter().map(|kind| Security(*kind));
        let access = AccessErrorKind::ALL.iter().map(|kind| Access(*kind));
        plain.into_iter().chain(message).chain(security).chain(access).collect()
    }

    #[test]
    fn every_reason_names_a_step_of_an_rfc_a_hint_and_a_cure() {
        for reason in all() {
            let Explanation { step, hint, cure } = reason.explain();
            assert!(step.contains("RFC ") && step.contains('§'), "{reason:?}: {step}");
            assert!(hint.len() > 20 && cure.len() > 20, "{reason:?}");
            let name = reason.name();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn a_community_that_may_not_is_counted_as_badly_used() {
        use roles::message::PduClass;
        use roles::varbind::{PduVersion, SecurityLevel};
        let header = |security_model| MessageHeader {
            message_model: 1,
            security_model,
            security_level: SecurityLevel::NoAuthNoPriv,
            pdu_version: PduVersion::V2,
            class: PduClass::Confirmed,
            send_pdu_handle: 0,
        };
        let of = |kind, model| Reason::counter_of_access(kind, &header(model));
        let uses = Some(Counter::BadCommunityUses);
        assert_eq!(of(AccessErrorKind::NoSuchView, security_model::SNMPV2C), uses);
        assert_eq!(of(AccessErrorKind::NoSuchView, security_model::USM), None);
        let unknown = Some(Counter::UnknownContexts);
        assert_eq!(of(AccessErrorKind::NoSuchContext, security_model::SNMPV1), unknown);
    }
}
