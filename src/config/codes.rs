//! The identifiers of problems. Stable: one that is no longer used is not given a new meaning.

/// Every code, and what it stands for: `E` refuses the configuration, `W` does not.
pub const CODES: &[(&str, &str)] = &[
    ("E0001", "the text is not TOML"),
    ("E0002", "a key or a name is there twice, in one file or in two"),
    ("E0003", "a file or directory cannot be read"),
    ("E0004", "a file is not UTF-8"),
    ("E0005", "a file begins with a byte order mark"),
    ("E0006", "a file holds a NUL byte"),
    ("E0007", "a file is in the syntax of keepalived.conf"),
    ("E0101", "a value is of the wrong type"),
    ("E0102", "a key does not exist here, or not in this version"),
    ("E0103", "a duration has no unit, or is none"),
    ("E0104", "a value is out of range"),
    ("E0105", "something needed is missing"),
    ("E0106", "there is no such IPVS scheduler"),
    ("E0107", "there is no such forwarding method"),
    ("E0108", "a value is none of the possible ones"),
    ("E0109", "an address, prefix or port is not usable"),
    ("E0112", "this version cannot do that yet"),
    ("E0115", "a name has characters it must not have, or is too long"),
    ("E0201", "an address is a VIP twice"),
    ("E0202", "two virtual routers on one interface have the same vrid"),
    ("E0203", "a name refers to nothing"),
    ("E0204", "this node is not among the [node.NAME] sections"),
    ("E0205", "unicast lacks the other nodes, or an address of theirs"),
    ("E0206", "two virtual services listen on the same address, port and protocol"),
    ("E0207", "a real server is there twice in a virtual service"),
    ("E0208", "the configuration has nothing to do"),
    ("E0209", "an address belongs to two nodes, or twice to one"),
    ("E0301", "direct routing and tunnelling cannot change the port"),
    ("E0302", "a VIP is used as a real server"),
    ("E0303", "a virtual service has no real servers"),
    ("E0304", "a VIP is also a node's own address"),
    ("E0401", "there is no such type of check, or not yet"),
    ("E0402", "a virtual service has no check and does not say so"),
    ("E0403", "a regular expression is none"),
    ("E0404", "the path of an HTTP check cannot be requested"),
    ("E0405", "a status code or range is none"),
    ("E0406", "a method, host or header of an HTTP check cannot be sent"),
    ("E0407", "the conditions on a body cannot hold, or contradict each other"),
    ("E0501", "an advertisement interval is no multiple of 10ms"),
    ("E0502", "the jitter is longer than the interval"),
    ("W0001", "everybody may write a file"),
    ("W0201", "no virtual router owns the address a virtual service listens on"),
    ("W0202", "`preempt_delay` without `preempt`"),
    ("W0203", "`preempt` though all nodes have the same priority"),
    ("W0204", "a named real server is used by no virtual service"),
    ("W0301", "all real servers of a virtual service have weight 0"),
    ("W0401", "a service without TCP is checked over TCP"),
    ("W0501", "an advertisement interval is very short"),
    ("W0502", "the time limit of a check is longer than its interval"),
    ("W0503", "the fast interval of a check is longer than its interval"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn used_in(directory: &Path, codes: &mut BTreeSet<String>) {
        let pattern = regex::Regex::new("Draft::new\\(\\s*\"([EW][0-9]{4})\"").unwrap();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used_in(&path, codes);
            } else if !path.ends_with("codes.rs") {
                let text = std::fs::read_to_string(path).unwrap();
                codes.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }

    #[test]
    fn every_code_in_use_is_listed_once_and_no_other() {
        let mut used = BTreeSet::new();
        used_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config"), &mut used);
        let mut listed: Vec<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        listed.sort();
        assert_eq!(listed, used.into_iter().collect::<Vec<_>>());
    }
}
