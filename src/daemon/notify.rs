//! What the service manager is told (`sd_notify(3)`). Without one, nothing.

use sd_notify::NotifyState;

use super::hub::Hub;
use crate::status::ServiceState;

/// The daemon serves.
pub(super) fn ready(hub: &Hub) {
    send(&[NotifyState::Ready, NotifyState::Status(&line(hub))]);
}

/// One line for `systemctl status`.
pub(super) fn status(hub: &Hub) {
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        send(&[NotifyState::Status(&line(hub))]);
    }
}

/// The files are being read again.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// The daemon leaves.
pub(super) fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(error = &error as &dyn std::error::Error, "service manager not told");
    }
}

/// `main active, web backup; www up, telnet degraded`.
fn line(hub: &Hub) -> String {
    let view = hub.threads.election.view().borrow().clone();
    let routers = view.routers.iter().map(|router| format!("{} {}", router.name, router.role));
    let routers: Vec<_> = routers.collect();
    let word = |state: ServiceState| state.name();
    let services = hub.service_states.iter();
    let services: Vec<_> =
        services.map(|(name, (state, _))| format!("{name} {}", word(*state))).collect();
    format!("{}; {}", routers.join(", "), services.join(", "))
}
