//! What the engine is made of: its components, and which module serves in each.
//!
//! The component `engine` implements it beside [`crate::engine`], so that a management station sees swaps
//! where it looks for changes of equipment. It never tells what a module does, and changes nothing.
//!
//! The contract:
//! 1. `components` appends every component once, with its texts, which the spans of the entry lie in.
//! 2. The number of a component is its own as long as the process lives: above 0, and of no other.
//! 3. `since` is the value of sysUpTime when the component's generation was noticed, right after the swap
//!    that brought it; `last_change` that of the last such change of any component.

use crate::varbind::Span;
use s_sdk::{Activity, Buf, CallError, List, Plain, behavior};

/// A component, and the module that serves in it. Texts are spans of the octets that come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[repr(C)]
pub struct ComponentEntry {
    /// The generation, which grows with every swap.
    pub generation: u64,
    /// The component's own number.
    pub number: u32,
    /// sysUpTime when this generation was noticed.
    pub since: u32,
    /// The component's name.
    pub name: Span,
    /// The module's version; empty where no module serves.
    pub version: Span,
    /// What the module's author says of it.
    pub annotation: Span,
}

/// Answers which components there are.
#[behavior(name = "components")]
pub trait Components {
    /// Appends all components.
    fn components(
        &self,
        act: &Activity,
        entries: &mut List<ComponentEntry>,
        texts: &mut Buf,
    ) -> Result<(), CallError>;

    /// sysUpTime when a generation was noticed last.
    fn last_change(&self, act: &Activity) -> Result<u32, CallError>;
}

/// Appends an entry with its texts.
///
/// # Errors
/// A list is full.
pub fn push(
    (entries, texts): (&mut List<ComponentEntry>, &mut Buf),
    (number, generation, since): (u32, u64, u32),
    [name, version, annotation]: [&str; 3],
) -> Result<(), CallError> {
    let mut span = |text: &str| {
        let at = u32::try_from(texts.len()).map_err(|_| s_sdk::Full)?;
        let len = u32::try_from(text.len()).map_err(|_| s_sdk::Full)?;
        texts.append(text.as_bytes())?;
        Ok::<_, s_sdk::Full>(Span::new(at, len))
    };
    let (name, version, annotation) = (span(name)?, span(version)?, span(annotation)?);
    Ok(entries.push(ComponentEntry { generation, number, since, name, version, annotation })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_an_entry_are_found_by_its_spans() {
        let (mut entries, mut texts) = (List::new(), Buf::new());
        push((&mut entries, &mut texts), (1, 1, 0), ["a", "1.0.0", ""]).unwrap();
        push((&mut entries, &mut texts), (2, 7, 9), ["bee", "2.0.0", "sweet"]).unwrap();
        let entry = entries[1];
        let text = |span: Span| span.of(&texts).unwrap();
        assert_eq!((entry.number, entry.generation, entry.since), (2, 7, 9));
        assert_eq!(text(entry.name), b"bee");
        assert_eq!(text(entry.version), b"2.0.0");
        assert_eq!(text(entry.annotation), b"sweet");
        assert_eq!(text(entries[0].annotation), b"");
    }
}
