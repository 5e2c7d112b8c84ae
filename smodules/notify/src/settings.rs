//! The settings of the originator, checked: what is wrong with a document, a line each, with the remedy.

use crate::notification::MAX_MASK;
use crate::tables::tag_of;
use crate::target::{MAX_NAME, MESSAGE_MODELS, is_tag};
use roles::notify::{UDP_DOMAIN, UDP_IPV4_DOMAIN, UDP_IPV6_DOMAIN};
use roles::settings::{self, NotifySettings, NotifyTarget};
use roles::varbind::{message_model, security_model};

/// The settings, or what is wrong with them.
pub(crate) fn checked(document: &[u8]) -> Result<NotifySettings, Vec<String>> {
    let settings: NotifySettings = settings::read(document).map_err(|error| {
        vec![format!("the document is not that of notifications ({error}): configure it anew")]
    })?;
    let mut problems = Vec::new();
    for (at, target) in settings.targets.iter().enumerate() {
        let before = &settings.targets[..at];
        problems.extend(
            wrong(target, before).map(|problem| format!("target `{}`: {problem}", target.name)),
        );
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn wrong<'a>(
    target: &'a NotifyTarget,
    before: &'a [NotifyTarget],
) -> impl Iterator<Item = String> + use<'a> {
    let models = match target.message_model {
        message_model::SNMPV1 => target.security_model == security_model::SNMPV1,
        message_model::SNMPV2C => target.security_model == security_model::SNMPV2C,
        _ => target.security_model == security_model::USM,
    };
    let is_v3 = target.message_model == message_model::SNMPV3;
    let named_before = before.iter().any(|other| other.name == target.name);
    let tagged_otherwise =
        before.iter().any(|other| tag_of(other) == tag_of(target) && other.inform != target.inform);
    let filter = target.filters.iter().find(|filter| {
        filter.mask.len() > MAX_MASK || filter.subtree.len() + target.name.len() > MAX_FILTER_ARCS
    });
    [
        (
            !(1..=MAX_NAME).contains(&target.name.len()),
            "a name has 1 to 32 octets: shorten it".to_owned(),
        ),
        (named_before, "two targets have this name: give each its own".to_owned()),
        (
            target.tag.len() > 255 || !is_tag(tag_of(target).as_bytes()),
            "a tag has at most 255 octets and no white space: rename it".to_owned(),
        ),
        (
            tagged_otherwise,
            format!(
                "`{}` is the tag of traps and of informs: give each kind its own",
                tag_of(target)
            ),
        ),
        (
            !is_address(target),
            "the address is none of UDP: give an IP address and a port".to_owned(),
        ),
        (
            !MESSAGE_MODELS.contains(&target.message_model) || !models,
            "the version is not known: give 1, 2c or 3".to_owned(),
        ),
        (
            !(1..=3).contains(&target.security_level) || (!is_v3 && target.security_level != 1),
            "the level does not fit the version: only version 3 proves and encrypts".to_owned(),
        ),
        (
            target.inform && target.message_model == message_model::SNMPV1,
            "version 1 has no informs: send traps, or use version 2c".to_owned(),
        ),
        (
            !(1..=MAX_NAME).contains(&target.security_name.len()),
            "the security name has 1 to 32 octets: name a user or a community".to_owned(),
        ),
        (
            i32::try_from(target.timeout).is_err(),
            "the timeout is longer than 248 days: shorten it".to_owned(),
        ),
        (target.retries > 255, "there are 255 retries at most".to_owned()),
        (
            filter.is_some(),
            "a filter has a mask of more than 16 octets or too long a subtree: shorten it"
                .to_owned(),
        ),
    ]
    .into_iter()
    .filter_map(|(is_wrong, problem)| is_wrong.then_some(problem))
}

/// Sub-identifiers that profile and subtree can have together in a name of 128.
const MAX_FILTER_ARCS: usize = 116;

fn is_address(target: &NotifyTarget) -> bool {
    match &target.domain[..] {
        UDP_DOMAIN | UDP_IPV4_DOMAIN => target.address.len() == 6,
        UDP_IPV6_DOMAIN => target.address.len() == 18,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::settings::NotifyFilter;

    fn good() -> NotifyTarget {
        NotifyTarget {
            name: "noc".to_owned(),
            domain: UDP_DOMAIN.to_vec(),
            address: vec![127, 0, 0, 1, 0, 162],
            message_model: 3,
            security_model: 3,
            security_name: "alice".to_owned(),
            security_level: 3,
            inform: true,
            tag: String::new(),
            timeout: 500,
            retries: 3,
            filters: vec![],
        }
    }

    fn problems(targets: &[NotifyTarget]) -> String {
        let settings = NotifySettings { targets: targets.to_vec() };
        checked(&settings::write(&settings))
            .map_or_else(|wrong| wrong.join("\n"), |_| String::new())
    }

    #[test]
    fn what_cannot_work_is_told_with_the_name_of_the_target_and_the_remedy() {
        assert_eq!(problems(&[good()]), "");
        assert!(checked(b"nonsense").is_err());
        let filter = NotifyFilter { subtree: vec![1; 120], mask: vec![], included: true };
        type Spoil = fn(&mut NotifyTarget);
        let spoilt: [(Spoil, &str); 10] = [
            (|t| t.name = "x".repeat(33), "shorten"),
            (|t| t.tag = "two words".into(), "no white space"),
            (|t| t.address = vec![1, 2, 3, 4], "a port"),
            (|t| t.domain = vec![1, 3, 6], "none of UDP"),
            (|t| t.security_model = 2, "the version"),
            (|t| t.security_level = 0, "the level"),
            (|t| t.security_name.clear(), "name a user"),
            (|t| t.timeout = u32::MAX, "248 days"),
            (|t| t.retries = 256, "255"),
            (
                |t| (t.message_model, t.security_model, t.security_level) = (0, 1, 1),
                "version 1 has no informs",
            ),
        ];
        for (spoil, wanted) in spoilt {
            let mut target = good();
            spoil(&mut target);
            let found = problems(&[target]);
            assert!(found.starts_with("target `") && found.contains(wanted), "{wanted}: {found}");
            assert_eq!(found.lines().count(), 1, "{found}");
        }
        let long = NotifyTarget { filters: vec![filter], ..good() };
        assert!(problems(&[long]).contains("too long a subtree"));
        assert!(problems(&[good(), good()]).contains("two targets have this name"));
        let trap = NotifyTarget { name: "b".into(), tag: "noc".into(), inform: false, ..good() };
        assert!(problems(&[good(), trap]).contains("traps and of informs"));
    }
}
