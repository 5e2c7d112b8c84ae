//! From what the service answers to lines for people: what all commands need for it.
//!
//! The service may be older or newer than this program, so nothing here fails: what is missing is shown as
//! `-`. Invariant: a cell of a table is one line, whatever is in it.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use crate::output::printable;

/// What is shown where there is nothing.
pub(crate) const NOTHING: &str = "-";

/// A member as text.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> Cow<'a, str> {
    shown(&value[member])
}

/// A value as text, without the quotes of JSON.
pub(crate) fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => NOTHING.into(),
        Value::String(text) if text.is_empty() => NOTHING.into(),
        Value::String(text) => text.as_str().into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        other => other.to_string().into(),
    }
}

/// A member that is a list; nothing of it where it is none.
pub(crate) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

/// Texts, one after the other.
pub(crate) fn joined(values: &[Value]) -> String {
    values.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Text that fits a line: of what is longer, the outermost braces are shown without what is in them. JSON has it all.
pub(crate) fn brief(text: &str) -> Cow<'_, str> {
    /// Longer lines are not read.
    const LONGEST: usize = 100;
    if text.chars().count() <= LONGEST {
        return text.into();
    }
    let mut depth = 0_usize;
    let mut brief = String::new();
    for c in text.chars() {
        depth = depth.saturating_sub(usize::from(c == '}'));
        if depth == 0 {
            brief.push(c);
        }
        if c == '{' {
            if depth == 0 {
                brief.push('…');
            }
            depth += 1;
        }
    }
    brief.into()
}

/// A number of microseconds, where there is one.
pub(crate) fn micros(value: &Value) -> String {
    value.as_u64().map_or_else(|| NOTHING.to_owned(), |micros| format!("{micros} µs"))
}

/// One more line. A macro that writes to a string would need an error that cannot be.
pub(crate) fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string does not fail");
}

/// `name  value`, where there is a value to show.
pub(crate) fn fact(text: &mut String, name: &str, value: &str) {
    if value != NOTHING {
        line(text, format_args!("{name:<13}{value}"));
    }
}

/// Columns under their names, as wide as they must be.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self { rows: vec![names.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: &[&str]) {
        let cell = |cell: &&str| printable(cell).replace(['\n', '\t'], " ");
        self.rows.push(cells.iter().map(cell).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut padded = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                write!(padded, "{cell:<width$}  ")?;
            }
            writeln!(f, "{}", padded.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["component", "version"]);
        table.row(&["a", "1.0.0"]);
        table.row(&["security.usm", "two\nlines"]);
        assert_eq!(
            table.to_string(),
            "component     version\na             1.0.0\nsecurity.usm  two lines\n"
        );
    }

    #[test]
    fn long_types_are_shown_without_their_insides() {
        let short = "users: list<{name: bytes, key: {octets: bytes}}>";
        assert_eq!(brief(short), short);
        let long = format!(
            "split ({short} becomes made: list<{{{}}}>, spin_lock: i32)",
            "x: u8, ".repeat(20)
        );
        assert_eq!(
            brief(&long),
            "split (users: list<{…}> becomes made: list<{…}>, spin_lock: i32)"
        );
        let torn = format!("}}{}{{", "y".repeat(120));
        assert_eq!(brief(&torn), format!("{torn}…"), "braces that do not match harm nothing");
    }

    #[test]
    fn what_is_missing_is_shown_as_missing() {
        let value = json!({ "a": null, "b": "", "c": 3, "d": [1, "x"] });
        let shown = ["a", "b", "c", "e"].map(|member| text(&value, member).into_owned());
        assert_eq!(shown, ["-", "-", "3", "-"]);
        assert_eq!(joined(list(&value, "d")), "1, x");
        assert!(list(&value, "c").is_empty());
        assert_eq!((micros(&json!(83)), micros(&Value::Null)), ("83 µs".into(), "-".into()));
    }
}
