//! The guest's side: what runs inside the fresh kernel.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::Lab;
use crate::report::Outcome;
use crate::scenario::Scenario;
use crate::topology::Node;
use crate::{kernel_tests, scenarios, story};

/// Does what [`crate::boot::Job`] asked for; logs and the result go to `out`.
pub(crate) fn main(out: &Path, words: &[&str]) -> Result<()> {
    match words {
        ["scenario", name] => {
            let scenario = scenarios::all().into_iter().find(|scenario| scenario.name == *name);
            run(scenario.with_context(|| format!("no scenario is called {name}"))?, out)
        }
        ["demo", rest @ ..] => {
            let failed =
                |error| Outcome { failure: Some(format!("{error:#}")), ..Outcome::default() };
            store(out, &story::run(rest, out).unwrap_or_else(failed))
        }
        ["program"] => {
            let failed =
                |error| Outcome { failure: Some(format!("{error:#}")), ..Outcome::default() };
            store(out, &kernel_tests::run(&out.join("program"), out).unwrap_or_else(failed))
        }
        _ => bail!("the guest cannot do {words:?}"),
    }
}

/// Runs a scenario, for no longer than its limit, and stores the outcome.
fn run(scenario: Scenario, out: &Path) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    let limit = scenario.limit;
    let directory = out.to_owned();
    std::thread::spawn(move || {
        let outcome = match Lab::build(scenario.setup, &directory) {
            Ok(mut lab) => match (scenario.run)(&mut lab) {
                Ok(()) => lab.outcome,
                Err(error) => failed(&lab, &format!("{error:#}")),
            },
            Err(error) => Outcome { failure: Some(format!("{error:#}")), ..Outcome::default() },
        };
        drop(sender.send(outcome));
    });
    let outcome = receiver.recv_timeout(limit).unwrap_or_else(|_| Outcome {
        failure: Some(format!("not done after {} s", Duration::as_secs(&limit))),
        ..Outcome::default()
    });
    store(out, &outcome)
}

/// The outcome of a failed scenario: the error, where things stood, and the ends of the logs.
fn failed(lab: &Lab, error: &str) -> Outcome {
    let mut failure = error.to_owned();
    for node in Node::BOTH {
        let director = &lab.directors[node.index()];
        let table = director.table().unwrap_or_default().to_string();
        let table: String = table.split_inclusive('\n').take(20).collect();
        let vip = director.has_vip().unwrap_or(false);
        failure += &format!(
            "\n--- {} ({}): VIP {}, IPVS:\n{}--- the end of its log:\n{}",
            node.name(),
            director.kind.name(),
            if vip { "present" } else { "absent" },
            table,
            director.log_tail(25)
        );
    }
    Outcome { failure: Some(failure), ..lab.outcome.clone() }
}

fn store(out: &Path, outcome: &Outcome) -> Result<()> {
    let text = serde_json::to_vec_pretty(outcome).context("writing the outcome as JSON")?;
    let mut file = File::create(out.join("result.json")).context("making result.json")?;
    file.write_all(&text).context("writing result.json")?;
    file.sync_all().context("storing result.json")
}
