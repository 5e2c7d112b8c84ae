//! A module's descriptor as data: what `describe` prints, without the module in memory.

use crate::reading::{Malformed, Parts, list, map};
use s_loader::LoadedModule;
use s_sdk::Value;
use s_sdk::abi::{ABI_VERSION, BehaviorDesc, MethodDesc};
use s_sdk::hosting::schema_of;
use s_sdk::shape::ShapeKind;

/// Everything that a module says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The module's name.
    pub name: String,
    /// The component it is made for.
    pub component: String,
    /// Its version.
    pub version: semver::Version,
    /// What changed, in the author's words.
    pub annotation: String,
    /// The version of the ABI.
    pub abi_version: u32,
    /// The target triple.
    pub target: String,
    /// The compiler.
    pub toolchain: String,
    /// It has a mailbox, timers and signals.
    pub active: bool,
    /// It exports and imports state.
    pub carries_state: bool,
    /// The behaviors it implements.
    pub behaviors: Vec<BehaviorDescription>,
    /// The components it calls.
    pub dependencies: Vec<DependencyDescription>,
    /// The resident tables it uses.
    pub residents: Vec<ResidentDescription>,
    /// The schema of its carried state, for `s_sdk::state::SchemaOwned`; null when there is none.
    pub schema: Value,
}

/// A behavior, and which of its methods the module offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BehaviorDescription {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The first line of its documentation.
    pub doc: String,
    /// The structural hash of the whole behavior.
    pub hash: u64,
    /// Its methods, in slot order.
    pub methods: Vec<MethodDescription>,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodDescription {
    /// Its name.
    pub name: String,
    /// The first line of its documentation.
    pub doc: String,
    /// The version of the behavior that introduced it.
    pub since: u32,
    /// The structural hash by which callers bind.
    pub hash: u64,
    /// Whether this module has it; otherwise a call becomes `does_not_understand`.
    pub offered: bool,
    /// The whole signature in one line.
    pub signature: String,
    /// Its parameters.
    pub params: Vec<ParamDescription>,
    /// What it returns.
    pub returns: String,
    /// The error it returns.
    pub error: String,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamDescription {
    /// Its name.
    pub name: String,
    /// Its type.
    pub shape: String,
    /// Written by the method.
    pub output: bool,
}

/// A component that the module calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyDescription {
    /// The component's name.
    pub component: String,
    /// The versions it accepts.
    pub range: String,
}

/// A resident table that the module uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidentDescription {
    /// The table's name.
    pub name: String,
    /// The type of a row.
    pub row: String,
    /// The structural hash of a row.
    pub row_hash: u64,
    /// The size of a row in octets.
    pub row_size: u32,
}

/// Why a module could not be described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// It failed when asked for its state schema.
    #[error("the module failed when asked for its state schema: {0}")]
    NoSchema(String),
    /// Its schema is not a value.
    #[error("the module's state schema is not a value: {0}")]
    BadSchema(String),
}

impl Description {
    /// Describes a module that is loaded or linked. Runs one function of it: the one that tells its schema.
    pub fn from_descriptor(module: &LoadedModule) -> Result<Self, DescribeError> {
        let octets = schema_of(module.descriptor())
            .map_err(|error| DescribeError::NoSchema(error.to_string()))?;
        let schema = if octets.is_empty() {
            Value::Null
        } else {
            Value::decode(&octets).map_err(|error| DescribeError::BadSchema(error.to_string()))?
        };
        Ok(Description {
            name: module.name().to_owned(),
            component: module.component().to_owned(),
            version: module.version().clone(),
            annotation: module.annotation().to_owned(),
            abi_version: ABI_VERSION,
            target: module.target().to_owned(),
            toolchain: module.toolchain().to_owned(),
            active: module.is_active(),
            carries_state: module.carries_state(),
            behaviors: module
                .behaviors()
                .iter()
                .map(|behavior| describe_behavior(module, behavior))
                .collect(),
            dependencies: module
                .dependencies()
                .iter()
                .map(|d| DependencyDescription {
                    component: d.component.as_str().to_owned(),
                    range: d.range.as_str().to_owned(),
                })
                .collect(),
            residents: module
                .residents()
                .iter()
                .map(|table| ResidentDescription {
                    name: table.name.as_str().to_owned(),
                    row: table.row.describe(),
                    row_hash: table.row.hash(),
                    row_size: table.row.size,
                })
                .collect(),
            schema,
        })
    }

    /// The version of the state that the module carries; `None` when it carries none.
    pub fn state_version(&self) -> Option<u32> {
        let version = self.schema.get("version")?.as_u64()?;
        u32::try_from(version).ok().filter(|_| self.carries_state)
    }

    /// Whether the module has a method, given as `behavior.method`.
    pub fn offers(&self, method: &str) -> bool {
        let Some((behavior, method)) = method.rsplit_once('.') else { return false };
        let behaviors = self.behaviors.iter().filter(|known| known.name == behavior);
        behaviors
            .flat_map(|known| &known.methods)
            .any(|known| known.offered && known.name == method)
    }

    /// The description as a value.
    pub fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("component", self.component.as_str().into()),
            ("version", self.version.to_string().into()),
            ("annotation", self.annotation.as_str().into()),
            ("abi_version", self.abi_version.into()),
            ("target", self.target.as_str().into()),
            ("toolchain", self.toolchain.as_str().into()),
            ("active", self.active.into()),
            ("carries_state", self.carries_state.into()),
            ("behaviors", list(&self.behaviors, BehaviorDescription::to_value)),
            (
                "dependencies",
                list(&self.dependencies, |d| {
                    map([
                        ("component", d.component.as_str().into()),
                        ("range", d.range.as_str().into()),
                    ])
                }),
            ),
            (
                "residents",
                list(&self.residents, |table| {
                    map([
                        ("name", table.name.as_str().into()),
                        ("row", table.row.as_str().into()),
                        ("row_hash", table.row_hash.into()),
                        ("row_size", table.row_size.into()),
                    ])
                }),
            ),
            ("schema", self.schema.clone()),
        ])
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        Ok(Description {
            name: parts.text("name")?,
            component: parts.text("component")?,
            version: parts.get("version", |value| semver::Version::parse(value.as_text()?).ok())?,
            annotation: parts.text("annotation")?,
            abi_version: parts.u32("abi_version")?,
            target: parts.text("target")?,
            toolchain: parts.text("toolchain")?,
            active: parts.bool("active")?,
            carries_state: parts.bool("carries_state")?,
            behaviors: parts.list("behaviors", BehaviorDescription::from_value)?,
            dependencies: parts.list("dependencies", |value| {
                let parts = Parts::of(value)?;
                Ok(DependencyDescription {
                    component: parts.text("component")?,
                    range: parts.text("range")?,
                })
            })?,
            residents: parts.list("residents", |value| {
                let parts = Parts::of(value)?;
                Ok(ResidentDescription {
                    name: parts.text("name")?,
                    row: parts.text("row")?,
                    row_hash: parts.u64("row_hash")?,
                    row_size: parts.u32("row_size")?,
                })
            })?,
            schema: parts.value("schema")?.clone(),
        })
    }
}

fn describe_behavior(module: &LoadedModule, behavior: &BehaviorDesc) -> BehaviorDescription {
    let offered = |method: &MethodDesc| {
        module
            .methods()
            .iter()
            .any(|entry| std::ptr::eq(entry.behavior, behavior) && entry.desc.hash == method.hash)
    };
    BehaviorDescription {
        name: behavior.name.as_str().to_owned(),
        version: behavior.version,
        doc: behavior.doc.as_str().to_owned(),
        hash: behavior.hash(),
        methods: behavior
            .methods
            .get()
            .iter()
            .map(|method| describe_method(method, offered(method)))
            .collect(),
    }
}

fn describe_method(method: &MethodDesc, offered: bool) -> MethodDescription {
    MethodDescription {
        name: method.name.as_str().to_owned(),
        doc: method.doc.as_str().to_owned(),
        since: method.since,
        hash: method.hash,
        offered,
        signature: method.signature(),
        params: method
            .params
            .get()
            .iter()
            .map(|param| ParamDescription {
                name: param.name.as_str().to_owned(),
                shape: param.shape.describe(),
                output: param.shape.kind == ShapeKind::RefMut,
            })
            .collect(),
        returns: method.returns.describe(),
        error: method.error.describe(),
    }
}

impl BehaviorDescription {
    fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("version", self.version.into()),
            ("doc", self.doc.as_str().into()),
            ("hash", self.hash.into()),
            ("methods", list(&self.methods, MethodDescription::to_value)),
        ])
    }

    fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        Ok(BehaviorDescription {
            name: parts.text("name")?,
            version: parts.u32("version")?,
            doc: parts.text("doc")?,
            hash: parts.u64("hash")?,
            methods: parts.list("methods", MethodDescription::from_value)?,
        })
    }
}

impl MethodDescription {
    fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("doc", self.doc.as_str().into()),
            ("since", self.since.into()),
            ("hash", self.hash.into()),
            ("offered", self.offered.into()),
            ("signature", self.signature.as_str().into()),
            (
                "params",
                list(&self.params, |param| {
                    map([
                        ("name", param.name.as_str().into()),
                        ("shape", param.shape.as_str().into()),
                        ("output", param.output.into()),
                    ])
                }),
            ),
            ("returns", self.returns.as_str().into()),
            ("error", self.error.as_str().into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        Ok(MethodDescription {
            name: parts.text("name")?,
            doc: parts.text("doc")?,
            since: parts.u32("since")?,
            hash: parts.u64("hash")?,
            offered: parts.bool("offered")?,
            signature: parts.text("signature")?,
            params: parts.list("params", |value| {
                let parts = Parts::of(value)?;
                Ok(ParamDescription {
                    name: parts.text("name")?,
                    shape: parts.text("shape")?,
                    output: parts.bool("output")?,
                })
            })?,
            returns: parts.text("returns")?,
            error: parts.text("error")?,
        })
    }
}
