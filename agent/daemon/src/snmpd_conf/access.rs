//! Who may do what: `view`, `group`, `access` and the directives that stand for several of them.
//!
//! It builds the tables that snmpd builds, under the same names, so that a view means here what it means
//! there. Where snmpd has two rows of one index it uses the first; the tables here never have two.
//!
//! Invariant: a line that is refused lets nobody in.

use super::communities::Communities;
use super::fields::{Place, What, access_head, index, level_number, mask, model_number, short};
use super::names;
use super::sources::Family;
use super::verdict::{Told, Verdict, ignored, refused};
use super::words::Words;
use roles::settings::{AccessEntry, GroupMember, VacmSettings, ViewFamily};
use roles::varbind::{SecurityLevel, security_model};

/// The snmpCommunityTable, which snmpd does not have. Communities that came by SET can be read there, so nobody
/// has it who did not name it, or a view of his own: they are passwords.
const COMMUNITIES: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 1];

/// What is said where that makes a difference to a line.
const WITHOUT_COMMUNITIES: &str = "without the snmpCommunityTable, whose communities are passwords";

/// The tables while they are being built.
pub(super) struct Access {
    tables: VacmSettings,
    /// How many directives have made names of their own: those names are numbered.
    generated: usize,
}

/// Which of an access entry's views are meant.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Types {
    read: bool,
    write: bool,
    notify: bool,
    /// Those of snmptrapd, which make an entry without a view of ours.
    other: bool,
}

impl Types {
    pub(super) const READ: Types = Types { read: true, write: false, notify: false, other: false };
    pub(super) const WRITE: Types = Types { write: true, ..Types::READ };

    fn read(text: &str) -> Result<Self, Verdict> {
        let mut types = Types::default();
        for part in text.split([',', '|', ':']).filter(|part| !part.is_empty()) {
            match part {
                "read" => types.read = true,
                "write" => types.write = true,
                "notify" => types.notify = true,
                "log" | "execute" | "net" => types.other = true,
                _ => {
                    return refused(
                        "a type is none of read, write, notify, log, execute, net: write one of them",
                    );
                }
            }
        }
        Ok(types)
    }
}

/// Who is meant by a directive that makes a group, a view and an access entry.
pub(super) enum Who {
    /// A user, as a group of his own.
    User,
    /// A group that other lines fill.
    Group,
    /// A community from sources of these families.
    Community(&'static [Family]),
}

/// The views that are always there.
impl Default for Access {
    fn default() -> Self {
        let mut tables = VacmSettings::default();
        for (view, included) in [("_all_", true), ("_none_", false)] {
            for arc in 0..3 {
                let (view, subtree) = (view.into(), vec![arc]);
                tables.views.push(ViewFamily { view, subtree, mask: Vec::new(), included });
            }
        }
        let (view, subtree) = (b"_all_".to_vec(), COMMUNITIES.to_vec());
        tables.views.push(ViewFamily { view, subtree, mask: Vec::new(), included: false });
        Access { tables, generated: 0 }
    }
}

impl Access {
    /// `view NAME TYPE SUBTREE [MASK]`
    pub(super) fn view(&mut self, words: &mut Words<'_>) -> Told {
        let (Some(name), Some(kind), Some(subtree)) = (words.token(), words.token(), words.token())
        else {
            return refused(
                "a view has a name, `included` or `excluded`, and a subtree: give all three",
            );
        };
        let included = match kind {
            "included" => true,
            "excluded" => false,
            _ => {
                return refused("the type is neither `included` nor `excluded`: write one of them");
            }
        };
        let subtree = names::oid(subtree).map_err(Verdict::Refused)?;
        let mask = mask(words.rest().unwrap_or(""))?;
        self.add_view(name, subtree, mask, included)
    }

    fn add_view(&mut self, name: &str, subtree: Vec<u32>, mask: Vec<u8>, included: bool) -> Told {
        let view = short(name, "the view")?;
        if self.tables.views.iter().any(|known| known.view == view && known.subtree == subtree) {
            return ignored(
                "an earlier line says what this subtree is to this view, and snmpd goes by the first",
            );
        }
        self.tables.views.push(ViewFamily { view, subtree, mask, included });
        Ok(String::new())
    }

    /// `group GROUP MODEL SECURITY`
    pub(super) fn group(&mut self, words: &mut Words<'_>) -> Told {
        let (Some(group), Some(model), Some(name)) = (words.word(), words.word(), words.word())
        else {
            return refused(
                "a group has a name, a security model and a security name: give all three",
            );
        };
        let model = model_number(&model)?;
        self.add_member(&group, model, &name)?;
        Ok(match model {
            security_model::ANY => "`any` is meant for `access`; snmpd warns and takes it".into(),
            _ => String::new(),
        })
    }

    fn add_member(&mut self, group: &str, model: u32, name: &str) -> Told {
        let (group, security_name) =
            (short(group, "the group")?, short(name, "the security name")?);
        let member = GroupMember { security_model: model, security_name, group };
        let same = |known: &&GroupMember| {
            known.security_name == member.security_name && known.security_model == model
        };
        if self.tables.members.iter().find(same).is_some_and(|known| known.group != member.group) {
            return ignored(
                "an earlier line puts the same principal in another group, and snmpd goes by the first",
            );
        }
        self.tables.members.push(member);
        Ok(String::new())
    }

    /// `access GROUP CONTEXT MODEL LEVEL PREFIX READ WRITE NOTIFY`
    pub(super) fn access(&mut self, words: &mut Words<'_>) -> Told {
        let (mut entry, note) = access_head(words)?;
        let (Some(read), Some(write), Some(notify)) = (words.token(), words.token(), words.token())
        else {
            return refused(
                "the views for reading, writing and notifications are missing: give all three, `none` for none",
            );
        };
        entry.read_view = short(read, "the view")?;
        entry.write_view = short(write, "the view")?;
        entry.notify_view = short(notify, "the view")?;
        self.add_access(entry)?;
        Ok(note)
    }

    fn add_access(&mut self, entry: AccessEntry) -> Told {
        if self.tables.access.iter().any(|known| index(known) == index(&entry)) {
            return ignored(
                "an earlier line has the same group, context, model and level, and snmpd goes by the first",
            );
        }
        self.tables.access.push(entry);
        Ok(String::new())
    }

    /// `setaccess GROUP CONTEXT MODEL LEVEL PREFIX TYPE VIEW`
    pub(super) fn setaccess(&mut self, words: &mut Words<'_>) -> Told {
        let (entry, note) = access_head(words)?;
        let (Some(kind), Some(view)) = (words.token(), words.token()) else {
            return refused("the type and the view are missing: give both");
        };
        let (types, view) = (Types::read(kind)?, short(view, "the view")?);
        self.set_views(entry, types, &view);
        Ok(note)
    }

    /// `authaccess TYPES [-s MODEL] GROUP VIEW [LEVEL [CONTEXT]]`
    pub(super) fn authaccess(&mut self, words: &mut Words<'_>) -> Told {
        let types = Types::read(&words.word().unwrap_or_default())?;
        // snmpd looks for `-s` behind the group, whatever its manual says.
        let group = words.token();
        let mut view = words.token();
        let mut model = security_model::ANY;
        if view.is_some_and(|word| word.eq_ignore_ascii_case("-s")) {
            model = model_number(words.token().unwrap_or_default())?;
            view = words.token();
        }
        let (Some(group), Some(view)) = (group, view) else {
            return refused("the group and the view are missing: give both");
        };
        let security_level = match words.token() {
            Some(level) => level_number(level)?,
            None if [security_model::SNMPV1, security_model::SNMPV2C].contains(&model) => {
                SecurityLevel::NoAuthNoPriv as u32
            }
            None => SecurityLevel::AuthNoPriv as u32,
        };
        let (context, exact) = match words.token() {
            Some(context) => match context.strip_suffix('*') {
                Some(start) => (start, false),
                None => (context, true),
            },
            None => ("", true),
        };
        let entry = AccessEntry {
            group: short(group, "the group")?,
            context: short(context, "the context")?,
            exact,
            security_model: model,
            security_level,
            read_view: Vec::new(),
            write_view: Vec::new(),
            notify_view: Vec::new(),
        };
        let view = short(view, "the view")?;
        self.set_views(entry, types, &view);
        Ok(String::new())
    }

    /// Sets views of the entry that a request of this kind would meet, or of a new one.
    fn set_views(&mut self, entry: AccessEntry, types: Types, view: &[u8]) {
        let met =
            self.met(&entry.group, &entry.context, entry.security_model, entry.security_level);
        let at = met.unwrap_or_else(|| {
            self.tables.access.push(entry.clone());
            self.tables.access.len() - 1
        });
        let Some(met) = self.tables.access.get_mut(at) else { return };
        met.exact = entry.exact;
        for (is_meant, place) in [
            (types.read, &mut met.read_view),
            (types.write, &mut met.write_view),
            (types.notify, &mut met.notify_view),
        ] {
            if is_meant {
                *place = view.to_vec();
            }
        }
    }

    /// The entry that a request meets (RFC 3415 §4, vacmAccessTable).
    fn met(&self, group: &[u8], context: &[u8], model: u32, level: u32) -> Option<usize> {
        let is_met = |entry: &&AccessEntry| {
            let fits = match entry.exact {
                true => entry.context == context,
                false => context.starts_with(&entry.context),
            };
            entry.group == group
                && fits
                && [security_model::ANY, model].contains(&entry.security_model)
                && entry.security_level <= level
        };
        let entries = self.tables.access.iter().enumerate();
        let met = entries.filter(|(_, entry)| is_met(entry)).max_by_key(|(at, entry)| {
            let own = entry.security_model != security_model::ANY;
            // Of two that are alike the first.
            (own, entry.context.len(), entry.security_level, usize::MAX - at)
        });
        Some(met?.0)
    }

    /// `rouser`, `rocommunity` and their kin: a group, a view and an access entry in one line.
    pub(super) fn simple(
        &mut self,
        words: &mut Words<'_>,
        who: &Who,
        types: Types,
        communities: &mut Communities,
    ) -> Told {
        let mut name = words.word().unwrap_or_default();
        let mut model = None;
        let option = if matches!(who, Who::Community(_)) { "-v" } else { "-s" };
        if name == option {
            model = Some(words.word().unwrap_or_default());
            name = words.word().unwrap_or_default();
        }
        if name.is_empty() {
            return refused("a name is missing: give one");
        }
        let (source, level) = match who {
            Who::Community(_) => (words.word().unwrap_or_else(|| "default".into()), None),
            _ => (String::new(), words.word()),
        };
        let security_level = level.map_or(
            Ok(match who {
                Who::Community(_) => SecurityLevel::NoAuthNoPriv as u32,
                _ => SecurityLevel::AuthNoPriv as u32,
            }),
            |level| level_number(&level),
        )?;
        let (model, members) = match (who, model.as_deref()) {
            (Who::Community(_), None) => {
                (security_model::ANY, vec![security_model::SNMPV1, security_model::SNMPV2C])
            }
            (Who::Community(_), Some(version)) => {
                let model = match version.trim_start_matches(['v', 'V']) {
                    "1" => security_model::SNMPV1,
                    "2c" | "2C" => security_model::SNMPV2C,
                    _ => return refused("the version is neither 1 nor 2c: write one of them"),
                };
                (model, vec![model])
            }
            (_, model) => {
                let model = model_number(model.unwrap_or("usm"))?;
                (model, vec![model])
            }
        };
        let place = Place::read(words)?;
        // Everything is checked; from here on it is done, or nothing is.
        self.generated += 1;
        let number = self.generated;
        let (security_name, view) = match who {
            Who::Community(_) => (format!("comm{number}"), format!("viewComm{number}")),
            _ => (name.clone(), format!("viewUSM{number}")),
        };
        let group = match who {
            Who::Group => name.clone(),
            _ => {
                // As snmpd makes it: letters and digits, and no more than 28 of the name.
                let start: String = security_name.bytes().take(28).map(char::from).collect();
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                format!("grp{}", start.chars().map(plain).collect::<String>())
            }
        };
        let view_name = match &place.what {
            What::View(view) => short(view, "the view")?,
            What::Subtree(_) => view.clone().into_bytes(),
        };
        let entry = AccessEntry {
            group: short(&group, "the group")?,
            context: place.context.clone(),
            exact: place.exact,
            security_model: model,
            security_level,
            read_view: view_name.clone(),
            write_view: if types.write { view_name.clone() } else { b"none".to_vec() },
            notify_view: if types.write { view_name.clone() } else { b"none".to_vec() },
        };
        let mut note = String::new();
        if let Who::Community(families) = who {
            note =
                communities.add_from(families, &security_name, &source, &name, &place.context)?;
        }
        if !matches!(who, Who::Group) {
            for &member in &members {
                self.add_member(&group, member, &security_name)?;
            }
        }
        let has_communities = match place.what {
            What::View(view) => view == "_all_",
            What::Subtree(subtree) => {
                let is_around = subtree.len() < COMMUNITIES.len()
                    && COMMUNITIES.starts_with(&subtree)
                    && security_level == SecurityLevel::NoAuthNoPriv as u32;
                self.add_view(&view, subtree, Vec::new(), true)?;
                if is_around {
                    self.add_view(&view, COMMUNITIES.to_vec(), Vec::new(), false)?;
                }
                is_around
            }
        };
        if has_communities {
            let gap = if note.is_empty() { "" } else { "; " };
            note = format!("{note}{gap}{WITHOUT_COMMUNITIES}");
        }
        if types == Types::READ || types == Types::WRITE {
            self.add_access(entry)?;
        } else {
            let empty = AccessEntry {
                read_view: Vec::new(),
                write_view: Vec::new(),
                notify_view: Vec::new(),
                ..entry
            };
            self.set_views(empty, types, &view_name);
        }
        Ok(note)
    }

    /// `authuser TYPES …` and its kin.
    pub(super) fn typed(
        &mut self,
        words: &mut Words<'_>,
        who: &Who,
        communities: &mut Communities,
    ) -> Told {
        let types = Types::read(&words.word().unwrap_or_default())?;
        self.simple(words, who, types, communities)
    }

    /// Lets a principal be told of everything; he may ask for no more than before.
    pub(super) fn may_be_told(&mut self, model: u32, security_name: &str, level: u32) {
        let member = self.tables.members.iter().find(|member| {
            [security_model::ANY, model].contains(&member.security_model)
                && member.security_name == security_name.as_bytes()
        });
        let group = match member {
            Some(member) => member.group.clone(),
            None => {
                let group = format!("told{}", self.tables.members.len()).into_bytes();
                self.tables.members.push(GroupMember {
                    security_model: model,
                    security_name: security_name.into(),
                    group: group.clone(),
                });
                group
            }
        };
        let at = self.met(&group, b"", model, level).unwrap_or_else(|| {
            self.tables.access.push(AccessEntry {
                group,
                context: Vec::new(),
                exact: true,
                security_model: model,
                security_level: level,
                read_view: Vec::new(),
                write_view: Vec::new(),
                notify_view: Vec::new(),
            });
            self.tables.access.len() - 1
        });
        if let Some(entry) = self.tables.access.get_mut(at) {
            entry.notify_view = b"_all_".to_vec();
        }
    }

    /// Lets nobody in by a model any more.
    pub(super) fn close(&mut self, model: u32) {
        self.spread();
        self.tables.members.retain(|member| member.security_model != model);
    }

    /// Replaces `any` in groups by each model: RFC 3415 knows it in access entries only. A group for any
    /// model comes before one for a single model, because snmpd looks in the order of their numbers.
    fn spread(&mut self) {
        let (any, own): (Vec<_>, Vec<_>) = std::mem::take(&mut self.tables.members)
            .into_iter()
            .partition(|member| member.security_model == security_model::ANY);
        let models = [security_model::SNMPV1, security_model::SNMPV2C, security_model::USM];
        let spread = any.into_iter().flat_map(|member| {
            models.map(|security_model| GroupMember { security_model, ..member.clone() })
        });
        for member in spread.chain(own) {
            let same = |known: &GroupMember| {
                known.security_model == member.security_model
                    && known.security_name == member.security_name
            };
            if !self.tables.members.iter().any(same) {
                self.tables.members.push(member);
            }
        }
    }

    /// The tables as the module takes them.
    pub(super) fn finish(mut self) -> VacmSettings {
        self.spread();
        self.tables
    }
}
