//! `s-load`: asks one agent by hand.

use clap::{Parser, ValueEnum};
use s_load::generator::{Load, run};
use s_load::question::{Question, SYS_UP_TIME, Type};
use s_load::session::{Session, Who};
use s_load::usm::Auth;
use serde_json::json;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// Asks an SNMP agent as fast as it answers, looks at every answer, and prints one JSON object.
///
/// It spins on one processor while it runs.
#[derive(Parser)]
#[command(name = "s-load", version)]
struct Options {
    /// The agent.
    agent: SocketAddr,
    /// What is asked.
    #[arg(long, value_enum, default_value = "get")]
    question: Asked,
    /// Below which name a walk or a GETBULK goes.
    #[arg(long, default_value = "1.3.6.1")]
    root: String,
    /// How many variables a GETBULK asks for.
    #[arg(long, default_value_t = 50)]
    repetitions: u16,
    /// The community; a user is asked instead where one is named.
    #[arg(long, default_value = "public")]
    community: String,
    /// The user.
    #[arg(long)]
    user: Option<String>,
    /// His authentication protocol.
    #[arg(long, value_enum, default_value = "sha256")]
    auth: Protocol,
    /// His passphrase for authentication.
    #[arg(long, default_value = "")]
    auth_passphrase: String,
    /// His passphrase for privacy with AES-128; without one messages are not encrypted.
    #[arg(long)]
    priv_passphrase: Option<String>,
    /// How many requests are under way at most.
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Requests a second in an open loop; without it the loop is closed.
    #[arg(long)]
    rate: Option<f64>,
    /// For so many seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Asked {
    /// GET of sysUpTime.0.
    Get,
    /// GETBULK of the same name again and again.
    Bulk,
    /// A walk, again and again.
    Walk,
}

#[derive(Clone, Copy, ValueEnum)]
enum Protocol {
    Sha1,
    Sha256,
}

fn main() -> ExitCode {
    match ask(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("s-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(options: Options) -> Result<(), s_load::Error> {
    let root = options.root.trim_start_matches('.').split('.').map(str::parse);
    let root = root.collect::<Result<Vec<u32>, _>>().map_err(|_| "`--root` is no name")?;
    let question = match options.question {
        Asked::Get => Question::Get(vec![(SYS_UP_TIME.to_vec(), Type::TimeTicks)]),
        Asked::Bulk => Question::Bulk { name: root, repetitions: options.repetitions },
        Asked::Walk => Question::Walk { root, repetitions: options.repetitions },
    };
    let who = match options.user {
        None => Who::Community(options.community),
        Some(name) => Who::User {
            name,
            auth: match options.auth {
                Protocol::Sha1 => Auth::Sha1,
                Protocol::Sha256 => Auth::Sha256,
            },
            auth_passphrase: options.auth_passphrase,
            priv_passphrase: options.priv_passphrase,
        },
    };
    let mut session = Session::begin(options.agent, &who)?;
    let duration = Duration::from_secs_f64(options.seconds);
    let load = Load {
        window: options.window,
        rate: options.rate,
        duration,
        patience: Duration::from_secs(1),
    };
    let outcome = run(options.agent, &mut session, &question, &load)?;
    println!(
        "{}",
        json!({
            "rps": outcome.rate(),
            "variables_per_s": outcome.variable_rate(),
            "walks": outcome.walks,
            "lost": outcome.lost,
            "wrong": outcome.wrong,
            "p50_us": outcome.latency_us(0.5),
            "p99_us": outcome.latency_us(0.99),
        })
    );
    Ok(())
}
