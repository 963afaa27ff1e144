//! What `diarch check` says about mistakes: each with its code, its place and the words that help.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use diarch::config::{Problems, load, parse};

mod config {
    pub(crate) mod rows;
}

fn problems(text: &str) -> Problems {
    problems_of(vec![("diarch.toml".into(), text.to_owned())])
}

fn problems_of(files: Vec<(PathBuf, String)>) -> Problems {
    match parse(files, "lb1") {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    }
}

#[test]
fn all_mistakes_are_found_in_one_pass_and_shown_with_their_lines() {
    let text = include_str!("config/bad.toml");
    let shown = problems_of(vec![("bad.toml".into(), text.to_owned())]).render(false);
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad.txt");
    if std::env::var_os("DIARCH_BLESS").is_some() {
        std::fs::write(&expected, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(expected).unwrap());
}

/// A good file; every row of the table spoils it in one way.
const GOOD: &str = "\
[vrrp.main]
vrid = 51
vips = [\"192.168.0.101\"]
[virtual_service.www]
listen = \"192.168.0.101:80\"
real_servers = [\"192.168.0.3\", \"192.168.0.4\"]
check = \"tcp\"
";

#[test]
fn every_mistake_has_its_code_its_place_and_its_words() {
    assert!(problems(GOOD).is_empty());
    let mut wrong = String::new();
    for (line, replacement, code, at, phrase) in config::rows::ROWS {
        let mut lines: Vec<&str> = GOOD.lines().collect();
        if *line > lines.len() {
            lines.push(replacement);
        } else {
            lines.splice(line - 1..*line, [*replacement]);
        }
        let found = problems(&lines.join("\n"));
        let shown = found.render(false);
        let places: Vec<_> = found.iter().map(|p| (p.code, (p.line, p.column))).collect();
        if places != [(*code, *at)] || !shown.contains(phrase) {
            writeln!(
                wrong,
                "{replacement}\n  wanted {code} {at:?} {phrase}\n  {places:?}\n{shown}"
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_keepalived_conf_is_known_by_its_looks_and_told_once() {
    let text = "! comment\nglobal_defs {\n}\nvrrp_instance VI_1 {\n    state MASTER\n}\n";
    let found = problems(text);
    let places: Vec<_> = found.iter().map(|p| (p.code, p.line, p.column)).collect();
    assert_eq!(places, [("E0007", 2, 1)]);
    let shown = found.render(false);
    assert!(shown.contains("the syntax of keepalived.conf"), "{shown}");
    assert!(problems(&format!("{GOOD}# vrrp_instance VI_1 {{\n")).is_empty());
}

#[test]
fn an_empty_file_is_told_what_a_start_looks_like() {
    let shown = problems("").render(false);
    assert!(shown.contains("nothing to do") && shown.contains("conf.d/diarch.toml"), "{shown}");
    assert!(!shown.contains("config init"), "{shown}");
}

#[test]
fn the_same_name_in_two_files_is_an_error_that_shows_both() {
    let more = "[virtual_service.www]\nlisten = \"192.168.0.101:81\"\n".to_owned();
    let files = vec![("diarch.toml".into(), GOOD.to_owned()), ("conf.d/a.toml".into(), more)];
    let found = problems_of(files);
    let problem = found.iter().next().unwrap();
    assert_eq!((found.len(), problem.code), (1, "E0002"));
    assert_eq!((problem.file.as_path(), problem.line), (Path::new("conf.d/a.toml"), 1));
    assert_eq!(problem.related[0].place.file, Path::new("diarch.toml"));
    assert_eq!((problem.related[0].place.line, problem.related[0].place.column), (4, 18));
    let shown = found.render(false);
    assert!(shown.contains("defined again here") && shown.contains("first defined here"));
    assert!(shown.ends_with("diarch.toml: 1 error\n"), "{shown}");
}

#[test]
fn a_key_or_table_set_twice_in_one_file_shows_both() {
    for (text, second, first) in [
        (GOOD.replace("vrid = 51\n", "vrid = 51\nvrid = 52\n"), (3, 1), (2, 1)),
        (format!("{GOOD}[vrrp.main]\npriority = 10\n"), (8, 7), (1, 1)),
        (GOOD.replace("\"tcp\"", "{ port = 1, type = \"tcp\", port = 2 }"), (7, 35), (7, 11)),
    ] {
        let found = problems(&text);
        let problem = found.iter().next().unwrap();
        assert_eq!((found.len(), problem.code), (1, "E0002"), "{}", found.render(false));
        assert_eq!((problem.line, problem.column), second);
        let related = &problem.related[0].place;
        assert_eq!((related.line, related.column), first);
    }
}

#[test]
fn a_syntax_error_does_not_hide_other_mistakes_nor_cause_false_ones() {
    let text = GOOD.replace("vrid = 51", "vrid = = 51").replace(":80\"", ":80/upd\"");
    let found = problems(&text);
    let codes: Vec<_> = found.iter().map(|p| (p.code, p.line)).collect();
    assert!(codes.contains(&("E0001", 2)), "{codes:?}");
    assert!(codes.contains(&("E0108", 5)), "{codes:?}");
    assert!(codes.iter().all(|code| code.0 == "E0001" || *code == ("E0108", 5)), "{codes:?}");
}

#[test]
fn a_mistake_in_the_defaults_is_reported_once() {
    let text = format!(
        "{GOOD}[virtual_service.ssh]\nlisten = \"192.168.0.101:22\"\nreal_servers = \"192.168.0.3\"\n\
         check = \"tcp\"\n[defaults.check]\ninterval = 5\n[defaults.vrrp]\nvrid = 3\n"
    );
    let found = problems(&text);
    let codes: Vec<_> = found.iter().map(|p| (p.code, p.line)).collect();
    assert_eq!(codes, [("E0103", 13), ("E0102", 15)], "{}", found.render(false));
}

#[test]
fn files_that_are_no_text_are_named_with_the_byte() {
    let directory = std::env::temp_dir().join(format!("diarch-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("diarch.toml");
    for (bytes, code, place) in [
        (b"[vrrp.main]\nvrid = \xff\n".as_slice(), "E0004", (2, 8)),
        (b"\xef\xbb\xbf[vrrp.main]\n", "E0005", (1, 1)),
        (b"[vrrp.main]\n\0", "E0006", (2, 1)),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let found = load(&path, Some("lb1")).unwrap_err();
        let places: Vec<_> = found.iter().map(|p| (p.code, (p.line, p.column))).collect();
        assert_eq!(places, [(code, place)], "{}", found.render(false));
    }
    std::fs::remove_dir_all(&directory).unwrap();
    let found = load(&path, Some("lb1")).unwrap_err();
    let codes: Vec<_> = found.iter().map(|p| (p.code, p.line)).collect();
    assert_eq!(codes, [("E0003", 0)]);
    assert!(found.render(false).contains("No such file or directory"));
}

#[test]
fn nothing_in_a_file_drives_the_terminal() {
    let found = problems(&format!("{GOOD}\"\\u001b[2Jx\" = 1\n"));
    assert_eq!(found.iter().next().unwrap().code, "E0102");
    assert!(!found.render(false).contains('\u{1b}'));
    let raw = GOOD.replace("vrid = 51", "vrid = 51 # \u{1b}[2J");
    assert!(!problems(&raw).is_empty());
    assert!(!problems(&raw).render(false).contains('\u{1b}'));
    let in_help = problems(&GOOD.replace(":80\"", ":80\\u001b[2J/TCP\""));
    assert_eq!(in_help.iter().next().unwrap().help.len(), 1);
    assert!(!in_help.render(false).contains('\u{1b}'));
    assert!(found.render(true).contains('\u{1b}'), "colour is on request");
}

#[test]
fn thousands_of_mistakes_are_counted_and_the_first_shown() {
    let lines = (0..3000).fold(String::new(), |text, line| format!("{text}bad{line} = 1\n"));
    let found = problems(&format!("{lines}{GOOD}"));
    assert_eq!(found.errors(), 3000);
    let shown = found.render(false);
    assert!(shown.contains("... and 2900 more"));
    assert!(shown.ends_with("diarch.toml: 3000 errors\n"));
}
