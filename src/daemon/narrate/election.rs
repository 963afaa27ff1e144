//! What the election reports, as events.

use crate::daemon::election::{Event, Placed, Report};
use crate::daemon::journal::Journal;
use crate::daemon::snapshot::{code, router_state};
use crate::status::{Kind, RouterState};
use crate::vrrp::Role;

/// Tells one report of the election.
pub(in crate::daemon) fn election(journal: &mut Journal, report: &Report) {
    let router = format!("vrrp/{}", report.router);
    let text = text(report);
    match &report.event {
        Event::Role { from, to, cause, detail } => {
            let words = (router_state(*from).name(), router_state(*to).name());
            journal.record(role_kind(*to), router, |event| {
                event.changed(words.0, words.1).because(code(*cause), detail.clone())
            });
        }
        Event::VipAdded(placed) => vip(journal, Kind::VipAdded, placed, "active", text),
        Event::VipRemoved(placed) => vip(journal, Kind::VipRemoved, placed, "not_active", text),
        Event::VipRestored { placed, .. } => {
            vip(journal, Kind::VipRestored, placed, "removed_by_another_program", text);
        }
        Event::VipForeign(placed) => {
            vip(journal, Kind::VipRemoved, placed, "added_by_another_program", text);
        }
        Event::AddressFailed { placed, .. } => {
            vip(journal, Kind::VipError, placed, "refused_by_kernel", text);
        }
        Event::Conflict { .. }
        | Event::ArpConflict { .. }
        | Event::AddressListDiffers { .. }
        | Event::IntervalDiffers { .. } => {
            journal.record(Kind::VrrpConflict, router, |event| {
                event.because(report.event.kind(), text)
            });
        }
        Event::Rejected { .. } => other(journal, "vrrp.packet_dropped", router, report, text),
        Event::SendFailed { .. } => other(journal, "vrrp.send_failed", router, report, text),
        Event::ChecksumKindLearnt { .. } => {
            other(journal, "vrrp.checksum_kind", router, report, text);
        }
        Event::KernelFailed { .. } => other(journal, "vrrp.error", router, report, text),
    }
}

/// For what the status document has no kind of its own.
fn other(journal: &mut Journal, kind: &str, object: String, report: &Report, text: String) {
    journal.record(Kind::Other(kind.to_owned()), object, |event| {
        event.because(report.event.kind(), text)
    });
}

/// The report in words, with how often it came.
fn text(report: &Report) -> String {
    match report.count {
        0 | 1 => report.event.to_string(),
        count => format!("{} ({count} times)", report.event),
    }
}

fn vip(journal: &mut Journal, kind: Kind, placed: &Placed, code: &str, detail: String) {
    let object = format!("vip/{}", placed.vip.address);
    journal.record(kind, object, |event| event.because(code, detail));
}

fn role_kind(role: Role) -> Kind {
    match router_state(role) {
        RouterState::Active => Kind::VrrpActive,
        RouterState::Backup => Kind::VrrpBackup,
        RouterState::Fault => Kind::VrrpFault,
        RouterState::Init | RouterState::Unknown => Kind::VrrpInit,
    }
}
