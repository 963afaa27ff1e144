//! What configurations mean, value by value.

#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use diarch::check::{Kind, http, tcp};
use diarch::config::{
    Check, Config, Loaded, OnFailure, RealServer, Timing, Transport, Vip, VirtualRouter,
    VirtualService, parse,
};
use diarch::health::Hysteresis;
use diarch::ipvs::{Forwarding, Protocol, Scheduler, ServiceKey};
use diarch::net::IfName;
use diarch::vrrp::{Interval, Priority, Vrid};

fn loaded(text: &str, node: &str) -> Loaded {
    parse(vec![("diarch.toml".into(), text.to_owned())], node)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn config(text: &str) -> Config {
    loaded(text, "lb1").config
}

const SMALLEST: &str = r#"
[vrrp.main]
vrid = 51
vips = ["192.168.0.101"]                 # the interface is the one whose subnet holds the VIP

[virtual_service.www]
listen       = "192.168.0.101:80"        # /tcp unless /udp or /sctp is written
real_servers = ["192.168.0.3", "192.168.0.4"]
check        = { type = "http", path = "/" }

[virtual_service.telnet]
listen       = "192.168.0.101:23"
real_servers = ["192.168.0.3", "192.168.0.4"]
check        = { type = "tcp" }
"#;

const FULL: &str = r#"
[node.lb1]
address  = ["192.168.0.1"]               # needed for transport = "unicast"; otherwise optional
priority = 200                           # or a table per virtual router: { web = 200 }
[node.lb2]
address  = ["192.168.0.2"]
priority = 150

[vrrp.web]
interface       = "eth0"
vrid            = 51
version         = 3                      # 2 for a keepalived or router peer that speaks it
vips            = ["192.168.0.101/24"]   # any number, IPv4 and IPv6
advert_interval = "1s"
priority        = 100                    # for a node that says nothing of its own
preempt         = true                   # default false
preempt_delay   = "0s"
transport       = "multicast"            # or "unicast", to the other nodes' address

[virtual_service.www]
listen       = "192.168.0.101:80"
forward      = "dr"                      # dr, nat, tunnel
scheduler    = "rr"
real_servers = ["192.168.0.3", { address = "192.168.0.4", port = 80, weight = 2 }]
check        = { type = "http", path = "/", interval = "1s", timeout = "1s", rise = 1, fall = 2 }
"#;

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 168, 0, last])
}

fn server(last: u8) -> RealServer {
    RealServer { name: None, address: ip(last), port: None, weight: 1 }
}

fn listen(port: u16) -> Vec<ServiceKey> {
    vec![ServiceKey::Address(Protocol::Tcp, (ip(101), port).into())]
}

fn get_root() -> Kind {
    Kind::Http(http::Spec {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        host: None,
        headers: vec![],
        status: vec![(200, 299)],
        body: None,
        max_body: 1_048_576,
    })
}

fn hysteresis(rise: u32, fall: u32) -> Hysteresis {
    Hysteresis { rise: NonZeroU32::new(rise).unwrap(), fall: NonZeroU32::new(fall).unwrap() }
}

fn default_check(kind: Kind) -> Check {
    let timing = Timing {
        interval: Duration::from_secs(2),
        fast_interval: Duration::from_millis(500),
        jitter: Duration::from_millis(200),
        timeout: Duration::from_secs(1),
    };
    Check { kind, port: None, timing, hysteresis: hysteresis(2, 3) }
}

#[test]
fn the_smallest_example_of_the_contract_means_the_defaults() {
    let loaded = loaded(SMALLEST, "anything");
    assert!(loaded.warnings.is_empty());
    let service = |name: &str, port, kind| VirtualService {
        name: name.to_owned(),
        listen: listen(port),
        forward: Forwarding::DirectRoute,
        scheduler: Scheduler::named("wlc").unwrap(),
        persistence: None,
        on_failure: OnFailure::Quiesce,
        real_servers: vec![server(3), server(4)],
        checks: vec![default_check(kind)],
    };
    let expected = Config {
        node: "anything".to_owned(),
        nodes: vec![],
        routers: vec![VirtualRouter {
            name: "main".to_owned(),
            interface: None,
            vrid: Vrid::try_from(51).unwrap(),
            vips: vec![Vip { address: ip(101), prefix: 32 }],
            priority: Priority::try_from(254).unwrap(),
            interval: Interval::from_centis(20).unwrap(),
            preempt: false,
            preempt_delay: Duration::ZERO,
            transport: Transport::Multicast,
        }],
        services: vec![
            service("telnet", 23, Kind::Tcp(tcp::Spec {})),
            service("www", 80, get_root()),
        ],
        files: vec![PathBuf::from("diarch.toml")],
        digest: loaded.config.digest.clone(),
    };
    assert_eq!(loaded.config, expected);
}

#[test]
fn the_full_example_of_the_contract_means_what_it_says() {
    let loaded = loaded(FULL, "lb1");
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings.render(false));
    let timing = Timing {
        interval: Duration::from_secs(1),
        fast_interval: Duration::from_millis(500),
        jitter: Duration::from_millis(100),
        timeout: Duration::from_secs(1),
    };
    let expected = Config {
        node: "lb1".to_owned(),
        nodes: vec!["lb1".to_owned(), "lb2".to_owned()],
        routers: vec![VirtualRouter {
            name: "web".to_owned(),
            interface: Some(IfName::try_from("eth0").unwrap()),
            vrid: Vrid::try_from(51).unwrap(),
            vips: vec![Vip { address: ip(101), prefix: 24 }],
            priority: Priority::try_from(200).unwrap(),
            interval: Interval::from_centis(100).unwrap(),
            preempt: true,
            preempt_delay: Duration::ZERO,
            transport: Transport::Multicast,
        }],
        services: vec![VirtualService {
            name: "www".to_owned(),
            listen: listen(80),
            forward: Forwarding::DirectRoute,
            scheduler: Scheduler::named("rr").unwrap(),
            persistence: None,
            on_failure: OnFailure::Quiesce,
            real_servers: vec![
                server(3),
                RealServer { name: None, address: ip(4), port: Some(80), weight: 2 },
            ],
            checks: vec![Check {
                kind: get_root(),
                port: None,
                timing,
                hysteresis: hysteresis(1, 2),
            }],
        }],
        files: vec![PathBuf::from("diarch.toml")],
        digest: loaded.config.digest.clone(),
    };
    assert_eq!(loaded.config, expected);
}

const BASE: &str = "[vrrp.main]\nvrid = 51\nvips = [\"192.168.0.101\"]\n";

fn service(rest: &str) -> VirtualService {
    let text = format!("{BASE}[virtual_service.www]\nlisten = \"192.168.0.101:80\"\n{rest}");
    config(&text).services.pop().unwrap()
}

#[test]
fn unicast_goes_to_the_addresses_of_the_other_nodes() {
    let text = format!(
        "{BASE}transport = \"unicast\"\n[node.lb1]\naddress = \"192.168.0.1\"\n[node.lb2]\n\
         address = [\"192.168.0.2\", \"10.0.0.2\"]\npriority = {{ main = 7 }}\n"
    );
    let router = |node| loaded(&text, node).config.routers.pop().unwrap();
    assert_eq!(router("lb2").transport, Transport::Unicast(vec![ip(1)]));
    assert_eq!(router("lb2").priority, Priority::try_from(7).unwrap());
    let others = vec![ip(2), IpAddr::from([10, 0, 0, 2])];
    assert_eq!(router("lb1").transport, Transport::Unicast(others));
    assert_eq!(router("lb1").priority, Priority::try_from(254).unwrap());
}

#[test]
fn a_table_s_own_keys_come_before_defaults_and_defaults_before_what_is_built_in() {
    let text = format!(
        "{BASE}[virtual_service.a]\nlisten = \"192.168.0.101:1\"\nreal_servers = \"192.168.0.3\"\n\
         [virtual_service.b]\nlisten = \"192.168.0.101:2\"\nreal_servers = \"192.168.0.3\"\n\
         scheduler = \"sh\"\ncheck = {{ type = \"tcp\", interval = \"7s\" }}\n\
         [defaults.virtual_service]\nscheduler = \"rr\"\ncheck = \"tcp\"\n\
         [defaults.check]\ninterval = \"3s\"\nfall = 9\npath = \"/up\"\n\
         [defaults.vrrp]\nadvert_interval = \"1s\"\n"
    );
    let config = config(&text);
    assert_eq!(config.routers[0].interval, Interval::from_centis(100).unwrap());
    let seen = config.services.iter().map(|service| {
        let check = &service.checks[0];
        (service.scheduler.as_str(), check.timing.interval.as_secs(), check.hysteresis.fall.get())
    });
    assert_eq!(seen.collect::<Vec<_>>(), [("rr", 3, 9), ("sh", 7, 9)]);
}

#[test]
fn named_real_servers_bring_port_and_weight_unless_the_service_says_otherwise() {
    let service = service(
        "forward = \"nat\"\nreal_servers = [\"web1\", { name = \"web2\", port = 81, weight = 0 }]\n\
         check = \"none\"\n[real_server.web1]\naddress = \"192.168.0.3\"\nport = 8080\nweight = 5\n\
         [real_server.web2]\naddress = \"192.168.0.4\"\nport = 8080\n",
    );
    let named = |name: &str, last, port, weight| RealServer {
        name: Some(name.to_owned()),
        address: ip(last),
        port: Some(port),
        weight,
    };
    assert_eq!(service.real_servers, [named("web1", 3, 8080, 5), named("web2", 4, 81, 0)]);
    assert!(service.checks.is_empty());
}

#[test]
fn http_checks_take_all_their_keys() {
    let service = service(
        "real_servers = \"192.168.0.3\"\npersistence = \"5m\"\non_failure = \"remove\"\n\
         [[virtual_service.www.check]]\ntype = \"http\"\nport = 8080\nmethod = \"POST\"\n\
         path = \"/a?b=c\"\nhost = \"www.example.com\"\nheaders = { x-b = \"1\", accept = \"*/*\" }\n\
         status = [200, \"301-302\"]\nbody_regex = 'ok|fine'\nmax_body = \"64KiB\"\njitter = \"0s\"\n\
         [[virtual_service.www.check]]\ntype = \"tcp\"\ninterval = \"200ms\"\ntimeout = \"100ms\"\n",
    );
    assert_eq!(service.persistence, Some(Duration::from_secs(300)));
    assert_eq!(service.on_failure, OnFailure::Remove);
    let [http, tcp] = service.checks.as_slice() else { panic!("{:?}", service.checks) };
    let text = |text: &str| text.to_owned();
    let expected = http::Spec {
        method: text("POST"),
        path: text("/a?b=c"),
        host: Some(text("www.example.com")),
        headers: vec![(text("x-b"), text("1")), (text("accept"), text("*/*"))],
        status: vec![(200, 200), (301, 302)],
        body: Some(http::BodyMatch::Regex(text("ok|fine"))),
        max_body: 65536,
    };
    assert_eq!(http.kind, Kind::Http(expected));
    assert_eq!((http.port, http.timing.jitter), (Some(8080), Duration::ZERO));
    // Never longer than the interval, though 500ms is the default.
    assert_eq!(tcp.timing.fast_interval, Duration::from_millis(200));
    assert_eq!(tcp.timing.jitter, Duration::from_millis(20));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn ten_thousand_real_servers_are_read_in_no_time() {
    let mut text = String::from("[vrrp.main]\nvrid = 1\nvips = [\"192.168.0.101\"]\n");
    for service in 0..100 {
        let servers: Vec<String> =
            (0..100).map(|server| format!("\"10.0.{service}.{}\"", server + 1)).collect();
        let _infallible = writeln!(
            text,
            "[virtual_service.s{service}]\nlisten = \"192.168.0.101:{}\"\nreal_servers = [{}]\n\
             check = {{ type = \"http\", path = \"/\" }}",
            service + 1,
            servers.join(", ")
        );
    }
    let before = std::time::Instant::now();
    let config = config(&text);
    let took = before.elapsed();
    assert_eq!(config.services.iter().map(|s| s.real_servers.len()).sum::<usize>(), 10_000);
    // Generous: a debug build on a busy machine. What must not come back is anything quadratic.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

mod any_input {
    use super::{FULL, SMALLEST, parse};
    use proptest::prelude::*;

    /// Reads and, where that fails, renders; neither may panic.
    fn survive(text: String) {
        let problems = match parse(vec![("diarch.toml".into(), text)], "lb1") {
            Ok(loaded) => loaded.warnings,
            Err(problems) => {
                assert!(problems.errors() > 0);
                problems
            }
        };
        for color in [false, true] {
            assert_eq!(problems.render(color).is_empty(), problems.is_empty());
        }
        for problem in &problems {
            assert!(problem.span.start <= problem.span.end);
            assert_eq!(problem.line == 0, problem.column == 0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_text_is_survived(text in "\\PC*|[\\[\\]{}=\"'.#\n a-z0-9]*") {
            survive(text);
        }

        #[test]
        fn arbitrary_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            survive(String::from_utf8_lossy(&bytes).into_owned());
        }

        #[test]
        fn a_good_file_with_pieces_moved_is_survived(
            first in any::<bool>(),
            cuts in proptest::collection::vec((0..1600_usize, 0..40_usize, 0..1600_usize), 1..6),
        ) {
            let mut text: Vec<char> = if first { SMALLEST } else { FULL }.chars().collect();
            for (from, length, to) in cuts {
                let from = from % text.len();
                let end = (from + length).min(text.len());
                let piece: Vec<char> = text.drain(from..end).collect();
                if text.is_empty() {
                    break;
                }
                let to = to % text.len();
                text.splice(to..to, piece);
            }
            survive(text.into_iter().collect());
        }

        #[test]
        fn a_good_file_with_values_changed_is_survived(
            line in 0..30_usize,
            value in "(-?[0-9]{0,25}|\"\\PC{0,20}\"|\\[\\]|\\{\\}|true|1e99|nan|1979-05-27|\\[\\[\"\"\\]\\])",
        ) {
            let lines = FULL.lines().enumerate().map(|(number, text)| {
                match text.split_once('=') {
                    Some((key, _)) if number == line => format!("{key}= {value}"),
                    _ => text.to_owned(),
                }
            });
            survive(lines.collect::<Vec<_>>().join("\n"));
        }
    }
}
