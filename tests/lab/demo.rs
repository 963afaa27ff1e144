//! The host's side of the demo: boots the lab and shows the story as it happens.

use anyhow::{Result, bail};

use crate::boot::{self, Job, Machine};
use crate::terminal::Painter;

const HELP: &str = "\
usage: demo [--keepalived] [--shell]

  --keepalived   the same with keepalived on both directors, for comparison
  --shell        no story: a shell inside the running lab
";

/// Runs the demo with the words that followed it on the command line.
pub(crate) fn main(words: &[&str]) -> Result<()> {
    if words.iter().any(|word| ["-h", "--help"].contains(word)) {
        println!("{HELP}");
        return Ok(());
    }
    if let Some(word) = words.iter().find(|word| !["--keepalived", "--shell"].contains(word)) {
        bail!("unknown option {word}\n{HELP}");
    }
    let painter = Painter::for_stdout();
    let machine = Machine::detect().map_err(anyhow::Error::msg)?;
    println!(
        "{}",
        match machine {
            Machine::Uml =>
                "Booting a Linux kernel with IPVS as an ordinary process (User-Mode Linux) ...",
            Machine::Native => "Building the lab in namespaces of this machine's kernel ...",
        }
    );
    let _lock = boot::lock()?;
    let job = Job::demo(words, words.contains(&"--shell"));
    let outcome = boot::run(machine, &job, &mut |line| println!("{}", painter.paint(&line)))?;
    if let Some(failure) = outcome.failure {
        bail!("{failure}");
    }
    println!("Logs and configurations of this run: {}", job.directory().display());
    Ok(())
}
