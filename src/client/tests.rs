use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use super::*;

/// A daemon that reads one request and says `text`; lives as long as the directory.
struct Daemon(PathBuf);

impl Daemon {
    fn saying(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("diarch-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let text = text.to_owned();
        for socket in ["status.sock", "admin.sock"] {
            let listener = UnixListener::bind(path.join(socket)).unwrap();
            let text = text.clone();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 1024];
                assert!(stream.read(&mut head).unwrap() > 0);
                stream.write_all(text.as_bytes()).unwrap();
            });
        }
        Self(path)
    }

    fn client(&self) -> Client {
        Client::new(&self.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn event(id: u64) -> String {
    format!(
        r#"{{"id":{id},"time":"2026-11-22T16:18:21Z","node":"lb1","kind":"vrrp.active","object":"vrrp/main","from":null,"to":"active","cause":null,"actor":null,"current":false,"later":1}}"#
    )
}

#[tokio::test]
async fn the_status_comes_with_the_text_it_was_read_from() {
    let golden = include_str!("../../tests/status.json");
    let daemon = Daemon::saying("status", &http("200 OK", golden));
    let (status, text) = daemon.client().status().await.unwrap();
    assert_eq!((status.node.name.as_str(), text.as_str()), ("lb1", golden));
}

#[tokio::test]
async fn without_a_socket_no_daemon_runs() {
    let client = Client::new(Path::new("/nonexistent"));
    assert!(matches!(client.status().await, Err(ClientError::NotRunning { .. })));
    assert!(matches!(client.reload().await, Err(ClientError::NotRunning { .. })));
}

#[tokio::test]
async fn a_stream_is_read_across_pieces_to_its_end() {
    let (first, second) = (event(1), event(2));
    let (begin, rest) = second.split_at(20);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = [chunk(&format!("{first}\n{begin}")), chunk(&format!("{rest}\n")), chunk("")];
    let daemon = Daemon::saying("stream", &format!("{head}{}", pieces.concat()));
    let mut stream = daemon.client().follow(0).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text, first);
    assert_eq!(stream.next().await.unwrap().unwrap().event.id, 2);
    assert_eq!(stream.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_refusal_keeps_its_words() {
    let body = r#"{"type":"urn:diarch:read-only","title":"read only","status":403,"detail":"go away","refused":null}"#;
    let daemon = Daemon::saying("refusal", &http("403 Forbidden", body));
    let error = daemon.client().reload().await.unwrap_err();
    assert_eq!(error.to_string(), "the daemon refused: go away");
    assert!(!error.is_timeout());
}

#[tokio::test]
async fn nonsense_is_not_taken_for_an_answer() {
    let daemon = Daemon::saying("nonsense", &http("200 OK", "<html>"));
    let error = daemon.client().status().await.unwrap_err();
    assert!(matches!(error, ClientError::NotUnderstood { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_silent_is_given_up_on() {
    let path = std::env::temp_dir().join(format!("diarch-silent-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    let _silent = UnixListener::bind(path.join("status.sock")).unwrap();
    let error = Client::new(&path).status().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    std::fs::remove_dir_all(&path).unwrap();
}
