//! `[[notify]]` of `sagentd.toml`: who is told of what happens, and how.
//!
//! An entry becomes a target of the notification originator, a principal that may be told (and nothing
//! else), and for versions 1 and 2c the community that is sent. Invariant: no entry lets anybody read or
//! write: its community is taken from the target's address only, and for a view that is empty.

use super::Configuration;
use super::file::Level;
use super::names::oid;
use roles::notify::{UDP_DOMAIN, UDP_IPV6_DOMAIN};
use roles::settings::{AccessEntry, Community, GroupMember, NotifyFilter, NotifyTarget, Source};
use roles::varbind::{SecurityLevel, message_model, security_model};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

/// The port of notifications (RFC 3417 §3.2).
const PORT: u16 = 162;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NotifyTable {
    name: Option<String>,
    address: String,
    version: Option<String>,
    community: Option<String>,
    user: Option<String>,
    level: Option<Level>,
    #[serde(default)]
    kind: Kind,
    tag: Option<String>,
    timeout_ms: Option<u32>,
    retries: Option<u32>,
    view: Option<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Trap,
    Inform,
}

/// Who is told, and how it is proven.
struct Told {
    message_model: u32,
    security_model: u32,
    security_name: String,
    level: SecurityLevel,
}

impl Configuration {
    /// Adds a target.
    pub(super) fn add_notify(&mut self, at: usize, table: NotifyTable) -> Result<(), String> {
        let name = table.name.clone().unwrap_or_else(|| format!("notify-{}", at + 1));
        if self.notify.targets.iter().any(|target| target.name == name) {
            return Err(format!("two targets have the name `{name}`; give each its own"));
        }
        let address = address(&table.address)?;
        let told = self.told(&name, address.ip(), &table)?;
        let filters = filters(&table)?;
        let mut octets = ip_octets(address.ip());
        octets.extend(address.port().to_be_bytes());
        self.notify.targets.push(NotifyTarget {
            name,
            domain: if address.is_ipv4() { UDP_DOMAIN } else { UDP_IPV6_DOMAIN }.to_vec(),
            address: octets,
            message_model: told.message_model,
            security_model: told.security_model,
            security_name: told.security_name,
            security_level: told.level as u32,
            inform: table.kind == Kind::Inform,
            tag: table.tag.unwrap_or_default(),
            // The MIB counts in hundredths of a second.
            timeout: table.timeout_ms.map_or(1500, |ms| ms.div_ceil(10)),
            retries: table.retries.unwrap_or(3),
            filters,
        });
        Ok(())
    }

    /// The principal, who is allowed to be told.
    fn told(&mut self, name: &str, from: IpAddr, table: &NotifyTable) -> Result<Told, String> {
        let version = table.version.as_deref();
        match (version, &table.community, &table.user) {
            (Some("1" | "2c") | None, Some(community), None) => {
                if table.level.is_some() {
                    return Err("a community proves nothing; take `level` away".into());
                }
                let (message_model, security_model) = match version {
                    Some("1") => (message_model::SNMPV1, security_model::SNMPV1),
                    _ => (message_model::SNMPV2C, security_model::SNMPV2C),
                };
                if version == Some("1") && table.kind == Kind::Inform {
                    return Err("version 1 has no informs; write `version = \"2c\"`".into());
                }
                let security_name = name.to_owned();
                self.add_told_community(&security_name, security_model, community, from, table)?;
                let level = SecurityLevel::NoAuthNoPriv;
                Ok(Told { message_model, security_model, security_name, level })
            }
            (Some("3") | None, None, Some(user)) => {
                let level = self.tell_user(user, table)?;
                Ok(Told {
                    message_model: message_model::SNMPV3,
                    security_model: security_model::USM,
                    security_name: user.clone(),
                    level,
                })
            }
            (Some("1" | "2c"), _, _) => {
                Err("versions 1 and 2c need a `community` and no `user`".into())
            }
            (Some("3"), _, _) => Err("version 3 needs a `user` and no `community`".into()),
            (Some(version), _, _) => {
                Err(format!("there is no version `{version}`; write 1, 2c or 3"))
            }
            (None, _, _) => Err("name a `user` for version 3, or a `community` for 2c".into()),
        }
    }

    fn add_told_community(
        &mut self,
        security_name: &str,
        security_model: u32,
        community: &str,
        from: IpAddr,
        table: &NotifyTable,
    ) -> Result<(), String> {
        let address = ip_octets(from);
        let prefix = u32::try_from(address.len() * 8).unwrap_or(0);
        self.communities.communities.push(Community {
            index: security_name.to_owned(),
            community: community.as_bytes().to_vec(),
            security_name: security_name.to_owned(),
            context_name: Vec::new(),
            // Its acknowledgements come from there (RFC 3584 §5.3, snmpTargetAddrTMask).
            sources: vec![Source { address, prefix }],
        });
        let notify_view = self.view_or_all(table.view.clone())?;
        let group = super::group_of(security_name);
        self.vacm.members.push(GroupMember {
            security_model,
            security_name: security_name.as_bytes().to_vec(),
            group: group.clone(),
        });
        self.vacm.access.push(AccessEntry {
            group,
            context: Vec::new(),
            exact: true,
            security_model,
            security_level: SecurityLevel::NoAuthNoPriv as u32,
            read_view: Vec::new(),
            write_view: Vec::new(),
            notify_view,
        });
        Ok(())
    }

    /// Lets a user be told, and answers at which level.
    fn tell_user(&mut self, user: &str, table: &NotifyTable) -> Result<SecurityLevel, String> {
        let known = self.usm.users.iter().find(|known| known.name == user);
        let Some(known) = known else {
            return Err(format!("there is no user `{user}`; add a [[user]] with that name"));
        };
        let highest = match (known.auth_protocol.is_empty(), known.priv_protocol.is_empty()) {
            (true, _) => SecurityLevel::NoAuthNoPriv,
            (false, true) => SecurityLevel::AuthNoPriv,
            (false, false) => SecurityLevel::AuthPriv,
        };
        let level = table.level.map_or(highest, SecurityLevel::from);
        if level > highest {
            return Err("`level` is higher than what the user has keys for".into());
        }
        let notify_view = self.view_or_all(table.view.clone())?;
        let group = super::group_of(user);
        for entry in self.vacm.access.iter_mut().filter(|entry| entry.group == group) {
            if (level as u32) < entry.security_level {
                return Err("`level` is lower than the user's own; raise it, or lower that".into());
            }
            entry.notify_view.clone_from(&notify_view);
        }
        Ok(level)
    }
}

fn filters(table: &NotifyTable) -> Result<Vec<NotifyFilter>, String> {
    let mut filters = Vec::new();
    if table.include.is_empty() && !table.exclude.is_empty() {
        // All but that: a filter lets nothing pass that it does not name.
        filters.push(NotifyFilter { subtree: vec![1], mask: Vec::new(), included: true });
    }
    for (list, included) in [(&table.include, true), (&table.exclude, false)] {
        for text in list {
            filters.push(NotifyFilter { subtree: oid(text)?, mask: Vec::new(), included });
        }
    }
    Ok(filters)
}

fn ip_octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// `ADDRESS`, `ADDRESS:PORT`, either with `udp:` or `udp6:` in front.
fn address(text: &str) -> Result<SocketAddr, String> {
    let rest = ["udp:", "udp6:"].iter().find_map(|transport| text.strip_prefix(transport));
    let rest = rest.unwrap_or(text);
    let ip = || rest.trim_matches(['[', ']']).parse::<IpAddr>();
    let found = rest.parse().or_else(|_| ip().map(|ip| SocketAddr::new(ip, PORT)));
    found.ok().filter(|address| address.port() != 0).ok_or_else(|| {
        format!("`{text}` is no address; write udp:ADDRESS:PORT or udp6:[ADDRESS]:PORT")
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Configuration, Problem};

    const USER: &str = r#"
        [[user]]
        name = "alice"
        auth = "SHA-256"
        auth-passphrase = "correct horse"
        priv = "AES"
        view = "system"
        [[view]]
        name = "system"
        include = ["1.3.6.1.2.1.1"]
    "#;

    fn read(text: &str) -> Result<Configuration, String> {
        Configuration::parse(&format!("{USER}{text}"))
            .map_err(|Problem { line, problem }| format!("{line}: {problem}"))
    }

    #[test]
    fn an_entry_becomes_a_target_and_a_principal_who_may_only_be_told() {
        let whole = read(
            r#"
            [[notify]]
            address = "udp:192.0.2.1"
            community = "secret"
            kind = "inform"
            timeout-ms = 1501
            retries = 1
            exclude = ["1.3.6.1.6.3.1.1.5.5"]
            [[notify]]
            name = "noc"
            address = "[2001:db8::1]:1162"
            user = "alice"
            view = "system"
            "#,
        )
        .unwrap();
        let [first, second] = &whole.notify.targets[..] else { panic!("{:?}", whole.notify) };
        assert_eq!(
            (&first.name[..], &first.address[..]),
            ("notify-1", &[192, 0, 2, 1, 0, 162][..])
        );
        assert_eq!((first.message_model, first.inform, first.timeout), (1, true, 151));
        let filters: Vec<_> = first.filters.iter().map(|f| (&f.subtree[..], f.included)).collect();
        assert_eq!(filters, [(&[1][..], true), (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 5], false)]);
        assert_eq!((second.address.len(), second.security_level), (18, 3));
        assert_eq!((second.timeout, second.retries), (1500, 3), "as the MIB has them");
        let community = &whole.communities.communities[0];
        assert_eq!(community.sources[0].address, [192, 0, 2, 1], "nobody else may use it");
        let entry = |group: &[u8]| whole.vacm.access.iter().find(|e| e.group == group).unwrap();
        let told = entry(b"notify-1");
        assert_eq!((&told.read_view[..], &told.write_view[..]), (&b""[..], &b""[..]));
        assert_eq!(told.notify_view, b"_all");
        assert_eq!(entry(b"alice").notify_view, b"system");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_entry_and_the_remedy() {
        for (text, wanted) in [
            ("address = \"nowhere\"\ncommunity = \"c\"", "write udp:ADDRESS:PORT"),
            ("address = \"127.0.0.1:0\"\ncommunity = \"c\"", "is no address"),
            ("address = \"127.0.0.1\"", "name a `user`"),
            ("address = \"127.0.0.1\"\nuser = \"bob\"", "add a [[user]]"),
            ("address = \"127.0.0.1\"\nuser = \"alice\"\nversion = \"2c\"", "need a `community`"),
            ("address = \"127.0.0.1\"\ncommunity = \"c\"\nversion = \"3\"", "needs a `user`"),
            ("address = \"127.0.0.1\"\ncommunity = \"c\"\nversion = \"4\"", "write 1, 2c or 3"),
            (
                "address = \"127.0.0.1\"\ncommunity = \"c\"\nlevel = \"authPriv\"",
                "take `level` away",
            ),
            (
                "address = \"127.0.0.1\"\ncommunity = \"c\"\nversion = \"1\"\nkind = \"inform\"",
                "has no informs",
            ),
            ("address = \"127.0.0.1\"\nuser = \"alice\"\nlevel = \"authNoPriv\"", "lower than"),
            ("address = \"127.0.0.1\"\nuser = \"alice\"\nview = \"none\"", "add a [[view]]"),
            ("address = \"127.0.0.1\"\nuser = \"alice\"\ninclude = [\"linkUp\"]", "write numbers"),
        ] {
            let found = read(&format!("[[notify]]\n{text}")).map(|_| ()).unwrap_err();
            assert!(found.contains(wanted) && found.contains("11: notify 1"), "{text}: {found}");
        }
    }
}
