use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::status::{Kind, Refused, Reloaded};

mod clients;

/// A runtime directory of its own for each test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("diarch-api-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "real sockets live in real time")]
fn now() -> Instant {
    Instant::now()
}

fn event(id: u64) -> Arc<Event> {
    let time = "2026-11-22T16:18:21Z".parse().unwrap();
    Arc::new(Event::new(id, time, "lb1", Kind::VrrpActive, "vrrp/main").changed("backup", "active"))
}

/// Answers as the daemon would, on its own thread; ends the server when dropped.
struct FakeHub {
    live: broadcast::Sender<Arc<Event>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl FakeHub {
    fn serving(directory: &Directory) -> Self {
        let sockets = bind(&directory.0).unwrap();
        let (live, _) = broadcast::channel(8);
        let (stop, stopped) = oneshot::channel();
        let events = live.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let (requests, questions) = mpsc::channel(4);
                let hub = async {
                    tokio::select! {
                        () = answer(questions, events) => {}
                        _ = stopped => {}
                    }
                };
                let serving = sockets.serve(requests).unwrap();
                hub.await;
                serving.finish().await;
            });
        });
        Self { live, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn answer(mut questions: mpsc::Receiver<Request>, live: broadcast::Sender<Arc<Event>>) {
    let status: Status = serde_json::from_str(include_str!("../../../tests/status.json")).unwrap();
    let status = Arc::new(status);
    let mut reloads = 0;
    while let Some(question) = questions.recv().await {
        match question {
            Request::Status(reply) => reply.send(Arc::clone(&status)).unwrap_or_default(),
            Request::Live(reply) => reply.send(Ok(())).unwrap_or_default(),
            Request::Ready(reply) => {
                reply.send(Err("main is in fault: eth0 is down".to_owned())).unwrap_or_default();
            }
            Request::Events { since, last, reply } => {
                let mut backlog: Vec<_> = (1..=5).map(event).collect();
                backlog.retain(|event| event.id > since.unwrap_or(0));
                let skip = backlog.len().saturating_sub(last.unwrap_or(usize::MAX));
                let backlog = backlog.split_off(skip);
                let time = status.time;
                let current =
                    vec![Event::state(time, "lb1", Kind::VrrpActive, "vrrp/main", "active")];
                let answer = EventsAnswer { backlog, current, live: live.subscribe() };
                drop(reply.send(answer));
            }
            Request::Reload { actor, reply } => {
                reloads += 1;
                drop(reply.send(reload_answer(reloads, &actor)));
            }
        }
    }
}

/// The first reload is applied, later ones are refused.
fn reload_answer(count: u32, actor: &Actor) -> ReloadAnswer {
    if count == 1 {
        let changes = vec![format!("by {actor}")];
        let digest = "9f2c1ab04d11".to_owned();
        return ReloadAnswer::Applied(Reloaded { digest, changes, warnings: String::new() });
    }
    ReloadAnswer::Refused(Refused {
        digest: "9f2c1ab04d11".to_owned(),
        loaded_at: "2026-11-22T14:02:10Z".parse().unwrap(),
        problems: vec![],
        rendered: "error[E0106]: unknown scheduler `wlcc`\n".to_owned(),
    })
}

/// Sends `bytes` and reads to the end: the client is `curl`, as it were.
fn exchange(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Refused before it was all read: the answer is there all the same.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn request(socket: &Path, method: &str, target: &str) -> (u16, String, String) {
    let text = format!("{method} {target} HTTP/1.1\r\nhost: diarch\r\n\r\n");
    split(&exchange(socket, text.as_bytes()))
}

/// Status code, head, body.
fn split(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn problem(answer: &(u16, String, String)) -> Value {
    let (status, head, body) = answer;
    assert!(head.contains("application/problem+json"), "{head}");
    let value: Value = serde_json::from_str(body).unwrap();
    assert_eq!(value["status"], *status);
    value
}

#[test]
fn anybody_may_ask_and_some_may_order() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let mode = |name| std::fs::metadata(directory.socket(name)).unwrap().permissions().mode();
    assert_eq!(mode("status.sock") & 0o777, 0o666);
    assert_eq!(mode("admin.sock") & 0o777, 0o660);
}

#[test]
fn the_status_document_comes_whole_and_the_connection_closes() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    for socket in ["status.sock", "admin.sock"] {
        let (status, head, body) = request(&directory.socket(socket), "GET", "/v1/status");
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("connection: close"), "{head}");
        let golden: Value =
            serde_json::from_str(include_str!("../../../tests/status.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), golden);
    }
}

#[test]
fn whatever_cannot_be_answered_is_a_problem_document() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let socket = directory.socket("status.sock");
    let cases = [
        ("GET", "/v1/nothing", 404, "urn:diarch:not-found"),
        ("GET", "/v1/status/", 404, "urn:diarch:not-found"),
        ("POST", "/v1/status", 405, "urn:diarch:method-not-allowed"),
        ("GET", "/v1/reload", 405, "urn:diarch:method-not-allowed"),
        ("POST", "/v1/reload", 403, "urn:diarch:read-only"),
        ("GET", "/v1/events?n=many", 400, "urn:diarch:bad-request"),
        ("GET", "/v1/events?follows=1", 400, "urn:diarch:bad-request"),
        ("GET", "/readyz", 503, "urn:diarch:not-healthy"),
    ];
    for (method, target, status, kind) in cases {
        let answer = request(&socket, method, target);
        assert_eq!((answer.0, &problem(&answer)["type"]), (status, &kind.into()), "{target}");
    }
    let (_, head, _) = request(&socket, "DELETE", "/v1/reload");
    assert!(head.contains("allow: POST"), "{head}");
    assert_eq!(request(&socket, "GET", "/livez").0, 200);
}

#[test]
fn a_reload_names_who_asked_and_a_refused_one_says_why() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let socket = directory.socket("admin.sock");
    let (status, _, body) = request(&socket, "POST", "/v1/reload");
    let applied: Reloaded = serde_json::from_str(&body).unwrap();
    let uid = format!("uid {}", nix::unistd::getuid());
    assert!(status == 200 && applied.changes[0].contains(&uid), "{body}");

    let answer = request(&socket, "POST", "/v1/reload");
    assert_eq!(answer.0, 422);
    let rendered = &problem(&answer)["refused"]["rendered"];
    assert_eq!(rendered, "error[E0106]: unknown scheduler `wlcc`\n");
}

#[test]
fn an_order_with_a_body_it_does_not_know_is_refused() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let post = |body: &str| {
        let head = format!(
            "POST /v1/reload HTTP/1.1\r\nhost: d\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        split(&exchange(&directory.socket("admin.sock"), format!("{head}{body}").as_bytes())).0
    };
    assert_eq!(post("{\"confirm_within_s\":300}"), 400);
    assert_eq!(post(&"x".repeat(65 * 1024)), 413);
    assert_eq!(post(" {}\n"), 200);
}

#[test]
fn kept_events_are_lines_and_since_and_n_narrow_them() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let ids = |target: &str| -> Vec<u64> {
        let (status, _, body) = request(&directory.socket("status.sock"), "GET", target);
        assert_eq!(status, 200);
        let id = |line| serde_json::from_str::<Event>(line).unwrap().id;
        body.lines().map(id).collect()
    };
    assert_eq!(ids("/v1/events"), [1, 2, 3, 4, 5]);
    assert_eq!(ids("/v1/events?n=2"), [4, 5]);
    assert_eq!(ids("/v1/events?since=1&n=3"), [3, 4, 5]);
}

#[test]
fn a_second_daemon_is_told_that_one_is_running() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    assert!(matches!(bind(&directory.0), Err(ApiError::AlreadyRunning { .. })));
    drop(hub);
    assert!(!directory.socket("status.sock").exists() && !directory.socket("admin.sock").exists());
    bind(&directory.0).unwrap();
}

#[test]
fn a_socket_left_by_a_killed_daemon_is_taken_over() {
    let directory = Directory::new();
    std::fs::create_dir(&directory.0).unwrap();
    let left = std::os::unix::net::UnixListener::bind(directory.socket("status.sock")).unwrap();
    assert!(matches!(bind(&directory.0), Err(ApiError::AlreadyRunning { .. })));
    drop(left);
    let _hub = FakeHub::serving(&directory);
    assert_eq!(request(&directory.socket("status.sock"), "GET", "/livez").0, 200);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = Directory::new();
    std::fs::create_dir(&directory.0).unwrap();
    std::fs::write(directory.socket("admin.sock"), "precious").unwrap();
    assert!(matches!(bind(&directory.0), Err(ApiError::NotASocket { .. })));
    assert_eq!(std::fs::read(directory.socket("admin.sock")).unwrap(), b"precious");
}
