//! keepalived as a director: its configuration, in the usual form.

use crate::setup::{MANY_FROM, Services, Setup, check};
use crate::topology::{Forward, INSIDE_VIP, Node, VIP};

/// `keepalived.conf` for one of the two nodes.
pub(crate) fn configuration(setup: &Setup, node: Node) -> String {
    let preempt = if setup.preempt { "" } else { "nopreempt" };
    let inside = match setup.forward {
        Forward::Dr => String::new(),
        Forward::Nat => format!("{INSIDE_VIP}/24 dev eth1"),
    };
    let mut text = format!(
        "global_defs {{\n    router_id {name}\n    vrrp_version 3\n}}\n\n\
         vrrp_instance main {{\n    state BACKUP\n    interface eth0\n    virtual_router_id 51\n    \
         priority {priority}\n    advert_int {advert}\n    {preempt}\n    \
         virtual_ipaddress {{\n        {VIP}/24 dev eth0\n        {inside}\n    }}\n}}\n",
        name = node.name(),
        priority = setup.priorities[node.index()],
        advert = setup.advert.as_secs_f64(),
    );
    match setup.services {
        Services::HowTo => {
            let http =
                format!("HTTP_GET {{\nurl {{\npath /\nstatus_code 200\n}}\n{}}}", check_times());
            let tcp = format!("TCP_CHECK {{\n{}}}", check_times());
            for (port, checker) in [(80, http), (23, tcp)] {
                let servers = setup.real_servers().map(|(address, weight)| {
                    format!("real_server {address} {port} {{\nweight {weight}\n{checker}\n}}\n")
                });
                service(&mut text, setup, port, &servers.concat());
            }
        }
        Services::Many { services, destinations } => {
            for number in 0..services {
                let port = MANY_FROM + u16::from(number);
                let servers: Vec<String> = (1..=destinations)
                    .map(|host| {
                        format!("real_server 10.1.{number}.{host} {port} {{\nweight 1\n}}\n")
                    })
                    .collect();
                service(&mut text, setup, port, &servers.concat());
            }
        }
    }
    text
}

fn service(text: &mut String, setup: &Setup, port: u16, servers: &str) {
    let method = match setup.forward {
        Forward::Dr => "DR",
        Forward::Nat => "NAT",
    };
    *text += &format!(
        "\nvirtual_server {VIP} {port} {{\n    delay_loop {}\n    lb_algo {}\n    lb_kind {method}\n    \
         protocol TCP\n{servers}}}\n",
        check::INTERVAL.as_secs(),
        setup.scheduler,
    );
}

/// keepalived wants one word with its value on each line.
fn check_times() -> String {
    format!(
        "connect_timeout {}\nretry {}\ndelay_before_retry {}\n",
        check::TIMEOUT.as_secs(),
        check::FALL - 1,
        check::FAST_INTERVAL.as_secs_f64()
    )
}
