//! The tables themselves.

use std::time::Duration;

use super::{Key, Kind, Section};
use crate::check;
use crate::ipvs::Scheduler;

const LATER: &str = "not available in this version";

const fn milliseconds(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max) }
}

const DAY: u64 = 24 * 60 * 60 * 1000;
const PORT: Kind = Kind::Integer { min: 1, max: 65535 };
const WEIGHT: Kind = Kind::Integer { min: 0, max: 65535 };
const COUNT: Kind = Kind::Integer { min: 1, max: 1000 };

/// Every table there is, in the order to document them.
pub const SECTIONS: &[&Section] =
    &[&ROOT, &NODE, &DEFAULTS, &VRRP, &REAL_SERVER, &VIRTUAL_SERVICE, &SERVER_ENTRY, &CHECK];

/// The file as a whole.
pub const ROOT: Section = Section {
    title: "the file",
    doc: "Identical on both directors.",
    keys: &[
        Key::new("node", Kind::Form("tables [node.NAME]"), "The directors of the pair.")
            .also(&["director", "nodes"]),
        Key::new(
            "defaults",
            Kind::Form("tables"),
            "Values for tables that say nothing of their own.",
        ),
        Key::new(
            "vrrp",
            Kind::Form("tables [vrrp.NAME]"),
            "Virtual routers: addresses that move between directors.",
        )
        .also(&["vrrp_instance", "vrrp_router"]),
        Key::new(
            "real_server",
            Kind::Form("tables [real_server.NAME]"),
            "Real servers named once for many virtual services.",
        )
        .also(&["server", "backend"]),
        Key::new(
            "virtual_service",
            Kind::Form("tables [virtual_service.NAME]"),
            "What clients connect to.",
        )
        .also(&["virtual_server", "service", "virtual"]),
    ],
    absent: &[
        ("global", LATER),
        ("global_defs", LATER),
        ("http", LATER),
        ("conn_sync", LATER),
        ("sync_group", LATER),
        ("vrrp_sync_group", LATER),
        ("vrrp_script", LATER),
        ("track", LATER),
        ("notify", LATER),
        ("include", "there is no include: every conf.d/*.toml beside the file is read"),
    ],
};

/// `[node.NAME]`
pub const NODE: Section = Section {
    title: "[node.NAME]",
    doc: "A director; NAME is its short host name.",
    keys: &[
        Key::new(
            "address",
            Kind::Form("an IPv4 address or an array of them"),
            "Its own addresses, to which unicast advertisements are sent.",
        )
        .also(&["addresses", "ip", "unicast_src_ip"]),
        Key::new(
            "priority",
            Kind::Form("an integer from 1 to 254, or a table of them by virtual router"),
            "Its priority, instead of the virtual router's.",
        ),
    ],
    absent: &[(
        "interface",
        "write it in [vrrp.NAME]; a different one per node is not available in this version",
    )],
};

/// `[defaults]`
pub const DEFAULTS: Section = Section {
    title: "[defaults]",
    doc: "Values for tables that say nothing of their own.",
    keys: &[
        Key::new("check", Kind::Form("a table of check keys"), "Defaults of every check."),
        Key::new("vrrp", Kind::Form("a table of vrrp keys"), "Defaults of every virtual router."),
        Key::new(
            "virtual_service",
            Kind::Form("a table of virtual_service keys"),
            "Defaults of every virtual service.",
        )
        .also(&["virtual_server", "service"]),
    ],
    absent: &[("real_server", LATER), ("node", LATER)],
};

/// `[vrrp.NAME]`
pub const VRRP: Section = Section {
    title: "[vrrp.NAME]",
    doc: "A virtual router of RFC 9568: addresses one director holds at a time.",
    keys: &[
        Key::new("interface", Kind::Form("the name of a network interface"), "Where it runs; when absent, on the interface whose subnet holds the first VIP.")
            .inherits()
            .also(&["device", "iface", "dev"]),
        Key::new("vrid", Kind::Integer { min: 1, max: 255 }, "Virtual router identifier: the same on both directors, used by nobody else on the LAN.")
            .required()
            .also(&["virtual_router_id", "router_id", "id"]),
        Key::new("version", Kind::Integer { min: 3, max: 3 }, "VRRP version.").default("3").inherits().also(&["vrrp_version"]),
        Key::new("vips", Kind::Form("an array of \"ADDRESS\" or \"ADDRESS/PREFIX\""), "The virtual addresses.")
            .required()
            .also(&["virtual_ipaddress", "virtual_ipaddresses", "addresses", "virtual_ip"]),
        Key::new("advert_interval", milliseconds(10, 40_950), "Time between advertisements, a multiple of 10ms: a dead director is noticed after three of them.")
            .default("200ms")
            .inherits()
            .also(&["advert_int", "advertisement_interval"]),
        Key::new("priority", Kind::Integer { min: 1, max: 254 }, "Who becomes active first; for nodes that say nothing of their own.")
            .default("254")
            .inherits(),
        Key::new("preempt", Kind::Boolean, "Whether a director of higher priority takes over from a working one.").default("false").inherits(),
        Key::new("preempt_delay", milliseconds(0, DAY), "How long after its start it waits before it does.").default("0s").inherits(),
        Key::new("transport", Kind::Choice(&["multicast", "unicast"]), "How advertisements travel: to 224.0.0.18, or to the other nodes' addresses.")
            .default("multicast")
            .inherits(),
    ],
    absent: &[
        ("nopreempt", "write `preempt = false`, which is the default"),
        ("state", "there is no initial state: the directors elect one by priority"),
        ("unicast_peer", "write `transport = \"unicast\"` and give every [node.NAME] its `address`"),
        ("unicast_src_ip", "write `transport = \"unicast\"` and give every [node.NAME] its `address`"),
        ("authentication", "VRRP has had none since RFC 3768; keep strangers off the LAN instead"),
        ("auth_pass", "VRRP has had none since RFC 3768; keep strangers off the LAN instead"),
        ("track", LATER),
        ("track_interface", LATER),
        ("track_script", LATER),
        ("sync_group", LATER),
        ("notify", LATER),
        ("notify_master", LATER),
        ("notify_backup", LATER),
        ("notify_fault", LATER),
        ("use_vmac", LATER),
        ("virtual_mac", LATER),
        ("virtual_routes", LATER),
        ("garp_master_delay", LATER),
        ("accept", "packets to a VIP are always accepted: virtual services need it"),
    ],
};

/// `[real_server.NAME]`
pub const REAL_SERVER: Section = Section {
    title: "[real_server.NAME]",
    doc: "A real server, named once for many virtual services.",
    keys: &[
        Key::new("address", Kind::Form("an IPv4 address"), "Its own address.")
            .required()
            .also(&["ip", "host"]),
        Key::new("port", PORT, "Its port; when absent, the virtual service's."),
        Key::new("weight", WEIGHT, "Its share of new connections; 0: none.").default("1"),
    ],
    absent: SERVER_ABSENT,
};

const SERVER_ABSENT: &[(&str, &str)] = &[
    ("max_connections", LATER),
    ("uthreshold", LATER),
    ("lthreshold", LATER),
    ("forward", "write it in [virtual_service.NAME]: it holds for all its real servers"),
    ("check", "write it in [virtual_service.NAME]: it holds for all its real servers"),
    (
        "inhibit_on_failure",
        "write `on_failure = \"quiesce\"` in [virtual_service.NAME], which is the default",
    ),
];

/// A table in `real_servers`.
pub const SERVER_ENTRY: Section = Section {
    title: "real_servers = [{ ... }]",
    doc: "A real server of one virtual service.",
    keys: &[
        Key::new("address", Kind::Form("an IPv4 address"), "Its own address.")
            .also(&["ip", "host"]),
        Key::new("name", Kind::Text, "The NAME of a [real_server.NAME], instead of an address."),
        Key::new(
            "port",
            PORT,
            "Its port; when absent, that of the named real server, or the virtual service's.",
        ),
        Key::new(
            "weight",
            WEIGHT,
            "Its share of new connections; 0: none. When absent, that of the named real server.",
        )
        .default("1"),
    ],
    absent: SERVER_ABSENT,
};

/// `[virtual_service.NAME]`
pub const VIRTUAL_SERVICE: Section = Section {
    title: "[virtual_service.NAME]",
    doc: "What clients connect to, and who answers.",
    keys: &[
        Key::new("listen", Kind::Form("\"ADDRESS:PORT\", with /udp or /sctp for other than TCP, or an array of them"), "Where clients connect to.")
            .required()
            .also(&["address", "vip", "virtual", "bind"]),
        Key::new("forward", Kind::Choice(&["dr", "nat", "tunnel"]), "How packets reach the real servers: direct routing, address translation, IP in IP.")
            .default("dr")
            .inherits()
            .also(&["lb_kind", "lvs_method", "forwarding", "method"]),
        Key::new("scheduler", Kind::Choice(Scheduler::NAMES), "How a real server is chosen, see ipvsadm(8).")
            .default("wlc")
            .inherits()
            .also(&["lb_algo", "lvs_sched", "lvs_scheduler", "algorithm", "balance"]),
        Key::new("persistence", milliseconds(1000, 31 * DAY), "How long a client stays with its real server; when absent, it does not.")
            .inherits()
            .also(&["persistence_timeout", "persistent", "persistence_time"]),
        Key::new("on_failure", Kind::Choice(&["quiesce", "remove"]), "What becomes of a failed real server: no new connections (weight 0), or deleted.")
            .default("quiesce")
            .inherits()
            .also(&["inhibit_on_failure", "quiescent"]),
        Key::new("real_servers", Kind::Form("an array of \"ADDRESS\", \"ADDRESS:PORT\", a NAME of [real_server.NAME], or tables"), "Who answers.")
            .required()
            .also(&["real_server", "real", "servers", "backends", "server"]),
        Key::new("check", Kind::Form("a table with `type`, an array of such tables, \"tcp\" or \"none\""), "How real servers are checked; with several, all must pass.")
            .required()
            .inherits()
            .also(&["checks", "health_check", "TCP_CHECK", "HTTP_GET", "checktype"]),
    ],
    absent: &[
        ("protocol", "it is part of `listen`: \"192.168.0.101:53/udp\""),
        ("port", "it is part of `listen`: \"192.168.0.101:80\""),
        ("weight", "weights belong to real servers: { address = \"192.168.0.3\", weight = 2 }"),
        ("delay_loop", "write `interval` in `check`"),
        ("interval", "write it in `check`"),
        ("timeout", "write it in `check`"),
        ("quorum", LATER),
        ("quorum_up", LATER),
        ("quorum_down", LATER),
        ("hysteresis", LATER),
        ("sorry_server", LATER),
        ("fallback", LATER),
        ("slow_start", LATER),
        ("fwmark", LATER),
        ("ops", LATER),
        ("one_packet", LATER),
        ("persistence_granularity", LATER),
        ("scheduler_flags", LATER),
        ("notify", LATER),
    ],
};

/// `check`
pub const CHECK: Section = Section {
    title: "check",
    doc: "A health check of every real server of a virtual service.",
    keys: &[
        Key::new("type", Kind::Choice(check::Kind::NAMES), "What is asked; needed, here or in `[defaults.check]`.").inherits().also(&["kind"]),
        Key::new("port", PORT, "Port asked at; when absent, the real server's.").inherits().also(&["connect_port", "checkport"]),
        Key::new("interval", milliseconds(10, DAY), "From the start of one probe to the start of the next.")
            .default("2s")
            .inherits()
            .also(&["delay_loop", "checkinterval", "inter", "every"]),
        Key::new("fast_interval", milliseconds(10, DAY), "The same while the last result and the belief differ: after a first failure or success, and before any verdict; never longer than `interval`.")
            .default("500ms")
            .inherits()
            .also(&["fastinter", "delay_before_retry"]),
        Key::new("timeout", milliseconds(1, DAY), "Limit for the whole probe: connect, send, receive.")
            .default("1s")
            .inherits()
            .also(&["connect_timeout", "checktimeout", "negotiatetimeout"]),
        Key::new("jitter", milliseconds(0, DAY), "Random part of the interval, at most; when absent, a tenth of it.").inherits().also(&["warmup"]),
        Key::new("rise", COUNT, "Successes in a row that bring a real server back.").default("2").inherits(),
        Key::new("fall", COUNT, "Failures in a row that take it out.").default("3").inherits().also(&["retry", "nb_get_retry", "failurecount", "checkcount"]),
        Key::new("path", Kind::Text, "What is asked for; begins with `/`.").default("/").inherits().only("http").also(&["url", "uri", "request"]),
        Key::new("method", Kind::Text, "Request method.").default("GET").inherits().only("http").also(&["httpmethod"]),
        Key::new("host", Kind::Text, "`Host` header; when absent, the real server's address.").inherits().only("http").also(&["virtualhost", "virtual_host"]),
        Key::new("headers", Kind::Form("a table of strings"), "Further request headers.").inherits().only("http").also(&["header"]),
        Key::new("status", Kind::Form("a status code, a range \"200-299\", or an array of them"), "Codes that count as success.")
            .default("200-299")
            .inherits()
            .only("http")
            .also(&["expect_status", "status_code", "codes"]),
        Key::new("body", Kind::Text, "Text the answer must hold.").inherits().only("http").also(&["expect_body", "receive", "expect"]),
        Key::new("body_regex", Kind::Text, "Regular expression the answer must match.").inherits().only("http").also(&["regex"]),
        Key::new("max_body", Kind::Form("bytes, such as \"64KiB\""), "How much of the answer is read, 1 byte to 16 MiB.")
            .default("1MiB")
            .inherits()
            .only("http"),
    ],
    absent: &[
        ("tls", LATER),
        ("command", LATER),
        ("query", LATER),
        ("digest", LATER),
        ("ssl", LATER),
        ("send", LATER),
    ],
};
