//! Applies plans. The only caller of [`Kernel`], and the only place where order meets failure.

use std::collections::BTreeSet;

use super::{Altered, Desired, KernelError, Plan, Refusal, ServiceKey, Step, Table, Traffic, plan};

/// The IPVS operations the synchroniser needs. Real: generic netlink. Tests: a table.
pub trait Kernel {
    /// Reads the whole table.
    ///
    /// # Errors
    /// When there is no IPVS, or no answer.
    fn observe(&mut self) -> Result<Observed, KernelError>;

    /// Makes changes in order. Returns those that were not made, by their place in `steps`; one
    /// that is refused does not stop the others.
    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)>;
}

/// What the kernel holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Version of IPVS, such as `(1, 2, 1)`; `None` before it is asked.
    pub version: Option<(u8, u8, u8)>,
    /// Services and destinations.
    pub table: Table,
    /// Their connections.
    pub traffic: Traffic,
    /// Entries with settings that the table does not express.
    pub altered: Altered,
}

/// Outcome of one synchronisation.
#[derive(Debug, Default)]
pub struct Report {
    /// The table as it was before.
    pub observed: Observed,
    /// Steps the kernel took.
    pub applied: Plan,
    /// Steps it did not take. The next round observes afresh and tries again.
    pub failed: Vec<(Step, KernelError)>,
}

/// Observes, plans and applies once. A refused step does not stop the others.
///
/// # Errors
/// Only when the table cannot be read; nothing has been changed then.
pub fn sync<K: Kernel>(kernel: &mut K, desired: &Desired) -> Result<Report, KernelError> {
    let observed = kernel.observe()?;
    let steps = plan(desired, &observed.table, &observed.altered);
    let mut report = Report { observed, ..Report::default() };
    if steps.is_empty() {
        return Ok(report);
    }
    let refused = kernel.apply(&steps);
    if refused.is_empty() {
        return Ok(Report { applied: steps, ..report });
    }
    let mut refused = refused.into_iter().peekable();
    for (place, step) in steps.into_iter().enumerate() {
        match refused.next_if(|(at, _)| *at == place) {
            Some((_, error)) => report.failed.push((step, error)),
            None => report.applied.push(step),
        }
    }
    drop_consequences(&mut report.failed);
    Ok(report)
}

/// Leaves out the destinations of services that the kernel did not take: their refusal says nothing.
fn drop_consequences(failed: &mut Vec<(Step, KernelError)>) {
    let missing: BTreeSet<ServiceKey> = failed
        .iter()
        .filter(|(step, _)| matches!(step, Step::NewService(..)))
        .map(|(step, _)| step.service())
        .collect();
    failed.retain(|(step, error)| {
        let homeless = matches!(error, KernelError::Refused(Refusal::NoService));
        !(homeless && missing.contains(&step.service()))
    });
}
