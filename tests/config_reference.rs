//! `docs/configuration.md` lists every key there is: its second part is written from the table of keys.
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use diarch::config::keys::{Key, Kind, SECTIONS, Section};
use diarch::config::{CODES, Level, parse};

/// Where the written part ends and the generated one begins.
const MARK: &str =
    "<!-- From here on written by `DIARCH_BLESS=1 cargo test --test config_reference`. -->\n";

fn duration(value: Duration) -> String {
    let milliseconds = value.as_millis();
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    // The longest unit the files know.
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let whole =
        units.iter().find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    match whole {
        Some((unit, word)) => format!("{}{word}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

/// Pipes would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn codes<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Boolean => "`true`, `false`".to_owned(),
        Kind::Integer { min, max } if min == max => format!("{min}"),
        Kind::Integer { min, max } => format!("integer, {min} to {max}"),
        Kind::Duration { min, max } => {
            format!("duration, {} to {}", duration(min), duration(max))
        }
        Kind::Choice(choices) => codes(choices.iter().copied()),
        Kind::Form(words) => words.to_owned(),
    }
}

fn default(key: &Key) -> String {
    match (key.default, key.required) {
        (Some(default), _) => format!("`{default}`"),
        (None, true) => "required".to_owned(),
        (None, false) => "–".to_owned(),
    }
}

fn meaning(key: &Key) -> String {
    let only = key.only.map(|kind| format!(" Only with `type = \"{kind}\"`."));
    format!("{}{}", key.doc, only.unwrap_or_default())
}

fn section(section: &Section, text: &mut String) {
    writeln!(text, "\n### {}\n\n{}\n", section.title.replace('[', "\\["), section.doc).unwrap();
    text.push_str("| key | value | default | meaning | called elsewhere |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for key in section.keys {
        let also = codes(key.also.iter().copied());
        let columns = [value(key.kind), default(key), meaning(key), also];
        let columns: Vec<_> = columns.iter().map(|column| cell(column)).collect();
        writeln!(text, "| `{}` | {} |", key.name, columns.join(" | ")).unwrap();
    }
    let inherits: Vec<_> = section.keys.iter().filter(|key| key.inherits).collect();
    if !inherits.is_empty() {
        let names = codes(inherits.iter().map(|key| key.name));
        writeln!(text, "\n`[defaults]` may set: {names}.").unwrap();
    }
    if !section.absent.is_empty() {
        text.push_str("\nWords that are no keys here, and what is said of them:\n\n");
        let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
        for (word, answer) in section.absent {
            match said.iter_mut().find(|(known, _)| known == answer) {
                Some((_, words)) => words.push(word),
                None => said.push((answer, vec![word])),
            }
        }
        for (answer, words) in said {
            writeln!(text, "- {}: {answer}", codes(words)).unwrap();
        }
    }
}

fn reference() -> String {
    let mut text = String::from("\n## Every section and key\n");
    for known in SECTIONS {
        section(known, &mut text);
    }
    text.push_str("\n## Every code of a mistake\n\n`E` refuses the files, `W` is a warning.\n\n");
    text.push_str("| code | means |\n| --- | --- |\n");
    for (code, means) in CODES {
        writeln!(text, "| {code} | {} |", cell(means)).unwrap();
    }
    text
}

fn document() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn the_reference_in_the_documentation_is_that_of_the_program() {
    let (path, text) = document();
    let (written, generated) = text.split_once(MARK).unwrap();
    let expected = reference();
    if std::env::var_os("DIARCH_BLESS").is_some() {
        std::fs::write(&path, format!("{written}{MARK}{expected}")).unwrap();
    } else {
        assert_eq!(generated, expected, "run: DIARCH_BLESS=1 cargo test --test config_reference");
    }
}

/// Every fenced block of a document that is marked as TOML.
fn toml_blocks(text: &str) -> Vec<&str> {
    let blocks = text.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_example_in_the_documentation_is_accepted_as_it_stands() {
    let base = "[vrrp.base]\nvrid = 1\nvips = [\"192.168.250.1\"]\n";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for name in ["README.md", "docs/configuration.md", "docs/operating.md"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for block in toml_blocks(&text) {
            let files =
                vec![("diarch.toml".into(), base.to_owned()), (name.into(), block.to_owned())];
            let problems = match parse(files, "lb1") {
                Ok(loaded) => loaded.warnings,
                Err(problems) => problems,
            };
            // A fragment may well define what it does not use.
            let serious = problems.iter().any(|found| found.level == Level::Error);
            assert!(!serious, "{name}:\n{block}\n{}", problems.render(false));
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
fn no_text_names_a_verb_that_does_not_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // `diarch is not running` is a message.
    let verbs = ["run", "check", "status", "events", "reload", "help", "is"];
    let pattern = regex::Regex::new("(?:`|^ *(?:sudo )?(?:\\S*/)?|&& )diarch ([a-z]+)").unwrap();
    let mut files = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for directory in ["docs", "conf.d", "packaging", "packaging/systemd", "src/config", "src/cli"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    let mut seen = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for found in text.lines().flat_map(|line| pattern.captures_iter(line)) {
            seen += 1;
            assert!(verbs.contains(&&found[1]), "{}: {}", path.display(), &found[0]);
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// What `pattern` finds in the files, each once.
fn found_in(pattern: &str, files: &[&str]) -> std::collections::BTreeSet<String> {
    let pattern = regex::Regex::new(pattern).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &&str| std::fs::read_to_string(root.join(name)).unwrap();
    let texts: Vec<String> = files.iter().map(text).collect();
    let words = texts.iter().flat_map(|text| pattern.captures_iter(text));
    words.map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_event_cause_and_endpoint_is_in_the_operators_manual() {
    let manual = include_str!("../docs/operating.md");
    let kinds = found_in(
        "\"((?:vrrp|vip|service|real_server|kernel|config|state|daemon)\\.[a-z_]+)\"",
        &["src/status/event.rs", "src/daemon/narrate/mod.rs", "src/daemon/narrate/election.rs"],
    );
    let causes = found_in("Cause::[A-Za-z]+ => \"([a-z_]+)\"", &["src/daemon/snapshot/routers.rs"]);
    let failures = found_in("=> \"([a-z_]+)\",", &["src/check/failure.rs"]);
    let paths = found_in("\"(/[a-z0-9/]+)\" => Some", &["src/daemon/api/routes.rs"]);
    assert!(kinds.len() >= 25 && causes.len() >= 12 && failures.len() >= 10 && paths.len() >= 5);
    let words: Vec<String> = kinds.into_iter().chain(causes).chain(failures).collect();
    let missing: Vec<_> =
        words.iter().filter(|word| !manual.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !manual.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
