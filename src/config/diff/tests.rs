use super::*;
use crate::config::parse;

const OLD: &str = r#"
[vrrp.main]
vrid = 51
vips = ["192.168.0.101", "192.168.0.102"]
advert_interval = "1s"

[vrrp.gone]
vrid = 52
vips = ["192.168.0.103"]

[virtual_service.www]
listen       = "192.168.0.101:80"
real_servers = ["192.168.0.3", "192.168.0.4:80"]
check        = { type = "http", path = "/" }
"#;

fn config(text: &str) -> Config {
    parse(vec![("diarch.toml".into(), text.to_owned())], "lb1").unwrap().config
}

fn lines(replacements: &[(&str, &str)]) -> Vec<String> {
    let mut new = OLD.to_owned();
    for (from, to) in replacements {
        assert!(new.contains(from), "{from}");
        new = new.replace(from, to);
    }
    diff(&config(OLD), &config(&new)).iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_changed_is_no_lines() {
    assert_eq!(lines(&[]), Vec::<String>::new());
    // The text differs, and with it the digest; what is done does not.
    assert_eq!(lines(&[("vrid = 51", "vrid = 51 # the same")]), Vec::<String>::new());
}

#[test]
fn virtual_routers_and_services_come_and_go_by_name() {
    assert_eq!(lines(&[("vrrp.gone", "vrrp.new")]), ["- vrrp gone", "+ vrrp new"]);
    assert_eq!(
        lines(&[("virtual_service.www", "virtual_service.shop")]),
        ["+ virtual_service shop", "- virtual_service www"]
    );
}

#[test]
fn settings_are_named_as_they_are_written() {
    assert_eq!(
        lines(&[
            ("\"1s\"", "\"200ms\"\npriority = 100\npreempt = true"),
            ("vrid = 51", "vrid = 61\ninterface = \"eth0\""),
            ("\"192.168.0.102\"", "\"192.168.0.109/24\""),
        ]),
        [
            "~ vrrp main: interface by subnet -> eth0",
            "~ vrrp main: vrid 51 -> 61",
            "~ vrrp main: priority 254 -> 100",
            "~ vrrp main: advert_interval 1s -> 200ms",
            "~ vrrp main: preempt false -> true",
            "- VIP 192.168.0.102/32 of vrrp main",
            "+ VIP 192.168.0.109/24 of vrrp main",
        ]
    );
    assert_eq!(
        lines(&[("listen ", "scheduler = \"rr\"\npersistence = \"5m\"\nlisten ")]),
        [
            "~ virtual_service www: scheduler wlc -> rr",
            "~ virtual_service www: persistence none -> 5m",
        ]
    );
}

#[test]
fn real_servers_are_told_by_address_and_port() {
    assert_eq!(
        lines(&[("\"192.168.0.3\", \"192.168.0.4:80\"", "\"192.168.0.5\", \"192.168.0.3\"")]),
        ["- real server 192.168.0.4:80 of www", "+ real server 192.168.0.5 of www"]
    );
    assert_eq!(
        lines(&[("\"192.168.0.3\"", "{ address = \"192.168.0.3\", weight = 7 }")]),
        ["~ real server 192.168.0.3 of www: weight 1 -> 7"]
    );
    assert_eq!(
        lines(&[("\"192.168.0.3\", \"192.168.0.4:80\"", "\"192.168.0.4:80\", \"192.168.0.3\"")]),
        ["~ virtual_service www: order of real_servers"]
    );
}

#[test]
fn a_check_says_what_is_different_about_it() {
    assert_eq!(
        lines(&[("path = \"/\"", "path = \"/up\", interval = \"5s\", jitter = \"200ms\"")]),
        ["~ check of www: interval 2s -> 5s", "~ check of www: path / -> /up"]
    );
    assert_eq!(
        lines(&[("path = \"/\"", "status = 204")]),
        ["~ check of www: request or expected answer"]
    );
    assert_eq!(
        lines(&[("\"http\", path = \"/\"", "\"tcp\"")]),
        ["~ check of www: type http -> tcp"]
    );
    let none = [("{ type = \"http\", path = \"/\" }", "\"none\"")];
    assert_eq!(lines(&none), ["~ check of www: http -> none"]);
}
