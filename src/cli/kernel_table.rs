//! What the kernel balances by itself while no daemon answers: `/proc/net/ip_vs`, readable by all.

use super::words::count;

const PATH: &str = "/proc/net/ip_vs";

/// One line about the kernel's table; `None` where it cannot be read.
pub(super) fn read() -> Option<String> {
    std::fs::read_to_string(PATH).ok().map(|table| summary(&table))
}

fn summary(table: &str) -> String {
    let is_service = |line: &&str| {
        ["TCP ", "UDP ", "SCTP ", "FWM "].iter().any(|protocol| line.starts_with(protocol))
    };
    let services = table.lines().filter(is_service).count();
    // The heading has one such line too: `  -> RemoteAddress:Port`.
    let servers = table
        .lines()
        .filter(|line| line.starts_with("  -> ") && !line.contains("RemoteAddress"))
        .count();
    match services {
        0 => format!("no virtual service is balanced ({PATH})"),
        _ => format!(
            "{} with {} still balanced ({PATH})",
            count(services, "virtual service"),
            count(servers, "real server"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
";

    #[test]
    fn services_and_real_servers_are_counted() {
        let table = format!(
            "{HEAD}TCP  C0A80065:0017 wlc  \n  -> C0A80003:0017      Route   1      0          0\n\
             FWM  00000001 rr  \n  -> C0A80003:0050      Route   1      0          0\n  \
             -> C0A80004:0050      Route   1      0          0\n"
        );
        let expected = "2 virtual services with 3 real servers still balanced (/proc/net/ip_vs)";
        assert_eq!(summary(&table), expected);
        assert_eq!(summary(HEAD), "no virtual service is balanced (/proc/net/ip_vs)");
    }
}
