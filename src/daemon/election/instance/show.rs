//! One virtual router as status shows it.

use super::Instance;
use crate::daemon::election::shell::Shell;
use crate::daemon::election::view::{ActiveRouter, RouterView, VipView};
use crate::vrrp::{Role, Verdict};

impl Instance {
    /// A picture of it now.
    pub(in crate::daemon::election) fn show(&self, shell: &Shell) -> RouterView {
        let settings = &self.settings;
        let present = self.present(shell);
        let vip_view = |vip: &crate::config::Vip| VipView {
            vip: *vip,
            present: present.contains(&(vip.address, vip.prefix)),
        };
        RouterView {
            name: settings.name.clone(),
            vrid: settings.vrid,
            interface: self.site.as_ref().map(|(_, name)| name.clone()),
            primary: self.fitness.as_ref().ok().map(|place| place.primary),
            role: self.role,
            since: self.since,
            cause: self.cause,
            detail: self.detail.clone(),
            priority_configured: settings.priority,
            priority_effective: match self.router.verdict() {
                Verdict::Eligible(priority) => Some(priority),
                Verdict::Fault => None,
            },
            active: self.active(),
            advert_interval: settings.interval.to_duration(),
            active_down_interval: self.router.active_down_interval(),
            last_heard: self.last_heard,
            vips: settings.vips.iter().map(vip_view).collect(),
            counters: self.counters.clone(),
        }
    }

    /// Current role, as reported.
    pub(in crate::daemon::election) fn role(&self) -> Role {
        self.role
    }

    /// Whether a changed address on that interface may matter to this router.
    pub(in crate::daemon::election) fn minds(&self, index: u32) -> bool {
        self.fitness.is_err() || self.site.as_ref().is_some_and(|(site, _)| *site == index)
    }

    fn active(&self) -> Option<ActiveRouter> {
        if self.role == Role::Active {
            let (address, priority) = (self.router.params().primary, self.settings.priority);
            return Some(ActiveRouter { address, priority, is_self: true });
        }
        let (address, priority) = self.router.active_router()?;
        Some(ActiveRouter { address, priority, is_self: false })
    }
}
