//! `swapctl shell`: commands one after the other, with a memory and completion.

use std::path::PathBuf;

use clap::CommandFactory as _;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Context, Editor, Helper, Highlighter, Hinter, Validator};

use crate::cli::Cli;
use crate::commands::Session;
use crate::lines;
use crate::output::{self, Answer, Failure};
use crate::render::list;
use crate::whereabouts::Whereabouts;

const AFTER_HELP: &str = "\
The shell takes the commands of swapctl, and those that `swapctl script --help` lists besides. Tab
completes commands, components and files; `help` lists the commands, `exit` or the end of the input
leaves. The exit status is that of the last command.";

/// Take commands one after the other.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    at: Whereabouts,
}

pub(crate) fn run(args: &Args, session: &Session) -> Result<Answer, Failure> {
    let session = session.with_agent(&args.at);
    let mut editor = editor(&session).map_err(|error| broken(&error))?;
    let history = history_file();
    if let Some(file) = &history {
        // The first time there is none, and a shell without a memory is a shell all the same.
        let _ = editor.load_history(file);
    }
    let mut exit = 0;
    'shell: loop {
        let typed = match editor.readline("swapctl> ") {
            Ok(typed) => typed,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(broken(&error)),
        };
        // What is pasted may be several lines. What is typed may begin with a blank, which hides it from the history.
        for (_, command) in lines::commands(typed.trim()) {
            if matches!(command.as_str(), "exit" | "quit") {
                break 'shell;
            }
            if !command.is_empty() {
                exit = output::end(lines::run(&command, &session), session.outlet);
            }
        }
        let _ = editor.add_history_entry(typed.as_str());
    }
    if let Some(file) = &history {
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = editor.save_history(file);
    }
    Ok(Answer::said().with_exit(exit))
}

fn broken(error: &ReadlineError) -> Failure {
    Failure::system(format!("the terminal does not cooperate: {error}"))
}

fn editor(session: &Session) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder().max_history_size(1000)?.history_ignore_space(true).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant::new(session)));
    Ok(editor)
}

fn history_file() -> Option<PathBuf> {
    let from = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let state = from("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| from("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("swapctl/history"))
}

/// What knows how words go on.
#[derive(Helper, Highlighter, Hinter, Validator)]
struct Assistant {
    commands: Vec<String>,
    components: Vec<String>,
    files: FilenameCompleter,
}

impl Assistant {
    fn new(session: &Session) -> Self {
        let own = Cli::command();
        let own = own.get_subcommands().map(|command| command.get_name().to_owned());
        let words = lines::WORDS.iter().map(|(word, _)| (*word).to_owned());
        let leave = ["help", "exit"].map(str::to_owned);
        // Without an agent there is nothing to complete; the first command that needs one says so.
        let status = session.service(&Whereabouts::default()).and_then(|s| s.get("/v1/status"));
        let components = status.map_or_else(
            |_| Vec::new(),
            |status| {
                let names = list(&status, "components").iter();
                names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
            },
        );
        Self {
            commands: own.chain(words).chain(leave).collect(),
            components,
            files: FilenameCompleter::new(),
        }
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..at).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let begun = &before[start..];
        if before[..start].trim().is_empty() {
            return Ok((start, beginning(&self.commands, begun)));
        }
        let components = beginning(&self.components, begun);
        if components.is_empty() {
            self.files.complete(line, at, context)
        } else {
            Ok((start, components))
        }
    }
}

fn beginning(words: &[String], begun: &str) -> Vec<Pair> {
    let begins = |word: &&String| word.to_lowercase().starts_with(&begun.to_lowercase());
    let pair = |word: &String| Pair { display: word.clone(), replacement: format!("{word} ") };
    words.iter().filter(begins).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> Vec<String> {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        let assistant = Assistant {
            commands: words(&["status", "state", "SetTimer"]),
            components: words(&["security.usm"]),
            files: FilenameCompleter::new(),
        };
        let history = FileHistory::new();
        let (_, pairs) = assistant.complete(line, line.len(), &Context::new(&history)).unwrap();
        pairs.into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn commands_come_first_and_components_after_them() {
        assert_eq!(completed("sta"), ["status ", "state "]);
        assert_eq!(completed("  sett"), ["SetTimer "]);
        assert_eq!(completed("describe sec"), ["security.usm "]);
        assert!(completed("describe no-such-file-or-component").is_empty());
    }
}
