//! Communities: `com2sec` and its kin, in the order in which they stand in the file.
//!
//! In snmpd the first entry that has the community and the sender's address decides, and one with `!` lets
//! nobody in. The module has no `!`, so what such an entry holds is cut out of the entries behind it.
//!
//! Invariant: an entry has sources, because one without would take messages from everywhere.

use super::sources::{self, Family, Network};
use super::verdict::{Told, Verdict, refused};
use super::words::Words;
use roles::settings::{Community, CommunitySettings, Source};

/// The communities while they are being read.
#[derive(Default)]
pub(super) struct Communities {
    entries: Vec<Entry>,
    /// Those that only say what is sent to a receiver of notifications.
    told: Vec<Community>,
}

struct Entry {
    community: String,
    security_name: String,
    context: Vec<u8>,
    negated: bool,
    network: Network,
}

impl Communities {
    /// `com2sec [-Cn CONTEXT] NAME SOURCE COMMUNITY`
    pub(super) fn com2sec(&mut self, words: &mut Words<'_>, family: Family) -> Told {
        let mut name = words.word().unwrap_or_default();
        let mut context = String::new();
        if name == "-Cn" {
            context = words.word().unwrap_or_default();
            name = words.word().unwrap_or_default();
        }
        let (Some(source), Some(community)) = (words.word(), words.word()) else {
            return refused("a security name, a source and a community are needed: give all three");
        };
        if name.is_empty() || name.len() > 32 || context.len() > 32 {
            return refused(
                "the security name has 1 to 32 octets and the context at most 32: shorten them",
            );
        }
        self.add_from(&[family], &name, &source, &community, context.as_bytes())
    }

    /// Adds an entry for each of the families that the source makes sense in.
    pub(super) fn add_from(
        &mut self,
        families: &[Family],
        security_name: &str,
        source: &str,
        community: &str,
        context: &[u8],
    ) -> Told {
        if community.is_empty() || community.len() > 255 {
            return refused("a community has 1 to 255 octets: choose another");
        }
        if community == "COMMUNITY" {
            return refused("this is the example's community: choose your own");
        }
        let said: Vec<_> = families.iter().map(|family| sources::read(source, *family)).collect();
        if let Some(Err(why)) = said.iter().find(|said| said.is_err())
            && said.iter().all(Result::is_err)
        {
            return Err(Verdict::Refused(why.clone()));
        }
        let mut notes = Vec::new();
        for said in said.into_iter().flatten() {
            notes.push(said.note);
            self.entries.extend(said.networks.into_iter().map(|network| Entry {
                community: community.to_owned(),
                security_name: security_name.to_owned(),
                context: context.to_vec(),
                negated: said.negated,
                network,
            }));
        }
        notes.retain(|note| !note.is_empty());
        Ok(notes.join("; "))
    }

    /// A community that is sent to somebody, and admits nobody who may ask anything; answers its security
    /// name.
    pub(super) fn told(&mut self, community: &str, receiver: &[u8]) -> String {
        let address = match receiver.len() {
            6 => receiver.get(..4),
            _ => receiver.get(..16),
        };
        let address = address.unwrap_or_default().to_vec();
        let prefix = u32::try_from(address.len() * 8).unwrap_or(0);
        let number = self.told.len() + 1;
        let security_name = format!("told{number}");
        self.told.push(Community {
            // Behind all others: what a community admits to is decided before it comes to these.
            index: format!("told{number:06}"),
            community: community.into(),
            security_name: security_name.clone(),
            context_name: Vec::new(),
            sources: vec![Source { address, prefix }],
        });
        security_name
    }

    /// The communities as the module takes them.
    pub(super) fn finish(self) -> CommunitySettings {
        let mut communities = Vec::new();
        for (at, entry) in self.entries.iter().enumerate().filter(|(_, entry)| !entry.negated) {
            let earlier = self.entries.iter().take(at);
            let cut: Vec<Network> = earlier
                .filter(|earlier| earlier.negated && earlier.community == entry.community)
                .map(|earlier| earlier.network)
                .collect();
            let left = sources::without(entry.network, &cut);
            if left.is_empty() {
                continue;
            }
            communities.push(Community {
                // The order of indexes is the order of the file.
                index: format!("line{at:06}"),
                community: entry.community.clone().into_bytes(),
                security_name: entry.security_name.clone(),
                context_name: entry.context.clone(),
                sources: left.iter().map(Network::source).collect(),
            });
        }
        communities.extend(self.told);
        CommunitySettings { communities }
    }
}
