//! Probes against real sockets on loopback, well-behaved and hostile.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::check::{Clients, Kind, Outcome, Probe as _};

/// For servers that never answer in full.
const LIMIT: Duration = Duration::from_millis(400);
/// For servers that answer at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// A busy machine may wake late; no hostile server may hold a probe this much longer.
const LATEST: Duration = Duration::from_secs(3);

fn spec() -> Spec {
    Spec {
        method: "GET".into(),
        path: "/healthz?deep=1".into(),
        host: None,
        headers: Vec::new(),
        status: vec![(200, 299)],
        body: None,
        max_body: 65_536,
    }
}

fn wanting(body: BodyMatch) -> Spec {
    Spec { body: Some(body), ..spec() }
}

fn contains(text: &str) -> Spec {
    wanting(BodyMatch::Contains(text.into()))
}

async fn probe(spec: Spec, target: SocketAddr) -> Outcome {
    probe_within(PATIENCE, spec, target).await
}

async fn probe_within(limit: Duration, spec: Spec, target: SocketAddr) -> Outcome {
    let probe = Clients::new().unwrap().prepare(&Kind::Http(spec)).unwrap();
    let started = Instant::now();
    let outcome = probe.probe(target, limit).await;
    assert!(started.elapsed() < limit + LATEST, "took {:?}", started.elapsed());
    outcome
}

/// Serves one connection with `behaviour`, which gets the stream after the request's header.
async fn serve<F>(
    behaviour: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, oneshot::Receiver<String>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (request, seen) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n\r\n") {
            header.push(stream.read_u8().await.unwrap());
        }
        // Few tests look at the request.
        request.send(String::from_utf8(header).unwrap()).unwrap_or_default();
        behaviour(stream).await;
    });
    (address, seen)
}

/// Answers with `answer` and closes.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    serve(async |mut stream: TcpStream| stream.write_all(answer).await.unwrap()).await.0
}

/// Sends `start`, then `more` every `pause` for as long as the prober listens.
async fn endless(
    start: &'static [u8],
    more: &'static [u8],
    pause: Duration,
) -> (SocketAddr, oneshot::Receiver<usize>) {
    let (done, sent) = oneshot::channel();
    let (address, _) = serve(move |mut stream| async move {
        let mut total = 0;
        let mut next = start;
        while stream.write_all(next).await.is_ok() {
            total += next.len();
            next = more;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        done.send(total).unwrap_or_default();
    })
    .await;
    (address, sent)
}

async fn assert_ends(
    spec: Spec,
    start: &'static [u8],
    more: &'static [u8],
    pause: u64,
    expected: &str,
) {
    let (target, sent) = endless(start, more, Duration::from_millis(pause)).await;
    let limit = if expected == "timeout" { LIMIT } else { PATIENCE };
    let failure = probe_within(limit, spec, target).await.unwrap_err();
    assert_eq!(failure.code(), expected, "{failure}");
    // The connection is gone: the server cannot go on.
    let total = timeout(LATEST, sent).await.expect("the connection stays open").unwrap();
    assert!(total < 64 << 20, "took {total} bytes");
}

#[tokio::test]
async fn the_request_is_sent_as_specified() {
    let answer = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    };
    let (target, request) = serve(answer).await;
    let asked = Spec {
        method: "HEAD".into(),
        host: Some("www.example.org".into()),
        headers: vec![("X-Probe".into(), "1".into()), ("x-probe".into(), "2".into())],
        ..spec()
    };
    assert_eq!(probe(asked, target).await.unwrap().detail, "HTTP 204");
    let request = request.await.unwrap().to_lowercase();
    assert!(request.starts_with("head /healthz?deep=1 http/1.1\r\n"), "{request}");
    let agent = concat!("user-agent: diarch/", env!("CARGO_PKG_VERSION"), "\r\n");
    for field in [
        "host: www.example.org\r\n",
        "x-probe: 1\r\nx-probe: 2\r\n",
        "connection: close\r\n",
        agent,
    ] {
        assert!(request.contains(field), "no {field:?} in {request}");
    }
}

#[tokio::test]
async fn without_a_host_the_servers_own_address_is_named() {
    let (target, request) = serve(async |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await.unwrap();
    })
    .await;
    assert_eq!(probe(spec(), target).await.unwrap().detail, "HTTP 200");
    assert!(request.await.unwrap().to_lowercase().contains(&format!("host: {target}\r\n")));
}

#[tokio::test]
async fn another_status_fails_and_says_what_was_expected() {
    for (answer, detail) in [
        (&b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"[..], "HTTP 503, expected 200-299, 401"),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n", "HTTP 302, expected 200-299, 401"),
    ] {
        let asked = Spec { status: vec![(200, 299), (401, 401)], ..spec() };
        let failure = probe(asked, answering(answer).await).await.unwrap_err();
        assert_eq!((failure.code(), failure.to_string().as_str()), ("bad_status", detail));
    }
}

#[tokio::test]
async fn the_body_is_searched_for_text_or_expression() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nstate: (ready) \xff\n";
    let regex = |text: &str| wanting(BodyMatch::Regex(text.into()));
    for good in [contains("(ready)"), regex(r"state:\s+\(rea.y\)"), regex("(?m)^state")] {
        assert_eq!(probe(good, answering(ANSWER).await).await.unwrap().detail, "HTTP 200");
    }
    for (bad, detail) in [
        (contains("(re.dy)"), "the body does not match \"(re.dy)\""),
        (regex("^ready"), "the body does not match /^ready/"),
    ] {
        let failure = probe(bad, answering(ANSWER).await).await.unwrap_err();
        assert_eq!((failure.code(), failure.to_string().as_str()), ("body_mismatch", detail));
    }
}

#[tokio::test]
async fn what_lies_beyond_the_cap_is_not_seen() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    let capped = |text| Spec { max_body: 4, ..contains(text) };
    assert!(probe(capped("0123"), answering(ANSWER).await).await.is_ok());
    let failure = probe(capped("4"), answering(ANSWER).await).await.unwrap_err();
    assert_eq!(failure.to_string(), "in its first 4 bytes, the body does not match \"4\"");
}

#[tokio::test]
async fn a_body_nobody_asked_for_is_not_waited_for() {
    const START: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    for pause in [0, 50] {
        let (target, sent) = endless(START, &[b'x'; 4096], Duration::from_millis(pause)).await;
        assert!(probe(spec(), target).await.is_ok());
        let total = timeout(LATEST, sent).await.expect("the connection stays open").unwrap();
        assert!(total < 32 << 20, "took {total} bytes");
    }
}

#[tokio::test]
async fn a_server_silent_after_accept_ends_at_the_deadline() {
    let (target, _) = serve(async |stream: TcpStream| {
        sleep(LATEST).await;
        drop(stream);
    })
    .await;
    let failure = probe_within(LIMIT, spec(), target).await.unwrap_err();
    assert_eq!(failure.code(), "timeout");
    assert_eq!(failure.to_string(), "connected, but no answer within 400ms");
}

#[tokio::test]
async fn a_server_that_takes_no_connection_ends_at_the_deadline() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let target = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = timeout(LIMIT, TcpStream::connect(target)).await {
        held.push(stream.unwrap());
        assert!(held.len() < 10, "the queue never fills");
    }
    let failure = probe_within(LIMIT, spec(), target).await.unwrap_err();
    assert_eq!(failure.code(), "connect_timeout");
    assert_eq!(failure.to_string(), "no connection within 400ms");
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    drop(listener);
    let failure = probe(spec(), target).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.to_string().as_str()),
        ("connect_refused", "connection refused")
    );
}

#[tokio::test]
async fn dripping_and_endless_answers_end_at_the_deadline() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const HUNDRED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    // Header, one byte at a time; a status line without end; interim answers for ever.
    assert_ends(spec(), OK, b"x", 30, "timeout").await;
    assert_ends(spec(), b"HTTP/1.1 ", b"2", 30, "timeout").await;
    assert_ends(spec(), HUNDRED, HUNDRED, 1, "timeout").await;
    // Body, one byte at a time, plain and chunked.
    assert_ends(contains("y"), b"HTTP/1.1 200 OK\r\n\r\n", b"x", 30, "timeout").await;
    assert_ends(contains("y"), CHUNKED, b"1\r\nx\r\n", 30, "timeout").await;
    let (target, _) = endless(CHUNKED, b"1\r\nx\r\n", Duration::from_millis(30)).await;
    let failure = probe_within(LIMIT, contains("y"), target).await.unwrap_err();
    assert_eq!(failure.to_string(), "answered, but the body was not complete within 400ms");
}

#[tokio::test]
async fn floods_are_cut_off() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_ends(spec(), OK, b"x-more: and more\r\n", 0, "bad_answer").await;
    assert_ends(spec(), OK, &[b'x'; 1024], 0, "bad_answer").await;
    assert_ends(contains("y"), b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 8192], 0, "body_mismatch").await;
    let small = Spec { max_body: 2048, ..contains("y") };
    assert_ends(small, CHUNKED, b"8\r\nxxxxxxxx\r\n", 0, "body_mismatch").await;
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_answer() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"<html>HTTP/0.9 once</html>",
        b"HTTP/1.1 20000000000000000000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
    ] {
        let failure = probe(spec(), answering(garbage).await).await.unwrap_err();
        assert_eq!(failure.code(), "bad_answer", "{failure} for {garbage:?}");
    }
}

#[tokio::test]
async fn an_answer_cut_short_counts_as_closed() {
    const BODY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nxy";
    const CHUNK: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nxy";
    for (spec, answer) in [
        (spec(), &b""[..]),
        (spec(), b"HTTP/1.1 200 OK\r\n"),
        (spec(), b"HTTP/1.1 200 OK\r\nserver: x"),
        (contains("y"), BODY),
        (contains("y"), CHUNK),
    ] {
        let failure = probe(spec, answering(answer).await).await.unwrap_err();
        assert_eq!(failure.code(), "closed", "{failure} for {answer:?}");
    }
}

#[tokio::test]
async fn a_reset_at_any_stage_is_a_reset() {
    for (spec, start) in [
        (spec(), &b""[..]),
        (spec(), b"HTTP/1.1 200 OK\r\nserv"),
        (contains("y"), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"),
    ] {
        let (target, _) = serve(move |mut stream: TcpStream| async move {
            stream.write_all(start).await.unwrap();
            // The prober shall have read `start` before it hears of the reset.
            sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger().unwrap();
        })
        .await;
        let failure = probe(spec, target).await.unwrap_err();
        assert_eq!(failure.code(), "reset", "{failure} after {start:?}");
    }
}

#[test]
fn what_cannot_be_sent_or_compiled_is_refused_beforehand() {
    let bad = [
        (Spec { method: "GE T".into(), ..spec() }, "`GE T` is not an HTTP method"),
        (
            Spec { path: "x".into(), ..spec() },
            "`x` is not a request path: it must begin with `/` and hold no `#`",
        ),
        (
            Spec { path: "/#x".into(), ..spec() },
            "`/#x` is not a request path: it must begin with `/` and hold no `#`",
        ),
        (Spec { host: Some("a\nb".into()), ..spec() }, "`host: a\nb` is not an HTTP header field"),
        (
            Spec { headers: vec![("a b".into(), "c".into())], ..spec() },
            "`a b: c` is not an HTTP header field",
        ),
        (wanting(BodyMatch::Regex("(".into())), "cannot compile the regular expression `(`"),
    ];
    for (spec, message) in bad {
        assert_eq!(Kind::Http(spec).validate().unwrap_err().to_string(), message);
    }
    assert!(Kind::Http(contains("(")).validate().is_ok());
}
