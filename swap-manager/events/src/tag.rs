//! Tags and patterns: dotted names, and what a subscription asks for.

/// The octets a tag can have.
pub const MAX_TAG: usize = 255;

/// Why a text is not a tag or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The text is empty or longer than [`MAX_TAG`].
    #[error("a tag of {octets} octets: it has 1 to {MAX_TAG}")]
    Length {
        /// Its size.
        octets: usize,
    },
    /// A part between dots is empty or has a character that is not `a-z`, `A-Z`, `0-9`, `_` or `-`.
    #[error(
        "`{text}` is no tag: write names of letters, digits, `_` and `-` with dots between, as in `swap.commit`"
    )]
    Part {
        /// The text.
        text: String,
    },
}

/// Checks a tag.
pub(crate) fn check(tag: &str) -> Result<(), TagError> {
    if tag.is_empty() || tag.len() > MAX_TAG {
        return Err(TagError::Length { octets: tag.len() });
    }
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'))
    };
    if tag.split('.').all(is_name) { Ok(()) } else { Err(TagError::Part { text: tag.to_owned() }) }
}

/// What a subscription asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: every event.
    All,
    /// `swap.commit`: one tag.
    Exact(String),
    /// `swap.*`: every tag below `swap`, however deep, but not `swap` itself. Kept with its last dot.
    Below(String),
}

impl Pattern {
    /// The pattern that a text means.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        if text == "*" {
            return Ok(Pattern::All);
        }
        match text.strip_suffix(".*") {
            Some(prefix) => check(prefix).map(|()| Pattern::Below(format!("{prefix}."))),
            None => check(text).map(|()| Pattern::Exact(text.to_owned())),
        }
    }

    /// Whether a tag is asked for.
    pub fn matches(&self, tag: &str) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Exact(exact) => tag == exact,
            Pattern::Below(prefix) => tag.starts_with(prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_reaches_what_is_below_it_and_nothing_beside_it() {
        let below = Pattern::parse("swap.*").unwrap();
        assert!(below.matches("swap.commit") && below.matches("swap.commit.late"));
        assert!(
            !below.matches("swap")
                && !below.matches("swapper.x")
                && !below.matches("agent.swap.commit")
        );
        let exact = Pattern::parse("swap.commit").unwrap();
        assert!(
            exact.matches("swap.commit")
                && !exact.matches("swap.commit.late")
                && !exact.matches("swap")
        );
        assert!(Pattern::parse("*").unwrap().matches("anything"));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "a b", "swap.*x", "*.swap", "sw*p", "ä", "a.*.*"]
        {
            assert!(Pattern::parse(text).is_err(), "{text:?} passed");
        }
        assert!(check("*").is_err(), "a pattern is not a tag");
        assert!(check(&"a".repeat(MAX_TAG)).is_ok());
        assert_eq!(check(&"a".repeat(MAX_TAG + 1)), Err(TagError::Length { octets: MAX_TAG + 1 }));
    }
}
