//! From the text of all files to a [`Config`], or to everything that is wrong with them.

use std::path::PathBuf;

use super::checks;
use super::cross;
use super::keys;
use super::problem::{Problems, Source};
use super::report::{At, Draft, Report};
use super::router::{self, Surroundings};
use super::service::{self, ServiceDefaults};
use super::tree::{self, Table, Value};
use super::view::{View, unknown_key, wrong_type};
use super::{Config, Loaded};

/// A file as it came from the disk.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Its text; `None` where it could not be read, which `found` tells about.
    pub(super) text: Option<String>,
    pub(super) found: Vec<Draft>,
}

/// Reads configuration files whose text is at hand; the first is the main one.
///
/// # Errors
/// Everything that is wrong with them, warnings included, when there is at least one error.
pub fn parse(files: Vec<(PathBuf, String)>, node: &str) -> Result<Loaded, Problems> {
    let file = |(path, text)| File { path, text: Some(text), found: Vec::new() };
    parse_files(files.into_iter().map(file).collect(), node)
}

pub(super) fn parse_files(files: Vec<File>, node: &str) -> Result<Loaded, Problems> {
    let mut sources = Vec::with_capacity(files.len());
    let mut readable = Vec::with_capacity(files.len());
    let mut found = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        let text = file.text.unwrap_or_default();
        readable.push(!found_errors(&file.found));
        found.extend(file.found);
        if let Some(draft) = unreadable(index, &text) {
            found.push(draft);
            readable.pop();
            readable.push(false);
        }
        sources.push(Source { path: file.path, text });
    }
    let (digest, paths) = (digest(&sources), sources.iter().map(|s| s.path.clone()).collect());
    let mut out = Report::new(sources);
    for draft in found {
        out.push(draft);
    }
    let mut trees = Vec::with_capacity(readable.len());
    let mut broken = Vec::new();
    for (index, readable) in readable.iter().enumerate() {
        if *readable {
            let (tree, places) = tree::parse(index, &mut out);
            trees.push(tree);
            broken.extend(places);
        } else {
            broken.push(At { file: index, start: 0, end: 0 });
        }
    }
    let root = tree::merge(trees, &mut out);
    let mut config = Config {
        node: node.to_owned(),
        nodes: Vec::new(),
        routers: Vec::new(),
        services: Vec::new(),
        files: paths,
        digest,
    };
    fill(&mut config, &root, &mut out);
    out.drop_consequences(&broken);
    let failed = out.has_errors();
    let problems = out.finish();
    if failed { Err(problems) } else { Ok(Loaded { config, warnings: problems }) }
}

fn found_errors(drafts: &[Draft]) -> bool {
    drafts.iter().any(Draft::is_error)
}

/// Text that is no TOML for a reason that deserves its own words.
fn unreadable(file: usize, text: &str) -> Option<Draft> {
    if text.starts_with('\u{feff}') {
        let at = At { file, start: 0, end: 3 };
        let draft = Draft::new("E0005", at, "the file begins with a byte order mark");
        return Some(draft.help("save it as UTF-8 without a byte order mark (BOM)"));
    }
    if let Some((start, length)) = keepalived_block(text) {
        let at = At { file, start, end: start.saturating_add(length) };
        let draft = Draft::new("E0007", at, "this is the syntax of keepalived.conf, not TOML");
        return Some(draft.label("a block of keepalived").note(
            "\"From keepalived\" in docs/operating.md of the source says which words become which",
        ));
    }
    let start = text.find('\0')?;
    let at = At { file, start, end: start.saturating_add(1) };
    let draft = Draft::new("E0006", at, "the file holds a NUL byte");
    Some(draft.label("this is no text").note("is it a binary file, or damaged?"))
}

/// The first line that opens a block as keepalived does, `WORD ... {`: where, and how long.
fn keepalived_block(text: &str) -> Option<(usize, usize)> {
    const BLOCKS: [&str; 6] = [
        "global_defs",
        "vrrp_instance",
        "vrrp_sync_group",
        "vrrp_script",
        "virtual_server",
        "virtual_server_group",
    ];
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        let first = words.split([' ', '\t', '{']).next().unwrap_or_default();
        if words.ends_with('{') && BLOCKS.contains(&first) && !words.contains('=') {
            return Some((start, words.len()));
        }
        start = start.saturating_add(line.len());
    }
    None
}

/// Twelve hexadecimal digits of the files' names and text: FNV-1a, to tell versions apart. No protection
/// against anybody who wants two files to look the same.
fn digest(sources: &[Source]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        for byte in bytes.len().to_le_bytes().iter().chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for source in sources {
        // The name without its directory: the same files elsewhere are the same configuration.
        add(source.path.file_name().map_or(&[], |name| name.as_encoded_bytes()));
        add(source.text.as_bytes());
    }
    format!("{:012x}", hash & 0xffff_ffff_ffff)
}

/// Reads the whole tree into `config`. What could not be read is missing there, and in `out` as an error.
fn fill(config: &mut Config, root: &Table, out: &mut Report) {
    for entry in &root.entries {
        if keys::ROOT.key(&entry.key).is_none() {
            unknown_key(&keys::ROOT, entry, out);
        }
    }
    let defaults = read_defaults(root, out);
    let node = config.node.clone();
    let nodes = router::read_nodes(root, &node, out);
    let around = Surroundings { me: &node, nodes: &nodes, defaults: defaults.vrrp };
    let routers = router::read_routers(root, &around, out);
    let mut named = service::read_real_servers(root, out);
    let defaults = ServiceDefaults { service: defaults.service, check: defaults.check };
    let services = service::read_services(root, &mut named, defaults, out);
    cross::check(&nodes, &routers, &services, out);
    cross::check_unused(&named, out);
    config.nodes = nodes.iter().map(|node| node.name.to_owned()).collect();
    config.nodes.sort();
    config.routers = routers.into_iter().filter_map(|draft| draft.router).collect();
    config.routers.sort_by(|a, b| a.name.cmp(&b.name));
    config.services = services.into_iter().filter_map(|draft| draft.service).collect();
    config.services.sort_by(|a, b| a.name.cmp(&b.name));
}

#[derive(Debug, Default)]
struct Defaults<'a> {
    check: Option<&'a Table>,
    vrrp: Option<&'a Table>,
    service: Option<&'a Table>,
}

fn read_defaults<'a>(root: &'a Table, out: &mut Report) -> Defaults<'a> {
    let mut defaults = Defaults::default();
    let Some(entry) = root.get("defaults") else { return defaults };
    let Value::Table(tables) = &entry.node.value else {
        let expected = "tables such as [defaults.check]";
        wrong_type::<()>("defaults", expected, &entry.node, out);
        return defaults;
    };
    for entry in &tables.entries {
        let (section, slot) = match entry.key.as_str() {
            "check" => (&keys::CHECK, &mut defaults.check),
            "vrrp" => (&keys::VRRP, &mut defaults.vrrp),
            "virtual_service" => (&keys::VIRTUAL_SERVICE, &mut defaults.service),
            _ => {
                unknown_key(&keys::DEFAULTS, entry, out);
                continue;
            }
        };
        let Value::Table(table) = &entry.node.value else {
            wrong_type::<()>(&entry.key, "a table", &entry.node, out);
            continue;
        };
        *slot = Some(table);
        let view = View { section, at: entry.at, own: table, defaults: None };
        view.check_keys(out);
        for entry in &table.entries {
            if section.key(&entry.key).is_some_and(|key| !key.inherits) {
                let title = format!("`{}` cannot have a default", entry.key);
                let draft = Draft::new("E0102", entry.at, title);
                out.push(draft.label(format!("belongs into each {}", section.title)));
            }
        }
    }
    let table = |key| tables.get(key);
    if let (Some(entry), Some(check)) = (table("check"), defaults.check) {
        checks::try_defaults(entry, check, out);
    }
    if let (Some(entry), Some(vrrp)) = (table("vrrp"), defaults.vrrp) {
        router::try_defaults(entry, vrrp, out);
    }
    if let (Some(entry), Some(service)) = (table("virtual_service"), defaults.service) {
        service::try_defaults(entry, service, defaults.check, out);
    }
    defaults
}
