//! The whole thread, with real probes on loopback.

use std::net::TcpListener;
use std::num::NonZeroU32;

use tokio::time::Instant;

use super::*;
use crate::check::{Kind, tcp};
use crate::config::{Check, OnFailure, Timing, VirtualService};
use crate::health::Hysteresis;
use crate::ipvs::{Forwarding, Protocol, Scheduler, ServiceKey};

fn config(ports: &[u16]) -> Arc<Config> {
    let one = NonZeroU32::MIN;
    let ms = Duration::from_millis;
    let check = Check {
        kind: Kind::Tcp(tcp::Spec {}),
        port: None,
        timing: Timing {
            interval: ms(50),
            fast_interval: ms(20),
            jitter: ms(5),
            timeout: ms(1000),
        },
        hysteresis: Hysteresis { rise: one, fall: one },
    };
    let address = IpAddr::from([127, 0, 0, 1]);
    let server = |&port| RealServer { name: None, address, port: Some(port), weight: 1 };
    let service = VirtualService {
        name: "www".into(),
        listen: vec![ServiceKey::Address(Protocol::Tcp, (address, 80).into())],
        forward: Forwarding::Masquerade,
        scheduler: Scheduler::observed("rr"),
        persistence: None,
        on_failure: OnFailure::Remove,
        real_servers: ports.iter().map(server).collect(),
        checks: vec![check],
    };
    Arc::new(Config {
        node: "lb1".into(),
        nodes: Vec::new(),
        routers: Vec::new(),
        services: vec![service],
        files: Vec::new(),
        digest: String::new(),
    })
}

fn next_change(reports: &mut mpsc::Receiver<Report>) -> (Report, Change) {
    loop {
        let report = reports.blocking_recv().unwrap();
        if let Some(change) = report.change {
            return (report, change);
        }
    }
}

#[test]
fn a_server_comes_up_and_goes_down_with_its_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, mut reports) = mpsc::channel(REPORTS_DEPTH);
    let checks = start(sender).unwrap();
    assert!(checks.is_running());
    assert_eq!(checks.configure(config(&[port]), Arc::default()), 1);
    let (report, change) = next_change(&mut reports);
    assert_eq!(change, Change { from: Health::Unknown, to: Health::Up });
    assert_eq!((report.id.index, report.id.server.port), (0, Some(port)));
    assert_eq!(report.outcome.unwrap().detail, "connected");
    drop(listener);
    let (report, change) = next_change(&mut reports);
    assert_eq!(change, Change { from: Health::Up, to: Health::Down });
    assert_eq!(report.outcome.unwrap_err().to_string(), "connection refused");
    checks.stop();
    while reports.blocking_recv().is_some() {}
}

#[test]
fn stopping_does_not_wait_for_the_hub() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, reports) = mpsc::channel(1);
    let checks = start(sender).unwrap();
    checks.configure(config(&[port]), Arc::default());
    while reports.is_empty() {
        std::thread::yield_now();
    }
    let began = Instant::now();
    checks.stop();
    assert!(began.elapsed() < Duration::from_secs(2), "took {:?}", began.elapsed());
}
