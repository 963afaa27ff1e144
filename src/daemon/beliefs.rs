//! What the hub believes of every real server, folded from the reports of the checks.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use jiff::Timestamp;

use super::checks::{Question, Report, ServerId};
use crate::check::Failure;
use crate::config::{Config, RealServer, VirtualService};
use crate::desired::{self, Belief};
use crate::health::{Health, combine};
use crate::ipvs::Table;

/// Every real server of every virtual service, and what the kernel held when belief began.
#[derive(Debug, Default)]
pub(super) struct Beliefs {
    servers: BTreeMap<ServerId, Server>,
    /// The weights that adopted servers keep.
    found: Table,
}

/// One real server of one virtual service.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// What its checks say, in the order of the configuration.
    pub(super) checks: Vec<Check>,
    /// What they say together.
    pub(super) health: Health,
    /// When `health` last changed.
    pub(super) since: Timestamp,
    /// Carried traffic when belief began.
    adopted: bool,
}

/// What is known from one check.
#[derive(Debug, Clone)]
pub(super) struct Check {
    question: Question,
    /// Reports of an earlier generation are about a check that was removed and added again.
    generation: Option<u64>,
    pub(super) last: Option<Report>,
    pub(super) last_failure: Option<LastFailure>,
}

/// The last probe that failed, however long ago.
#[derive(Debug, Clone)]
pub(super) struct LastFailure {
    pub(super) at: SystemTime,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// A real server changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: Health,
    pub(super) to: Health,
    /// Stable word and sentence for people.
    pub(super) cause: (&'static str, String),
}

impl Check {
    /// Nothing is known from it yet.
    fn new(question: Question) -> Self {
        Self { question, generation: None, last: None, last_failure: None }
    }

    fn health(&self) -> Health {
        self.last.as_ref().map_or(Health::Unknown, |report| report.health)
    }
}

impl Server {
    fn new(questions: Vec<Question>, adopted: bool, since: Timestamp) -> Self {
        let checks: Vec<_> = questions.into_iter().map(Check::new).collect();
        let health = combine(checks.iter().map(Check::health));
        Self { checks, health, since, adopted }
    }

    /// Has these checks from now on. What asks the same as before, at the same place, is the same.
    fn reconfigure(&mut self, questions: Vec<Question>, now: Timestamp) -> Option<Change> {
        let mut before = std::mem::take(&mut self.checks).into_iter();
        let checks = questions.into_iter().map(|question| match before.next() {
            Some(check) if check.question == question => check,
            Some(_) | None => Check::new(question),
        });
        self.checks = checks.collect();
        self.judge(now, || ("reload", "its checks were changed".to_owned()))
    }

    /// What its checks say together now; a change when that is news.
    fn judge(
        &mut self,
        now: Timestamp,
        cause: impl FnOnce() -> (&'static str, String),
    ) -> Option<Change> {
        let health = combine(self.checks.iter().map(Check::health));
        if health == self.health {
            return None;
        }
        let from = std::mem::replace(&mut self.health, health);
        self.since = now;
        Some(Change { from, to: health, cause: cause() })
    }

    fn belief(&self) -> Belief {
        match self.health {
            Health::Up => Belief::Up,
            Health::Down => Belief::Down,
            Health::Unknown if self.adopted => Belief::Adopted,
            Health::Unknown => Belief::New,
        }
    }
}

impl Beliefs {
    /// Makes the servers those of `config`. Known ones keep what is known of them; one that is new, or
    /// gets another check, counts as adopted where the table in force sends it traffic. Answers whose
    /// state that changes.
    pub(super) fn configure(
        &mut self,
        config: &Config,
        in_force: Table,
        now: Timestamp,
    ) -> Vec<(ServerId, Change)> {
        let mut changes = Vec::new();
        let mut before = std::mem::take(&mut self.servers);
        let servers = config.services.iter().flat_map(|service| {
            service.real_servers.iter().map(move |real_server| (service, real_server))
        });
        let servers = servers.map(|(service, real_server)| {
            let id = ServerId::of(&service.name, real_server);
            let adopted = desired::carries_traffic(&in_force, service, real_server);
            let checks = service.checks.iter();
            let questions = checks.map(|check| Question::of(service, real_server, check)).collect();
            let Some(mut known) = before.remove(&id) else {
                return (id, Server::new(questions, adopted, now));
            };
            let change = known.reconfigure(questions, now);
            changes.extend(change.map(|change| (id.clone(), change)));
            (id, Server { adopted, ..known })
        });
        // Collected, not inserted one by one, for that builds a tree with half the memory.
        self.servers = servers.collect();
        self.found = in_force;
        changes
    }

    /// Checks that are new since the last call were started as `generation`.
    pub(super) fn started(&mut self, generation: u64) {
        for check in self.servers.values_mut().flat_map(|server| &mut server.checks) {
            check.generation.get_or_insert(generation);
        }
    }

    /// Whether nothing has been configured yet.
    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Takes one report; says so when it changes the server's state. Reports on what is no longer
    /// configured are passed over.
    pub(super) fn observe(&mut self, report: Report) -> Option<Change> {
        let server = self.servers.get_mut(&report.id.server)?;
        let index = report.id.index;
        let check = server.checks.get_mut(index)?;
        if check.generation.is_some_and(|started| report.generation < started) {
            return None;
        }
        let cause = cause(&report);
        if let Err(failure) = &report.outcome {
            check.last_failure = Some(last_failure(&report, failure));
        }
        check.last = Some(report);
        server.judge(Timestamp::now(), || cause)
    }

    /// What is known of one server.
    pub(super) fn server(&self, id: &ServerId) -> Option<&Server> {
        self.servers.get(id)
    }

    /// Servers that count as adopted: their first result decides.
    pub(super) fn adopted(&self) -> HashSet<ServerId> {
        let adopted = self.servers.iter().filter(|(_, server)| server.adopted);
        adopted.map(|(id, _)| id.clone()).collect()
    }

    /// Whether every server is known to be up or down.
    pub(super) fn settled(&self) -> bool {
        self.servers.values().all(|server| server.health != Health::Unknown)
    }

    /// The table the kernel should hold.
    pub(super) fn table(&self, config: &Config) -> Table {
        desired::table(config, &self.found, |service, real_server| {
            self.belief(service, real_server)
        })
    }

    fn belief(&self, service: &VirtualService, real_server: &RealServer) -> Belief {
        let server = self.servers.get(&ServerId::of(&service.name, real_server));
        server.map_or(Belief::New, Server::belief)
    }
}

/// Why a report changes what we believe: its own words, and how many alike came in a row.
fn cause(report: &Report) -> (&'static str, String) {
    let times = report.streak.unsigned_abs();
    match &report.outcome {
        Ok(success) => ("check_passed", format!("{} ({times} in a row)", success.detail)),
        Err(failure) => (failure.code(), format!("{failure} ({times} in a row)")),
    }
}

fn last_failure(report: &Report, failure: &Failure) -> LastFailure {
    LastFailure { at: report.at, code: failure.code(), detail: failure.to_string() }
}

#[cfg(test)]
mod tests;
