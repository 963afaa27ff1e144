//! The smallest useful file, as the documentation shows it, with the default of everything.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::{HAND_OVER, Lab, ms};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup};

const SMALLEST: &str = r#"[vrrp.main]
vrid = 51
vips = ["192.168.0.101"]                 # the interface is the one whose subnet holds the VIP

[virtual_service.www]
listen       = "192.168.0.101:80"        # /tcp unless /udp or /sctp is written
real_servers = ["192.168.0.3", "192.168.0.4"]
check        = { type = "http", path = "/" }

[virtual_service.telnet]
listen       = "192.168.0.101:23"
real_servers = ["192.168.0.3", "192.168.0.4"]
check        = { type = "tcp" }
"#;

pub(super) fn all() -> Vec<Scenario> {
    let setup = Setup::pair(Kind::Diarch, Duration::from_millis(200));
    let setup = Setup { scheduler: "wlc", file: Some(SMALLEST), ..setup };
    vec![Scenario::new("default::smallest_file::diarch", setup, smallest)]
}

fn smallest(lab: &mut Lab) -> Result<()> {
    let first = lab.active_at_start()?;
    let check = lab.director(first).client(&["check"])?;
    ensure!(check.status == Some(0), "`diarch check` exited {:?}:\n{}", check.status, check.text);
    let calm = lab.observe(|_| {
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    ensure!(calm.requests.lost == 0 && calm.requests.by_server.len() == 2, "no fault, yet {calm}");
    super::balance::agree(lab, first)?;
    let (observed, _) = super::failover::hand_over(lab)?;
    lab.record(&observed);
    let gap = observed.requests.longest_gap;
    ensure!(gap < HAND_OVER, "a clean hand-over took {}", ms(gap));
    ensure!(observed.both.is_zero(), "the VIP was on both for {}", ms(observed.both));
    Ok(())
}
