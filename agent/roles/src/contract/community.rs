//! The contract suite of [`crate::community`]: what every module passes that knows communities.
//!
//! A module without entries refuses everything, so the caller configures it and says what it configured.

use super::Broken;
use crate::community::{CommunitySecurity, MAX_COMMUNITY};
use crate::security::{SecurityError, SecurityErrorKind};
use s_sdk::{Activity, Buf};

/// A transport that has no internet address.
const ELSEWHERE: &[u32] = &[1, 3, 6, 1, 6, 1, 0x7fff_ffff];

/// The other end: a transport domain and an address in it.
pub type Peer<'a> = (&'a [u32], &'a [u8]);

/// A security name and a context name.
pub type Principal<'a> = (&'a [u8], &'a [u8]);

/// What the module was configured with.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// Whom a community stands for when it comes from a peer: the first entry where several have it.
    pub admitted: &'a [(Peer<'a>, &'a [u8], Principal<'a>)],
    /// Communities that nobody has, or nobody there.
    pub refused: &'a [(Peer<'a>, &'a [u8])],
    /// The community for a principal at a peer: that of the first entry where several have one.
    pub answered: &'a [(Peer<'a>, Principal<'a>, &'a [u8])],
    /// Principals that have none, or none there.
    pub unanswered: &'a [(Peer<'a>, Principal<'a>)],
    /// Communities of entries without sources.
    pub from_everywhere: &'a [&'a [u8]],
    /// Communities that only entries with sources have.
    pub from_somewhere: &'a [&'a [u8]],
}

/// Checks a module, or whatever a proxy stands for, against the contract.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    communities: &dyn CommunitySecurity,
    act: &Activity,
    configured: &Configured<'_>,
) -> Result<(), Broken> {
    harmless(communities, act)?;
    let checked = Checked { communities, act, configured };
    checked.admits()?;
    checked.refuses()?;
    checked.answers()?;
    checked.looks_at_sources()
}

/// What a rehearsal can ask, whatever is configured there: what nobody can have.
///
/// # Errors
/// Sentence 4 is broken.
pub fn harmless(communities: &dyn CommunitySecurity, act: &Activity) -> Result<(), Broken> {
    let (mut name, mut context) = (Buf::new(), Buf::new());
    let long = [b'x'; MAX_COMMUNITY + 1];
    let answer = communities.admit(act, ELSEWHERE, &[], &long, &mut name, &mut context);
    refused(4, "a community that is longer than one can be", answer)
}

struct Checked<'a> {
    communities: &'a dyn CommunitySecurity,
    act: &'a Activity,
    configured: &'a Configured<'a>,
}

impl Checked<'_> {
    fn admit(
        &self,
        (domain, address): Peer<'_>,
        community: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), SecurityError> {
        let mut outputs = [b"before".to_vec(), b"before".to_vec()].map(Buf::from);
        let [name, context] = &mut outputs;
        self.communities.admit(self.act, domain, address, community, name, context)?;
        let [name, context] = outputs.map(|output| output.to_vec());
        Ok((name, context))
    }

    /// Sentence 1, and the first rule of all roles.
    fn admits(&self) -> Result<(), Broken> {
        for (peer, community, (name, context)) in self.configured.admitted {
            let expected = Ok(([b"before", *name].concat(), [b"before", *context].concat()));
            let answer = self.admit(*peer, community);
            check(1, answer == expected, || {
                format!("{community:?} from {peer:?} is answered with {answer:?}")
            })?;
        }
        Ok(())
    }

    /// Sentence 2, and for communities of all lengths sentence 4.
    fn refuses(&self) -> Result<(), Broken> {
        for (peer, community) in self.configured.refused {
            let what = format!("{community:?} from {peer:?}");
            refused(2, &what, self.admit(*peer, community))?;
        }
        let known = |other: &[u8]| self.configured.admitted.iter().any(|entry| entry.1 == other);
        for (peer, community, _) in self.configured.admitted {
            let longer = [*community, b"\0"].concat();
            let shorter = community.get(1..).unwrap_or_default();
            for other in [&longer[..], shorter] {
                if !known(other) {
                    let what = format!("{other:?}, which is almost {community:?},");
                    refused(4, &what, self.admit(*peer, other))?;
                }
            }
        }
        Ok(())
    }

    /// Sentence 3.
    fn answers(&self) -> Result<(), Broken> {
        let Checked { communities, act, configured } = self;
        let community_of = |(domain, address): Peer<'_>, (name, context): Principal<'_>| {
            let mut community = Buf::from(b"before".to_vec());
            communities.community_of(act, domain, address, name, context, &mut community)?;
            Ok::<_, SecurityError>(community.to_vec())
        };
        for (peer, principal, community) in configured.answered {
            let (answer, expected) =
                (community_of(*peer, *principal), [b"before", *community].concat());
            check(3, answer.as_ref() == Ok(&expected), || {
                format!("{principal:?} at {peer:?} is answered with {answer:?}")
            })?;
        }
        for (peer, principal) in configured.unanswered {
            let what = format!("{principal:?} at {peer:?}");
            refused(3, &what, community_of(*peer, *principal))?;
        }
        Ok(())
    }

    /// Sentence 5: a transport without an internet address, and addresses that are none.
    fn looks_at_sources(&self) -> Result<(), Broken> {
        let udp = crate::notify::UDP_DOMAIN;
        for peer in [(ELSEWHERE, &b"/run/agent"[..]), (ELSEWHERE, &[]), (udp, &[10, 0, 0])] {
            for community in self.configured.from_everywhere {
                let answer = self.admit(peer, community);
                check(5, answer.is_ok(), || {
                    format!("{community:?} from {peer:?} is answered with {answer:?}")
                })?;
            }
            for community in self.configured.from_somewhere {
                let what = format!("{community:?} from {peer:?}");
                refused(5, &what, self.admit(peer, community))?;
            }
        }
        Ok(())
    }
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "community", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused<T: std::fmt::Debug>(
    sentence: u32,
    what: &str,
    answer: Result<T, SecurityError>,
) -> Result<(), Broken> {
    let kind = SecurityErrorKind::BadCommunityName;
    check(sentence, answer.as_ref().is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}
