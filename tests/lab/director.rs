//! A director: Diarch or keepalived in its namespace, and everything that can be done to it.

pub(crate) mod diarch;
pub(crate) mod events;
pub(crate) mod keepalived;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ipvs::Table;
use crate::netns::Namespace;
use crate::setup::{Kind, Setup};
use crate::topology::Node;
use crate::vip;

/// One director.
#[derive(Debug)]
pub(crate) struct Director {
    pub(crate) node: Node,
    pub(crate) kind: Kind,
    pub(crate) namespace: Namespace,
    /// What the daemon writes at run time, and its configuration.
    directory: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Director {
    /// Writes the configuration; starts nothing yet. The log goes to `out`.
    pub(crate) fn new(
        setup: &Setup,
        node: Node,
        namespace: &Namespace,
        out: &Path,
    ) -> Result<Self> {
        let kind = setup.kind(node);
        let directory = Path::new("/run").join(node.name());
        fs::create_dir_all(directory.join("runtime")).context("making a director's directory")?;
        let log = out.join(format!("{}-{}.log", node.name(), kind.name()));
        let namespace = namespace.clone();
        let director = Self { node, kind, namespace, directory, log, child: None };
        let text = match kind {
            Kind::Diarch => diarch::configuration(setup),
            Kind::Keepalived => keepalived::configuration(setup, node),
        };
        director.configure(&text)?;
        fs::copy(director.configuration(), out.join(format!("{}.conf", node.name())))
            .context("keeping a copy of the configuration")?;
        Ok(director)
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.join(match self.kind {
            Kind::Diarch => "diarch.toml",
            Kind::Keepalived => "keepalived.conf",
        })
    }

    /// Replaces the configuration file; the daemon is not told.
    pub(crate) fn configure(&self, text: &str) -> Result<()> {
        fs::write(self.configuration(), text).context("writing a director's configuration")
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.directory.join("runtime")
    }

    /// Starts the daemon; returns without waiting for anything.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options().append(true).create(true).open(&self.log);
        let log = log.context("opening a director's log")?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        self.child = Some(command.spawn().context("starting a director")?);
        Ok(())
    }

    fn command(&self) -> Command {
        match self.kind {
            Kind::Diarch => {
                let mut command = self.namespace.command(diarch::PROGRAM);
                let runtime = self.runtime();
                command.args(diarch::arguments(&self.configuration(), &runtime, self.node));
                command
            }
            Kind::Keepalived => {
                let mut command = self.namespace.command("keepalived");
                command.args(["--dont-fork", "--log-console", "--no-syslog", "--log-detail", "-f"]);
                command.arg(self.configuration());
                for (option, file) in
                    [("-p", "keepalived.pid"), ("-r", "vrrp.pid"), ("-c", "checkers.pid")]
                {
                    command.arg(option).arg(self.directory.join(file));
                }
                command
            }
        }
    }

    /// A shell script that starts the daemon in the background, with its log where it always is.
    pub(crate) fn start_script(&self) -> String {
        let command = self.command();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted: Vec<String> = words
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
            .collect();
        format!("setsid {} </dev/null >>'{}' 2>&1 &\n", quoted.join(" "), self.log.display())
    }

    /// All processes of the daemon: those in this namespace that run its program.
    pub(crate) fn pids(&self) -> Result<Vec<Pid>> {
        let identity = self.namespace.identity()?;
        let program = Path::new(match self.kind {
            Kind::Diarch => diarch::PROGRAM,
            Kind::Keepalived => "keepalived",
        });
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc").context("listing processes")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // Both links are gone for a process that has ended in the meantime.
            let link = |name| fs::read_link(entry.path().join(name)).unwrap_or_default();
            if link("exe").file_name() == program.file_name()
                && link("ns/net").as_os_str() == identity.as_str()
            {
                pids.push(Pid::from_raw(pid));
            }
        }
        Ok(pids)
    }

    /// The process that was started, as its service manager knows it.
    fn main_pid(&self) -> Result<Pid> {
        let child =
            self.child.as_ref().with_context(|| format!("{} is not running", self.node.name()))?;
        Ok(Pid::from_raw(i32::try_from(child.id())?))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.main_pid()?, signal)
            .with_context(|| format!("sending {signal} to {}", self.node.name()))
    }

    /// As `systemctl stop`: SIGTERM to the main process; returns at once.
    pub(crate) fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Kills every process of the daemon. They are stopped first, so that none sees another die.
    pub(crate) fn kill_all(&mut self) -> Result<()> {
        self.freeze()?;
        for pid in self.pids()? {
            kill(pid, Signal::SIGKILL).context("killing a director")?;
        }
        self.wait_until_gone(Duration::from_secs(5)).map(drop)
    }

    /// SIGSTOP for every process of the daemon.
    pub(crate) fn freeze(&self) -> Result<()> {
        let mut stopped = Vec::new();
        loop {
            let fresh: Vec<Pid> =
                self.pids()?.into_iter().filter(|pid| !stopped.contains(pid)).collect();
            if fresh.is_empty() {
                return Ok(());
            }
            for pid in fresh {
                kill(pid, Signal::SIGSTOP).context("stopping a director")?;
                stopped.push(pid);
            }
        }
    }

    /// Undoes [`Self::freeze`].
    pub(crate) fn thaw(&self) -> Result<()> {
        for pid in self.pids()? {
            kill(pid, Signal::SIGCONT).context("waking a director")?;
        }
        Ok(())
    }

    /// Waits until every process of the daemon has ended; the exit code (128 + signal when killed).
    pub(crate) fn wait_until_gone(&mut self, limit: Duration) -> Result<i32> {
        let end = Instant::now() + limit;
        let mut code = None;
        while Instant::now() < end {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait().context("waiting for a director")?
            {
                code = status.code().or(status.signal().map(|signal| 128 + signal));
                self.child = None;
            }
            if self.child.is_none() && self.pids()?.is_empty() {
                return Ok(code.unwrap_or(0));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("{} has not ended after {limit:?}", self.node.name());
    }

    /// Is the VIP on this director?
    pub(crate) fn has_vip(&self) -> Result<bool> {
        self.namespace.run(vip::is_local)
    }

    /// Does the daemon run, and take part in the election? It may just have been started.
    pub(crate) fn is_ready(&self) -> Result<bool> {
        match self.kind {
            Kind::Diarch => Ok(diarch::is_ready(&self.runtime())),
            // The parent, and its two children.
            Kind::Keepalived => Ok(self.pids()?.len() == 3),
        }
    }

    pub(crate) fn table(&self) -> Result<Table> {
        Table::of(&self.namespace)
    }

    /// Runs a client verb of Diarch against this director's daemon.
    pub(crate) fn client(&self, verb: &[&str]) -> Result<diarch::Answer> {
        diarch::client(&self.configuration(), &self.runtime(), verb)
    }

    pub(crate) fn status(&self) -> Result<diarch::Status> {
        diarch::Status::ask(&self.configuration(), &self.runtime())
    }

    /// Tells the daemon to read its configuration again.
    pub(crate) fn reload(&self) -> Result<diarch::Answer> {
        match self.kind {
            Kind::Diarch => self.client(&["reload"]),
            Kind::Keepalived => {
                self.signal(Signal::SIGHUP)?;
                Ok(diarch::Answer { status: None, text: String::new() })
            }
        }
    }

    /// The last lines of the daemon's log.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
