//! `tests/ipvs_kernel.rs` inside the lab's kernel: a test program of its own, run there as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::report::{Figure, Outcome};

/// Its name among the scenarios.
pub(crate) const NAME: &str = "kernel::ipvs_tests";

/// The host's part: builds the test program as this one was built, and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "test",
        "--quiet",
        "--no-run",
        "--test",
        "ipvs_kernel",
        "--message-format=json-render-diagnostics",
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().context("running cargo")?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("building tests/ipvs_kernel.rs: {}", String::from_utf8_lossy(&output.stderr));
    }
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    let mut programs = artifacts.filter_map(|message: serde_json::Value| {
        let is_it = message["target"]["name"] == "ipvs_kernel";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    programs.next().context("cargo built tests/ipvs_kernel.rs but named no program")
}

/// The guest's part: runs all of its tests, and keeps what they print.
pub(crate) fn run(program: &Path, out: &Path) -> Result<Outcome> {
    let output = Command::new(program)
        .args(["--include-ignored", "--test-threads", "1"])
        .output()
        .context("running the IPVS tests")?;
    let text = [output.stdout, output.stderr].concat();
    std::fs::write(out.join("tests.log"), &text).context("keeping the output of the IPVS tests")?;
    let text = String::from_utf8_lossy(&text);
    // Indented: these results are not to be counted with those of this program.
    let shown = text.replace('\n', "\n    ");
    ensure!(output.status.success(), "the IPVS tests ended with {}:\n    {shown}", output.status);
    let passed = passed(&text).filter(|&count| count > 0);
    let passed = passed.with_context(|| format!("no IPVS test was run:\n    {shown}"))?;
    let figure = Figure { name: "passed".into(), value: passed.into(), unit: "tests".into() };
    Ok(Outcome { figures: vec![figure], ..Outcome::default() })
}

/// From `test result: ok. 8 passed; …`.
fn passed(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("test result: ok. ")?;
    rest.split_once(" passed")?.0.parse().ok()
}
