//! The common name of a certificate's subject, and nothing else of it.
//!
//! The chain was checked by the TLS library before this looks; still nothing is believed about lengths. What is
//! not found where RFC 5280 §4.1 puts it is not found.

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
/// `[0] EXPLICIT`: the version, which only a certificate of version 1 leaves out.
const VERSION: u8 = 0xa0;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The subject's common name, if it has exactly one: of two, which is meant is anybody's guess.
pub(crate) fn common_name(der: &[u8]) -> Option<String> {
    let mut certificate = Der(Der(der).take(SEQUENCE)?);
    let mut tbs = Der(certificate.take(SEQUENCE)?);
    if tbs.0.first() == Some(&VERSION) {
        tbs.take(VERSION)?;
    }
    tbs.take(INTEGER)?; // The serial number,
    tbs.take(SEQUENCE)?; // the signature's algorithm,
    tbs.take(SEQUENCE)?; // the issuer,
    tbs.take(SEQUENCE)?; // the validity.
    let mut subject = Der(tbs.take(SEQUENCE)?);
    let mut found = None;
    while !subject.0.is_empty() {
        let mut relative = Der(subject.take(SET)?);
        while !relative.0.is_empty() {
            let mut attribute = Der(relative.take(SEQUENCE)?);
            if attribute.take(OBJECT_IDENTIFIER)? != COMMON_NAME {
                continue;
            }
            let text = attribute.take(UTF8_STRING).or_else(|| attribute.take(PRINTABLE_STRING))?;
            let text = std::str::from_utf8(text).ok()?.to_owned();
            if found.replace(text).is_some() {
                return None;
            }
        }
    }
    found
}

/// What is left to read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets.iter().try_fold(0_usize, |length, &octet| {
                    length.checked_mul(256)?.checked_add(usize::from(octet))
                })?;
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_among_other_names() {
        let der = certificate(&[
            (DnType::OrganizationName, "Example"),
            (DnType::CommonName, "Ada Lovelace"),
            (DnType::CountryName, "GB"),
        ]);
        assert_eq!(common_name(&der).as_deref(), Some("Ada Lovelace"));
        assert_eq!(common_name(&certificate(&[(DnType::OrganizationName, "Example")])), None);
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_is_no_certificate_or_another_one() {
        let der = certificate(&[(DnType::CommonName, "ada")]);
        let end_of_name = der.windows(3).rposition(|octets| octets == b"ada").unwrap() + 3;
        for cut in 0..end_of_name {
            assert_eq!(common_name(&der[..cut]), None, "{cut}");
        }
        for place in 0..der.len() {
            for flip in [1_u8, 0x80, 0xff] {
                let mut changed = der.clone();
                changed[place] ^= flip;
                // Whatever it finds, it comes back.
                let _ = common_name(&changed);
            }
        }
    }
}
