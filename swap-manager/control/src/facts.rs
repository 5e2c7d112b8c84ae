//! From what a module says when it is described to what a manifest says of it.

use s_package::manifest::{Behavior, Dependency, Facts, ResidentTable, StateVersions};
use s_package::text::{Name, Note, StructuralHash};
use s_preflight::Description;
use s_sdk::state::SchemaOwned;
use s_sdk::value::Value;

/// The facts of a described module.
///
/// # Errors
/// A name or a range that a manifest cannot hold.
pub fn facts(described: &Description) -> Result<Facts, String> {
    let name = |text: &str| Name::parse(text).map_err(|error| error.to_string());
    let note = |text: &str| Note::parse(text).map_err(|error| error.to_string());
    let state = match &described.schema {
        Value::Null => None,
        schema => {
            let schema =
                SchemaOwned::from_value(schema.clone()).map_err(|error| error.to_string())?;
            let older: Vec<u32> = schema.steps.iter().map(|step| step.from).collect();
            let kind = name(&schema.kind)?;
            Some(StateVersions {
                kind,
                version: schema.version,
                imports: older.clone(),
                exports: older,
            })
        }
    };
    Ok(Facts {
        component: name(&described.component)?,
        version: described.version.clone(),
        annotation: note(&described.annotation)?,
        name: name(&described.name)?,
        behaviors: described
            .behaviors
            .iter()
            .map(|b| {
                Ok(Behavior {
                    name: name(&b.name)?,
                    version: b.version,
                    hash: StructuralHash(b.hash),
                })
            })
            .collect::<Result<_, String>>()?,
        dependencies: described
            .dependencies
            .iter()
            .map(|d| {
                let range = semver::VersionReq::parse(&d.range)
                    .map_err(|error| format!("{}: {error}", d.range))?;
                Ok(Dependency { component: name(&d.component)?, range })
            })
            .collect::<Result<_, String>>()?,
        state,
        resident_tables: described
            .residents
            .iter()
            .map(|r| {
                Ok(ResidentTable { name: name(&r.name)?, row_hash: StructuralHash(r.row_hash) })
            })
            .collect::<Result<_, String>>()?,
        toolchain: note(&described.toolchain)?,
        abi_version: described.abi_version,
    })
}
