//! One component in a running swap: what comes, what goes, and how its state moves.

use crate::manager::{Inner, Preflight, lock};
use crate::request::{Versions, unmet};
use crate::rows::{Table, tables_of};
use s_loader::{LoadedModule, SealError, Sealed};
use s_package::admit::{Admitted, Conditions, Override, Refusal, admit_placed};
use s_package::manifest::{Manifest, StateVersions};
use s_package::text::Digest;
use s_preflight::StateCopy;
use s_proxy::{Body, Component, Generation};
use s_sdk::Buf;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::module::Part;
use s_sdk::state::SchemaOwned;
use s_sdk::value::Value;
use s_state::resident::RowShape;
use s_state::schema::{Mapping, can_map};
use std::sync::{Arc, Mutex, TryLockError};

/// Proves a package, and seals its code.
pub(crate) fn prove(
    inner: &Inner,
    bytes: &Arc<[u8]>,
    allow_downgrade: bool,
) -> Result<(Admitted, Option<Sealed>), String> {
    let trust = lock(&inner.trust).clone();
    let conditions = Conditions {
        trust: &trust,
        now: inner.today(),
        target: &inner.target,
        recorded_epochs: &inner.epochs(),
        operator: allow_downgrade.then_some(Override::LocalDowngrade),
        limits: inner.limits,
    };
    let mut sealed = None;
    let admitted = admit_placed(Arc::clone(bytes), &conditions, |manifest, code| {
        // Hashed in here, where nobody can change it any more: that hash is the one admitted.
        let digest =
            sealed.insert(Sealed::new(manifest.module.name.as_str(), code, None)?).digest();
        Ok::<_, NotAdmitted>(Digest(digest.0))
    });
    Ok((admitted.map_err(|why| why.to_string())?, sealed))
}

/// Where a successor comes from.
pub(crate) enum Source {
    Package { bytes: Arc<[u8]>, claims: Box<Manifest> },
    Linked(&'static ModuleDescriptor),
    Nothing,
}

impl Source {
    /// The version that would serve.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Source::Package { claims, .. } => Some(claims.module.version.to_string()),
            Source::Linked(descriptor) => Some(descriptor.version.as_str().to_owned()),
            Source::Nothing => None,
        }
    }

    /// The components that it calls, with the ranges it accepts.
    pub(crate) fn dependencies(&self) -> Vec<(String, String)> {
        match self {
            Source::Package { claims, .. } => {
                let each = claims.module.dependencies.iter();
                each.map(|d| (d.component.as_str().to_owned(), d.range.to_string())).collect()
            }
            Source::Linked(descriptor) => dependencies_of(descriptor),
            Source::Nothing => Vec::new(),
        }
    }

    /// The resident tables that it works on; `None` where nothing is to serve.
    pub(crate) fn tables(&self) -> Option<Vec<Table>> {
        match self {
            Source::Package { claims, .. } => {
                let each = claims.module.resident_tables.iter();
                Some(each.map(|t| (t.name.as_str().to_owned(), RowShape(t.row_hash.0))).collect())
            }
            Source::Linked(descriptor) => Some(tables_of(descriptor)),
            Source::Nothing => None,
        }
    }
}

pub(crate) fn dependencies_of(descriptor: &ModuleDescriptor) -> Vec<(String, String)> {
    let each = descriptor.dependencies.get().iter();
    each.map(|d| (d.component.as_str().to_owned(), d.range.as_str().to_owned())).collect()
}

/// The state schema of a module; `None` when it carries nothing.
pub(crate) fn schema_of(
    descriptor: &'static ModuleDescriptor,
) -> Result<Option<SchemaOwned>, String> {
    let octets = s_sdk::hosting::schema_of(descriptor).map_err(|error| error.to_string())?;
    if octets.is_empty() {
        return Ok(None);
    }
    let value = Value::decode(&octets).map_err(|error| error.to_string())?;
    SchemaOwned::from_value(value).map(Some).map_err(|error| error.to_string())
}

/// A copy of the real state for a rehearsal, as the newest version that both sides claim to know.
pub(crate) fn copy_of_state(
    predecessor: &Body,
    claims: &StateVersions,
) -> Result<Option<StateCopy>, String> {
    let Some(schema) = schema_of(predecessor.code().descriptor())? else { return Ok(None) };
    if schema.kind != claims.kind.as_str() {
        return Err(format!(
            "the predecessor carries `{}` and the successor `{}`: kinds have no mapping",
            schema.kind, claims.kind
        ));
    }
    let known = |version: &u32| *version == claims.version || claims.imports.contains(version);
    let version = s_state::schema::versions(&schema).into_iter().filter(known).max();
    let version = version.ok_or_else(|| {
        format!(
            "no version of `{}` is known to both sides: the predecessor has {:?}, the successor {} and {:?}",
            schema.kind,
            s_state::schema::versions(&schema),
            claims.version,
            claims.imports
        )
    })?;
    let octets = predecessor
        .instance()
        .export_state(version)
        .map_err(|why| format!("export of the predecessor: {why}"))?;
    Ok(Some(StateCopy { version, octets: octets.to_vec() }))
}

/// Whether the modules that stay can go on with what `component` would be. Those that change along with
/// it are asked for the dependencies of their successors instead.
pub(crate) fn dependents_content(
    inner: &Inner,
    component: &str,
    after: &Versions,
    changing: &[String],
) -> Result<(), String> {
    for other in inner.runtime.components() {
        let current = other.current();
        let Some(body) =
            current.body().filter(|_| !changing.iter().any(|name| name == other.name()))
        else {
            continue;
        };
        let on_this =
            dependencies_of(body.code().descriptor()).into_iter().filter(|(c, _)| c == component);
        if let Some(problem) = unmet(other.name(), on_this, after) {
            return Err(problem);
        }
    }
    Ok(())
}

/// Whoever served before a swap. It stands apart from its member, whose lock is held while a module's code
/// runs: it must come back even when its successor hangs.
pub(crate) struct Predecessor {
    component: &'static Component,
    body: Mutex<Option<Arc<Body>>>,
    /// The binding that the swap replaced.
    generation: Mutex<Option<Arc<Generation>>>,
    /// It is between `hold` and `restart`. Locked while it is in either.
    held: Mutex<bool>,
}

impl Predecessor {
    fn new(component: &'static Component) -> Arc<Self> {
        let body = Mutex::new(component.current().body().cloned());
        let (generation, held) = (Mutex::default(), Mutex::default());
        Arc::new(Predecessor { component, body, generation, held })
    }

    pub(crate) const fn component(&self) -> &'static Component {
        self.component
    }

    pub(crate) fn body(&self) -> Option<Arc<Body>> {
        lock(&self.body).clone()
    }

    /// The binding that served before the flip.
    pub(crate) fn was(&self, generation: Arc<Generation>) {
        *lock(&self.generation) = Some(generation);
    }

    /// The binding that served before the flip, once that has happened.
    pub(crate) fn generation(&self) -> Option<Arc<Generation>> {
        lock(&self.generation).clone()
    }

    /// It rests, or is about to.
    pub(crate) fn is_held(&self) -> bool {
        match self.held.try_lock() {
            Ok(held) => *held,
            Err(TryLockError::Poisoned(held)) => **held.get_ref(),
            Err(TryLockError::WouldBlock) => true,
        }
    }

    /// It rests from here on, unless that is given up on meanwhile: then it serves.
    pub(crate) fn hold_while(&self, awaited: impl Fn() -> bool) -> Result<(), String> {
        // Kept here: whatever the swap lets go of meanwhile, who was put to rest is woken again.
        let Some(body) = self.body() else { return Ok(()) };
        let mut held = lock(&self.held);
        if !awaited() {
            return Err("too late".into());
        }
        if std::mem::replace(&mut *held, true) {
            return Ok(());
        }
        let rests = body.instance().hold().map_err(|why| format!("hold: {why}"));
        if awaited() {
            return rests;
        }
        *held = false;
        body.instance().restart().map_err(|why| format!("restart: {why}"))?;
        Err("too late".into())
    }

    /// It serves again.
    pub(crate) fn wake(&self) -> Result<(), String> {
        let Some(body) = self.body() else { return Ok(()) };
        let mut held = lock(&self.held);
        if !std::mem::replace(&mut *held, false) {
            return Ok(());
        }
        body.instance().restart().map_err(|why| format!("restart: {why}"))
    }

    /// It will not be called again, and nothing of this swap holds it any more.
    fn end(&self) -> Result<(), String> {
        let held = self.hold_while(|| true);
        let Some(body) = self.forget() else { return held };
        body.instance().term().map_err(|why| format!("term: {why}")).and(held)
    }

    /// Nothing of this swap holds it any more.
    pub(crate) fn forget(&self) -> Option<Arc<Body>> {
        *lock(&self.generation) = None;
        lock(&self.body).take()
    }
}

/// Why a package's code does not lie sealed and admitted.
#[derive(Debug, thiserror::Error)]
enum NotAdmitted {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    NotSealed(#[from] SealError),
}

/// The module that a member brings, from when it is mapped until it serves for good or is let go of. It stands
/// apart from its member as the predecessor does, for whoever asks what serves.
pub(crate) type Slot = Arc<Mutex<Option<Arc<LoadedModule>>>>;

/// One component in a running swap.
pub(crate) struct Member {
    pub(crate) component: &'static Component,
    pub(crate) source: Source,
    pub(crate) allow_downgrade: bool,
    pub(crate) predecessor: Arc<Predecessor>,
    pub(crate) admitted: Option<Admitted>,
    pub(crate) sealed: Option<Sealed>,
    pub(crate) module: Slot,
    pub(crate) successor: Option<Arc<Body>>,
    mapping: Option<Mapping>,
    /// The predecessor's state of the commit, kept for a rollback that cannot map back.
    state_at_commit: Option<Buf>,
}

impl Member {
    pub(crate) fn new(
        component: &'static Component,
        source: Source,
        allow_downgrade: bool,
    ) -> Self {
        Member {
            component,
            source,
            allow_downgrade,
            predecessor: Predecessor::new(component),
            admitted: None,
            sealed: None,
            module: Slot::default(),
            successor: None,
            mapping: None,
            state_at_commit: None,
        }
    }

    /// Whether its gate must be closed: state moves, two generations may not run at once, or an S-critical
    /// section could begin as the generations move.
    pub(crate) fn is_gated(&self) -> bool {
        use s_sdk::abi::flags::{ACTIVE, CARRIES_STATE};
        let exclusive = |d: &ModuleDescriptor| {
            d.flags & (ACTIVE | CARRIES_STATE) != 0 || !d.resident.get().is_empty()
        };
        let comes = match &self.source {
            Source::Package { claims, .. } => {
                claims.module.state.is_some() || !claims.module.resident_tables.is_empty()
            }
            Source::Linked(descriptor) => exclusive(descriptor),
            Source::Nothing => false,
        };
        let goes = |body: Arc<Body>| body.was_critical() || exclusive(body.code().descriptor());
        comes || self.predecessor.body().is_some_and(goes)
    }

    // ===== verify =====

    /// Proves the package, and that every dependency holds in the set that would serve.
    /// `changing` are the components of this swap.
    pub(crate) fn verify(
        &mut self,
        inner: &Inner,
        after: &Versions,
        changing: &[String],
    ) -> Result<(), String> {
        if let Source::Package { bytes, claims } = &self.source {
            let (admitted, sealed) = prove(inner, bytes, self.allow_downgrade)?;
            if admitted.manifest() != &**claims {
                return Err("the package says two things about itself".into());
            }
            (self.admitted, self.sealed) = (Some(admitted), sealed);
        }
        let name = self.component.name();
        if let Some(problem) = unmet(name, self.source.dependencies(), after) {
            return Err(problem);
        }
        // And whoever depends on this component and stays must still be content.
        dependents_content(inner, name, after, changing)
    }

    // ===== load =====

    /// Keeps the package, and reads the code without running it.
    pub(crate) fn load(&mut self, inner: &Inner) -> Result<(), String> {
        let Some(admitted) = &self.admitted else { return self.load_live(inner) };
        inner.loader.admit().map_err(|error| error.to_string())?;
        inner.keep_package(admitted)?;
        s_loader::inspect(admitted.code()).map_err(|error| error.to_string())?;
        match inner.preflight {
            Preflight::Off => self.load_live(inner),
            Preflight::On(_) => Ok(()),
        }
    }

    /// Maps the module into this process, creates its instance, and checks what only it can tell.
    pub(crate) fn load_live(&mut self, inner: &Inner) -> Result<(), String> {
        let module = match (&self.source, self.sealed.take()) {
            (Source::Package { claims, .. }, Some(sealed)) => {
                let module = inner.loader.load(sealed).map_err(|error| error.to_string())?;
                let facts = &claims.module;
                let says = (module.component(), module.version(), module.name());
                if says != (facts.component.as_str(), &facts.version, facts.name.as_str()) {
                    let said = format!("{} {} ({})", says.0, says.1, says.2);
                    inner.let_go(module);
                    return Err(format!(
                        "the manifest is of {} {} and the code is {said}",
                        facts.component, facts.version
                    ));
                }
                module
            }
            (Source::Linked(descriptor), _) => {
                LoadedModule::linked(descriptor).map_err(|error| error.to_string())?
            }
            (Source::Package { .. }, None) => return Err("the code was not sealed".into()),
            (Source::Nothing, _) => return Ok(()),
        };
        let checked = self.check(inner, &module).and_then(|mapping| {
            inner.give_task(self.component, &module)?;
            let code = inner.code(&module);
            let body = inner
                .control
                .create(self.component, code)
                .map_err(|error| format!("init: {error}"))?;
            Ok((mapping, body))
        });
        match checked {
            Ok((mapping, body)) => {
                self.mapping = mapping;
                self.successor = Some(body);
                *lock(&self.module) = Some(module);
                Ok(())
            }
            Err(why) => {
                inner.let_go(module);
                Err(why)
            }
        }
    }

    /// State mapping and resident tables, before anything is quiesced.
    fn check(&self, inner: &Inner, module: &Arc<LoadedModule>) -> Result<Option<Mapping>, String> {
        self.check_rows(inner, module.descriptor())?;
        let Some(predecessor) = self.predecessor.body() else { return Ok(None) };
        let old = schema_of(predecessor.code().descriptor())?;
        let new = schema_of(inner.code(module).descriptor())?;
        let mapping = can_map(
            old.as_ref().unwrap_or(&SchemaOwned::NOTHING),
            new.as_ref().unwrap_or(&SchemaOwned::NOTHING),
        );
        mapping.map(Some).map_err(|problems| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })
    }

    /// Whether rows lie where the successor would put those of another shape.
    fn check_rows(&self, inner: &Inner, descriptor: &ModuleDescriptor) -> Result<(), String> {
        tables_of(descriptor).iter().try_for_each(|(table, shape)| {
            let checked = inner.tables.check(self.component.name(), table, *shape);
            checked.map_err(|error| error.to_string())
        })
    }

    // ===== preflight =====

    /// Rehearses the successor in a child, then loads it here.
    pub(crate) fn preflight(&mut self, inner: &Inner) -> Result<(), String> {
        if self.successor.is_some() {
            return Ok(());
        }
        if let (Preflight::On(rehearsal), Some(sealed), Some(admitted)) =
            (&inner.preflight, &self.sealed, &self.admitted)
        {
            let predecessor = self.predecessor.body();
            let report = crate::execution::rehearse(
                inner,
                rehearsal,
                sealed,
                admitted,
                predecessor.as_deref(),
            )?;
            report.warnings.iter().for_each(|warning| inner.warn(self.component.name(), warning));
        }
        self.load_live(inner)
    }

    // ===== prepare =====

    /// Asks whoever comes and whoever goes for a vote.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        let predecessor = self.predecessor.body();
        let goes = predecessor.as_ref().map_or("", |body| body.version());
        let comes = self.successor.as_ref().map_or("", |body| body.version());
        if let Some(successor) = &self.successor {
            successor
                .instance()
                .prepare(Part::Comes { after: goes })
                .map_err(|why| format!("{comes}: {why}"))?;
        }
        if let Some(predecessor) = &predecessor {
            predecessor
                .instance()
                .prepare(Part::Goes { before: comes })
                .map_err(|why| format!("{goes}: {why}"))?;
        }
        Ok(())
    }

    // ===== map_state =====

    fn version_between(&self) -> Option<u32> {
        self.mapping.as_ref()?.version
    }

    /// The predecessor's state becomes the successor's. The predecessor keeps its own, and its rows: it has
    /// written its last by now, so a successor with rows of another shape learns here whether there are any.
    pub(crate) fn map_state(&self, inner: &Inner) -> Result<Option<Buf>, String> {
        if let Some(successor) = &self.successor {
            self.check_rows(inner, successor.code().descriptor())?;
        }
        let (Some(version), Some(predecessor), Some(successor)) =
            (self.version_between(), self.predecessor.body(), &self.successor)
        else {
            return Ok(None);
        };
        let state =
            predecessor.instance().export_state(version).map_err(|why| format!("export: {why}"))?;
        successor
            .instance()
            .import_state(version, &state)
            .map_err(|why| format!("import: {why}"))?;
        Ok(Some(state))
    }

    pub(crate) fn keep_state(&mut self, state: Option<Buf>) {
        self.state_at_commit = state;
    }

    /// The successor's state becomes the predecessor's again. When it does not map, the predecessor gets
    /// back the state of the commit, and the answer is the reason.
    ///
    /// `is_awaited` is asked before the predecessor is touched: it may serve again by then.
    pub(crate) fn map_state_back(&self, is_awaited: impl Fn() -> bool) -> Result<(), String> {
        let (Some(version), Some(predecessor), Some(successor)) =
            (self.version_between(), self.predecessor.body(), &self.successor)
        else {
            return Ok(());
        };
        let state =
            successor.instance().export_state(version).map_err(|why| format!("export: {why}"))?;
        if !is_awaited() {
            return Err("too late".into());
        }
        predecessor.instance().import_state(version, &state).map_err(|why| {
            if let Some(state) = self.state_at_commit.as_ref().filter(|_| is_awaited()) {
                // What it exported itself it can import; if not, it goes on with what it has.
                let _ = predecessor.instance().import_state(version, state);
            }
            format!("import: {why}")
        })
    }

    // ===== the ends =====

    /// Everything of the predecessor that this swap holds.
    pub(crate) fn drop_predecessor(&mut self) -> Result<(), String> {
        self.state_at_commit = None;
        self.predecessor.end()
    }

    /// Everything of the successor that this swap holds.
    pub(crate) fn drop_successor(&mut self, inner: &Inner) -> Result<(), String> {
        self.state_at_commit = None;
        self.sealed = None;
        let ended = match self.successor.take() {
            Some(successor) => successor.instance().term().map_err(|why| format!("term: {why}")),
            None => Ok(()),
        };
        let module = lock(&self.module).take();
        module.into_iter().for_each(|module| inner.let_go(module));
        ended
    }
}
