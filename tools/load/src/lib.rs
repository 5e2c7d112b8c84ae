//! Asks SNMP agents as fast as they answer, and looks at every answer.
//!
//! It is a manager in SNMPv2c and in SNMPv3 with USM, made for measuring: one thread that spins, many
//! requests under way at a time, datagrams in batches through the daemon's own `batch.rs`. It never counts an
//! answer that it has not looked at, and knows nothing of any agent: net-snmp's is asked by the same code.
//!
//! In reading order: [`usm`] (keys, codes, ciphers: its own, not the agent's modules), [`session`] (messages
//! to one agent and their proof), [`question`] (what is asked and what an answer must be), [`generator`]
//! (closed and open loop), [`traced`] (each request under a number of its own, and what became of it),
//! [`process`] (what the agent's process costs meanwhile), [`agents`] (processes to ask), [`report`].

pub mod agents;
#[path = "../../../agent/daemon/src/batch.rs"]
#[allow(dead_code, reason = "a manager has no use for what only an agent needs")]
mod batch;
pub mod generator;
pub mod process;
pub mod question;
pub mod report;
pub mod session;
pub mod traced;
pub mod usm;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Why something could not be measured.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sends everything back, in batches, until it is killed: what a datagram costs without SNMP.
///
/// # Errors
/// The system's.
pub fn echo(address: SocketAddr) -> Result<(), Error> {
    let socket = UdpSocket::bind(address)?;
    let mut batch = batch::Batch::new(2048);
    let mut datagram = Vec::new();
    loop {
        let count = batch.receive(&socket)?;
        for at in 0..count {
            let Some((_, octets)) = batch.datagram(at) else { continue };
            datagram.clear();
            datagram.extend_from_slice(octets);
            batch.answer(at, &datagram);
        }
        batch.send(&socket);
    }
}

/// A socket for many answers at once.
///
/// # Errors
/// The system's.
pub(crate) fn socket(agent: SocketAddr) -> Result<UdpSocket, Error> {
    const ROOM: usize = 8 << 20;
    let any = if agent.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    // Beyond the system's limit where that is allowed, up to it elsewhere.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, ROOM).is_err() {
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, ROOM)?;
    }
    socket.connect(agent)?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(socket)
}
