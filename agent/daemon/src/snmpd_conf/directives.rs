//! Every directive that net-snmp 5.9 knows, and what becomes of it here.
//!
//! A word that is in no list below is unknown to snmpd too, which warns and goes on. So does this agent,
//! unless the word looks like one that lets somebody in or keeps somebody out: a slip in such a word must
//! not open or close anything in silence.

use super::access::{Types, Who};
use super::sources::Family;
use super::verdict::{Told, ignored, refused};
use super::words::Words;
use super::{Meaning, Section, engine, notify, users, watch};
use roles::varbind::security_model;

/// Directives that say nothing of who may do what, and have nothing here that they could act on.
const IGNORED: &[(&str, &[&str])] = &[
    (
        "it is about a program's log, files or memory, which this agent keeps in another way",
        &[
            "dontlogtcpwrappersconnects",
            "leave_pidfile",
            "quit",
            "avgbulkvarbindsize",
            "pdustatsmax",
            "pdustatsthreshold",
            "donotretainnotificationlogs",
            "dontretainlogs",
            "dodebugging",
            "debugtokens",
            "debugloglevel",
            "logtimestamp",
            "logoption",
            "persistentdir",
            "tempfilepattern",
            "dumppacket",
            "reverseencodeber",
            "16bitids",
            "nocontextengineiddiscovery",
            "dontloadhostconfig",
            "notokenwarnings",
            "setserialno",
            "serverrecvbuf",
            "serversendbuf",
            "clientrecvbuf",
            "clientsendbuf",
        ],
    ),
    (
        "it is about how MIB files are read and values are printed: this agent does neither",
        &[
            "mibdirs",
            "mibs",
            "mibfile",
            "showmiberrors",
            "commenttoeol",
            "strictcommentterm",
            "miballowunderline",
            "mibwarninglevel",
            "mibreplacewithlatest",
            "printnumericenums",
            "printnumericoids",
            "escapequotes",
            "dontbreakdownoids",
            "quickprinting",
            "numerictimeticks",
            "oidoutputformat",
            "suffixprinting",
            "extendedindex",
            "printhextext",
            "printvalueonly",
            "dontprintunits",
            "hexoutputlength",
            "norangecheck",
            "nodisplayhint",
            "outputprecision",
            "alias",
        ],
    ),
    (
        "it is a default for programs that ask, and this one answers",
        &[
            "defversion",
            "defcommunity",
            "defsecurityname",
            "defcontext",
            "defpassphrase",
            "defauthpassphrase",
            "defprivpassphrase",
            "defauthtype",
            "defprivtype",
            "defsecuritylevel",
            "defsecuritymodel",
            "defauthmasterkey",
            "defprivmasterkey",
            "defauthlocalizedkey",
            "defprivlocalizedkey",
            "timeout",
            "retries",
            "clientaddr",
            "clientaddrusesport",
            "defdomain",
            "deftarget",
        ],
    ),
    (
        "subagents cannot connect: this agent has no AgentX master yet",
        &["master", "agentxsocket", "agentxperms", "agentxtimeout", "agentxretries"],
    ),
    (
        "what it adds to the tree is missing here, or is there without being asked for",
        &[
            "extend",
            "pass",
            "pass_persist",
            "proxy",
            "proc",
            "file",
            "logmatch",
            "diskio",
            "diskio_exclude_fd",
            "diskio_exclude_loop",
            "diskio_exclude_ram",
            "ignoredisk",
            "skipnfsinhostresources",
            "storageusenfs",
            "realstorageunits",
            "count_kthreads",
            "interface",
            "interface_fadeout",
            "interface_replace_old",
            "ifmib_max_num_ifaces",
            "include_ifmib_iface_prefix",
            "sendmail_config",
            "sendmail_stats",
            "sendmail_queue",
            "sendmail_index",
            "sendmail_stats_t",
            "sendmail_queue_t",
            "table",
            "add_row",
            "ifxtable",
            "override",
        ],
    ),
    (
        "nothing is watched and no action runs by itself here",
        &[
            "agentsecname",
            "iquerysecname",
            "iqueryversion",
            "iqueryseclevel",
            "defaultmonitors",
            "strictdisman",
            "notificationevent",
            "repeat",
            "cron",
            "at",
        ],
    ),
    ("notifications name the address that they are sent from", &["v1trapaddress"]),
    (
        "this agent has no TLS, DTLS, SSH or SMUX transport, so nobody comes by one",
        &[
            "localcert",
            "peercert",
            "certsecname",
            "trustcert",
            "x509crlfile",
            "tlsalgorithms",
            "extrax509subdir",
            "tsmusetransportprefix",
            "snmptlstmparams",
            "snmptlstmaddr",
            "smuxsocket",
        ],
    ),
    ("there is no Perl here", &["disableperl"]),
];

/// Directives with which the agent does not start, and what to do instead.
const REFUSED: &[(&str, &[&str])] = &[
    ("code is not loaded unsigned: make the module a signed package and load that", &["dlmod"]),
    (
        "no program or script runs inside of this agent: take the line away",
        &["perl", "perlinitfile", "injecthandler", "exec", "sh", "execfix", "procfix", "extendfix"],
    ),
    ("SMUX proves nobody: take the line away, and let the program speak AgentX", &["smuxpeer"]),
    (
        "this agent watches nothing and changes nothing by itself: take the line away, and let the manager do it",
        &["monitor", "setevent"],
    ),
    (
        "who is let in by a socket of the file system cannot be told apart by its path here: make a user for it",
        &["com2secunix"],
    ),
    (
        "addresses are not filtered here for all communities and users alike: use the sources of communities, \
            or a firewall",
        &["sourcefiltertype", "sourcefilteraddress"],
    ),
    (
        "it belongs to net-snmp's persistent file: take that over with `sagentd import`, and this line away",
        &[
            "engineboots",
            "oldengineid",
            "psyslocation",
            "psyscontact",
            "psysname",
            "pauthtrapenable",
        ],
    ),
    (
        "it is access as net-snmp's persistent file has it: write it as view, group and access lines",
        &["vacmview", "vacmgroup", "vacmaccess", "vacmauthaccess"],
    ),
    (
        "rows of the tables of receivers are not read from files here: write the receiver as trapsess, trap2sink \
            or informsink, or make the rows by SET, which lasts",
        &[
            "targetaddr",
            "targetparams",
            "snmpnotifytable",
            "snmpnotifyfilterprofiletable",
            "snmpnotifyfiltertable",
        ],
    ),
    ("the default port is not set here: write ports in agentaddress", &["defaultport"]),
    ("state is always kept here: take the line away", &["nopersistentload", "nopersistentsave"]),
    ("snmpd's search path is not known here: write includeFile and a path", &["includesearch"]),
];

/// Parts of words that have to do with who may do what.
const GRAVE: &[&str] = &[
    "com",
    "user",
    "sec",
    "access",
    "view",
    "group",
    "auth",
    "priv",
    "key",
    "cert",
    "trust",
    "tls",
    "engine",
    "disable",
    "filter",
    "deny",
    "allow",
    "context",
    "agentaddr",
    "usm",
    "vacm",
];

/// What a directive says, taken over.
pub(super) fn take(
    meaning: &mut Meaning,
    section: Section,
    name: &str,
    words: &mut Words<'_>,
) -> Told {
    let name = name.to_ascii_lowercase();
    let Some(rest) = words.rest() else {
        return refused(
            "nothing stands behind it, and snmpd leaves such a line out: complete it, or take it away",
        );
    };
    if let Some(told) = either(&name) {
        return told;
    }
    match section {
        Section::Agent => agent(meaning, &name, rest, words),
        Section::Library => library(meaning, &name, words),
        Section::AgentX => unknown(&name),
    }
}

/// Directives that are not taken over, wherever they stand.
fn either(name: &str) -> Option<Told> {
    let find = |lists: &[(&'static str, &[&str])]| {
        lists.iter().find(|(_, names)| names.contains(&name)).map(|(why, _)| *why)
    };
    find(IGNORED).map(ignored).or_else(|| find(REFUSED).map(refused))
}

fn agent(meaning: &mut Meaning, name: &str, rest: &str, words: &mut Words<'_>) -> Told {
    const V4: &[Family] = &[Family::V4];
    const V6: &[Family] = &[Family::V6];
    let Meaning { access, communities, .. } = &mut *meaning;
    match name {
        "agentaddress" => engine::listen(meaning, words),
        "agentuser" => account(&mut meaning.run_as, words),
        "agentgroup" => account(&mut meaning.run_as_group, words),
        "syslocation" => engine::text(&mut meaning.system.location, rest),
        "syscontact" => engine::text(&mut meaning.system.contact, rest),
        "sysname" => engine::text(&mut meaning.system.name, rest),
        "sysdescr" => engine::text(&mut meaning.system.descr, rest),
        "sysservices" => engine::services(meaning, words),
        "sysobjectid" => match super::names::oid(&words.word().unwrap_or_default()) {
            Ok(oid) => {
                meaning.system.object_id = oid;
                Ok(String::new())
            }
            Err(why) => refused(why),
        },
        "engineid" => meaning.engine_id.text(rest),
        "exactengineid" => meaning.engine_id.exact(words),
        "engineidtype" => meaning.engine_id.format(words),
        "engineidnic" => meaning.engine_id.interface(words),
        "maxgetbulkrepeats" => engine::repeats(meaning, words),
        "maxgetbulkresponses" => engine::responses(meaning, words),
        "createuser" => {
            let (user, note) = users::create_user(words)?;
            let replaced = users::add(&mut meaning.users, user)?;
            Ok([note, replaced]
                .into_iter()
                .filter(|n| !n.is_empty())
                .collect::<Vec<_>>()
                .join("; "))
        }
        "usmuser" => match users::usm_user(words)? {
            Some(user) => users::add(&mut meaning.users, user),
            None => ignored("the row is not in use"),
        },
        "view" => access.view(words),
        "group" => access.group(words),
        "access" => access.access(words),
        "setaccess" => access.setaccess(words),
        "authaccess" => access.authaccess(words),
        "rouser" => access.simple(words, &Who::User, Types::READ, communities),
        "rwuser" => access.simple(words, &Who::User, Types::WRITE, communities),
        "authuser" => access.typed(words, &Who::User, communities),
        "authgroup" => access.typed(words, &Who::Group, communities),
        "rocommunity" => access.simple(words, &Who::Community(V4), Types::READ, communities),
        "rwcommunity" => access.simple(words, &Who::Community(V4), Types::WRITE, communities),
        "rocommunity6" => access.simple(words, &Who::Community(V6), Types::READ, communities),
        "rwcommunity6" => access.simple(words, &Who::Community(V6), Types::WRITE, communities),
        "authcommunity" => {
            access.typed(words, &Who::Community(&[Family::V4, Family::V6]), communities)
        }
        "com2sec" => communities.com2sec(words, Family::V4),
        "com2sec6" => communities.com2sec(words, Family::V6),
        "trapcommunity" => meaning.receivers.community(words),
        "trapsink" => notify::sink(meaning, words, notify::Kind::V1Trap),
        "trap2sink" => notify::sink(meaning, words, notify::Kind::V2cTrap),
        "informsink" => notify::sink(meaning, words, notify::Kind::V2cInform),
        "trapsess" => notify::session(meaning, words),
        "notificationfilter" => meaning.receivers.filter(words),
        "disk" => watch::disk(&mut meaning.ucd, words),
        "includealldisks" => watch::all_disks(&mut meaning.ucd, words),
        "load" => watch::load(&mut meaning.ucd, words),
        "swap" => watch::swap(&mut meaning.ucd, words),
        "authtrapenable" => match rest.trim_ascii() {
            value @ ("1" | "2") => {
                meaning.snmp.authentication_traps = Some(value == "1");
                Ok(String::new())
            }
            _ => refused(
                "this is neither 1 nor 2: write 1 to tell of failed authentication, 2 not to",
            ),
        },
        // snmpd watches ifTable for it, as agentSecName and every 60 seconds; here interfaces tell themselves.
        "linkupdownnotifications" => match &rest.trim_ascii().to_ascii_lowercase()[..] {
            "yes" | "1" | "true" => Ok("links tell of themselves, also without it".into()),
            _ => ignored(
                "links tell of themselves; turn that off by SET of each ifLinkUpDownTrapEnable to 2, or keep it \
                    from a receiver by notificationFilter",
            ),
        },
        _ => unknown(name),
    }
}

/// Directives of `snmp.conf`, behind `[snmp]`.
fn library(meaning: &mut Meaning, name: &str, words: &mut Words<'_>) -> Told {
    let model = match name {
        "sendmessagemaxsize" => return engine::message_size(meaning, words),
        "disablesnmpv1" => security_model::SNMPV1,
        "disablesnmpv2c" => security_model::SNMPV2C,
        "disablesnmpv3" => security_model::USM,
        _ => return unknown(name),
    };
    match &words.word().unwrap_or_default().to_ascii_lowercase()[..] {
        "1" | "yes" | "true" => {
            meaning.closed.push(model);
            Ok("a request of this version is refused, where snmpd says nothing".into())
        }
        "0" | "no" | "false" => Ok(String::new()),
        _ => refused("this is neither yes nor no: write one of them"),
    }
}

fn account(place: &mut Option<String>, words: &mut Words<'_>) -> Told {
    let name = words.word().unwrap_or_default();
    // snmpd writes numbers with a `#` in front.
    *place = Some(name.strip_prefix('#').map_or(name.clone(), str::to_owned));
    Ok(String::new())
}

fn unknown(name: &str) -> Told {
    if GRAVE.iter().any(|part| name.contains(part)) {
        return refused(
            "neither this agent nor snmpd 5.9 knows it at this place, and it may be meant to let somebody in or \
                keep somebody out: correct it, or take it away",
        );
    }
    ignored("neither this agent nor snmpd 5.9 knows it at this place")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_of_snmpd_is_decided_on() {
        // What `snmpd -H` of 5.9.3 lists and what its persistent file has, but for what is honoured above.
        let lists = [IGNORED, REFUSED];
        let mut all: Vec<&str> =
            lists.iter().flat_map(|l| l.iter()).flat_map(|(_, n)| n.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a directive stands in two lists");
        assert!(all.iter().all(|name| name.bytes().all(|b| !b.is_ascii_uppercase())));
        for (why, _) in lists.iter().flat_map(|list| list.iter()) {
            assert!(why.len() > 10);
        }
        for (why, names) in REFUSED {
            assert!(why.contains(':'), "{names:?}: the remedy stands behind a colon");
        }
    }
}
