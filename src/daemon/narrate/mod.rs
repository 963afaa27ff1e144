//! From reports to events: what happened, in an operator's words.

mod election;

use jiff::Timestamp;

pub(super) use election::election;

use super::balancer::Trigger;
use super::beliefs::Change;
use super::chain;
use super::checks::ServerId;
use super::hub::{KernelState, Synced};
use super::journal::Journal;
use super::owned::OwnedError;
use super::snapshot::{object, state};
use crate::config::{Config, Problem};
use crate::health::Health;
use crate::ipvs::{KernelError, Step};
use crate::status::{Kind, ServiceState};

/// Steps spelt out in one event; the rest is a number.
const STEPS_TOLD: usize = 5;

/// A real server went up or down.
pub(super) fn real_server(journal: &mut Journal, config: &Config, id: &ServerId, change: &Change) {
    let kind = match change.to {
        Health::Up => Kind::RealServerUp,
        Health::Down => Kind::RealServerDown,
        Health::Unknown => Kind::RealServerUnknown,
    };
    let (code, detail) = change.cause.clone();
    let words = (state(change.from).name(), state(change.to).name());
    journal.record(kind, name(config, id), |event| {
        event.changed(words.0, words.1).because(code, detail)
    });
}

fn name(config: &Config, id: &ServerId) -> String {
    let service = config.services.iter().find(|service| service.name == id.service);
    let found = service.and_then(|service| {
        let mut servers = service.real_servers.iter();
        let server =
            servers.find(|server| server.address == id.address && server.port == id.port)?;
        Some(object(service, server))
    });
    found.unwrap_or_else(|| format!("service/{}/{}", id.service, id.address))
}

/// A virtual service is served better or worse than before. Not knowing yet is no event.
pub(super) fn service(journal: &mut Journal, name: &str, from: ServiceState, to: ServiceState) {
    let (kind, detail) = match to {
        _ if from == to => return,
        ServiceState::Up => (Kind::ServiceUp, "all real servers are up"),
        ServiceState::Degraded => (Kind::ServiceDegraded, "not all real servers are up"),
        ServiceState::Down => (Kind::ServiceDown, "no real server is up: clients are refused"),
        ServiceState::Unknown => return,
    };
    journal.record(kind, format!("service/{name}"), |event| {
        event.changed(from.name(), to.name()).because("real_servers", detail)
    });
}

/// The kernel was changed, all or in part. Returns whether that repaired what somebody else had changed.
pub(super) fn synced(journal: &mut Journal, kernel: &mut KernelState, synced: &Synced) -> bool {
    let Synced { applied, failed, trigger, took, .. } = synced;
    let drift = *trigger == Trigger::Drift && !applied.is_empty();
    if drift {
        let detail = format!("put right: {}", steps(applied));
        journal.record(Kind::KernelDrift, "kernel", |event| {
            event.because("changed_by_another_program", detail)
        });
    } else if !applied.is_empty() {
        let took_ms = took.as_secs_f64() * 1e3;
        tracing::info!(steps = applied.len(), took_ms, "kernel table changed");
    }
    match failed.as_slice() {
        [] => kernel_recovered(journal, kernel),
        [(step, error), rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                count => format!(" (and {count} more)"),
            };
            let text = format!("cannot {step}: {}{more}", kernel_error(error));
            kernel_failed(journal, kernel, "refused", text);
        }
    }
    drift
}

/// What the kernel said, and what can be done about it.
pub(super) fn kernel_error(error: &KernelError) -> String {
    let remedy = error.remedy().map_or(String::new(), |remedy| format!(" ({remedy})"));
    format!("{}{remedy}", chain(error))
}

/// The kernel refuses, or cannot be read. Told once as long as it is the same refusal.
pub(super) fn kernel_failed(
    journal: &mut Journal,
    kernel: &mut KernelState,
    code: &'static str,
    error: String,
) {
    if kernel.error.as_ref().is_some_and(|(known, _)| *known == error) {
        return;
    }
    journal.record(Kind::KernelError, "kernel", |event| event.because(code, error.clone()));
    kernel.error = Some((error, Timestamp::now()));
}

/// The kernel does as it is told again.
pub(super) fn kernel_recovered(journal: &mut Journal, kernel: &mut KernelState) {
    if let Some((error, _)) = kernel.error.take() {
        journal.record(Kind::KernelInSync, "kernel", |event| {
            event.because("recovered", format!("no longer: {error}"))
        });
    }
}

/// The list of own services cannot be kept: a crash now would leave services that nobody owns.
pub(super) fn state_file(journal: &mut Journal, error: &OwnedError) {
    journal.record(Kind::Other("state.error".to_owned()), "daemon", |event| {
        event.because("state_file", chain(error))
    });
}

/// `/etc/diarch/diarch.toml:15:13: unknown scheduler`.
pub(super) fn config_problem(problem: &Problem) -> String {
    let Problem { file, line, column, title, .. } = problem;
    format!("{}:{line}:{column}: {title}", file.display())
}

fn steps(steps: &[Step]) -> String {
    let told: Vec<_> = steps.iter().take(STEPS_TOLD).map(ToString::to_string).collect();
    let more = steps.len().saturating_sub(STEPS_TOLD);
    let told = told.join("; ");
    if more == 0 { told } else { format!("{told}; and {more} more") }
}
