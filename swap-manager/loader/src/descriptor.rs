//! What a module says of itself, checked before anybody relies on it.
//!
//! Only C data crosses, so another compiler than the host's is no error; another ABI version or another
//! target is. Hashes are computed again from the shapes, so that the description and the key by which
//! callers bind cannot drift apart.
//!
//! Never calls a function of the module. Invariant: a [`LoadedModule`] is mapped for as long as it exists.
#![expect(unsafe_code, reason = "reads tables that another compiler laid out")]

use crate::library::Library;
use crate::sealed::Digest;
use crate::unload::{PinReason, Pinned, Waiting, WaitingRoom};
use crate::{Elf, Tally, ledger};
use s_sdk::abi::{
    ABI_VERSION, BehaviorDesc, DependencyDesc, Lifecycle, MethodDesc, MethodEntry,
    ModuleDescriptor, ResidentDesc, TARGET, Text,
};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why a descriptor is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// It is smaller than this host's.
    #[error(
        "the {table} has {found} octets, this host reads {expected}; build the module with this host's SDK"
    )]
    Small {
        /// Which table.
        table: &'static str,
        /// What a host reads.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// Another layout.
    #[error(
        "made for ABI version {found}, this host has {expected}; build the module with this host's SDK"
    )]
    OtherAbi {
        /// This host's.
        expected: u32,
        /// The module's.
        found: u32,
    },
    /// Another target.
    #[error("made for target {found}, this host is {TARGET}; build it for the host's target")]
    OtherTarget {
        /// The module's.
        found: String,
    },
    /// A text that is empty or not UTF-8.
    #[error("its {0} is empty or not UTF-8")]
    BadText(&'static str),
    /// A version that is not `major.minor.patch`.
    #[error("its version `{found}` is not major.minor.patch: {why}")]
    BadVersion {
        /// The text.
        found: String,
        /// The parser's words.
        why: String,
    },
    /// A stated hash that its shapes do not have.
    #[error(
        "method `{method}` states hash {stated:016x}, its signature has {computed:016x}; rebuild the module"
    )]
    OtherHash {
        /// Behavior and method.
        method: String,
        /// What the table says.
        stated: u64,
        /// What the shapes give.
        computed: u64,
    },
    /// A method of a behavior that the module does not claim to implement.
    #[error("method `{0}` belongs to no behavior that the module implements")]
    StrayMethod(String),
    /// The same method or behavior twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// A function that lies outside the module.
    #[error("the {0} lies outside the module")]
    Outside(String),
    /// Bits that this host does not know.
    #[error("it asks for something that this host does not know (flags {0:#x}); update the host")]
    UnknownFlags(u32),
}

const KNOWN_FLAGS: u32 = s_sdk::abi::flags::ACTIVE | s_sdk::abi::flags::CARRIES_STATE;

/// Looks a descriptor over; `library` is where its functions have to lie.
pub(crate) fn check(
    raw: *const ModuleDescriptor,
    library: Option<&Library>,
) -> Result<(&'static ModuleDescriptor, semver::Version), DescriptorError> {
    // SAFETY: the symbol has at least the size of a descriptor and is aligned for one; the first two
    // numbers are where every ABI version has them.
    let (size, abi_version) =
        unsafe { (raw.cast::<u32>().read(), raw.cast::<u32>().add(1).read()) };
    if abi_version != ABI_VERSION {
        return Err(DescriptorError::OtherAbi { expected: ABI_VERSION, found: abi_version });
    }
    large_enough::<ModuleDescriptor>("descriptor", size)?;
    // SAFETY: of this ABI version and large enough; the library stays mapped for as long as the
    // reference is used, which `LoadedModule` sees to.
    let descriptor = unsafe { &*raw };
    text("target", descriptor.target)?;
    if descriptor.target.as_str() != TARGET {
        return Err(DescriptorError::OtherTarget { found: descriptor.target.as_str().to_owned() });
    }
    text("toolchain", descriptor.toolchain)?;
    text("name", descriptor.name)?;
    text("component", descriptor.component)?;
    let version = text("version", descriptor.version)?;
    let version = semver::Version::parse(version).map_err(|error| DescriptorError::BadVersion {
        found: version.to_owned(),
        why: error.to_string(),
    })?;
    if descriptor.flags & !KNOWN_FLAGS != 0 {
        return Err(DescriptorError::UnknownFlags(descriptor.flags));
    }
    for dependency in descriptor.dependencies.get() {
        text("dependency", dependency.component)?;
        text("dependency's range", dependency.range)?;
    }
    for table in descriptor.resident.get() {
        text("resident table", table.name)?;
    }
    check_behaviors(descriptor.behaviors.get())?;
    check_entries(descriptor, library)?;
    large_enough::<Lifecycle>("lifecycle", descriptor.lifecycle.size)?;
    for (name, function) in functions(descriptor.lifecycle) {
        inside(library, function, || format!("lifecycle function `{name}`"))?;
    }
    Ok((descriptor, version))
}

fn large_enough<T>(table: &'static str, size: u32) -> Result<(), DescriptorError> {
    let (expected, found) = (size_of::<T>(), size as usize);
    if found < expected { Err(DescriptorError::Small { table, expected, found }) } else { Ok(()) }
}

fn text(what: &'static str, text: Text<'static>) -> Result<&'static str, DescriptorError> {
    match std::str::from_utf8(text.octets()) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(DescriptorError::BadText(what)),
    }
}

fn inside(
    library: Option<&Library>,
    address: usize,
    what: impl FnOnce() -> String,
) -> Result<(), DescriptorError> {
    match library {
        Some(library) if !library.contains(address) => Err(DescriptorError::Outside(what())),
        _ => Ok(()),
    }
}

fn full_name(behavior: &BehaviorDesc, method: &MethodDesc) -> String {
    format!("{}.{}", behavior.name, method.name)
}

fn check_behaviors(behaviors: &[&'static BehaviorDesc]) -> Result<(), DescriptorError> {
    for (i, behavior) in behaviors.iter().enumerate() {
        large_enough::<BehaviorDesc>("behavior", behavior.size)?;
        text("behavior", behavior.name)?;
        if behaviors[..i].iter().any(|other| other.name.octets() == behavior.name.octets()) {
            return Err(DescriptorError::Twice(behavior.name.as_str().to_owned()));
        }
        let methods = behavior.methods.get();
        for (j, method) in methods.iter().enumerate() {
            text("method", method.name)?;
            let computed = MethodDesc::hash_of(
                method.name.as_str(),
                method.params.get(),
                method.returns,
                method.error,
            );
            if computed != method.hash {
                let method_name = full_name(behavior, method);
                return Err(DescriptorError::OtherHash {
                    method: method_name,
                    stated: method.hash,
                    computed,
                });
            }
            if methods[..j].iter().any(|other| other.name.octets() == method.name.octets()) {
                return Err(DescriptorError::Twice(full_name(behavior, method)));
            }
        }
    }
    Ok(())
}

fn check_entries(
    descriptor: &ModuleDescriptor,
    library: Option<&Library>,
) -> Result<(), DescriptorError> {
    let entries = descriptor.methods.get();
    for (i, entry) in entries.iter().enumerate() {
        let name = || full_name(entry.behavior, entry.desc);
        let known = descriptor
            .behaviors
            .get()
            .iter()
            .any(|behavior| std::ptr::eq(*behavior, entry.behavior));
        if !known
            || !entry.behavior.methods.get().iter().any(|method| method.hash == entry.desc.hash)
        {
            return Err(DescriptorError::StrayMethod(name()));
        }
        let same = |other: &MethodEntry| {
            std::ptr::eq(other.behavior, entry.behavior) && other.desc.hash == entry.desc.hash
        };
        if entries[..i].iter().any(same) {
            return Err(DescriptorError::Twice(name()));
        }
        inside(library, entry.typed as *const () as usize, || {
            format!("typed function of `{}`", name())
        })?;
        inside(library, entry.dynamic as *const () as usize, || {
            format!("dynamic function of `{}`", name())
        })?;
    }
    Ok(())
}

/// The functions of a lifecycle table by name.
fn functions(table: &Lifecycle) -> [(&'static str, usize); 14] {
    macro_rules! list {
        ($($name:ident)*) => {[$((stringify!($name), table.$name as *const () as usize)),*]};
    }
    list!(init prepare hold restart term drop export_state import_state schema does_not_understand self_test
        on_message on_timer on_signal)
}

/// Where a module's code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In sealed memory with this digest.
    Memory {
        /// SHA-256 of the file.
        digest: Digest,
    },
    /// In the host's executable; never unloaded.
    Linked,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Memory { digest } => write!(f, "sha256:{digest}"),
            Origin::Linked => f.write_str("linked"),
        }
    }
}

/// A module that is mapped and whose descriptor was checked.
///
/// Its tables are called static because hosts link some modules statically; of a module in memory they last
/// only as long as this does. Whoever keeps a table, a text or a function of it keeps the [`Arc`], or an
/// [`InstanceGuard`], along with it.
pub struct LoadedModule {
    descriptor: &'static ModuleDescriptor,
    version: semver::Version,
    instances: AtomicUsize,
    library: Option<Library>,
    room: Arc<WaitingRoom>,
}

impl LoadedModule {
    pub(crate) fn loaded(
        descriptor: &'static ModuleDescriptor,
        version: semver::Version,
        library: Library,
        room: Arc<WaitingRoom>,
    ) -> Self {
        LoadedModule {
            descriptor,
            version,
            instances: AtomicUsize::new(0),
            library: Some(library),
            room,
        }
    }

    /// A module that is part of the host's executable.
    pub fn linked(descriptor: &'static ModuleDescriptor) -> Result<Arc<Self>, DescriptorError> {
        let (descriptor, version) = check(descriptor, None)?;
        Ok(Arc::new(LoadedModule {
            descriptor,
            version,
            instances: AtomicUsize::new(0),
            library: None,
            room: Arc::default(),
        }))
    }

    /// The descriptor.
    pub const fn descriptor(&self) -> &'static ModuleDescriptor {
        self.descriptor
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        self.descriptor.name.as_str()
    }

    /// The component it is made for.
    pub fn component(&self) -> &str {
        self.descriptor.component.as_str()
    }

    /// Its version.
    pub const fn version(&self) -> &semver::Version {
        &self.version
    }

    /// What changed, in the author's words.
    pub fn annotation(&self) -> &str {
        self.descriptor.annotation.as_str()
    }

    /// The compiler it was made with.
    pub fn toolchain(&self) -> &str {
        self.descriptor.toolchain.as_str()
    }

    /// The target it was made for.
    pub fn target(&self) -> &str {
        self.descriptor.target.as_str()
    }

    /// The behaviors it implements.
    pub const fn behaviors(&self) -> &'static [&'static BehaviorDesc] {
        self.descriptor.behaviors.get()
    }

    /// The methods it offers.
    pub const fn methods(&self) -> &'static [MethodEntry] {
        self.descriptor.methods.get()
    }

    /// The components it calls.
    pub const fn dependencies(&self) -> &'static [DependencyDesc] {
        self.descriptor.dependencies.get()
    }

    /// The resident tables it uses.
    pub const fn residents(&self) -> &'static [ResidentDesc] {
        self.descriptor.resident.get()
    }

    /// How the host leads its life.
    pub const fn lifecycle(&self) -> &'static Lifecycle {
        self.descriptor.lifecycle
    }

    /// Whether it has a mailbox, timers and signals.
    pub const fn is_active(&self) -> bool {
        self.descriptor.flags & s_sdk::abi::flags::ACTIVE != 0
    }

    /// Whether it exports and imports state.
    pub const fn carries_state(&self) -> bool {
        self.descriptor.flags & s_sdk::abi::flags::CARRIES_STATE != 0
    }

    /// Bits of [`s_sdk::abi::flags`].
    pub const fn flags(&self) -> u32 {
        self.descriptor.flags
    }

    /// Where its code is.
    pub fn origin(&self) -> Origin {
        self.library
            .as_ref()
            .map_or(Origin::Linked, |library| Origin::Memory { digest: library.digest() })
    }

    /// What was read from its file; nothing for a module that is linked.
    pub fn elf(&self) -> Option<&Elf> {
        self.library.as_ref().map(Library::elf)
    }

    /// Whether an address lies in the module: such an address must not be kept beyond it.
    pub fn contains(&self, address: *const ()) -> bool {
        self.library.as_ref().is_some_and(|library| library.contains(address.addr()))
    }

    /// What it has left behind in threads so far; nothing for a module that is linked.
    pub fn tally(&self) -> Tally {
        self.library.as_ref().map_or(Tally::default(), |library| ledger::tally(library.range()))
    }

    /// Counts an instance from here until the guard is dropped; the module stays mapped that long.
    pub fn instance(self: &Arc<Self>) -> InstanceGuard {
        self.instances.fetch_add(1, Ordering::Relaxed);
        InstanceGuard(Arc::clone(self))
    }

    /// How many instances live.
    pub fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    pub(crate) fn into_waiting(mut self) -> Option<Waiting> {
        self.take_waiting()
    }

    fn take_waiting(&mut self) -> Option<Waiting> {
        let library = self.library.take()?;
        let pinned = Pinned {
            name: self.name().to_owned(),
            component: self.component().to_owned(),
            version: self.version.clone(),
            reason: PinReason::NotTried,
        };
        Some(Waiting { pinned, library })
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        if let Some(waiting) = self.take_waiting() {
            let room = Arc::clone(&self.room);
            room.add(waiting);
        }
    }
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {} ({})", self.name(), self.version, self.component(), self.origin())
    }
}

/// An instance that lives: its module is not unloaded.
#[derive(Debug)]
pub struct InstanceGuard(Arc<LoadedModule>);

impl Deref for InstanceGuard {
    type Target = Arc<LoadedModule>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for InstanceGuard {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::Relaxed);
    }
}
