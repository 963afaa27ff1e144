//! Advertisements to the other director's address instead of the multicast group.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::adverts::Listener;
use crate::lab::{HAND_OVER, Lab, SLACK, ms};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup};

pub(super) fn all() -> Vec<Scenario> {
    let setup = Setup::pair(Kind::Diarch, Duration::from_millis(100));
    let setup = Setup { unicast: true, ..setup };
    vec![Scenario::new("unicast::sigterm_and_sigkill::diarch", setup, takeovers)]
}

fn takeovers(lab: &mut Lab) -> Result<()> {
    let listener = Listener::start(&lab.net.client)?;
    lab.start()?;
    let (observed, _) = super::failover::hand_over(lab)?;
    lab.record(&observed);
    let gap = observed.requests.longest_gap;
    ensure!(gap < HAND_OVER, "a clean hand-over took {}", ms(gap));
    ensure!(observed.both.is_zero(), "the VIP was on both for {}", ms(observed.both));
    // The one that stopped comes back as backup, and takes over from the other.
    let active = lab.active()?;
    lab.director(active.other()).start()?;
    lab.wait_until_settled()?;
    let down = lab.setup.active_down_interval(active.other());
    let mut taken = Duration::ZERO;
    let killed = lab.observe(|lab| {
        lab.act(&format!("SIGKILL to all processes of {}", active.name()));
        lab.director(active).kill_all()?;
        taken = lab.wait_for_vip(active.other(), down + SLACK)?;
        Ok(())
    })?;
    lab.timed("takeover after SIGKILL", taken);
    lab.timed("longest gap at SIGKILL", killed.requests.longest_gap);
    lab.director(active).start()?;
    lab.wait_until_settled()?;
    ensure!(lab.active()? == active.other(), "the returning director took the VIP");
    let heard = listener.stop()?;
    ensure!(heard.is_empty(), "with unicast, this was sent to 224.0.0.18: {heard:?}");
    Ok(())
}
