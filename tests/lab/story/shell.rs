//! A shell inside the running lab.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::director::diarch;
use crate::lab::Lab;
use crate::progress::{self, Progress};

const HELP: &str = "\
You are inside the lab. Both directors are running, and everything here may be broken.

  status                     both directors, by `diarch status`
  lb1 ipvsadm -Ln            any command on lb1, lb2, client, rs1 or rs2
  lb1 ip address show eth0   who has the VIP?
  client curl -s 192.168.0.101
  watch                      a request each 200 ms, until Ctrl-C
  stop lb1 | crash lb1 | start lb1      SIGTERM, SIGKILL, start again
  logs lb1                   what its daemon has written
  exit                       ends the lab; nothing of it stays
";

/// Opens the shell, and returns when the user leaves it.
pub(super) fn open(lab: &Lab) -> Result<()> {
    for director in &lab.directors {
        let script = format!("/run/{}/start", director.node.name());
        fs::write(&script, director.start_script()).context("writing a start script")?;
        let log = format!("/run/{}/log", director.node.name());
        std::os::unix::fs::symlink(director.log(), log).context("linking a log")?;
    }
    let program = Path::new(diarch::PROGRAM).parent().unwrap_or(Path::new("/usr/bin"));
    let rc = format!(
        "PATH={}:$PATH\nkind={}\n{}",
        program.display(),
        lab.directors[0].kind.name(),
        include_str!("shell.bash")
    );
    fs::write("/run/shellrc", rc).context("writing the shell's start file")?;
    progress::write(&Progress::Block { text: HELP.to_owned() });
    let line = "exec bash --noprofile --rcfile /run/shellrc -i";
    let mut command = Command::new("setsid");
    // Job control needs a terminal of its own: /dev/console cannot be one, the device behind it
    // can.
    let own_terminal = fs::metadata("/dev/tty0").is_ok() && is_user_mode_linux();
    let redirected = format!("{line} </dev/tty0 >/dev/tty0 2>&1");
    if own_terminal {
        command
            .args(["--ctty", "--wait", "sh", "-c"])
            .arg(redirected)
            .stdin(fs::File::open("/dev/tty0")?);
    } else {
        command = Command::new("sh");
        command.args(["-c", line]);
    }
    command.status().context("running the shell").map(drop)
}

fn is_user_mode_linux() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("User Mode Linux"))
}
