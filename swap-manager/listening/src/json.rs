//! Modules' values as operators read and write them.
//!
//! Octets are `{"hex": "…"}`, object identifiers are text with dots. Invariant: a field that is nobody's to read
//! leaves only its size here.

use s_preflight::Description;
use s_sdk::state::SchemaOwned;
use s_sdk::value::Value;
use serde_json::{Map, Number, Value as Json, json};

/// A value, with nothing left out.
pub(crate) fn shown(value: &Value) -> Json {
    redacted(value, &|_| false)
}

/// A value without what is in secret fields.
pub(crate) fn redacted(value: &Value, is_secret: &dyn Fn(&str) -> bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::I64(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::F64(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Bytes(octets) => json!({ "hex": crate::operators::hex(octets) }),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Oid(arcs) => dotted(arcs).into(),
        Value::List(members) => {
            members.iter().map(|member| redacted(member, is_secret)).collect::<Vec<_>>().into()
        }
        Value::Map(members) => {
            let member = |(name, value): (&String, &Value)| {
                let shown = if is_secret(name) {
                    json!({ "redacted": octets_of(value) })
                } else {
                    redacted(value, is_secret)
                };
                (name.clone(), shown)
            };
            Json::Object(members.iter().map(member).collect())
        }
    }
}

/// Whether a name sounds like something that nobody should read. Rather one field too many.
pub(crate) fn sounds_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    ["key", "secret", "pass", "auth"].iter().any(|part| field.contains(part))
}

fn octets_of(value: &Value) -> usize {
    match value {
        Value::Bytes(octets) => octets.len(),
        Value::Text(text) => text.len(),
        other => other.encode().len(),
    }
}

fn dotted(arcs: &[u32]) -> String {
    arcs.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// An argument, for a parameter of this type where that is known.
pub(crate) fn argument(json: &Json, shape: Option<&str>) -> Result<Value, String> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Bool(*value)),
        Json::Number(number) => {
            let whole =
                number.as_u64().map(Value::from).or_else(|| number.as_i64().map(Value::from));
            match whole {
                Some(Value::U64(value)) if shape == Some("f64") => {
                    // What JSON calls one number is two types here; above 2^53 it is the nearest float.
                    #[expect(clippy::cast_precision_loss, reason = "said above")]
                    let value = value as f64;
                    Ok(Value::F64(value))
                }
                Some(value) => Ok(value),
                None => number.as_f64().map(Value::F64).ok_or_else(|| "no such number".into()),
            }
        }
        Json::String(text) => match shape {
            Some("bytes") => Ok(Value::from(text.clone().into_bytes())),
            Some("[u32]") => oid(text),
            Some(shape) if shape.starts_with("[u8") => Ok(Value::from(text.clone().into_bytes())),
            _ => Ok(Value::from(text.as_str())),
        },
        Json::Array(members) => {
            let members: Result<Vec<_>, _> =
                members.iter().map(|member| argument(member, None)).collect();
            Ok(Value::from(members?))
        }
        Json::Object(members) => match (members.len(), members.get("hex")) {
            (1, Some(Json::String(digits))) => octets(digits),
            _ => {
                let member =
                    |(name, json): (&String, &Json)| Ok((name.clone(), argument(json, None)?));
                let members: Result<std::collections::BTreeMap<_, _>, String> =
                    members.iter().map(member).collect();
                Ok(Value::from(members?))
            }
        },
    }
}

fn octets(digits: &str) -> Result<Value, String> {
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        // `from_str_radix` takes a sign, and a sign is no digit.
        text.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        u8::from_str_radix(text, 16).ok()
    };
    let octets: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(pair).collect();
    octets.map(Value::from).ok_or_else(|| format!("`{digits}` is not pairs of hexadecimal digits"))
}

fn oid(text: &str) -> Result<Value, String> {
    let arcs = text.strip_prefix('.').unwrap_or(text).split('.');
    let arcs: Result<Vec<u32>, _> = arcs.map(str::parse).collect();
    let arcs = arcs.map_err(|_| format!("`{text}` is not an object identifier such as 1.3.6.1"))?;
    Ok(Value::Oid(arcs.into()))
}

/// What a module says of itself.
pub(crate) fn described(module: &Description) -> Map<String, Json> {
    let hash = |hash: u64| format!("{hash:016x}");
    let behaviors = module.behaviors.iter().map(|behavior| {
        let methods = behavior.methods.iter().map(|method| {
            json!({
                "name": method.name, "signature": method.signature, "doc": method.doc,
                "since": method.since, "offered": method.offered, "hash": hash(method.hash),
            })
        });
        json!({
            "name": behavior.name, "version": behavior.version, "doc": behavior.doc,
            "hash": hash(behavior.hash), "methods": methods.collect::<Vec<_>>(),
        })
    });
    let dependencies = module
        .dependencies
        .iter()
        .map(|dependency| json!({ "component": dependency.component, "range": dependency.range }));
    let residents = module
        .residents
        .iter()
        .map(|table| json!({ "name": table.name, "row": table.row, "row_size": table.row_size }));
    let all = json!({
        "component": module.component,
        "module": module.name,
        "version": module.version.to_string(),
        "annotation": module.annotation,
        "abi_version": module.abi_version,
        "target": module.target,
        "toolchain": module.toolchain,
        "active": module.active,
        "behaviors": behaviors.collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
        "state": SchemaOwned::from_value(module.schema.clone()).ok().map(|schema| state(&schema)),
        "residents": residents.collect::<Vec<_>>(),
    });
    match all {
        Json::Object(all) => all,
        _ => Map::new(),
    }
}

fn state(schema: &SchemaOwned) -> Json {
    let names = |fields: &[(String, String)]| {
        fields.iter().map(|(name, kind)| format!("{name}: {kind}")).collect::<Vec<_>>().join(", ")
    };
    let steps = schema.steps.iter().flat_map(|step| {
        step.rules.iter().map(move |rule| {
            let (from, to) = (names(&rule.from), names(&rule.to));
            let nothing = |side: String| if side.is_empty() { "nothing".to_owned() } else { side };
            let (from, to) = (nothing(from), nothing(to));
            format!("{} to {}: {} ({from} becomes {to})", step.from, step.to, rule.name)
        })
    });
    let fields = schema.fields.iter().map(|(path, kind)| json!({ "path": path, "type": kind }));
    json!({
        "kind": schema.kind,
        "version": schema.version,
        "fields": fields.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_what_the_parameter_wants() {
        let value = |json: Json, shape| argument(&json, Some(shape)).unwrap();
        assert_eq!(value(json!("ab"), "bytes"), Value::from(b"ab".to_vec()));
        assert_eq!(value(json!("ab"), "text"), Value::from("ab"));
        assert_eq!(value(json!(".1.3.6"), "[u32]"), Value::Oid(vec![1, 3, 6].into()));
        assert_eq!(value(json!({"hex": "00fF"}), "bytes"), Value::from(vec![0, 255]));
        assert_eq!(value(json!(3), "f64"), Value::F64(3.0));
        assert_eq!(value(json!(-3), "i64"), Value::I64(-3));
        assert_eq!(value(json!([1, "a"]), "x"), Value::from(vec![Value::U64(1), Value::from("a")]));
        for (json, shape) in [
            (json!("1.x"), "[u32]"),
            (json!({"hex": "0"}), "bytes"),
            (json!({"hex": "+1"}), "bytes"),
        ] {
            argument(&json, Some(shape)).unwrap_err();
        }
    }

    #[test]
    fn secrets_leave_their_size_wherever_they_stand() {
        let row = Value::from(std::collections::BTreeMap::from([
            ("auth_key".to_owned(), Value::from(vec![7_u8; 20])),
            ("name".to_owned(), Value::from("ada")),
            ("where".to_owned(), Value::Oid(vec![1, 3].into())),
        ]));
        let users = Value::from(std::collections::BTreeMap::from([(
            "users".to_owned(),
            Value::from(vec![row]),
        )]));
        let shown = redacted(&users, &|field| sounds_secret(field) || field == "name");
        assert_eq!(
            shown,
            json!({"users": [{"auth_key": {"redacted": 20}, "name": {"redacted": 3}, "where": "1.3"}]})
        );
        for name in ["privKey", "secretValue", "pass_phrase", "AUTH", "community_secret"] {
            assert!(sounds_secret(name), "{name}");
        }
        assert!(!sounds_secret("boots"));
    }
}
