//! Streams: octets in pieces of any size, messages out.
//!
//! Promises checked: the same octets make the same messages however they are cut; each is a SEQUENCE as long as it
//! says and no longer than is taken; as many answers leave as messages came, in their order; and who sends what is
//! no message is cut off after it.

use crate::connection::Connection;
use crate::stream::{Answers, Away, Limits};
use rustix::event::PollFlags;
use s_engine::{Left, Peer};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read as _, Write as _};

/// Small, so that what is larger is met.
const LARGEST: usize = 300;

/// Keeps what comes; answers a message with itself.
#[derive(Default)]
struct Messages(Vec<Vec<u8>>);

impl Answers for Messages {
    fn answer(&mut self, _: Peer<'_>, message: &[u8], into: &mut Vec<u8>) -> Option<Left> {
        self.0.push(message.to_vec());
        if message.starts_with(&[0x30]) {
            into.extend_from_slice(message);
        }
        None
    }

    fn leave(&mut self, _: Away, _: &[u8], _: Left) {
        unreachable!("nothing was left for later");
    }
}

/// What a connection that gets these pieces makes of them: the messages, the answers, and whether it is over.
fn conversation<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u8>, bool) {
    let (here, peer) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair of sockets");
    peer.set_nonblocking(true).expect("a socket");
    let from = SockAddr::unix("").expect("an address without a name");
    let mut connection = Connection::new(1, here, &from).expect("a socket");
    let (mut messages, mut answers) = (Messages::default(), Vec::new());
    let mut chunk = [0; 64];
    let mut serve = |connection: &mut Connection, ready: PollFlags| {
        let limits = Limits::new(LARGEST);
        let mut ready = ready;
        loop {
            let left = connection.turn(ready, limits, &mut chunk, &mut messages);
            assert!(left.is_none());
            let mut taken = [0; 1024];
            while let Ok(len @ 1..) = (&peer).read(&mut taken) {
                answers.extend_from_slice(&taken[..len]);
            }
            // It goes on as long as there is something to read or to do, as under `poll`.
            let mut next = [std::mem::MaybeUninit::uninit(); 1];
            let has_more = connection.waits_for().has_more;
            let can_read = connection.socket.peek(&mut next).is_ok_and(|len| len > 0);
            ready = if can_read { PollFlags::IN } else { PollFlags::empty() };
            if connection.is_over || !(has_more || can_read) {
                break;
            }
        }
    };
    for piece in pieces {
        if connection.is_over {
            break;
        }
        (&peer).write_all(piece).expect("room for a piece");
        serve(&mut connection, PollFlags::IN);
    }
    let is_over = connection.is_over;
    if !is_over {
        peer.shutdown(std::net::Shutdown::Write).expect("a socket");
        serve(&mut connection, PollFlags::IN | PollFlags::HUP);
        assert!(connection.is_over, "nothing comes any more");
    }
    (messages.0, answers, is_over)
}

/// One input.
pub fn run(octets: &[u8]) {
    let Some((&cut, octets)) = octets.split_first() else { return };
    let (messages, answers, is_cut_off) = conversation(octets.chunks(usize::from(cut) + 1));
    let (whole, ..) = conversation(octets.chunks(64));

    let (good, bad) = match messages.split_last() {
        Some((last, good)) if is_cut_off => (good, Some(last)),
        _ => (&messages[..], None),
    };
    let together = good.concat();
    assert!(octets.starts_with(&together), "what came was changed");
    for message in good {
        assert!(message.starts_with(&[0x30]) && (2..=LARGEST).contains(&message.len()));
    }
    assert!(whole.starts_with(good), "it matters how octets are cut");
    // What is no message shows itself by its first octets, of which more or less have come.
    assert_eq!(whole.len(), messages.len());
    if let Some(bad) = bad {
        assert!(octets[together.len()..].starts_with(bad) && bad.len() <= LARGEST);
    }
    let answered: Vec<u8> =
        messages.iter().filter(|message| message.starts_with(&[0x30])).flatten().copied().collect();
    assert_eq!(answers, answered);
}
