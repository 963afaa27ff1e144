//! A manager with scripted probes, and configurations for it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, sleep};

use super::super::*;
use crate::check::{Outcome, Success, tcp};
use crate::config::{OnFailure, RealServer, Timing, VirtualService};
use crate::health::Hysteresis;
use crate::ipvs::{Forwarding, Protocol, Scheduler, ServiceKey};

pub(super) const INTERVAL: Duration = Duration::from_secs(2);
pub(super) const FAST: Duration = Duration::from_millis(500);
/// The clock of the runtime has this grain.
pub(super) const GRAIN: Duration = Duration::from_millis(1);

/// What the n-th probe of a target finds, and how long it takes.
type Answer = dyn Fn(SocketAddr, usize) -> (Duration, Outcome) + Send + Sync;

pub(super) struct Script {
    answer: Box<Answer>,
    /// Every probe, and when it started.
    pub(super) seen: Mutex<Vec<(SocketAddr, Instant)>>,
    at_once: AtomicUsize,
    pub(super) most_at_once: AtomicUsize,
}

#[derive(Clone)]
pub(super) struct Scripted(Arc<Script>);

impl Prepare for Scripted {
    type Probe = Self;
    fn prepare(&self, _: &Kind) -> Result<Self, BadSpec> {
        Ok(self.clone())
    }
}

impl Probe for Scripted {
    async fn probe(&self, target: SocketAddr, _: Duration) -> Outcome {
        let nth = {
            let mut seen = self.0.seen.lock().unwrap();
            seen.push((target, Instant::now()));
            seen.iter().filter(|(other, _)| *other == target).count() - 1
        };
        let now = self.0.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.most_at_once.fetch_max(now, Ordering::Relaxed);
        let (takes, outcome) = (self.0.answer)(target, nth);
        sleep(takes).await;
        self.0.at_once.fetch_sub(1, Ordering::Relaxed);
        outcome
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an outcome like any other")]
pub(super) fn good() -> Outcome {
    Ok(Success { detail: Cow::Borrowed("scripted") })
}

pub(super) fn bad() -> Outcome {
    Err(Failure::Refused)
}

/// The n-th outcome by the n-th sign, the last for ever.
pub(super) fn signs(signs: &'static str) -> impl Fn(SocketAddr, usize) -> (Duration, Outcome) {
    move |_, nth| {
        let sign = signs.as_bytes()[nth.min(signs.len() - 1)];
        (Duration::ZERO, if sign == b'+' { good() } else { bad() })
    }
}

/// A manager on the test's own runtime.
pub(super) struct Bench {
    pub(super) script: Arc<Script>,
    pub(super) work: watch::Sender<Option<Work>>,
    pub(super) reports: mpsc::Receiver<Report>,
    generation: u64,
}

impl Bench {
    pub(super) fn new(
        depth: usize,
        answer: impl Fn(SocketAddr, usize) -> (Duration, Outcome) + Send + Sync + 'static,
    ) -> Self {
        let script = Arc::new(Script {
            answer: Box::new(answer),
            seen: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        });
        let (work, orders) = watch::channel(None);
        let (sender, reports) = mpsc::channel(depth);
        tokio::spawn(Manager::new(Scripted(script.clone()), sender).run(orders));
        Self { script, work, reports, generation: 0 }
    }

    pub(super) fn configure(&mut self, config: Config, adopted: &[u8]) {
        self.generation += 1;
        let adopted = adopted.iter().map(|&n| ServerId::of("www", &server(n))).collect();
        let (config, adopted) = (Arc::new(config), Arc::new(adopted));
        self.work.send_replace(Some(Work { generation: self.generation, config, adopted }));
    }

    pub(super) async fn report(&mut self) -> Report {
        self.reports.recv().await.unwrap()
    }

    /// Lets time pass while the hub reads everything.
    pub(super) async fn run_for(&mut self, duration: Duration) -> Vec<Report> {
        let end = Instant::now() + duration;
        let mut seen = Vec::new();
        while let Ok(Some(report)) = tokio::time::timeout_at(end, self.reports.recv()).await {
            seen.push(report);
        }
        seen
    }

    pub(super) fn starts(&self) -> Vec<Instant> {
        self.script.seen.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }

    /// Times between the starts of successive probes.
    pub(super) fn pauses(&self) -> Vec<Duration> {
        self.starts().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

pub(super) fn check() -> Check {
    let number = |n| NonZeroU32::new(n).unwrap();
    Check {
        kind: Kind::Tcp(tcp::Spec {}),
        port: None,
        timing: Timing {
            interval: INTERVAL,
            fast_interval: FAST,
            jitter: Duration::ZERO,
            timeout: Duration::from_secs(1),
        },
        hysteresis: Hysteresis { rise: number(2), fall: number(3) },
    }
}

pub(super) fn server(n: u8) -> RealServer {
    RealServer { name: None, address: IpAddr::from([192, 0, 2, n]), port: None, weight: 1 }
}

pub(super) fn service(checks: Vec<Check>, servers: impl IntoIterator<Item = u8>) -> VirtualService {
    let listen = SocketAddr::from(([198, 51, 100, 1], 80));
    VirtualService {
        name: "www".into(),
        listen: vec![ServiceKey::Address(Protocol::Tcp, listen)],
        forward: Forwarding::DirectRoute,
        scheduler: Scheduler::observed("wlc"),
        persistence: None,
        on_failure: OnFailure::Quiesce,
        real_servers: servers.into_iter().map(server).collect(),
        checks,
    }
}

pub(super) fn config(checks: Vec<Check>, servers: impl IntoIterator<Item = u8>) -> Config {
    Config {
        node: "lb1".into(),
        nodes: Vec::new(),
        routers: Vec::new(),
        services: vec![service(checks, servers)],
        files: Vec::new(),
        digest: String::new(),
    }
}
