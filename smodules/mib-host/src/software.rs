//! hrSWInstalled: what dpkg has installed, read again when its status file has changed.
//!
//! On hosts without dpkg the table is empty. Nothing is asked of a package manager that would have to be
//! started for it.

use crate::date::date_and_time;
use crate::{NO_ID, View, cut};
use mib_kit::values::capped;
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{self, Integer, Octets, Oid, TimeTicks};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where dpkg keeps what it knows.
const DPKG: &str = "/var/lib/dpkg";

/// The table, and when it was read.
#[derive(Default)]
pub(crate) struct Software {
    packages: Arc<Rows<u32, Package>>,
    /// When the status file was changed, since 1970; none where there is none.
    changed: Option<Duration>,
    /// When the table was made of it, by the host's clock.
    made: Duration,
}

/// A package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    index: u32,
    name: String,
    installed: Option<[u8; 11]>,
}

/// hrSWInstalledLastChange, hrSWInstalledLastUpdateTime.
pub(crate) const SCALARS: &[Column<View>] = &[
    Column::new(1, |view| {
        let changed = view.software.get().changed?;
        Some(before(view.system.up_time, view.system.wall_clock.saturating_sub(changed)))
    }),
    Column::new(2, |view| {
        let made = view.software.get().made;
        Some(before(view.system.up_time, view.system.now.saturating_sub(made)))
    }),
];

pub(crate) const COLUMNS: &[Column<Package>] = &[
    Column::new(1, |row| Some(Integer(capped(row.index.into())))),
    Column::new(2, |row| Some(Octets(cut(row.name.as_bytes(), 64)))),
    Column::new(3, |_| Some(Oid(NO_ID))),
    // hrSWInstalledType: application.
    Column::new(4, |_| Some(Integer(4))),
    Column::new(5, |row| row.installed.as_ref().map(|date| Octets(date))),
];

/// sysUpTime so long ago; 0 for what was before the start.
fn before(up_time: u32, ago: Duration) -> VarValue<'static> {
    let ago = u32::try_from(ago.as_millis() / 10).unwrap_or(u32::MAX);
    TimeTicks(up_time.saturating_sub(ago))
}

impl Software {
    pub(crate) fn look(last: Option<&Software>, now: Duration) -> Self {
        Self::below(Path::new(DPKG), last, now)
    }

    pub(crate) fn packages(&self) -> &Rows<u32, Package> {
        &self.packages
    }

    fn below(folder: &Path, last: Option<&Software>, now: Duration) -> Self {
        let changed = modified(&folder.join("status"));
        match last {
            Some(last) if last.changed == changed => {
                Software { packages: Arc::clone(&last.packages), changed, made: last.made }
            }
            _ => {
                let status = std::fs::read(folder.join("status")).unwrap_or_default();
                let packages = installed(&String::from_utf8_lossy(&status), |package| {
                    let names = [format!("{package}.list"), package_alone(package)];
                    let dates = names.iter().map(|name| modified(&folder.join("info").join(name)));
                    dates.flatten().next().map(|date| date_and_time(date.as_secs()))
                });
                Software { packages: Arc::new(packages), changed, made: now }
            }
        }
    }
}

/// The list of files of a package of which there is one architecture only.
fn package_alone(package: &str) -> String {
    let name = package.split_once(':').map_or(package, |(name, _)| name);
    format!("{name}.list")
}

fn modified(path: &Path) -> Option<Duration> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    modified.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// The installed packages, by name; RFC 2790 numbers them from 1 without holes. `installed` is asked when
/// `name:architecture` was.
fn installed(status: &str, installed: impl Fn(&str) -> Option<[u8; 11]>) -> Rows<u32, Package> {
    let mut found: Vec<(&str, String, Option<[u8; 11]>)> = Vec::new();
    for paragraph in status.split("\n\n") {
        let field = |key: &str| {
            let value =
                paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.map(str::trim)
        };
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else { continue };
        if !field("Status").is_some_and(|status| status.ends_with(" installed")) {
            continue;
        }
        let architecture = field("Architecture").unwrap_or("all");
        let date = installed(&format!("{name}:{architecture}"));
        found.push((name, format!("{name}_{version}_{architecture}"), date));
    }
    found.sort();
    let rows = (1..).zip(found);
    rows.map(|(index, (_, name, installed))| (index, Package { index, name, installed })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Package: zlib\nStatus: install ok installed\nArchitecture: amd64\n\
        Version: 1:1.2\nDescription: x\n Package: not\n\n\
        Package: adduser-doc\nStatus: install ok installed\nArchitecture: all\nVersion: 3.1\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 2\n\n\
        Package: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 3.1\n";

    #[test]
    fn packages_are_numbered_by_name_and_those_that_are_gone_are_not_there() {
        let date = [1; 11];
        let rows = installed(STATUS, |name| (name == "zlib:amd64").then_some(date));
        let rows: Vec<_> =
            rows.iter().map(|(at, row)| (at, row.name.as_str(), row.installed)).collect();
        let expected = [
            (1, "adduser_3.1_all", None),
            (2, "adduser-doc_3.1_all", None),
            (3, "zlib_1:1.2_amd64", Some(date)),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_was_before_the_start_was_at_the_start() {
        assert_eq!(before(700, Duration::from_secs(3)), TimeTicks(400));
        assert_eq!(before(700, Duration::from_secs(300)), TimeTicks(0));
    }

    #[test]
    fn the_table_is_made_again_when_the_file_has_changed_and_only_then() {
        let folder = std::env::temp_dir().join(format!("dpkg-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("info")).unwrap();
        let status = folder.join("status");
        std::fs::write(&status, STATUS).unwrap();
        std::fs::write(folder.join("info/adduser.list"), "").unwrap();
        let second = Duration::from_secs;
        let first = Software::below(&folder, None, second(1));
        let same = Software::below(&folder, Some(&first), second(2));
        assert!(Arc::ptr_eq(&first.packages, &same.packages));
        assert_eq!((first.packages.len(), same.made), (3, second(1)));
        assert!(first.packages.get(&1).unwrap().installed.is_some());
        let later = SystemTime::now() + second(10);
        std::fs::write(&status, "").unwrap();
        std::fs::File::options().append(true).open(&status).unwrap().set_modified(later).unwrap();
        let changed = Software::below(&folder, Some(&same), second(3));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((changed.packages.len(), changed.made), (0, second(3)));
        assert_eq!(Software::below(&folder, None, second(4)).changed, None);
    }
}
