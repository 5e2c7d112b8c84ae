//! `swapctl top`: the agent at a glance, every second: rates, latency, versions, a strip of swaps.
//! Invariant: keys are heard whether the agent answers or not, and the terminal is left as it was found.

mod rates;
mod screen;

use std::io::IsTerminal as _;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::{Value, json};

use crate::commands::Session;
use crate::output::{Answer, Failure};
use crate::progress::TICK;
use crate::service::Service;
use crate::whereabouts::Whereabouts;
use rates::Rates;
use screen::Picture;

/// How often the agent is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Watch rates, latency, versions and swaps.
///
/// Keys: q leaves, up and down scroll the components. With --json, one object per second.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave after so many pictures.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let is_screen = std::io::stdout().is_terminal();
    if !session.outlet.as_json && !is_screen {
        return Err(Failure::usage(
            "top draws on a terminal; write to one, or ask for objects with --json",
        ));
    }
    let service = session.service(&args.at)?;
    // Before the terminal is changed: an agent that does not answer is told in plain words.
    let first = Picture::of(look(&service, &mut Rates::default())?);
    if session.outlet.as_json {
        return tell(args.count, &service, session);
    }
    let mut terminal = ratatui::try_init()
        .map_err(|error| Failure::system(format!("the terminal does not cooperate: {error}")))?;
    let looks = look_again_and_again(service.telling_no_waits());
    let ended = watch(args.count, &looks, &mut terminal, first);
    ratatui::restore();
    ended
}

/// What the agent says now, as one object.
fn look(service: &Service, rates: &mut Rates) -> Result<Value, Failure> {
    let status = service.get("/v1/status")?;
    let history = service.get("/v1/history")?;
    // An application need not have rates.
    let told = match service.get("/v1/application/rates") {
        Err(failure) if failure.word() == "not-found" => Value::Null,
        told => told?,
    };
    rates.note(&told, Instant::now());
    let latency = rates.latency().map(|within| json!({ "p50": within.p50, "p99": within.p99 }));
    Ok(json!({
        "status": status,
        "swaps": history["swaps"],
        "per_s": rates.per_second(),
        "latency_us": latency,
    }))
}

fn tell(count: Option<u64>, service: &Service, session: &Session) -> Result<Answer, Failure> {
    let mut rates = Rates::default();
    let mut told = 0;
    loop {
        session.outlet.say("", &look(service, &mut rates)?)?;
        told += 1;
        if count.is_some_and(|count| told >= count) {
            return Ok(Answer::said());
        }
        std::thread::sleep(INTERVAL);
    }
}

/// What the agent says every second, and the rates until then; the first failure is the last that comes. Nobody can
/// be called off who waits for an answer, so whoever asks does nothing else.
fn look_again_and_again(service: Service) -> Receiver<Result<(Value, Rates), Failure>> {
    let (sender, looks) = sync_channel(1);
    std::thread::spawn(move || {
        let mut rates = Rates::default();
        loop {
            let next = Instant::now() + INTERVAL;
            let seen = look(&service, &mut rates).map(|now| (now, rates.clone()));
            let is_last = seen.is_err();
            if sender.send(seen).is_err() || is_last {
                return;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    looks
}

fn watch(
    count: Option<u64>,
    looks: &Receiver<Result<(Value, Rates), Failure>>,
    terminal: &mut ratatui::DefaultTerminal,
    mut picture: Picture,
) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| {
        Failure::system(format!("the terminal does not cooperate: {error}"))
    };
    let mut drawn = 0;
    let mut heard = Instant::now();
    loop {
        match looks.try_recv() {
            Ok(_) if count.is_some_and(|count| drawn >= count) => return Ok(Answer::said()),
            Ok(seen) => {
                let (now, rates) = seen?;
                picture.show(now, &rates);
                drawn += 1;
                heard = Instant::now();
            }
            Err(TryRecvError::Empty) => picture.wait(heard.elapsed()),
            Err(TryRecvError::Disconnected) => {
                return Err(Failure::system("nobody asks the agent any more; start top again"));
            }
        }
        terminal.draw(|frame| picture.draw(frame)).map_err(broken)?;
        if !event::poll(TICK).map_err(broken)? {
            continue;
        }
        if let Event::Key(key) = event::read().map_err(broken)?
            && key.kind == KeyEventKind::Press
        {
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(Answer::said()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Ok(Answer::said());
                }
                KeyCode::Up => picture.scroll(-1),
                KeyCode::Down => picture.scroll(1),
                _ => {}
            }
        }
    }
}
