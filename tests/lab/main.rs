//! The lab: scenarios on a real kernel with IPVS, two directors, two real servers and a client.
//!
//! ```text
//! cargo test --test lab -- --list            what there is
//! cargo test --test lab -- --list --ignored  what is only run on request: more of keepalived
//! cargo test --test lab -- sigterm           the scenarios whose name contains `sigterm`
//! cargo test --test lab -- demo              the story, on the terminal
//! cargo test --test lab -- demo --shell      … and a shell inside the running lab at its end
//! ```
//!
//! Each scenario gets a fresh kernel: User-Mode Linux ([`boot`]), or the machine's own in
//! namespaces
//! where that has IPVS and we are root. In it this same binary runs again (verb `guest`), builds
//! the
//! [`topology`] of the classic LVS how-to, starts the [`director`]s, and measures from the outside:
//! what a client gets ([`load`], [`connection`]), where the VIP is ([`vip`]), what the kernel holds
//! ([`ipvs`]). keepalived runs the same scenarios for comparison; [`lab::Lab::promise`] is where
//! Diarch must hold what keepalived need not.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "a measuring program: it reads clocks, sleeps, prints; a bad index is a failed scenario"
)]

mod adverts;
mod boot;
mod connection;
mod demo;
mod director;
mod guest;
mod ipvs;
mod kernel_tests;
mod lab;
mod load;
mod netns;
mod progress;
mod report;
mod scenario;
mod scenarios;
mod setup;
mod story;
mod terminal;
mod topology;
mod vip;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::boot::{Job, Machine};
use crate::report::Report;
use crate::scenario::Scenario;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["guest", out, rest @ ..] => guest::main(out.as_ref(), rest),
        ["demo", rest @ ..] => demo::main(rest),
        _ => return run_trials(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenarios and the unit tests of the lab's own pure parts, then prints the figures.
fn run_trials() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Figures are only worth something when nothing else runs beside them.
    arguments.test_threads.get_or_insert(1);
    let report = Arc::new(Mutex::new(Report::default()));
    let machine = Machine::detect();
    if let Err(reason) = &machine
        && !arguments.list
    {
        println!("lab: every scenario is skipped: {reason}");
    }
    let mut trials = unit_trials();
    let machine = machine.ok();
    let runs = Runs { machine, show: arguments.nocapture, report: Arc::clone(&report) };
    trials.push(kernel_trial(runs.clone()));
    let everything = arguments.ignored || arguments.include_ignored;
    for scenario in scenarios::all() {
        // What is only run on request does not count as skipped.
        if everything || !scenario.on_request {
            trials.push(scenario_trial(scenario, runs.clone()));
        }
    }
    let _lock = if arguments.list { None } else { boot::lock().ok() };
    let conclusion = libtest_mimic::run(&arguments, trials);
    report.lock().unwrap_or_else(PoisonError::into_inner).print();
    conclusion.exit_code()
}

/// What all scenarios are run with.
#[derive(Clone)]
struct Runs {
    machine: Option<Machine>,
    /// Progress is shown as it happens.
    show: bool,
    report: Arc<Mutex<Report>>,
}

impl Runs {
    /// Runs a job in a kernel of its own; its figures are kept under `name`.
    fn job(&self, name: &str, settings: &str, job: &Job) -> Result<(), Failed> {
        let machine = self.machine.ok_or("no kernel with IPVS here")?;
        let outcome = boot::run(machine, job, &mut |line| {
            if self.show {
                println!("{}", terminal::plain(&line));
            }
        })
        .map_err(|error| format!("{error:#}"))?;
        let failure = outcome.failure.clone();
        self.report.lock().unwrap_or_else(PoisonError::into_inner).add(name, settings, outcome);
        let files = job.directory();
        failure.map_or(Ok(()), |why| Err(format!("{why}\nfiles: {}", files.display()).into()))
    }
}

fn scenario_trial(scenario: Scenario, runs: Runs) -> Trial {
    let missing = runs.machine.is_none() || scenario.missing().is_some();
    let ignored = missing || scenario.on_request;
    Trial::test(scenario.name.clone(), move || {
        runs.job(&scenario.name, &scenario.setup.describe(), &Job::scenario(&scenario))
    })
    .with_ignored_flag(ignored)
}

fn kernel_trial(runs: Runs) -> Trial {
    let ignored = runs.machine.is_none();
    Trial::test(kernel_tests::NAME, move || {
        let program = kernel_tests::build().map_err(|error| format!("{error:#}"))?;
        runs.job(
            kernel_tests::NAME,
            if cfg!(debug_assertions) { "debug build" } else { "release build" },
            &Job::program(kernel_tests::NAME, program),
        )
    })
    .with_ignored_flag(ignored)
}

fn unit_trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 9] = [
        ("unit::a_gap_is_the_longest_time_without_an_answer", load::summary::tests::gap),
        ("unit::a_gap_lasts_until_the_end_when_no_answer_comes", load::summary::tests::open_gap),
        ("unit::answers_are_counted_by_server", load::summary::tests::by_server),
        ("unit::ipvsadm_output_is_read", ipvs::tests::ipvsadm),
        ("unit::proc_net_ip_vs_is_read", ipvs::tests::proc_net),
        ("unit::advertisements_are_read", adverts::tests::fields),
        ("unit::no_director_and_both_directors_are_timed", vip::tests::overlap),
        ("unit::a_handover_is_no_overlap", vip::tests::handover),
        ("unit::scenario_names_are_unique", scenarios::tests::unique_names),
    ];
    tests
        .into_iter()
        .map(|(name, test)| {
            Trial::test(name, move || {
                test();
                Ok(())
            })
        })
        .collect()
}
