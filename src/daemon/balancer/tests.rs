//! The thread on a table that stands for the kernel's, which tests change behind its back.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::*;
use crate::ipvs::{Refusal, Scheduler, Service, ServiceKey, VirtualService};
use crate::net::Family;

#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    table: Table,
    missing: bool,
    writes: usize,
    /// How long a write takes.
    writing: Duration,
}

impl Kernel for Fake {
    fn observe(&mut self) -> Result<Observed, KernelError> {
        let state = self.0.lock().unwrap();
        let table = state.table.clone();
        if state.missing {
            Err(KernelError::Missing)
        } else {
            Ok(Observed { table, ..Observed::default() })
        }
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)> {
        let mut state = self.0.lock().unwrap();
        take(state.writing);
        let mut refused = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            state.writes += 1;
            match step {
                Step::NewService(_, service) if service.scheduler.as_str() == "mh" => {
                    refused.push((place, Refusal::of(libc::ENOENT, step).into()));
                }
                Step::NewService(key, settings) => {
                    let destinations = BTreeMap::new();
                    let service = VirtualService { settings: settings.clone(), destinations };
                    state.table.insert(*key, service);
                }
                Step::DelService(key) => drop(state.table.remove(key)),
                Step::SetService(..)
                | Step::NewDest(..)
                | Step::SetDest(..)
                | Step::DelDest(..) => {
                    panic!("not expected here: {step}")
                }
            }
        }
        refused
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the balancer's thread blocks in the real kernel too"
)]
fn take(time: Duration) {
    std::thread::sleep(time);
}

fn mark(mark: u32) -> ServiceKey {
    ServiceKey::Fwmark(Family::Ipv4, NonZeroU32::new(mark).unwrap())
}

fn table(entries: &[(u32, &str)]) -> Table {
    let service = |scheduler| VirtualService {
        settings: Service { scheduler: Scheduler::observed(scheduler), persistence: None },
        destinations: BTreeMap::new(),
    };
    entries.iter().map(|&(number, scheduler)| (mark(number), service(scheduler))).collect()
}

fn desired(entries: &[(u32, &str)]) -> Desired {
    Desired { table: table(entries), owned: BTreeSet::new() }
}

async fn next(reports: &mut mpsc::Receiver<Report>) -> Report {
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, reports.recv()).await.expect("a report").expect("a thread")
}

async fn synced(reports: &mut mpsc::Receiver<Report>) -> (Table, usize, usize, Trigger) {
    let report = next(reports).await;
    let Report::Synced { observed, applied, failed, trigger, .. } = report else {
        panic!("{report:?}")
    };
    (observed.table.clone(), applied.len(), failed.len(), trigger)
}

async fn adopted(reports: &mut mpsc::Receiver<Report>) -> Table {
    let report = next(reports).await;
    let Report::Adopted { table } = report else { panic!("{report:?}") };
    table
}

#[tokio::test]
async fn what_is_found_is_told_and_left_alone_until_something_is_wanted() {
    let kernel = Fake::default();
    kernel.0.lock().unwrap().table = table(&[(9, "rr")]);
    let (sender, mut reports) = mpsc::channel(8);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    assert_eq!(adopted(&mut reports).await, table(&[(9, "rr")]));
    let mut picture = balancer.observed();
    picture.wait_for(|o| o.table == table(&[(9, "rr")])).await.unwrap();
    assert_eq!(kernel.0.lock().unwrap().writes, 0);
    balancer.want(Arc::new(desired(&[(1, "rr")])));
    let (after, applied, failed, trigger) = synced(&mut reports).await;
    assert_eq!((applied, failed, trigger), (1, 0, Trigger::Wanted));
    assert_eq!(after, table(&[(1, "rr"), (9, "rr")]));
    assert_eq!(desired(&[(1, "rr")]).foreign(&after), 1);
}

/// Empties the table once it is as desired, and takes the repair.
async fn cleared_and_repaired(kernel: Fake) {
    let (sender, mut reports) = mpsc::channel(8);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    adopted(&mut reports).await;
    balancer.want(Arc::new(desired(&[(1, "rr")])));
    synced(&mut reports).await;
    kernel.0.lock().unwrap().table.clear();
    let repaired = tokio::time::timeout(Duration::from_secs(1), synced(&mut reports)).await;
    assert_eq!(repaired.expect("in time"), (table(&[(1, "rr")]), 1, 0, Trigger::Drift));
}

#[tokio::test]
async fn drift_is_repaired_within_a_second() {
    cleared_and_repaired(Fake::default()).await;
}

#[tokio::test]
async fn a_slow_write_does_not_put_off_the_next_look() {
    let kernel = Fake::default();
    kernel.0.lock().unwrap().writing = Duration::from_millis(200);
    cleared_and_repaired(kernel).await;
}

#[tokio::test]
async fn the_same_refusal_is_told_once() {
    let kernel = Fake::default();
    let (sender, mut reports) = mpsc::channel(8);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    adopted(&mut reports).await;
    balancer.want(Arc::new(desired(&[(1, "mh")])));
    assert_eq!(synced(&mut reports).await, (Table::new(), 0, 1, Trigger::Wanted));
    let quiet = tokio::time::timeout(Duration::from_millis(700), reports.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(kernel.0.lock().unwrap().writes >= 2, "not tried again");
    balancer.want(Arc::new(desired(&[])));
    assert_eq!(synced(&mut reports).await, (Table::new(), 0, 0, Trigger::Wanted));
}

#[tokio::test]
async fn a_kernel_without_ipvs_is_told_once_and_watched_for() {
    let kernel = Fake::default();
    kernel.0.lock().unwrap().missing = true;
    let (sender, mut reports) = mpsc::channel(8);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    let first = next(&mut reports).await;
    assert!(matches!(first, Report::Failed { error: KernelError::Missing }), "{first:?}");
    // A wish does not jump over the adoption.
    balancer.want(Arc::new(desired(&[(1, "rr")])));
    kernel.0.lock().unwrap().missing = false;
    assert_eq!(adopted(&mut reports).await, Table::new());
    let then = next(&mut reports).await;
    assert!(matches!(then, Report::Recovered), "{then:?}");
    assert_eq!(synced(&mut reports).await.1, 1);
}

#[tokio::test]
async fn a_slow_receiver_neither_blocks_the_thread_nor_loses_the_first_report() {
    let kernel = Fake::default();
    let (sender, mut reports) = mpsc::channel(1);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    let mut picture = balancer.observed();
    for number in 1..100 {
        balancer.want(Arc::new(desired(&[(number, "rr")])));
        picture.wait_for(|o| o.table.contains_key(&mark(number))).await.unwrap();
    }
    adopted(&mut reports).await;
    let told = synced(&mut reports).await;
    assert_eq!((told.1, told.3), (1, Trigger::Wanted));
}

#[tokio::test]
async fn stopping_leaves_the_table() {
    let kernel = Fake::default();
    let (sender, mut reports) = mpsc::channel(8);
    let balancer = start_on(kernel.clone(), sender).unwrap();
    adopted(&mut reports).await;
    balancer.want(Arc::new(desired(&[(1, "rr")])));
    synced(&mut reports).await;
    balancer.stop();
    assert_eq!(kernel.0.lock().unwrap().table, table(&[(1, "rr")]));
    assert!(reports.recv().await.is_none());
}

#[test]
fn a_full_outbox_drops_the_oldest_round_and_says_so() {
    let (sender, mut reports) = mpsc::channel(100);
    let mut outbox = outbox::Outbox::new(sender);
    assert!(outbox.push(Report::Adopted { table: Table::new() }));
    let synced = |number: u64| Report::Synced {
        observed: Arc::default(),
        applied: Plan::new(),
        failed: Vec::new(),
        trigger: Trigger::Drift,
        took: Duration::from_secs(number),
    };
    assert!((1..64).all(|number| outbox.push(synced(number))));
    assert!(!outbox.push(synced(64)));
    assert!(outbox.flush().unwrap());
    assert!(matches!(reports.try_recv().unwrap(), Report::Adopted { .. }));
    let second = Duration::from_secs(2);
    assert!(matches!(reports.try_recv().unwrap(), Report::Synced { took, .. } if took == second));
    drop(reports);
    assert!(outbox.flush().is_err());
}
