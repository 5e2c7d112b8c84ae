//! What `#[behavior]`, `#[s_module]`, `#[derive(Plain)]` and `#[derive(Crossing)]` write, seen by callers:
//! every kind of parameter, typed and by name, and what the descriptions say of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod hosted;

use hosted::{host, serve};
use s_proxy::Component;
use s_sdk::component::InvokeError;
use s_sdk::dynamic::{Dynamic, Output};
use s_sdk::error::CallErrorKind;
use s_sdk::shape::ShapeKind;
use s_sdk::shim::Behavior;
use s_sdk::{
    Activity, Buf, CallError, Crossing, Handle, Host, List, Module, Plain, Refusal, Value,
    behavior, s_module,
};

#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(u32)]
enum Mood {
    Calm = 3,
    Wild = 7,
}

#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(C)]
struct Point {
    x: i32,
    y: u16,
    mood: Mood,
    name: [u8; 4],
}

#[derive(Debug, Default, Crossing)]
#[repr(C)]
struct Table {
    names: Buf,
    points: List<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(C)]
struct Trouble {
    kind: Mood,
    detail: u32,
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Trouble { kind: Mood::Wild, detail: error.kind as u32 }
    }
}

/// Takes everything that a method can take.
///
/// This line is not the first.
#[behavior(name = "every-kind", version = 3)]
trait EveryKind {
    /// Scalars by value.
    fn scalars(
        &self,
        act: &Activity,
        flag: bool,
        small: i8,
        wide: u64,
        real: f64,
    ) -> Result<f64, Trouble>;
    /// A struct and an enum by value, and a struct as the answer.
    fn plain(&self, act: &Activity, point: Point, mood: Mood) -> Result<Point, Trouble>;
    /// Text, octets, arcs and a slice of structs.
    fn borrowed(
        &self,
        act: &Activity,
        text: &str,
        octets: &[u8],
        arcs: &[u32],
        points: &[Point],
    ) -> Result<u64, Trouble>;
    /// A struct of lists as input.
    fn by_reference(&self, act: &Activity, table: &Table) -> Result<u32, Trouble>;
    /// Three outputs and an input between them.
    #[since(2)]
    fn outputs(
        &self,
        act: &Activity,
        out: &mut Buf,
        times: u32,
        arcs: &mut List<u32>,
        table: &mut Table,
    ) -> Result<bool, Trouble>;
    /// Leaves a number until the activity ends.
    fn leave(&self, act: &Activity, number: u64) -> Result<Handle<u64>, Trouble>;
    /// Takes it up again.
    fn take_up(&self, act: &Activity, handle: Handle<u64>) -> Result<u64, Trouble>;
    /// Answers with its own error.
    fn refuse(&self, act: &Activity, detail: u32) -> Result<(), Trouble>;
    /// Not every module has it.
    #[optional]
    fn seldom(&self, act: &Activity, number: u64) -> Result<u64, Trouble>;
}

/// A second behavior of the same module.
#[behavior]
trait Echo {
    /// What came.
    fn echo(&self, act: &Activity, text: &str, back: &mut Buf) -> Result<(), CallError>;
    /// The same name as in another behavior.
    fn refuse(&self, act: &Activity) -> Result<u32, CallError>;
}

struct All;

#[s_module(component = "all", version = "1.2.3", annotation = "everything", depends("other" = ">=1, <3"), also(Echo))]
impl EveryKind for All {
    fn scalars(
        &self,
        _: &Activity,
        flag: bool,
        small: i8,
        wide: u64,
        real: f64,
    ) -> Result<f64, Trouble> {
        Ok(if flag {
            real + f64::from(small) + f64::from(u32::try_from(wide).unwrap_or(0))
        } else {
            0.0
        })
    }
    fn plain(&self, _: &Activity, point: Point, mood: Mood) -> Result<Point, Trouble> {
        Ok(Point { x: -point.x, mood, ..point })
    }
    fn borrowed(
        &self,
        _: &Activity,
        text: &str,
        octets: &[u8],
        arcs: &[u32],
        points: &[Point],
    ) -> Result<u64, Trouble> {
        let lengths = [text.chars().count(), octets.len(), arcs.len(), points.len()];
        Ok(lengths.iter().fold(0, |all, length| all * 10 + *length as u64))
    }
    fn by_reference(&self, _: &Activity, table: &Table) -> Result<u32, Trouble> {
        Ok(u32::try_from(table.names.len() * 100 + table.points.len()).unwrap_or(u32::MAX))
    }
    fn outputs(
        &self,
        _: &Activity,
        out: &mut Buf,
        times: u32,
        arcs: &mut List<u32>,
        table: &mut Table,
    ) -> Result<bool, Trouble> {
        for i in 0..times {
            out.append(b"ab").map_err(CallError::from)?;
            arcs.push(i).map_err(CallError::from)?;
            table.points.push(POINT).map_err(CallError::from)?;
        }
        table.names.append(b"n").map_err(CallError::from)?;
        Ok(times > 0)
    }
    fn leave(&self, act: &Activity, number: u64) -> Result<Handle<u64>, Trouble> {
        Ok(act.keep(number)?)
    }
    fn take_up(&self, act: &Activity, handle: Handle<u64>) -> Result<u64, Trouble> {
        Ok(act.recall(handle)?)
    }
    fn refuse(&self, _: &Activity, detail: u32) -> Result<(), Trouble> {
        Err(Trouble { kind: Mood::Calm, detail })
    }
}

impl Echo for All {
    fn echo(&self, _: &Activity, text: &str, back: &mut Buf) -> Result<(), CallError> {
        Ok(back.append(text.as_bytes())?)
    }
    fn refuse(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(42)
    }
}

impl Module for All {
    fn init(_: Host) -> Result<Self, Refusal> {
        Ok(All)
    }
    fn does_not_understand(
        &self,
        _: &Activity,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Refusal> {
        match (method, args) {
            ("seldom", [Value::U64(0)]) => Ok(Value::from("not a number")),
            ("seldom", [Value::U64(number)]) => Ok(Value::U64(number * 2)),
            _ => Err("never heard of it".into()),
        }
    }
}

mod second {
    use super::{Activity, Buf, CallError, Echo, Host, Module, Refusal, s_module};

    pub(crate) struct Shouting;

    #[s_module(component = "echo", version = "0.1.0")]
    impl Echo for Shouting {
        fn echo(&self, _: &Activity, text: &str, back: &mut Buf) -> Result<(), CallError> {
            Ok(back.append(text.to_uppercase().as_bytes())?)
        }
        fn refuse(&self, _: &Activity) -> Result<u32, CallError> {
            Ok(1)
        }
    }

    impl Module for Shouting {
        fn init(_: Host) -> Result<Self, Refusal> {
            Ok(Shouting)
        }
    }
}

const POINT: Point = Point { x: 5, y: 6, mood: Mood::Calm, name: *b"here" };

/// Runs a test with the module bound to a component.
fn bound(test: impl FnOnce(&Activity, EveryKindProxy, &'static Component)) {
    let (runtime, control) = host();
    let component = serve(&control, "all", &S_MODULE);
    let mut worker = runtime.worker();
    test(&worker.activity(), runtime.proxy("all").unwrap(), component);
}

fn map(parts: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[test]
fn every_kind_of_parameter_arrives_typed_and_by_name() {
    bound(|act, typed, named| {
        assert_eq!(typed.scalars(act, true, -2, 10, 0.5), Ok(8.5));
        let args = [Value::Bool(true), Value::from(-2), Value::U64(10), Value::F64(0.5)];
        assert_eq!(named.invoke(act, "scalars", &args), Ok(Value::F64(8.5)));

        let answer = Point { x: -5, mood: Mood::Wild, ..POINT };
        assert_eq!(typed.plain(act, POINT, Mood::Wild), Ok(answer));
        let args = [POINT.to_value(), Value::from("Wild")];
        assert_eq!(named.invoke(act, "plain", &args), Ok(answer.to_value()));

        assert_eq!(typed.borrowed(act, "äöü", &[1, 2], &[1, 3, 6, 1], &[POINT]), Ok(3241));
        let points = Value::from(vec![POINT.to_value()]);
        let args = [
            Value::from("äöü"),
            Value::from(vec![1, 2]),
            Value::Oid(vec![1, 3, 6, 1].into()),
            points,
        ];
        assert_eq!(named.invoke(act, "borrowed", &args), Ok(Value::U64(3241)));

        let table = Table { names: b"abc".to_vec().into(), points: vec![POINT, POINT].into() };
        assert_eq!(typed.by_reference(act, &table), Ok(302));
        assert_eq!(named.invoke(act, "by_reference", &[table.to_value()]), Ok(Value::U64(302)));

        let handle = typed.leave(act, 99).unwrap();
        assert_eq!(typed.take_up(act, handle), Ok(99));
        let handle = named.invoke(act, "leave", &[Value::U64(7)]).unwrap();
        assert_eq!(named.invoke(act, "take_up", &[handle]), Ok(Value::U64(7)));
    });
}

#[test]
fn outputs_are_appended_to_typed_and_come_as_a_map_by_name() {
    bound(|act, typed, named| {
        let (mut out, mut arcs, mut table) = (Buf::from(b"x".to_vec()), List::new(), Table::open());
        assert_eq!(typed.outputs(act, &mut out, 2, &mut arcs, &mut table), Ok(true));
        assert_eq!(
            (&out[..], &arcs[..], &table.points[..]),
            (&b"xabab"[..], &[0, 1][..], &[POINT, POINT][..])
        );
        let answer = named.invoke(act, "outputs", &[Value::U64(1)]).unwrap();
        let expected = map([
            ("return", Value::Bool(true)),
            ("out", Value::from(b"ab".to_vec())),
            ("arcs", Value::Oid(vec![0].into())),
            (
                "table",
                map([
                    ("names", Value::from(b"n".to_vec())),
                    ("points", Value::from(vec![POINT.to_value()])),
                ]),
            ),
        ]);
        assert_eq!(answer, expected);
    });
}

#[test]
fn a_bounded_output_that_is_full_is_an_error() {
    bound(|act, typed, _| {
        let (mut out, mut arcs, mut table) = (Buf::bounded(3), List::new(), Table::open());
        let answer = typed.outputs(act, &mut out, 2, &mut arcs, &mut table);
        assert_eq!(answer, Err(CallError::new(CallErrorKind::Full).into()));
    });
}

#[test]
fn a_methods_own_error_is_not_a_failed_call() {
    bound(|act, typed, named| {
        let trouble = Trouble { kind: Mood::Calm, detail: 11 };
        assert_eq!(typed.refuse(act, 11), Err(trouble));
        let answer = named.invoke(act, "every-kind.refuse", &[Value::U64(11)]);
        assert_eq!(answer, Err(InvokeError::Method(trouble.to_value())));
    });
}

#[test]
fn an_argument_that_does_not_fit_is_named_by_its_position() {
    bound(|act, _, named| {
        let good = || [Value::Bool(true), Value::from(-2), Value::U64(10), Value::F64(0.5)];
        let bad = [Value::U64(1), Value::from(200), Value::from(-1), Value::U64(1)];
        for (position, wrong) in bad.into_iter().enumerate() {
            let mut args = good();
            args[position] = wrong;
            let error = CallError {
                kind: CallErrorKind::BadArgument,
                detail: u32::try_from(position).unwrap(),
            };
            assert_eq!(named.invoke(act, "scalars", &args), Err(error.into()));
        }
        let position_of = |method, args: &[Value]| match named.invoke(act, method, args) {
            Err(InvokeError::Call(CallError { kind: CallErrorKind::BadArgument, detail })) => {
                detail
            }
            other => panic!("{other:?}"),
        };
        // Too few, too many; outputs are not arguments, so `times` is the first.
        assert_eq!(position_of("scalars", &good()[..3]), 3);
        assert_eq!(position_of("leave", &[Value::U64(1), Value::U64(2)]), 1);
        assert_eq!(position_of("outputs", &[Value::from("two")]), 0);
        // An unknown variant, a missing field, an element of the wrong type.
        assert_eq!(position_of("plain", &[POINT.to_value(), Value::from("Furious")]), 1);
        assert_eq!(position_of("plain", &[map([("x", Value::U64(1))]), Value::from("Calm")]), 0);
        let points = Value::from(vec![POINT.to_value(), Value::Null]);
        assert_eq!(
            position_of(
                "borrowed",
                &["".into(), Value::from(Vec::<u8>::new()), Value::Oid(vec![].into()), points]
            ),
            3
        );
    });
}

#[test]
fn a_method_that_the_module_omits_is_offered_to_does_not_understand() {
    bound(|act, typed, named| {
        assert!(S_MODULE.methods.get().iter().all(|entry| entry.desc.name.as_str() != "seldom"));
        assert_eq!(typed.seldom(act, 21), Ok(42));
        assert_eq!(named.invoke(act, "seldom", &[Value::U64(21)]), Ok(Value::U64(42)));
        assert_eq!(typed.seldom(act, 0), Err(CallError::new(CallErrorKind::BadAnswer).into()));
        let unheard = CallError::new(CallErrorKind::NotUnderstood);
        assert_eq!(named.invoke(act, "never", &[]), Err(unheard.into()));
        // Called on the module itself, its default says the same.
        assert_eq!(EveryKind::seldom(&All, act, 1), Err(unheard.into()));
    });
}

#[test]
fn a_module_is_called_as_each_of_its_behaviors() {
    let (runtime, control) = host();
    serve(&control, "all", &S_MODULE);
    serve(&control, "echo", &second::S_MODULE);
    let mut worker = runtime.worker();
    let act = worker.activity();
    let mut heard = Buf::new();
    for (component, refuse) in [("all", 42), ("echo", 1)] {
        let echo: EchoProxy = runtime.proxy(component).unwrap();
        echo.echo(&act, "hi ", &mut heard).unwrap();
        assert_eq!(echo.refuse(&act), Ok(refuse));
    }
    assert_eq!(&heard[..], b"hi HI ");
    // A component seen as a behavior that its module does not have.
    let other: EveryKindProxy = runtime.proxy("echo").unwrap();
    assert_eq!(
        other.take_up(&act, Handle::none()),
        Err(CallError::new(CallErrorKind::NotUnderstood).into())
    );
}

#[test]
fn a_handle_of_nothing_or_of_something_else_is_stale() {
    bound(|act, typed, _| {
        let stale = Err(CallError::new(CallErrorKind::StaleHandle).into());
        assert_eq!(typed.take_up(act, Handle::none()), stale);
        assert_eq!(typed.take_up(act, act.keep(5u32).unwrap().of()), stale);
        // An opaque handle leads back to its type, and only there.
        let opaque: Handle<()> = act.keep(5u64).unwrap().of();
        assert!(opaque.is_some() && !Handle::<u64>::none().is_some());
        assert_eq!(typed.take_up(act, opaque.of()), Ok(5));
        assert!(act.recall(opaque).is_err());
    });
}

#[test]
fn a_handle_is_good_in_its_own_activity_only_on_whatever_lane() {
    let (runtime, _control) = host();
    let (mut worker, mut other) = (runtime.worker(), runtime.worker());
    let stale = CallError::new(CallErrorKind::StaleHandle);
    // Two activities, as like each other as can be: each the first of its lane, or each the same number later.
    for _ in 0..3 {
        let (act, its) = (worker.activity(), other.activity());
        let handle = act.keep(1u64).unwrap();
        let theirs = its.keep(2u64).unwrap();
        assert_eq!((act.recall(handle), its.recall(theirs)), (Ok(1), Ok(2)));
        assert_eq!((act.recall(theirs), its.recall(handle)), (Err(stale), Err(stale)));
        drop(act);
        assert_eq!(worker.activity().recall(handle), Err(stale));
        // Nor in the same place of a later activity of its lane.
        let act = worker.activity();
        act.keep(3u64).unwrap();
        assert_eq!(act.recall(handle), Err(stale));
    }
}

#[test]
fn a_lane_that_runs_for_long_does_not_come_upon_the_handles_of_the_next() {
    let (runtime, _control) = host();
    let (mut worker, mut next) = (runtime.worker(), runtime.worker());
    // As many serials as a lane draws at a time; those of the other lane begin where they end.
    for _ in 0..1 << 20 {
        worker.activity().keep(0u8).unwrap();
    }
    let (act, its) = (worker.activity(), next.activity());
    let (handle, theirs) = (act.keep(1u64).unwrap(), its.keep(2u64).unwrap());
    let stale = CallError::new(CallErrorKind::StaleHandle);
    assert_eq!((act.recall(theirs), its.recall(handle)), (Err(stale), Err(stale)));
}

#[test]
fn a_forged_handle_finds_only_what_was_kept() {
    let (runtime, _control) = host();
    let mut worker = runtime.worker();
    let act = worker.activity();
    // Its middle looks as a kept mood would, with a discriminant that there is not.
    let own = act.keep([Mood::SHAPE.hash(), 99]).unwrap();
    let Value::U64(id) = own.to_value() else { panic!("a number") };
    let found = (id.saturating_sub(128)..id + 128).filter(|id| {
        let forged = Handle::<Mood>::from_value(&Value::U64(*id)).unwrap();
        act.recall(forged).is_ok()
    });
    assert_eq!(found.count(), 0);
    assert!(act.recall(own).is_ok());
}

#[test]
fn an_activity_keeps_so_much_and_no_more() {
    let (runtime, _control) = host();
    let mut worker = runtime.worker();
    let act = worker.activity();
    let handle = act.keep([7u8; s_sdk::activity::KEEP_BYTES - 16]).unwrap();
    // A header fits behind it, and nothing else.
    assert!(act.keep(0u8).is_err());
    assert!(act.keep(()).is_err());
    assert_eq!(act.recall(handle).map(|kept| kept[0]), Ok(7));
}

#[test]
fn the_descriptor_says_what_the_author_wrote() {
    assert_eq!(S_MODULE.component.as_str(), "all");
    assert_eq!((S_MODULE.version.as_str(), S_MODULE.annotation.as_str()), ("1.2.3", "everything"));
    let behaviors: Vec<_> =
        S_MODULE.behaviors.get().iter().map(|b| (b.name.as_str(), b.version)).collect();
    assert_eq!(behaviors, [("every-kind", 3), ("echo", 1)]);
    let dependency = &S_MODULE.dependencies.get()[0];
    assert_eq!((dependency.component.as_str(), dependency.range.as_str()), ("other", ">=1, <3"));

    let desc = <dyn EveryKind as Behavior>::DESC;
    assert_eq!(desc.doc.as_str(), "Takes everything that a method can take.");
    let outputs =
        desc.methods.get().iter().find(|method| method.name.as_str() == "outputs").unwrap();
    assert_eq!(
        (outputs.since, outputs.doc.as_str()),
        (2, "Three outputs and an input between them.")
    );
    assert_eq!(
        outputs.signature(),
        "outputs(out: out buffer, times: u32, arcs: out list<u32>, table: out Table) -> bool or Trouble"
    );
    let kinds: Vec<_> = outputs.params.get().iter().map(|param| param.shape.kind).collect();
    assert_eq!(kinds, [ShapeKind::RefMut, ShapeKind::U32, ShapeKind::RefMut, ShapeKind::RefMut]);
}

/// Parameters with the names that a shim might want for itself.
#[behavior]
trait AnyName {
    /// The sum, also through the output.
    #[allow(clippy::too_many_arguments, reason = "one parameter per name")]
    fn sum(
        &self,
        activity: &Activity,
        this: u32,
        lane: u32,
        act: u32,
        module: u32,
        args: u32,
        error: u32,
        answer: u32,
        bound: u32,
        function: u32,
        status: u32,
        out: &mut List<u32>,
    ) -> Result<u32, CallError>;
}

mod names {
    use super::{Activity, AnyName, CallError, Host, List, Module, Refusal, s_module};

    struct Sum;

    #[s_module(component = "sum", version = "1.0.0")]
    impl AnyName for Sum {
        fn sum(
            &self,
            _: &Activity,
            this: u32,
            lane: u32,
            act: u32,
            module: u32,
            args: u32,
            error: u32,
            answer: u32,
            bound: u32,
            function: u32,
            status: u32,
            out: &mut List<u32>,
        ) -> Result<u32, CallError> {
            let all = [this, lane, act, module, args, error, answer, bound, function, status];
            out.append(&all)?;
            Ok(all.iter().sum())
        }
    }

    impl Module for Sum {
        fn init(_: Host) -> Result<Self, Refusal> {
            Ok(Sum)
        }
    }
}

#[test]
fn a_parameter_may_have_any_name() {
    let (runtime, control) = host();
    let component = serve(&control, "sum", &names::S_MODULE);
    let mut worker = runtime.worker();
    let act = worker.activity();
    let mut out = List::new();
    let sum: AnyNameProxy = runtime.proxy("sum").unwrap();
    assert_eq!(sum.sum(&act, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, &mut out), Ok(55));
    assert_eq!(out[..], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let answer =
        component.invoke(&act, "sum", &(1..=10).map(Value::U64).collect::<Vec<_>>()).unwrap();
    assert_eq!(answer.get("return"), Some(&Value::U64(55)));
    assert_eq!(answer.get("out"), Some(&Value::Oid((1..=10).collect())));
}

/// One behavior in several wordings: what counts for its hash, and what does not.
macro_rules! wording {
    ($module:ident, $($field:ident: $type:ty),*; $param:ident; $variant:ident = $number:literal; $answer:ty) => {
        #[allow(dead_code, reason = "only the description is looked at")]
        mod $module {
            use s_sdk::{Activity, CallError, Plain, behavior};

            #[derive(Clone, Copy, Plain)]
            #[repr(u32)]
            pub(crate) enum Mode {
                $variant = $number,
            }

            #[derive(Clone, Copy, Plain)]
            #[repr(C)]
            pub(crate) struct Inner {
                $($field: $type,)*
                mode: Mode,
            }

            #[behavior(name = "worded")]
            pub(crate) trait Worded {
                fn put(&self, act: &Activity, $param: &[Inner]) -> Result<$answer, CallError>;
            }

            pub(crate) fn hash() -> u64 {
                <dyn Worded as s_sdk::shim::Behavior>::DESC.hash()
            }
        }
    };
}

wording!(original, a: u32, b: u32; rows; Idle = 1; u64);
wording!(other_parameter_name, a: u32, b: u32; lines; Idle = 1; u64);
wording!(other_leaf, a: u32, b: i32; rows; Idle = 1; u64);
wording!(other_field_name, a: u32, c: u32; rows; Idle = 1; u64);
wording!(other_order, b: u32, a: u32; rows; Idle = 1; u64);
wording!(other_offset, a: u32; rows; Idle = 1; u64);
wording!(other_discriminant, a: u32, b: u32; rows; Idle = 2; u64);
wording!(other_variant, a: u32, b: u32; rows; Busy = 1; u64);
wording!(other_answer, a: u32, b: u32; rows; Idle = 1; i64);

#[test]
fn the_structural_hash_counts_every_leaf_and_no_parameter_name() {
    let original = original::hash();
    assert_eq!(other_parameter_name::hash(), original);
    let others = [
        other_leaf::hash(),
        other_field_name::hash(),
        other_order::hash(),
        other_offset::hash(),
        other_discriminant::hash(),
        other_variant::hash(),
        other_answer::hash(),
    ];
    assert!(others.iter().all(|other| *other != original));
    let distinct: std::collections::BTreeSet<_> = others.iter().collect();
    assert_eq!(distinct.len(), others.len());
}
