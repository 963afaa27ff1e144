//! Network namespaces: the lab's machines.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};

/// One machine of the lab.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    name: &'static str,
    file: Arc<File>,
}

impl Namespace {
    /// Makes the namespace and brings its loopback up.
    pub(crate) fn create(name: &'static str) -> Result<Self> {
        sh(&format!("ip netns add {name}"))?;
        let path = Path::new("/run/netns").join(name);
        let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let namespace = Self { name, file: Arc::new(file) };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Moves the thread that asks into this namespace.
    pub(crate) fn enter(&self) -> Result<()> {
        setns(&*self.file, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("entering {}", self.name))
    }

    /// Runs `work` on a thread of its own that lives in this namespace.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<Result<T>> {
        let namespace = self.clone();
        thread::spawn(move || {
            namespace.enter()?;
            Ok(work())
        })
    }

    /// Runs `work` in this namespace and waits for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.spawn(work).join().map_err(|_| anyhow!("a thread in {} panicked", self.name))?
    }

    /// Runs one command line (no quoting) in this namespace; its standard output.
    pub(crate) fn sh(&self, line: &str) -> Result<String> {
        let owned = line.to_owned();
        self.run(move || sh(&owned))?.with_context(|| format!("on {}", self.name))
    }

    /// Runs `ip LINE` for this namespace.
    pub(crate) fn ip(&self, line: &str) -> Result<String> {
        sh(&format!("ip -n {} {line}", self.name))
    }

    /// Sets one sysctl of this namespace, named as under `/proc/sys`.
    pub(crate) fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{name}");
        let value = value.to_owned();
        // `/proc/sys/net` shows the namespace of the thread that asks.
        self.run(move || std::fs::write(&path, value))?
            .with_context(|| format!("setting {name} on {}", self.name))
    }

    /// A program to be started here, with `/sys` showing this namespace too.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name, program]);
        command
    }

    /// What `/proc/PID/ns/net` shows for a process that lives here.
    pub(crate) fn identity(&self) -> Result<String> {
        let link = self.run(|| std::fs::read_link("/proc/thread-self/ns/net"))?;
        Ok(link.context("reading a namespace's identity")?.display().to_string())
    }
}

/// Runs one command line (no quoting); its standard output.
pub(crate) fn sh(line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty command")?;
    let output =
        Command::new(program).args(words).output().with_context(|| format!("running `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
