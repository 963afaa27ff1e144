//! `diarch events`, as a script reads it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Director;
use super::diarch::PROGRAM;

/// The fields that scenarios look at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) object: String,
    pub(crate) cause: Option<Cause>,
    /// Not a change, but how things stand when a stream begins.
    pub(crate) current: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cause {
    pub(crate) code: String,
    pub(crate) detail: String,
}

impl Event {
    /// Is it this change of this object?
    pub(crate) fn is(&self, kind: &str, object: &str) -> bool {
        !self.current && self.kind == kind && self.object == object
    }
}

/// What the daemon of `director` remembers.
pub(crate) fn past(director: &Director) -> Result<Vec<Event>> {
    let answer = director.client(&["events", "--json"])?;
    ensure!(answer.status == Some(0), "`diarch events --json`: {}", answer.text);
    answer.text.lines().map(read).collect()
}

fn read(line: &str) -> Result<Event> {
    serde_json::from_str(line).with_context(|| format!("reading the event {line}"))
}

/// A running `diarch events -f --json`.
#[derive(Debug)]
pub(crate) struct Stream {
    child: Child,
    /// When each line came, and the line.
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Stream {
    pub(crate) fn follow(director: &Director) -> Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(director.configuration());
        command.arg("--runtime-dir").arg(director.runtime()).args(["events", "-f", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting diarch events -f")?;
        let output = child.stdout.take().context("diarch events -f has no output")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
            }
        });
        Ok(Self { child, lines })
    }

    /// Everything that has come so far.
    pub(crate) fn so_far(&self) -> Result<Vec<(Instant, Event)>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(at, line)| Ok((*at, read(line)?))).collect()
    }

    /// When the change came, if it has.
    pub(crate) fn came(&self, kind: &str, object: &str) -> Result<Option<(Instant, Event)>> {
        let mut all = self.so_far()?;
        // The latest: a thing may happen twice.
        let place = all.iter().rposition(|(_, event)| event.is(kind, object));
        Ok(place.map(|place| all.swap_remove(place)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
