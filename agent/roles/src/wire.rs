//! Bindings of a role as those of a message: borrowed, value by value, one way.
//!
//! It never encodes: `s_wire` does. Invariant: what cannot stand in a message is none, never cut.

use crate::varbind::{VarBind, VarValue};
use s_wire::{Arcs, Value};

/// A binding of a role as one of the wire; `None` when a message cannot carry its names.
pub fn to_wire(binding: VarBind<'_>) -> Option<s_wire::VarBind<'_, Arcs<'_>>> {
    let value = match binding.value {
        VarValue::Unspecified => Value::Null,
        VarValue::Integer(integer) => Value::Integer(integer),
        VarValue::Octets(octets) => Value::Octets(octets),
        VarValue::Oid(arcs) => Value::Oid(Arcs::new(arcs)?),
        VarValue::IpAddress(address) => Value::IpAddress(address),
        VarValue::Counter32(number) => Value::Counter32(number),
        VarValue::Gauge32(number) => Value::Gauge32(number),
        VarValue::TimeTicks(ticks) => Value::TimeTicks(ticks),
        VarValue::Opaque(octets) => Value::Opaque(octets),
        VarValue::Counter64(number) => Value::Counter64(number),
        VarValue::NoSuchObject => Value::NoSuchObject,
        VarValue::NoSuchInstance => Value::NoSuchInstance,
        VarValue::EndOfMibView => Value::EndOfMibView,
    };
    Some(s_wire::VarBind { name: Arcs::new(binding.name)?, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_message_can_carry_makes_no_binding() {
        let bind = |name, value| to_wire(VarBind { name, value });
        let good: &[u32] = &[1, 3, 6];
        let found = bind(good, VarValue::Oid(good)).unwrap();
        assert_eq!(found.value, Value::Oid(found.name));
        // The first arc is 0, 1 or 2 (X.690 §8.19.4).
        let bad: &[u32] = &[3, 1];
        assert!(bind(bad, VarValue::Integer(1)).is_none());
        assert!(bind(good, VarValue::Oid(bad)).is_none());
    }
}
