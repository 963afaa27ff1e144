//! The demo's story: what is done to a pair of directors, one step after the other, and what it
//! cost.

mod shell;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::{Lab, Observed, SLACK, ms};
use crate::progress::{self, Progress, Tone};
use crate::report::Outcome;
use crate::setup::{Kind, Setup, WWW, check};
use crate::topology::Node;

const DRAWING: &str = "      client 192.168.0.200
          |
    ------+-------------- 192.168.0.0/24 --------------+-----------
          |               |               |            |
      lb1 .1          lb2 .2          rs1 .3       rs2 .4
      director        director        web server   web server
          |               |
          +-- VIP 192.168.0.101: on the active director only
";

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the client's requests are watched.
    Watch,
    StopWebServer,
    StartWebServer,
    /// SIGTERM to the active director; it is started again afterwards.
    Terminate,
    /// SIGKILL to all processes of the active director; started again at once.
    KillAndRestart,
    /// SIGKILL to all processes of the active director; started again when the other has taken
    /// over.
    Kill,
    /// `ipvsadm -C` on the active director.
    ClearTable,
}

/// How a step is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// Both servers answer in turn.
    Alternates,
    /// No longer a gap between two answers than so many milliseconds.
    Gap(u64),
    /// Measured and shown, without a bound.
    Measured,
}

/// One step of the story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) title: &'static str,
    /// Its name in the table at the end.
    pub(crate) fault: &'static str,
    /// What is being done, and why it matters.
    pub(crate) text: &'static str,
    pub(crate) action: Action,
    pub(crate) expectation: Expectation,
}

/// The story, in order.
pub(crate) const STEPS: [Step; 7] = [
    Step {
        title: "1. Requests are spread",
        fault: "no fault",
        text: "The client sends a new HTTP request to the VIP each 10 ms. The active director hands each \
               to a real server, which answers the client directly (direct routing).",
        action: Action::Watch,
        expectation: Expectation::Alternates,
    },
    Step {
        title: "2. The web server on rs1 stops",
        fault: "web server stops",
        text: "Its port refuses connections. Requests sent there are lost until the director's checks \
               have failed often enough to be believed.",
        action: Action::StopWebServer,
        expectation: Expectation::Measured,
    },
    Step {
        title: "3. It comes back",
        fault: "web server returns",
        text: "As soon as a check succeeds, rs1 gets its share again.",
        action: Action::StartWebServer,
        expectation: Expectation::Gap(60),
    },
    Step {
        title: "4. The active director is stopped (SIGTERM)",
        fault: "active stopped (SIGTERM)",
        text: "A planned stop or upgrade. It says goodbye, and the backup takes the VIP at once. \
               Then it is started again.",
        action: Action::Terminate,
        expectation: Expectation::Gap(60),
    },
    Step {
        title: "5. The active director is killed (SIGKILL) and started again at once",
        fault: "active killed, restarted at once",
        text: "A crash with a service manager. The kernel goes on forwarding; the new process has to find \
               what the old one left, and must not disturb it.",
        action: Action::KillAndRestart,
        expectation: Expectation::Gap(100),
    },
    Step {
        title: "6. The active director is killed and stays dead",
        fault: "active killed, stays dead a while",
        text: "Nobody is left to say goodbye: the backup notices that the advertisements have ended. \
               Then the dead one is started again, and finds that the other is active now.",
        action: Action::Kill,
        expectation: Expectation::Gap(1000),
    },
    Step {
        title: "7. Somebody types ipvsadm -C on the active director",
        fault: "ipvsadm -C",
        text: "The table that all traffic depends on is gone.",
        action: Action::ClearTable,
        expectation: Expectation::Gap(1000),
    },
];

/// A line of the table at the end.
struct Row {
    fault: &'static str,
    active: String,
    observed: Observed,
}

/// Runs the story, or with `--shell` leaves the user in the running lab.
pub(crate) fn run(words: &[&str], out: &Path) -> Result<Outcome> {
    let kind = if words.contains(&"--keepalived") { Kind::Keepalived } else { Kind::Diarch };
    // Diarch's defaults; keepalived gets the same interval, priorities and checks.
    let mut lab = Lab::build(Setup::pair(kind, Duration::from_millis(200)), out)?;
    progress::write(&Progress::Block { text: DRAWING.to_owned() });
    lab.act(&format!("starting {} on lb1 and lb2 ({})", kind.name(), lab.setup.describe()));
    lab.start()?;
    if words.contains(&"--shell") {
        shell::open(&lab)?;
        return Ok(lab.outcome);
    }
    let mut rows = Vec::new();
    for step in STEPS {
        let (title, text) = (step.title.to_owned(), step.text.to_owned());
        progress::write(&Progress::Title { title, text });
        let row = tell(&mut lab, step).with_context(|| format!("step \"{}\"", step.title))?;
        rows.push(row);
    }
    progress::write(&Progress::Block { text: table(kind, &lab.setup.describe(), &rows) });
    Ok(lab.outcome)
}

fn tell(lab: &mut Lab, step: Step) -> Result<Row> {
    let before = lab.active()?;
    let observed = lab.observe(|lab| act(lab, step.action, before))?;
    let after = lab.active()?;
    judge(lab, step.expectation, &observed);
    let active = if before == after {
        format!("{} stays", before.name())
    } else {
        format!("{} -> {}", before.name(), after.name())
    };
    if step.action == Action::Terminate {
        lab.director(before).wait_until_gone(Duration::from_secs(10))?;
        lab.director(before).start()?;
        lab.wait_until_settled()?;
        lab.say(Tone::See, &format!("{} is started again, as backup", before.name()));
    }
    Ok(Row { fault: step.fault, active, observed })
}

fn act(lab: &mut Lab, action: Action, active: Node) -> Result<()> {
    let backup = active.other();
    let takeover = lab.setup.active_down_interval(backup) + SLACK;
    match action {
        Action::Watch => std::thread::sleep(Duration::from_secs(2)),
        Action::StopWebServer => {
            lab.act("rs1: nginx is stopped (SIGTERM)");
            lab.net.real_servers[0].stop_web()?;
            let after = wait_for_rs1(lab, active, false, check::out_when_refused() + SLACK)?;
            lab.say(Tone::See, &format!("rs1 gets no new connections after {}", ms(after)));
        }
        Action::StartWebServer => {
            lab.act("rs1: nginx is started");
            lab.net.real_servers[0].start_web()?;
            let after = wait_for_rs1(lab, active, true, check::back() + SLACK)?;
            lab.say(Tone::See, &format!("rs1 is used again after {}", ms(after)));
        }
        Action::Terminate => {
            lab.act(&format!("{}: kill -TERM", active.name()));
            lab.director(active).terminate()?;
            let after = lab.wait_for_vip(backup, takeover)?;
            lab.say(Tone::See, &format!("{} has the VIP after {}", backup.name(), ms(after)));
        }
        Action::KillAndRestart => {
            lab.act(&format!("{}: kill -KILL, and started again", active.name()));
            lab.director(active).kill_all()?;
            lab.director(active).start()?;
            std::thread::sleep(takeover);
            lab.wait_until_settled()?;
        }
        Action::Kill => {
            lab.act(&format!("{}: kill -KILL", active.name()));
            lab.director(active).kill_all()?;
            let after = lab.wait_for_vip(backup, takeover)?;
            lab.say(Tone::See, &format!("{} has taken over after {}", backup.name(), ms(after)));
            lab.act(&format!("{}: started again", active.name()));
            lab.director(active).start()?;
            std::thread::sleep(Duration::from_secs(1));
            lab.wait_until_settled()?;
        }
        Action::ClearTable => clear_table(lab, active)?,
    }
    Ok(())
}

fn clear_table(lab: &mut Lab, active: Node) -> Result<()> {
    let before = lab.director(active).table()?.configuration();
    lab.act(&format!("{}: ipvsadm -C", active.name()));
    lab.director(active).namespace.sh("ipvsadm -C")?;
    let repaired = lab.wait("the table", Duration::from_secs(3), |lab| {
        Ok(lab.director(active).table()?.configuration() == before)
    });
    if let Ok(after) = repaired {
        lab.say(Tone::See, &format!("the table is complete again after {}", ms(after)));
    } else {
        lab.say(Tone::Bad, "the table is still empty after 3 s");
    }
    Ok(())
}

/// Waits until rs1 is (`used`) given new web connections by the active director, or no longer.
fn wait_for_rs1(lab: &mut Lab, active: Node, used: bool, limit: Duration) -> Result<Duration> {
    let rs1 = lab.net.real_servers[0].address;
    lab.wait("the checks of rs1", limit, |lab| {
        let weight = lab.director(active).table()?.weight(WWW, rs1);
        Ok(weight.is_some_and(|weight| weight > 0) == used)
    })
}

fn judge(lab: &Lab, expectation: Expectation, observed: &Observed) {
    let summary = &observed.requests;
    match expectation {
        Expectation::Alternates => {
            let sample: Vec<&str> = observed.answers.iter().take(12).map(String::as_str).collect();
            lab.say(Tone::See, &format!("answers: {} ...", sample.join(" ")));
            let fair =
                summary.lost == 0 && observed.answers.windows(2).all(|pair| pair[0] != pair[1]);
            let tone = if fair { Tone::Good } else { Tone::Bad };
            let counts: Vec<String> = summary
                .by_server
                .iter()
                .map(|(server, count)| format!("{server} {count}"))
                .collect();
            lab.say(
                tone,
                &format!("{} answers: {}", summary.sent - summary.lost, counts.join(", ")),
            );
        }
        Expectation::Gap(limit) => {
            let quick = summary.longest_gap <= Duration::from_millis(limit);
            let tone = if quick { Tone::Good } else { Tone::Bad };
            let gap = ms(summary.longest_gap);
            lab.say(
                tone,
                &format!("the client was without an answer for {gap} (at most {limit} ms wanted)"),
            );
        }
        Expectation::Measured => {}
    }
}

fn table(kind: Kind, settings: &str, rows: &[Row]) -> String {
    let mut text =
        format!("What each fault cost the client, with {} ({settings}):\n\n", kind.name());
    text += &format!(
        "  {:<32} {:>6} {:>6} {:>12} {:>12}   {}\n",
        "", "sent", "lost", "longest gap", "VIP on both", "active director"
    );
    for row in rows {
        let summary = &row.observed.requests;
        text += &format!(
            "  {:<32} {:>6} {:>6} {:>12} {:>12}   {}\n",
            row.fault,
            summary.sent,
            summary.lost,
            ms(summary.longest_gap),
            ms(row.observed.both),
            row.active
        );
    }
    text += "\n  A daemon that was killed leaves its VIP behind: it is on both until that daemon runs again.\n";
    text
}
