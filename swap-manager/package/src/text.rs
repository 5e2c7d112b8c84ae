//! The few kinds of text that manifests and trust stores hold, each checked where it enters.
//! Never normalises: a text is accepted as it stands or refused.
//! Invariant: whatever these types hold is short, printable and safe to show on a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Longest name of a component, module, behavior, table or key.
pub const NAME_BYTES_MAX: usize = 96;
/// Longest annotation or toolchain text.
pub const NOTE_BYTES_MAX: usize = 1024;

/// A text that is not what its place asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Not a name.
    #[error(
        "\"{}\" is not a name; use 1 to 96 of A-Z a-z 0-9 . _ - :, beginning with a letter or digit, without \"..\"",
        .0.escape_debug()
    )]
    NotAName(String),
    /// Not a target triple.
    #[error(
        "\"{}\" is not a target triple; write it as rustc prints it, such as x86_64-unknown-linux-gnu",
        .0.escape_debug()
    )]
    NotATriple(String),
    /// Not a component pattern.
    #[error(
        "\"{}\" is not a component pattern; use a component name in which * stands for any run of characters",
        .0.escape_debug()
    )]
    NotAPattern(String),
    /// Not a structural hash.
    #[error("\"{}\" is not a structural hash; use 16 lowercase hex digits", .0.escape_debug())]
    NotAHash(String),
    /// Not a SHA-256 digest.
    #[error("\"{}\" is not a SHA-256 digest; use 64 lowercase hex digits", .0.escape_debug())]
    NotADigest(String),
    /// Not a one-line note.
    #[error("\"{}\" is not a one-line note; use at most 1024 bytes without control or direction marks", .0.escape_debug())]
    NotANote(String),
}

/// A checked text type: made by `parse`, read by `as_str`, the same in JSON.
macro_rules! checked_text {
    ($(#[$doc:meta])* $type:ident, $check:expr, $fault:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the text and keeps it as it stands.
            pub fn parse(text: &str) -> Result<Self, TextFault> {
                Self::try_from(text.to_owned())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = TextFault;
            fn try_from(text: String) -> Result<Self, TextFault> {
                if $check(&text) { Ok(Self(text)) } else { Err($fault(shortened(text))) }
            }
        }

        impl std::str::FromStr for $type {
            type Err = TextFault;
            fn from_str(text: &str) -> Result<Self, TextFault> {
                Self::parse(text)
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> String {
                text.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

checked_text!(
    /// The name of a component, module, behavior, table or key.
    Name, is_name, TextFault::NotAName
);
checked_text!(
    /// A target triple; it becomes a file name in the package, so it can hold no separator.
    Triple, is_triple, TextFault::NotATriple
);
checked_text!(
    /// A component name in which `*` stands for any run of characters, dots included.
    Pattern, is_pattern, TextFault::NotAPattern
);
checked_text!(
    /// One line for people: an annotation or a toolchain. May be empty.
    #[derive(Default)]
    Note, is_note, TextFault::NotANote
);

impl Pattern {
    /// Every component.
    pub fn any() -> Self {
        Pattern("*".into())
    }

    /// Whether the whole component name fits this pattern.
    pub fn matches(&self, component: &Name) -> bool {
        let (pattern, name) = (self.0.as_bytes(), component.0.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where the last star stood, and how far into the name it has swallowed.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == name.get(n) {
                p += 1;
                n += 1;
            } else if let Some((at, swallowed)) = star {
                star = Some((at, swallowed + 1));
                p = at + 1;
                n = swallowed + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

/// The structural hash of a behavior or a row, as the SDK computes it; 16 hex digits in JSON and on screen,
/// since many JSON readers round numbers of this size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StructuralHash(pub u64);

impl TryFrom<String> for StructuralHash {
    type Error = TextFault;
    fn try_from(text: String) -> Result<Self, TextFault> {
        let bytes = from_hex(&text).ok_or_else(|| TextFault::NotAHash(shortened(text)))?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }
}

impl From<StructuralHash> for String {
    fn from(hash: StructuralHash) -> String {
        hash.to_string()
    }
}

impl fmt::Display for StructuralHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A SHA-256 digest; hex in JSON and on screen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl TryFrom<String> for Digest {
    type Error = TextFault;
    fn try_from(text: String) -> Result<Self, TextFault> {
        from_hex(&text).map(Self).ok_or_else(|| TextFault::NotADigest(shortened(text)))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        to_hex(&digest.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Lowercase hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes from lowercase hex. Uppercase is refused so that one value has one text.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
    }
    Some(bytes)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(is_name_byte)
        && !text.contains("..")
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-:".contains(&byte)
}

fn is_triple(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

fn is_pattern(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte == b'*' || is_name_byte(byte))
}

fn is_note(text: &str) -> bool {
    // Direction marks can make a terminal show something else than what was signed.
    let direction_mark = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.len() <= NOTE_BYTES_MAX && !text.chars().any(|c| c.is_control() || direction_mark(c))
}

/// An error message quotes at most the beginning of a refused text.
fn shortened(mut text: String) -> String {
    if text.chars().count() > 40 {
        text = text.chars().take(40).collect();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_ordinary_components_and_no_tricks() {
        for good in ["security.core", "auth-hmac-sha2", "roles::AuthProtocol", "a", "9p"] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".a", "-a", "a..b", "a/b", "a b", "ä", "a\n", &"a".repeat(97)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn triples_hold_no_path() {
        assert!(Triple::parse("x86_64-unknown-linux-gnu").is_ok());
        for bad in ["", "..", "../x", "a/b", ".hidden", "A", "a\0"] {
            assert!(Triple::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*", "security.core", true),
            ("security.*", "security.core", true),
            ("security.*", "security.core.engine", true),
            ("security.*", "security", false),
            ("security.*", "insecurity.core", false),
            ("security.core", "security.core", true),
            ("security.core", "security.usm2", false),
            ("*.core", "security.core", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXbd", false),
            ("**", "a", true),
        ];
        for (pattern, name, expected) in cases {
            let found = Pattern::parse(pattern).unwrap().matches(&Name::parse(name).unwrap());
            assert_eq!(found, expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn hex_has_one_form() {
        let digest = Digest::of(b"abc");
        let text = digest.to_string();
        assert!(text.starts_with("ba7816bf"));
        assert_eq!(Digest::try_from(text.clone()).unwrap(), digest);
        assert!(Digest::try_from(text.to_uppercase()).is_err());
        assert!(Digest::try_from(text[2..].to_owned()).is_err());
        let hash = StructuralHash(0xab);
        assert_eq!(hash.to_string(), "00000000000000ab");
        assert_eq!(StructuralHash::try_from(hash.to_string()).unwrap(), hash);
    }

    #[test]
    fn notes_cannot_redraw_a_terminal() {
        assert!(Note::parse("for the lab, büro 3").is_ok());
        for bad in ["\u{1b}[2J", "a\nb", "\u{202e}evil", &"x".repeat(1025)] {
            assert!(Note::parse(bad).is_err(), "{bad:?}");
        }
    }
}
