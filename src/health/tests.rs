use proptest::prelude::*;

use super::*;

fn hysteresis(rise: u32, fall: u32) -> Hysteresis {
    Hysteresis { rise: NonZeroU32::new(rise).unwrap(), fall: NonZeroU32::new(fall).unwrap() }
}

/// Feeds `results` (`+` success, `-` failure); answers the belief after each: `?`, `U`, `D`.
fn beliefs(judge: &mut Judge, results: &str) -> String {
    let believe = |c| {
        judge.observe(c == '+');
        match judge.health() {
            Health::Unknown => '?',
            Health::Up => 'U',
            Health::Down => 'D',
        }
    };
    results.chars().map(believe).collect()
}

#[test]
fn a_new_server_earns_its_place_and_loses_it_by_consecutive_results_only() {
    for (rise, fall, results, expected) in [
        (2, 3, "++-+---+-++", "?UUUUUDDDDU"),
        (2, 3, "---++", "??DDU"),
        (2, 3, "+-+-+-", "??????"),
        (1, 1, "+-+-", "UDUD"),
        (3, 2, "+++-+--+++", "??UUUUDDDU"),
        (1, 3, "--+---", "??UUUD"),
    ] {
        let seen = beliefs(&mut Judge::new(hysteresis(rise, fall)), results);
        assert_eq!(seen, expected, "rise {rise}, fall {fall}, {results}");
    }
}

#[test]
fn the_first_result_decides_for_an_adopted_server_and_only_the_first() {
    for (results, expected) in [("+--+---", "UUUUUUD"), ("-+-++", "DDDDU")] {
        let seen = beliefs(&mut Judge::adopted(hysteresis(2, 3)), results);
        assert_eq!(seen, expected, "{results}");
    }
}

#[test]
fn a_change_names_both_sides() {
    let mut judge = Judge::new(hysteresis(1, 1));
    let (from, to) = (Health::Unknown, Health::Up);
    assert_eq!(judge.observe(true), Some(Change { from, to }));
    assert_eq!(judge.observe(true), None);
    let (from, to) = (Health::Up, Health::Down);
    assert_eq!(judge.observe(false), Some(Change { from, to }));
}

#[test]
fn the_streak_counts_successes_up_and_failures_down() {
    let mut judge = Judge::new(hysteresis(2, 3));
    assert_eq!(judge.streak(), 0);
    let seen: Vec<i64> = "++---+"
        .chars()
        .map(|c| {
            judge.observe(c == '+');
            judge.streak()
        })
        .collect();
    assert_eq!(seen, [1, 2, -1, -2, -3, 1]);
}

#[test]
fn a_check_is_settled_while_results_agree_with_the_belief() {
    let mut judge = Judge::new(hysteresis(2, 2));
    assert!(!judge.settled());
    // Unknown, up, first failure, down, still down, recovering, up.
    let expected = [false, true, false, true, true, false, true];
    for (result, settled) in "++---++".chars().zip(expected) {
        judge.observe(result == '+');
        assert_eq!(judge.settled(), settled, "{judge:?}");
    }
}

#[test]
fn other_numbers_leave_the_belief_alone() {
    let mut judge = Judge::new(hysteresis(1, 5));
    assert_eq!(beliefs(&mut judge, "+---"), "UUUU");
    judge.set_hysteresis(hysteresis(3, 2));
    assert_eq!(judge.health(), Health::Up);
    assert_eq!(beliefs(&mut judge, "-+++"), "DDDU");
}

#[test]
fn one_failing_check_outweighs_all_and_no_check_means_up() {
    use Health::{Down, Unknown, Up};
    for (checks, expected) in [
        (&[][..], Up),
        (&[Up], Up),
        (&[Unknown], Unknown),
        (&[Up, Unknown, Up], Unknown),
        (&[Unknown, Down, Up], Down),
        (&[Up, Down, Unknown], Down),
    ] {
        assert_eq!(combine(checks.iter().copied()), expected, "{checks:?}");
    }
}

proptest! {
    #[test]
    fn belief_follows_only_from_enough_equal_results(
        rise in 1u32..6, fall in 1u32..6, adopted: bool,
        results in proptest::collection::vec(any::<bool>(), 0..60),
    ) {
        let numbers = hysteresis(rise, fall);
        let mut judge = if adopted { Judge::adopted(numbers) } else { Judge::new(numbers) };
        for end in 1..=results.len() {
            let before = judge.health();
            let last = results[end - 1];
            let change = judge.observe(last);
            let run = results[..end].iter().rev().take_while(|&&r| r == last).count();
            let run = i64::try_from(run).unwrap();
            prop_assert_eq!(judge.streak(), if last { run } else { -run });
            let needed = if adopted && end == 1 { 1 } else { i64::from(if last { rise } else { fall }) };
            let target = if last { Health::Up } else { Health::Down };
            let expected = if run >= needed { target } else { before };
            prop_assert_eq!(judge.health(), expected);
            let changed = (before != expected).then_some(Change { from: before, to: expected });
            prop_assert_eq!(change, changed);
        }
    }

    #[test]
    fn enough_equal_results_always_decide(
        rise in 1u32..6, fall in 1u32..6, last: bool,
        before in proptest::collection::vec(any::<bool>(), 0..30),
    ) {
        let mut judge = Judge::new(hysteresis(rise, fall));
        for result in before {
            judge.observe(result);
        }
        for _ in 0..if last { rise } else { fall } {
            judge.observe(last);
        }
        prop_assert_eq!(judge.health(), if last { Health::Up } else { Health::Down });
        prop_assert!(judge.settled());
    }
}
