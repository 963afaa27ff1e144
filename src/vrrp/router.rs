//! The per-virtual-router state machine of RFC 9568 §6.4.
//!
//! ```text
//!               +------------+  Startup, owner
//!      +------->| Initialize |-------------------+
//!      |        +------------+                   |
//!      | Shutdown |   | Startup, holding         |
//!      | or fault |   +-------> Resume --+       |
//!      |          | Startup      | taken |silence|
//!      |          v              v       v       v
//!      |        +------------------+  +------------+
//!      +--------|      Backup      |  |   Active   |---> Shutdown or fault: Initialize
//!               +------------------+  +------------+
//!                  |  ^   superior, stalled  |  ^
//!                  |  +----------------------+  |
//!                  +---- timer fires -----------+
//! ```
//!
//! Where it goes beyond the RFC, and why:
//! - addresses are put up before the first advertisement and taken down before the
//!   resignation, so that skews of a few milliseconds never make two holders;
//! - an Active router that was not run for as long as the others wait does not
//!   advertise what it no longer knows, it listens first; a Backup likewise;
//! - a learnt interval is bounded, so that one forged packet cannot silence us for minutes;
//! - inferior advertisements are answered once per interval, not each;
//! - a resignation counts only from the router that is Active as far as we know.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::event::{Action, Cause, Heard, Input, Params, Role, State, Verdict};
use super::{Interval, Priority, active_down_interval, skew_time};

/// A learnt interval above this, and above ten times our own, is taken for a mistake or an attack.
const LEARN_ANYWAY: Duration = Duration::from_secs(3);

/// One virtual router's election, driven by [`Input`]s at given instants.
#[derive(Debug)]
pub struct VirtualRouter {
    params: Params,
    verdict: Verdict,
    /// When the election was entered; `None` before Startup and after Shutdown.
    entered: Option<Instant>,
    settled: bool,
    state: State,
    /// `Active_Adver_Interval`, learnt from the Active router.
    active_adver_interval: Interval,
    /// The Active router, when it is another one.
    active: Option<(IpAddr, Priority)>,
}

impl VirtualRouter {
    /// A router in Initialize, waiting for [`Input::Startup`].
    pub fn new(params: Params, verdict: Verdict) -> Self {
        let active_adver_interval = params.interval;
        let state = State::Initialize;
        let (entered, settled, active) = (None, false, None);
        Self { params, verdict, entered, settled, state, active_adver_interval, active }
    }

    /// Current protocol state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Current state in an operator's words.
    pub fn role(&self) -> Role {
        match self.state {
            State::Initialize if self.entered.is_some() => Role::Fault,
            State::Initialize | State::Resume { .. } => Role::Initialize,
            State::Backup { .. } => Role::Backup,
            State::Active { .. } => Role::Active,
        }
    }

    /// Whether the virtual addresses belong on the interface now.
    pub fn holds_addresses(&self) -> bool {
        matches!(self.state, State::Resume { .. } | State::Active { .. })
    }

    /// The Active router as last heard, unless that is us or nobody.
    pub fn active_router(&self) -> Option<(IpAddr, Priority)> {
        self.active
    }

    /// `Active_Down_Interval` as it stands; `None` while faulted.
    pub fn active_down_interval(&self) -> Option<Duration> {
        match self.verdict {
            Verdict::Eligible(mine) => Some(active_down_interval(mine, self.active_adver_interval)),
            Verdict::Fault => None,
        }
    }

    /// What it runs with.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Its fitness as last told.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// When to send [`Input::Tick`] at the latest; `None` exactly in Initialize.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Initialize => None,
            State::Resume { listen_until } => Some(listen_until),
            State::Backup { active_down_timer, .. } => Some(active_down_timer),
            State::Active { adver_timer, .. } => Some(adver_timer),
        }
    }

    /// Advances the machine to `now` with one input and says what to do about it.
    #[must_use = "the actions are the step's only effect"]
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Action> {
        match input {
            Input::Startup { holding } if self.entered.is_none() => {
                self.entered = Some(now);
                self.enter(now, holding)
            }
            Input::Shutdown => {
                self.entered = None;
                self.leave(Cause::Shutdown)
            }
            Input::Track(verdict) => self.track(now, verdict),
            Input::Reconfigure(params) => {
                self.params = params;
                Vec::new()
            }
            Input::Settled => {
                self.settled = true;
                Vec::new()
            }
            Input::Tick => self.tick(now),
            Input::Heard(heard) => self.hear(now, heard),
            Input::Conflict => self.conflict(now),
            Input::Resign => self.resign(now),
            Input::Startup { .. } => Vec::new(),
        }
    }

    /// §6.4.1.
    fn enter(&mut self, now: Instant, holding: bool) -> Vec<Action> {
        match self.verdict {
            Verdict::Fault => {
                let mut actions = Vec::new();
                if holding {
                    actions.push(Action::ReleaseAddresses);
                }
                actions.push(Action::Report(Role::Fault, Cause::Fault));
                actions
            }
            Verdict::Eligible(Priority::OWNER) => {
                self.become_active(now, Priority::OWNER, Cause::Startup)
            }
            Verdict::Eligible(_) if holding => {
                let quarter = self.params.interval.to_duration() / 4;
                let listen = quarter.clamp(Duration::from_millis(20), Duration::from_millis(250));
                self.state = State::Resume { listen_until: now + listen };
                vec![Action::Probe]
            }
            Verdict::Eligible(mine) => self.become_backup(now, mine, None, Cause::Startup),
        }
    }

    fn track(&mut self, now: Instant, verdict: Verdict) -> Vec<Action> {
        let before = std::mem::replace(&mut self.verdict, verdict);
        match verdict {
            _ if self.entered.is_none() => Vec::new(),
            Verdict::Fault => self.leave(Cause::Fault),
            Verdict::Eligible(mine) if before == Verdict::Fault => {
                // The delay before preemption counts from here: we have been away.
                self.entered = Some(now);
                if mine == Priority::OWNER {
                    self.become_active(now, mine, Cause::Recovered)
                } else {
                    self.become_backup(now, mine, None, Cause::Recovered)
                }
            }
            // A changed priority counts from the next event on.
            Verdict::Eligible(_) => Vec::new(),
        }
    }

    /// The Shutdown events of §6.4.2 and §6.4.3.
    fn leave(&mut self, cause: Cause) -> Vec<Action> {
        let left = std::mem::replace(&mut self.state, State::Initialize);
        self.active = None;
        let mut actions = match left {
            State::Initialize if cause == Cause::Fault => return Vec::new(),
            State::Initialize | State::Backup { .. } => Vec::new(),
            // In Resume too: whoever heard us before the restart need not wait for long.
            State::Resume { .. } | State::Active { .. } => {
                vec![Action::ReleaseAddresses, Action::Advertise(None)]
            }
        };
        actions.push(Action::Report(self.role(), cause));
        actions
    }

    fn tick(&mut self, now: Instant) -> Vec<Action> {
        let Verdict::Eligible(mine) = self.verdict else { return Vec::new() };
        match self.state {
            State::Resume { listen_until } if listen_until <= now => {
                if late(now, listen_until, self.params.interval) {
                    return self.yield_to(now, mine, None, Cause::Stalled);
                }
                self.become_active(now, mine, Cause::Resumed)
            }
            State::Backup { active_down_timer, because } if active_down_timer <= now => {
                if late(now, active_down_timer, self.active_adver_interval) {
                    // Nobody was listening: this silence proves nothing. Listen anew.
                    self.arm_active_down(now, mine, because);
                    return Vec::new();
                }
                self.become_active(now, mine, because)
            }
            State::Active { patience, .. } if patience < now => {
                self.yield_to(now, mine, None, Cause::Stalled)
            }
            // §6.4.3: Adver_Timer.
            State::Active { adver_timer, answer_from, .. } if adver_timer <= now => {
                self.advertise_regularly(now, adver_timer, answer_from);
                vec![Action::Advertise(Some(mine))]
            }
            State::Initialize
            | State::Resume { .. }
            | State::Backup { .. }
            | State::Active { .. } => Vec::new(),
        }
    }

    fn hear(&mut self, now: Instant, heard: Heard) -> Vec<Action> {
        let Verdict::Eligible(mine) = self.verdict else { return Vec::new() };
        match (self.state, heard.priority) {
            // Our own, reflected.
            _ if heard.source == self.params.primary => Vec::new(),
            (State::Initialize, _) | (State::Resume { .. }, None) => Vec::new(),
            (State::Resume { .. }, Some(_)) => self.yield_to(now, mine, Some(heard), Cause::Taken),
            // Only who is Active can resign. Obeying anybody else makes two Actives of one.
            (State::Backup { .. }, None) if self.follows_another(heard.source) => Vec::new(),
            // §6.4.2: the Active router resigns; the highest priority has the shortest skew.
            (State::Backup { active_down_timer, .. }, None) => {
                self.active = None;
                let skew = now + skew_time(mine, self.active_adver_interval);
                // Never later than it was: repeated resignations must not keep us waiting.
                let active_down_timer = active_down_timer.min(skew);
                let because = Cause::ActiveResigned;
                self.state = State::Backup { active_down_timer, because };
                Vec::new()
            }
            (State::Backup { active_down_timer, .. }, Some(theirs)) => {
                self.active = Some((heard.source, theirs));
                if theirs >= mine || !self.may_preempt(now, mine) {
                    self.learn(heard.interval);
                    self.arm_active_down(now, mine, Cause::ActiveDown);
                } else {
                    // §6.4.2: discarded; the timer goes on.
                    let because = Cause::Preempted;
                    self.state = State::Backup { active_down_timer, because };
                }
                Vec::new()
            }
            (State::Active { .. }, priority) => self.hear_as_active(now, mine, heard, priority),
        }
    }

    /// §6.4.3, the clauses on advertisements.
    fn hear_as_active(
        &mut self,
        now: Instant,
        mine: Priority,
        heard: Heard,
        priority: Option<Priority>,
    ) -> Vec<Action> {
        let State::Active { adver_timer, patience, answer_from } = self.state else {
            return Vec::new();
        };
        match priority {
            // Higher priority, or equal priority and higher address, wins.
            Some(theirs) if (theirs, heard.source) > (mine, self.params.primary) => {
                self.yield_to(now, mine, Some(heard), Cause::Superior)
            }
            // Whoever this is took over while we were not run; bouncing helps nobody.
            Some(_) if patience < now => self.yield_to(now, mine, Some(heard), Cause::Stalled),
            // One answer per interval: more would make us an amplifier.
            _ if now < answer_from => Vec::new(),
            // Assert ourselves at once, to the sender and to learning bridges; and tell
            // the neighbours again, who may have believed the other.
            Some(_) => {
                let interval = self.params.interval.to_duration();
                let patience = now + interval.saturating_mul(3);
                self.state = State::Active { adver_timer, patience, answer_from: now + interval };
                vec![Action::Advertise(Some(mine)), Action::Announce]
            }
            None => {
                self.advertise_regularly(now, now, now + self.params.interval.to_duration());
                vec![Action::Advertise(Some(mine))]
            }
        }
    }

    fn conflict(&mut self, now: Instant) -> Vec<Action> {
        match (self.state, self.verdict) {
            (State::Resume { .. }, Verdict::Eligible(mine)) => {
                self.yield_to(now, mine, None, Cause::Taken)
            }
            // Not the election's business: two Actives find each other by advertisements.
            _ => Vec::new(),
        }
    }

    fn resign(&mut self, now: Instant) -> Vec<Action> {
        match (self.state, self.verdict) {
            (State::Active { .. }, Verdict::Eligible(mine)) => {
                let mut actions = self.yield_to(now, mine, None, Cause::Resigned);
                actions.insert(1, Action::Advertise(None));
                actions
            }
            _ => Vec::new(),
        }
    }

    fn follows_another(&self, source: IpAddr) -> bool {
        self.active.is_some_and(|(active, _)| active != source)
    }

    /// The owner always preempts (§6.1); others when asked to, fit to, and old enough.
    fn may_preempt(&self, now: Instant, mine: Priority) -> bool {
        let aged = self.entered.is_some_and(|at| now >= at + self.params.preempt_delay);
        mine == Priority::OWNER || (self.params.preempt && self.settled && aged)
    }

    /// §6.1: `Active_Adver_Interval` follows the Active router, within reason.
    fn learn(&mut self, interval: Interval) {
        let bound = LEARN_ANYWAY.max(self.params.interval.to_duration().saturating_mul(10));
        self.active_adver_interval =
            if interval.to_duration() > bound { self.params.interval } else { interval };
    }

    fn become_active(&mut self, now: Instant, mine: Priority, cause: Cause) -> Vec<Action> {
        self.active = None;
        self.advertise_regularly(now, now, now);
        vec![
            Action::AcquireAddresses,
            Action::Advertise(Some(mine)),
            Action::Announce,
            Action::Report(Role::Active, cause),
        ]
    }

    fn become_backup(
        &mut self,
        now: Instant,
        mine: Priority,
        to: Option<Heard>,
        cause: Cause,
    ) -> Vec<Action> {
        self.active = to.and_then(|heard| Some((heard.source, heard.priority?)));
        self.learn(to.map_or(self.params.interval, |heard| heard.interval));
        self.arm_active_down(now, mine, Cause::ActiveDown);
        vec![Action::Report(Role::Backup, cause)]
    }

    /// Gives the addresses up and becomes Backup.
    fn yield_to(
        &mut self,
        now: Instant,
        mine: Priority,
        to: Option<Heard>,
        cause: Cause,
    ) -> Vec<Action> {
        let mut actions = vec![Action::ReleaseAddresses];
        actions.extend(self.become_backup(now, mine, to, cause));
        actions
    }

    fn arm_active_down(&mut self, now: Instant, mine: Priority, because: Cause) {
        let silence = active_down_interval(mine, self.active_adver_interval);
        self.state = State::Backup { active_down_timer: now + silence, because };
    }

    /// Restarts `Adver_Timer` on the schedule it was `due` by, so that lateness does not add up.
    fn advertise_regularly(&mut self, now: Instant, due: Instant, answer_from: Instant) {
        let interval = self.params.interval.to_duration();
        let next = due + interval;
        let adver_timer = if next > now { next } else { now + interval };
        let patience = now + interval.saturating_mul(3);
        self.state = State::Active { adver_timer, patience, answer_from };
    }
}

/// A timer that fires a whole interval late was not late: we were.
fn late(now: Instant, due: Instant, interval: Interval) -> bool {
    now.saturating_duration_since(due) > interval.to_duration()
}

#[cfg(test)]
mod tests;
