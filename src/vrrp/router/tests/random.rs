//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

fn any_params() -> impl Strategy<Value = Params> {
    (1..=4_095_u16, any::<bool>(), 0..20_000_u64).prop_map(|(c, preempt, delay)| Params {
        interval: centis(c),
        preempt_delay: MS(delay),
        ..params(5, preempt)
    })
}

fn any_input() -> impl Strategy<Value = Input> {
    let verdict =
        prop_oneof![Just(Verdict::Fault), (1..=255_u8).prop_map(|p| Verdict::Eligible(prio(p)))];
    prop_oneof![
        any::<bool>().prop_map(|holding| Input::Startup { holding }),
        Just(Input::Shutdown),
        Just(Input::Tick),
        (0..=9_u8, prop::option::of(1..=255_u8)).prop_map(|(h, p)| heard(h, p)),
        verdict.prop_map(Input::Track),
        any_params().prop_map(Input::Reconfigure),
        Just(Input::Conflict),
        Just(Input::Settled),
        Just(Input::Resign),
    ]
}

/// Applies a step to what a shell would have, checking each action against it.
fn apply(actions: &[Action], held: &mut bool, role: &mut Role) -> Result<(), TestCaseError> {
    for action in actions {
        match action {
            AcquireAddresses => *held = true,
            ReleaseAddresses => {
                prop_assert!(*held, "released what was not held");
                *held = false;
            }
            Advertise(Some(_)) => prop_assert!(*held, "advertised without the addresses"),
            Advertise(None) => prop_assert!(!*held, "resigned while holding"),
            Announce | Probe => prop_assert!(*held),
            Report(to, _) => *role = *to,
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn invariants_hold(
        ops in prop::collection::vec((any_input(), 0..5_000_u64), 1..200),
        first in any_params(),
    ) {
        let mut r = VirtualRouter::new(first, Verdict::Eligible(prio(100)));
        let (mut now, mut held, mut role) = (Instant::now(), false, Role::Initialize);
        for (input, ms) in ops {
            now += MS(ms);
            if input == (Input::Startup { holding: true }) && r.entered.is_none() {
                held = true;
            }
            let down = input == Input::Shutdown;
            let actions = r.handle(now, input);
            apply(&actions, &mut held, &mut role)?;
            prop_assert_eq!(held, r.holds_addresses());
            prop_assert_eq!(role, r.role(), "every change of role is reported");
            prop_assert_eq!(r.deadline().is_none(), r.state() == State::Initialize);
            if down {
                prop_assert!(!held && r.state() == State::Initialize);
            }
        }
    }

    /// S7: once ticked, no timer is due any more, so a driver that ticks in a loop ends.
    #[test]
    fn a_tick_clears_what_was_due(
        ops in prop::collection::vec((any_input(), 0..2_000_u64), 1..100),
    ) {
        let mut r = VirtualRouter::new(params(5, true), Verdict::Eligible(prio(100)));
        let mut now = Instant::now();
        for (input, ms) in ops {
            now += MS(ms);
            let _actions = r.handle(now, input);
            let _actions = r.handle(now, Input::Tick);
            prop_assert!(r.deadline().is_none_or(|due| due > now));
        }
    }
}
