//! The steps of a rehearsal, in their order.

use std::fmt;

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A step of a rehearsal. Each is announced before it begins, so that the last one announced is
        /// the one in which a child died.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step {
            $($(#[$doc])* $variant,)*
        }

        impl Step {
            /// All of them.
            pub const ALL: &[Step] = &[$(Step::$variant),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Step::$variant => $name,)*
                }
            }
        }
    };
}

steps! {
    /// The child begins and gives up its rights.
    Start = "start",
    /// The module is mapped, its static constructors run, its descriptor is checked.
    Load = "load",
    /// The descriptor is written down, the state schema is asked for.
    Describe = "describe",
    /// An instance is made.
    Init = "init",
    /// It takes a copy of the real state.
    Import = "import",
    /// It gives the state back, in its own version and in the one that the copy came in.
    Export = "export",
    /// What came back is compared with the copy.
    Compare = "compare",
    /// It votes.
    Prepare = "prepare",
    /// It tests itself.
    SelfTest = "self_test",
    /// It is asked what the host wants to know.
    Ask = "ask",
    /// Recorded calls are made again.
    Replay = "replay",
    /// It is told that it serves.
    Restart = "restart",
    /// It is told that it is quiescent.
    Hold = "hold",
    /// It is told that this was its last moment.
    Term = "term",
    /// The instance is freed.
    Drop = "drop",
    /// The ledger is read.
    Ledger = "ledger",
}

impl Step {
    pub(crate) fn from_name(name: &str) -> Option<Step> {
        Step::ALL.iter().copied().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
