//! Strict reading of values: a part that is missing or of another kind is named, never guessed.

use s_sdk::Value;
use std::collections::BTreeMap;

/// What is wrong with a value that came over the pipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is missing or not what it should be")]
pub(crate) struct Malformed(pub(crate) String);

/// A map of named parts.
pub(crate) fn map<const N: usize>(parts: [(&str, Value); N]) -> Value {
    Value::Map(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A list of values.
pub(crate) fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(value).collect())
}

/// The parts of a map, each taken by name.
pub(crate) struct Parts<'a>(&'a BTreeMap<String, Value>);

impl<'a> Parts<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self, Malformed> {
        value.as_map().map(Parts).ok_or_else(|| Malformed("map".into()))
    }

    pub(crate) fn get<T>(
        &self,
        name: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, Malformed> {
        self.0.get(name).and_then(read).ok_or_else(|| Malformed(name.into()))
    }

    pub(crate) fn value(&self, name: &str) -> Result<&'a Value, Malformed> {
        self.get(name, Some)
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, Malformed> {
        self.get(name, Value::as_text).map(str::to_owned)
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Malformed> {
        self.get(name, Value::as_bytes).map(<[u8]>::to_vec)
    }

    pub(crate) fn u64(&self, name: &str) -> Result<u64, Malformed> {
        self.get(name, Value::as_u64)
    }

    pub(crate) fn u32(&self, name: &str) -> Result<u32, Malformed> {
        self.get(name, |value| u32::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn usize(&self, name: &str) -> Result<usize, Malformed> {
        self.get(name, |value| usize::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn bool(&self, name: &str) -> Result<bool, Malformed> {
        self.get(name, Value::as_bool)
    }

    pub(crate) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&'a Value) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        self.get(name, Value::as_list)?.iter().map(read).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, Malformed> {
        self.list(name, |value| {
            value.as_text().map(str::to_owned).ok_or_else(|| Malformed(name.into()))
        })
    }

    /// A part that may be null.
    pub(crate) fn maybe<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.value(name)? {
            Value::Null => Ok(None),
            value => read(value).map(Some),
        }
    }
}
