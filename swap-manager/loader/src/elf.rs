//! Reads a module's file without running it, so that what is wrong with it is said before `dlopen`.
//!
//! Never trusts an offset: everything goes through a bounds-checked reader. The answer describes the file
//! as its section headers do; the dynamic linker has the last word.

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use s_sdk::abi::{EXPORT_PREFIX, ModuleDescriptor};

/// Libraries that every host has; a module may need no others.
const KNOWN_LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    // Empty since glibc 2.34, but older linkers still name them.
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
];

/// More program headers than any linker writes.
const SEGMENTS_MAX: usize = 64;

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;

/// What is known of a module's file before it is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The symbol of the module's descriptor.
    pub export: String,
    /// Libraries that it needs.
    pub needed: Vec<String>,
    /// Symbols that others must define.
    pub undefined: Vec<String>,
    /// How many octets of address space it takes from its first page to its last.
    pub span: usize,
    /// Where the first page is to be, relative to the load address; almost always 0.
    pub first: usize,
}

/// Why a file cannot be a module of this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The structure is broken.
    #[error("not a readable ELF file: {0}")]
    Unreadable(&'static str),
    /// A 32-bit file, or one of the other byte order.
    #[error("an ELF file of another kind of machine: modules are 64-bit little-endian")]
    OtherClass,
    /// Another processor.
    #[error(
        "made for machine {found}, this host is machine {expected}; build it for the host's target"
    )]
    OtherMachine {
        /// This host's.
        expected: u16,
        /// The file's.
        found: u16,
    },
    /// An executable, an object file, a core dump.
    #[error("not a shared library (ELF type {0}); build it as crate-type \"cdylib\"")]
    NotShared(u16),
    /// A segment reaches beyond the end of the file.
    #[error("the file is cut off: a segment ends at octet {needed}, the file at {len}")]
    CutOff {
        /// Where the segment ends.
        needed: u64,
        /// The length of the file.
        len: u64,
    },
    /// No module in it.
    #[error(
        "exports no symbol that begins with `{EXPORT_PREFIX}`; put `#[s_module]` on the module"
    )]
    NoExport,
    /// More than one module in it.
    #[error(
        "exports more than one module (`{first}` and `{second}`); one library holds one module"
    )]
    ManyExports {
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// The descriptor is too small to be one.
    #[error(
        "`{export}` has {size} octets, a descriptor has {expected}; build it with this host's SDK"
    )]
    SmallExport {
        /// The symbol.
        export: String,
        /// Its size.
        size: u64,
        /// The size of a descriptor.
        expected: u64,
    },
    /// It needs a library that hosts do not promise.
    #[error("needs the library `{0}`, which is not part of every host; link it statically")]
    ForeignLibrary(String),
}

impl From<object::Error> for ElfError {
    fn from(_: object::Error) -> Self {
        ElfError::Unreadable("a table lies outside the file")
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Reads a file's headers, dynamic table and dynamic symbols.
pub fn inspect(octets: &[u8]) -> Result<Elf, ElfError> {
    let le = LittleEndian;
    let ident = octets.get(..6).ok_or(ElfError::Unreadable("it is shorter than an ELF header"))?;
    if !ident.starts_with(b"\x7fELF") {
        return Err(ElfError::Unreadable("it does not begin as ELF files do"));
    }
    if (ident[4], ident[5]) != (elf::ELFCLASS64.0, elf::ELFDATA2LSB.0) {
        return Err(ElfError::OtherClass);
    }
    let header = FileHeader64::<LittleEndian>::parse(octets)?;
    if header.e_machine(le) != MACHINE {
        return Err(ElfError::OtherMachine { expected: MACHINE.0, found: header.e_machine(le).0 });
    }
    if header.e_type(le) != elf::ET_DYN {
        return Err(ElfError::NotShared(header.e_type(le).0));
    }
    let (first, span) = extent(header.program_headers(le, octets)?, octets.len() as u64)?;

    let sections = header.sections(le, octets)?;
    let mut needed = Vec::new();
    let dynamic = sections.dynamic_table(le, octets)?;
    for entry in dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED) {
        needed.push(text(dynamic.string(entry)?));
    }
    if let Some(foreign) = needed.iter().find(|name| !KNOWN_LIBRARIES.contains(&name.as_str())) {
        return Err(ElfError::ForeignLibrary(foreign.clone()));
    }

    let symbols = sections.symbols(le, octets, elf::SHT_DYNSYM)?;
    let mut undefined = Vec::new();
    let mut export: Option<(String, u64)> = None;
    for symbol in symbols.iter() {
        let global = symbol.st_bind() == elf::STB_GLOBAL;
        if symbol.st_shndx(le) == elf::SHN_UNDEF {
            if global {
                undefined.push(text(symbols.symbol_name(le, symbol)?));
            }
        } else if global && symbol.st_type() == elf::STT_OBJECT {
            let name = symbols.symbol_name(le, symbol)?;
            if name.starts_with(EXPORT_PREFIX.as_bytes()) {
                match export.take() {
                    Some((first, _)) => {
                        return Err(ElfError::ManyExports { first, second: text(name) });
                    }
                    None => export = Some((text(name), symbol.st_size(le))),
                }
            }
        }
    }
    let (export, size) = export.ok_or(ElfError::NoExport)?;
    let expected = size_of::<ModuleDescriptor>() as u64;
    if size < expected {
        return Err(ElfError::SmallExport { export, size, expected });
    }
    Ok(Elf { export, needed, undefined, span, first })
}

/// The address space that the loadable segments take.
fn extent(
    segments: &[elf::ProgramHeader64<LittleEndian>],
    len: u64,
) -> Result<(usize, usize), ElfError> {
    let le = LittleEndian;
    let overflow = || ElfError::Unreadable("a segment lies outside the address space");
    if segments.len() > SEGMENTS_MAX {
        return Err(ElfError::Unreadable("it has too many segments"));
    }
    let (mut first, mut last) = (u64::MAX, 0);
    for segment in segments.iter().filter(|segment| segment.p_type(le) == elf::PT_LOAD) {
        let needed = segment.p_offset(le).checked_add(segment.p_filesz(le)).ok_or_else(overflow)?;
        if needed > len {
            return Err(ElfError::CutOff { needed, len });
        }
        first = first.min(segment.p_vaddr(le));
        last = last.max(segment.p_vaddr(le).checked_add(segment.p_memsz(le)).ok_or_else(overflow)?);
    }
    if first >= last {
        return Err(ElfError::Unreadable("it has nothing to load"));
    }
    let fits = |number: u64| usize::try_from(number).map_err(|_| overflow());
    Ok((fits(first)?, fits(last - first)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert_eq!(inspect(b""), Err(ElfError::Unreadable("it is shorter than an ELF header")));
        assert_eq!(
            inspect(b"#!/bin/sh\n"),
            Err(ElfError::Unreadable("it does not begin as ELF files do"))
        );
        assert_eq!(inspect(b"\x7fELF\x01\x01"), Err(ElfError::OtherClass));
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(inspect(&own), Err(ElfError::NoExport));
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        for at in (0..4096).chain((4096..own.len()).step_by(65_537)) {
            assert!(inspect(&own[..at]).is_err());
        }
    }
}
