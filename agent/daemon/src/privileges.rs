//! Who the process is, and what it may, after it has opened what only root may open.
//!
//! Users are looked up in `/etc/passwd` and `/etc/group` alone; others are named by number. Invariants: it
//! changes who the process is while that has one thread, because the kernel keeps this for each thread; and
//! it fails unless there is no way back.

use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use std::io;

/// Whom to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, the first one included.
    groups: Vec<u32>,
}

impl Account {
    /// The account that names or numbers stand for.
    ///
    /// # Errors
    /// There is none, with the remedy.
    pub(crate) fn find(user: &str, group: Option<&str>) -> Result<Self, String> {
        let read =
            |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        Self::find_in(&read("/etc/passwd")?, &read("/etc/group")?, user, group)
    }

    fn find_in(
        passwd: &str,
        groups: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<Self, String> {
        let number = number(user);
        // name:password:uid:gid:…
        let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
            let uid = fields.get(2).and_then(|uid| uid.parse().ok());
            fields.first() == Some(&user) || (uid.is_some() && uid == number)
        });
        let field = |at: usize| {
            entry.as_ref().and_then(|fields| fields.get(at)).and_then(|field| field.parse().ok())
        };
        let uid = field(2).or(number).ok_or_else(|| {
            format!("`-u {user}`: /etc/passwd has no such user; make it, or give its number")
        })?;
        // name:password:gid:members
        let lines = || groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let gid = match group {
            Some(group) => {
                let named = lines().find(|fields| fields.first() == Some(&group));
                let gid = named.and_then(|fields| fields.get(2)?.parse().ok());
                gid.or_else(|| self::number(group)).ok_or_else(|| {
                    format!(
                        "`-g {group}`: /etc/group has no such group; make it, or give its number"
                    )
                })?
            }
            None => field(3).ok_or_else(|| {
                format!("`-u {user}` has no entry that names its group; add `-g`")
            })?,
        };
        let name = entry.as_ref().and_then(|fields| fields.first().copied()).unwrap_or(user);
        let is_member =
            |fields: &Vec<&str>| fields.get(3).is_some_and(|all| all.split(',').any(|m| m == name));
        let mut all: Vec<u32> = vec![gid];
        let gid_of = |fields: Vec<&str>| fields.get(2)?.parse::<u32>().ok();
        all.extend(lines().filter(is_member).filter_map(gid_of));
        all.sort_unstable();
        all.dedup();
        Ok(Account { uid, gid, groups: all })
    }

    /// Becomes the account, for good, and keeps some capabilities.
    ///
    /// # Errors
    /// It cannot, or could come back; then the process must not go on.
    pub(crate) fn become_it(&self, keep: CapabilitySet) -> Result<(), String> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if geteuid() == uid && getegid() == gid {
            return give_up_capabilities(keep);
        }
        if !geteuid().is_root() {
            return Err("only root can become another user: start as root, or without `-u`".into());
        }
        let told = |what: &str, error: rustix::io::Errno| {
            format!("cannot become user {} and group {}: {what}: {error}", self.uid, self.gid)
        };
        if threads().map_err(|error| format!("/proc/self/task: {error}"))? != 1 {
            return Err("a thread runs that would stay root; this is a fault of the agent".into());
        }
        // Groups first: without the user's rights it could not be done any more.
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        thread::set_thread_groups(&groups).map_err(|error| told("its groups", error))?;
        thread::set_thread_res_gid(gid, gid, gid).map_err(|error| told("its group", error))?;
        // Permitted ones outlast the change; all but those to keep go right afterwards.
        thread::set_keep_capabilities(true).map_err(|error| told("its capabilities", error))?;
        thread::set_thread_res_uid(uid, uid, uid).map_err(|error| told("its user", error))?;
        if uid.is_root() {
            return Ok(());
        }
        give_up_capabilities(keep)?;
        thread::set_keep_capabilities(false).map_err(|error| told("its capabilities", error))?;
        let is_back = thread::set_thread_res_uid(None, Uid::ROOT, None).is_ok()
            || (self.gid != 0 && thread::set_thread_res_gid(None, Gid::ROOT, None).is_ok());
        if is_back {
            Err("root could be had back, so the agent does not go on".into())
        } else {
            Ok(())
        }
    }
}

/// Takes from a process that is not root what it needed to open its sockets, but for what it is to keep.
///
/// # Errors
/// It does not have what it is to keep, or the system's; then the process must not go on.
pub(crate) fn give_up_capabilities(keep: CapabilitySet) -> Result<(), String> {
    let told = |error: rustix::io::Errno| format!("capabilities cannot be given up: {error}");
    thread::set_no_new_privs(true).map_err(told)?;
    if geteuid().is_root() {
        return Ok(());
    }
    if !thread::capabilities(None).map_err(told)?.permitted.contains(keep) {
        return Err("`may-set-links` takes CAP_NET_ADMIN: start as root, or have systemd give it \
                    (AmbientCapabilities and CapabilityBoundingSet)"
            .into());
    }
    let rest = CapabilitySets {
        effective: keep,
        permitted: keep,
        // Nothing that the agent starts has any.
        inheritable: CapabilitySet::empty(),
    };
    thread::clear_ambient_capability_set().map_err(told)?;
    thread::set_capabilities(None, rest).map_err(told)
}

fn number(text: &str) -> Option<u32> {
    // snmpd.conf writes `#1000`. The highest number means "no change" to the kernel.
    text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|number| *number != u32::MAX)
}

fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/:/bin/sh\nagent:x:500:600::/:/bin/false\nbroken\n";
    const GROUPS: &str = "root:x:0:\nagent:x:600:\nlog:x:700:other,agent\nlogs:x:800:agents\n";

    fn find(user: &str, group: Option<&str>) -> Result<Account, String> {
        Account::find_in(PASSWD, GROUPS, user, group)
    }

    #[test]
    fn an_account_has_its_groups_and_no_others() {
        let agent = Account { uid: 500, gid: 600, groups: vec![600, 700] };
        assert_eq!(find("agent", None), Ok(agent.clone()));
        assert_eq!(find("500", None), Ok(agent.clone()));
        assert_eq!(find("#500", Some("agent")), Ok(agent));
        let other = Account { uid: 500, gid: 800, groups: vec![700, 800] };
        assert_eq!(find("agent", Some("logs")), Ok(other));
        assert_eq!(find("77", Some("78")), Ok(Account { uid: 77, gid: 78, groups: vec![78] }));
    }

    #[test]
    fn who_does_not_exist_is_told_with_the_remedy() {
        for (user, group, wanted) in [
            ("nobody", None, "no such user"),
            ("77", None, "add `-g`"),
            ("agent", Some("nobody"), "no such group"),
            ("4294967295", Some("0"), "no such user"),
        ] {
            let error = find(user, group).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
