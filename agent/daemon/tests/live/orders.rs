//! Every version that is kept for swapping, in and out in every order that two of them can have, and in many
//! that more of them can, while a manager asks.
//!
//! One agent lives through each test. Invariant: after each swap exactly the versions serve that were swapped in.

use crate::world::{Live, Load, MANAGER, one_at_a_time, package};
use serde_json::json;
use std::hash::{BuildHasher as _, RandomState};

/// What can be changed in an agent.
#[derive(Clone, Copy)]
struct Change {
    component: &'static str,
    /// The module that comes; without one, the component's is taken out.
    there: Option<&'static str>,
    /// The module that brings back what was.
    back: Option<&'static str>,
}

const fn change(
    component: &'static str,
    there: Option<&'static str>,
    back: Option<&'static str>,
) -> Change {
    Change { component, there, back }
}

const CHANGES: [Change; 8] = [
    change("auth.md5", Some("auth-hmac-md5-defect"), Some("auth-hmac-md5")),
    change("auth.sha2", Some("auth-hmac-sha2-next"), Some("auth-hmac-sha2")),
    change("security.usm", Some("security-usm-next"), Some("security-usm")),
    change("mib.if", Some("mib-if-next"), Some("mib-if")),
    change("mib.example", Some("mib-example"), None),
    change("message.v3", Some("message-v3-rasn"), Some("message-v3")),
    change("priv.des", None, Some("priv-des")),
    change("message.v2c", None, Some("message-v2c")),
];

/// What is at stake in all of it: a user made by SET, and the engine's boots.
struct World {
    live: Live,
    load: Load,
    boots: String,
    /// What serves in the components of `CHANGES`: as the agent was built, and with each of them changed.
    versions: Vec<[String; 2]>,
    /// Which of `CHANGES` are in.
    is_in: [bool; CHANGES.len()],
}

const USERS: &str = ".1.3.6.1.6.3.15.1.2.2.1.3";
const GUEST: &str = "103.117.101.115.116";

impl World {
    fn new() -> Self {
        let live = Live::start();
        let made = live.tool("snmpusm", MANAGER, &["-Cw", "create", "guest", "manager"]);
        assert!(made.contains("created"), "{made}");
        let boots = live.boots();
        assert!(boots.contains("INTEGER"), "{boots}");
        let load = Load::on(&live);
        let of = |at: usize| live.version(CHANGES[at].component);
        let before: Vec<_> = (0..CHANGES.len()).map(of).collect();
        let mut world =
            World { versions: Vec::new(), is_in: [false; CHANGES.len()], live, load, boots };
        // All at once, the largest group there is.
        world.turn_unchecked(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let versions = before.into_iter().enumerate();
        world.versions = versions
            .map(|(at, before)| [before, world.live.version(CHANGES[at].component)])
            .collect();
        for (change, [before, after]) in CHANGES.iter().zip(&world.versions) {
            assert_ne!(before, after, "{}", change.component);
            assert_eq!(after.is_empty(), change.there.is_none(), "{}", change.component);
        }
        world.turn(&[7, 6, 5, 4, 3, 2, 1, 0]);
        world
    }

    fn turn_unchecked(&mut self, which: &[usize]) {
        let (mut packages, mut remove) = (Vec::new(), Vec::new());
        for at in which.iter().copied() {
            let Change { component, there, back } = CHANGES[at];
            match if self.is_in[at] { back } else { there } {
                Some(module) => packages.push(package(module)),
                None => remove.push(component),
            }
            self.is_in[at] = !self.is_in[at];
        }
        let txn = self.live.begin(&json!({ "remove": remove }), &packages).unwrap();
        self.live.confirm(txn);
        let outcome = self.live.end_of(txn);
        let log = || self.live.agent.log();
        assert_eq!(outcome["verdict"], "committed", "{which:?}: {outcome}\n{}", log());
        assert_eq!(outcome["doubts"], json!([]), "{which:?}: {outcome}");
    }

    /// Changes these as one group: in what is out, out what is in.
    fn turn(&mut self, which: &[usize]) {
        self.turn_unchecked(which);
        let status = self.live.client.get("/v1/status").unwrap();
        let components = status["components"].as_array().unwrap();
        for (at, change) in CHANGES.iter().enumerate() {
            let found = components.iter().find(|one| one["name"] == change.component);
            let serves = found.and_then(|one| one["version"].as_str()).unwrap_or_default();
            let wanted = &self.versions[at][usize::from(self.is_in[at])];
            assert_eq!(serves, wanted, "{} after {which:?}", change.component);
        }
    }

    /// Everything that was there is there, also after a restart.
    fn end(mut self) {
        let still: Vec<_> = (0..CHANGES.len()).filter(|at| self.is_in[*at]).collect();
        if !still.is_empty() {
            self.turn(&still);
        }
        assert_eq!(self.live.boots(), self.boots, "the engine believes that it was started anew");
        let met = self.load.finish();
        eprintln!("{} requests were answered", met.answered);
        let status = self.live.client.get("/v1/status").unwrap();
        assert_eq!(status["pinned"], json!([]));
        let users = self.live.tool("snmpwalk", MANAGER, &[USERS]);
        assert!(users.contains(GUEST), "{users}");
        let users = self.live.again().tool("snmpwalk", MANAGER, &[USERS]);
        assert!(users.contains(GUEST), "{users}");
    }
}

#[test]
fn any_two_versions_come_and_go_in_every_order_and_as_a_group() {
    let _turn = one_at_a_time();
    let mut world = World::new();
    for a in 0..CHANGES.len() {
        for b in 0..a {
            for (a, b) in [(a, b), (b, a)] {
                // In, in, and out the other way round; in again, and out as they came.
                for one in [a, b, b, b, a, b] {
                    world.turn(&[one]);
                }
            }
            world.turn(&[a, b]);
            world.turn(&[b, a]);
        }
        assert_eq!(world.live.boots(), world.boots);
    }
    world.end();
}

#[test]
fn many_versions_come_and_go_in_an_order_that_nobody_thought_of() {
    let _turn = one_at_a_time();
    let seed = std::env::var("S_TESTS_SEED").ok().map(|seed| seed.parse().unwrap());
    let mut random = seed.unwrap_or_else(|| RandomState::new().hash_one(0)) | 1;
    eprintln!("S_TESTS_SEED={random} repeats this order");
    let mut below = |limit: usize| {
        // Xorshift: good enough to choose.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % limit as u64).unwrap()
    };
    let mut world = World::new();
    for _ in 0..60 {
        let mut left: Vec<_> = (0..CHANGES.len()).collect();
        let which: Vec<_> = (0..=below(3)).map(|_| left.swap_remove(below(left.len()))).collect();
        world.turn(&which);
    }
    world.end();
}
