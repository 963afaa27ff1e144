//! Which virtual services in the kernel are ours, remembered across a crash.
//!
//! IPVS has no place for an owner's mark, so the runtime directory holds a list: one service a line, as
//! `192.168.0.101:80/tcp`. A service is written down before it is added to the kernel, and struck out
//! after it has been deleted. What is in neither the list nor the configuration is foreign.
//!
//! A second list holds the virtual addresses of the configuration in effect, one a line: what a start
//! needs to know that comes after a crash and finds the configuration broken.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::ipvs::{Protocol, ServiceKey};

/// File name within the runtime directory.
const FILE: &str = "owned-services";

/// File name of the list of virtual addresses.
const ADDRESSES: &str = "virtual-addresses";

/// The list, and the file behind it.
#[derive(Debug)]
pub(super) struct Owned {
    path: PathBuf,
    services: BTreeSet<ServiceKey>,
}

/// The list could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt} the list {path} of what is ours")]
pub(super) struct OwnedError {
    attempt: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Owned {
    /// Reads the list an earlier run left. Lines that make no sense are passed over: such a service
    /// counts as foreign, and foreign ones are left alone.
    ///
    /// # Errors
    /// When the file is there and cannot be read; the list starts empty then.
    pub(super) fn load(runtime_dir: &Path) -> (Self, Option<OwnedError>) {
        let path = runtime_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => (Self { path, services: text.lines().filter_map(parse).collect() }, None),
            Err(source) => {
                let missing = source.kind() == io::ErrorKind::NotFound;
                let error = OwnedError { attempt: "read", path: path.clone(), source };
                (Self { path, services: BTreeSet::new() }, (!missing).then_some(error))
            }
        }
    }

    /// What is ours.
    pub(super) fn services(&self) -> &BTreeSet<ServiceKey> {
        &self.services
    }

    /// Makes the list `services`, on disk first. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// When the file cannot be written; the list in memory is the new one all the same.
    pub(super) fn set(&mut self, services: BTreeSet<ServiceKey>) -> Result<(), OwnedError> {
        if services == self.services {
            return Ok(());
        }
        self.services = services;
        self.write().map_err(|source| OwnedError {
            attempt: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn write(&self) -> io::Result<()> {
        write(&self.path, self.services.iter())
    }

    /// Notes the virtual addresses that will be ours.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn note_addresses(&self, config: &Config) -> Result<(), OwnedError> {
        let path = self.path.with_file_name(ADDRESSES);
        let vips = config.routers.iter().flat_map(|router| &router.vips);
        write(&path, vips.map(|vip| vip.address)).map_err(|source| OwnedError {
            attempt: "write",
            path,
            source,
        })
    }
}

/// The virtual addresses that the last run noted; none where it noted none.
pub(super) fn noted_addresses(runtime_dir: &Path) -> BTreeSet<IpAddr> {
    let text = fs::read_to_string(runtime_dir.join(ADDRESSES)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Writes one item a line, aside, and renames: a crash leaves the old list or the new one.
fn write(path: &Path, items: impl Iterator<Item = impl Display>) -> io::Result<()> {
    let lines: Vec<_> = items.map(|item| format!("{item}\n")).collect();
    let aside = path.with_extension("new");
    fs::write(&aside, lines.concat())?;
    fs::rename(&aside, path)
}

/// Reads one line, as [`ServiceKey`] prints itself.
fn parse(line: &str) -> Option<ServiceKey> {
    let (address, protocol) = line.trim().rsplit_once('/')?;
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let protocol = protocols.into_iter().find(|known| known.name() == protocol)?;
    Some(ServiceKey::Address(protocol, address.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("diarch-owned-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn the_list_survives_a_restart() {
        let directory = directory("restart");
        let keys: BTreeSet<_> = ["192.0.2.1:80/tcp", "192.0.2.1:53/udp", "[2001:db8::1]:443/sctp"]
            .into_iter()
            .map(|line| parse(line).unwrap())
            .collect();
        let (mut owned, error) = Owned::load(&directory);
        assert!(error.is_none() && owned.services().is_empty());
        owned.set(keys.clone()).unwrap();
        let (again, error) = Owned::load(&directory);
        assert!(error.is_none());
        assert_eq!(again.services(), &keys);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn virtual_addresses_are_noted_for_the_next_start() {
        let directory = directory("addresses");
        assert!(noted_addresses(&directory).is_empty());
        let addresses: BTreeSet<IpAddr> =
            ["192.0.2.1", "2001:db8::1"].into_iter().map(|text| text.parse().unwrap()).collect();
        write(&directory.join(ADDRESSES), addresses.iter()).unwrap();
        assert_eq!(noted_addresses(&directory), addresses);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_damaged_list_keeps_its_good_lines() {
        let directory = directory("damaged");
        fs::write(directory.join(FILE), "\u{0}\nnonsense\n192.0.2.1:80/tcp\n192.0.2.1/tcp\n")
            .unwrap();
        let (owned, error) = Owned::load(&directory);
        assert!(error.is_none());
        assert_eq!(owned.services().len(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_list_that_cannot_be_written_says_where() {
        let (mut owned, _) = Owned::load(Path::new("/nonexistent/diarch"));
        let error = owned.set([parse("192.0.2.1:80/tcp").unwrap()].into()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/diarch/owned-services"), "{error}");
        assert_eq!(owned.services().len(), 1);
    }
}
