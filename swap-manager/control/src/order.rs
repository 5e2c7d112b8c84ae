//! An order: a swap as an operator writes it down, in JSON.
//!
//! ```json
//! {
//!   "remove": ["priv.des"],
//!   "confirm": { "by": "operator", "seconds": 60 },
//!   "deadlines_ms": { "whole": 30000, "quiesce": 500 },
//!   "allow_downgrade": false
//! }
//! ```
//!
//! Packages come beside it, as they are. What an order does not mention has its usual value; what it
//! mentions and this version does not know is refused, never skipped. Nothing is executed here.

use crate::request::{Item, Request};
use s_transaction::{Confirm, Deadlines};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// No honest order is larger.
pub const BYTES_MAX: usize = 64 << 10;

/// What an order that says nothing gets: long enough for a module that panics to be found out by its callers.
const PROBATION: Duration = Duration::from_secs(10);

/// Longer waits than a week are mistakes of units.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why an order is none.
#[derive(Debug, thiserror::Error)]
pub enum OrderFault {
    /// Over the limit.
    #[error("an order of {octets} octets; the limit is {BYTES_MAX}")]
    TooLarge {
        /// Its size.
        octets: usize,
    },
    /// Not the JSON of an order.
    #[error("not an order: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A time that means nothing.
    #[error("`{field}` is {given:?}; give a time of at least 1 ms and at most a week")]
    Time {
        /// Which one.
        field: &'static str,
        /// What was given.
        given: Duration,
    },
}

/// A swap as it was ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    remove: Vec<String>,
    confirm: Option<ConfirmOrder>,
    deadlines_ms: DeadlinesOrder,
    allow_downgrade: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmOrder {
    by: ConfirmBy,
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ConfirmBy {
    Operator,
    Silence,
}

macro_rules! deadlines {
    ($($phase:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct DeadlinesOrder {
            $($phase: Option<u64>,)*
        }

        impl DeadlinesOrder {
            fn apply(&self, deadlines: &mut Deadlines) -> Result<(), OrderFault> {
                $(if let Some(ms) = self.$phase {
                    deadlines.$phase = sane(stringify!($phase), Duration::from_millis(ms))?;
                })*
                Ok(())
            }
        }
    };
}
deadlines!(
    whole, verify, load, preflight, prepare, quiesce, map_state, commit, sync, release, abort,
    rollback
);

fn sane(field: &'static str, given: Duration) -> Result<Duration, OrderFault> {
    if given.is_zero() || given > LONGEST {
        Err(OrderFault::Time { field, given })
    } else {
        Ok(given)
    }
}

impl Order {
    /// Reads an order.
    ///
    /// # Errors
    /// It is too large, not the JSON of an order, or names a time that means nothing.
    pub fn parse(octets: &[u8]) -> Result<Self, OrderFault> {
        if octets.len() > BYTES_MAX {
            return Err(OrderFault::TooLarge { octets: octets.len() });
        }
        let order: Order = serde_json::from_slice(octets)?;
        order.confirm()?;
        order.deadlines()?;
        Ok(order)
    }

    fn confirm(&self) -> Result<Confirm, OrderFault> {
        let Some(ConfirmOrder { by, seconds }) = self.confirm else {
            return Ok(Confirm::Probation(PROBATION));
        };
        let window = sane("confirm.seconds", Duration::from_secs(seconds))?;
        Ok(match by {
            ConfirmBy::Operator => Confirm::ByOperator(window),
            ConfirmBy::Silence => Confirm::Probation(window),
        })
    }

    fn deadlines(&self) -> Result<Deadlines, OrderFault> {
        let mut deadlines = Deadlines::default();
        self.deadlines_ms.apply(&mut deadlines)?;
        Ok(deadlines)
    }

    /// The request that this order makes with these packages.
    ///
    /// # Errors
    /// As for [`Order::parse`].
    pub fn with_packages(
        &self,
        packages: impl IntoIterator<Item = Arc<[u8]>>,
    ) -> Result<Request, OrderFault> {
        let removals = self.remove.iter().cloned().map(Item::Remove);
        Ok(Request {
            items: packages.into_iter().map(Item::Package).chain(removals).collect(),
            confirm: self.confirm()?,
            deadlines: self.deadlines()?,
            allow_downgrade: self.allow_downgrade,
            operator: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        Order::parse(text.as_bytes()).unwrap().with_packages([]).unwrap()
    }

    #[test]
    fn an_empty_order_has_the_usual_values() {
        let request = request("{}");
        assert_eq!(request.confirm, Confirm::Probation(PROBATION));
        assert_eq!(request.deadlines, Deadlines::default());
        assert!(request.items.is_empty() && !request.allow_downgrade);
    }

    #[test]
    fn what_an_order_says_is_in_the_request() {
        let request = request(
            r#"{ "remove": ["a", "b"], "confirm": { "by": "operator", "seconds": 60 },
                 "deadlines_ms": { "quiesce": 500 }, "allow_downgrade": true }"#,
        );
        assert_eq!(request.confirm, Confirm::ByOperator(Duration::from_secs(60)));
        assert_eq!(request.deadlines.quiesce, Duration::from_millis(500));
        assert_eq!(request.deadlines.load, Deadlines::default().load);
        let removed = |item: &Item| matches!(item, Item::Remove(_));
        assert!(
            request.items.len() == 2
                && request.items.iter().all(removed)
                && request.allow_downgrade
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_and_named() {
        for (text, named) in [
            (r#"{ "confrm": null }"#, "confrm"),
            (r#"{ "deadlines_ms": { "verfy": 1 } }"#, "verfy"),
            (r#"{ "confirm": { "by": "nobody", "seconds": 1 } }"#, "nobody"),
            (r#"{ "confirm": { "by": "operator", "seconds": 0 } }"#, "confirm.seconds"),
            (r#"{ "deadlines_ms": { "whole": 604800001 } }"#, "whole"),
            ("{", "EOF"),
        ] {
            let fault = Order::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(named), "{text}: {fault}");
        }
        let large = vec![b' '; BYTES_MAX + 1];
        assert!(matches!(Order::parse(&large), Err(OrderFault::TooLarge { .. })));
    }
}
