//! The words of a line, taken apart as net-snmp does.
//!
//! net-snmp has two ways, and directives differ in which one they use: [`Words::word`] knows quotes,
//! backslashes and comments, [`Words::token`] only blanks. It never fails: an end quote that is missing is
//! the end of the line, as there.

/// What is left of a line.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// None when nothing but blanks or a comment is left.
    rest: Option<&'a str>,
}

impl<'a> Words<'a> {
    /// The words of a line.
    pub(super) fn of(line: &'a str) -> Self {
        Words { rest: skip_blanks(line) }
    }

    /// The next word; quotes around it and backslashes in it are taken off.
    pub(super) fn word(&mut self) -> Option<String> {
        let rest = self.rest?;
        let mut letters = rest.chars();
        let quote = letters.next().filter(|first| matches!(first, '"' | '\''));
        let mut letters = if quote.is_some() { letters } else { rest.chars() };
        let mut word = String::new();
        let behind = loop {
            let before = letters.as_str();
            match letters.next() {
                None => break "",
                Some(letter) if Some(letter) == quote => break letters.as_str(),
                Some(letter) if quote.is_none() && letter.is_ascii_whitespace() => break before,
                Some('\\') => word.push(letters.next().unwrap_or('\\')),
                Some(letter) => word.push(letter),
            }
        };
        self.rest = skip_blanks(behind);
        Some(word)
    }

    /// The next stretch without blanks, whatever is in it.
    pub(super) fn token(&mut self) -> Option<&'a str> {
        let rest = self.rest?.trim_ascii_start();
        let end = rest.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(rest.len());
        let (token, behind) = rest.split_at_checked(end)?;
        self.rest = Some(behind);
        Some(token).filter(|token| !token.is_empty())
    }

    /// Everything that is left, as it stands there.
    pub(super) const fn rest(&self) -> Option<&'a str> {
        self.rest
    }
}

/// From the next letter that means something; nothing at the end and before a comment.
fn skip_blanks(text: &str) -> Option<&str> {
    Some(text.trim_ascii_start()).filter(|text| !text.is_empty() && !text.starts_with('#'))
}

/// Octets from hex digits, with or without `0x` in front; none where that is not what stands there.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if digits.is_empty() || digits.len() % 2 == 1 {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut words = Words::of(line);
        std::iter::from_fn(|| words.word()).collect()
    }

    #[test]
    fn words_are_what_net_snmp_takes_them_for() {
        for (line, wanted) in [
            ("  rouser alice\tauth ", &["rouser", "alice", "auth"][..]),
            ("a \"b c\" 'd \"e'", &["a", "b c", "d \"e"]),
            (r#"a "b\"c" d\ e"#, &["a", "b\"c", "d e"]),
            ("a b#c # d", &["a", "b#c"]),
            ("a \"# b\"", &["a", "# b"]),
            ("a \"never ends", &["a", "never ends"]),
            ("a\"b c\"", &["a\"b", "c\""]),
            ("\"a\"b", &["a", "b"]),
            ("  # nothing", &[]),
            ("", &[]),
            ("a \"\" b", &["a", "", "b"]),
            ("a \\", &["a", "\\"]),
        ] {
            assert_eq!(words(line), wanted, "{line}");
        }
    }

    #[test]
    fn tokens_end_at_blanks_only() {
        let mut words = Words::of("view \"a b\" # c");
        assert_eq!(words.word().as_deref(), Some("view"));
        assert_eq!(words.rest(), Some("\"a b\" # c"));
        let tokens: Vec<&str> = std::iter::from_fn(|| words.token()).collect();
        assert_eq!(tokens, ["\"a", "b\"", "#", "c"]);
    }

    #[test]
    fn hex_digits_come_in_pairs() {
        assert_eq!(hex("0x0aFF"), Some(vec![10, 255]));
        assert_eq!(hex("0aff"), Some(vec![10, 255]));
        for wrong in ["", "0x", "0x1", "xy", "0xäb"] {
            assert_eq!(hex(wrong), None, "{wrong}");
        }
    }
}
