//! Two routers on one simulated segment: in-memory, deterministic, faster than real time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

struct Pair {
    now: Instant,
    /// Not run before this: packets wait, timers fall overdue.
    asleep: [Instant; 2],
    routers: [VirtualRouter; 2],
    holds: [bool; 2],
    /// How long a packet travels.
    delay: Duration,
    /// Whose packets are lost.
    cut: [bool; 2],
    /// Lose every n-th packet.
    lose_every: Option<usize>,
    sent: usize,
    /// What is under way, by arrival and number: to whom, and what.
    wire: BTreeMap<(Instant, usize), (usize, Heard)>,
    changes: usize,
    /// For how long both, or none, held the addresses, all told.
    both: Duration,
    none: Duration,
}

impl Pair {
    /// Routers at .1 and .2 with 200 ms interval.
    fn new(priorities: [u8; 2], preempt: bool) -> Self {
        let router = |host, priority| {
            let params = Params { interval: centis(20), ..params(host, preempt) };
            VirtualRouter::new(params, Verdict::Eligible(prio(priority)))
        };
        let [a, b] = priorities;
        let now = Instant::now();
        let mut pair = Self {
            now,
            asleep: [now; 2],
            routers: [router(1, a), router(2, b)],
            holds: [false; 2],
            delay: US(300),
            cut: [false; 2],
            lose_every: None,
            sent: 0,
            wire: BTreeMap::new(),
            changes: 0,
            both: Duration::ZERO,
            none: Duration::ZERO,
        };
        for who in [0, 1] {
            pair.give(who, Input::Startup { holding: false });
            pair.give(who, Input::Settled);
        }
        pair
    }

    fn give(&mut self, who: usize, input: Input) {
        for action in self.routers[who].handle(self.now, input) {
            match action {
                Advertise(priority) => self.send(who, priority),
                AcquireAddresses => self.holds[who] = true,
                ReleaseAddresses => self.holds[who] = false,
                Report(..) => self.changes += 1,
                Announce | Probe => {}
            }
        }
    }

    fn send(&mut self, who: usize, priority: Option<Priority>) {
        self.sent += 1;
        let lost = self.lose_every.is_some_and(|n| self.sent.is_multiple_of(n));
        if !self.cut[who] && !lost {
            let params = self.routers[who].params();
            let heard = Heard { source: params.primary, priority, interval: params.interval };
            self.wire.insert((self.now + self.delay, self.sent), (1 - who, heard));
        }
    }

    fn run(&mut self, for_: Duration) {
        let end = self.now + for_;
        loop {
            let due = |who: usize| {
                self.routers[who].deadline().map_or(end, |due| due.max(self.asleep[who]))
            };
            let who = usize::from(due(1) < due(0));
            let arrival = |((at, number), (to, _)): (&(Instant, usize), &(usize, Heard))| {
                ((*at).max(self.asleep[*to]), (*at, *number))
            };
            let (packet, first) = self.wire.iter().map(arrival).min().unwrap_or((end, (end, 0)));
            let next = due(who).min(packet).min(end);
            match self.holds {
                [true, true] => self.both += next - self.now,
                [false, false] => self.none += next - self.now,
                [true, false] | [false, true] => {}
            }
            self.now = next;
            if next == end {
                return;
            }
            // As the driver does: what has arrived is read before a timer may fire.
            if packet == next {
                let (to, heard) = self.wire.remove(&first).unwrap();
                self.give(to, Input::Heard(heard));
            } else {
                self.give(who, Input::Tick);
            }
        }
    }

    fn forget(&mut self) {
        (self.both, self.none, self.changes) = (Duration::ZERO, Duration::ZERO, 0);
    }
}

#[test]
fn the_higher_priority_wins_and_hands_over_within_skew_time() {
    let mut pair = Pair::new([150, 100], true);
    pair.run(MS(10_000));
    assert_eq!(pair.holds, [true, false]);
    pair.forget();
    pair.give(0, Input::Shutdown);
    pair.run(MS(1_000));
    assert_eq!(pair.holds, [false, true]);
    assert_eq!(pair.both, Duration::ZERO);
    // Skew_Time at 200 ms and priority 100: 156/256 of 200 ms; plus the way of the packet.
    assert_eq!(pair.none, US(121_875) + US(300));
}

#[test]
fn equal_priorities_settle_on_the_higher_address_and_stay() {
    let mut pair = Pair::new([254, 254], false);
    pair.run(MS(2_000));
    assert_eq!(pair.holds, [false, true]);
    assert!(pair.both <= MS(1), "{:?}", pair.both);
    pair.forget();
    pair.run(MS(600_000));
    assert_eq!((pair.changes, pair.both, pair.none), (0, Duration::ZERO, Duration::ZERO));
    // The one that comes back stays Backup.
    pair.give(1, Input::Track(Verdict::Fault));
    pair.run(MS(1_000));
    pair.give(1, Input::Track(Verdict::Eligible(prio(254))));
    pair.run(MS(10_000));
    assert_eq!((pair.holds, pair.both), ([true, false], Duration::ZERO));
    // 2/256 of 200 ms, and the way of the packet.
    assert_eq!(pair.none, Duration::from_nanos(1_562_500) + US(300));
}

#[test]
fn a_hand_over_by_the_operator_goes_to_the_other_and_stays_there() {
    let mut pair = Pair::new([254, 254], false);
    pair.run(MS(2_000));
    pair.give(1, Input::Resign);
    pair.run(MS(10_000));
    assert_eq!(pair.holds, [true, false]);
}

#[test]
fn a_split_segment_heals_within_one_interval() {
    let mut pair = Pair::new([254, 250], false);
    pair.run(MS(10_000));
    assert_eq!(pair.holds, [true, false]);
    pair.cut = [true, true];
    pair.run(MS(1_000));
    assert_eq!(pair.holds, [true, true], "nobody can know better");
    pair.forget();
    pair.cut = [false, false];
    pair.run(MS(1_000));
    assert_eq!(pair.holds, [true, false]);
    assert!(pair.both <= MS(201), "{:?}", pair.both);
}

#[test]
fn two_lost_advertisements_in_three_do_not_move_it() {
    for (a, lose_every) in [(true, 2), (true, 3), (false, 2)] {
        let mut pair = Pair::new([254, 100], a);
        pair.run(MS(2_000));
        pair.forget();
        pair.lose_every = Some(lose_every);
        pair.run(MS(60_000));
        assert_eq!((pair.changes, pair.holds), (0, [true, false]), "{lose_every}");
    }
}

#[test]
fn packets_queued_for_two_intervals_do_not_move_it() {
    let mut pair = Pair::new([254, 254], false);
    pair.run(MS(2_000));
    pair.forget();
    pair.delay = MS(390);
    pair.run(MS(60_000));
    assert_eq!((pair.changes, pair.holds), (0, [false, true]));
}

/// What can befall a pair.
#[derive(Debug, Clone)]
enum Fate {
    Stop(usize),
    Start(usize, bool),
    Fault(usize),
    Recover(usize),
    Cut(usize),
    Sleep(usize, u64),
    Resign(usize),
    Slow(u64),
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let who = 0..2_usize;
    prop_oneof![
        who.clone().prop_map(Fate::Stop),
        (who.clone(), any::<bool>()).prop_map(|(who, holding)| Fate::Start(who, holding)),
        who.clone().prop_map(Fate::Fault),
        who.clone().prop_map(Fate::Recover),
        who.clone().prop_map(Fate::Cut),
        (who.clone(), 0..3_000_u64).prop_map(|(who, ms)| Fate::Sleep(who, ms)),
        who.prop_map(Fate::Resign),
        (0..60_u64).prop_map(Fate::Slow),
    ]
}

impl Pair {
    fn suffer(&mut self, fate: &Fate, priorities: [u8; 2]) {
        match *fate {
            Fate::Stop(who) => self.give(who, Input::Shutdown),
            Fate::Start(who, holding) => {
                if self.routers[who].role() == Role::Initialize && !self.holds[who] {
                    self.holds[who] = holding;
                    self.give(who, Input::Startup { holding });
                }
            }
            Fate::Fault(who) => self.give(who, Input::Track(Verdict::Fault)),
            Fate::Recover(who) => {
                self.give(who, Input::Track(Verdict::Eligible(prio(priorities[who]))));
            }
            Fate::Cut(who) => self.cut[who] = true,
            Fate::Sleep(who, ms) => self.asleep[who] = self.now + MS(ms),
            Fate::Resign(who) => self.give(who, Input::Resign),
            Fate::Slow(ms) => self.delay = MS(ms),
        }
    }
}

proptest! {
    /// L1: whatever befell them, once both can run and talk there is one holder, and stays.
    #[test]
    fn a_pair_always_heals_to_one_holder(
        priorities in [1..=254_u8, 1..=254_u8],
        preempt in any::<bool>(),
        fates in prop::collection::vec((any_fate(), 0..2_000_u64), 0..30),
    ) {
        let mut pair = Pair::new(priorities, preempt);
        for (fate, ms) in &fates {
            pair.suffer(fate, priorities);
            pair.run(MS(*ms));
        }
        (pair.cut, pair.asleep, pair.delay) = ([false; 2], [pair.now; 2], US(300));
        for who in [0, 1] {
            pair.suffer(&Fate::Recover(who), priorities);
            pair.suffer(&Fate::Start(who, false), priorities);
        }
        // What was slow on the way is still to come, and may set them off once more.
        pair.run(MS(2_500));
        pair.forget();
        pair.run(MS(5_000));
        prop_assert_eq!(pair.changes, 0);
        prop_assert_eq!((pair.both, pair.none), (Duration::ZERO, Duration::ZERO));
        if preempt && priorities[0] != priorities[1] {
            prop_assert_eq!(pair.holds, [priorities[0] > priorities[1], priorities[0] < priorities[1]]);
        }
    }
}
