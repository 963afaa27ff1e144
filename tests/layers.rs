//! Holds the module graph to the layers drawn in the crate documentation, and files to their size.

#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Who may name whom with `crate::…`. A top-level module absent here may import nothing.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["client", "config", "daemon", "status"]),
    ("client", &["status"]),
    (
        "daemon",
        &[
            "address", "check", "config", "desired", "health", "ipvs", "kernel", "net", "status",
            "sys", "vrrp", "wire",
        ],
    ),
    ("desired", &["config", "ipvs"]),
    ("config", &["check", "health", "ipvs", "net", "vrrp"]),
    ("kernel", &["address", "ipvs", "net", "sys"]),
    ("wire", &["address", "net", "sys", "vrrp"]),
    ("check", &["net"]),
    ("address", &["net"]),
    ("ipvs", &["net"]),
    ("vrrp", &["net"]),
];

/// Modules, or files of them, that decide and do nothing else: no clock, no I/O, no async, no logging.
const PURE: &[&str] = &["address", "config", "desired", "health", "ipvs", "net", "status", "vrrp"];

/// Files of pure modules that are not pure, with what they are there for.
const IMPURE: &[&str] = &["config/load"];

/// What gives away a file that is not pure.
const EFFECTS: &[&str] = &[
    "tokio::",
    "tracing::",
    "std::fs",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "async fn",
    "nix::",
    "socket2::",
    "Mutex",
];

/// Longest file allowed, in lines.
const LONGEST: usize = 400;

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Every source file: its path within `src` without the extension, its text.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = |path: &Path| {
        let name = path.strip_prefix(&src).unwrap().with_extension("");
        name.to_str().unwrap().replace('\\', "/")
    };
    let read = |path: PathBuf| (name(&path), fs::read_to_string(path).unwrap());
    files(&src).into_iter().map(read).collect()
}

fn top(name: &str) -> &str {
    name.split('/').next().unwrap()
}

/// The file without its unit tests, which may do as they like.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests") || name.contains("/tests/")
}

#[test]
fn modules_import_downwards_only() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let me = top(&name);
        let allowed = MAY_IMPORT.iter().find(|(m, _)| *m == me).map_or(&[][..], |(_, may)| *may);
        for (number, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap();
            let imports = line.split("crate::").skip(1).chain(line.split("diarch::").skip(1));
            for rest in imports {
                let end =
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let to = &rest[..end];
                if !to.is_empty() && to != me && !allowed.contains(&to) {
                    wrong.push(format!("{name}:{}: {me} may not import {to}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pure_modules_have_no_effects() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        if !PURE.contains(&top(&name)) || IMPURE.contains(&name.as_str()) || is_test(&name) {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            let line = line.split("//").next().unwrap();
            if let Some(effect) = EFFECTS.iter().find(|effect| line.contains(**effect)) {
                wrong.push(format!("{name}:{}: `{effect}` in a pure module", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_status_is_serialised() {
    let derives = |(name, text): &(String, String)| {
        let derives = |line: &str| line.contains("#[derive(") && line.contains("Serialize");
        top(name) != "status" && !is_test(name) && code(text).lines().any(derives)
    };
    let wrong: Vec<_> = sources().into_iter().filter(derives).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "serialised outside of status: {wrong:?}");
}

#[test]
fn unsafe_stays_in_sys() {
    let has = |(name, text): &(String, String)| name != "sys" && text.contains("unsafe {");
    let wrong: Vec<_> = sources().into_iter().filter(has).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "unsafe outside of sys: {wrong:?}");
}

#[test]
fn files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = ["src", "tests", "benches"].map(|dir| root.join(dir));
    let all = paths.iter().filter(|dir| dir.is_dir()).flat_map(|dir| files(dir));
    let lines = all.map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path));
    let long: Vec<_> = lines.filter(|(count, _)| *count > LONGEST).collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:?}");
}
