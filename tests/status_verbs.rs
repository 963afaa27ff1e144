//! The client verbs as an operator runs them, against the real sockets and a stand-in for the hub.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use diarch::daemon::api::{self, EventsAnswer, Request};
use diarch::status::{Event, Kind, Refused, ReloadAnswer, Reloaded};
use tokio::sync::{broadcast, mpsc, oneshot};

const STATUS: &str = include_str!("status.json");

/// A daemon's outside without its inside. The first reload is applied, the next refused.
struct Daemon {
    directory: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("diarch-verbs-{name}-{}", std::process::id()));
        let sockets = api::bind(&directory).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let (requests, questions) = mpsc::channel(4);
                let serving = sockets.serve(requests).unwrap();
                tokio::select! {
                    () = answer(questions) => {}
                    _ = stopped => {}
                }
                serving.finish().await;
            });
        });
        Self { directory, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

async fn answer(mut questions: mpsc::Receiver<Request>) {
    let time = "2026-11-22T16:18:21Z".parse().unwrap();
    let (_live, _) = broadcast::channel::<Arc<Event>>(4);
    let mut reloads = 0;
    while let Some(question) = questions.recv().await {
        match question {
            Request::Status(reply) => {
                drop(reply.send(Arc::new(serde_json::from_str(STATUS).unwrap())));
            }
            Request::Live(reply) | Request::Ready(reply) => drop(reply.send(Ok(()))),
            Request::Events { reply, .. } => {
                let event = Event::new(7, time, "lb1", Kind::VrrpActive, "vrrp/main")
                    .changed("backup", "active")
                    .because("active_down", "no advertisement for 3.4 s");
                let current =
                    vec![Event::state(time, "lb1", Kind::VrrpActive, "vrrp/main", "active")];
                // The sender ends at once, and with it a stream: as when the daemon stops.
                let (_, live) = broadcast::channel(1);
                drop(reply.send(EventsAnswer { backlog: vec![Arc::new(event)], current, live }));
            }
            Request::Reload { actor, reply } => {
                reloads += 1;
                let digest = "9f2c1ab04d11".to_owned();
                drop(reply.send(if reloads == 1 {
                    let changes = vec![format!("service www added, asked for by {actor}")];
                    ReloadAnswer::Applied(Reloaded { digest, changes, warnings: String::new() })
                } else {
                    let rendered = "error[E0106]: unknown scheduler `wlcc`\n".to_owned();
                    let problems = Vec::new();
                    ReloadAnswer::Refused(Refused { digest, loaded_at: time, problems, rendered })
                }));
            }
        }
    }
}

/// Exit status, standard output, standard error.
fn diarch(directory: &Path, arguments: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_diarch"))
        .args(arguments.split_whitespace())
        .env("DIARCH_RUNTIME_DIR", directory)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn status_is_a_table_for_people_and_the_document_for_programs() {
    let daemon = Daemon::start("status");
    let (code, out, err) = diarch(&daemon.directory, "status");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("lb1  diarch 0.1.0, up 3d 4h;") && !out.contains('\x1b'), "{out}");
    let colored = diarch(&daemon.directory, "status --color always").1;
    assert!(colored.contains("\x1b[1;31mDOWN\x1b[0m"), "{colored}");
    let (_, out, _) = diarch(&daemon.directory, "status --json");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document, serde_json::from_str::<serde_json::Value>(STATUS).unwrap());
    let (code, _, err) = diarch(&daemon.directory, "status nobody");
    assert_eq!(code, 1);
    assert!(err.contains("`nobody`"), "{err}");
}

#[test]
fn events_are_lines_and_a_stream_that_ends_is_told() {
    let daemon = Daemon::start("events");
    let line = "2026-11-22 16:18:21.000Z  main           active       no advertisement for 3.4 s\n";
    assert_eq!(diarch(&daemon.directory, "events -n 1"), (0, line.to_owned(), String::new()));
    let (code, out, err) = diarch(&daemon.directory, "events -f");
    assert_eq!((code, out.as_str()), (1, line));
    assert!(err.contains("the daemon ended the stream"), "{err}");
    let (_, out, _) = diarch(&daemon.directory, "events -f --json");
    let ids: Vec<u64> =
        out.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().id).collect();
    assert_eq!(ids, [0, 7]);
}

#[test]
fn reload_says_what_changed_or_what_is_wrong() {
    let daemon = Daemon::start("reload");
    let (code, out, _) = diarch(&daemon.directory, "reload");
    assert_eq!(code, 0);
    assert!(out.contains("  service www added, asked for by "), "{out}");
    let (code, out, err) = diarch(&daemon.directory, "reload");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error[E0106]: unknown scheduler `wlcc`\n"), "{err}");
    assert!(err.contains("the daemon keeps running on 9f2c1ab04d11"), "{err}");
}

#[test]
fn without_a_daemon_every_client_verb_ends_with_3_and_advice() {
    for verb in ["status", "status --json", "events", "events -f", "reload"] {
        let (code, out, err) = diarch(Path::new("/nonexistent"), verb);
        assert_eq!((code, out.as_str()), (3, ""), "{verb}");
        assert!(err.contains("diarch is not running") && err.contains("next:"), "{err}");
    }
}

#[test]
fn a_filter_of_the_log_that_is_none_is_bad_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_diarch"))
        .args(["-c", "/nonexistent", "run"])
        .env("DIARCH_LOG", "a=b=c")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("cannot understand DIARCH_LOG=a=b=c"), "{err}");
    assert_eq!(err.matches("error parsing").count(), 1, "{err}");
}

#[test]
fn a_configuration_with_a_mistake_is_1_for_check_and_78_for_run() {
    let path = std::env::temp_dir().join(format!("diarch-verbs-{}.toml", std::process::id()));
    std::fs::write(&path, "[vrrp.main]\nvrid = 0\nvips = [\"192.168.0.101\"]\n").unwrap();
    let directory = Path::new("/nonexistent");
    let (code, _, err) = diarch(directory, &format!("-c {} check", path.display()));
    assert_eq!(code, 1);
    assert!(err.contains("vrid"), "{err}");
    let run = format!("-c {} run --log-format json", path.display());
    let (code, _, err) = diarch(directory, &run);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(code, 78);
    assert!(err.contains("vrid"), "{err}");
}
