//! A network interface as the kernel knows it, wherever that was read from.

/// What the kernel says of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) alias: Vec<u8>,
    /// ARPHRD_*.
    pub(crate) hardware: u16,
    /// IFF_*.
    pub(crate) flags: u32,
    pub(crate) mtu: u32,
    pub(crate) address: Vec<u8>,
    /// IF_OPER_*.
    pub(crate) oper_state: u8,
    /// Moves with every change of the carrier.
    pub(crate) carrier_changes: u32,
    pub(crate) counters: Counters,
}

/// What went through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) rx_packets: u64,
    pub(crate) tx_packets: u64,
    pub(crate) rx_octets: u64,
    pub(crate) tx_octets: u64,
    pub(crate) rx_errors: u64,
    pub(crate) tx_errors: u64,
    pub(crate) rx_dropped: u64,
    pub(crate) tx_dropped: u64,
    pub(crate) multicast: u64,
    pub(crate) no_handler: u64,
}

const UP: u32 = 0x1;
const RUNNING: u32 = 0x40;
const PROMISCUOUS: u32 = 0x100;

const ETHER: u16 = 1;
const LOOPBACK: u16 = 772;

impl Link {
    /// ifType, from the kernel's number of the hardware.
    pub(crate) const fn if_type(&self) -> i32 {
        match self.hardware {
            ETHER => 6,                               // ethernetCsmacd
            774 => 15,                                // fddi
            512 => 23,                                // ppp
            LOOPBACK => 24,                           // softwareLoopback
            256..=259 => 28,                          // slip
            770 => 32,                                // frameRelay
            19 => 37,                                 // atm
            801..=803 => 71,                          // ieee80211
            513 => 118,                               // hdlc
            768 | 769 | 776 | 777 | 778 | 823 => 131, // tunnel
            24 => 144,                                // ieee1394
            32 => 199,                                // infiniband
            _ => 1,                                   // other
        }
    }

    /// ifAdminStatus: up or down.
    pub(crate) const fn admin_status(&self) -> i32 {
        if self.flags & UP != 0 { 1 } else { 2 }
    }

    /// ifOperStatus. Drivers that do not keep a state, the loopback among them, are taken at their flags.
    pub(crate) const fn oper_status(&self) -> i32 {
        match self.oper_state {
            1 => 6, // notPresent
            2 => 2, // down
            3 => 7, // lowerLayerDown
            4 => 3, // testing
            5 => 5, // dormant
            6 => 1, // up
            _ if self.flags & (UP | RUNNING) == UP | RUNNING => 1,
            _ => 2,
        }
    }

    /// ifPhysAddress: empty for an interface that has none.
    pub(crate) fn phys_address(&self) -> &[u8] {
        if self.address.iter().all(|octet| *octet == 0) { &[] } else { &self.address }
    }

    pub(crate) const fn is_promiscuous(&self) -> bool {
        self.flags & PROMISCUOUS != 0
    }

    /// Whether it may have a speed and a connector: only then is it worth to look.
    pub(crate) const fn is_ethernet(&self) -> bool {
        self.hardware == ETHER
    }
}

impl Counters {
    /// Received packets that were for one receiver. The kernel counts the others among all.
    pub(crate) const fn rx_unicast(&self) -> u64 {
        self.rx_packets.saturating_sub(self.multicast)
    }
}
