//! The contract suites of [`crate::settings`]: what every module passes that is configured, and every module
//! that keeps something.
//!
//! What is in force and what came by SET only the caller can see, so it is asked. No suite can see from
//! outside that a problem's line names its remedy (sentence 1), that nobody meets half a document while it
//! is taken over (2), and what a newer version makes of what an older one saved (5).

use super::{Broken, InActivity, within};
use crate::settings::{Persistence, Settings, write};
use s_sdk::value::{Field, Value};
use s_sdk::{Activity, Buf, CallError};

/// In so many places at most what was saved is cut short: a module may keep much.
const CUTS: usize = 64;

/// What a module is to take over.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a> {
    /// A document without problems.
    pub one: &'a [u8],
    /// Another one, which can be told from the first by what is in force.
    pub other: &'a [u8],
    /// Documents of the module's struct with problems.
    pub wrong: &'a [&'a [u8]],
}

/// What others see of a module.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// What is in force.
    pub in_force: String,
    /// What came by SET, whether it is in force or not.
    pub written: Vec<u8>,
}

/// Checks a module that is configured; it is left with the first document.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    settings: &dyn Settings,
    documents: &Documents<'_>,
    seen: &mut dyn FnMut(&Activity) -> Seen,
    in_activity: InActivity<'_>,
) -> Result<(), Broken> {
    let Documents { one, other, wrong } = *documents;
    let mut checked = Checked { settings, seen, in_activity };
    checked.check_changes_nothing(documents)?;
    let first = checked.takes_over(one)?;
    let second = checked.takes_over(other)?;
    check(2, first.in_force != second.in_force, || "a document has no effect".to_owned())?;
    checked.refuses(&second, wrong)?;
    let again = checked.takes_over(one)?;
    check(3, again.in_force == first.in_force, || {
        format!("{} instead of {} after another document", again.in_force, first.in_force)
    })?;
    check(3, again.written == first.written && again.written == second.written, || {
        "what came by SET is not what it was before the documents came".to_owned()
    })
}

/// What a rehearsal can ask of a module that is configured: documents that are not its own.
///
/// # Errors
/// Sentence 1 is broken.
pub fn harmless(settings: &dyn Settings, act: &Activity) -> Result<(), Broken> {
    for document in foreign() {
        let (count, _) = asked(1, CHECK, settings, act, &document)?;
        check(1, count == 1, || format!("a document of nobody has {count} problems"))?;
    }
    Ok(())
}

/// `check` or `apply`.
type Ask = fn(&dyn Settings, &Activity, &[u8], &mut Buf) -> Result<u32, CallError>;

const CHECK: Ask = |settings, act, document, problems| settings.check(act, document, problems);
const APPLY: Ask = |settings, act, document, problems| settings.apply(act, document, problems);

struct Checked<'a> {
    settings: &'a dyn Settings,
    seen: &'a mut dyn FnMut(&Activity) -> Seen,
    in_activity: InActivity<'a>,
}

impl Checked<'_> {
    fn seen(&mut self) -> Result<Seen, Broken> {
        within(self.in_activity, |act| Ok((self.seen)(act)))
    }

    fn asked(&mut self, ask: Ask, document: &[u8]) -> Result<(u32, Vec<u8>), Broken> {
        within(self.in_activity, |act| asked(1, ask, self.settings, act, document))
    }

    /// Sentence 1, and the first rule of all roles.
    fn check_changes_nothing(&mut self, documents: &Documents<'_>) -> Result<(), Broken> {
        let before = self.seen()?;
        within(self.in_activity, |act| harmless(self.settings, act))?;
        for document in [documents.one, documents.other] {
            let (_, problems) = self.asked(CHECK, document)?;
            check(1, problems.is_empty(), || {
                format!("a document without problems: {}", String::from_utf8_lossy(&problems))
            })?;
        }
        for document in documents.wrong {
            let (count, _) = self.asked(CHECK, document)?;
            check(1, count > 0, || "a document with problems has none".to_owned())?;
        }
        check(1, self.seen()? == before, || "`check` changes something".to_owned())
    }

    /// Sentence 2, of a document without problems.
    fn takes_over(&mut self, document: &[u8]) -> Result<Seen, Broken> {
        let (_, problems) = self.asked(APPLY, document)?;
        check(2, problems.is_empty(), || {
            format!("`apply`, unlike `check`, says {}", String::from_utf8_lossy(&problems))
        })?;
        self.seen()
    }

    /// Sentence 2, of documents with problems and of documents of nobody.
    fn refuses(&mut self, before: &Seen, wrong: &[&[u8]]) -> Result<(), Broken> {
        let foreign = foreign();
        for document in wrong.iter().copied().chain(foreign.iter().map(Vec::as_slice)) {
            let (checked, applied) = (self.asked(CHECK, document)?, self.asked(APPLY, document)?);
            check(2, checked == applied, || {
                let said =
                    |answer: &(u32, Vec<u8>)| String::from_utf8_lossy(&answer.1).into_owned();
                format!("`check` says {}, and `apply` {}", said(&checked), said(&applied))
            })?;
            check(2, self.seen()? == *before, || {
                "a document with problems changes something".to_owned()
            })?;
        }
        Ok(())
    }
}

/// How many problems there are, and their lines; they are appended, one for each.
fn asked(
    sentence: u32,
    ask: Ask,
    settings: &dyn Settings,
    act: &Activity,
    document: &[u8],
) -> Result<(u32, Vec<u8>), Broken> {
    let mut problems = Buf::from(b"before".to_vec());
    let count = ask(settings, act, document, &mut problems)
        .map_err(|error| broken(sentence, format!("a document is answered with `{error}`")))?;
    let Some(lines) = problems.strip_prefix(b"before") else {
        return Err(broken(sentence, "an output was overwritten, not appended to".to_owned()));
    };
    let text = String::from_utf8_lossy(lines);
    let is_a_line_each = text.lines().count() == count as usize
        && text.lines().all(|line| !line.trim().is_empty())
        && (text.is_empty() || text.ends_with('\n'));
    check(sentence, is_a_line_each, || format!("{count} problems are told as {text:?}"))?;
    Ok((count, lines.to_vec()))
}

/// What only a change to a module can show of what it keeps.
pub struct Changes<'a> {
    /// Changes by SET what is kept.
    pub kept: &'a mut dyn FnMut(&Activity),
    /// Changes what is not kept: settings, or a row that is volatile.
    pub passing: &'a mut dyn FnMut(&Activity),
    /// What others see of what is kept.
    pub seen: &'a mut dyn FnMut(&Activity) -> String,
}

/// Checks a module that keeps something; it is left with both changes.
///
/// # Errors
/// The first sentence that is broken.
pub fn keeping_suite(
    persistence: &dyn Persistence,
    changes: &mut Changes<'_>,
    in_activity: InActivity<'_>,
) -> Result<(), Broken> {
    within(in_activity, |act| keeping_harmless(persistence, act))?;
    let start = within(in_activity, |act| kept(persistence, act))?;
    let before = within(in_activity, |act| Ok((changes.seen)(act)))?;
    done(in_activity, changes.kept)?;
    let after = within(in_activity, |act| Ok((changes.seen)(act)))?;
    check(4, after != before, || "the caller's change changes nothing".to_owned())?;
    let changed = within(in_activity, |act| kept(persistence, act))?;
    check(4, changed.saved != start.saved, || "a change is not saved".to_owned())?;
    check(4, changed.revision != start.revision, || "a change moves no revision".to_owned())?;
    within(in_activity, |act| keeping_harmless(persistence, act))?;

    let mut at = changed.revision;
    for (what, expected, expected_seen) in
        [("before", &start, &before), ("after", &changed, &after)]
    {
        let taken = within(in_activity, |act| restored(persistence, act, &expected.saved))?;
        check(5, taken, || format!("what was saved {what} the change is not taken back"))?;
        let found = within(in_activity, |act| kept(persistence, act))?;
        let found_seen = within(in_activity, |act| Ok((changes.seen)(act)))?;
        check(5, found.saved == expected.saved && found_seen == *expected_seen, || {
            format!("what was saved {what} the change does not come back as it was")
        })?;
        check(4, found.revision != at, || "what is taken back moves no revision".to_owned())?;
        at = found.revision;
    }

    let before = within(in_activity, |act| kept(persistence, act))?;
    done(in_activity, changes.passing)?;
    let passed = within(in_activity, |act| kept(persistence, act))?;
    check(4, passed == before, || {
        "a change that is not kept moves the revision, or is saved".to_owned()
    })
}

fn done(in_activity: InActivity<'_>, change: &mut dyn FnMut(&Activity)) -> Result<(), Broken> {
    in_activity(&mut |act| {
        change(act);
        Ok(())
    })
}

/// What a rehearsal can ask of a module that keeps something: to be asked changes nothing, nor does what
/// is not the module's.
///
/// # Errors
/// The first sentence that is broken.
pub fn keeping_harmless(persistence: &dyn Persistence, act: &Activity) -> Result<(), Broken> {
    let before = kept(persistence, act)?;
    let mut appended = Buf::from(b"before".to_vec());
    saved(persistence, act, &mut appended)?;
    check(5, appended.strip_prefix(b"before") == Some(&before.saved), || {
        "what is to be kept is not appended, or is another every time".to_owned()
    })?;
    let whole = &before.saved[..];
    let longer = [whole, &[0]].concat();
    let step = (whole.len() / CUTS).max(1);
    let cut = (0..whole.len()).step_by(step).filter_map(|end| whole.get(..end));
    let foreign = foreign();
    for octets in foreign.iter().map(Vec::as_slice).chain(cut).chain([&longer[..]]) {
        let taken = restored(persistence, act, octets)?;
        check(5, !taken, || format!("{} octets that were not saved are taken back", octets.len()))?;
    }
    check(5, kept(persistence, act)? == before, || {
        "what is not taken back changes something".to_owned()
    })
}

/// What is to be kept now, and its number.
#[derive(PartialEq, Eq)]
struct Kept {
    revision: u64,
    saved: Vec<u8>,
}

/// Sentence 4, too: saving moves nothing.
fn kept(persistence: &dyn Persistence, act: &Activity) -> Result<Kept, Broken> {
    let revision = || {
        let answer = persistence.revision(act);
        answer.map_err(|error| broken(4, format!("`revision` answers `{error}`")))
    };
    let (first, mut out) = (revision()?, Buf::new());
    saved(persistence, act, &mut out)?;
    let second = revision()?;
    check(4, first == second, || "the revision moves by itself, or with `save`".to_owned())?;
    Ok(Kept { revision: first, saved: out.to_vec() })
}

fn saved(persistence: &dyn Persistence, act: &Activity, out: &mut Buf) -> Result<(), Broken> {
    persistence.save(act, out).map_err(|error| broken(5, format!("`save` answers `{error}`")))
}

fn restored(persistence: &dyn Persistence, act: &Activity, kept: &[u8]) -> Result<bool, Broken> {
    let answer = persistence.restore(act, kept);
    answer.map_err(|error| broken(5, format!("`restore` answers `{error}`")))
}

/// A document that is no module's.
#[derive(Field)]
struct Foreign {
    what_no_module_has: u32,
}

/// Octets that are no document, values that are no struct, and a struct of nobody.
fn foreign() -> [Vec<u8>; 5] {
    let text = Value::Text("nonsense".to_owned().into());
    let nobodys = write(&Foreign { what_no_module_has: 1 });
    [Vec::new(), vec![0xff; 9], Value::Null.encode(), text.encode(), nobodys]
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "settings", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}
