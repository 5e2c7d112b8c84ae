//! Two codecs that are not ours judge the same messages as ours, good ones and damaged ones, from a fixed seed.
//!
//! A kind of disagreement that is not in [`LISTED`] fails the test, and so does a listed one that is not met any
//! more.

use crate::strategies::{damage, message};
use crate::verdicts::{Judge, Kind, LISTED, Row, disagreements};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

/// Messages from a fixed seed: some as they were made, most of them damaged.
fn inputs(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (message(), prop_oneof![1 => vec(damage(), 0), 4 => vec(damage(), 1..3)]);
    std::iter::repeat_with(move || {
        let (message, damages) = strategy.new_tree(&mut runner).unwrap().current();
        let mut octets = message.encode();
        damages.iter().for_each(|damage| damage.apply(&mut octets));
        octets
    })
    .take(count)
}

/// How many messages by chance are judged, after the rows of the cases.
const COUNT: usize = 60_000;

#[test]
fn every_disagreement_is_listed_and_every_listed_one_is_met() {
    let count = std::env::var("JUDGED").ok().map_or(COUNT, |n| n.parse().expect("a number"));
    let mut met: BTreeMap<(Judge, Kind), usize> = BTreeMap::new();
    let mut unlisted: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let rows = crate::cases::rows().into_iter().map(|(_, octets, _)| octets);
    for octets in rows.chain(inputs(count)) {
        for (judge, kind) in disagreements(&octets) {
            match kind {
                Ok(kind) => *met.entry((judge, kind)).or_default() += 1,
                Err(kinds) => {
                    let (times, example) =
                        unlisted.entry(format!("{judge:?} {kinds:?}")).or_default();
                    *times += 1;
                    // The shortest says most.
                    if example.is_empty() || example.len() > 2 * octets.len() {
                        *example = hex(&octets);
                    }
                }
            }
        }
    }
    assert!(unlisted.is_empty(), "not listed: {unlisted:#?}");
    for Row(judge, kind, right, paragraph) in LISTED {
        let times = met.get(&(*judge, kind.clone())).copied().unwrap_or(0);
        println!("{times:6} {judge:?} {kind:?}: right is {right:?}, {paragraph}");
        assert!(times > 0, "{judge:?} {kind:?} is listed and never met");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
