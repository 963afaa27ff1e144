//! The manager with scripted probes on a simulated clock.

mod bench;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::config::{RealServer, Timing};
use crate::daemon::checks::REPORTS_DEPTH;
use crate::health::{Change, Health, Hysteresis};
use crate::ipvs::ServiceKey;
use bench::{Bench, FAST, GRAIN, INTERVAL, bad, check, config, good, server, service, signs};

fn near(durations: &[Duration], expected: &[Duration]) -> bool {
    durations.len() >= expected.len()
        && durations.iter().zip(expected).all(|(d, e)| *d >= *e && *d <= *e + GRAIN)
}

#[tokio::test(start_paused = true)]
async fn probes_follow_the_interval_and_hurry_while_results_contradict() {
    use Health::{Down, Unknown, Up};
    let mut bench = Bench::new(REPORTS_DEPTH, signs("++-+----++"));
    bench.configure(config(vec![check()], [1]), &[]);
    let reports = bench.run_for(Duration::from_secs(14)).await;
    let expected = [
        FAST,     // + unknown
        INTERVAL, // + up
        FAST,     // - first failure
        INTERVAL, // + up after all
        FAST,     // - first failure
        FAST,     // - second
        INTERVAL, // - down
        INTERVAL, // - stays down
        FAST,     // + recovering
        INTERVAL, // + up
    ];
    assert!(near(&bench.pauses(), &expected), "{:?}", bench.pauses());
    let changes: Vec<_> = reports.iter().filter_map(|report| report.change).collect();
    let change = |from, to| Change { from, to };
    assert_eq!(changes, [change(Unknown, Up), change(Up, Down), change(Down, Up)]);
    let streaks: Vec<_> = reports.iter().map(|report| report.streak).take(10).collect();
    assert_eq!(streaks, [1, 2, -1, 1, -1, -2, -3, -4, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_fast_interval_above_the_interval_slows_nothing_down() {
    let timing = Timing { fast_interval: INTERVAL * 3, ..check().timing };
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+-"));
    bench.configure(config(vec![Check { timing, ..check() }], [1]), &[]);
    bench.run_for(INTERVAL * 4).await;
    assert!(near(&bench.pauses(), &[INTERVAL; 3]), "{:?}", bench.pauses());
}

#[tokio::test(start_paused = true)]
async fn jitter_adds_up_to_its_bound() {
    let jitter = Duration::from_millis(300);
    let timing = Timing { jitter, ..check().timing };
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+"));
    bench.configure(config(vec![Check { timing, ..check() }], [1]), &[1]);
    bench.run_for(Duration::from_secs(120)).await;
    let pauses = bench.pauses();
    assert!(pauses.len() > 50);
    assert!(pauses.iter().all(|p| *p >= INTERVAL && *p <= INTERVAL + jitter + GRAIN), "{pauses:?}");
    assert!(pauses.iter().any(|p| *p < INTERVAL + jitter / 4), "{pauses:?}");
    assert!(pauses.iter().any(|p| *p > INTERVAL + jitter / 4 * 3), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_longer_than_the_interval_is_followed_at_once_never_doubled() {
    let long = INTERVAL + Duration::from_secs(1);
    let mut bench = Bench::new(REPORTS_DEPTH, move |_, _| (long, good()));
    bench.configure(config(vec![check()], [1]), &[1]);
    let reports = bench.run_for(Duration::from_secs(20)).await;
    assert!(near(&bench.pauses(), &[long; 5]), "{:?}", bench.pauses());
    assert_eq!(bench.script.most_at_once.load(Ordering::Relaxed), 1);
    assert!(reports.iter().all(|report| report.duration >= long));
}

#[tokio::test(start_paused = true)]
async fn first_probes_come_soon_but_not_in_one_burst() {
    let began = Instant::now();
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+"));
    bench.configure(config(vec![check()], 1..=200), &[]);
    let reports = bench.run_for(LEAST_SPREAD + 2 * GRAIN).await;
    assert_eq!(reports.len(), 200);
    for tenth in 0..10 {
        let from = began + LEAST_SPREAD / 10 * tenth;
        let starts = bench.starts();
        let within = starts.iter().filter(|at| **at >= from && **at < from + LEAST_SPREAD / 10);
        let count = within.count();
        assert!((5..50).contains(&count), "{count} of 200 in tenth {tenth}");
    }
}

#[test]
fn the_spread_grows_with_the_number_of_checks_within_fast_interval() {
    let ms = Duration::from_millis;
    for (checks, expected) in [(1, 200), (400, 200), (800, 400), (10_000, 500)] {
        assert_eq!(spread(&check(), checks), ms(expected), "{checks} checks");
    }
    let timing = Timing { interval: ms(50), ..check().timing };
    assert_eq!(spread(&Check { timing, ..check() }, 1), ms(50));
}

#[tokio::test(start_paused = true)]
async fn a_reload_leaves_unchanged_checks_in_step_and_removes_what_is_gone() {
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+"));
    bench.configure(config(vec![check()], [1, 2]), &[]);
    bench.run_for(Duration::from_secs(5)).await;
    bench.configure(config(vec![check()], [2]), &[]);
    let reports = bench.run_for(Duration::from_secs(6)).await;
    let two = ServerId::of("www", &server(2));
    assert!(reports.iter().all(|report| report.id.server == two && report.generation == 1));
    assert_eq!(reports.len(), 3);
    let seen = bench.script.seen.lock().unwrap().clone();
    let starts: Vec<_> =
        seen.iter().filter(|(target, _)| target.ip() == two.address).map(|(_, at)| *at).collect();
    let pauses: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).skip(1).collect();
    assert!(near(&pauses, &[INTERVAL; 4]), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_with_other_timing_keeps_what_is_believed() {
    // Up by the old settings; then one failure, which the new ones must bear.
    let failing = Arc::new(AtomicBool::new(false));
    let fails = failing.clone();
    let mut bench = Bench::new(REPORTS_DEPTH, move |_, _| {
        (Duration::ZERO, if fails.load(Ordering::Relaxed) { bad() } else { good() })
    });
    bench.configure(config(vec![check()], [1]), &[]);
    let before = bench.run_for(Duration::from_secs(5)).await;
    assert_eq!(before.last().unwrap().health, Health::Up);
    failing.store(true, Ordering::Relaxed);
    let timing = Timing { interval: INTERVAL * 2, ..check().timing };
    bench.configure(config(vec![Check { timing, ..check() }], [1]), &[]);
    let began = Instant::now();
    let report = bench.report().await;
    assert!(began.elapsed() <= LEAST_SPREAD + GRAIN, "asked {:?} later", began.elapsed());
    assert!(report.outcome.is_err());
    assert_eq!((report.health, report.change, report.streak), (Health::Up, None, -1));
    assert_eq!(report.generation, 2);
    failing.store(false, Ordering::Relaxed);
    assert_eq!(bench.report().await.health, Health::Up);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_asks_something_else_is_judged_anew() {
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+"));
    bench.configure(config(vec![check()], [1]), &[1]);
    assert_eq!(bench.run_for(INTERVAL * 3).await.last().unwrap().health, Health::Up);
    // Also where the server is still adopted: that was about the first question only.
    bench.configure(config(vec![Check { port: Some(8080), ..check() }], [1]), &[1]);
    let report = bench.report().await;
    assert_eq!((report.health, report.streak, report.generation), (Health::Unknown, 1, 2));
    assert_eq!(bench.report().await.health, Health::Up);
    // The former one asks no more.
    bench.script.seen.lock().unwrap().clear();
    bench.run_for(INTERVAL * 3).await;
    let seen = bench.script.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|(target, _)| target.port() == 8080), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_removed_and_added_again_starts_anew() {
    let mut bench = Bench::new(REPORTS_DEPTH, signs("+"));
    bench.configure(config(vec![check()], [1]), &[1]);
    assert_eq!(bench.report().await.health, Health::Up);
    bench.configure(config(vec![check()], []), &[]);
    assert!(bench.run_for(Duration::from_secs(5)).await.is_empty());
    bench.configure(config(vec![check()], [1]), &[]);
    let report = bench.report().await;
    assert_eq!((report.health, report.streak, report.generation), (Health::Unknown, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn the_first_result_decides_for_adopted_servers_only() {
    for (sign, decided) in [("+", Health::Up), ("-", Health::Down)] {
        let mut bench = Bench::new(REPORTS_DEPTH, signs(sign));
        bench.configure(config(vec![check()], [1, 2]), &[1]);
        for _ in 0..2 {
            let report = bench.report().await;
            let adopted = report.id.server.address == server(1).address;
            assert_eq!(report.health, if adopted { decided } else { Health::Unknown });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_added_to_an_adopted_server_needs_more_than_one_failure() {
    let mut bench = Bench::new(REPORTS_DEPTH, |target, _| {
        (Duration::ZERO, if target.port() == 80 { good() } else { bad() })
    });
    bench.configure(config(vec![check()], [1]), &[1]);
    bench.report().await;
    let added = Check { port: Some(8080), ..check() };
    bench.configure(config(vec![check(), added], [1]), &[1]);
    let reports = bench.run_for(Duration::from_secs(3)).await;
    let added: Vec<_> = reports.iter().filter(|r| r.id.index == 1).map(|r| r.health).collect();
    assert_eq!(added[..3], [Health::Unknown, Health::Unknown, Health::Down]);
}

#[tokio::test(start_paused = true)]
async fn no_change_is_lost_on_a_slow_hub() {
    let number = NonZeroU32::new(1).unwrap();
    let hysteresis = Hysteresis { rise: number, fall: number };
    // Every probe changes the mind.
    let mut bench = Bench::new(1, |_, nth| {
        (Duration::ZERO, if nth.is_multiple_of(2) { good() } else { bad() })
    });
    bench.configure(config(vec![Check { hysteresis, ..check() }], [1]), &[]);
    let mut health = Health::Unknown;
    for _ in 0..20 {
        sleep(Duration::from_secs(60)).await;
        let change = bench.report().await.change.unwrap();
        assert_eq!(change.from, health);
        health = change.to;
    }
    // At most: those read, one in the channel, one waiting to be sent.
    assert!(bench.starts().len() <= 22, "{} probes", bench.starts().len());
}

#[tokio::test(start_paused = true)]
async fn a_shortage_of_our_own_says_nothing_about_the_server() {
    let mut bench = Bench::new(REPORTS_DEPTH, |_, nth| {
        let shortage = Err(Failure::Local("too many open files".into()));
        (Duration::ZERO, if nth == 0 { good() } else { shortage })
    });
    bench.configure(config(vec![check()], [1]), &[1]);
    assert_eq!(bench.report().await.health, Health::Up);
    let reports = bench.run_for(Duration::from_secs(30)).await;
    assert!(reports.len() > 10);
    assert!(reports.iter().all(|r| r.health == Health::Up && r.change.is_none() && r.streak == 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_probes_than_permits_and_waiting_for_one_takes_nobodys_time() {
    let slow = Duration::from_millis(900);
    let mut bench = Bench::new(REPORTS_DEPTH, move |_, _| (slow, good()));
    let ports: Vec<_> = (1..=3).map(|port| Check { port: Some(port), ..check() }).collect();
    bench.configure(config(ports, 1..=250), &[]);
    let reports = bench.run_for(Duration::from_secs(2)).await;
    assert!(reports.len() >= 750, "{} reports", reports.len());
    assert_eq!(bench.script.most_at_once.load(Ordering::Relaxed), MAX_PROBES);
    assert!(reports.iter().all(|report| report.duration <= slow + GRAIN));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_check_is_started_anew() {
    let mut bench = Bench::new(REPORTS_DEPTH, |_, nth| {
        assert!(nth != 1, "scripted panic");
        (Duration::ZERO, good())
    });
    bench.configure(config(vec![check()], [1]), &[]);
    let streaks = [bench.report().await, bench.report().await, bench.report().await];
    assert_eq!(streaks.map(|report| report.streak), [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn everything_ends_with_the_sender_of_work() {
    let mut bench = Bench::new(1, signs("+"));
    bench.configure(config(vec![check()], 1..=50), &[]);
    sleep(Duration::from_secs(5)).await;
    drop(bench.work);
    // Runners that wait for the hub end too: the channel closes.
    let rest = async { while bench.reports.recv().await.is_some() {} };
    timeout(Duration::from_secs(1), rest).await.unwrap();
}

#[test]
fn the_port_comes_from_the_check_then_the_server_then_the_first_listen() {
    let at = |port| Some(SocketAddr::new(server(1).address, port));
    let mut service = service(Vec::new(), [1]);
    let with_port = RealServer { port: Some(8000), ..server(1) };
    let check_port = Check { port: Some(9000), ..check() };
    assert_eq!(Question::of(&service, &with_port, &check_port).target, at(9000));
    assert_eq!(Question::of(&service, &with_port, &check()).target, at(8000));
    assert_eq!(Question::of(&service, &server(1), &check()).target, at(80));
    let mark = ServiceKey::Fwmark(crate::net::Family::Ipv4, NonZeroU32::MIN);
    service.listen.insert(0, mark);
    assert_eq!(Question::of(&service, &server(1), &check()).target, at(80));
    service.listen.truncate(1);
    assert_eq!(Question::of(&service, &server(1), &check()).target, None);
}
