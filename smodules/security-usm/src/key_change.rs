//! KeyChange (RFC 3414 §5, the textual convention): a new key from an old one and what a manager sends.
//!
//! It knows no user and no table, and computes no hash itself. What was sent tells nobody the new key who
//! does not know the old one; so there is nothing to hide in it.

use zeroize::Zeroizing;

/// Why octets change no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChange {
    /// They are not a random part and a delta of the length that the key's protocol wants.
    WrongLength,
    /// There was no hash.
    NoHash,
}

/// The new key. `change` is a random part followed by a delta, each as long as the key; `hash` appends the
/// digest of octets.
///
/// # Errors
/// The octets are too long or too short, or the hash failed.
pub fn new_key(
    old: &[u8],
    change: &[u8],
    key_length: usize,
    mut hash: impl FnMut(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<Zeroizing<Vec<u8>>, NoChange> {
    // Every protocol that there is wants keys of one length; so the delta has that length, too.
    if key_length == 0 || change.len() != 2 * key_length {
        return Err(NoChange::WrongLength);
    }
    let (random, delta) = change.split_at(key_length);
    let mut new = Zeroizing::new(Vec::with_capacity(key_length));
    // 1. "A temporary variable is initialized to the existing value of K."
    let mut temporary = Zeroizing::new(old.to_vec());
    while new.len() < delta.len() {
        // 2. "The random component is appended to the value of the temporary variable, and the result is
        //    input to the hash algorithm H [...], and the temporary variable is set to this digest value."
        let mut input = Zeroizing::new(Vec::with_capacity(temporary.len() + random.len()));
        input.extend_from_slice(&temporary);
        input.extend_from_slice(random);
        temporary = hash(&input).filter(|digest| !digest.is_empty()).ok_or(NoChange::NoHash)?;
        // 3. "The value of the temporary variable is XOR-ed with the first (next) L-octets of the delta", at
        //    the end "truncated if necessary". 4. Until the delta is used up.
        let some = delta.iter().skip(new.len()).zip(temporary.iter()).map(|(a, b)| a ^ b);
        // `some` looks at how long the new key was: it is collected before it is appended.
        let some: Zeroizing<Vec<u8>> = Zeroizing::new(some.collect());
        new.extend_from_slice(&some);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash of four octets that shows what went in: the sum of octets, how many, the first, the last.
    fn toy(octets: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let sum = octets.iter().fold(0u8, |sum, octet| sum.wrapping_add(*octet));
        let len = u8::try_from(octets.len()).ok()?;
        Some(Zeroizing::new(vec![sum, len, *octets.first()?, *octets.last()?]))
    }

    #[test]
    fn a_key_longer_than_the_hash_is_made_of_a_chain_of_hashes() {
        let (old, random, delta) = ([1, 2, 3, 4, 5, 6], [9; 6], [0xf0, 0, 0, 0, 0, 0x0f]);
        let new = new_key(&old, &[random, delta].concat(), 6, toy).unwrap();
        // H(old || random) = (75, 12, 1, 9); H(that || random) = (151, 10, ..), of which two octets are used.
        assert_eq!(new[..], [75 ^ 0xf0, 12, 1, 9, 151, 10 ^ 0x0f]);
    }

    #[test]
    fn only_a_random_part_and_a_delta_of_the_right_length_are_taken() {
        for wrong in [0, 1, 6, 11, 13, 24] {
            assert_eq!(new_key(&[1; 6], &vec![0; wrong], 6, toy), Err(NoChange::WrongLength));
        }
        assert_eq!(new_key(&[1; 6], &[0; 12], 6, |_| None), Err(NoChange::NoHash));
        let empty = |_: &[u8]| Some(Zeroizing::new(Vec::new()));
        assert_eq!(new_key(&[1; 6], &[0; 12], 6, empty), Err(NoChange::NoHash));
    }
}
