use serde_json::{Value, json};

use super::*;

const GOLDEN: &str = include_str!("../../tests/status.json");

fn golden() -> Value {
    serde_json::from_str(GOLDEN).unwrap()
}

/// Calls `change` on every object and array element below `value`.
fn visit(value: &mut Value, change: &mut dyn FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            change(map);
            map.values_mut().for_each(|inner| visit(inner, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| visit(inner, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_keeps_every_field_and_adds_none_that_the_golden_file_lacks() {
    let status: Status = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(status.api_version, API_VERSION);
    assert_eq!(serde_json::to_value(&status).unwrap(), golden());
}

#[test]
fn a_reader_survives_fields_and_words_of_a_later_version() {
    let mut later = golden();
    visit(&mut later, &mut |map| {
        for word in ["state", "status", "severity", "protocol"] {
            if map.get(word).is_some_and(Value::is_string) {
                map.insert(word.to_owned(), json!("not-invented-yet"));
            }
        }
        // `discarded` maps reasons to numbers, so only a number may be added there.
        map.insert("added_later".to_owned(), json!(1));
    });
    let status: Status = serde_json::from_value(later).unwrap();
    assert_eq!(status.health.status, Verdict::Unknown);
    assert_eq!(status.health.problems[0].severity, Severity::Unknown);
    assert_eq!(status.vrrp[0].state, RouterState::Unknown);
    assert_eq!(status.services[0].state, ServiceState::Unknown);
    assert_eq!(status.services[0].listen[0].protocol, Some(Protocol::Unknown));
    assert_eq!(status.services[0].real_servers[0].state, RealServerState::Unknown);
    assert_eq!(status.services[0].real_servers[0].checks[0].state, CheckState::Unknown);
}

#[test]
fn the_words_shown_are_the_words_of_the_document() {
    let states = [RouterState::Init, RouterState::Backup, RouterState::Active, RouterState::Fault];
    for state in states {
        assert_eq!(serde_json::to_value(state).unwrap(), json!(state.name()));
    }
    for state in [RealServerState::Drain, RealServerState::Maintenance, RealServerState::Unknown] {
        assert_eq!(serde_json::to_value(state).unwrap(), json!(state.name()));
    }
    assert_eq!(serde_json::to_value(ServiceState::Degraded).unwrap(), json!("degraded"));
    assert_eq!(serde_json::to_value(Protocol::Sctp).unwrap(), json!("sctp"));
}

#[test]
fn an_event_says_everything_and_what_does_not_apply_is_null() {
    let time = "2026-11-22T16:18:21.004Z".parse().unwrap();
    let event = Event::new(1042, time, "lb1", Kind::RealServerDown, "service/www/192.168.0.4:80")
        .changed("up", "down")
        .because("connect_refused", "connection refused");
    let expected = json!({
        "id": 1042, "time": "2026-11-22T16:18:21.004Z", "node": "lb1", "kind": "real_server.down",
        "object": "service/www/192.168.0.4:80", "from": "up", "to": "down",
        "cause": { "code": "connect_refused", "detail": "connection refused" },
        "actor": null, "current": false,
    });
    assert_eq!(serde_json::to_value(&event).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Event>(expected).unwrap(), event);
}

#[test]
fn the_present_state_is_an_event_without_a_number() {
    let time = "2026-11-22T16:18:21Z".parse().unwrap();
    let event = Event::state(time, "lb1", Kind::VrrpBackup, "vrrp/main", "backup");
    let value = serde_json::to_value(&event).unwrap();
    assert_eq!((&value["id"], &value["current"]), (&json!(0), &json!(true)));
    assert_eq!((&value["from"], &value["to"]), (&Value::Null, &json!("backup")));
}

#[test]
fn a_kind_of_a_later_version_keeps_its_text() {
    let kind: Kind = serde_json::from_value(json!("peer.lost")).unwrap();
    assert_eq!(kind, Kind::Other("peer.lost".to_owned()));
    assert_eq!(serde_json::to_value(&kind).unwrap(), json!("peer.lost"));
    assert_eq!(serde_json::to_value(Kind::KernelInSync).unwrap(), json!("kernel.in_sync"));
}

#[test]
fn the_verdict_is_that_of_the_worst_problem() {
    let problem = |severity| Problem {
        id: "kernel_error".to_owned(),
        severity,
        object: "kernel".to_owned(),
        since: "2026-11-22T16:18:21Z".parse().unwrap(),
        message: "no answer".to_owned(),
        hint: None,
    };
    assert_eq!(Health::of(vec![]).status, Verdict::Ok);
    assert_eq!(Health::of(vec![problem(Severity::Warning)]).status, Verdict::Degraded);
    let both = Health::of(vec![problem(Severity::Warning), problem(Severity::Critical)]);
    assert_eq!(both.status, Verdict::Critical);
    assert_eq!(both.problems[0].severity, Severity::Critical);
}

#[test]
fn actors_and_listeners_read_as_operators_write_them() {
    assert_eq!(Actor::peer(1000, Some("alice")).to_string(), "alice (uid 1000)");
    assert_eq!(Actor::peer(1000, None).to_string(), "uid 1000");
    assert_eq!(Actor::signal("SIGHUP").to_string(), "SIGHUP");
    let address = "[2001:db8::1]:80".parse().unwrap();
    assert_eq!(Listen::address(address, Protocol::Tcp).to_string(), "[2001:db8::1]:80/tcp");
    assert_eq!(Listen::fwmark(3).to_string(), "fwmark 3");
}
