//! What Prometheus reads: `GET /metrics`, in its text format 0.0.4, from this machine only.
//!
//! It changes nothing and tells no secret: no user, no community, no address is a label. Invariants: a name
//! keeps its meaning and its type; what is called a total never goes back while the process lives, but for
//! the counters of SNMP, which wrap at 2^32 as RFC 2578 has them (a rate takes that for a restart).

use crate::address::{self, Listen};
use crate::application::Application;
use crate::latency::Latency;
use crate::local;
use crate::sockets::Sockets;
use roles::error::Counter;
use roles::notify::Statistics;
use s_sdk::Value;
use socket2::Socket;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Opens the places where metrics are read.
///
/// # Errors
/// One is not on this machine, or cannot be had: with the remedy.
pub(crate) fn open(places: &[String]) -> Result<Sockets, String> {
    Sockets::open(&places_of(places).map_err(|(_, problem)| problem)?, 1)
}

/// The places as addresses.
///
/// # Errors
/// Which one is not on this machine or named twice, and the remedy.
pub(crate) fn places_of(places: &[String]) -> Result<Vec<Listen>, (usize, String)> {
    let place = |text: &String| -> Result<Listen, String> {
        // `127.0.0.1:9161` means TCP here.
        let with_transport = if text.parse::<std::net::SocketAddr>().is_ok() {
            format!("tcp:{text}")
        } else {
            text.clone()
        };
        let with_transport = with_transport.replace("tcp:[", "tcp6:[");
        match with_transport.parse()? {
            Listen::Tcp(address) if address.ip().is_loopback() => Ok(Listen::Tcp(address)),
            Listen::Unix(path) => Ok(Listen::Unix(path)),
            _ => Err(format!(
                "`{text}` is not on this machine; write 127.0.0.1:PORT, [::1]:PORT or unix:/PATH, \
                 and let a proxy with access control do the rest"
            )),
        }
    };
    let mut all = Vec::new();
    for (at, text) in places.iter().enumerate() {
        let added = place(text).and_then(|place| address::add(&mut all, place));
        added.map_err(|problem| (at, problem))?;
    }
    Ok(all)
}

/// What the swap manager has done since the start.
#[derive(Debug, Default)]
pub(crate) struct Swaps {
    committed: AtomicU64,
    not_committed: AtomicU64,
    blackouts: AtomicU64,
    blackout_micros: AtomicU64,
}

impl Swaps {
    /// Counts from now on.
    pub(crate) fn of(events: &s_events::Events) -> Result<Arc<Self>, String> {
        let swaps = Arc::new(Swaps::default());
        let counted = Arc::clone(&swaps);
        let sink = Arc::new(move |event: &Arc<s_events::Event>| {
            if let Ok(payload) = Value::decode(&event.payload) {
                counted.count(&event.tag, &payload);
            }
        });
        events.subscribe_with("swap.*", sink).map_err(|error| error.to_string())?;
        Ok(swaps)
    }

    fn count(&self, tag: &str, payload: &Value) {
        if tag == "swap.ended" {
            let committed = matches!(payload.get("committed"), Some(Value::Bool(true)));
            let counter = if committed { &self.committed } else { &self.not_committed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(micros) = payload.get("blackout_us").and_then(Value::as_u64) {
            self.blackouts.fetch_add(1, Ordering::Relaxed);
            self.blackout_micros.fetch_add(micros, Ordering::Relaxed);
        }
    }
}

/// Answers until told to stop.
pub(crate) fn serve(
    application: &Application,
    swaps: &Swaps,
    listeners: &[Socket],
    stop: &AtomicBool,
) {
    local::serve(listeners, stop, b"\r\n\r\n", |request| {
        answer(request, || render(application, swaps))
    });
}

/// One request of HTTP/1.1, and the end of the connection.
fn answer(request: &[u8], body: impl Fn() -> String) -> Vec<u8> {
    let line = request.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let mut words = line.split(|octet| *octet == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|octet| *octet == b'?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", body()),
        (b"GET" | b"HEAD", _) => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET\n".to_owned()),
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if method != b"HEAD" {
        answer.push_str(&body);
    }
    answer.into_bytes()
}

/// All metrics, as they are now.
fn render(application: &Application, swaps: &Swaps) -> String {
    let mut page = Page::default();
    let engine = &application.engine;
    let facts = engine.facts();
    let clock = facts.clock();
    page.family("sagentd_build_info", "gauge", "What runs.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("sagentd_uptime_seconds", "gauge", "Time since the start of the process.");
    page.sample(&[], facts.now().as_secs_f64());
    page.family("snmp_engine_boots", "gauge", "snmpEngineBoots.");
    page.sample(&[], clock.boots);

    let counters = facts.counters();
    page.family("snmp_packets_received_total", "counter", "Messages that came: snmpInPkts.");
    page.sample(&[], counters.get(Counter::InPackets));
    page.family(
        "snmp_discards_total",
        "counter",
        "Messages that were refused, by the counter of the MIB that they moved.",
    );
    for counter in Counter::ALL.iter().filter(|counter| **counter != Counter::InPackets) {
        page.sample(&[("counter", counter.name())], counters.get(*counter));
    }
    page.family(
        "snmp_requests_total",
        "counter",
        "Requests whose message was accepted, by what they ask and how they ended.",
    );
    for (kind, outcome, count) in engine.requests().all() {
        page.sample(&[("kind", kind), ("outcome", outcome.name())], count);
    }
    let dropped = engine.dropped();
    page.family(
        "sagentd_limited_total",
        "counter",
        "Packets that were not looked at, and answers that were made smaller, because of a limit.",
    );
    page.sample(&[("limit", "source-too-fast")], dropped.too_fast);
    page.sample(&[("limit", "too-many-failures")], dropped.after_failures);
    page.sample(&[("limit", "answer-shortened")], dropped.shortened);

    tell_of_latency(&mut page, &application.latency);
    if let Some(statistics) = crate::notify::statistics(application.runtime) {
        tell_of_notifications(&mut page, &statistics);
    }

    let status = application.manager.status();
    page.family("sagentd_module_info", "gauge", "Which module serves in a component.");
    for component in &status.components {
        let version = component.version.as_deref().unwrap_or_default();
        let origin = component.origin.as_deref().unwrap_or_default();
        let labels =
            [("component", component.name.as_str()), ("version", version), ("origin", origin)];
        page.sample(&labels, u8::from(component.version.is_some()));
    }
    page.family("sagentd_module_generation", "gauge", "How often a component was bound.");
    for component in &status.components {
        page.sample(&[("component", &component.name)], component.generation);
    }
    page.family(
        "sagentd_module_panics",
        "gauge",
        "Calls that panicked in the module that serves now.",
    );
    for component in &status.components {
        page.sample(&[("component", &component.name)], component.panics);
    }
    tell_of_counts(&mut page, &application.manager.counters());
    page.family("sagentd_modules_pinned", "gauge", "Modules out of service and still in memory.");
    page.sample(&[], status.pinned.len());
    page.family("sagentd_swaps_running", "gauge", "Swaps that run now.");
    page.sample(&[], status.running.len());
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    page.family("sagentd_swaps_total", "counter", "Swaps that ended.");
    page.sample(&[("outcome", "committed")], of(&swaps.committed));
    page.sample(&[("outcome", "not-committed")], of(&swaps.not_committed));
    page.family(
        "sagentd_swap_blackout_seconds",
        "summary",
        "From a gate's closing to its opening.",
    );
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let seconds = of(&swaps.blackout_micros) as f64 / 1e6;
    page.named("sagentd_swap_blackout_seconds_sum", &[], seconds);
    page.named("sagentd_swap_blackout_seconds_count", &[], of(&swaps.blackouts));
    page.text
}

/// What modules count of themselves. A counter is the component's, whichever version of its module counts.
fn tell_of_counts(page: &mut Page, counts: &BTreeMap<(String, String), u64>) {
    page.family(
        "sagentd_module_count_total",
        "counter",
        "What modules count of themselves, by the name that they give it; not there before the first.",
    );
    for ((component, name), count) in counts {
        page.sample(&[("component", component), ("name", name)], count);
    }
}

/// How long datagrams wait for their answers.
fn tell_of_latency(page: &mut Page, latency: &Latency) {
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let seconds = |micros: u64| micros as f64 / 1e6;
    page.family(
        "sagentd_answer_seconds",
        "histogram",
        "From the reception of a batch of datagrams to the sending of its answers; one batch in eight is timed.",
    );
    let mut so_far = 0;
    for (bound, count) in latency.all() {
        so_far += count;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |micros| seconds(micros).to_string());
        page.named("sagentd_answer_seconds_bucket", &[("le", &bound)], so_far);
    }
    page.named("sagentd_answer_seconds_sum", &[], seconds(latency.sum()));
    page.named("sagentd_answer_seconds_count", &[], so_far);
}

/// What became of notifications.
fn tell_of_notifications(page: &mut Page, statistics: &Statistics) {
    let Statistics { accepted, dropped, sent, failed, withheld, acknowledged, given_up, waiting } =
        *statistics;
    page.family(
        "snmp_notifications_total",
        "counter",
        "Notifications that modules told of, by whether there was room for them.",
    );
    page.sample(&[("outcome", "accepted")], accepted);
    page.sample(&[("outcome", "dropped")], dropped);
    page.family(
        "snmp_notification_messages_total",
        "counter",
        "Messages to targets, repetitions included: sent, failed, or withheld by a filter or a view.",
    );
    page.sample(&[("outcome", "sent")], sent);
    page.sample(&[("outcome", "failed")], failed);
    page.sample(&[("outcome", "withheld")], withheld);
    page.family("snmp_informs_total", "counter", "Informs that ended, by how.");
    page.sample(&[("outcome", "acknowledged")], acknowledged);
    page.sample(&[("outcome", "given-up")], given_up);
    page.family("snmp_informs_waiting", "gauge", "Informs that wait for an acknowledgement.");
    page.sample(&[], waiting);
}

/// Metrics in Prometheus' text format.
#[derive(Default)]
struct Page {
    text: String,
    name: String,
}

impl Page {
    /// Begins the samples of a name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.name = name.to_owned();
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let name = self.name.clone();
        self.named(&name, labels, value);
    }

    fn named(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.text, "{}{label}=\"{text}\"", if at == 0 { "{" } else { "," });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted_and_families_have_a_type() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Some.");
        page.sample(&[("x", "a\"b\\c\nd"), ("y", "")], 7);
        page.sample(&[], 0.5);
        let wanted = "# HELP a_total Some.\n# TYPE a_total counter\n\
                      a_total{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 7\na_total 0.5\n";
        assert_eq!(page.text, wanted);
    }

    #[test]
    fn what_modules_count_is_told_by_component_and_name() {
        let of = |component: &str, name: &str, count| ((component.into(), name.into()), count);
        let counts = [
            of("mib.if", "if_netlink_failures", 3),
            of("notify", "notify.dropped", u64::MAX),
            of("third", "a \"name\"", 0),
        ];
        let mut page = Page::default();
        tell_of_counts(&mut page, &counts.into());
        let samples: Vec<_> = page.text.lines().filter(|line| !line.starts_with('#')).collect();
        let family = "sagentd_module_count_total";
        let wanted = [
            format!("{family}{{component=\"mib.if\",name=\"if_netlink_failures\"}} 3"),
            format!("{family}{{component=\"notify\",name=\"notify.dropped\"}} {}", u64::MAX),
            format!("{family}{{component=\"third\",name=\"a \\\"name\\\"\"}} 0"),
        ];
        assert_eq!(samples, wanted);
    }

    #[test]
    fn metrics_stay_on_this_machine() {
        let places = |text: &str| places_of(&[text.to_owned()]);
        for (text, printed) in [
            ("127.0.0.1:9161", "tcp:127.0.0.1:9161"),
            ("[::1]:9161", "tcp6:[::1]:9161"),
            ("tcp:127.0.0.1:9161", "tcp:127.0.0.1:9161"),
            ("unix:/run/x", "unix:/run/x"),
        ] {
            assert_eq!(places(text).unwrap()[0].to_string(), printed);
        }
        for text in ["0.0.0.0:9161", "192.0.2.1:9161", "udp:127.0.0.1:9161", "9161", "x"] {
            assert!(places(text).is_err(), "{text}");
        }
    }

    fn ask(request: &[u8]) -> String {
        String::from_utf8(answer(request, || "a 1\n".to_owned())).unwrap()
    }

    #[test]
    fn http_is_answered_as_far_as_it_is_needed() {
        let found = ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(
            found.starts_with("HTTP/1.1 200 OK\r\n") && found.ends_with("\r\n\r\na 1\n"),
            "{found}"
        );
        assert!(found.contains("Content-Length: 4\r\n"));
        assert!(ask(b"HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(ask(b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask(b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(ask(b"\r\n\r\n").starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn swaps_are_counted_by_their_end() {
        let swaps = Swaps::default();
        let ended = |committed| {
            Value::from(BTreeMap::from([("committed".to_owned(), Value::Bool(committed))]))
        };
        swaps.count("swap.ended", &ended(true));
        swaps.count("swap.ended", &ended(false));
        let commit = BTreeMap::from([("blackout_us".to_owned(), Value::U64(90))]);
        swaps.count("swap.commit", &Value::from(commit));
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((of(&swaps.committed), of(&swaps.not_committed)), (1, 1));
        assert_eq!((of(&swaps.blackouts), of(&swaps.blackout_micros)), (1, 90));
    }
}
