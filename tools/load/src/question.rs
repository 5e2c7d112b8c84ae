//! What is asked, and what an answer must be.
//!
//! It never compares with another agent's answer: names, order, types and the absence of errors are what
//! every agent owes. Invariant: a walk goes forward only, so it ends.

use crate::session::{Session, Wrong};
use s_wire::{Arcs, Oid, Pdu, PduKind, Value, VarBind, VarBindList};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// Anything: what comes back is the request itself.
    Echo,
    /// These variables, each of a type.
    Get(Vec<(Vec<u32>, Type)>),
    /// Always the same GETBULK of one name.
    Bulk {
        /// The name.
        name: Vec<u32>,
        /// How many variables behind it.
        repetitions: u16,
    },
    /// Everything below a name, GETBULK after GETBULK, and again from its beginning.
    Walk {
        /// The name.
        root: Vec<u32>,
        /// How many variables each asks for.
        repetitions: u16,
    },
}

/// sysUpTime.0.
pub const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];

/// Of which type a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types of SNMP")]
pub enum Type {
    Integer,
    Octets,
    Oid,
    TimeTicks,
    Counter32,
}

/// Where an asker is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The name behind which a walk goes on; empty at its beginning.
    behind: Vec<u32>,
    /// How often it came to its end.
    pub ends: u64,
}

impl Question {
    /// Writes the next request.
    pub fn write(&self, session: &mut Session, number: i32, place: &Place, message: &mut Vec<u8>) {
        let null = |name| VarBind { name, value: Value::Null };
        let (kind, repetitions, names): (_, _, Vec<&[u32]>) = match self {
            Question::Echo => (PduKind::Get, 0, vec![SYS_UP_TIME]),
            Question::Get(wanted) => {
                (PduKind::Get, 0, wanted.iter().map(|(name, _)| &name[..]).collect())
            }
            Question::Bulk { name, repetitions } => {
                (PduKind::GetBulk, (*repetitions).into(), vec![&name[..]])
            }
            Question::Walk { root, repetitions } => {
                let name = if place.behind.is_empty() { root } else { &place.behind };
                (PduKind::GetBulk, (*repetitions).into(), vec![&name[..]])
            }
        };
        let bindings: Vec<_> = names.into_iter().filter_map(Arcs::new).map(null).collect();
        let bindings = &bindings[..];
        let pdu =
            Pdu { kind, request_id: number, error_status: 0, error_index: repetitions, bindings };
        session.write(&pdu, message);
    }

    /// Whether the next request is another one.
    pub const fn moves(&self) -> bool {
        matches!(self, Question::Walk { .. })
    }

    /// Looks at an answer; says how many variables it has.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, place: &mut Place, pdu: &Pdu<VarBindList<'_>>) -> Result<u64, Wrong> {
        if pdu.error_status != 0 || pdu.error_index != 0 {
            return Err(Wrong("an error-status"));
        }
        match self {
            Question::Echo => Ok(0),
            Question::Get(wanted) => check_get(wanted, pdu.bindings),
            Question::Bulk { name, repetitions } => {
                let (found, _) = check_bulk(name, *repetitions, pdu.bindings)?;
                Ok(found)
            }
            Question::Walk { root, repetitions } => {
                let behind = if place.behind.is_empty() { root } else { &place.behind };
                let (_, last) = check_bulk(behind, *repetitions, pdu.bindings)?;
                let is_inside = |name: &[u32]| name.starts_with(root);
                // What lies behind the subtree is not counted.
                let found = pdu
                    .bindings
                    .iter()
                    .filter(|bind| !is_end(bind) && arcs_inside(bind.name, root));
                let found = found.count() as u64;
                match last {
                    Some(last) if is_inside(&last) => place.behind = last,
                    _ => {
                        place.behind.clear();
                        place.ends += 1;
                    }
                }
                Ok(found)
            }
        }
    }
}

fn arcs_inside(name: Oid<'_>, root: &[u32]) -> bool {
    let mut arcs = name.arcs();
    root.iter().all(|arc| arcs.next() == Some(*arc))
}

fn is_end(bind: &VarBind<'_>) -> bool {
    matches!(bind.value, Value::EndOfMibView)
}

fn check_get(wanted: &[(Vec<u32>, Type)], bindings: VarBindList<'_>) -> Result<u64, Wrong> {
    if bindings.len() != wanted.len() {
        return Err(Wrong("another number of variables"));
    }
    for (bind, (name, of_type)) in bindings.iter().zip(wanted) {
        if !bind.name.arcs().eq(name.iter().copied()) {
            return Err(Wrong("another name"));
        }
        let found = match bind.value {
            Value::Integer(_) => Type::Integer,
            Value::Octets(_) => Type::Octets,
            Value::Oid(_) => Type::Oid,
            Value::TimeTicks(_) => Type::TimeTicks,
            Value::Counter32(_) => Type::Counter32,
            _ => return Err(Wrong("a value of another type")),
        };
        if found != *of_type {
            return Err(Wrong("a value of another type"));
        }
    }
    Ok(bindings.len() as u64)
}

/// How many variables there are, and the name of the last one unless it is the end of all.
fn check_bulk(
    behind: &[u32],
    repetitions: u16,
    bindings: VarBindList<'_>,
) -> Result<(u64, Option<Vec<u32>>), Wrong> {
    if bindings.is_empty() || bindings.len() > usize::from(repetitions) {
        return Err(Wrong("another number of variables"));
    }
    let mut before: Option<Oid<'_>> = None;
    let (mut found, mut is_over) = (0, false);
    for bind in &mut bindings.iter() {
        if is_end(&bind) {
            is_over = true;
            continue;
        }
        let goes_on = match before {
            None => bind.name.arcs().gt(behind.iter().copied()),
            Some(before) => bind.name > before,
        };
        if !goes_on || is_over {
            return Err(Wrong("a name that is not behind the one before"));
        }
        if matches!(bind.value, Value::Null | Value::NoSuchObject | Value::NoSuchInstance) {
            return Err(Wrong("no value"));
        }
        before = Some(bind.name);
        found += 1;
    }
    let last = before.filter(|_| !is_over).map(|name| name.arcs().collect());
    Ok((found, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s_wire::ber::{Encode as _, Part};
    use s_wire::{AnyPdu, PduVersion};

    fn checked(
        question: &Question,
        place: &mut Place,
        status: i32,
        list: &[(&[u32], Value<'_, Arcs<'_>>)],
    ) -> Result<u64, Wrong> {
        let bindings: Vec<_> = list
            .iter()
            .map(|(name, value)| VarBind { name: Arcs::new(name).unwrap(), value: *value })
            .collect();
        let pdu = Pdu {
            kind: PduKind::Response,
            request_id: 1,
            error_status: status,
            error_index: 0,
            bindings: &bindings[..],
        };
        let mut octets = vec![0; pdu.encoded_len()];
        pdu.encode_into(&mut octets).unwrap();
        let AnyPdu::Pdu(pdu) =
            AnyPdu::decode(Part::from(&octets[..]).reader(), PduVersion::V2).unwrap()
        else {
            panic!("no trap")
        };
        question.check(place, &pdu)
    }

    #[test]
    fn a_get_is_answered_with_its_names_and_types() {
        let get = Question::Get(vec![(vec![1, 3, 1], Type::TimeTicks)]);
        let place = &mut Place::default();
        let ticks = Value::TimeTicks(5);
        assert_eq!(checked(&get, place, 0, &[(&[1, 3, 1], ticks)]), Ok(1));
        for wrong in [
            checked(&get, place, 5, &[(&[1, 3, 1], ticks)]),
            checked(&get, place, 0, &[(&[1, 3, 2], ticks)]),
            checked(&get, place, 0, &[(&[1, 3, 1], Value::Integer(5))]),
            checked(&get, place, 0, &[(&[1, 3, 1], Value::NoSuchInstance)]),
            checked(&get, place, 0, &[]),
        ] {
            assert!(wrong.is_err());
        }
    }

    #[test]
    fn a_walk_goes_forward_and_ends_behind_its_root_or_at_the_end_of_all() {
        let walk = Question::Walk { root: vec![1, 3], repetitions: 3 };
        let place = &mut Place::default();
        let one = Value::Integer(1);
        assert_eq!(checked(&walk, place, 0, &[(&[1, 3, 1], one), (&[1, 3, 2], one)]), Ok(2));
        assert_eq!((&place.behind[..], place.ends), (&[1, 3, 2][..], 0));
        assert!(checked(&walk, place, 0, &[(&[1, 3, 2], one)]).is_err());
        assert!(checked(&walk, place, 0, &[(&[1, 3, 4], one), (&[1, 3, 3], one)]).is_err());
        assert_eq!(checked(&walk, place, 0, &[(&[1, 3, 3], one), (&[1, 4, 1], one)]), Ok(1));
        assert_eq!((place.behind.len(), place.ends), (0, 1));
        let end = Value::EndOfMibView;
        assert_eq!(checked(&walk, place, 0, &[(&[1, 3, 3], one), (&[1, 3, 3], end)]), Ok(1));
        assert_eq!(place.ends, 2);
        assert!(checked(&walk, place, 0, &[(&[1, 3, 3], end), (&[1, 3, 4], one)]).is_err());
    }
}
