//! The contract suites of notifications, of settings and of what is kept, and what the first one says of an
//! originator that breaks its contract.

use crate::kept;
use crate::tables::make_all;
use crate::telling::{acknowledged, taken_apart};
use crate::world::{self, THERE, World, target};
use roles::contract::Broken;
use roles::contract::notify::{Answer, Around, Configured, Sent, suite};
use roles::contract::settings::Documents;
use roles::message::{DataElements, MessageHeader, MessageProcessing as _};
use roles::mib::{MibAccess as _, MibAccessProxy};
use roles::notify::{Notifier, NotifierProxy, Statistics, UDP_DOMAIN, standard};
use roles::settings::{
    NotifyFilter, NotifySettings, NotifyTarget, Settings as _, SettingsProxy, write,
};
use roles::varbind::{Span, VarBinds, VarValue};
use s_sdk::{Activity, Buf, CallError};
use s_wire::{AnyPdu, PduKind, Version};

/// ifIndex.2 of linkDown.
const SHOWN: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 2];

const CONFIGURED: Configured<'static> = Configured {
    traps: 1,
    informs: 2,
    shown: SHOWN,
    // By the view, and by a filter of every target.
    hidden: &[&[1, 3, 6, 1, 4, 1, 666, 1, 0], &[1, 3, 6, 1, 4, 1, 667, 1, 0]],
};

/// A world where targets are as [`CONFIGURED`].
fn configured() -> World {
    let world = World::new();
    let filter = |subtree: &[u32], included| NotifyFilter {
        subtree: subtree.to_vec(),
        mask: vec![],
        included,
    };
    let filters = vec![filter(&[1], true), filter(&[1, 3, 6, 1, 4, 1, 667], false)];
    world.targets(&[("trap", false), ("inform", true), ("other", true)].map(|(name, inform)| {
        NotifyTarget { filters: filters.clone(), ..target(name, 1, inform) }
    }));
    world
}

impl World {
    /// What a message says, and what would acknowledge it.
    fn read(&self, sent: &world::Sent) -> Sent {
        let (_, pdu) = taken_apart(sent);
        let AnyPdu::Pdu(pdu) = pdu else { panic!("{pdu:?}") };
        let mut bindings = VarBinds::new();
        for bind in pdu.bindings {
            let (mut name, mut value) = ([0; 128], [0; 128]);
            let value = match bind.value {
                s_wire::Value::TimeTicks(ticks) => VarValue::TimeTicks(ticks),
                s_wire::Value::Oid(arcs) => VarValue::Oid(arcs.decode(&mut value)),
                s_wire::Value::Integer(number) => VarValue::Integer(number),
                other => panic!("{other:?}"),
            };
            bindings.push(bind.name.decode(&mut name), value).unwrap();
        }
        let acknowledgement = (pdu.kind == PduKind::Inform).then(|| {
            let (model, mut elements) = (self.model(Version::V2c), DataElements::default());
            let message = acknowledged(sent);
            let taken = self.act(|act| {
                model.prepare_data_elements(act, UDP_DOMAIN, THERE, &message, &mut elements)
            });
            Answer {
                header: taken.unwrap().header,
                domain: UDP_DOMAIN.to_vec(),
                address: THERE.to_vec(),
                pdu: elements.pdu.to_vec(),
            }
        });
        Sent { bindings, acknowledgement }
    }
}

impl Around for &World {
    fn deliver(&mut self) -> Vec<Sent> {
        World::deliver(self).iter().map(|sent| self.read(sent)).collect()
    }

    fn time_passes(&mut self) -> Vec<Sent> {
        World::time_passes(self).iter().map(|sent| self.read(sent)).collect()
    }

    fn tell_failures(&mut self, told: bool) {
        let snmp: MibAccessProxy = self.runtime.proxy("mib.snmp").unwrap();
        let mut binds = VarBinds::new();
        let value = VarValue::Integer(if told { 1 } else { 2 });
        binds.push(&[1, 3, 6, 1, 2, 1, 11, 30, 0], value).unwrap();
        self.act(|act| {
            let set = snmp.set_check(act, 3, b"tester", b"", &binds, Span::new(0, 1)).unwrap();
            snmp.set_apply(act, set, &binds, Span::new(0, 1)).unwrap();
            snmp.set_cleanup(act, set).unwrap();
        });
    }
}

fn held(world: &World, notifier: &dyn Notifier) -> Result<(), Broken> {
    let mut worker = world.runtime.worker();
    let mut around = world;
    suite(notifier, &CONFIGURED, &mut around, &mut |step| step(&worker.activity()))
}

#[test]
fn the_contract_of_notifications_holds() {
    let world = configured();
    held(&world, &world.notifier()).unwrap();
}

/// What an originator does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    CountsNoDrops,
    TakesAnything,
    TellsNobody,
    TellsWhatIsHidden,
    AddsABinding,
    HearsEverything,
    HearsNothing,
    TellsOfFailures,
}

/// The module, but for one thing.
struct Faulty(NotifierProxy, Fault);

impl Notifier for Faulty {
    fn notify(
        &self,
        act: &Activity,
        notification: &[u32],
        context_name: &[u8],
        bindings: &VarBinds,
    ) -> Result<(), CallError> {
        let Faulty(module, fault) = self;
        let mut shown = VarBinds::new();
        shown.push(SHOWN, VarValue::Integer(1))?;
        let tell = |id: &[u32], bindings| module.notify(act, id, context_name, bindings);
        match fault {
            Fault::TakesAnything => tell(notification, bindings).or(Ok(())),
            Fault::TellsNobody => tell(standard::AUTHENTICATION_FAILURE, bindings),
            Fault::TellsWhatIsHidden if bindings.len() == 1 => tell(notification, &shown),
            Fault::AddsABinding if bindings.len() == 1 => {
                shown.push(SHOWN, VarValue::Integer(2))?;
                tell(notification, &shown)
            }
            Fault::TellsOfFailures if notification == standard::AUTHENTICATION_FAILURE => {
                tell(standard::LINK_UP, bindings)
            }
            _ => tell(notification, bindings),
        }
    }

    fn answered(
        &self,
        act: &Activity,
        header: MessageHeader,
        transport_domain: &[u32],
        transport_address: &[u8],
        pdu: &[u8],
    ) -> Result<bool, CallError> {
        let Faulty(module, fault) = self;
        match fault {
            Fault::HearsNothing => Ok(false),
            Fault::HearsEverything => Ok(true),
            _ => module.answered(act, header, transport_domain, transport_address, pdu),
        }
    }

    fn statistics(&self, act: &Activity) -> Result<Statistics, CallError> {
        let Faulty(module, fault) = self;
        let statistics = module.statistics(act)?;
        let dropped = if *fault == Fault::CountsNoDrops { 0 } else { statistics.dropped };
        Ok(Statistics { dropped, ..statistics })
    }
}

#[test]
fn the_suite_names_the_sentence_that_an_originator_breaks() {
    for (fault, sentence) in [
        (Fault::CountsNoDrops, 1),
        (Fault::TakesAnything, 1),
        (Fault::TellsNobody, 2),
        (Fault::TellsWhatIsHidden, 2),
        (Fault::AddsABinding, 3),
        (Fault::HearsEverything, 4),
        (Fault::HearsNothing, 4),
        (Fault::TellsOfFailures, 5),
    ] {
        let world = configured();
        let broken = held(&world, &Faulty(world.notifier(), fault)).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{fault:?}: {broken}");
    }
}

/// The tables, without the spin lock.
const TABLES: [&[u32]; 5] = [
    &[1, 3, 6, 1, 6, 3, 12, 1, 2],
    &[1, 3, 6, 1, 6, 3, 12, 1, 3],
    &[1, 3, 6, 1, 6, 3, 13, 1, 1],
    &[1, 3, 6, 1, 6, 3, 13, 1, 2],
    &[1, 3, 6, 1, 6, 3, 13, 1, 3],
];

fn settings(targets: &[NotifyTarget]) -> Vec<u8> {
    write(&NotifySettings { targets: targets.to_vec() })
}

#[test]
fn the_contract_of_settings_holds() {
    let world = World::new();
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    world.act(|act| make_all(&mib, act));
    let one = settings(&[target("one", 1, false), target("both", 1, true)]);
    let other = settings(&[target("both", 3, true)]);
    let twice = settings(&[target("one", 1, false), target("one", 3, true)]);
    let documents = Documents { one: &one, other: &other, wrong: &[&twice] };
    kept::settings_hold(world.runtime, "notify", &documents, &TABLES, true);
}

#[test]
fn the_contract_of_what_is_kept_holds() {
    let world = World::new();
    let mib: MibAccessProxy = world.runtime.proxy("notify").unwrap();
    let proxy: SettingsProxy = world.runtime.proxy("notify").unwrap();
    let configured = settings(&[target("configured", 1, false)]);
    kept::keeping_holds(
        world.runtime,
        "notify",
        &TABLES,
        &mut |act| make_all(&mib, act),
        &mut |act| assert_eq!(proxy.apply(act, &configured, &mut Buf::new()), Ok(0)),
    );
}
