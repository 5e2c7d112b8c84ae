//! ipNetToPhysicalTable and the deprecated ipNetToMediaTable, from the kernel's neighbours.
//!
//! Who could not be reached is no neighbour: the kernel keeps such entries only to be rid of them.

use crate::values::{integer, up_time_at};
use kernel_net::{Neighbour, neighbours};
use mib_kit::{Column, Inet, Rows};
use roles::varbind::VarValue::{Integer, IpAddress, Octets, TimeTicks};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(crate) const MEDIA_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 22, 1];
pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 35, 1];

/// NUD_*.
const INCOMPLETE: u16 = 0x01;
const REACHABLE: u16 = 0x02;
const STALE: u16 = 0x04;
const DELAY: u16 = 0x08;
const PROBE: u16 = 0x10;
const FAILED: u16 = 0x20;
const PERMANENT: u16 = 0x80;

/// All neighbours at one time.
#[derive(Default)]
pub(crate) struct Neighbours {
    pub(crate) all: Rows<(u32, Inet), Arc<Row>>,
    pub(crate) v4: Rows<(u32, Ipv4Addr), Arc<Row>>,
}

/// A row of either table.
pub(crate) struct Row {
    neighbour: Neighbour,
    updated: u32,
}

impl Neighbours {
    pub(crate) fn read(up_time: u32) -> std::io::Result<Self> {
        Ok(Neighbours::of(neighbours()?, up_time))
    }

    fn of(found: Vec<Neighbour>, up_time: u32) -> Self {
        let known = found.into_iter().filter(|neighbour| neighbour.state & FAILED == 0);
        let rows: Vec<Arc<Row>> = known
            .map(|neighbour| {
                let updated = up_time_at(up_time, neighbour.updated_ago);
                Arc::new(Row { neighbour, updated })
            })
            .collect();
        let v4 = |row: &Arc<Row>| match row.neighbour.address {
            IpAddr::V4(address) => Some(((row.neighbour.link, address), Arc::clone(row))),
            IpAddr::V6(_) => None,
        };
        Neighbours {
            v4: rows.iter().filter_map(v4).collect(),
            all: rows
                .into_iter()
                .map(|row| {
                    let Neighbour { link, address, .. } = row.neighbour;
                    ((link, Inet::of(address, link)), row)
                })
                .collect(),
        }
    }
}

impl Row {
    /// static(4) or dynamic(3), of both tables.
    fn kind(&self) -> i32 {
        if self.neighbour.state & PERMANENT != 0 { 4 } else { 3 }
    }

    /// ipNetToPhysicalState. What an administrator put there is taken for reachable.
    fn state(&self) -> i32 {
        match self.neighbour.state {
            REACHABLE | PERMANENT => 1,
            STALE => 2,
            DELAY => 3,
            PROBE => 4,
            INCOMPLETE => 7,
            _ => 6, // unknown
        }
    }
}

pub(crate) const MEDIA: &[Column<Arc<Row>>] = &[
    Column::new(1, |row| integer(row.neighbour.link)),
    Column::new(2, |row| Some(Octets(&row.neighbour.phys_address))),
    Column::new(3, |row| match row.neighbour.address {
        IpAddr::V4(address) => Some(IpAddress(address.octets())),
        IpAddr::V6(_) => None,
    }),
    Column::new(4, |row| Some(Integer(row.kind()))),
];

pub(crate) const NEIGHBOUR: &[Column<Arc<Row>>] = &[
    Column::new(4, |row| Some(Octets(&row.neighbour.phys_address))),
    Column::new(5, |row| Some(TimeTicks(row.updated))),
    Column::new(6, |row| Some(Integer(row.kind()))),
    Column::new(7, |row| Some(Integer(row.state()))),
    // ipNetToPhysicalRowStatus: active.
    Column::new(8, |_| Some(Integer(1))),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_both_versions_are_rows_and_lost_ones_are_not() {
        let neighbour = |address: &str, state| Neighbour {
            link: 4,
            address: address.parse().unwrap(),
            phys_address: vec![2, 0, 0, 0, 0, 1],
            state,
            updated_ago: 30,
        };
        let found = Neighbours::of(
            vec![
                neighbour("10.0.0.9", STALE),
                neighbour("fe80::9", PERMANENT),
                neighbour("fd00::1", FAILED),
            ],
            100,
        );
        let rows: Vec<_> = found
            .all
            .iter()
            .map(|(at, row)| (at.1.kind(), row.kind(), row.state(), row.updated))
            .collect();
        assert_eq!(rows, [(1, 3, 2, 70), (4, 4, 1, 70)]);
        assert_eq!(found.v4.len(), 1);
    }
}
