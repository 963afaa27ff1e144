//! The host's side: a fresh kernel for each job, its console read live, its result read from a
//! file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};

use crate::progress::{self, PAINT, Progress};
use crate::report::Outcome;
use crate::scenario::Scenario;
use crate::terminal::Painter;

/// Where a scenario finds a kernel with IPVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// User-Mode Linux: a kernel that runs as an ordinary process. Needs no privilege.
    Uml,
    /// The kernel of this machine, in namespaces of our own. Needs root.
    Native,
}

impl Machine {
    /// Chooses by what is here; `DIARCH_LAB=uml|native` decides instead.
    ///
    /// # Errors
    /// Why no scenario can run on this machine.
    pub(crate) fn detect() -> Result<Self, String> {
        match std::env::var("DIARCH_LAB").as_deref() {
            Ok("uml") => return Ok(Self::Uml),
            Ok("native") => return Ok(Self::Native),
            Ok(other) => return Err(format!("DIARCH_LAB={other} is neither uml nor native")),
            Err(_) => {}
        }
        if geteuid().is_root() && has_ipvs() {
            return Ok(Self::Native);
        }
        if on_path("linux.uml") {
            return Ok(Self::Uml);
        }
        Err("this kernel has no IPVS (or we are not root), and user-mode-linux is not installed"
            .into())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Uml => "uml",
            Self::Native => "native",
        }
    }
}

/// Is IPVS in the running kernel? The module is asked for first.
fn has_ipvs() -> bool {
    let asked = Command::new("modprobe").args(["-q", "ip_vs"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success()) || Path::new("/proc/net/ip_vs").exists()
}

/// Is there a program of this name, in a place where Debian puts programs?
pub(crate) fn on_path(program: &str) -> bool {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists())
}

/// One thing to be done in a fresh kernel.
#[derive(Debug)]
pub(crate) struct Job {
    /// Also the name of the directory with logs and result.
    name: String,
    /// What the guest is to do: the words after `guest DIRECTORY`.
    arguments: Vec<String>,
    /// After this the kernel is switched off, whatever it does.
    limit: Duration,
    /// Does the guest talk to the user's terminal?
    interactive: bool,
    /// A program for the guest to run; it finds it in its directory as `program`.
    program: Option<PathBuf>,
}

impl Job {
    pub(crate) fn scenario(scenario: &Scenario) -> Self {
        let arguments = vec!["scenario".to_owned(), scenario.name.clone()];
        // The guest has its own, shorter limit: it can still say where it stood.
        let limit = scenario.limit + Duration::from_secs(30);
        Self { name: scenario.name.clone(), arguments, limit, interactive: false, program: None }
    }

    pub(crate) fn demo(arguments: &[&str], interactive: bool) -> Self {
        let mut words = vec!["demo".to_owned()];
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let limit = Duration::from_secs(if interactive { 86_400 } else { 600 });
        Self { name: "demo".to_owned(), arguments: words, limit, interactive, program: None }
    }

    /// A test program that needs nothing of the lab but its kernel.
    pub(crate) fn program(name: &str, program: PathBuf) -> Self {
        let limit = Duration::from_secs(120);
        let (name, arguments) = (name.to_owned(), vec!["program".to_owned()]);
        Self { name, arguments, limit, interactive: false, program: Some(program) }
    }

    /// Logs, events and figures of this job: kept until it runs again.
    pub(crate) fn directory(&self) -> PathBuf {
        root().join(self.name.replace("::", "/"))
    }
}

/// Everything the lab leaves on the host is under here.
fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("lab")
}

/// One run at a time for each build directory: a second one waits for the first.
///
/// # Errors
/// When the file that is locked cannot be made.
pub(crate) fn lock() -> Result<Flock<File>> {
    fs::create_dir_all(root()).context("making the lab's directory")?;
    let file = || File::create(root().join("lock")).context("making the lab's lock");
    match Flock::lock(file()?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => {
            println!("lab: waiting for another run of it to end");
            Flock::lock(file()?, FlockArg::LockExclusive)
                .map_err(|(_, error)| error)
                .context("waiting for another run of the lab")
        }
        Err((_, error)) => Err(error).context("locking the lab"),
    }
}

/// Boots, runs `job`, hands each line of progress to `show`, and returns the guest's result.
///
/// # Errors
/// When there was no result: no boot, a crash, or the time limit.
pub(crate) fn run(machine: Machine, job: &Job, show: &mut dyn FnMut(Progress)) -> Result<Outcome> {
    let directory = job.directory();
    if directory.exists() {
        fs::remove_dir_all(&directory).context("removing the last run's files")?;
    }
    fs::create_dir_all(&directory).context("making the directory for results")?;
    if let Some(program) = &job.program {
        symlink(program, directory.join("program")).context("linking the program")?;
    }
    let init = write_init(machine, job, &directory)?;
    let mut child =
        command(machine, job, &directory, &init).spawn().context("starting a kernel")?;
    let in_time = if job.interactive {
        child.wait().context("waiting for the lab")?;
        true
    } else {
        let _guard = Guard::of(&child)?;
        follow(&mut child, job, &directory, show)?
    };
    if let Ok(text) = fs::read_to_string(directory.join("result.json")) {
        return serde_json::from_str(&text).context("reading the guest's result");
    }
    if !in_time {
        bail!("not done after {} s; see {}", job.limit.as_secs(), directory.display());
    }
    if job.interactive {
        return Ok(Outcome::default());
    }
    bail!("the lab's kernel ended without a result; see {}/console.log", directory.display())
}

/// Reads the console until the kernel ends; `false` when it had to be switched off.
fn follow(
    child: &mut Child,
    job: &Job,
    directory: &Path,
    show: &mut dyn FnMut(Progress),
) -> Result<bool> {
    let console = child.stdout.take().context("the kernel has no console")?;
    let mut log = File::create(directory.join("console.log")).context("making console.log")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + job.limit;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log, "{line}").context("writing console.log")?;
                if let Some(progress) = progress::read(&line) {
                    show(progress);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                switch_off(child)?;
                return Ok(false);
            }
        }
    }
    child.wait().context("waiting for the kernel to end")?;
    Ok(true)
}

/// A process that ends the kernel's process group, and nothing else, as soon as this program is gone
/// or done with it, however it ended: User-Mode Linux leaves helpers behind when it is killed.
struct Guard(Child);

impl Guard {
    fn of(kernel: &Child) -> Result<Self> {
        let group = i32::try_from(kernel.id()).context("process id")?;
        let mut command = Command::new("sh");
        // Until the other end of its input is closed, which is this program's.
        command.args(["-c", "read -r end; kill -KILL 0"]).process_group(group);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).context("starting a guard for the lab's kernel")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends itself too.
        drop(self.0.wait());
    }
}

/// Ends the process group that [`command`] made, and nothing else.
fn switch_off(child: &mut Child) -> Result<()> {
    let group = Pid::from_raw(i32::try_from(child.id()).context("process id")?);
    killpg(group, Signal::SIGKILL).context("ending the lab's kernel")?;
    child.wait().context("waiting for the kernel to end")?;
    Ok(())
}

fn command(machine: Machine, job: &Job, directory: &Path, init: &Path) -> Command {
    let mut command = Command::new("setpriv");
    // Nothing of the lab outlives a harness that is killed.
    command.args(["--pdeathsig", "KILL"]);
    match machine {
        Machine::Uml => {
            command.args(["linux.uml", "rootfstype=hostfs", "rootflags=/", "rw", "mem=1024M"]);
            command.arg(format!("init={}", init.display()));
            command.arg(format!("uml_dir={}/", directory.join("uml").display()));
            command.args(["con=null", "ssl=null", "quiet", "loglevel=1"]);
            command.arg(if job.interactive { "con0=fd:0,fd:1" } else { "con0=null,fd:1" });
        }
        Machine::Native => {
            command.args(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc"]);
            command.args(["--kill-child", "--propagation", "private"]).arg(init);
        }
    }
    if !job.interactive {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    }
    if let Ok(errors) = File::create(directory.join("kernel.log")) {
        command.stderr(errors);
    }
    command
}

/// Process 1: a header with what it has to know, then `init.sh`.
fn write_init(machine: Machine, job: &Job, directory: &Path) -> Result<PathBuf> {
    let exe = std::env::current_exe().context("finding this program")?;
    let words = [
        ("MACHINE", machine.name().to_owned()),
        ("WORK", directory.display().to_string()),
        ("EXE", exe.display().to_string()),
        ("ARGUMENTS", job.arguments.join(" ")),
    ];
    let mut script = "#!/bin/sh\n".to_owned();
    if job.interactive {
        let style = if Painter::for_stdout().has_colour() { "colour" } else { "plain" };
        script += &format!("export {PAINT}={style} TERM='{}'\n", terminal_type());
    }
    for (name, value) in words {
        script += &format!("{name}='{}'\n", value.replace('\'', r"'\''"));
    }
    script += include_str!("init.sh");
    let path = directory.join("init");
    fs::write(&path, script).context("writing the lab's process 1")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .context("making it executable")?;
    Ok(path)
}

fn terminal_type() -> String {
    let term = std::env::var("TERM").unwrap_or_default();
    if term.contains('\'') || term.is_empty() { "vt100".to_owned() } else { term }
}
