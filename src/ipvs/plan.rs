//! The difference between two tables, as steps. Pure: no kernel, no clock, no logging.

use std::collections::BTreeSet;
use std::fmt;

use super::{Destination, DestinationKey, Service, ServiceKey, Table};

/// One change to the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after IPVS_CMD_*")]
pub enum Step {
    NewService(ServiceKey, Service),
    SetService(ServiceKey, Service),
    DelService(ServiceKey),
    NewDest(ServiceKey, DestinationKey, Destination),
    SetDest(ServiceKey, DestinationKey, Destination),
    DelDest(ServiceKey, DestinationKey),
}

impl Step {
    /// The virtual service it concerns.
    pub const fn service(&self) -> ServiceKey {
        match *self {
            Self::NewService(key, _)
            | Self::SetService(key, _)
            | Self::DelService(key)
            | Self::NewDest(key, ..)
            | Self::SetDest(key, ..)
            | Self::DelDest(key, _) => key,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = |f: &mut fmt::Formatter<'_>, verb, key, service: &Service| {
            write!(f, "{verb} virtual service {key}: scheduler {}", service.scheduler)?;
            service.persistence.map_or(Ok(()), |p| write!(f, ", persistence {} s", p.as_secs()))
        };
        match self {
            Self::NewService(key, settings) => service(f, "add", key, settings),
            Self::SetService(key, settings) => service(f, "change", key, settings),
            Self::DelService(key) => write!(f, "remove virtual service {key}"),
            Self::NewDest(key, at, to) => {
                write!(f, "add {at} to {key}: {}, weight {}", to.forwarding, to.weight)
            }
            Self::SetDest(key, at, to) => {
                write!(f, "change {at} of {key}: {}, weight {}", to.forwarding, to.weight)
            }
            Self::DelDest(key, at) => write!(f, "remove {at} from {key}"),
        }
    }
}

/// Steps in the order they must run.
pub type Plan = Vec<Step>;

/// What the kernel's table should be, and how far our authority over it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The virtual services that should be there, exactly as they should be.
    pub table: Table,
    /// Services that are ours to delete when `table` lacks them.
    pub owned: BTreeSet<ServiceKey>,
}

impl Desired {
    /// How many services of `observed` are foreign: neither wanted nor owned.
    pub fn foreign(&self, observed: &Table) -> usize {
        let ours = |key| self.table.contains_key(key) || self.owned.contains(key);
        observed.keys().filter(|key| !ours(key)).count()
    }
}

/// Entries that somebody gave settings which [`Table`] cannot express and Diarch never makes:
/// connection thresholds, scheduler flags, a persistence engine or netmask, a tunnel type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Altered {
    /// Such virtual services.
    pub services: BTreeSet<ServiceKey>,
    /// Such destinations.
    pub destinations: BTreeSet<(ServiceKey, DestinationKey)>,
}

/// Computes what turns `observed` into `desired`.
///
/// Growth comes before shrinkage, so that capacity never dips on the way; deleting a
/// service takes its destinations along. Settings are changed in place, never by deleting.
/// Services that are neither desired nor owned are left alone.
pub fn plan(desired: &Desired, observed: &Table, altered: &Altered) -> Plan {
    let mut grow = Plan::new();
    let mut shrink = Plan::new();
    for (&key, want) in &desired.table {
        let have = observed.get(&key);
        match have {
            None => grow.push(Step::NewService(key, want.settings.clone())),
            Some(have) if have.settings != want.settings || altered.services.contains(&key) => {
                grow.push(Step::SetService(key, want.settings.clone()));
            }
            Some(_) => {}
        }
        for (&at, &to) in &want.destinations {
            match have.and_then(|have| have.destinations.get(&at)) {
                None => grow.push(Step::NewDest(key, at, to)),
                Some(&old) if old != to || altered.destinations.contains(&(key, at)) => {
                    grow.push(Step::SetDest(key, at, to));
                }
                Some(_) => {}
            }
        }
        let gone = have.into_iter().flat_map(|have| have.destinations.keys());
        let gone = gone.filter(|at| !want.destinations.contains_key(at));
        shrink.extend(gone.map(|&at| Step::DelDest(key, at)));
    }
    let orphan =
        |key: &&ServiceKey| !desired.table.contains_key(key) && desired.owned.contains(key);
    shrink.extend(observed.keys().filter(orphan).map(|&key| Step::DelService(key)));
    grow.append(&mut shrink);
    grow
}

#[cfg(test)]
mod tests;
