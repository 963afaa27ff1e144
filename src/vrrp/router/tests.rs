#![expect(clippy::disallowed_methods, reason = "one arbitrary epoch per test")]

use super::*;
use Action::{AcquireAddresses, Advertise, Announce, Probe, ReleaseAddresses, Report};

mod pair;
mod random;

const MS: fn(u64) -> Duration = Duration::from_millis;
const US: fn(u64) -> Duration = Duration::from_micros;

fn prio(p: u8) -> Priority {
    Priority::try_from(p).unwrap()
}

fn centis(c: u16) -> Interval {
    Interval::from_centis(c).unwrap()
}

fn params(host: u8, preempt: bool) -> Params {
    let primary = IpAddr::from([192, 0, 2, host]);
    Params { primary, interval: centis(100), preempt, preempt_delay: Duration::ZERO }
}

fn heard(host: u8, priority: Option<u8>) -> Input {
    let source = IpAddr::from([192, 0, 2, host]);
    Input::Heard(Heard { source, priority: priority.map(prio), interval: centis(100) })
}

/// A router at .5 in Backup since the returned instant, its checks settled.
fn backup(priority: u8, preempt: bool) -> (VirtualRouter, Instant) {
    let t0 = Instant::now();
    let mut r = VirtualRouter::new(params(5, preempt), Verdict::Eligible(prio(priority)));
    let report = Report(Role::Backup, Cause::Startup);
    assert_eq!(r.handle(t0, Input::Startup { holding: false }), [report]);
    assert_eq!(r.handle(t0, Input::Settled), []);
    (r, t0)
}

/// A router at .5 that has become Active at the returned instant.
fn active(priority: u8) -> (VirtualRouter, Instant) {
    let (mut r, _) = backup(priority, true);
    let now = r.deadline().unwrap();
    assert_eq!(r.handle(now, Input::Tick).first(), Some(&AcquireAddresses));
    (r, now)
}

/// The same one millisecond after start, with the addresses found on the interface.
fn resuming(priority: u8) -> (VirtualRouter, Instant) {
    let t0 = Instant::now();
    let mut r = VirtualRouter::new(params(5, false), Verdict::Eligible(prio(priority)));
    assert_eq!(r.handle(t0, Input::Startup { holding: true }), [Probe]);
    (r, t0 + MS(1))
}

fn taken_over(priority: u8, cause: Cause) -> Vec<Action> {
    vec![AcquireAddresses, Advertise(Some(prio(priority))), Announce, Report(Role::Active, cause)]
}

fn given_up(cause: Cause) -> Vec<Action> {
    vec![ReleaseAddresses, Report(Role::Backup, cause)]
}

/// RFC 9568 §6.4.1: the address owner goes straight to Active.
#[test]
fn owner_starts_active() {
    let mut r = VirtualRouter::new(params(1, false), Verdict::Eligible(Priority::OWNER));
    let actions = r.handle(Instant::now(), Input::Startup { holding: false });
    assert_eq!(actions, taken_over(255, Cause::Startup));
}

/// RFC 9568 §6.4.2 and §6.1: silence for `Active_Down_Interval`, 3.609375 s at priority 100
/// and 3.0078125 s at 254.
#[test]
fn backup_takes_over_after_active_down_interval() {
    for (priority, silence) in [(100, 3_609_375_000), (254, 3_007_812_500)] {
        let (mut r, t0) = backup(priority, false);
        let due = t0 + Duration::from_nanos(silence);
        assert_eq!(r.deadline(), Some(due));
        assert_eq!(r.handle(t0 + Duration::from_nanos(silence - 1), Input::Tick), []);
        assert_eq!(r.handle(due, Input::Tick), taken_over(priority, Cause::ActiveDown));
        assert_eq!(r.deadline(), Some(due + MS(1000)));
    }
}

/// RFC 9568 §6.4.2: priority 0 arms the timer with `Skew_Time` only: 7.8125 ms at 254.
#[test]
fn resignation_shortens_the_wait_to_skew_time() {
    let (mut r, t0) = backup(254, false);
    assert_eq!(r.handle(t0 + MS(5), heard(2, None)), []);
    let due = t0 + MS(5) + Duration::from_nanos(7_812_500);
    assert_eq!(r.deadline(), Some(due));
    // Saying it again does not put it off.
    assert_eq!(r.handle(t0 + MS(9), heard(2, None)), []);
    assert_eq!(r.deadline(), Some(due));
    assert_eq!(r.handle(due, Input::Tick), taken_over(254, Cause::ActiveResigned));
}

/// RFC 9568 §6.4.2: which advertisements keep a Backup quiet. FSM-02, FSM-04.
#[test]
fn backup_hears_its_betters_and_without_preemption_everybody() {
    // (preempt, their priority, restarts the timer)
    let cases = [
        (true, 101, true),
        (true, 100, true),
        (true, 99, false),
        (false, 99, true),
        (false, 100, true),
    ];
    for (preempt, theirs, restarts) in cases {
        let (mut r, t0) = backup(100, preempt);
        let now = t0 + MS(2_000);
        assert_eq!(r.handle(now, heard(2, Some(theirs))), []);
        let want = US(3_609_375) + if restarts { MS(2_000) } else { MS(0) };
        assert_eq!(r.deadline(), Some(t0 + want), "preempt={preempt}, theirs={theirs}");
        assert_eq!(r.active_router(), Some(([192, 0, 2, 2].into(), prio(theirs))));
    }
}

/// FSM-01: RFC 9568 §6.1, `Preempt_Mode`.
#[test]
fn the_owner_preempts_even_when_told_not_to() {
    let now = Instant::now();
    let mut r = VirtualRouter::new(params(5, false), Verdict::Eligible(Priority::OWNER));
    let actions = r.handle(now, Input::Startup { holding: false });
    assert_eq!(actions, taken_over(255, Cause::Startup));
    assert_eq!(r.handle(now, heard(9, Some(255))), given_up(Cause::Superior));
    let due = r.deadline();
    assert_eq!(r.handle(now + MS(10), heard(9, Some(254))), []);
    assert_eq!(r.deadline(), due);
}

#[test]
fn preemption_waits_for_the_checks_and_the_delay() {
    let t0 = Instant::now();
    let delayed = Params { preempt_delay: MS(10_000), ..params(5, true) };
    let mut r = VirtualRouter::new(delayed, Verdict::Eligible(prio(200)));
    let _actions = r.handle(t0, Input::Startup { holding: false });
    let restarts = |r: &mut VirtualRouter, ms| {
        let before = r.deadline();
        assert_eq!(r.handle(t0 + MS(ms), heard(2, Some(100))), []);
        r.deadline() != before
    };
    assert!(restarts(&mut r, 1_000), "neither settled nor old enough");
    assert_eq!(r.handle(t0, Input::Settled), []);
    assert!(restarts(&mut r, 2_000), "not old enough");
    assert!(restarts(&mut r, 9_999), "not old enough");
    assert!(!restarts(&mut r, 10_000), "now it preempts");
    let due = r.deadline().unwrap();
    assert_eq!(r.handle(due, Input::Tick), taken_over(200, Cause::Preempted));
}

/// RFC 9568 §6.4.3, one row per clause, and FSM-03.
#[test]
fn active_answers_advertisements() {
    let asserts = vec![Advertise(Some(prio(100)))];
    let insists = vec![Advertise(Some(prio(100))), Announce];
    let cases = [
        ("higher priority", heard(1, Some(101)), given_up(Cause::Superior)),
        ("equal, higher address", heard(9, Some(100)), given_up(Cause::Superior)),
        ("equal, lower address", heard(1, Some(100)), insists.clone()),
        ("lower priority", heard(9, Some(99)), insists),
        ("resignation", heard(9, None), asserts),
        ("our own", heard(5, Some(101)), vec![]),
        ("our own resignation", heard(5, None), vec![]),
    ];
    for (what, input, want) in cases {
        let (mut r, now) = active(100);
        assert_eq!(r.handle(now + MS(10), input), want, "{what}");
    }
}

/// RFC 9568 §6.4.3 wants each answered at once; a flood would make us an amplifier.
#[test]
fn inferior_advertisements_are_answered_once_per_interval() {
    let (mut r, now) = active(100);
    let mut answers = 0;
    for ms in 0..1_000 {
        answers += r.handle(now + MS(ms), heard(1, Some(99))).len();
    }
    assert_eq!(answers, 2, "one advertisement, one announcement");
    assert_eq!(r.deadline(), Some(now + MS(1_000)), "Adver_Timer is not put off");
    assert_eq!(r.handle(now + MS(1_000), heard(1, Some(99))).len(), 2);
}

/// TM-06: lateness does not add up, and what was missed is not made up for.
#[test]
fn advertisements_keep_their_schedule() {
    let (mut r, now) = active(100);
    assert_eq!(r.handle(now + MS(1_007), Input::Tick), [Advertise(Some(prio(100)))]);
    assert_eq!(r.deadline(), Some(now + MS(2_000)));
    assert_eq!(r.handle(now + MS(3_500), Input::Tick), [Advertise(Some(prio(100)))]);
    assert_eq!(r.deadline(), Some(now + MS(4_500)));
}

/// TM-05: a Backup waits by the Active router's interval; once Active it sends by its own.
#[test]
fn the_interval_is_learnt_within_bounds() {
    // Own interval 1 s. (theirs in centiseconds, milliseconds the timer is set to at priority 128)
    for (theirs, silence) in
        [(20, 700), (200, 7_000), (1_000, 35_000), (1_001, 3_500), (4_095, 3_500)]
    {
        let (mut r, t0) = backup(128, false);
        let source = IpAddr::from([192, 0, 2, 9]);
        let input = Heard { source, priority: Some(prio(200)), interval: centis(theirs) };
        assert_eq!(r.handle(t0, Input::Heard(input)), []);
        let due = t0 + MS(silence);
        assert_eq!(r.deadline(), Some(due), "{theirs}");
        assert_eq!(r.handle(due, Input::Tick), taken_over(128, Cause::ActiveDown));
        assert_eq!(r.deadline(), Some(due + MS(1_000)));
    }
}

#[test]
fn fault_releases_then_resigns_and_recovery_rejoins() {
    let (mut r, now) = active(100);
    let report = Report(Role::Fault, Cause::Fault);
    let actions = r.handle(now, Input::Track(Verdict::Fault));
    assert_eq!(actions, [ReleaseAddresses, Advertise(None), report]);
    assert_eq!((r.role(), r.deadline()), (Role::Fault, None));
    assert_eq!(r.handle(now, heard(2, Some(1))), []);
    assert_eq!(r.handle(now, Input::Track(Verdict::Fault)), []);
    let actions = r.handle(now, Input::Track(Verdict::Eligible(prio(100))));
    assert_eq!(actions, [Report(Role::Backup, Cause::Recovered)]);
}

/// RFC 9568 §6.4.2 and §6.4.3, Shutdown: only the Active router says so.
#[test]
fn shutdown_resigns_only_what_is_held() {
    let report = Report(Role::Initialize, Cause::Shutdown);
    let (mut r, now) = active(100);
    assert_eq!(r.handle(now, Input::Shutdown), [ReleaseAddresses, Advertise(None), report]);
    assert_eq!(r.role(), Role::Initialize);
    let (mut r, now) = backup(100, true);
    assert_eq!(r.handle(now, Input::Shutdown), [report]);
    let (mut r, now) = resuming(100);
    assert_eq!(r.handle(now, Input::Shutdown), [ReleaseAddresses, Advertise(None), report]);
}

#[test]
fn a_fault_at_startup_releases_what_was_left_behind() {
    let report = Report(Role::Fault, Cause::Fault);
    for (holding, want) in [(true, vec![ReleaseAddresses, report]), (false, vec![report])] {
        let mut r = VirtualRouter::new(params(5, false), Verdict::Fault);
        assert_eq!(r.handle(Instant::now(), Input::Startup { holding }), want);
    }
}

#[test]
fn resuming_in_silence_keeps_the_addresses() {
    let (mut r, now) = resuming(100);
    assert!(r.holds_addresses());
    assert_eq!(r.handle(now, heard(2, None)), [], "a resignation is no claim");
    let due = now + MS(249);
    assert_eq!(r.deadline(), Some(due), "a quarter of the interval");
    assert_eq!(r.handle(due, Input::Tick), taken_over(100, Cause::Resumed));
}

#[test]
fn resuming_gives_way_to_anybody_who_took_over() {
    for input in [heard(2, Some(1)), heard(9, Some(200)), Input::Conflict] {
        let (mut r, now) = resuming(100);
        assert_eq!(r.handle(now, input), given_up(Cause::Taken));
    }
    let (mut r, now) = active(100);
    assert_eq!(r.handle(now, Input::Conflict), [], "two Actives settle it by advertisements");
}

/// Design rules from model checking: a resumed process must not act on what it knew before.
#[test]
fn a_stalled_router_listens_before_it_speaks() {
    let (mut r, now) = active(100);
    assert_eq!(r.handle(now + MS(3_001), Input::Tick), given_up(Cause::Stalled));
    let (mut r, now) = active(200);
    let actions = r.handle(now + MS(3_001), heard(2, Some(100)));
    assert_eq!(actions, given_up(Cause::Stalled), "the lower router took over meanwhile");
    let (mut r, _) = backup(100, false);
    let late = r.deadline().unwrap() + MS(1_001);
    assert_eq!(r.handle(late, Input::Tick), []);
    assert_eq!(r.deadline(), Some(late + US(3_609_375)));
    let (mut r, _) = resuming(100);
    let late = r.deadline().unwrap() + MS(1_001);
    assert_eq!(r.handle(late, Input::Tick), given_up(Cause::Stalled));
}

#[test]
fn an_operator_can_hand_over() {
    let (mut r, now) = active(100);
    let report = Report(Role::Backup, Cause::Resigned);
    assert_eq!(r.handle(now, Input::Resign), [ReleaseAddresses, Advertise(None), report]);
    assert_eq!(r.deadline(), Some(now + US(3_609_375)));
    assert_eq!(r.handle(now, Input::Resign), []);
}

#[test]
fn reconfiguration_keeps_state_and_timers() {
    let (mut r, now) = active(100);
    let due = r.deadline();
    let faster = Params { interval: centis(20), ..params(5, true) };
    assert_eq!(r.handle(now, Input::Reconfigure(faster)), []);
    assert_eq!(r.handle(now, Input::Track(Verdict::Eligible(prio(90)))), []);
    assert_eq!(r.deadline(), due);
    assert_eq!(r.handle(due.unwrap(), Input::Tick), [Advertise(Some(prio(90)))]);
    assert_eq!(r.deadline(), Some(now + MS(1_200)));
}

/// RFC 9568 §6.4.1: nothing but Startup leaves Initialize.
#[test]
fn initialize_ignores_everything_else() {
    let mut r = VirtualRouter::new(params(5, true), Verdict::Eligible(prio(100)));
    let now = Instant::now();
    for input in [Input::Tick, heard(2, Some(1)), Input::Conflict, Input::Resign, Input::Settled] {
        assert_eq!(r.handle(now, input), []);
        assert_eq!((r.role(), r.deadline()), (Role::Initialize, None));
    }
}

/// Beyond RFC 9568 §6.4.2, which obeys a resignation whoever sends it.
#[test]
fn only_the_active_router_can_resign() {
    let (mut r, t0) = backup(254, false);
    assert_eq!(r.handle(t0, heard(9, Some(254))), []);
    let due = r.deadline();
    assert_eq!(r.handle(t0 + MS(1), heard(8, None)), []);
    assert_eq!(r.deadline(), due, "another router's resignation is none of ours");
    assert_eq!(r.handle(t0 + MS(2), heard(9, None)), []);
    assert!(r.deadline() < due);
    // As long as nobody has been heard, it may be the one we should have.
    let (mut r, t0) = backup(254, false);
    let due = r.deadline();
    assert_eq!(r.handle(t0, heard(8, None)), []);
    assert!(r.deadline() < due);
}
