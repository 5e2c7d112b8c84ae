//! The communities, ready to be looked up: the snmpCommunityTable (RFC 3584 §5.3), its active rows.
//!
//! It never changes: other rows are another table. Invariant: entries stand in the order of
//! their communities, and those of one community in the order of snmpCommunityIndex.

use crate::source::{Address, Network};
use roles::community::MAX_COMMUNITY;
use roles::settings::{Community, CommunitySettings};

/// SnmpAdminString, as the tables of RFC 3411 and RFC 3415 bound it.
const MAX_NAME: usize = 32;

/// A community and where it may be used from.
#[derive(Debug)]
struct Row {
    entry: Community,
    networks: Vec<Network>,
}

impl Row {
    fn takes(&self, peer: Address) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| peer.is_in(network))
    }
}

/// The communities.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Positions of the rows, in the order of security name, context name and index.
    by_principal: Vec<usize>,
}

impl Table {
    /// The table of some settings; otherwise all that is wrong with them.
    pub(crate) fn of(settings: CommunitySettings) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut rows: Vec<Row> = Vec::new();
        for entry in settings.communities {
            problems.extend(wrong_lengths(&entry));
            let mut networks = Vec::with_capacity(entry.sources.len());
            for source in &entry.sources {
                match Network::of(source) {
                    Ok(network) => networks.push(network),
                    Err(problem) => {
                        problems.push(format!("community `{}`: {problem}", entry.index))
                    }
                }
            }
            rows.push(Row { entry, networks });
        }
        rows.sort_by(|a, b| a.entry.index.cmp(&b.entry.index));
        for pair in rows.windows(2) {
            if let [a, b] = pair
                && a.entry.index == b.entry.index
            {
                problems.push(format!(
                    "two communities have the index `{}`: give each its own",
                    a.entry.index
                ));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // Stable: rows of one community stay in the order of their indexes.
        rows.sort_by(|a, b| a.entry.community.cmp(&b.entry.community));
        let mut by_principal: Vec<usize> = (0..rows.len()).collect();
        by_principal.sort_by(|a, b| {
            let of = |at: usize| rows.get(at).map(|row| (principal(row), &row.entry.index));
            of(*a).cmp(&of(*b))
        });
        Ok(Table { rows, by_principal })
    }

    /// The first entry with a community that takes messages from a peer.
    pub(crate) fn admitting(&self, community: &[u8], from: Address) -> Option<&Community> {
        let first = self.rows.partition_point(|row| &row.entry.community[..] < community);
        let rows = self.rows.iter().skip(first);
        let mut rows = rows.take_while(|row| row.entry.community == community);
        rows.find(|row| row.takes(from)).map(|row| &row.entry)
    }

    /// The first entry of a principal in a context that takes messages to a peer.
    pub(crate) fn standing_for(
        &self,
        security_name: &[u8],
        context_name: &[u8],
        to: Address,
    ) -> Option<&Community> {
        let wanted = (security_name, context_name);
        let row = |at: &usize| self.rows.get(*at);
        let first = self.by_principal.partition_point(|at| row(at).map(principal) < Some(wanted));
        let rows = self.by_principal.iter().skip(first).filter_map(row);
        let mut rows = rows.take_while(|row| principal(row) == wanted);
        rows.find(|row| row.takes(to)).map(|row| &row.entry)
    }
}

fn principal(row: &Row) -> (&[u8], &[u8]) {
    (row.entry.security_name.as_bytes(), &row.entry.context_name)
}

fn wrong_lengths(entry: &Community) -> impl Iterator<Item = String> {
    let Community { index, community, security_name, context_name, sources: _ } = entry;
    let problems = [
        ("the index", index.len(), 1, MAX_NAME),
        ("the community", community.len(), 0, MAX_COMMUNITY),
        ("the security name", security_name.len(), 1, MAX_NAME),
        ("the context name", context_name.len(), 0, MAX_NAME),
    ];
    problems.into_iter().filter(|(_, len, least, most)| !(least..=most).contains(&len)).map(
        move |(what, len, least, most)| {
            format!("community `{index}`: {what} has {len} octets: give {least} to {most}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use roles::settings::Source;

    const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];

    fn entry(
        index: &str,
        community: &str,
        name: &str,
        context: &str,
        source: Option<(u8, u32)>,
    ) -> Community {
        let sources =
            source.map(|(first, prefix)| Source { address: vec![first, 0, 0, 0], prefix });
        Community {
            index: index.to_owned(),
            community: community.into(),
            security_name: name.to_owned(),
            context_name: context.into(),
            sources: sources.into_iter().collect(),
        }
    }

    fn table(communities: &[Community]) -> Table {
        Table::of(CommunitySettings { communities: communities.to_vec() }).unwrap()
    }

    fn from(first: u8) -> Address {
        Address::of(UDP, &[first, 0, 0, 0, 0, 161])
    }

    #[test]
    fn the_first_entry_by_index_that_takes_the_peer_counts() {
        let table = table(&[
            entry("c", "public", "everybody", "", None),
            entry("a", "public", "ten", "", Some((10, 8))),
            entry("b", "public", "also ten", "x", Some((10, 8))),
            entry("d", "secret", "eleven", "", Some((11, 8))),
        ]);
        let name = |community: &str, first| {
            table.admitting(community.as_bytes(), from(first)).map(|entry| &entry.security_name[..])
        };
        assert_eq!(name("public", 10), Some("ten"));
        assert_eq!(name("public", 11), Some("everybody"));
        assert_eq!(name("secret", 11), Some("eleven"));
        assert_eq!(name("secret", 10), None);
        for unknown in ["", "publi", "public0", "Public", "zzz"] {
            assert_eq!(name(unknown, 10), None);
        }
        let unix = Address::of(&[1, 3, 6, 1, 2, 1, 100, 1, 13], b"/run/snmp");
        assert_eq!(table.admitting(b"public", unix).map(|e| &e.index[..]), Some("c"));
        assert_eq!(table.admitting(b"secret", unix), None);
    }

    #[test]
    fn a_principal_in_a_context_has_the_first_community_by_index_that_reaches_the_peer() {
        let table = table(&[
            entry("2", "beta", "alice", "", None),
            entry("1", "alpha", "alice", "", Some((10, 8))),
            entry("3", "gamma", "alice", "bridge", None),
        ]);
        let community = |name: &str, context: &str, first| {
            let entry = table.standing_for(name.as_bytes(), context.as_bytes(), from(first));
            entry.map(|entry| String::from_utf8(entry.community.clone()).unwrap())
        };
        assert_eq!(community("alice", "", 10).as_deref(), Some("alpha"));
        assert_eq!(community("alice", "", 11).as_deref(), Some("beta"));
        assert_eq!(community("alice", "bridge", 11).as_deref(), Some("gamma"));
        assert_eq!(community("alice", "router", 11), None);
        assert_eq!(community("bob", "", 11), None);
    }

    #[test]
    fn every_problem_is_told_with_its_remedy() {
        let long = "x".repeat(256);
        let settings = CommunitySettings {
            communities: vec![
                entry("a", &long, "", "", Some((10, 4))),
                entry("a", "", &long, &long, None),
            ],
        };
        let problems = Table::of(settings).unwrap_err();
        for part in [
            "the community has 256 octets: give 0 to 255",
            "the security name has 0 octets: give 1 to 32",
            "bits behind its prefix",
            "the security name has 256",
            "the context name has 256",
            "two communities have the index `a`: give each its own",
        ] {
            assert_eq!(problems.iter().filter(|line| line.contains(part)).count(), 1, "{part}");
        }
        assert_eq!(problems.len(), 6, "{problems:?}");
    }

    proptest! {
        /// The look-ups by halves find what going through all entries in order finds.
        #[test]
        fn both_ways_find_what_a_walk_finds(
            picks in prop::collection::vec((0u8..4, 0u8..3, 0u8..2, prop::option::of(10u8..12)), 0..12),
            first in 9u8..13,
        ) {
            let mut entries: Vec<Community> = picks
                .iter()
                .enumerate()
                .map(|(at, (community, name, context, source))| {
                    let source = source.map(|first| (first, 8));
                    // Indexes in another order than the entries.
                    let index = format!("{:02}", (at * 7) % 12);
                    entry(&index, &format!("c{community}"), &format!("n{name}"), &"x".repeat((*context).into()), source)
                })
                .collect();
            let table = table(&entries);
            entries.sort_by(|a, b| a.index.cmp(&b.index));
            let takes = |entry: &&Community| {
                entry.sources.is_empty() || entry.sources.iter().any(|source| source.address[0] == first)
            };
            for community in ["c0", "c1", "c2", "c3", "c4"] {
                let walked = entries.iter().filter(takes).find(|entry| entry.community == community.as_bytes());
                prop_assert_eq!(table.admitting(community.as_bytes(), from(first)), walked);
            }
            for (name, context) in [("n0", ""), ("n1", ""), ("n2", "x"), ("n3", "x")] {
                let walked = entries.iter().filter(takes).find(|entry| {
                    entry.security_name == name && entry.context_name == context.as_bytes()
                });
                prop_assert_eq!(table.standing_for(name.as_bytes(), context.as_bytes(), from(first)), walked);
            }
        }
    }
}
