//! Carried state: what a module exports at a swap and its successor imports, whichever of them is older.
//!
//! A state crosses as the list `[kind, version, fields]` in the encoding of [`crate::value`]. A module
//! reads and writes its own version without detour, and every older version that it declares through
//! steps of rules. Each rule works both ways, so an upgrade, its rollback and a downgrade are the same
//! machinery.
//!
//! This file never guesses: a field that no rule names, a field that no rule gives and a value that
//! does not fit are errors that name the field.
//!
//! # Declaring a state
//! The first version needs no rules:
//! ```
//! use s_sdk::State;
//!
//! #[derive(State)]
//! #[state(kind = "counter", version = 1)]
//! struct Counter {
//!     hits: u64,
//!     limit: u32,
//! }
//! ```
//! Whoever changes the fields raises the version and adds the step that leads there:
//! ```
//! use s_sdk::State;
//!
//! #[derive(State)]
//! #[state(kind = "counter", version = 3)]
//! #[state(step(1 => 2,
//!     rename(hits -> calls),
//!     convert(limit: u32 -> u64),
//! ))]
//! #[state(step(2 => 3,
//!     default(since: u64 = 0),
//!     split(calls: u64 -> (served: u64, refused: u64), up = |calls| (calls, 0), down = |s, r| s + r),
//! ))]
//! struct Counter {
//!     served: u64,
//!     refused: u64,
//!     limit: u64,
//!     since: u64,
//! }
//! # use s_sdk::state::State as _;
//! # let mut old = Vec::new();
//! # let now = Counter { served: 7, refused: 2, limit: 100, since: 5 };
//! # now.export(1, &mut old).unwrap();
//! # let back = Counter::import(1, &old).unwrap();
//! # assert_eq!((back.served, back.refused, back.limit, back.since), (9, 0, 100, 0));
//! ```
//!
//! # The rules
//! | rule | up | down |
//! |---|---|---|
//! | `rename(a -> b)` | `a` is now called `b` | `b` is called `a` again |
//! | `default(a: T = e)` | `a` is new and starts as `e` | `a` is forgotten |
//! | `drop(a: T = e)` | `a` is forgotten | `a` starts as `e` |
//! | `convert(a: T -> U, up = f, down = g)` | `a = f(a)` | `a = g(a)` |
//! | `convert(a: T -> b: U, up = f, down = g)` | `b = f(a)` | `a = g(b)` |
//! | `split(a: T -> (b: U, c: V), up = f, down = g)` | `(b, c) = f(a)` | `a = g(b, c)` |
//! | `merge((a: T, b: U) -> c: V, up = f, down = g)` | `c = f(a, b)` | `(a, b) = g(c)` |
//!
//! - Rules of a step are taken in order on the way up and in reverse order on the way down.
//! - Without `= e` it is the type's `Default`. A `convert` without `up` and `down` uses `TryFrom`.
//! - `f` and `g` are functions or closures over owned values. They return the new value, or a `Result`
//!   whose error says why this value cannot be mapped.
//! - Types are those that the field has at that point, so that older versions stay described after
//!   the struct has moved on. They are checked against the struct by the compiler.
//! - A field that a step does not name is the same before and after.

use crate::value::{Field, FieldDesc, FieldError, FieldFact, Fields, Kind, Reader, Value, Writer};
use std::fmt;

/// What a module carries from version to version. Derive it; see the [module](self).
///
/// `()` is the state of a module that carries nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be carried over a swap",
    label = "not a `State`",
    note = "put `#[derive(State)]` and `#[state(kind = \"…\", version = 1)]` on the struct"
)]
pub trait State: Field {
    /// The fields and the steps that led here.
    fn schema() -> &'static Schema;

    /// Appends the state as `version`, its own or an older one that it declares.
    /// After an error `out` is as before.
    fn export(&self, version: u32, out: &mut Vec<u8>) -> Result<(), StateError> {
        let schema = Self::schema();
        let own = version == schema.version;
        let mapped = if own { Value::Null } else { map_down::<Self>(self.to_value(), version)? };
        let mut out = Writer::new(out);
        out.list(3);
        out.text(schema.kind);
        out.u64(version.into());
        if own {
            self.encode(&mut out);
        } else {
            out.value(&mapped);
        }
        Ok(())
    }

    /// The state that was exported as `version`.
    fn import(version: u32, octets: &[u8]) -> Result<Self, StateError> {
        let schema = Self::schema();
        let mut input = Reader::new(octets);
        let state = input.list(Kind::List(&Kind::Any), |input, len| {
            if len != 3 {
                return Ok(Err(StateError::NoState { expected: schema.kind }));
            }
            let kind = input.text()?;
            let found = u32::decode(input)?;
            if kind != schema.kind {
                return Ok(Err(StateError::OtherKind {
                    expected: schema.kind,
                    found: kind.to_owned(),
                }));
            }
            if found != version {
                return Ok(Err(StateError::OtherVersion {
                    kind: schema.kind,
                    announced: version,
                    found,
                }));
            }
            if version == schema.version {
                let own = Self::decode(input);
                return Ok(own.map_err(|error| StateError::Field {
                    kind: schema.kind,
                    version,
                    error,
                }));
            }
            let older = input.value()?;
            Ok(map_up::<Self>(older, version))
        });
        let state =
            state.map_err(|error| StateError::Unreadable { expected: schema.kind, error })??;
        let end = input.finish();
        end.map_err(|error| StateError::Unreadable { expected: schema.kind, error: error.into() })?;
        Ok(state)
    }

    /// Applies one rule of [`State::schema`]; written by the derive.
    #[doc(hidden)]
    fn apply(step: usize, rule: usize, way: Way, fields: &mut Fields) -> Result<(), FieldError>;
}

impl State for () {
    fn schema() -> &'static Schema {
        &Schema { kind: "", version: 0, fields: &[], steps: &[] }
    }

    fn apply(_: usize, _: usize, _: Way, _: &mut Fields) -> Result<(), FieldError> {
        Ok(())
    }
}

/// The way a rule is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From an older version to a newer one.
    Up,
    /// From a newer version to an older one.
    Down,
}

fn map_up<S: State>(older: Value, version: u32) -> Result<S, StateError> {
    let schema = S::schema();
    let first = schema.step_from(version)?;
    let in_state = |error| StateError::Field { kind: schema.kind, version, error };
    let mut fields = Fields::from_value(older).map_err(in_state)?;
    for (at, step) in schema.steps.iter().enumerate().skip(first) {
        for (rule_at, rule) in step.rules.iter().enumerate() {
            S::apply(at, rule_at, Way::Up, &mut fields)
                .map_err(|error| step.failed(schema.kind, rule, error))?;
        }
    }
    schema.same_fields(version, &fields)?;
    S::from_value(fields.into_value()).map_err(in_state)
}

fn map_down<S: State>(own: Value, version: u32) -> Result<Value, StateError> {
    let schema = S::schema();
    let last = schema.step_from(version)?;
    let in_state = |error| StateError::Field { kind: schema.kind, version: schema.version, error };
    let mut fields = Fields::from_value(own).map_err(in_state)?;
    for (at, step) in schema.steps.iter().enumerate().skip(last).rev() {
        for (rule_at, rule) in step.rules.iter().enumerate().rev() {
            S::apply(at, rule_at, Way::Down, &mut fields)
                .map_err(|error| step.failed(schema.kind, rule, error))?;
        }
    }
    Ok(fields.into_value())
}

/// What a state is made of, and how it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the state is; states of different kinds never meet. Empty when nothing is carried.
    pub kind: &'static str,
    /// The version that the fields describe.
    pub version: u32,
    /// The fields, in the order of their encoding.
    pub fields: &'static [FieldDesc],
    /// One after the other, from the oldest version declared to this one.
    pub steps: &'static [Step],
}

impl Schema {
    /// The schema as it crosses the boundary; [`SchemaOwned`] reads it.
    pub fn to_value(&self) -> Value {
        SchemaOwned::from(self).to_value()
    }

    fn step_from(&self, version: u32) -> Result<usize, StateError> {
        self.steps.iter().position(|step| step.from == version).ok_or_else(|| {
            StateError::UnknownVersion {
                kind: self.kind,
                version,
                known: self.steps.iter().map(|step| step.from).chain([self.version]).collect(),
            }
        })
    }

    fn same_fields(&self, version: u32, found: &Fields) -> Result<(), StateError> {
        let known = |name: &str| self.fields.iter().any(|field| field.name == name);
        let leftover: Vec<String> =
            found.names().filter(|name| !known(name)).map(str::to_owned).collect();
        let absent = |field: &&FieldDesc| !found.names().any(|name| name == field.name);
        let missing: Vec<String> =
            self.fields.iter().filter(absent).map(|field| field.name.to_owned()).collect();
        if leftover.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Err(StateError::Unmapped {
            kind: self.kind,
            from: version,
            to: self.version,
            leftover,
            missing,
        })
    }
}

/// What changed from one version to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The older version.
    pub from: u32,
    /// The newer version.
    pub to: u32,
    /// The changes, in order.
    pub rules: &'static [Rule],
}

impl Step {
    fn failed(&self, kind: &'static str, rule: &Rule, error: FieldError) -> StateError {
        StateError::Rule {
            kind,
            from: self.from,
            to: self.to,
            rule: RuleOwned::from(rule).to_string(),
            error,
        }
    }
}

/// One change: fields that go, and fields that come in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `rename`, `default`, `drop`, `convert`, `split` or `merge`.
    pub name: &'static str,
    /// The fields of the older version.
    pub from: &'static [FieldDesc],
    /// The fields of the newer version.
    pub to: &'static [FieldDesc],
}

/// A [`Schema`] that came across the boundary. Kinds are texts: equal when the kinds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaOwned {
    /// See [`Schema::kind`].
    pub kind: String,
    /// See [`Schema::version`].
    pub version: u32,
    /// Names and kinds of the fields.
    pub fields: Vec<(String, String)>,
    /// See [`Schema::steps`].
    pub steps: Vec<StepOwned>,
}

/// A [`Step`] that came across the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOwned {
    /// The older version.
    pub from: u32,
    /// The newer version.
    pub to: u32,
    /// The changes, in order.
    pub rules: Vec<RuleOwned>,
}

/// A [`Rule`] that came across the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOwned {
    /// See [`Rule::name`].
    pub name: String,
    /// Names and kinds of the fields that go.
    pub from: Vec<(String, String)>,
    /// Names and kinds of the fields that come.
    pub to: Vec<(String, String)>,
}

impl SchemaOwned {
    /// The schema of a module that carries nothing.
    pub const NOTHING: SchemaOwned =
        SchemaOwned { kind: String::new(), version: 0, fields: Vec::new(), steps: Vec::new() };

    /// Whether this is the schema of a module that carries nothing.
    pub const fn is_nothing(&self) -> bool {
        self.kind.is_empty()
    }

    /// The schema as it crosses the boundary.
    pub fn to_value(&self) -> Value {
        Field::to_value(self)
    }

    /// The schema that crossed.
    pub fn from_value(value: Value) -> Result<Self, FieldError> {
        Field::from_value(value)
    }
}

fn owned(fields: &[FieldDesc]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.to_owned(), field.kind.to_string())).collect()
}

impl From<&Schema> for SchemaOwned {
    fn from(schema: &Schema) -> Self {
        SchemaOwned {
            kind: schema.kind.to_owned(),
            version: schema.version,
            fields: owned(schema.fields),
            steps: schema.steps.iter().map(StepOwned::from).collect(),
        }
    }
}

impl From<&Step> for StepOwned {
    fn from(step: &Step) -> Self {
        StepOwned {
            from: step.from,
            to: step.to,
            rules: step.rules.iter().map(RuleOwned::from).collect(),
        }
    }
}

impl From<&Rule> for RuleOwned {
    fn from(rule: &Rule) -> Self {
        RuleOwned { name: rule.name.to_owned(), from: owned(rule.from), to: owned(rule.to) }
    }
}

/// As the author wrote it, without the functions: `convert(limit: u32 -> limit: u64)`.
impl fmt::Display for RuleOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |fields: &[(String, String)]| {
            let fields: Vec<_> =
                fields.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
            if fields.len() == 1 { fields.concat() } else { format!("({})", fields.join(", ")) }
        };
        match (&self.from[..], &self.to[..]) {
            ([], one) | (one, []) => write!(f, "{}({})", self.name, side(one)),
            ([(from, _)], [(to, _)]) if self.name == "rename" => {
                write!(f, "rename({from} -> {to})")
            }
            (from, to) => write!(f, "{}({} -> {})", self.name, side(from), side(to)),
        }
    }
}

// The derive names this crate from outside, so inside it the three structs are written out.
macro_rules! crossing_struct {
    ($type:ident { $($field:ident),* }) => {
        impl Field for $type {
            const KIND: Kind = Kind::Map(&Kind::Text, &Kind::Any);

            fn to_value(&self) -> Value {
                Value::Map([$((stringify!($field).to_owned(), self.$field.to_value())),*].into_iter().collect())
            }

            fn from_value(value: Value) -> Result<Self, FieldError> {
                let mut fields = Fields::from_value(value)?;
                let whole = $type { $($field: fields.take(stringify!($field))?),* };
                fields.finish()?;
                Ok(whole)
            }
        }
    };
}
crossing_struct!(SchemaOwned { kind, version, fields, steps });
crossing_struct!(StepOwned { from, to, rules });
crossing_struct!(RuleOwned { name, from, to });

/// Why a state could not be exported or imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The octets are not those of any state.
    Unreadable {
        /// The kind of state that was expected.
        expected: &'static str,
        /// What is wrong with them.
        error: FieldError,
    },
    /// The octets are a value, but not a state.
    NoState {
        /// The kind of state that was expected.
        expected: &'static str,
    },
    /// A state of another kind.
    OtherKind {
        /// The kind of state that was expected.
        expected: &'static str,
        /// The kind that came.
        found: String,
    },
    /// The state says another version than its bearer.
    OtherVersion {
        /// The kind of the state.
        kind: &'static str,
        /// The version that was announced.
        announced: u32,
        /// The version that the state says.
        found: u32,
    },
    /// A version that is neither the own one nor declared by a step.
    UnknownVersion {
        /// The kind of the state.
        kind: &'static str,
        /// The version asked for.
        version: u32,
        /// The versions there are.
        known: Vec<u32>,
    },
    /// After all rules the fields are not those of the struct.
    Unmapped {
        /// The kind of the state.
        kind: &'static str,
        /// The version that came.
        from: u32,
        /// The version of the struct.
        to: u32,
        /// Fields that no rule names.
        leftover: Vec<String>,
        /// Fields that no rule gives.
        missing: Vec<String>,
    },
    /// A rule could not be applied.
    Rule {
        /// The kind of the state.
        kind: &'static str,
        /// The step's older version.
        from: u32,
        /// The step's newer version.
        to: u32,
        /// The rule.
        rule: String,
        /// What went wrong, at which field.
        error: FieldError,
    },
    /// A field does not have the type that this version says.
    Field {
        /// The kind of the state.
        kind: &'static str,
        /// The version of the state.
        version: u32,
        /// What is wrong, at which field.
        error: FieldError,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Unreadable { expected, error } => {
                write!(f, "not a state of kind `{expected}`: {error}")
            }
            StateError::NoState { expected } => {
                write!(f, "not a state of kind `{expected}`: expected a list of three")
            }
            StateError::OtherKind { expected, found } => {
                write!(
                    f,
                    "expected a state of kind `{expected}`, found kind `{found}`; kinds have no mapping"
                )
            }
            StateError::OtherVersion { kind, announced, found } => {
                write!(f, "`{kind}` was announced as version {announced}, but says version {found}")
            }
            StateError::UnknownVersion { kind, version, known } => {
                let known: Vec<String> = known.iter().map(u32::to_string).collect();
                let known = known.join(", ");
                write!(
                    f,
                    "`{kind}` has no version {version} (it has {known}); add the `step` that starts there"
                )
            }
            StateError::Unmapped { kind, from, to, leftover, missing } => {
                write!(f, "`{kind}` {from} => {to}")?;
                for name in leftover {
                    write!(
                        f,
                        "; no rule names the field `{name}`: \
                         add `rename({name} -> …)`, `drop({name}: …)`, or name it in `convert`, `split` or `merge`"
                    )?;
                }
                for name in missing {
                    write!(
                        f,
                        "; no rule gives the field `{name}`: \
                         add `default({name}: … = …)`, `rename(… -> {name})`, or make it in `convert`, `split` or `merge`"
                    )?;
                }
                Ok(())
            }
            StateError::Rule { kind, from, to, rule, error } => {
                write!(f, "`{kind}` {from} => {to}, {rule}: {error}")
            }
            StateError::Field { kind, version, error } => {
                write!(f, "`{kind}` version {version}: {error}")?;
                match error.fact() {
                    FieldFact::Missing(_) | FieldFact::Leftover(_) | FieldFact::Expected { .. } => {
                        f.write_str("; changed fields need a new version and a `step`")
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StateError::Unreadable { error, .. }
            | StateError::Rule { error, .. }
            | StateError::Field { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// What the function of a rule may return: the new value, or a `Result` of it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the function of this rule returns `{Self}`, but the rule says `{T}`",
    label = "must return `{T}` or `Result<{T}, E>` where `E: Display`"
)]
pub trait Mapped<T> {
    /// The value, or why there is none.
    fn mapped(self) -> Result<T, String>;
}

impl<T> Mapped<T> for T {
    fn mapped(self) -> Result<T, String> {
        Ok(self)
    }
}

impl<T, E: fmt::Display> Mapped<T> for Result<T, E> {
    fn mapped(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// What the function of a rule made of the fields `names`.
#[doc(hidden)]
pub fn made<T>(names: &[&str], result: impl Mapped<T>) -> Result<T, FieldError> {
    result
        .mapped()
        .map_err(|why| FieldError::new(FieldFact::Refused(why)).within(&names.join(", ")))
}

/// The function of a `convert` that names none.
#[doc(hidden)]
pub fn fit<T: Field, U: Field + TryFrom<T>>(value: T) -> Result<U, String> {
    let shown = value.to_value();
    U::try_from(value).map_err(|_| format!("{shown} does not fit in {}", U::KIND))
}

/// A rule and the struct, or a rule and the next, say the same type of a field.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the rule says `{Self}`, but the field is `{T}` after this step",
    label = "must be `{T}`"
)]
pub trait SameAs<T> {}
impl<T> SameAs<T> for T {}

/// Compiles when the types are the same.
#[doc(hidden)]
pub const fn same<A: SameAs<B>, B>() {}
