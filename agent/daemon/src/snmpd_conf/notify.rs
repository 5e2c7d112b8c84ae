//! Who is told of notifications: `trapsink` and its kin, `trapsess`, filters.
//!
//! snmpd tells a sink whatever there is to tell. The module here asks access control, so a sink's principal
//! is given a notify view of everything, and no other right. Invariant: no line gives a community or a user
//! a read or a write view that another line has not given.

use super::Meaning;
use super::users;
use super::verdict::{Told, refused};
use super::words::{Words, hex};
use roles::settings::{KeyForm, NotifyFilter, NotifyTarget};
use roles::varbind::{SecurityLevel, message_model, security_model};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

/// snmpUDPDomain (RFC 3417) and transportDomainUdpIpv6 (RFC 3419).
const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
const UDP6: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];

/// The port of notifications (RFC 3417 §3.2).
const PORT: u16 = 162;

/// The receivers while they are being read.
#[derive(Default)]
pub(super) struct Receivers {
    community: Option<String>,
    targets: Vec<(NotifyTarget, Option<String>)>,
    filters: Vec<(String, NotifyFilter)>,
}

/// What the lines have in common.
struct Common {
    name: Option<String>,
    tag: String,
    profile: Option<String>,
}

/// What is sent, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    V1Trap,
    V2cTrap,
    V2cInform,
}

impl Receivers {
    /// `trapcommunity COMMUNITY`
    pub(super) fn community(&mut self, words: &mut Words<'_>) -> Told {
        self.community = words.word();
        Ok(String::new())
    }

    /// `notificationFilter NAME OID MASK TYPE`
    pub(super) fn filter(&mut self, words: &mut Words<'_>) -> Told {
        let fields = [(); 4].map(|()| words.word());
        let [Some(name), Some(subtree), Some(mask), Some(kind)] = fields else {
            return refused("a filter has a name, a subtree, a mask and a type: give all four");
        };
        let Some(mask) = hex(&mask.replace([':', '.'], "")) else {
            return refused("the mask is not in hex digits, as in 0xff: write it so");
        };
        let included = match &kind[..] {
            "included" => true,
            "excluded" => false,
            _ => {
                return refused("the type is neither `included` nor `excluded`: write one of them");
            }
        };
        let subtree = super::names::oid(&subtree).map_err(super::Verdict::Refused)?;
        self.filters.push((name, NotifyFilter { subtree, mask, included }));
        Ok(String::new())
    }

    /// Receivers and their filters as the module takes them.
    pub(super) fn finish(self) -> Result<Vec<NotifyTarget>, String> {
        let filters = self.filters;
        let targets = self.targets.into_iter().map(|(mut target, profile)| {
            if let Some(profile) = profile {
                let own = filters.iter().filter(|(name, _)| *name == profile);
                target.filters = own.map(|(_, filter)| filter.clone()).collect();
                if target.filters.is_empty() {
                    return Err(format!(
                        "a receiver has the profile `{profile}`, and no notificationFilter has that name: add \
                            one, or take `-profile` away"
                    ));
                }
            }
            Ok(target)
        });
        targets.collect()
    }
}

/// `trapsink [-profile P] [-name N] [-tag T] [-s SOURCE] HOST [COMMUNITY [PORT]]`
pub(super) fn sink(meaning: &mut Meaning, words: &mut Words<'_>, kind: Kind) -> Told {
    let (common, host) = common(words)?;
    let Some(host) = host else {
        return refused("the receiver's address is missing: write it, as in 192.0.2.1:162");
    };
    let community = words.word().or_else(|| meaning.receivers.community.clone());
    let Some(community) = community else {
        return refused(
            "there is no community to send: write one behind the address, or a trapcommunity line above",
        );
    };
    let port = match words.word() {
        Some(port) => match port.parse() {
            Ok(port) => port,
            Err(_) => return refused("the port is no number: write one"),
        },
        None => PORT,
    };
    let (address, note) = address(&host, port)?;
    let (message_model, security_model) = match kind {
        Kind::V1Trap => (message_model::SNMPV1, security_model::SNMPV1),
        Kind::V2cTrap | Kind::V2cInform => (message_model::SNMPV2C, security_model::SNMPV2C),
    };
    let how = How {
        message_model,
        security_model,
        level: SecurityLevel::NoAuthNoPriv,
        inform: kind == Kind::V2cInform,
        timeout: 100,
        retries: 5,
    };
    by_community(meaning, common, address, &community, &how)?;
    Ok(note)
}

/// How a target is told.
struct How {
    message_model: u32,
    security_model: u32,
    level: SecurityLevel,
    inform: bool,
    /// Hundredths of a second.
    timeout: u32,
    retries: u32,
}

fn by_community(
    meaning: &mut Meaning,
    common: Common,
    address: SocketAddr,
    community: &str,
    how: &How,
) -> Told {
    let octets = octets(address);
    let security_name = meaning.communities.told(community, &octets);
    push(meaning, common, address, security_name, how)
}

fn push(
    meaning: &mut Meaning,
    common: Common,
    address: SocketAddr,
    security_name: String,
    how: &How,
) -> Told {
    let receivers = &mut meaning.receivers;
    // As snmpd names its rows.
    let name = common.name.unwrap_or_else(|| format!("internal{}", receivers.targets.len()));
    if name.is_empty() || name.len() > 32 || common.tag.len() > 255 {
        return refused(
            "a receiver's name has 1 to 32 octets and its tag at most 255: shorten them",
        );
    }
    if receivers.targets.iter().any(|(known, _)| known.name == name) {
        return refused("an earlier line has the same name: give each receiver its own");
    }
    meaning.access.may_be_told(how.security_model, &security_name, how.level as u32);
    meaning.receivers.targets.push((
        NotifyTarget {
            name,
            domain: if address.is_ipv4() { UDP } else { UDP6 }.to_vec(),
            address: octets(address),
            message_model: how.message_model,
            security_model: how.security_model,
            security_name,
            security_level: how.level as u32,
            inform: how.inform,
            tag: common.tag,
            timeout: how.timeout,
            retries: how.retries,
            filters: Vec::new(),
        },
        common.profile,
    ));
    Ok(String::new())
}

/// The options of a sink, and the word behind them.
fn common(words: &mut Words<'_>) -> Result<(Common, Option<String>), super::Verdict> {
    let mut common = Common { name: None, tag: String::new(), profile: None };
    loop {
        let word = words.word();
        let place = match word.as_deref() {
            Some("-name") => &mut common.name,
            Some("-profile") => &mut common.profile,
            Some("-tag") => {
                common.tag = words.word().unwrap_or_default();
                continue;
            }
            Some("-s") => {
                return refused(
                    "the address to send from cannot be chosen here: take `-s` away, and the system chooses",
                );
            }
            _ => return Ok((common, word)),
        };
        *place = words.word();
    }
}

/// The options of `snmptrap` that `trapsess` takes.
#[derive(Default)]
struct Session {
    version: String,
    community: Option<String>,
    user: Option<String>,
    level: Option<SecurityLevel>,
    auth: Option<String>,
    auth_phrase: Option<String>,
    private: Option<String>,
    priv_phrase: Option<String>,
    engine_id: Option<Vec<u8>>,
    inform: bool,
    timeout: Option<u32>,
    retries: Option<u32>,
}

/// `trapsess [OPTIONS] HOST`
pub(super) fn session(meaning: &mut Meaning, words: &mut Words<'_>) -> Told {
    let (common, mut word) = common(words)?;
    let mut session = Session { version: "3".into(), ..Session::default() };
    let mut host = None;
    while let Some(option) = word.take() {
        let Some(letters) = option.strip_prefix('-') else {
            host = Some(option);
            break;
        };
        let mut letters = letters.chars();
        let letter = letters.next().unwrap_or(' ');
        let value = match letters.as_str() {
            "" => words.word(),
            attached => Some(attached.to_owned()),
        };
        session.take(letter, value.unwrap_or_default())?;
        word = words.word();
    }
    let Some(host) = host else {
        return refused("the receiver's address is missing: write it, as in 192.0.2.1:162");
    };
    let (address, note) = address(&host, PORT)?;
    let community = session.community.clone().or_else(|| meaning.receivers.community.clone());
    let mut how = How {
        message_model: message_model::SNMPV3,
        security_model: security_model::USM,
        level: session.level.unwrap_or(SecurityLevel::NoAuthNoPriv),
        inform: session.inform,
        timeout: session.timeout.unwrap_or(100),
        retries: session.retries.unwrap_or(5),
    };
    match &session.version[..] {
        "3" => {
            let user = session.into_user(meaning, how.level)?;
            push(meaning, common, address, user, &how)?;
        }
        version @ ("1" | "2c") => {
            if version == "1" && how.inform {
                return refused("SNMPv1 has no informs: write -v 2c or -v 3, or take -Ci away");
            }
            let models = match version {
                "1" => (message_model::SNMPV1, security_model::SNMPV1),
                _ => (message_model::SNMPV2C, security_model::SNMPV2C),
            };
            (how.message_model, how.security_model) = models;
            how.level = SecurityLevel::NoAuthNoPriv;
            let Some(community) = community else {
                return refused("there is no community to send: write -c and one");
            };
            by_community(meaning, common, address, &community, &how)?;
        }
        _ => return refused("the version behind -v is none of 1, 2c, 3: write one of them"),
    }
    Ok(note)
}

impl Session {
    fn take(&mut self, letter: char, value: String) -> Result<(), super::Verdict> {
        let number = || {
            value.parse::<u32>().ok().filter(|number| *number < 100_000).map_or_else(
                || refused(format!("behind -{letter} there is no number: write one")),
                Ok,
            )
        };
        match letter {
            'v' => self.version = value.to_ascii_lowercase(),
            'c' => self.community = Some(value),
            'u' => self.user = Some(value),
            'a' => self.auth = Some(value),
            'A' => self.auth_phrase = Some(value),
            'x' => self.private = Some(value),
            'X' => self.priv_phrase = Some(value),
            'r' => self.retries = Some(number()?),
            't' => self.timeout = Some(number()?.saturating_mul(100)),
            'C' if value == "i" => self.inform = true,
            'e' => {
                let id = hex(&value).filter(|id| (5..=32).contains(&id.len()));
                self.engine_id = Some(id.map_or_else(
                    || {
                        refused(
                            "behind -e there is no engineID: write 5 to 32 octets in hex digits",
                        )
                    },
                    Ok,
                )?);
            }
            'l' => {
                self.level = Some(match &value.to_ascii_lowercase()[..] {
                    "noauthnopriv" | "noauth" | "nanp" => SecurityLevel::NoAuthNoPriv,
                    "authnopriv" | "auth" | "anp" => SecurityLevel::AuthNoPriv,
                    "authpriv" | "priv" | "ap" => SecurityLevel::AuthPriv,
                    _ => {
                        return refused(
                            "the level behind -l is none of noAuthNoPriv, authNoPriv, authPriv: write one of them",
                        );
                    }
                });
            }
            _ => return refused(format!("the option -{letter} is not known here: take it away")),
        }
        Ok(())
    }

    /// The user's name; he is made where no createUser line makes him.
    fn into_user(
        self,
        meaning: &mut Meaning,
        level: SecurityLevel,
    ) -> Result<String, super::Verdict> {
        let Some(name) = self.user else {
            return refused("there is no user to send as: write -u and one");
        };
        let mut user = users::nobody(name.clone(), self.engine_id.unwrap_or_default());
        let form = |phrase: Option<String>| match phrase {
            Some(phrase) if phrase.len() >= 8 => Ok(phrase.into_bytes()),
            Some(_) => refused(
                "a passphrase has fewer than 8 octets (RFC 3414 §11.2): choose a longer one",
            ),
            None => refused("a passphrase is missing: write -A, and -X if it is to be private"),
        };
        if level >= SecurityLevel::AuthNoPriv && self.auth_phrase.is_some() {
            // snmpd's own default where nothing is named.
            let auth = users::auth_named(self.auth.as_deref().unwrap_or("MD5"))?;
            user.auth_protocol = auth.oid.to_vec();
            user.auth_form = KeyForm::Password;
            user.auth_secret = form(self.auth_phrase)?;
            if level == SecurityLevel::AuthPriv {
                let private = users::priv_named(self.private.as_deref().unwrap_or("DES"))?;
                user.priv_protocol = private.oid.to_vec();
                user.priv_form = KeyForm::Password;
                user.priv_secret = form(self.priv_phrase)?;
            }
        }
        let known = meaning.users.iter().find(|known| {
            known.name == name && (known.engine_id == user.engine_id || known.engine_id.is_empty())
        });
        match known {
            // A createUser line has the say.
            Some(_) => {}
            None if level == SecurityLevel::NoAuthNoPriv || user.auth_form == KeyForm::Password => {
                meaning.users.push(user);
            }
            None => {
                return refused(
                    "there is no such user yet: write a createUser line above, or -a and -A here",
                );
            }
        }
        Ok(name)
    }
}

/// An address as `snmptrap` takes it; a host's name is looked up once.
fn address(text: &str, port: u16) -> Result<(SocketAddr, String), super::Verdict> {
    const REMEDY: &str = "write an address, as in udp:192.0.2.1:162 or udp6:[2001:db8::1]:162";
    let (six, rest) = match text.split_once(':') {
        Some(("udp", rest)) => (Some(false), rest),
        Some(("udp6" | "udpv6" | "udpipv6", rest)) => (Some(true), rest),
        Some((transport @ ("tcp" | "tcp6" | "unix" | "tlstcp" | "dtlsudp" | "ssh"), _)) => {
            return refused(format!("notifications do not go over {transport} here: {REMEDY}"));
        }
        _ => (None, text),
    };
    if let Ok(whole) = rest.parse::<SocketAddr>() {
        return Ok((whole, String::new()));
    }
    if let Ok(host) = rest.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((SocketAddr::new(host, port), String::new()));
    }
    let (host, port) = match rest.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, port),
        _ => (rest, port),
    };
    let found = (host, port).to_socket_addrs().ok().into_iter().flatten();
    let wanted = |address: &SocketAddr| six.is_none_or(|six| address.is_ipv6() == six);
    // IPv4 first, as snmpd does without a transport.
    let found = found.filter(wanted).min_by_key(SocketAddr::is_ipv6);
    match found {
        Some(address) => {
            Ok((address, format!("the name means {} until the next reload", address.ip())))
        }
        None => refused(format!(
            "the receiver is no address, and no host's name that can be resolved: {REMEDY}"
        )),
    }
}

/// snmpTargetAddrTAddress.
fn octets(address: SocketAddr) -> Vec<u8> {
    let mut octets = match address.ip() {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    octets.extend(address.port().to_be_bytes());
    octets
}
