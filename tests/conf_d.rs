//! Every example that ships with Diarch is one an operator can use.

#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::path::{Path, PathBuf};

use diarch::config::{Loaded, load, parse};

/// What `/etc/diarch/diarch.toml` may hold before an example is added to it.
const BASE: &str = "[vrrp.base]\nvrid = 1\nvips = [\"192.168.250.1\"]\n";

fn examples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf.d");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "{paths:?}");
    paths
}

fn accepted(files: Vec<(PathBuf, String)>) -> Loaded {
    let loaded =
        parse(files, "lb1").unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings.render(false));
    loaded
}

#[test]
fn every_example_is_a_fragment_beside_a_small_file() {
    for path in examples() {
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some("toml"), "{path:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{path:?} does not begin by saying what it is for");
        let loaded = accepted(vec![("diarch.toml".into(), BASE.to_owned()), (path, text)]);
        assert!(loaded.config.routers.iter().any(|router| router.name == "base"));
    }
}

#[test]
fn all_examples_go_together() {
    let mut files = vec![("diarch.toml".into(), BASE.to_owned())];
    files.extend(examples().into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    }));
    let config = accepted(files).config;
    assert_eq!(config.routers.len(), 10);
    assert_eq!(config.nodes, ["lb1", "lb2"]);
}

#[test]
fn examples_are_read_from_the_disk_as_an_installation_has_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Main file and fragments in one directory: conf.d is looked for beside the file, and is absent here.
    let config = load(&root.join("conf.d/diarch.toml"), Some("lb1")).unwrap().config;
    assert_eq!(config.files.len(), 1);
    let names: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["telnet", "www"]);
}

#[test]
fn fragments_beside_the_file_are_read_in_byte_order_and_nothing_else_is() {
    let directory = std::env::temp_dir().join(format!("diarch-conf-d-{}", std::process::id()));
    fs::create_dir_all(directory.join("conf.d")).unwrap();
    let main = directory.join("diarch.toml");
    fs::write(&main, BASE).unwrap();
    let alone = load(&main, Some("lb1")).unwrap().config;
    let vrrp = |name: &str, vrid| {
        format!("[vrrp.{name}]\nvrid = {vrid}\nvips = [\"192.168.250.{vrid}\"]\n")
    };
    for (file, text) in [
        ("b.toml", vrrp("b", 2)),
        ("a.toml", vrrp("a", 3)),
        ("B.toml", vrrp("c", 4)),
        (".hidden.toml", "nonsense".to_owned()),
        ("a.toml~", "nonsense".to_owned()),
        ("a.toml.dpkg-old", "nonsense".to_owned()),
    ] {
        fs::write(directory.join("conf.d").join(file), text).unwrap();
    }
    let loaded = load(&main, Some("lb1")).unwrap();
    let config = loaded.config;
    let files: Vec<_> = config.files.iter().map(|file| file.file_name().unwrap()).collect();
    assert_eq!(files, ["diarch.toml", "B.toml", "a.toml", "b.toml"]);
    let routers: Vec<&str> = config.routers.iter().map(|router| router.name.as_str()).collect();
    assert_eq!(routers, ["a", "b", "base", "c"]);
    assert_ne!(config.digest, alone.digest);
    assert_eq!(config.digest.len(), 12);
    world_writable(&main);
    fs::remove_dir_all(&directory).unwrap();
}

fn world_writable(main: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert!(load(main, Some("lb1")).unwrap().warnings.is_empty());
    fs::set_permissions(main, fs::Permissions::from_mode(0o666)).unwrap();
    let warnings = load(main, Some("lb1")).unwrap().warnings;
    let codes: Vec<_> = warnings.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W0001"]);
    assert!(warnings.render(false).contains("everybody may write this file"));
}
