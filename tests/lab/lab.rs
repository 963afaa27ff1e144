//! The running lab, as a scenario sees it: machines, directors, measurements, promises.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::director::Director;
use crate::load::Load;
use crate::load::summary::Summary;
use crate::progress::{self, Progress, Tone};
use crate::report::{Figure, Outcome};
use crate::setup::{Kind, Setup, WWW};
use crate::topology::{Node, Topology};
use crate::vip::Sampler;

/// A slow, shared machine gets this much on top of what a protocol or a check allows.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// What Diarch promises for a clean hand-over with default priorities.
pub(crate) const HAND_OVER: Duration = Duration::from_millis(60);

/// The topology with both directors.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) setup: Setup,
    pub(crate) net: Topology,
    pub(crate) directors: [Director; 2],
    /// All times are since this moment.
    pub(crate) epoch: Instant,
    pub(crate) outcome: Outcome,
}

/// What a client and the VIP's sampler saw of a fault.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The servers that answered, in the order of the requests.
    pub(crate) answers: Vec<String>,
    pub(crate) requests: Summary,
    /// How long the VIP was on no director.
    pub(crate) none: Duration,
    /// How long it was on both.
    pub(crate) both: Duration,
}

impl Lab {
    /// Builds the network and configures the directors; none is started.
    pub(crate) fn build(setup: Setup, out: &Path) -> Result<Self> {
        let epoch = Instant::now();
        let net = Topology::build(setup.forward).context("building the lab's network")?;
        let director = |node| Director::new(&setup, node, net.director(node), out);
        let directors = [director(Node::Lb1)?, director(Node::Lb2)?];
        Ok(Self { setup, net, directors, epoch, outcome: Outcome::default() })
    }

    pub(crate) fn director(&mut self, node: Node) -> &mut Director {
        &mut self.directors[node.index()]
    }

    pub(crate) fn kind(&self, node: Node) -> Kind {
        self.setup.kind(node)
    }

    /// Starts lb1, waits until it is active, starts lb2, and waits until both hold the whole IPVS
    /// table.
    pub(crate) fn start(&mut self) -> Result<()> {
        let started = Instant::now();
        self.director(Node::Lb1).start()?;
        self.wait_for_vip(Node::Lb1, self.start_limit())?;
        self.say(Tone::See, "lb1 is active");
        self.director(Node::Lb2).start()?;
        self.wait_until_settled()?;
        self.say(Tone::See, &format!("both directors ready after {}", ms(started.elapsed())));
        Ok(())
    }

    /// As [`Self::start`]; who is active then.
    pub(crate) fn active_at_start(&mut self) -> Result<Node> {
        self.start()?;
        self.active()
    }

    /// A starting director listens for an `Active_Down_Interval` before it takes over.
    fn start_limit(&self) -> Duration {
        self.setup.active_down_interval(Node::Lb2) + SLACK * 5
    }

    /// Waits until both daemons are ready with every destination in use, and exactly one has
    /// the VIP.
    pub(crate) fn wait_until_settled(&mut self) -> Result<()> {
        let wanted = self.setup.destinations();
        let limit = self.start_limit();
        self.wait("one active director, and both with every destination in use", limit, |lab| {
            let mut active = 0;
            for director in &lab.directors {
                active += usize::from(director.has_vip()?);
                if director.table()?.in_use() != wanted {
                    return Ok(false);
                }
            }
            // Dearest, so asked last.
            let ready = |director: &Director| director.is_ready();
            Ok(active == 1 && ready(&lab.directors[0])? && ready(&lab.directors[1])?)
        })
        .map(drop)
    }

    pub(crate) fn wait_for_vip(&mut self, node: Node, limit: Duration) -> Result<Duration> {
        let what = format!("the VIP on {}", node.name());
        self.wait(&what, limit, |lab| lab.director(node).has_vip())
    }

    /// Waits for a condition; returns how long that took.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<Duration> {
        let started = Instant::now();
        while !holds(self)? {
            if started.elapsed() > limit {
                bail!("waited {} for {what}", ms(limit));
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        Ok(started.elapsed())
    }

    /// The director that has the VIP.
    pub(crate) fn active(&mut self) -> Result<Node> {
        match [self.directors[0].has_vip()?, self.directors[1].has_vip()?] {
            [true, false] => Ok(Node::Lb1),
            [false, true] => Ok(Node::Lb2),
            [one, two] => bail!("there is no single active director: VIP on lb1 {one}, lb2 {two}"),
        }
    }

    /// Runs `fault` while a client sends its requests and the VIP is sampled.
    pub(crate) fn observe(
        &mut self,
        fault: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Observed> {
        let sampler = Sampler::start(&self.net.directors, self.epoch);
        let load = Load::start(&self.net.client, WWW, self.epoch);
        // The first answers fill the ARP caches.
        std::thread::sleep(Duration::from_millis(300));
        let from = self.epoch.elapsed();
        std::thread::sleep(Duration::from_millis(100));
        fault(self)?;
        std::thread::sleep(Duration::from_millis(300));
        let end = self.epoch.elapsed();
        let requests = load.stop()?;
        let answers = requests.iter().filter_map(|one| one.answer.as_ref());
        let answers = answers.map(|(_, server)| server.clone()).collect();
        let requests = Summary::of(&requests, from, end);
        let history = sampler.stop()?;
        let (none, both) = (history.time_on(0), history.time_on(2));
        let observed = Observed { answers, requests, none, both };
        self.say(Tone::See, &observed.to_string());
        Ok(observed)
    }

    /// Keeps the figures of a fault for the report.
    pub(crate) fn record(&mut self, observed: &Observed) {
        self.figure("requests", count(observed.requests.sent), "sent");
        self.figure("lost", count(observed.requests.lost), "");
        self.figure("longest gap", millis(observed.requests.longest_gap), "ms");
        self.figure("VIP on none", millis(observed.none), "ms");
        self.figure("VIP on both", millis(observed.both), "ms");
    }

    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str) {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        self.outcome.figures.push(Figure { name, value, unit });
    }

    /// Notes a time span as a figure and as progress.
    pub(crate) fn timed(&mut self, what: &str, span: Duration) {
        self.say(Tone::See, &format!("{what}: {}", ms(span)));
        self.figure(what, millis(span), "ms");
    }

    /// What Diarch promises. It fails the scenario when `kind`, the program it is about, is Diarch;
    /// keepalived never promised it, so there it becomes a note.
    pub(crate) fn promise(&mut self, kind: Kind, holds: bool, what: &str) -> Result<()> {
        match (holds, kind) {
            (true, _) => {
                self.say(Tone::Good, what);
                Ok(())
            }
            (false, Kind::Diarch) => bail!("not so: {what}"),
            (false, Kind::Keepalived) => {
                self.say(Tone::Bad, &format!("not so: {what}"));
                self.outcome.notes.push(format!("not so: {what}"));
                Ok(())
            }
        }
    }

    pub(crate) fn say(&self, tone: Tone, text: &str) {
        let at_ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        progress::write(&Progress::Line { at_ms, tone, text: text.to_owned() });
    }

    /// Says what is done now.
    pub(crate) fn act(&self, text: &str) {
        self.say(Tone::Act, text);
    }
}

impl std::fmt::Display for Observed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} requests, {} lost, longest gap {}; VIP on none {}, on both {}",
            self.requests.sent,
            self.requests.lost,
            ms(self.requests.longest_gap),
            ms(self.none),
            ms(self.both)
        )
    }
}

/// A span as people read it.
pub(crate) fn ms(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

pub(crate) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
