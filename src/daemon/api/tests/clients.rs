//! Clients that are slow, wrong or many.

use std::io::{BufRead, BufReader};

use super::*;

fn connect(directory: &Directory) -> UnixStream {
    let stream = UnixStream::connect(directory.socket("status.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn follow(directory: &Directory, target: &str) -> UnixStream {
    let mut stream = connect(directory);
    write!(stream, "GET {target} HTTP/1.1\r\nhost: diarch\r\n\r\n").unwrap();
    stream
}

/// The next event of a chunked stream.
fn next_event(reader: &mut impl BufRead) -> Option<Event> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if line.starts_with('{') {
            return Some(serde_json::from_str(&line).unwrap());
        }
    }
}

fn answers(directory: &Directory) -> bool {
    request(&directory.socket("status.sock"), "GET", "/livez").0 == 200
}

#[test]
fn a_stream_begins_with_the_present_state_and_goes_on() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    let mut reader = BufReader::new(follow(&directory, "/v1/events?follow=1&n=1"));
    let begin: Vec<_> = std::iter::from_fn(|| next_event(&mut reader)).take(2).collect();
    assert!(begin[0].current && begin[0].to.as_deref() == Some("active"));
    assert_eq!((begin[1].current, begin[1].id), (false, 5));
    hub.live.send(event(6)).unwrap();
    assert_eq!(next_event(&mut reader).unwrap().id, 6);
}

#[test]
fn a_stream_ends_when_the_daemon_stops() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    let mut reader = BufReader::new(follow(&directory, "/v1/events?follow=1"));
    assert!(next_event(&mut reader).unwrap().current);
    drop(hub);
    assert_eq!(next_event(&mut reader), None);
}

#[test]
fn a_reader_of_events_that_does_not_read_is_dropped() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    let mut stream = follow(&directory, "/v1/events?follow=1");
    while hub.live.receiver_count() == 0 {
        assert!(answers(&directory));
    }
    let long = Event { object: "x".repeat(100_000), ..(*event(7)).clone() };
    let long = Arc::new(long);
    let begin = now();
    // Without a reader no more than the bounded lag is kept, and then the receiver goes.
    while hub.live.send(Arc::clone(&long)).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(15), "still subscribed");
        assert!(answers(&directory), "others are served meanwhile");
    }
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest));
    assert!(rest.len() < 20 * 100_000 + 300_000, "{} bytes were kept", rest.len());
}

#[test]
fn a_reader_that_fell_behind_is_told_how_many_events_it_missed() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    let stream = follow(&directory, "/v1/events?follow=1&since=1");
    while hub.live.receiver_count() == 0 {
        assert!(answers(&directory));
    }
    (6..20_000).for_each(|id| drop(hub.live.send(event(id))));
    let mut reader = BufReader::new(stream);
    let told: Vec<_> = std::iter::from_fn(|| next_event(&mut reader)).collect();
    let (last, read) = told.split_last().unwrap();
    assert_eq!((last.kind.clone(), last.id), (Kind::Other("events.lost".to_owned()), 0));
    let detail = &last.cause.as_ref().unwrap().detail;
    let since = read.last().unwrap().id;
    assert!(detail.ends_with(&format!("ask again with since={since}")), "{since}: {detail}");
}

#[test]
fn garbage_and_endless_heads_are_answered_and_closed() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let socket = directory.socket("status.sock");
    assert_eq!(split(&exchange(&socket, b"\x16\x03\x01\x02\0\x01\0\r\n\r\n")).0, 400);
    let mut endless = b"GET /livez HTTP/1.1\r\nx: ".to_vec();
    endless.resize(1024 * 1024, b'x');
    assert_eq!(split(&exchange(&socket, &endless)).0, 431);
    assert!(answers(&directory));
}

#[test]
fn a_client_that_sends_a_byte_a_second_is_cut_off() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let mut stream = connect(&directory);
    stream.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
    let begin = now();
    for byte in b"GET /v1/status HTTP/1.1\r\n" {
        let sent = stream.write_all(&[*byte]);
        if sent.is_err() || stream.read(&mut [0; 64]).is_ok_and(|count| count == 0) {
            break;
        }
    }
    let lasted = begin.elapsed();
    assert!((4..8).contains(&lasted.as_secs()), "{lasted:?}");
}

#[test]
fn one_too_many_is_told_so_and_orders_still_get_through() {
    let directory = Directory::new();
    let _hub = FakeHub::serving(&directory);
    let idle: Vec<_> = (0..64).map(|_| connect(&directory)).collect();
    let socket = directory.socket("status.sock");
    for _ in 0..36 {
        let answer = request(&socket, "GET", "/livez");
        assert_eq!((answer.0, &problem(&answer)["type"]), (503, &"urn:diarch:busy".into()));
    }
    assert_eq!(request(&directory.socket("admin.sock"), "POST", "/v1/reload").0, 200);
    drop(idle);
    while !answers(&directory) {}
}

#[test]
fn a_stream_nobody_reads_any_more_gives_its_place_back_at_once() {
    let directory = Directory::new();
    let hub = FakeHub::serving(&directory);
    let mut reader = BufReader::new(follow(&directory, "/v1/events?follow=1"));
    assert!(next_event(&mut reader).is_some() && hub.live.receiver_count() == 1);
    drop(reader);
    let begin = now();
    while hub.live.receiver_count() > 0 {
        assert!(answers(&directory) && begin.elapsed() < Duration::from_secs(3));
    }
}
