//! What stands where a swap would be: Debian's snmpd started again, and a plug-in of it loaded again.
//!
//! It touches only an snmpd that it has started. What cannot be had is told with the reason, never guessed.

use crate::storm::{RATE, up_time};
use s_load::Error;
use s_load::agents::{Agent, Host, Kind, user};
use s_load::question::{Question, Type};
use s_load::report::rounded;
use s_load::session::{Session, Who};
use s_load::traced::{Asking, Look, Pace, Stream, Told};
use s_load::usm::Auth;
use s_wire::{Arcs, Pdu, PduKind, Value as Variable, VarBind};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A manager of snmpd waits for so long, as net-snmp's tools do.
const PATIENCE: Duration = Duration::from_secs(1);

/// An snmpd that was started again under load.
pub(crate) struct Restart {
    pub(crate) told: Told,
    /// When it was told to end, from the beginning.
    pub(crate) at: Duration,
    boots: (Option<u32>, Option<u32>),
}

/// Has snmpd end as its service manager does, and starts it at once again, under the open loop.
///
/// # Errors
/// There is none, or it does not start.
pub(crate) fn restart(host: &Host, before: Duration, after: Duration) -> Result<Restart, Error> {
    let mut agent = host.start(Kind::Snmpd)?;
    let who = user(Auth::Sha256, true);
    let boots = Session::begin(agent.address, &who)?.boots();
    let asking = Asking::begin(agent.address, &who, vec![up_time(Pace::Open(RATE))], PATIENCE)?;
    std::thread::sleep(before);
    let at = asking.began.elapsed();
    agent.end()?;
    host.start_again(&mut agent)?;
    std::thread::sleep(after);
    let (told, boots_after) = asking.finish()?;
    let told = told.into_iter().next().ok_or("no stream")?;
    Ok(Restart { told, at, boots: (boots, boots_after) })
}

impl Restart {
    /// As the result has it.
    pub(crate) fn figures(&self) -> Value {
        let unanswered = self.told.sent() - self.told.answered;
        json!({
            "sent": self.told.sent(),
            "answered": self.told.answered,
            "lost": unanswered,
            "refused": self.told.refused,
            "wrong": self.told.wrong,
            "gap_ms": self.told.longest_silence().map(|(_, gap)| rounded(gap.as_secs_f64() * 1e3)),
            "uptime_reset": self.told.went_back > 0,
            "boots_step": self.boots.1.zip(self.boots.0).map(|(after, before)| after.saturating_sub(before)),
        })
    }
}

/// An integer that a manager writes: what a plug-in of snmpd keeps, in the words of its agent library.
const PLUG_IN: &str = r#"
typedef unsigned long oid;
extern int netsnmp_register_long_instance(const char *, const oid *, unsigned long, long *, void *);
extern int unregister_mib(oid *, unsigned long);
static long value;
static oid name[] = { 1, 3, 6, 1, 4, 1, 32473, 6, 1, 0 };
void init_bench(void) { netsnmp_register_long_instance("bench", name, 10, &value, 0); }
void deinit_bench(void) { unregister_mib(name, 10); }
"#;

/// The variable of the plug-in.
const VARIABLE: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 6, 1, 0];
/// dlmodStatus of the first plug-in (UCD-DLMOD-MIB).
const STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 13, 14, 2, 1, 5, 1];
const LOADED: i32 = 1;
const LOAD: i32 = 4;
const UNLOAD: i32 = 5;
/// Whoever may write.
const WRITER: &str = "writer";

/// Has snmpd load a plug-in again that keeps what a manager wrote.
///
/// # Errors
/// There is no compiler, or this snmpd loads no plug-ins: with the reason.
pub(crate) fn dlmod(host: &Host, before: Duration) -> Result<Value, Error> {
    let agent = host.start_furnished(Kind::Snmpd, |folder| {
        let library = plug_in(folder)?;
        Ok(format!("dlmod bench {}\nrwcommunity {WRITER}\n", library.display()))
    })?;
    let wrote = 7;
    if ask(&agent, PduKind::Get, STATUS, None)? != Some(LOADED) {
        return Err(format!("snmpd did not load the plug-in: {}", agent.log()).into());
    }
    ask(&agent, PduKind::Set, VARIABLE, Some(wrote))?;
    if ask(&agent, PduKind::Get, VARIABLE, None)? != Some(wrote) {
        return Err("the plug-in does not keep what is written".into());
    }
    let question = Question::Get(vec![(VARIABLE.to_vec(), Type::Integer)]);
    let stream = Stream { question, pace: Pace::Open(RATE), look: Look::Form };
    let asking = Asking::begin(agent.address, &user(Auth::Sha256, true), vec![stream], PATIENCE)?;
    std::thread::sleep(before);
    ask(&agent, PduKind::Set, STATUS, Some(UNLOAD))?;
    ask(&agent, PduKind::Set, STATUS, Some(LOAD))?;
    std::thread::sleep(before);
    let (told, _) = asking.finish()?;
    let told = told.first().ok_or("no stream")?;
    let kept = ask(&agent, PduKind::Get, VARIABLE, None)?;
    Ok(json!({
        "sent": told.sent(),
        "answered": told.answered,
        "lost": told.lost,
        "wrong": told.wrong,
        "gap_ms": told.longest_silence().map(|(_, gap)| rounded(gap.as_secs_f64() * 1e3)),
        "state_lost": kept != Some(wrote),
    }))
}

fn plug_in(folder: &Path) -> Result<PathBuf, Error> {
    let (source, library) = (folder.join("bench.c"), folder.join("bench.so"));
    std::fs::write(&source, PLUG_IN)?;
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output();
    let made = made.map_err(|error| format!("the C compiler `cc` cannot be started: {error}"))?;
    match made.status.success() {
        true => Ok(library),
        false => Err(String::from_utf8_lossy(&made.stderr).trim().into()),
    }
}

/// The integer that one question is answered with; none where there is no such variable.
fn ask(
    agent: &Agent,
    kind: PduKind,
    name: &[u32],
    value: Option<i32>,
) -> Result<Option<i32>, Error> {
    let mut session = Session::begin(agent.address, &Who::Community(WRITER.to_owned()))?;
    let name = Arcs::new(name).ok_or("no name")?;
    let value = value.map_or(Variable::Null, Variable::Integer);
    let bindings = [VarBind { name, value }];
    let pdu = Pdu { kind, request_id: 1, error_status: 0, error_index: 0, bindings: &bindings[..] };
    let (mut request, mut room) = (Vec::new(), Vec::new());
    session.write(&pdu, &mut request);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(agent.address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (began, mut octets) = (Instant::now(), [0; 2048]);
    loop {
        socket.send(&request)?;
        if let Ok(len) = socket.recv(&mut octets) {
            let answer = octets.get(..len).unwrap_or_default();
            let pdu = session.open(&request, answer, &mut room)?;
            if pdu.error_status != 0 {
                return Err(
                    format!("snmpd answers error {} to a {kind:?}", pdu.error_status).into()
                );
            }
            return Ok(pdu.bindings.iter().find_map(|bind| match bind.value {
                Variable::Integer(value) => Some(value),
                _ => None,
            }));
        }
        if began.elapsed() > 5 * PATIENCE {
            return Err("snmpd does not answer".into());
        }
    }
}
