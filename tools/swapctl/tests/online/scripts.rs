//! Scripts and the shell.

use std::io::Write as _;

use crate::agent::{Agent, text};

#[test]
fn a_script_runs_to_its_end() {
    let agent = Agent::start();
    let script = "# from one version to the next\nSetTimer 2\nSyn_Replace tally\n            tally.smod\nstatus\n";
    std::fs::write(agent.path("upgrade"), script).unwrap();
    let said = agent.ends(0, &["script", "upgrade"]);
    let order = ["modules have 2 s", "committed; 2.0.0 serving", "tally-host 9.8.7"];
    let found: Vec<_> = order
        .iter()
        .map(|words| said.find(words).unwrap_or_else(|| panic!("{words}: {said}")))
        .collect();
    assert!(found.is_sorted(), "{said}");
    assert_eq!(agent.version(), "2.0.0");
}

#[test]
fn a_script_ends_at_the_first_command_that_fails() {
    let agent = Agent::start();
    std::fs::write(agent.path("upgrade"), "Replace tally forged.smod\nReplace tally tally.smod\n")
        .unwrap();
    let output = agent.run(&["script", "upgrade"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("upgrade:1: the script ends here"));
    assert_eq!((agent.version().as_str(), agent.manager.history().len()), ("1.0.0", 1));

    std::fs::write(agent.path("upgrade"), "Replace other tally.smod\n").unwrap();
    let other = agent.fails(1, &["script", "upgrade"]);
    assert!(other.contains("this package is for tally, not for other"), "{other}");
}

#[test]
fn a_shell_takes_commands_from_whoever_writes() {
    let agent = Agent::start();
    let mut shell = agent.begin(&["shell"]);
    let typed = "Remove tally\n'\nversions tally\nexit\nRemove tally\n";
    shell.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("no module serving") && stdout.contains("1.0.0"), "{stdout}");
    assert!(stderr.contains("before its closing '"), "{stderr}");
    assert_eq!(agent.manager.history().len(), 1, "what comes after `exit` is not read");
}
