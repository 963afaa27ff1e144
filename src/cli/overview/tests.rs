use super::*;

fn golden() -> Status {
    serde_json::from_str(include_str!("../../../tests/status.json")).unwrap()
}

fn plain(status: &Status) -> String {
    anstream::adapter::strip_str(&overview(status)).to_string()
}

#[test]
fn the_overview_says_who_what_is_wrong_and_why() {
    let expected = "\
lb1  diarch 0.1.0, up 3d 4h; configuration 9f2c1ab04d11, loaded 2h 18m ago
1 problem:
  www/192.168.0.4:80, for 2m 10s: connection refused (3 of 3 checks failed)
    nothing listens on 192.168.0.4:80; is the web server running there?

  VRRP  VRID  STATE   PRIO  FOR    ACTIVE  ON    VIPS           BECAUSE
  main    51  active   150  3d 4h  here    eth0  192.168.0.101  no advertisement for 3.4 s at start-up

  SERVICE                  STATE     FOR     WEIGHT  ACTIVECONN  INACTCONN  WHY
  telnet                   up        3d 4h                    3          0  192.168.0.101:23/tcp wlc dr, persistent 300 s, 1 of 1 serving
    web1 (192.168.0.3:23)  up        3d 4h        1           3          0  tcp: connected in 0.4 ms
  www                      DEGRADED  2m 10s                 112       1849  192.168.0.101:80/tcp wlc dr, 1 of 2 serving
    192.168.0.3:80         up        3d 4h        1         112       1843  http: HTTP 200 in 3.1 ms
    192.168.0.4:80         DOWN      2m 10s     0/1           0          6  http: connection refused, 65 checks in a row

kernel: ip_vs 1.2.1; in sync; 1 repair of what another program changed
";
    assert_eq!(plain(&golden()), expected);
}

#[test]
fn a_backup_names_the_active_and_a_fault_is_in_capitals() {
    let mut status = golden();
    status.services.clear();
    status.health.problems.clear();
    let router = &mut status.vrrp[0];
    router.state = RouterState::Backup;
    router.vips[0].present = false;
    router.active.as_mut().unwrap().is_self = false;
    assert!(plain(&status).contains("  backup   150  3d 4h  192.168.0.1 (prio 150)  eth0  "));

    let router = &mut status.vrrp[0];
    router.state = RouterState::Fault;
    router.priority.effective = None;
    router.active = None;
    router.interface = None;
    router.vips[0].present = true;
    let expected = "  FAULT  -/150  3d 4h  not heard  -   192.168.0.101 STILL HERE  ";
    assert!(plain(&status).contains(expected), "{}", plain(&status));
    status.vrrp[0].state = RouterState::Active;
    status.vrrp[0].vips[0].present = false;
    assert!(plain(&status).contains("192.168.0.101 MISSING"));
    assert!(plain(&status).contains("\nno problems\n"));
}

#[test]
fn a_check_on_its_way_says_how_far_it_is() {
    let mut check = golden().services[1].real_servers[0].checks[0].clone();
    check.streak = -2;
    check.detail = Some("timeout".to_owned());
    assert_eq!(check_why(&check), "http: timeout, 2 of 3 failures");
    check.state = CheckState::Failing;
    check.streak = 1;
    check.detail = Some("HTTP 200".to_owned());
    assert_eq!(check_why(&check), "http: HTTP 200 in 3.1 ms, 1 of 2 successes");
    check.detail = None;
    assert_eq!(check_why(&check), "http: no result yet");
}

#[test]
fn why_is_never_empty() {
    let mut status = golden();
    status.services[0].real_servers[0].checks.clear();
    status.services[0].real_servers[0].connections = None;
    let text = plain(&status);
    assert!(text.contains("  1           -          -  not checked\n"), "{text}");
}

#[test]
fn a_refused_reload_and_a_kernel_that_refuses_are_told() {
    let mut status = golden();
    let reload = status.config.last_reload.as_mut().unwrap();
    reload.ok = false;
    reload.error = Some("diarch.toml:15:13: unknown scheduler `wlcc`".to_owned());
    status.kernel.in_sync = false;
    status.kernel.ip_vs_version = None;
    status.kernel.last_error = Some("service 192.168.0.101:80/tcp: no such scheduler".to_owned());
    status.kernel.foreign_services = 2;
    let text = plain(&status);
    assert!(text.contains("the last reload was REFUSED 2h 18m ago: diarch.toml:15:13: unknown"));
    let kernel = "kernel: ip_vs DOES NOT ANSWER; NOT IN SYNC: service 192.168.0.101:80/tcp: no such \
                  scheduler; 1 repair of what another program changed; 2 services not ours, left alone\n";
    assert!(text.ends_with(kernel), "{text}");
}
