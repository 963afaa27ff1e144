//! Virtual routers, from the election's view to the status document.

use std::collections::BTreeMap;

use super::services::timestamp;
use crate::config::Config;
use crate::daemon::election::{RouterView, View};
use crate::status;
use crate::vrrp::{Cause, Role};

/// All virtual routers, as the election shows them.
pub(super) fn routers(config: &Config, view: &View) -> Vec<status::VirtualRouter> {
    let preempts = config.routers.iter().map(|router| (router.name.as_str(), router.preempt));
    let preempts: BTreeMap<_, _> = preempts.collect();
    let preempt = |name: &str| preempts.get(name).copied().unwrap_or_default();
    view.routers.iter().map(|seen| router(seen, preempt(&seen.name))).collect()
}

fn router(seen: &RouterView, preempt: bool) -> status::VirtualRouter {
    status::VirtualRouter {
        name: seen.name.clone(),
        vrid: seen.vrid.get(),
        interface: seen.interface.as_ref().map(ToString::to_string),
        state: state(seen.role),
        since: timestamp(seen.since),
        cause: code(seen.cause).to_owned(),
        cause_text: seen.detail.clone(),
        priority: status::Priority {
            configured: seen.priority_configured.get(),
            effective: seen.priority_effective.map(crate::vrrp::Priority::get),
        },
        active: seen.active.map(|active| status::ActiveRouter {
            address: active.address,
            priority: active.priority.get(),
            is_self: active.is_self,
        }),
        advert_interval_ms: millis(seen.advert_interval),
        active_down_interval_ms: seen.active_down_interval.map(millis),
        preempt,
        vips: seen.vips.iter().map(|seen_vip| vip(seen, seen_vip)).collect(),
        counters: counters(seen),
    }
}

fn vip(router: &RouterView, seen: &crate::daemon::election::VipView) -> status::Vip {
    status::Vip {
        address: format!("{}/{}", seen.vip.address, seen.vip.prefix),
        interface: router.interface.as_ref().map(ToString::to_string),
        present: seen.present,
    }
}

fn counters(router: &RouterView) -> status::Counters {
    let seen = &router.counters;
    let discarded = seen.discarded.iter().map(|(&kind, &count)| (kind.to_owned(), count));
    status::Counters {
        adverts_sent: seen.adverts_sent,
        adverts_received: seen.adverts_received,
        became_active: seen.became_active,
        released_active: seen.released_active,
        discarded: discarded.collect(),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The document's word for a role.
pub(in crate::daemon) const fn state(role: Role) -> status::RouterState {
    match role {
        Role::Initialize => status::RouterState::Init,
        Role::Fault => status::RouterState::Fault,
        Role::Backup => status::RouterState::Backup,
        Role::Active => status::RouterState::Active,
    }
}

/// A stable word for a cause.
pub(in crate::daemon) const fn code(cause: Cause) -> &'static str {
    match cause {
        Cause::Startup => "startup",
        Cause::Resumed => "resumed",
        Cause::Shutdown => "shutdown",
        Cause::Fault => "fault",
        Cause::Recovered => "recovered",
        Cause::ActiveDown => "active_down",
        Cause::ActiveResigned => "active_resigned",
        Cause::Preempted => "preempted",
        Cause::Superior => "superior",
        Cause::Taken => "taken",
        Cause::Stalled => "stalled",
        Cause::Resigned => "resigned",
    }
}
