use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::super::{
    Forwarding, Kernel, KernelError, Observed, Protocol, Refusal, Scheduler, VirtualService, sync,
};
use super::*;

/// The kernel, as a table that refuses what the real one refuses.
#[derive(Clone, Default)]
struct Fake {
    observed: Observed,
    /// A port that it has a grudge against.
    hates: Option<u16>,
    /// A scheduler whose module it lacks.
    lacks: Option<&'static str>,
}

impl Fake {
    fn holding(table: Table) -> Self {
        Self { observed: Observed { table, ..Observed::default() }, ..Self::default() }
    }

    fn take(&mut self, step: &Step) -> Result<(), i32> {
        let table = &mut self.observed.table;
        let lacks = self.lacks;
        let known = |s: &Service| {
            if lacks == Some(s.scheduler.as_str()) { Err(libc::ENOENT) } else { Ok(()) }
        };
        match step.clone() {
            Step::NewDest(_, at, _) if self.hates == Some(at.port()) => Err(libc::ENOMEM),
            Step::NewService(k, _) if table.contains_key(&k) => Err(libc::EEXIST),
            Step::NewService(k, settings) => {
                known(&settings)?;
                table.insert(k, VirtualService { settings, destinations: BTreeMap::new() });
                Ok(())
            }
            Step::SetService(k, settings) => {
                known(&settings)?;
                table.get_mut(&k).map(|v| v.settings = settings).ok_or(libc::ESRCH)?;
                self.observed.altered.services.remove(&k);
                Ok(())
            }
            Step::DelService(k) => table.remove(&k).map(drop).ok_or(libc::ESRCH),
            Step::NewDest(k, at, d) => {
                let v = table.get_mut(&k).ok_or(libc::ESRCH)?;
                v.destinations.insert(at, d).map_or(Ok(()), |_| Err(libc::EEXIST))
            }
            Step::SetDest(k, at, d) => {
                let v = table.get_mut(&k).ok_or(libc::ESRCH)?;
                *v.destinations.get_mut(&at).ok_or(libc::ENOENT)? = d;
                self.observed.altered.destinations.remove(&(k, at));
                Ok(())
            }
            Step::DelDest(k, at) => {
                let v = table.get_mut(&k).ok_or(libc::ESRCH)?;
                v.destinations.remove(&at).map(drop).ok_or(libc::ENOENT)
            }
        }
    }
}

impl Kernel for Fake {
    fn observe(&mut self) -> Result<Observed, KernelError> {
        Ok(self.observed.clone())
    }
    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)> {
        let take = |(place, step)| {
            self.take(step).err().map(|errno| (place, Refusal::of(errno, step).into()))
        };
        steps.iter().enumerate().filter_map(take).collect()
    }
}

// Small domains, so that keys collide and steps actually meet each other.
fn any_table() -> impl Strategy<Value = Table> {
    let addr = |net: u8| {
        (0..4_u8, 80..82_u16)
            .prop_map(move |(h, p)| SocketAddr::from((Ipv4Addr::new(192, 0, net, h), p)))
    };
    let forwarding = prop_oneof![Just(Forwarding::Masquerade), Just(Forwarding::DirectRoute)];
    let dest = (0..3_u16, forwarding).prop_map(|(weight, f)| Destination { weight, forwarding: f });
    let dests = prop::collection::btree_map(addr(2), dest, 0..4);
    let persistence = prop::option::of((1..3_u64).prop_map(Duration::from_secs));
    let settings = (prop_oneof![Just("rr"), Just("wlc")], persistence)
        .prop_map(|(s, persistence)| Service { scheduler: Scheduler::observed(s), persistence });
    let service = (settings, dests)
        .prop_map(|(settings, destinations)| VirtualService { settings, destinations });
    let key = addr(0).prop_map(|at| ServiceKey::Address(Protocol::Tcp, at));
    prop::collection::btree_map(key, service, 0..5)
}

fn altered_of(table: &Table) -> Altered {
    let destinations =
        table.iter().flat_map(|(&k, v)| v.destinations.keys().map(move |&at| (k, at)));
    Altered { services: table.keys().copied().collect(), destinations: destinations.collect() }
}

fn owning(table: Table, owned: &Table) -> Desired {
    Desired { table, owned: owned.keys().copied().collect() }
}

proptest! {
    #[test]
    fn applying_a_plan_reaches_the_desired_table(
        want in any_table(),
        have in any_table(),
        altered in any::<bool>(),
    ) {
        let desired = owning(want, &have);
        let mut kernel = Fake::holding(have.clone());
        if altered {
            kernel.observed.altered = altered_of(&have);
        }
        for step in plan(&desired, &have, &kernel.observed.altered) {
            prop_assert_eq!(kernel.take(&step), Ok(()), "{:?}", step);
        }
        prop_assert_eq!(&kernel.observed.table, &desired.table);
        let Observed { table, altered, .. } = &kernel.observed;
        // What was deleted cannot be altered any longer.
        prop_assert_eq!(plan(&desired, table, altered), vec![]);
    }

    #[test]
    fn growth_comes_before_shrinkage(want in any_table(), have in any_table()) {
        let shrinks = |s: &Step| matches!(s, Step::DelService(_) | Step::DelDest(..));
        let steps = plan(&owning(want, &have), &have, &Altered::default());
        prop_assert!(steps.is_sorted_by_key(shrinks));
    }

    #[test]
    fn foreign_services_survive(want in any_table(), have in any_table()) {
        let desired = owning(want, &Table::new());
        let steps = plan(&desired, &have, &altered_of(&have));
        prop_assert!(steps.iter().all(|s| desired.table.contains_key(&s.service())));
        let foreign = have.keys().filter(|k| !desired.table.contains_key(k)).count();
        prop_assert_eq!(desired.foreign(&have), foreign);
    }

    #[test]
    fn what_stays_is_never_deleted_on_the_way(want in any_table(), have in any_table()) {
        let desired = owning(want, &have);
        for step in plan(&desired, &have, &Altered::default()) {
            match step {
                Step::DelService(k) => prop_assert!(!desired.table.contains_key(&k)),
                Step::DelDest(k, at) => {
                    prop_assert!(!desired.table[&k].destinations.contains_key(&at));
                }
                Step::NewService(..) | Step::SetService(..) | Step::NewDest(..)
                | Step::SetDest(..) => {}
            }
        }
    }
}

fn one_service(scheduler: &str) -> (ServiceKey, Table) {
    let at = |p| SocketAddr::from((Ipv4Addr::LOCALHOST, p));
    let d = Destination { weight: 1, forwarding: Forwarding::Masquerade };
    let settings = Service { scheduler: Scheduler::observed(scheduler), persistence: None };
    let destinations = BTreeMap::from([(at(80), d), (at(81), d), (at(82), d)]);
    let key = ServiceKey::Address(Protocol::Tcp, at(443));
    (key, Table::from([(key, VirtualService { settings, destinations })]))
}

#[test]
fn one_refused_step_does_not_stop_the_rest() {
    let (_, table) = one_service("rr");
    let desired = Desired { table, ..Desired::default() };
    let mut kernel = Fake { hates: Some(81), ..Fake::default() };
    let report = sync(&mut kernel, &desired).unwrap();
    assert_eq!((report.applied.len(), report.failed.len()), (3, 1));
    assert_eq!(
        report.failed[0].0.to_string(),
        "add 127.0.0.1:81 to 127.0.0.1:443/tcp: nat, weight 1"
    );
}

#[test]
fn a_missing_scheduler_is_told_once_with_its_remedy() {
    let (_, table) = one_service("mh");
    let desired = Desired { table, ..Desired::default() };
    let mut kernel = Fake { lacks: Some("mh"), ..Fake::default() };
    let report = sync(&mut kernel, &desired).unwrap();
    let [(step, error)] = report.failed.as_slice() else { panic!("{:?}", report.failed) };
    assert_eq!(step.to_string(), "add virtual service 127.0.0.1:443/tcp: scheduler mh");
    assert_eq!(error.remedy().unwrap(), "load it with `modprobe ip_vs_mh`");
    assert!(report.applied.is_empty());
}

#[test]
fn new_settings_are_set_in_place() {
    let (key, mut table) = one_service("rr");
    let have = table.clone();
    let service = table.get_mut(&key).unwrap();
    service.settings.scheduler = Scheduler::named("wlc").unwrap();
    service.settings.persistence = Some(Duration::from_secs(50));
    let settings = service.settings.clone();
    let desired = Desired { table, ..Desired::default() };
    let steps = plan(&desired, &have, &Altered::default());
    assert_eq!(steps, [Step::SetService(key, settings)]);
    assert_eq!(
        steps[0].to_string(),
        "change virtual service 127.0.0.1:443/tcp: scheduler wlc, persistence 50 s"
    );
}
