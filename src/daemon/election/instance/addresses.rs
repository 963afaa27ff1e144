//! The virtual addresses on the interface, kept as the state wants them.

use std::time::Instant;

use super::Instance;
use crate::address::{Prefixed, plan};
use crate::config::Vip;
use crate::daemon::chain;
use crate::daemon::election::report::{Event, Placed};
use crate::daemon::election::shell::Shell;
use crate::net::IfName;
use crate::vrrp::State;

impl Instance {
    /// The managed addresses on the interface, as last listed.
    pub(super) fn present(&self, shell: &Shell) -> Vec<Prefixed> {
        let index = self.site.as_ref().map(|(index, _)| *index);
        index.map(|index| shell.present(index, &self.managed)).unwrap_or_default()
    }

    /// Adds what is missing and removes what should not be; says so when it was not our doing.
    /// Returns the first refusal, if after all none of the addresses wanted is there. As long
    /// as one is, the others are tried again with every look.
    pub(super) fn keep_addresses(&mut self, shell: &mut Shell, now: Instant) -> Option<String> {
        let (index, name) = self.site.clone()?;
        let present = self.present(shell);
        let wanted = match self.router.state() {
            State::Active { .. } => {
                self.settings.vips.iter().map(|vip| (vip.address, vip.prefix)).collect()
            }
            // Neither more nor less until it is known who should have them.
            State::Resume { .. } => present.clone(),
            State::Initialize | State::Backup { .. } => Vec::new(),
        };
        shell.unclaim(&self.settings.name);
        for (address, _) in &wanted {
            shell.claim(&self.settings.name, index, *address);
        }
        let todo = plan(&wanted, &present, &self.managed);
        let mut refused = None;
        let mut restored = false;
        for address in todo.add {
            let done = shell.add(index, address);
            let lost = self.had.remove(&address);
            restored |= lost && done.is_ok();
            let placed = placed(address, &name);
            let event = match done {
                Ok(()) if lost => {
                    self.counters.address_repairs += 1;
                    let after = super::super::clock().saturating_duration_since(now);
                    Event::VipRestored { placed, after }
                }
                Ok(()) => Event::VipAdded(placed),
                Err(error) => {
                    self.counters.address_failures += 1;
                    let error = chain(&error);
                    refused.get_or_insert_with(|| error.clone());
                    Event::AddressFailed { placed, error }
                }
            };
            shell.outlet.tell(now, &self.settings.name, event);
        }
        for address in todo.remove {
            self.take_off(shell, now, index, &name, address);
        }
        self.had = self.present(shell).into_iter().collect();
        if restored {
            self.announcements.start(now);
        }
        refused.filter(|_| !wanted.iter().any(|address| self.had.contains(address)))
    }

    fn take_off(
        &mut self,
        shell: &mut Shell,
        now: Instant,
        index: u32,
        name: &IfName,
        address: Prefixed,
    ) {
        let router = &self.settings.name;
        if shell.claimed_by_other(router, index, address.0) {
            return;
        }
        let ours = self.had.contains(&address);
        let placed = placed(address, name);
        let event = match shell.remove(index, address) {
            Ok(()) if ours => Event::VipRemoved(placed),
            Ok(()) => {
                self.counters.address_repairs += 1;
                Event::VipForeign(placed)
            }
            Err(error) => {
                self.counters.address_failures += 1;
                Event::AddressFailed { placed, error: chain(&error) }
            }
        };
        shell.outlet.tell(now, router, event);
    }
}

fn placed((address, prefix): Prefixed, interface: &IfName) -> Placed {
    Placed { vip: Vip { address, prefix }, interface: interface.clone() }
}
