//! Slow and hanging modules behind the daemon's own threads and sockets. Nothing here is measured: a module
//! hangs until it is told otherwise, and what must not wait for it is answered before.

use super::*;
use s_conversations::Agent;
use s_conversations::compose::compose;
use s_conversations::sample::{quick, slow};
use s_wire::{AnyPdu, CommunityMessage, Reader, Value};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};

const MANAGER: &[u8] = &[127, 0, 0, 1, 0x0f, 0xa0];

/// No answer takes as long, on the slowest machine.
const SOME_DAY: Duration = Duration::from_secs(60);

/// An agent with a thread for UDP, one for streams, and those that come to their help.
struct World {
    agent: Agent,
    udp: SocketAddr,
    tcp: SocketAddr,
    threads: Arc<Threads>,
    later: Option<Arc<Later>>,
    /// Nobody serves them yet.
    sockets: Sockets,
}

/// Error-status, error-index, and the integers.
type Told = (i32, i32, Vec<i32>);

impl World {
    fn new() -> Self {
        let mut world = World::waiting();
        world.begin();
        world
    }

    /// One that has no threads yet.
    fn waiting() -> Self {
        let agent = Agent::default();
        let places = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"].map(|place| place.parse().unwrap());
        let sockets = Sockets::open(&places, 1).unwrap();
        let udp = sockets.datagrams[0].local_addr().unwrap();
        let tcp = sockets.streams[0].local_addr().unwrap().as_socket().unwrap();
        World { agent, udp, tcp, threads: Arc::default(), later: None, sockets }
    }

    fn begin(&mut self) {
        let World { agent, threads, sockets, .. } = self;
        let watch = Watch::start(agent.runtime, &agent.engine, threads).unwrap();
        let (runtime, engine, latency) = (agent.runtime, &agent.engine, Arc::default());
        let later = answer_requests(runtime, engine, &latency, &watch, threads, sockets).unwrap();
        self.later = Some(later);
    }

    /// Has the slow module take so long, come what may.
    fn takes(&self, how_long: i32) {
        let line = format!("v2c private set B.7.2.0=i:{how_long}");
        let answer = self.agent.ask(MANAGER, &compose(&line).unwrap()).unwrap();
        assert_eq!(read(&answer).0, 0);
    }

    fn component(&self, name: &str) -> usize {
        let components = self.agent.runtime.components();
        components.iter().position(|component| component.name() == name).unwrap()
    }

    /// A module's calls take long.
    fn mark_slow(&self, name: &str) {
        let component = self.agent.runtime.component(name).unwrap();
        let generation = component.current().number();
        self.agent.engine.pace().mark_slow(self.component(name), generation);
    }

    /// Waits until the slow module is known for it.
    fn until_it_is_known(&self) {
        let slow = self.component("mib.slow");
        while !self.agent.engine.pace().is_slow(slow) {
            std::thread::yield_now();
        }
    }

    /// Asks over UDP from a port of its own, which hears the answer.
    fn send(&self, line: &str) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(SOME_DAY)).unwrap();
        socket.send_to(&compose(line).unwrap(), self.udp).unwrap();
        socket
    }

    fn ask(&self, line: &str) -> Told {
        hear(&self.send(line))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.tcp).unwrap();
        stream.set_read_timeout(Some(SOME_DAY)).unwrap();
        stream
    }

    /// Ends all threads; answers how many did not end.
    fn end(self) -> usize {
        self.later.iter().for_each(|later| later.end());
        self.threads.end(SOME_DAY)
    }
}

fn hear(socket: &UdpSocket) -> Told {
    let mut answer = [0; 1500];
    let len = socket.recv(&mut answer).expect("no answer");
    read(&answer[..len])
}

fn is_unanswered(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    let is_unanswered = socket.peek(&mut [0]).is_err();
    socket.set_nonblocking(false).unwrap();
    is_unanswered
}

fn tell(mut stream: &TcpStream, line: &str) {
    stream.write_all(&compose(line).unwrap()).unwrap();
}

fn hear_stream(mut stream: &TcpStream) -> Told {
    let mut answer = vec![0; 2];
    stream.read_exact(&mut answer).expect("no answer");
    let rest = usize::from(answer[1]);
    assert!(rest < 128, "a short answer");
    answer.resize(2 + rest, 0);
    stream.read_exact(&mut answer[2..]).unwrap();
    read(&answer)
}

fn read(answer: &[u8]) -> Told {
    let message = CommunityMessage::decode(answer).unwrap();
    let pdu = AnyPdu::decode(Reader::new(message.pdu.octets), message.version).unwrap();
    let AnyPdu::Pdu(pdu) = pdu else { panic!("an answer is no trap") };
    let values = pdu.bindings.into_iter().filter_map(|binding| match binding.value {
        Value::Integer(number) => Some(number),
        _ => None,
    });
    (pdu.error_status, pdu.error_index, values.collect())
}

#[test]
fn a_hanging_module_costs_its_own_bindings_and_delays_nobody() {
    let world = World::new();
    let other = world.connect();
    tell(&other, "v2c public get B.1.1.0");
    assert_eq!(hear_stream(&other), (0, 0, vec![42]));

    world.takes(slow::HANGS);
    let stuck = world.send("v2c public get B.7.1.0");
    // By a stand-in, whether it came in the same batch or not.
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]));
    // The thread for streams leaves the request, and serves the other connection.
    let waiting = world.connect();
    tell(&waiting, "v2c public get B.7.1.0");
    tell(&other, "v2c public get B.1.1.0");
    assert_eq!(hear_stream(&other), (0, 0, vec![42]));
    // At their deadlines: genErr, for the bindings of that module.
    assert_eq!(world.ask("v2c public get B.1.1.0 B.7.1.0"), (5, 2, vec![]));
    assert_eq!(hear_stream(&waiting), (5, 1, vec![]));
    // Its share of threads hangs now, so nobody begins this one; and nobody will.
    assert_eq!(world.ask("v2c private set B.1.1.0=i:1 B.7.1.0=i:1"), (5, 2, vec![1, 1]));
    assert!(is_unanswered(&stuck));

    world.takes(0);
    assert_eq!(hear(&stuck), (0, 0, vec![7]), "the stuck thread answers in the end");
    assert_eq!(world.ask("v2c public get B.1.1.0 B.7.1.0"), (0, 0, vec![42, 7]));
    tell(&waiting, "v2c public get B.7.1.0");
    assert_eq!(hear_stream(&waiting), (0, 0, vec![7]), "its connection came back");
    assert_eq!(world.end(), 0, "all have ended, stand-ins as well");
}

#[test]
fn what_came_in_one_batch_does_not_wait_for_what_hangs() {
    // What is sent before there is a thread is received at once.
    let mut world = World::waiting();
    world.takes(slow::HANGS);
    let before = world.send("v2c public get B.1.1.0");
    let stuck = world.send("v2c public get B.7.1.0");
    let behind = world.send("v2c public get B.1.2.0 B.1.1.0");
    world.begin();
    assert_eq!(hear(&before), (0, 0, vec![42]));
    assert_eq!(hear(&behind), (0, 0, vec![42]));
    assert!(is_unanswered(&stuck));
    world.takes(0);
    assert_eq!(hear(&stuck), (0, 0, vec![7]));
    assert_eq!(world.end(), 0);
}

#[test]
fn a_stuck_thread_of_streams_keeps_one_connection() {
    let world = World::new();
    let (stuck, other) = (world.connect(), world.connect());
    world.takes(slow::HANGS);
    tell(&stuck, "v2c public get B.7.1.0");
    world.until_it_is_known();
    tell(&other, "v2c public get B.1.1.0");
    assert_eq!(hear_stream(&other), (0, 0, vec![42]));
    world.takes(0);
    assert_eq!(hear_stream(&stuck), (0, 0, vec![7]));
    // What it asks next finds a thread, too.
    tell(&stuck, "v2c public get B.1.1.0");
    assert_eq!(hear_stream(&stuck), (0, 0, vec![42]));
    assert_eq!(world.end(), 0);
}

#[test]
fn a_module_that_never_returns_leaves_threads_to_one_that_does() {
    let world = World::new();
    world.takes(slow::HANGS);
    world.mark_slow("mib.slow");
    let hanging: Vec<_> = (0..20).map(|_| world.send("v2c public get B.7.1.0")).collect();
    world.mark_slow("mib.sample");
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]), "not at the deadline");
    for socket in &hanging {
        assert_eq!(hear(socket), (5, 1, vec![]));
    }
    world.takes(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_request_that_hangs_in_one_module_takes_no_share_of_another() {
    let world = World::new();
    world.takes(slow::HANGS);
    for name in ["mib.sample", "mib.slow"] {
        world.mark_slow(name);
    }
    let hanging: Vec<_> = (0..4).map(|_| world.send("v2c public get B.1.1.0 B.7.1.0")).collect();
    for socket in &hanging {
        assert_eq!(hear(socket).0, 5);
    }
    world.mark_slow("mib.sample");
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]), "not at the deadline");
    world.takes(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_request_that_hangs_in_a_module_that_nobody_knew_to_be_slow_takes_no_share_of_the_one_it_was_left_for()
 {
    let world = World::new();
    world.takes(slow::HANGS);
    world.mark_slow("mib.sample");
    let hanging: Vec<_> = (0..2).map(|_| world.send("v2c public get B.1.1.0 B.7.1.0")).collect();
    for socket in &hanging {
        assert_eq!(hear(socket), (5, 1, vec![]), "both have been begun");
    }
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]), "not at the deadline");
    world.takes(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_request_that_two_threads_answer_is_counted_once() {
    let world = World::new();
    world.takes(slow::HANGS);
    world.mark_slow("mib.slow");
    let asked: Vec<_> = (0..2).map(|_| world.send("v2c public get B.7.1.0")).collect();
    for socket in &asked {
        assert_eq!(hear(socket), (5, 1, vec![]), "at the deadline");
    }
    let engine = Arc::clone(&world.agent.engine);
    world.takes(0);
    assert_eq!(world.end(), 0, "those that waited answered them, too");
    let counted = engine.requests().all().filter(|(kind, _, count)| *kind == "get" && *count > 0);
    let counted: Vec<_> = counted.map(|(_, outcome, count)| (outcome.name(), count)).collect();
    assert_eq!(counted, [("error", 2)]);
}

#[test]
fn what_replaces_a_module_that_does_not_return_is_asked_anew() {
    let world = World::new();
    world.takes(3000);
    world.mark_slow("mib.slow");
    let hanging: Vec<_> = (0..3).map(|_| world.send("v2c public get B.7.1.0")).collect();
    for socket in &hanging {
        assert_eq!(hear(socket), (5, 1, vec![]));
    }
    world.agent.swap("mib.slow", Some(&quick::S_MODULE));
    world.agent.look();
    assert_eq!(world.ask("v2c public get B.7.1.0"), (0, 0, vec![8]));
    assert_eq!(world.end(), 0);
}

#[test]
fn a_set_that_waited_behind_a_hanging_call_past_its_deadline_sets_nothing() {
    let world = World::new();
    world.takes(slow::HANGS);
    let (stuck, other) = (world.connect(), world.connect());
    // Both at once: the second is the next message of the same connection.
    let lines = ["v2c public get B.7.1.0", "v2c private set B.1.1.0=i:9"];
    let both = lines.map(|line| compose(line).unwrap()).concat();
    (&stuck).write_all(&both).unwrap();
    world.until_it_is_known();
    tell(&other, "v2c public get B.1.1.0");
    assert_eq!(hear_stream(&other), (0, 0, vec![42]), "by a stand-in");
    std::thread::sleep(2 * crate::later::DEADLINE);
    world.takes(0);
    assert_eq!(hear_stream(&stuck), (0, 0, vec![7]));
    assert_eq!(hear_stream(&stuck), (5, 1, vec![9]));
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]));
    assert_eq!(world.end(), 0);
}

#[test]
fn a_module_that_nobody_knew_to_be_slow_does_not_stop_the_deadlines() {
    let world = World::new();
    // The first call is the receiving thread's. Then the request is left because of another module, and the
    // thread that waits hangs; at the deadline the one that keeps it may, too.
    world.takes(slow::HANGS + 1);
    world.mark_slow("mib.sample");
    assert_eq!(world.ask("v2c public get B.7.1.0 B.1.1.0"), (5, 1, vec![]));
    assert_eq!(world.ask("v2c public get B.7.1.0 B.1.1.0"), (5, 1, vec![]));
    world.takes(0);
    assert_eq!(world.end(), 0);
}

#[test]
fn a_swap_is_not_kept_by_a_request_that_hangs_in_the_old_generation() {
    let world = World::new();
    world.takes(3000);
    let stuck = world.send("v2c public get B.7.1.0");
    world.until_it_is_known();
    world.agent.swap("mib.slow", Some(&quick::S_MODULE));
    world.agent.look();
    assert_eq!(world.ask("v2c public get B.7.1.0"), (0, 0, vec![8]), "the new one");
    assert_eq!(hear(&stuck), (0, 0, vec![7]), "the one that it began with");
    assert_eq!(world.end(), 0);
}

#[test]
fn what_nobody_has_begun_is_answered_when_the_agent_ends() {
    let world = World::new();
    world.mark_slow("mib.slow");
    world.takes(slow::HANGS);
    let asked: Vec<_> = (0..4).map(|_| world.send("v2c public get B.7.1.0")).collect();
    // All have been taken over once one that came after them is answered.
    assert_eq!(world.ask("v2c public get B.1.1.0"), (0, 0, vec![42]));
    world.later.iter().for_each(|later| later.end());
    for socket in &asked {
        assert_eq!(hear(socket), (5, 1, vec![]));
    }
    world.takes(0);
    assert_eq!(world.end(), 0);
}
