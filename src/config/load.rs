//! Finds and reads the files. The only part of this module that touches the disk.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Loaded;
use super::problem::Problems;
use super::read::{File, parse_files};
use super::report::{At, Draft};

/// Nobody writes a larger one; reading `/dev/zero` has to end.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads `path` and `conf.d/*.toml` beside it, as `node`, or as the short host name.
///
/// # Errors
/// Everything that is wrong, with its place, when there is at least one error. Nothing is changed anywhere.
pub fn load(path: &Path, node: Option<&str>) -> Result<Loaded, Problems> {
    let mut paths = vec![path.to_owned()];
    let directory = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let mut beside = None;
    match list(&directory) {
        Ok(found) => paths.extend(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => beside = Some((directory, error)),
    }
    let mut files: Vec<File> =
        paths.into_iter().enumerate().map(|(index, path)| read(index, path)).collect();
    if let Some((directory, error)) = beside {
        let draft = Draft::new("E0003", At::file(files.len()), "cannot list the directory");
        let found = vec![draft.note(error.to_string())];
        files.push(File { path: directory, text: None, found });
    }
    match node {
        Some(node) => parse_files(files, node),
        None => parse_files(files, &short_host_name()),
    }
}

/// The host name up to the first dot, as keepalived and uname(2) users expect it.
fn short_host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// `*.toml` in byte order. Names that begin with a dot are editors' business.
fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if path.extension() == Some(OsStr::new("toml")) && !hidden {
            paths.push(path);
        }
    }
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(paths)
}

fn read(index: usize, path: PathBuf) -> File {
    let mut found = Vec::new();
    let text = match read_bytes(&path) {
        Ok((bytes, mode)) => {
            if mode & 0o002 != 0 {
                found.push(
                    Draft::new("W0001", At::file(index), "everybody may write this file")
                        .note("who can write it decides where the traffic goes")
                        .help(format!("chmod o-w {}", path.display())),
                );
            }
            Some(decode(index, bytes, &mut found))
        }
        Err(error) => {
            let title = format!("cannot read {}", path.display());
            let draft = Draft::new("E0003", At::file(index), title).note(error.to_string());
            found.push(if index == 0 && error.kind() == io::ErrorKind::NotFound {
                draft
                    .help("-c FILE names another file; conf.d/diarch.toml of the source is a start")
            } else if index == 0 && error.kind() == io::ErrorKind::IsADirectory {
                draft.help(format!("name the file in it: {}", path.join("diarch.toml").display()))
            } else {
                draft
            });
            None
        }
    };
    File { path, text, found }
}

/// Content and permissions.
fn read_bytes(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(LARGEST.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
    }
    // Of a pipe, the permissions say nothing.
    let mode = if metadata.is_file() { metadata.permissions().mode() } else { 0 };
    Ok((bytes, mode))
}

fn decode(index: usize, bytes: Vec<u8>, found: &mut Vec<Draft>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(start).copied().unwrap_or(0);
            // The replacement character, which stands there in the lossy text, has three bytes.
            let at = At { file: index, start, end: start.saturating_add(3) };
            let title = format!("not UTF-8: byte 0x{byte:02x} at offset {start}");
            let draft = Draft::new("E0004", at, title).label("the first byte that is not");
            found.push(draft.help("save the file as UTF-8"));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
    }
}
