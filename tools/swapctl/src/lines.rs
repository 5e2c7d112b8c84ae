//! One line of a script or of the shell: a command of swapctl, or one of the words that operators of live
//! upgrades have long known: `Replace`, `Syn_Replace`, `SetTimer`, `Add`, `Remove`.
//!
//! Never runs another program and never expands anything. Invariant: a line does what its command would do
//! on the command line, and a line that is not understood does nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command};
use crate::commands::{self, Session, push};
use crate::follow::Until;
use crate::order::{self, OrderArgs};
use crate::output::{Answer, Failure, Outlet};
use crate::whereabouts::Whereabouts;

/// The words besides swapctl's own commands, and what follows them.
pub(crate) const WORDS: [(&str, &str); 5] = [
    ("Replace", "COMPONENT FILE"),
    ("Syn_Replace", "COMPONENT FILE [COMPONENT FILE]..."),
    ("Add", "COMPONENT FILE"),
    ("Remove", "COMPONENT..."),
    ("SetTimer", "SECONDS"),
];

/// The commands in a text, each with the number of its first line. A line that begins with a blank continues the
/// one before.
pub(crate) fn commands(text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        match commands.last_mut() {
            Some((_, command)) if line.starts_with([' ', '\t']) => {
                command.push(' ');
                command.push_str(line.trim());
            }
            _ => commands.push((i + 1, line.trim().to_owned())),
        }
    }
    commands
}

/// Does what a line says.
pub(crate) fn run(line: &str, session: &Session) -> Result<Answer, Failure> {
    let words = split(line)?;
    let Some((first, rest)) = words.split_first() else { return Ok(Answer::said()) };
    let known = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(first));
    match known.map(|(word, _)| *word) {
        Some("SetTimer") => set_timer(rest, session),
        Some("Remove") if !rest.is_empty() => {
            push_order(OrderArgs { remove: rest.to_vec(), ..OrderArgs::default() }, session)
        }
        Some("Add") => {
            let [file] = pairs("Add", rest)?.try_into().map_err(|_| usage("Add"))?;
            push_order(OrderArgs { add: vec![file], ..OrderArgs::default() }, session)
        }
        Some("Replace") => {
            let [file] = pairs("Replace", rest)?.try_into().map_err(|_| usage("Replace"))?;
            push_order(OrderArgs { files: vec![file], ..OrderArgs::default() }, session)
        }
        Some("Syn_Replace") => {
            let files = pairs("Syn_Replace", rest)?;
            push_order(OrderArgs { files, ..OrderArgs::default() }, session)
        }
        Some(word) => Err(usage(word)),
        None => run_command(&words, session),
    }
}

fn usage(word: &str) -> Failure {
    let after = WORDS.iter().find(|(known, _)| *known == word).map_or("", |(_, after)| after);
    Failure::usage(format!("write it as: {word} {after}"))
}

fn push_order(order: OrderArgs, session: &Session) -> Result<Answer, Failure> {
    push::push(&order, &Whereabouts::default(), session, Until::Ended)
}

/// The files of `COMPONENT FILE` pairs, each a package for the component that it stands behind.
fn pairs(word: &str, rest: &[String]) -> Result<Vec<PathBuf>, Failure> {
    if rest.is_empty() || !rest.len().is_multiple_of(2) {
        return Err(usage(word));
    }
    let mut files = Vec::new();
    for pair in rest.chunks_exact(2) {
        let (component, file) = (&pair[0], PathBuf::from(&pair[1]));
        let (_, claimed) = order::package(&file)?;
        if claimed != *component {
            let message = format!("this package is for {claimed}, not for {component}");
            return Err(Failure::refused("other-component", message).about(&file));
        }
        files.push(file);
    }
    Ok(files)
}

/// How long modules may take to vote and to come to rest, from here on; 0 for as long as usual.
fn set_timer(rest: &[String], session: &Session) -> Result<Answer, Failure> {
    let [seconds] = rest else { return Err(usage("SetTimer")) };
    let seconds: u64 = seconds.parse().map_err(|_| usage("SetTimer"))?;
    session.votes_within.set((seconds > 0).then(|| Duration::from_secs(seconds)));
    let text = match seconds {
        0 => "modules may take as long as usual to become ready".to_owned(),
        _ => format!("modules have {seconds} s to become ready"),
    };
    Ok(Answer::new(text, serde_json::json!({ "timer_s": seconds })))
}

fn run_command(words: &[String], session: &Session) -> Result<Answer, Failure> {
    let name = std::iter::once("swapctl");
    match Cli::try_parse_from(name.chain(words.iter().map(String::as_str))) {
        Ok(Cli { command: Command::Script(_) | Command::Shell(_), .. }) => {
            Err(Failure::usage("a script or a shell starts no other; write its commands here"))
        }
        Ok(cli) => {
            let outlet = Outlet { as_json: session.outlet.as_json || cli.json };
            commands::run(cli.command, &session.with_outlet(outlet))
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let text = error.render().to_string();
                Ok(Answer::new(text.clone(), serde_json::Value::from(text)))
            }
            _ => {
                let text = error.render().to_string();
                Err(Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end()))
            }
        },
    }
}

/// The words of a line. Quotes of both kinds and backslashes keep spaces together; `#` begins a comment.
pub(crate) fn split(line: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                let escaped = characters
                    .next()
                    .ok_or_else(|| Failure::usage("the line ends after a backslash"))?;
                word.get_or_insert_default().push(escaped);
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(open) => Err(Failure::usage(format!("the line ends before its closing {open}"))),
        None => Ok(words.into_iter().chain(word).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words("  push  a.smod --confirm 60s "), ["push", "a.smod", "--confirm", "60s"]);
        assert_eq!(
            words(r#"invoke a b '{"x": 1}' "c d" e\ f"#)[3..],
            [r#"{"x": 1}"#, "c d", "e f"]
        );
        assert_eq!(words("invoke a '' # nothing"), ["invoke", "a", ""]);
        assert_eq!(words("a#b \"\\\"\" '\\'"), ["a#b", "\"", "\\"]);
        assert!(words("# only words").is_empty());
        for wrong in ["push 'a", "push \"a", "push a\\"] {
            assert_eq!(split(wrong).unwrap_err().word(), "usage", "{wrong}");
        }
    }

    #[test]
    fn the_timer_is_for_what_follows() {
        let session = Session::new(Outlet { as_json: false });
        run("SetTimer 2", &session).unwrap();
        assert_eq!(session.votes_within.get(), Some(Duration::from_secs(2)));
        run("settimer 0", &session).unwrap();
        assert_eq!(session.votes_within.get(), None);
        for wrong in ["SetTimer", "SetTimer 2s", "SetTimer 1 2"] {
            assert_eq!(run(wrong, &session).err().unwrap().word(), "usage", "{wrong}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_does_nothing() {
        let session = Session::new(Outlet { as_json: false });
        for wrong in
            ["replace a", "Syn_Replace a b c", "Remove", "no-such", "shell", "script x", "push"]
        {
            assert_eq!(run(wrong, &session).err().unwrap().word(), "usage", "{wrong}");
        }
        assert_eq!(run("Replace a missing.smod", &session).err().unwrap().word(), "system");
        assert!(run("help", &session).unwrap().text.contains("swapctl"));
        assert!(run("  # nothing", &session).unwrap().text.is_empty());
    }

    #[test]
    fn lines_that_begin_with_a_blank_continue_the_one_before() {
        let text = "SetTimer 2\nSyn_Replace OSPF a.smod\n            IP   b.smod\n\nstatus";
        assert_eq!(
            commands(text),
            [
                (1, "SetTimer 2".to_owned()),
                (2, "Syn_Replace OSPF a.smod IP   b.smod".to_owned()),
                (4, String::new()),
                (5, "status".to_owned()),
            ]
        );
    }
}
